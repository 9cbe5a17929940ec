"""How far points have to be moved to make one sample of the other, looked at from many sides.

    W(p, q)² = inf E|X − Y|² over all joint distributions of X ~ p, Y ~ q                       (1)

On the line no plan is better than to keep the order: the least goes to the least. With F⁻¹ the quantile function, which
for a sample of n is the sorted sample, each point on a step of width 1/n,

    W² = ∫₀¹ (F⁻¹(u) − G⁻¹(u))² du                                                              (2)

For samples of n and m points both are constant between the places i/n and j/m: (2) is a finite sum, and exact. (Counted
in steps of 1/(nm) the places are integers, so none of them is doubled by rounding.)

In more dimensions (1) is a large linear program; *sliced*, it is the mean over directions:

    SW² = E_θ W(θᵀx, θᵀy)²,   θ uniform on the unit sphere                                      (3)
    its standard error from L directions: std(W²)/√L, and by the slope of the root, that over 2 SW  (4)

SW is 0 only where p = q, is a distance, and has the unit of x. Moving a sample by v makes it |v|/√D. Of two samples of
one distribution it is not 0 but falls with their number: compare it with that of data against data. The error (4) is
that of the directions alone, not that of the samples.

Sources: Rabin, Peyré, Delon and Bernot, Wasserstein barycenter and its application to texture mixing (2011); Bonneel,
Rabin, Peyré and Pfister, Sliced and Radon Wasserstein barycenters of measures (2015).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.metrics.samples import two_samples
from scratchgen.random import Rng, generator

NUMBERS = 2_000_000  # projections at a time: they bound the memory


class SlicedDistance(NamedTuple):
    """SW (3) in units of x, and its standard error over directions (4).

    ``str`` of it is what to print: "0.503 ± 0.005".
    """

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f}"


def wasserstein_1d(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """W² (2) of each column of x (n, L) and y (m, L), exactly: (L,).

    Raises:
        TypeError, ValueError: as ``mmd_squared``, but one point each is enough.

    >>> x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [1.0], [5.0]])
    >>> float(wasserstein_1d(x, y)[0])          # sixths: 0 to 0, 0 to 1, 1 to 1, and a third from 1 to 5: 1/6 + 16/3
    5.5
    """
    x, y = two_samples(x, y)
    x, y = np.sort(x, axis=0), np.sort(y, axis=0)
    n, m = len(x), len(y)
    places = np.union1d(m * np.arange(n), n * np.arange(m))  # where either quantile function steps, in units of 1/(nm)
    widths = np.diff(places, append=n * m) / (n * m)
    return widths @ np.square(x[places // m] - y[places // n])


def sliced_wasserstein(x: Any, y: Any, rng: Rng, directions: Any = 200) -> SlicedDistance:
    """The sliced Wasserstein distance (3) of two samples.

    Args:
        x, y: (n, D) and (m, D).
        rng: draws the directions.
        directions: L, how many; or the directions themselves, (L, D), of any length but 0. At least 2, for the error.

    Raises:
        TypeError: for masked arrays; for directions that are neither an int nor an array.
        ValueError: for x, y or directions of other shapes, or not finite; for a direction 0; for fewer than 2.

    >>> draw = np.random.default_rng(0).normal
    >>> x, y = draw(size=(2000, 2)), draw(size=(1000, 2))
    >>> print(sliced_wasserstein(x, x + [3.0, 4.0], rng=0))           # 5 / √2 = 3.536
    3.518 ± 0.092
    >>> print(sliced_wasserstein(x, y, rng=0))
    0.073 ± 0.000
    >>> print(sliced_wasserstein(x, 2 * y, rng=0))                    # in one dimension W(N(0, 1), N(0, 4)) = 1
    0.987 ± 0.003
    """
    x, y = two_samples(x, y)
    thetas = unit_vectors(directions, x.shape[1], rng)
    block = max(1, NUMBERS // (len(x) + len(y)))
    parts = [thetas[start : start + block].T for start in range(0, len(thetas), block)]
    squares = np.concatenate([wasserstein_1d(x @ part, y @ part) for part in parts])  # (L,)
    value = float(np.sqrt(squares.mean()))
    error = float(squares.std(ddof=1) / np.sqrt(len(squares)))
    return SlicedDistance(value, error / (2 * value) if value > 0 else 0.0)


def unit_vectors(directions: Any, dims: int, rng: Rng) -> np.ndarray:
    """So many directions, drawn; or those that were given, at length 1: (L, D).

    A normal vector has no direction that it prefers.
    """
    rng = generator(rng)
    if isinstance(directions, (np.ndarray, list, tuple)):
        thetas = np.asarray(unmasked("directions", directions), np.float64)
        if thetas.ndim != 2 or thetas.shape[1] != dims or len(thetas) < 2:
            raise ValueError(f"directions have shape {thetas.shape}; it must be (L, {dims}), with L at least 2")
        require("directions", thetas, np.isfinite, "it must be finite")
    else:
        require_int("directions", directions, least=2)
        thetas = rng.standard_normal((directions, dims))
    lengths = np.linalg.norm(thetas, axis=1, keepdims=True)
    require("the lengths of directions", lengths, lambda length: length > 0, "a direction must not be 0")
    return thetas / lengths
