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

``log_likelihood`` evaluates. ``ProbabilityVelocity`` makes a flow of the model, of fixed steps, for all that flows
serve for: ``Flow(ContinuousFlow(ProbabilityVelocity(sde, score), steps=100), sde.prior(2))``, and ``Dequantised``
around it for data that are integers.

Source: Song et al., arXiv:2011.13456, section 4.3, equation (39), and appendix D.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.diffusion.arguments import batch_of_floats, require_between
from scratchgen.diffusion.integrators import rk45
from scratchgen.diffusion.sde import SDE, Score
from scratchgen.distributions import Distribution
from scratchgen.distributions.distribution import values
from scratchgen.flows.divergence import with_divergence
from scratchgen.nn import Module


class Likelihood(NamedTuple):
    """log p of each x, how sure that is, and the noise that x becomes.

    Attributes:
        log_prob: (B,), in nats.
        error: (B,), the standard error (3): 0 with the exact divergence, NaN with a single probe, which cannot tell.
        noise: x₁, of the shape of x.
    """

    log_prob: np.ndarray
    error: np.ndarray
    noise: np.ndarray


def log_likelihood(
    sde: SDE,
    score: Score,
    x: Any,
    prior: Distribution | None = None,
    start: float = 0.0,
    tolerance: float = 1e-6,
    probes: np.ndarray | None = None,
) -> Likelihood:
    """log p(x) by the probability flow (2), outside any graph.

    Args:
        sde: the forward SDE.
        score: (x, t) ↦ ∇ log p_t(x); of arrays and Tensors, since its divergence is wanted.
        x: (B, …), data at time ``start``.
        prior: p_1; by default that of the SDE.
        start: the time of the data.
        tolerance: of the steps of RK45.
        probes: the ε, (K, …) or (K, B, …), such as ``random_signs((10, D), rng)``; None for the exact divergence.

    Raises:
        TypeError: for numbers that are none; for x that are no floats.
        ValueError: for a start outside [0, 1), a tolerance outside (0, 1); for probes of another shape; for NaN or inf.

    >>> from scratchgen.diffusion import VP, GaussianMixtureData
    >>> p = GaussianMixtureData([0.5, 0.5], [[-2.0], [2.0]], 0.25).diffused(VP())
    >>> x = np.array([[2.0], [0.0]])
    >>> log_likelihood(p.sde, p.score, x, prior=p.at(1.0)).log_prob.round(4), p.log_prob(x, 0.0).round(4)
    (array([-0.9189, -8.2258]), array([-0.9189, -8.2258]))
    """
    x, start = batch_of_floats(x), require_between("start", start, 0, 1, least=True)
    B, D = len(x), x[:1].size
    flow = sde.reverse(score, probability_flow=True)

    def moved(state: np.ndarray, t: float) -> tuple[Any, float]:
        now = state[:, :D].reshape(x.shape)
        v, divergences = with_divergence(lambda x: flow(x, t)[0], now, probes)
        return np.concatenate([v.reshape(B, D), divergences.T], axis=1), 0.0  # and no noise

    K = 1 if probes is None else len(probes)
    state = np.concatenate([x.reshape(B, D), np.zeros((B, K), x.dtype)], axis=1)
    state = rk45(moved, state, [start, 1.0], tolerance)
    z, integrals = state[:, :D].reshape(x.shape), state[:, D:]
    base = sde.prior(x.shape[1:], x.dtype) if prior is None else prior
    each = values(base.log_prob(z))[:, None] + integrals  # (B, K)
    error = np.zeros_like(each[:, 0])
    if probes is not None:
        error = each.std(axis=1, ddof=1) / np.sqrt(K).astype(x.dtype) if K > 1 else np.full_like(error, np.nan)
    return Likelihood(each.mean(axis=1), error, z)


class ProbabilityVelocity(Module):
    """The velocity (1) of the probability flow, for ``ContinuousFlow``: its time 0 is ``start``, and 1 is 1.

    Args:
        sde: the forward SDE.
        score: (x, t) ↦ ∇ log p_t(x); a Module, if it has parameters that shall be trained.
        start: the time of the data.

    Raises:
        TypeError: for a start that is no number.
        ValueError: for a start outside [0, 1).

    >>> from scratchgen.diffusion import VP
    >>> from scratchgen.flows import ContinuousFlow, Flow
    >>> sde = VP()
    >>> normal = ProbabilityVelocity(sde, lambda x, t: -x)     # the score of N(0, I), where VP stays
    >>> Flow(ContinuousFlow(normal, steps=10), sde.prior(2)).log_prob(np.zeros((1, 2))).data       # −log 2π
    array([-1.83787707])
    """

    def __init__(self, sde: SDE, score: Score, start: float = 0.0) -> None:
        self.start = require_between("start", start, 0, 1, least=True)
        self.sde, self.score = sde, score

    def forward(self, x: Any, t: Any) -> Any:
        """v (1) at time start + (1 − start) t, per unit of t; of the shape of x."""
        flow = self.sde.reverse(self.score, probability_flow=True)
        return (1 - self.start) * flow(x, self.start + (1 - self.start) * t)[0]
