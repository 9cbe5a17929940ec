"""The likelihood of a diffusion model: its probability flow is a continuous flow (lecture pp. 11 and 12).

    dx/dt = v(x, t) = f − ½ g² ∇ log p_t(x)              from data, t = 0, to noise, t = 1         (1)
    log p_0(x₀) = log p_1(x₁) + ∫₀¹ ∇·v(x_t, t) dt       the change of variables, path by path     (2)

With the true score (2) is the true log-density. With a learned one it is the log-density of what the flow makes of the
prior: an exact likelihood of a model, not a bound; but of the ODE, and not of what the reverse SDE draws.

∇·v is exact, by D derivatives at each step, or estimated from probes ε that are held fixed along the path, one product
εᵀ (∂v/∂x) ε each. Then K probes give K log-densities, whose mean is unbiased, with the standard error

    √(Σ_k (ℓ_k − ℓ̄)² / (K (K − 1)))                                                                (3)

Position and integral go through RK45 together. What remains is its error, of about the tolerance. A learned score has
no limit as t → 0, so ``start`` is above 0 for it, and (2) is then log p_start(x).

Source: Song et al., arXiv:2011.13456, section 4.3, equation (39), and appendix D.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.diffusion.arguments import ROUNDING, require_between, times_of
from scratchgen.diffusion.integrators import require_start, rk45
from scratchgen.diffusion.sde import SDE, Score
from scratchgen.distributions import Distribution
from scratchgen.distributions.distribution import values
from scratchgen.flows import Transform
from scratchgen.flows.divergence import with_divergence
from scratchgen.flows.transform import Mapped


class Likelihood(NamedTuple):
    """log p of each x, and how sure that is.

    Attributes:
        log_prob: (B,), in nats.
        error: (B,), the standard error (3): 0 with the exact divergence, NaN with a single probe, which cannot tell.
    """

    log_prob: np.ndarray
    error: np.ndarray


class ProbabilityFlow(Transform):
    """The probability flow (1) as a transform, data → noise: ``Flow(ProbabilityFlow(…), sde.prior(2))`` is a model.

    Args:
        sde: the forward SDE.
        score: (x, t) ↦ ∇ log p_t(x); of arrays and Tensors, since its divergence is wanted.
        start: the time of the data.
        tolerance: of the steps of RK45.
        probes: the ε, (K, D) or (K, B, D), such as ``random_signs((10, D), rng)``; None for the exact divergence.

    Raises:
        TypeError: for numbers that are none.
        ValueError: for a start outside [0, 1), a tolerance outside (0, 1); later, for probes of another shape.

    >>> from scratchgen.diffusion import VP, GaussianMixtureData
    >>> p = GaussianMixtureData([0.5, 0.5], [[-2.0], [2.0]], 0.25).diffused(VP())
    >>> x = np.array([[2.0], [0.0]])
    >>> flow = ProbabilityFlow(p.sde, p.score)
    >>> flow.likelihood(x, prior=p.at(1.0)).log_prob.round(4), p.log_prob(x, 0.0).round(4)
    (array([-0.9189, -8.2258]), array([-0.9189, -8.2258]))
    """

    def __init__(
        self, sde: SDE, score: Score, start: float = 0.0, tolerance: float = 1e-6, probes: np.ndarray | None = None
    ) -> None:
        self.sde, self.score, self.probes = sde, score, probes
        self.start = require_between("start", start, -ROUNDING, 1)
        self.tolerance = require_between("tolerance", tolerance, 0, 1)
        times_of(self.start)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: x₁, and the integral in (2); plain arrays, outside any graph."""
        z, logabsdets = self.follow(x, self.start, 1.0)
        return z, logabsdets.mean(axis=0)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: the same path backwards."""
        x, logabsdets = self.follow(z, 1.0, self.start)
        return x, logabsdets.mean(axis=0)

    def likelihood(self, x: Any, prior: Distribution | None = None) -> Likelihood:
        """log p(x) (2), and its standard error (3).

        Args:
            x: (B, …), data at time ``start``.
            prior: p_1; by default that of the SDE.

        Raises:
            TypeError, ValueError: for x that is no batch of finite floats.
        """
        z, logabsdets = self.follow(x, self.start, 1.0)
        base = self.sde.prior(z.shape[1:], z.dtype) if prior is None else prior
        each = values(base.log_prob(z)) + logabsdets  # (K, B)
        error = np.zeros_like(each[0])
        if self.probes is not None:
            K = len(each)
            error = each.std(axis=0, ddof=1) / np.sqrt(K) if K > 1 else np.full_like(error, np.nan)
        return Likelihood(each.mean(axis=0), error)

    def follow(self, x: Any, begin: float, end: float) -> tuple[np.ndarray, np.ndarray]:
        """x at the end of its path, and the integral of the divergence along it: (1, B), or (K, B) by K probes."""
        x = require_start(values(x))
        B, D = len(x), x[:1].size
        flow = self.sde.reverse(self.score, probability_flow=True)
        K = 1 if self.probes is None else len(self.probes)

        def moved(state: np.ndarray, t: float) -> tuple[Any, float]:
            now = state[:, :D].reshape(x.shape)
            v, divergences = with_divergence(lambda x: flow(x, t)[0], now, self.probes)
            return np.concatenate([v.reshape(B, D), divergences.T], axis=1), 0.0

        state = np.concatenate([x.reshape(B, D), np.zeros((B, K), x.dtype)], axis=1)
        state = rk45(moved, state, [begin, end], self.tolerance)
        return state[:, :D].reshape(x.shape), state[:, D:].T
