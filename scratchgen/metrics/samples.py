"""The two samples that a metric compares, checked where they are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.distribution import values


def two_samples(x: Any, y: Any, least: int = 1, same_n: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64, (n, D) and (m, D).

    Args:
        least: how many points each must have.
        same_n: whether n and m must be equal.

    Raises:
        TypeError: for masked arrays.
        ValueError: for other or different shapes, too few points, or values that are not finite.

    >>> two_samples(np.zeros((5, 2)), np.zeros((4, 3)))
    Traceback (most recent call last):
    ValueError: x and y have shapes (5, 2) and (4, 3); they must be (n, D) and (m, D)
    """
    x, y = (np.asarray(values(unmasked(name, value)), np.float64) for name, value in (("x", x), ("y", y)))
    alike = x.ndim == y.ndim == 2 and x.shape[1] == y.shape[1] > 0 and (len(x) == len(y) or not same_n)
    if not alike or min(len(x), len(y)) < max(least, 1):
        expected = "both must be (N, D)" if same_n else "they must be (n, D) and (m, D)"
        more = f", with at least {least} points each" if least > 1 else ""
        raise ValueError(f"x and y have shapes {x.shape} and {y.shape}; {expected}{more}")
    for name, value in (("x", x), ("y", y)):
        require(name, value, np.isfinite, "it must be finite")
    return x, y
