"""log p(x) from samples of z, in any dimension, with standard errors.

    w(z) = p(x | z) p(z) / q(z | x),    E_q[w] = ∫ p(x, z) dz = p(x)       for any q             (1)
    log p̂ = log (1/K) Σ_k w_k,   z_k ~ q                                                        (2)
    Var(log p̂) ≈ Var(w) / (K p(x)²)                                                             (3)
    E[log p̂] ≈ log p(x) − ½ Var(log p̂)                                                          (4)
    ESS = (Σ_k w_k)² / Σ_k w_k²                                                                 (5)

q must not be 0 where p(x, z) is not. With q = p(z) this is naive Monte Carlo, and w = p(x | z). With q = p(z | x) every
w is p(x), and one sample is enough. For any other q, (5) says about how many samples of the posterior itself would tell
as much of an expectation under it.

(3) is the delta method: a small relative error of p̂ is an absolute error of log p̂. (4) is the next order of it, and
Jensen's inequality: p̂ is unbiased, so its logarithm is too low on average. Var(w) may be infinite: for normal q and
posterior, of precisions Q and P, it is where 2P − Q is not positive definite, so for a q that is too narrow.

Var(w) is estimated from the same K weights, so the squared error is (K/ESS − 1)/(K − 1). That is never above 1,
*whatever the true error is*: of what no sample has hit, the weights know nothing. An error not far below 1, or an ESS
of a few samples, says no more than that log p̂ is too low.

Source: Owen, Monte Carlo theory, methods and examples, 2013, chapter 9; Burda et al., arXiv:1509.00519, equation (8);
Chan, Golub and LeVeque, Algorithms for computing the sample variance, The American Statistician 37, 1983.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.distributions import Distribution
from scratchgen.distributions.arguments import unmasked
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.arguments import require_for_each, require_rows
from scratchgen.latent.joint import LatentVariableModel, log_joint, log_p_x_given_z, prior_of
from scratchgen.latent.marginal import PAIRS, slices
from scratchgen.random import Rng, generator

Draw = Callable[[int], Any]  # from n to n log-weights for each x


class SampledEstimate(NamedTuple):
    """log p(x) for each x, (B,), in nats, from K samples."""

    value: np.ndarray  # log p̂ (2)
    error: np.ndarray  # its standard error (3), inf for K = 1
    effective: np.ndarray  # the effective sample size (5), 1 to K; 0 if all weights are 0


def log_weights(model: LatentVariableModel, x: Any, q: Distribution, z: Any) -> Any:
    """log w(z) = log p(x, z) − log q(z | x) (1), in nats; differentiable.

    Args:
        model: with ``prior`` and ``decode``.
        x: (B, *event_shape).
        q: q(z | x), a batch of B.
        z: (*sample_shape, B, latent), or (*sample_shape, B) where z is discrete.

    Returns:
        (*sample_shape, B).

    Raises:
        ValueError: unless x, q and z belong together.
    """
    require_for_each(q, x)
    return log_joint(model, x, z) - q.log_prob(z)


def marginal_by_monte_carlo(model: LatentVariableModel, x: Any, samples: int, rng: Rng) -> SampledEstimate:
    """log p(x) with z from the prior: the mean of p(x | z), naive Monte Carlo.

    Each x has samples of its own, so the errors of different x are independent.

    Args:
        model: with ``prior`` and ``decode``.
        x: (B, *event_shape).
        samples: K, for each x.
        rng: draws z.

    Raises:
        TypeError, ValueError: for samples that is no int, or less than 1; for an empty batch.

    >>> from scratchgen.latent import VAE, BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> encoder, decoder = MLP([6, 4], rng=0, dtype=np.float64), MLP([2, 6], rng=1, dtype=np.float64)
    >>> model, x = VAE(encoder, decoder, BernoulliLikelihood(6), latent=2), np.array([[0.0, 1.0, 1.0, 0.0, 1.0, 0.0]])
    >>> log_p = marginal_by_monte_carlo(model, x, samples=10_000, rng=0)            # exactly −4.293
    >>> log_p.value.round(3), log_p.error.round(3), log_p.effective.round()
    (array([-4.294]), array([0.004]), array([8455.]))
    """
    prior, rng = prior_of(model), generator(rng)

    def of(rows: Any) -> Draw:
        return lambda n: log_p_x_given_z(model, rows, prior.sample((n, len(rows)), rng))

    return averaged(of, x, samples)


def marginal_by_importance(
    model: LatentVariableModel, x: Any, encode: Callable[[Any], Distribution], samples: int, rng: Rng
) -> SampledEstimate:
    """log p(x) with z from any q(z | x), by importance weights (2).

    Args:
        model: with ``prior`` and ``decode``.
        x: (B, *event_shape).
        encode: from some rows of x to q(z | x), a batch of as many: ``model.encode`` of a VAE, for example.
        samples: K, for each x.
        rng: draws z.

    Raises:
        TypeError, ValueError: for samples that is no int, or less than 1; for an empty batch.

    >>> from scratchgen.latent import VAE, BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> encoder, decoder = MLP([6, 4], rng=0, dtype=np.float64), MLP([2, 6], rng=1, dtype=np.float64)
    >>> model, x = VAE(encoder, decoder, BernoulliLikelihood(6), latent=2), np.array([[0.0, 1.0, 1.0, 0.0, 1.0, 0.0]])
    >>> log_p = marginal_by_importance(model, x, model.encode, samples=10_000, rng=0)
    >>> log_p.value.round(3), log_p.error.round(3), log_p.effective.round()       # an encoder that has learnt nothing
    (array([-4.304]), array([0.01]), array([4776.]))
    """
    rng = generator(rng)

    def of(rows: Any) -> Draw:
        q = encode(rows)
        return lambda n: log_weights(model, rows, q, q.sample(n, rng))

    return averaged(of, x, samples)


def averaged(of: Callable[[Any], Draw], x: Any, samples: int) -> SampledEstimate:
    """The estimate (2) from K weights for each x, of which ``PAIRS`` are looked at together.

    Args:
        of: from b rows of x to a function that draws n log-weights for each, (n, b).
        x: (B, *event_shape).
        samples: K.

    Raises:
        TypeError, ValueError: for samples that is no int, or less than 1; for an empty batch.
    """
    require_int("samples", samples)
    x = np.asarray(unmasked("x", x))
    require_rows(x, "an estimate")
    parts: list[SampledEstimate] = []
    with no_grad():
        for part in slices(len(x), PAIRS):
            rows = x[part]
            draw, weights = of(rows), Weights(len(rows))
            for some in slices(samples, PAIRS // len(rows)):
                weights.add(values(draw(min(some.stop, samples) - some.start)))
            parts.append(weights.estimate())
    return SampledEstimate(*(np.concatenate(each) for each in zip(*parts)))


class Weights:
    """The mean and the spread of weights that are given by their logarithms, some at a time.

    Kept in float64, in units of the largest so far, so nothing overflows. The squares are about the mean, so that equal
    weights have an error of 0 and not of a rounding error.

    >>> weights = Weights(1)
    >>> weights.add(np.log([[1.0], [2.0]]) - 1000)
    >>> weights.add(np.log([[3.0]]) - 1000)
    >>> log_p, error, effective = weights.estimate()
    >>> np.exp(log_p + 1000), error**2, effective                   # 2, with a squared error of 1/(3 · 2²); 6²/14
    (array([2.]), array([0.08333333]), array([2.57142857]))
    """

    def __init__(self, batch: int) -> None:
        self.count, self.log_unit = 0, np.full(batch, -np.inf)
        self.mean, self.squares = np.zeros(batch), np.zeros(batch)  # of w / unit; squares is Σ (w − mean)²

    def add(self, log_w: np.ndarray) -> None:
        """Take n more log-weights for each x, (n, B)."""
        log_unit = np.maximum(self.log_unit, log_w.max(axis=0))
        shift = np.where(np.isfinite(log_unit), log_unit, 0.0)  # all weights 0: or −∞ − (−∞) = NaN
        w, shrink = np.exp(log_w - shift), np.exp(self.log_unit - shift)
        n, old = len(w), self.count
        mean, before = np.mean(w, axis=0), self.mean * shrink
        self.squares = self.squares * shrink**2 + np.sum((w - mean) ** 2, axis=0)
        self.squares += (mean - before) ** 2 * (old * n / (old + n))  # between the old and the new
        self.mean = before + (mean - before) * (n / (old + n))
        self.log_unit, self.count = log_unit, old + n

    def estimate(self) -> SampledEstimate:
        """log p̂ (2), its error (3) and the effective sample size (5)."""
        k = self.count
        with np.errstate(divide="ignore", invalid="ignore"):  # all weights 0; or only one, of unknown spread
            value = self.log_unit + np.log(self.mean)
            spread = self.squares / self.mean**2  # (K − 1) Var(w) / p²; it is K²/ESS − K
            error = np.sqrt(spread / (k - 1) / k) if k > 1 else np.full_like(value, np.inf)
            effective = np.where(self.mean > 0, k / (1 + spread / k), 0.0)
        return SampledEstimate(value, np.where(self.mean > 0, error, np.inf), effective)
