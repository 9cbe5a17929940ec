"""Derivatives by other means than the chain rule, for the gradient check to judge it by.

An oracle gets a *curve*, an array-valued function c of one number t, and returns c'(0) with an estimate of its own
error. The derivative of f at x along u is that of c(t) = f(x + t u).

**Complex step.** For an analytic f with real values on the real line,

    c(ih) = c(0) + ih c'(0) − h² c''(0)/2 − …,   so   c'(0) = Im c(ih) / h + O(h²)          (1)

Nothing is subtracted, so h may be 1e-20 and every digit is right. But f has to be analytic and to compute with complex
numbers: through ``np.abs`` the imaginary part vanishes, and (1) gives 0 without a word.

**Extrapolated difference.** The central difference D(h) = (c(h) − c(−h)) / 2h works for any smooth f, but errs by

    D(h) = c'(0) + a₁h² + a₂h⁴ + …          (2)

and by rounding, about (ε |c| + noise) / h, where the noise is what rounding makes of numbers within c that cancel. Two
steps h and h/2 remove the h² term, three the h⁴ term, and so on (Richardson). Ridders' scheme fills the triangle of all
these extrapolations and keeps the entry that differs least from its two neighbours; that difference, and the rounding,
are its estimate of its error.

Sources: Squire and Trapp, SIAM Review 40 (1998), 110–112; Ridders, Advances in Engineering Software 4 (1982), 75–76.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Curve = Callable[[Any], np.ndarray]

FIRST_STEP = 0.02  # of the difference; an input should stay ten times as far from every kink
EPS = float(np.finfo(np.float64).eps)


class Estimate(NamedTuple):
    """A derivative by an oracle: ``value``, and ``error``, how far from the truth it may be."""

    value: np.ndarray
    error: np.ndarray


def complex_step(curve: Curve) -> Estimate:
    """The derivative of an analytic curve at 0, by (1).

    Raises:
        TypeError: for a curve that drops the imaginary part, so that (1) would give 0.

    >>> value, error = complex_step(lambda t: np.exp(t) * np.sin(2 + t))
    >>> bool(abs(value - (np.sin(2) + np.cos(2))) < 1e-15)
    True
    """
    h = 1e-20
    y = np.asarray(curve(1j * h))
    if not np.iscomplexobj(y):
        raise TypeError(
            "the function gives real values for complex arguments, so it is not analytic: use oracle='real'"
        )
    value = y.imag / h
    return Estimate(value, EPS * np.abs(value))


def extrapolated_difference(curve: Curve, most_levels: int = 24) -> Estimate:
    """The derivative of a smooth curve at 0, by central differences with steps 0.02, 0.01, … and extrapolation of (2).

    A step at which the curve is not finite is passed over, so it may start outside the domain of a logarithm, say. The
    error is inf where no estimate was possible.

    >>> value, error = extrapolated_difference(lambda t: np.exp(t) * np.sin(2 + t))
    >>> bool(abs(value - (np.sin(2) + np.cos(2))) < error < 1e-12)
    True
    """
    noise = noise_of(curve)
    best: Estimate | None = None
    row: list[np.ndarray] = []
    for level in range(most_levels):
        h = FIRST_STEP / 2**level
        above, below = np.asarray(curve(h)), np.asarray(curve(-h))
        with np.errstate(all="ignore"):  # NaN and inf are dealt with
            previous, row = row, [(above - below) / (2 * h)]
            size = largest(above) + largest(below) + largest(row[0])  # the last for the rounding of x + t u
            rounding = (EPS * size + noise) / h
            for j, before in enumerate(previous, 1):
                row.append(row[-1] + (row[-1] - before) / (4**j - 1))
                error = np.maximum(np.abs(row[-1] - row[-2]), np.abs(row[-1] - before)) + rounding
                error = np.where(np.isfinite(error), error, np.inf)
                if best is None:
                    best = Estimate(row[-1], error)
                better = error < best.error
                best = Estimate(np.where(better, row[-1], best.value), np.where(better, error, best.error))
        if best is not None and level >= 3 and not np.any(best.error > 2 * rounding):
            break  # a smaller step would only round more
    assert best is not None
    return best


def noise_of(curve: Curve) -> np.ndarray:
    """How far rounding throws each value of the curve, by its sixth differences over steps of 1e-5.

    A smooth curve has hardly any, and those of independent errors are about √924 times as large as the errors: 924 is
    the sum of the squared binomial coefficients. At a kink or a jump the result is large, and so is the estimate of the
    error, which is right: there is no derivative.

    Source: Moré and Wild, Estimating computational noise, SIAM Journal on Scientific Computing 33 (2011), 1292–1314.

    >>> bool(noise_of(lambda t: np.exp(t)) < 1e-15 < noise_of(lambda t: np.exp(t) + 1e3 - 1e3) < 1e-12)
    True
    """
    with np.errstate(all="ignore"):
        differences = np.diff(np.stack([np.asarray(curve(1e-5 * k)) for k in range(-6, 6)]), n=6, axis=0)
        noise = np.sqrt(np.mean(np.square(differences), axis=0) / 924)
    noise = np.where(np.isfinite(noise), noise, 0.0)  # where it is not finite the differences tell
    return (
        np.maximum(noise, np.median(noise)) if noise.size else noise
    )  # a value that happens to lie still has some too


def largest(array: np.ndarray) -> float:
    """The largest magnitude among the finite values, 0 if there are none."""
    finite = array[np.isfinite(array)]
    return float(np.abs(finite).max(initial=0.0))


ORACLES: dict[str, Callable[[Curve], Estimate]] = {"complex": complex_step, "real": extrapolated_difference}
