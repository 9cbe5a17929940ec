"""Increasing functions of one number whose parameters are given: what layers of flows are made of (lecture p. 11).

In a coupling or an autoregressive layer a network computes from some numbers the parameters θ_j by which another
number x_j is mapped:

    z_j = g(x_j; θ_j),      log ∂z_j/∂x_j = log g′(x_j; θ_j)            forward, data → noise    (1)
    x_j = g⁻¹(z_j; θ_j),    log ∂x_j/∂z_j = −log g′(x_j; θ_j)           inverse, noise → data    (2)

The layers differ in which numbers the network sees, the maps in how flexible g is. The two simplest are

    AdditiveMap    z = x − b              log g′ = 0      x = b + z           b = θ              (3)
    AffineMap      z = (x − b) e^{−a}     log g′ = −a     x = b + e^a z       (b, α) = θ         (4)
                   a = s tanh(α/s)                                                               (5)

so b and e^a are a location and a scale of x_j given what the network saw. (5) holds the scale between e^{−s} and e^s:
no data make it overflow, and it can be above 1 as well as below. Near 0, a is α.

At θ = 0 every map is the identity: a network whose last layer starts small makes a flow that starts near it.

Sources: (3) Dinh et al., NICE, arXiv:1410.8516, section 3.2. (4) Dinh et al., Density estimation using Real NVP,
arXiv:1605.08803, section 3.2, and in this direction Papamakarios et al., Masked Autoregressive Flow for Density
Estimation, arXiv:1705.07057, section 3.1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import custom_rule
from scratchgen.autodiff.shapes import scatter_add

MappedNumbers = tuple[Any, Any]  # the images of numbers, and the logarithms of the slopes there, both of their shape


class ScalarMap(ABC):
    """An increasing function g(x; θ) of single numbers, each with its own θ.

    Attributes:
        numbers: P, how many a θ has.

    Raises:
        ValueError: in both directions, for theta of another shape than that of the numbers + (P,).
    """

    numbers: int

    @abstractmethod
    def forward(self, x: Any, theta: Any) -> MappedNumbers:
        """Data → noise (1): z and log ∂z/∂x, both of the shape of x, for theta of that shape + (P,)."""

    @abstractmethod
    def inverse(self, z: Any, theta: Any) -> MappedNumbers:
        """Noise → data (2): x and log ∂x/∂z, both of the shape of z, for theta of that shape + (P,)."""


class AdditiveMap(ScalarMap):
    """A shift (3): it keeps volume, so that a flow of nothing else cannot stretch space.

    >>> z, log_slope = AdditiveMap().forward(np.array([3.0]), np.array([[1.0]]))
    >>> z, log_slope
    (array([2.]), array([0.]))
    """

    numbers = 1

    def forward(self, x: Any, theta: Any) -> MappedNumbers:
        """Data → noise: x − b."""
        require_theta(x, theta, self.numbers)
        return x - theta[..., 0], np.zeros(x.shape, x.dtype)

    def inverse(self, z: Any, theta: Any) -> MappedNumbers:
        """Noise → data: b + z."""
        require_theta(z, theta, self.numbers)
        return theta[..., 0] + z, np.zeros(z.shape, z.dtype)


class AffineMap(ScalarMap):
    """A shift and a scale (4).

    Args:
        most: s of (5), the most that the logarithm of the scale can be, and −s the least.

    Raises:
        ValueError: for s that is not above 0 and finite.

    >>> z, log_slope = AffineMap(most=2.0).forward(np.array([3.0]), np.array([[1.0, 1e9]]))    # (3 − 1) e⁻²
    >>> z.round(4), log_slope
    (array([0.2707]), array([-2.]))
    """

    numbers = 2

    def __init__(self, most: float = 3.0) -> None:
        self.most = checked_bound(most)

    def forward(self, x: Any, theta: Any) -> MappedNumbers:
        """Data → noise: subtract b, divide by e^a."""
        require_theta(x, theta, self.numbers)
        return affine_image(x, theta, self.most), affine_log_slope(theta, self.most)

    def inverse(self, z: Any, theta: Any) -> MappedNumbers:
        """Noise → data: multiply by e^a, add b."""
        require_theta(z, theta, self.numbers)
        a = bounded(theta[..., 1], self.most)
        return theta[..., 0] + z * np.exp(a), a


def bounded(alpha: Any, most: float) -> Any:
    """a (5), the logarithm of a scale, between −most and most.

    >>> bounded(np.array([-1e9, 0.01, 1e9]), most=3.0).round(4)
    array([-3.  ,  0.01,  3.  ])
    """
    return most * np.tanh(alpha / most)


# -- the affine map in two nodes of the graph instead of nine: of few numbers, it is the nodes that take the time ------


def image_by_theta(g: Any, z: Any, x: Any, theta: Any, most: float) -> Any:
    """(6) by b and by α, times g."""
    a = bounded(theta[..., 1], most)
    return np.stack([-g * np.exp(-a), -g * z * (1 - np.square(a / most))], axis=-1)


@custom_rule(lambda g, z, x, theta, most: g * np.exp(-bounded(theta[..., 1], most)), image_by_theta)
def affine_image(x: Any, theta: Any, most: float) -> Any:
    """z of (4), of the shape of x. With ∂a/∂α = 1 − tanh²(α/s) = 1 − (a/s)²:

        ∂z/∂x = e^{−a},    ∂z/∂b = −e^{−a},    ∂z/∂α = −z (1 − (a/s)²)                        (6)

    >>> affine_image(np.array([3.0]), np.array([[1.0, 0.0]]), most=2.0)
    array([2.])
    """
    return (x - theta[..., 0]) * np.exp(-bounded(theta[..., 1], most))


@custom_rule(lambda g, y, theta, most: scatter_add(-g * (1 - np.square(y / most)), (..., 1), theta.shape))
def affine_log_slope(theta: Any, most: float) -> Any:
    """log g′ = −a of (4); its derivative by b is 0, and that by α is −(1 − (a/s)²).

    >>> affine_log_slope(np.array([[1.0, 1e9]]), most=2.0)
    array([-2.])
    """
    return -bounded(theta[..., 1], most)


# -- arguments -----------------------------------------------------------------------------------------------------


def require_theta(x: Any, theta: Any, numbers: int) -> None:
    """Refuse a θ of another shape: what is too long would be cut off, and what is too short repeated.

    Raises:
        ValueError: with both shapes.

    >>> require_theta(np.zeros(3), np.zeros((3, 5)), numbers=2)
    Traceback (most recent call last):
    ValueError: theta has shape (3, 5); for x of shape (3,) it must be (3, 2)
    """
    wanted = (*np.shape(x), numbers)
    if np.shape(theta) != wanted:
        raise ValueError(f"theta has shape {np.shape(theta)}; for x of shape {np.shape(x)} it must be {wanted}")


def checked_bound(most: float) -> float:
    """s of (5), if it is one.

    Raises:
        ValueError: unless it is above 0 and finite.
    """
    if not 0 < most < np.inf:
        raise ValueError(f"most is {most}; it must be above 0 and finite: scales reach from e^−most to e^most")
    return float(most)


def require_scalar_map(value: Any) -> ScalarMap:
    """``value``, if it is a ScalarMap, and not the class of one.

    Raises:
        TypeError: with what it is.
    """
    if not isinstance(value, ScalarMap):
        raise TypeError(f"scalar_map is {value!r}; it must be a ScalarMap such as AffineMap()")
    return value
