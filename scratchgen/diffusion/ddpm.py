"""The denoising diffusion model: a chain of Gaussians backwards, whose means a network gives (lecture p. 12).

    p(x_T) = N(0, I),   p(x_{t−1} | x_t) = N(c_t x̂_0 + d_t x_t, σ_t² I),   x̂_0 from the network      (1)

The chain itself is in ``reverse_chain``; here is what trains it. With the latent variables x_1 … x_T and a fixed q
this is a VAE without an encoder to train, and its bound on log p(x_0) (``bound``) has a term for each step. Training
draws one t for each x_0. It takes T times its term, an estimate of the whole bound; or, weighted by ``weightings``, the
squared error of what the network predicts:

    loss = E_t E_ε[w_t ‖target − output‖²],    sum over dimensions, mean over the batch              (2)

Of a learned variance (2) knows nothing. So λ = 0.001 times the bound is added, in which x̂_0 counts as given: it shall
train the variance, and leave the mean to (2).

Source: Ho et al., arXiv:2006.11239, equations (1) to (14) and algorithm 1; Nichol and Dhariwal, arXiv:2102.09672,
section 3.1, for λ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.diffusion.arguments import require_rows, steps_of
from scratchgen.diffusion.bound import per_example, prior_term, step_term
from scratchgen.diffusion.decoders import Decoder
from scratchgen.diffusion.drawn_steps import drawn_steps
from scratchgen.diffusion.embeddings import without_some
from scratchgen.diffusion.forward import q_sample
from scratchgen.diffusion.reverse_chain import Prediction, ReverseChain
from scratchgen.diffusion.schedules import Schedule
from scratchgen.diffusion.targets import TARGETS
from scratchgen.diffusion.weightings import WEIGHTINGS, target_weights
from scratchgen.distributions import Normal
from scratchgen.distributions.distribution import values
from scratchgen.random import generator

__all__ = ["DDPM", "HYBRID", "Prediction"]

HYBRID = 0.001  # λ


class DDPM(ReverseChain):
    """A diffusion model in T steps.

    Args:
        network: from (x_t, time), or (x_t, time, labels), to the target, of the shape of x_t; with a learned variance,
            to twice as many numbers on the last axis. ``time`` is t/T, (B,).
        schedule: β_1 … β_T.
        event_shape: of one x_0.
        target: what the network predicts: "eps", "x0" or "v".
        weighting: of the loss: "simple", "snr", "min_snr", or "bound": then the loss is the negative bound, in nats.
        variance: σ_t² of (1): "beta", "beta_tilde", "learned", or an array of Var[x_0 | x_t], (T + 1,) or
            (T + 1, *event_shape), for the optimal one.
        decoder: p(x_0 | x_1), and what data are: ``RealDecoder()`` or ``LevelDecoder(levels)``.
        clip: the range that x̂_0 is held in when sampling and in the bound, such as (-1, 1) for images.
        drop: the share of labels that training takes away, for guidance.
        prior: p(x_T), one Normal for every component, if not N(0, 1).
        first: the share of t = 1 among the steps that training with the bound draws, if not 1/T; see ``drawn_steps``.

    Raises:
        ValueError: for an unknown target, weighting or variance; for drop outside [0, 1], first outside (0, 1), or
            first with another weighting.

    >>> from scratchgen.diffusion import ResidualNet, cosine
    >>> model = DDPM(ResidualNet(2, rng=0), cosine(50), (2,))
    >>> model.loss(np.zeros((8, 2), np.float32), 0).shape
    ()
    >>> model.sample(3, rng=0).shape
    (3, 2)
    """

    def __init__(
        self,
        network: Callable[..., Any],
        schedule: Schedule,
        event_shape: tuple[int, ...],
        target: str = "eps",
        weighting: str = "simple",
        variance: str | np.ndarray = "beta",
        decoder: Decoder | None = None,
        clip: tuple[float, float] | None = None,
        drop: float = 0.1,
        prior: Normal | None = None,
        first: float | None = None,
    ) -> None:
        super().__init__(network, schedule, event_shape, target, variance, decoder, clip, prior)
        if weighting not in WEIGHTINGS:
            raise ValueError(f"weighting is {weighting!r}; it must be one of {', '.join(WEIGHTINGS)}")
        if not 0 <= drop <= 1:
            raise ValueError(f"drop is {drop}; it must be from 0 to 1")
        if first is not None and not (0 < first < 1 and weighting == "bound"):
            raise ValueError(f"first is {first} and weighting {weighting}; it must be between 0 and 1, with bound")
        self.weighting, self.drop, self.first = weighting, drop, first

    def loss(self, x: Any, *context_and_rng: Any) -> Tensor:
        """The weighted error (2), or the negative bound in nats, averaged over the batch.

        Called as ``loss(x, rng)`` or ``loss(x, labels, rng)``.

        Raises:
            TypeError: without rng.
            ValueError: for an empty batch.
        """
        require_rows(x)
        if not context_and_rng:
            raise TypeError("loss needs rng")
        *contexts, rng = context_and_rng
        rng = generator(rng)
        x0 = self.decoder.to_network(x, self.dtype)
        t, probability = drawn_steps(len(x), self.schedule.T, rng, self.first)
        noise = rng.standard_normal(x0.shape, dtype=x0.dtype)
        context = without_some(contexts[0], self.drop if self.training else 0.0, rng) if contexts else None
        return np.mean(self.losses(x, t, noise, context, probability))

    def losses(self, x: Any, t: Any, noise: Any, context: Any = None, probability: Any = None) -> Any:
        """The loss (2) of each row, (B,), at steps and with noise that are given.

        Where it is a bound, the term of t is divided by the probability with which t was drawn, (B,); by default 1/T.
        """
        x0, t = self.decoder.to_network(x, self.dtype), steps_of(t, len(x), self.schedule.T)
        x_t = q_sample(self.schedule, x0, t, noise=noise)
        prediction = self.predict(x_t, t, context)
        p = (np.full(len(t), 1 / self.schedule.T) if probability is None else probability).astype(x0.dtype)
        if self.weighting == "bound":
            return prior_term(self, x0) + step_term(self, x, x0, x_t, t, prediction) / p
        target = TARGETS[self.target]
        error = target.of(x0, noise, *self.signal_and_noise(t, x0)) - prediction.output
        weights = target_weights(self.schedule, target, self.weighting)[t].astype(x0.dtype)
        loss = weights * per_example(np.square(error))
        if prediction.share is None:
            return loss
        given = prediction._replace(x0=values(prediction.x0))
        return loss + HYBRID * step_term(self, x, x0, x_t, t, given) / p
