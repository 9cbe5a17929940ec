"""The score at all times, learned by one network: what the reverse SDE lacks (lecture p. 12).

A network guesses the noise ε in x_t = a(t) x₀ + s(t) ε, and the score follows from the guess:

    loss = E_t E_{x₀} E_ε |net(x_t, t) − ε|²,    t uniform from ``start`` to 1                     (1)
    ∇ log p_t(x) ≈ −net(x, t) / s(t)                                                               (2)

(1) is denoising score matching at every t, times 2 s(t)²: as scores, the errors near t = 0 would drown all others. Its
least value is not 0 but E_t of what the noise keeps for itself, equation (6) of ``exact`` for normal data. At t = 0
nothing can be told by (2); hence ``start``.

Source: Song et al., arXiv:2011.13456, equation (7) with λ(t) = s(t)².
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.diffusion.arguments import batch_of_floats, beside, noise_for, require_between, require_rows
from scratchgen.diffusion.sde import SDE
from scratchgen.nn import Module
from scratchgen.random import Rng, generator


class ScoreModel(Module):
    """A network of the noise, and the score that it makes (2).

    Args:
        net: a Module called as ``net(x, t)``, with t (B,), that returns the shape of x.
        sde: the forward SDE.
        start: the first time that is learned, above 0.

    Raises:
        TypeError: for a start that is no number.
        ValueError: for a start outside (0, 1).

    >>> class Nothing(Module):
    ...     def forward(self, x, t):
    ...         return 0.0 * x
    >>> from scratchgen.diffusion import VP
    >>> model = ScoreModel(Nothing(), VP())
    >>> float(model.loss(np.zeros((1, 2)), rng=0, noise=np.array([[1.0, 2.0]])))     # |ε|²
    5.0
    """

    def __init__(self, net: Module, sde: SDE, start: float = 1e-3) -> None:
        self.net, self.sde, self.start = net, sde, require_between("start", start, 0, 1)

    def forward(self, x: Any, t: Any) -> Any:
        """∇ log p_t(x) (2), of the shape of x, for t a number or (B,)."""
        s = beside(self.sde.marginal(t)[1], x)
        return -self.guess(x, t) / s

    def guess(self, x: Any, t: Any) -> Any:
        """ε, as the network sees it in x."""
        return self.net(x, np.broadcast_to(np.asarray(t, x.dtype), (len(x),)))

    def loss(self, x: Any, rng: Rng, t: Any = None, noise: Any = None) -> Tensor:
        """(1), summed over dimensions and averaged over the batch, with one t for each x, drawn or given.

        Args:
            x: (B, …), x₀.
            rng: draws t and ε where they are not given.
            t: (B,).
            noise: ε, of the shape of x.

        Raises:
            TypeError: for x that are no floats; for noise of another dtype.
            ValueError: for an empty batch, NaN or inf; for t or noise of another shape; for t outside [0, 1].
        """
        x, rng = batch_of_floats(x), generator(rng)
        require_rows(x)
        if t is None:
            t = self.start + (1 - self.start) * rng.random(len(x))
        noise = noise_for(x, rng, noise)
        miss = self.guess(self.sde.perturb(x, t, noise=noise), t) - noise
        return np.mean(np.sum(miss * miss, axis=tuple(range(1, x.ndim))))
