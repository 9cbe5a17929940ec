"""log p(x) by numerical integration over z, in one or two dimensions.

    p(x) = ∫ p(x | z) p(z) dz ≈ Σ_i ω_i p(x | z_i)                                             (1)

*Gauss–Hermite* nodes and weights are those of expectations under the prior, here normal. (1) is exact where p(x | z) is
a polynomial in z, of degree up to 2 order − 1. It never is, but where it is smooth and broad the error falls fast: for
x = z + ε with Var ε = s² and z ~ N(0, 1)

    as (1 + 2 s²)^(−order).                                                                    (2)

A *grid* has equal steps h, with ω_i = h p(z_i), or h² p(z_i) in the plane: the trapezoid rule. It is exact where
p(x, z), as a function of z, has no frequency of 2π/h or above. Where it is a normal curve of standard deviation τ, that
of the posterior, it has hardly any; the relative error, at its largest, is about

    2 exp(−2π² τ²/h²),   5·10⁻⁹ for h = τ and 10⁻³⁴ for h = τ/2.                               (3)

The grid is the better one where the posterior is narrow, far out or has several modes. With a decoder that has kinks,
such as a network of relus, both converge slowly, and the grid as h².

Every sum is compared with that over half the nodes in each dimension, and refused where they differ by more than a
tolerance. The difference is about the error with half the nodes; by (2) that with all of them is its square, and by (3)
its fourth power.

Source: Golub and Welsch, Calculation of Gauss quadrature rules, Math. Comp. 23, 1969; Trefethen and Weideman, The
exponentially convergent trapezoidal rule, SIAM Review 56, 2014, section 5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions import Bernoulli, Categorical, Distribution, Independent, Normal
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.joint import LatentVariableModel, prior_of
from scratchgen.latent.marginal import Estimate, log_sums
from scratchgen.latent.points import HIGHEST_ORDER, MOST_NODES, gauss_hermite


def marginal_by_gauss_hermite(model: LatentVariableModel, x: Any, order: int = 64, tolerance: float = 1e-6) -> Estimate:
    """log p(x) by Gauss–Hermite nodes under the prior (1), with the difference from half the order as its error.

    Args:
        model: whose prior has one or two independent normal components.
        x: (B, *event_shape).
        order: nodes in each dimension, 2 to 256.
        tolerance: the error, in nats, above which the sum is refused; np.inf for never.

    Raises:
        TypeError: for another prior; for an order that is no int; for x that is a masked array.
        ValueError: for more than two dimensions; for an order out of range; for x of another shape.
        ArithmeticError: where the sum has not converged, with the index of x.

    >>> from scratchgen.latent import VAE, BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> encoder, decoder = MLP([6, 4], rng=0, dtype=np.float64), MLP([2, 6], rng=1, dtype=np.float64)
    >>> model = VAE(encoder, decoder, BernoulliLikelihood(6), latent=2)
    >>> log_p = marginal_by_gauss_hermite(model, np.array([[0, 1, 1, 0, 1, 0]]))
    >>> log_p.value.round(8), bool(log_p.error[0] < 1e-12)
    (array([-4.29324568]), True)
    """
    prior = prior_of(model)
    if not isinstance(prior, Independent) or not isinstance(prior.base, Normal):
        raise TypeError(f"the prior is {prior} and no Independent(Normal(…), 1), whose nodes these are: use a grid")
    dims = require_few(prior)
    require_int("order", order, least=2)
    if order > HIGHEST_ORDER:
        raise ValueError(f"order is {order}; it must be at most {HIGHEST_ORDER}: a grid can be finer")
    sums = []
    for n in (order, order // 2):
        eta, weights = gauss_hermite(dims, n)
        eta, weights = eta[weights > 0], weights[weights > 0]  # in the plane, the outermost underflow
        z = values(prior.mean) + np.sqrt(values(prior.variance)) * eta.astype(prior.dtype)
        sums.append(log_sums(model, x, z, np.log(weights)[None])[0])
    log_p, by_half = sums
    return converged(log_p, by_half, np.full_like(log_p, -np.inf), tolerance)


def marginal_by_grid(
    model: LatentVariableModel, x: Any, nodes: int = 401, width: float = 8.0, tolerance: float = 1e-6
) -> Estimate:
    """log p(x) by the trapezoid rule on a grid (1), with the difference from every other node as its error.

    The grid spans ``width`` standard deviations of the prior on each side of its mean. The share of p(x) that lies in
    the outermost standard deviation of each side is added to the error, in the place of what lies beyond.

    Args:
        model: whose prior is continuous, with one or two dimensions.
        x: (B, *event_shape).
        nodes: in each dimension; odd, so that every other node is a grid from end to end.
        width: in standard deviations, above 1.
        tolerance: the error, in nats, above which the sum is refused; np.inf for never.

    Raises:
        TypeError: for a discrete prior; for nodes that is no int; for x that is a masked array.
        ValueError: for more than two dimensions; for nodes that are even, or more than a million in all; for a width
            that is not above 1; for x of another shape.
        ArithmeticError: where the sum has not converged, with the index of x.

    >>> from scratchgen.latent import VAE, BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> encoder, decoder = MLP([6, 4], rng=0, dtype=np.float64), MLP([2, 6], rng=1, dtype=np.float64)
    >>> model = VAE(encoder, decoder, BernoulliLikelihood(6), latent=2)
    >>> marginal_by_grid(model, np.array([[0, 1, 1, 0, 1, 0]]), nodes=65).value.round(8)
    array([-4.29324568])
    """
    prior = prior_of(model)
    if isinstance(getattr(prior, "base", prior), (Categorical, Bernoulli)):
        raise TypeError(f"the prior is {prior}, of a discrete z: use marginal_by_sum")
    dims = require_few(prior)
    require_int("nodes", nodes, least=3)
    if nodes % 2 == 0 or nodes**dims > MOST_NODES:
        raise ValueError(f"nodes is {nodes} in {dims} dimensions; it must be odd, and at most {MOST_NODES:,} in all")
    if not 1 < width < np.inf:
        raise ValueError(f"width is {width}; it must be a number of standard deviations, above 1")
    std = np.sqrt(np.asarray(values(prior.variance), np.float64))
    place = np.indices((nodes,) * dims).reshape(dims, -1).T  # (N, dims): 0 … nodes − 1
    unit = width * (2 * place / (nodes - 1) - 1)  # −width … width
    z = np.asarray(values(prior.mean) + std * unit, prior.dtype)
    step = np.sum(np.log(2 * width / (nodes - 1) * std))  # log h, or log h² in the plane
    ends = np.sum((place == 0) | (place == nodes - 1), axis=1)  # halve the weight, at a corner twice
    fine = step - ends * np.log(2) + values(prior.log_prob(z))
    coarse = np.where(np.all(place % 2 == 0, axis=1), fine + dims * np.log(2), -np.inf)
    outer = np.where(np.any(np.abs(unit) > width - 1, axis=1), fine, -np.inf)
    log_p, by_half, by_outer = log_sums(model, x, z, np.stack([fine, coarse, outer]))
    return converged(log_p, by_half, by_outer, tolerance)


def require_few(prior: Distribution) -> int:
    """The dimension of z, if it is 1 or 2.

    Raises:
        ValueError: for another.
    """
    if prior.event_shape not in ((1,), (2,)):
        raise ValueError(
            f"z has the shape {prior.event_shape}; only (1,) and (2,) are integrated numerically. "
            "In more dimensions sample z: marginal_by_importance"
        )
    return prior.event_shape[0]


def converged(log_p: np.ndarray, by_half: np.ndarray, by_outer: np.ndarray, tolerance: float) -> Estimate:
    """The sum over all nodes, with its error, if that is within the tolerance.

    Args:
        log_p: (B,), by all nodes.
        by_half: (B,), by half of them.
        by_outer: (B,), by the outermost nodes, beyond which something may have been cut off.
        tolerance: in nats.

    Raises:
        ArithmeticError: with the first x for which it is not, and how many there are.
    """
    with np.errstate(invalid="ignore"):  # −∞ − (−∞), where every node has a density of 0: NaN is above any tolerance
        share = np.exp(by_outer - log_p)
        error = np.abs(log_p - by_half) + share
    bad = np.flatnonzero(~(error <= tolerance))
    if bad.size:
        i = bad[0]
        raise ArithmeticError(
            f"the integral of x[{i}] has not converged: log p is {log_p[i]:.6g}, with half the nodes {by_half[i]:.6g}, "
            f"and a share of {share[i]:.1g} lies at the end of the grid; {bad.size} of {error.size} x: "
            "take more nodes, a wider grid, or a higher tolerance"
        )
    return Estimate(log_p, error)
