"""The Kullback–Leibler divergence of continuous distributions of numbers, for every pair that has a closed form here.

KL(q ‖ p) = −H(q) − E_q[log p(x)], and what of q the last term asks for depends on p. A normal p asks for two moments,
with m and std those of q; a Laplace p, of scale e^{s_p}, for the mean absolute distance A = E_q|x − m_p|:

    KL(q ‖ N(m_p, e^{v_p})) = −H(q) + ½ (log 2π + v_p + (m − m_p)² e^{−v_p} + std² e^{−v_p})    (1)
    KL(q ‖ Laplace)         = −H(q) + log 2 + s_p + A e^{−s_p}                                  (2)

With Δ = m − m_p, and t = Δ over the scale of q:

    q normal        A = std [2 φ(t) + t erf(t/√2)],  φ the density of N(0, 1)                   (3)
    q logistic      A = scale [softplus(t) + softplus(−t)]                                      (4)
    q uniform       A = |Δ| + max(h − |Δ|, 0)²/(2h),  h half the width                          (5)

For two of one class the terms would cancel near q = p, so they are sorted into sums of terms ≥ 0. With d = s − s_p:

    two Laplace     KL = (eᵈ − 1 − d) + eᵈ (e^{−|t|} − 1 + |t|)                                 (6)
    two uniform     KL = log(w_p/w) if p covers all of q, and else ∞                            (7)

A uniform p gives the tails of any other q probability 0, and then KL = ∞, however little of q is there. Samples would
miss it, and estimate something finite. For a logistic p there is no closed form: E_q[softplus] has none.

Source: Gil, Alajaji and Linder, Rényi divergence measures for commonly used univariate continuous distributions,
Information Sciences 249, 2013, for pairs of one class. Of A, the derivative with respect to Δ is 1 − 2 F(m_p), with F
the cumulative distribution function of q, and (3)–(5) are its integrals that tend to |Δ| for large |Δ|.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import softplus
from scratchgen.autodiff.densities import LOG_2PI, inverse_std
from scratchgen.distributions.distribution import Distribution
from scratchgen.distributions.kl import closed_form
from scratchgen.distributions.laplace import LOG_2, Laplace
from scratchgen.distributions.location_scale import LocationScale, inverse_scale
from scratchgen.distributions.logistic import Logistic
from scratchgen.distributions.normal import Normal
from scratchgen.distributions.uniform import Uniform

SQRT_2, SQRT_2PI = 1.4142135623730951, 2.5066282746310002


@closed_form(Laplace, Normal)
@closed_form(Logistic, Normal)
def kl_to_normal(q: LocationScale, p: Normal) -> Any:
    """Equation (1)."""
    return with_moments(q, q.standard_variance**0.5 * q.scale, p)


@closed_form(Uniform, Normal)
def kl_uniform_to_normal(q: Uniform, p: Normal) -> Any:
    """Equation (1)."""
    return with_moments(q, q.width / 12**0.5, p)


def with_moments(q: Distribution, std: Any, p: Normal) -> Any:
    """Equation (1); lengths are divided by the standard deviation of p before they are squared, or e^{−v_p} might
    overflow.
    """
    s = inverse_std(p.logvar)
    return 0.5 * (LOG_2PI + p.logvar + np.square((q.mean - p.mean) * s) + np.square(std * s)) - q.entropy()


@closed_form(Normal, Laplace)
def kl_normal_to_laplace(q: Normal, p: Laplace) -> Any:
    """Equation (2) with (3)."""
    from scipy.special import erf  # a slow import: only who needs it shall wait for it

    t = (q.mean - p.loc) * inverse_std(q.logvar)
    return with_distance(q, q.std * (2.0 / SQRT_2PI * np.exp(-0.5 * np.square(t)) + t * erf(t / SQRT_2)), p)


@closed_form(Logistic, Laplace)
def kl_logistic_to_laplace(q: Logistic, p: Laplace) -> Any:
    """Equation (2) with (4)."""
    t = (q.loc - p.loc) * inverse_scale(q.log_scale)
    return with_distance(q, q.scale * (softplus(t) + softplus(-t)), p)


@closed_form(Uniform, Laplace)
def kl_uniform_to_laplace(q: Uniform, p: Laplace) -> Any:
    """Equation (2) with (5)."""
    distance, half = np.abs(q.mean - p.loc), 0.5 * q.width
    return with_distance(q, distance + np.square(np.maximum(half - distance, 0.0)) / (2.0 * half), p)


def with_distance(q: Distribution, distance: Any, p: Laplace) -> Any:
    """Equation (2), of the mean absolute distance A."""
    return LOG_2 + p.log_scale + distance * inverse_scale(p.log_scale) - q.entropy()


@closed_form(Laplace, Laplace)
def kl_laplace(q: Laplace, p: Laplace) -> Any:
    """Equation (6): never negative, and 0 for q = p."""
    d, t = q.log_scale - p.log_scale, np.abs(q.loc - p.loc) * inverse_scale(q.log_scale)
    return (np.expm1(d) - d) + inverse_scale(-d) * (np.expm1(-t) + t)  # eᵈ, finite: or it would be ∞ · 0 at t = 0


@closed_form(Uniform, Uniform)
def kl_uniform(q: Uniform, p: Uniform) -> Any:
    """Equation (7), with w_p/w = 1 + (what p has beyond q on either side)/w: so it keeps its digits near q = p.

    Where it is infinite its gradients are 0, and no optimiser can follow them back.
    """
    below, above = q.low - p.low, p.high - q.high
    covered = np.greater_equal(below, 0) & np.greater_equal(above, 0)
    beyond = np.where(covered, below + above, np.zeros_like(below + above))
    return np.where(covered, np.log1p(beyond / q.width), np.inf)


@closed_form(Normal, Uniform)
@closed_form(Laplace, Uniform)
@closed_form(Logistic, Uniform)
def kl_to_uniform(q: Distribution, p: Uniform) -> np.ndarray:
    """∞, whatever the parameters: q reaches everywhere."""
    return np.full(np.broadcast_shapes(q.batch_shape, p.batch_shape), np.inf, q.dtype)
