"""The monotone rational-quadratic spline: flexible, with an inverse in closed form (lecture p. 11).

Between −B and B it passes through K + 1 knots (x_k, y_k), both coordinates rising, with slope δ_k > 0 there; outside
it is the identity. In bin k, of width w, height h and mean slope s = h/w, with ξ and η from 0 to 1:

    ξ = (x − x_k)/w,    η = (y − y_k)/h                                                        (1)
    η = ξ (s ξ + δ_k (1 − ξ)) / N,    N = s (ξ² + (1 − ξ)²) + (δ_k + δ_{k+1}) ξ (1 − ξ)        (2)
    dy/dx = s² (δ_{k+1} ξ² + 2 s ξ (1 − ξ) + δ_k (1 − ξ)²) / N²                                (3)

At ξ = 0 and 1, (2) gives 0 and 1, and (3) δ_k and δ_{k+1}: so the pieces fit together smoothly. (2) times N is a
quadratic equation for ξ. Its root between 0 and 1 is

    ξ = 2 s η / (2 s η + u + √(u² + 4 s² η (1 − η))),    u = δ_k (1 − η) − δ_{k+1} η           (4)

N and what stands under the root are sums of what is not negative: no rounding can change their sign. The root is at
least |u|, so ξ is at most 1. Both ends are exact: at η = 1 the root is |u| = −u, and ξ = 1.

(4) is the form of the paper, with its a, b and c divided by h: with Δ = δ_k + δ_{k+1} − 2 s they are a = s − b,
b = δ_k − η Δ and c = −s η. So b² − 4 a c = b² − 4 s η b + 4 s² η = (b − 2 s η)² + 4 s² η (1 − η), and b − 2 s η = u.

Sources: Durkan et al., Neural Spline Flows, arXiv:1906.04032, section 3.1 and appendix A.1; Gregory and Delbourgo,
Piecewise rational quadratic interpolation to monotonic data, 1982.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import log_softmax, softplus
from scratchgen.flows.scalar_maps import MappedNumbers, ScalarMap, require_theta


class Knots(NamedTuple):
    """The knots of splines, each (…, K + 1)."""

    x: Any
    y: Any
    slope: Any


class Bin(NamedTuple):
    """Of the bin in which each point lies, all of the shape of the points."""

    x: Any  # x_k
    y: Any  # y_k
    width: Any  # w
    height: Any  # h
    left: Any  # δ_k
    right: Any  # δ_{k+1}


class SplineMap(ScalarMap):
    """A rational-quadratic spline with K bins on [−B, B], and the identity outside.

    A θ has 3 K − 1 numbers: K from which the widths of the bins are made, K for their heights, and K − 1 for the slopes
    at the knots between them. At both ends the slope is that of the identity.

    Args:
        bins: K, at least 2.
        bound: B. The data should lie within: where they do not, nothing can be learned.
        least_width: of a bin, and its least height, as a part of 2 B.
        least_slope: at a knot.

    Raises:
        TypeError: for bins that is no int.
        ValueError: for numbers out of range; for too many bins of the least width.

    >>> g = SplineMap(bins=4, bound=3.0)
    >>> x, theta = np.array([-5.0, 0.7]), np.random.default_rng(0).standard_normal((2, g.numbers))
    >>> z, log_slope = g.forward(x, theta)
    >>> z.round(4), log_slope.round(4)
    (array([-5.    , -0.7338]), array([ 0.    , -1.0392]))
    >>> g.inverse(z, theta)[0].round(4)
    array([-5. ,  0.7])
    """

    def __init__(self, bins: int = 8, bound: float = 5.0, least_width: float = 1e-3, least_slope: float = 1e-3) -> None:
        if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)):
            raise TypeError(f"bins is {bins!r}; it must be an int")
        if bins < 2:
            raise ValueError(f"bins is {bins}; it must be at least 2, since one alone can only be the identity")
        if not 0 < bound < np.inf:
            raise ValueError(f"bound is {bound}; it must be above 0 and finite")
        if not 1e-5 <= least_width < 1:  # float32 still tells knots apart that are so close
            raise ValueError(f"least_width is {least_width}; it is a part of the whole, from 1e-5 to below 1")
        if not 0 < least_slope < 1:
            raise ValueError(f"least_slope is {least_slope}; it must be between 0 and 1")
        if bins * least_width >= 1:
            most = math.ceil(1 / least_width) - 1
            raise ValueError(f"bins is {bins}, but of least_width {least_width} at most {most} fit; lower one of both")
        self.bins, self.numbers = int(bins), 3 * int(bins) - 1
        self.bound, self.least_width, self.least_slope = float(bound), float(least_width), float(least_slope)

    def forward(self, x: Any, theta: Any) -> MappedNumbers:
        """Data → noise: (2), and the logarithm of (3)."""
        require_theta(x, theta, self.numbers)
        inside, knots = np.abs(x) < self.bound, self.knots(theta)
        within = np.where(inside, x, 0.0)  # the spline has no value elsewhere, and shall not be asked for its gradient
        z, log_slope = forward(within, bin_of(within, knots.x, knots))
        return np.where(inside, z, x), np.where(inside, log_slope, 0.0)

    def inverse(self, z: Any, theta: Any) -> MappedNumbers:
        """Noise → data: (4), and minus the logarithm of (3) at its ξ."""
        require_theta(z, theta, self.numbers)
        inside, knots = np.abs(z) < self.bound, self.knots(theta)
        within = np.where(inside, z, 0.0)
        x, log_slope = inverse(within, bin_of(within, knots.y, knots))
        return np.where(inside, x, z), np.where(inside, log_slope, 0.0)

    def knots(self, theta: Any) -> Knots:
        """The knots that a θ stands for: evenly spread on the diagonal, with slope 1, at θ = 0."""
        K = self.bins
        shift = math.log(math.expm1(1 - self.least_slope))  # by which softplus gives 1 − least_slope
        inner = self.least_slope + softplus(theta[..., 2 * K :] + shift)
        one = np.ones((*theta.shape[:-1], 1), theta.dtype)
        corners = self.coordinates(theta[..., : 2 * K].reshape((*theta.shape[:-1], 2, K)))  # both x and y
        return Knots(corners[..., 0, :], corners[..., 1, :], np.concatenate([one, inner, one], axis=-1))

    def coordinates(self, theta: Any) -> Any:
        """Rising numbers from −B to B, (…, K + 1), whose K steps have the proportions of a softmax."""
        # exp of log_softmax, not softmax: that shifts all rows by the same number, and so lets them meet in rounding
        steps = self.least_width + (1 - self.bins * self.least_width) * np.exp(log_softmax(theta))
        inner = 2 * self.bound * np.cumsum(steps[..., :-1], axis=-1) - self.bound
        end = np.full((*theta.shape[:-1], 1), self.bound, theta.dtype)  # itself, not a sum that is rounded
        return np.concatenate([-end, inner, end], axis=-1)


def bin_of(points: Any, edges: Any, knots: Knots) -> Bin:
    """The bin of each point, (…), among edges, (…, K + 1), which are the x or the y of the knots.

    A point on a knot belongs to the bin on its right.
    """
    k = np.sum(points[..., None] >= edges[..., 1:-1], axis=-1)
    chosen = k[..., None] == np.arange(edges.shape[-1] - 1)  # one of K for each point

    def pick(values: Any) -> Any:
        return values[chosen].reshape(points.shape)

    x, y = pick(knots.x[..., :-1]), pick(knots.y[..., :-1])
    width, height = pick(knots.x[..., 1:]) - x, pick(knots.y[..., 1:]) - y
    return Bin(x, y, width, height, pick(knots.slope[..., :-1]), pick(knots.slope[..., 1:]))


def forward(x: Any, b: Bin) -> MappedNumbers:
    """y (2), and log dy/dx (3)."""
    xi, s = (x - b.x) / b.width, b.height / b.width
    N, log_slope = common(xi, s, b)
    eta = xi * (s * xi + b.left * (1 - xi)) / N
    return b.y + b.height * eta, log_slope


def inverse(y: Any, b: Bin) -> MappedNumbers:
    """x by (4), and log dx/dy, which is minus the logarithm of (3)."""
    eta, s = (y - b.y) / b.height, b.height / b.width
    u, twice = b.left * (1 - eta) - b.right * eta, 2 * s * eta
    xi = twice / (twice + (u + np.sqrt(u * u + 2 * s * twice * (1 - eta))))
    return b.x + b.width * xi, -common(xi, s, b)[1]


def common(xi: Any, s: Any, b: Bin) -> tuple[Any, Any]:
    """N of (2), above 0, and the logarithm of (3)."""
    rest = 1 - xi
    xi_2, rest_2, product = xi * xi, rest * rest, xi * rest
    N = s * (xi_2 + rest_2) + (b.left + b.right) * product
    log_slope = 2 * np.log(s / N) + np.log(b.right * xi_2 + 2 * s * product + b.left * rest_2)
    return N, log_slope
