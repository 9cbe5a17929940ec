"""A model of grey levels that says how likely each level is, and guesses x_0 by their mean.

A network that gives x̂_0 as a number has to learn that levels are levels. Bayes' rule can tell it. With l_k the levels
on [−1, 1], and all the rest of x_t as context,

    p(x_0d = k | x_t) ∝ N(x_td; √ᾱ_t l_k, 1 − ᾱ_t) p(x_0d = k | x_t but for x_td)                    (1)
    x̂_0d = Σ_k l_k p(x_0d = k | x_t)                                                                (2)

The network gives the logarithms of the last factor of (1), up to a constant; how close x_td is to each level it need
not learn. (1) is the last step of the chain too, p(x_0 | x_1), in the place of a Gaussian cut into bins. So x_1 may be
as noisy as one likes: what is left to be said of x_0, (1) says.

Source: Austin et al., D3PM, arXiv:2107.03006, for logits of x_0; Kingma et al., Variational Diffusion Models,
arXiv:2107.00630, equation (9), which is (1) with a constant last factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import log_softmax
from scratchgen.diffusion.ddpm import DDPM
from scratchgen.diffusion.decoders import LevelDecoder
from scratchgen.diffusion.reverse_chain import Prediction
from scratchgen.diffusion.targets import TARGETS
from scratchgen.distributions import Categorical


class LevelDDPM(DDPM):
    """A ``DDPM`` of levels 0 … L − 1 whose network gives L logits for each component.

    Args:
        network: to logits, (B, *event_shape, L) or flat, with the levels last.
        schedule: β_1 … β_T.
        event_shape: of one x_0.
        levels: L.
        weighting: as of ``DDPM``.
        options: further ones of ``DDPM``: variance, drop, prior, first. The target is x_0.

    >>> from scratchgen.diffusion import ResidualNet, cosine
    >>> model = LevelDDPM(ResidualNet(4, rng=0, outputs=4 * 17), cosine(10), (4,), levels=17)
    >>> model.loss(np.zeros((5, 4), np.int64), 0).shape, model.sample(3, rng=0).shape
    ((), (3, 4))
    """

    def __init__(
        self, network: Any, schedule: Any, event_shape: Any, levels: int, weighting: str = "bound", **options: Any
    ) -> None:
        options = {"variance": "beta_tilde", **options}
        super().__init__(network, schedule, event_shape, "x0", weighting, decoder=LevelDecoder(levels), **options)
        self.places = np.linspace(-1.0, 1.0, levels)  # l_k

    def interpreted(self, output: Any, x_t: Any, t: np.ndarray, share: Any) -> Prediction:
        """x̂_0 (2), with the logarithms of (1)."""
        a, b = self.signal_and_noise(t, x_t)
        places = self.places.astype(x_t.dtype)
        off = (x_t[..., None] - a[..., None] * places) / b[..., None]
        logits = log_softmax(output.reshape(*x_t.shape, len(places)) - 0.5 * np.square(off), axis=-1)
        x0 = np.exp(logits) @ places
        return Prediction(x0, x0, TARGETS["x0"].to_eps(x0, x_t, a, b), share, logits)

    def log_last(self, x: Any, mean: Any, log_variance: Any, logits: Any) -> Any:
        """log p(x_0 | x_1) by (1), (B, …)."""
        return Categorical(logits).log_prob(x)
