"""The inverse of an increasing function that has none in closed form: f(x) = y solved for x, number by number.

A bracket f(low) ≤ y ≤ f(high) is kept around each root, and every f(x) makes it smaller. The next x is

    x − (f(x) − y) / f′(x)        Newton: doubles the right digits at each step, near the root       (1)
    ½ (low + high)                bisection: one binary digit at each step, from anywhere            (2)

(1) where it falls into the bracket and its step is at most half the one before, (2) elsewhere.

How x moves with y and with the parameters θ of f follows from f(x; θ) = y alone, not from the steps of the search:

    dx = (dy − ∂f/∂θ dθ) / f′(x)        the implicit function theorem                                (3)

This is the derivative of one step (1). Of two steps, the derivatives are right up to the third order: each step doubles
the number of right terms of a Taylor series, as it does with digits.

Source: Press et al., Numerical Recipes, section 9.4 (rtsafe), for the search.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.distribution import values

Increasing = Callable[[Any], tuple[Any, Any]]  # x ↦ f(x) and f′(x), elementwise, of arrays and of Tensors

MOST = 200  # steps: bisection alone takes 160 from a bracket of 1000 to the last digit of a number near 0, in float64


def solve_increasing(f: Increasing, y: Any, between: tuple[Any, Any] | None = None, rounding: float = 0.0) -> Any:
    """x with f(x) = y for each number in y, differentiable by y and by the Tensors that f is made of.

    Args:
        f: x, of the shape of y, ↦ f(x) and f′(x) > 0, number by number.
        y: an array or Tensor.
        between: bounds low < x < high, numbers or arrays of the shape of y; they are searched for where there are none.
        rounding: by how many units of machine precision f(x) is rounded, if that is known: the search comes no nearer
            to y. Where f is a difference it saves half of the steps, which would be spent among its last digits.

    Returns:
        x, of the shape and dtype of y; a Tensor where y or a parameter of f requires a gradient.

    Raises:
        TypeError: for y that are no floats, or a masked array.
        ValueError: for NaN or inf in y; for a y that is not between f(low) and f(high).
        ArithmeticError: where the search does not converge, with the residual f(x) − y.

    >>> solve_increasing(lambda x: (x**3 + x, 3 * x**2 + 1), np.array([2.0, 10.0, -1e30])).round(4)
    array([ 1.e+00,  2.e+00, -1.e+10])
    """
    target = values(unmasked("y", y))
    if target.dtype.kind != "f":
        raise TypeError(f"y is {target.dtype}; a root is searched for among floats: np.asarray(y, np.float64)")
    require("y", target, np.isfinite, "it must be finite")
    # f may overflow far from the root: inf is above every y, and that will do
    with no_grad(), np.errstate(all="ignore"):

        def known(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            value, slope = f(x)
            return values(value) - target, values(slope)

        low, high = around(known, target) if between is None else spread(between, target)
        require_bracket(known(low)[0], known(high)[0], target, low, high)
        x = search(known, target, low, high, rounding)
    return implicit(f, x, y)


def spread(between: tuple[Any, Any], y: np.ndarray) -> list[np.ndarray]:
    """Given bounds, in the shape and dtype of y."""
    return [np.broadcast_to(np.asarray(values(bound), y.dtype), y.shape) for bound in between]


def around(f: Increasing, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """A bracket of the root of f, found by doubling −1 and 1."""
    ends = []
    for sign in (-1.0, 1.0):
        x = np.full_like(y, sign)
        while (short := (sign * f(x)[0] < 0) & (np.abs(x) < 0.5 * np.finfo(y.dtype).max)).any():
            x = np.where(short, 2 * x, x)
        ends.append(x)
    return tuple(ends)


def require_bracket(below: Any, above: Any, y: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Refuse bounds that are not one on each side of the root.

    Raises:
        ValueError: with y, f(low) and f(high) of the first.
    """
    outside = ~((below <= 0) & (above >= 0))
    if outside.any():
        i = tuple(int(k) for k in np.argwhere(outside)[0])
        raise ValueError(
            f"y has {y[i]} at {i}; {outside.sum()} of {y.size} values are not between f(low) and f(high), there "
            f"{y[i] + below[i]:.6g} at {low[i]:.6g} and {y[i] + above[i]:.6g} at {high[i]:.6g}"
        )


def search(f: Increasing, y: np.ndarray, low: np.ndarray, high: np.ndarray, rounding: float = 0.0) -> np.ndarray:
    """The root of f, by (1) and (2).

    Raises:
        ArithmeticError: with the largest residual and its index.
    """
    eps = float(np.finfo(y.dtype).eps)
    x, step = 0.5 * low + 0.5 * high, high - low
    found = np.zeros(y.shape, bool)
    for _ in range(MOST):
        residual, slope = f(x)
        found = found | (np.abs(residual) <= rounding * eps)
        low, high = np.where(residual <= 0, x, low), np.where(residual >= 0, x, high)
        newton = x - residual / slope  # (1)
        trusted = (low <= newton) & (newton <= high) & (np.abs(newton - x) <= 0.5 * np.abs(step))
        step = np.where(found, 0.0, np.where(trusted, newton, 0.5 * low + 0.5 * high) - x)  # or (2)
        x = x + step
        found = found | (np.abs(step) <= 2 * eps * np.maximum(np.abs(x), eps))
        if found.all():
            break
    residual, slope = f(x)
    # what rounding of x, of y and of f leaves; at a jump of f, or with a false slope, there is more
    wrong = ~(np.abs(residual) <= 1e3 * eps * (1 + np.abs(y) + np.abs(x) * slope))
    if wrong.any():
        i = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise ArithmeticError(
            f"f(x) = y did not converge for {wrong.sum()} of {y.size} values: f(x) − y is {residual[i]:.1e} at {i}; "
            "f must increase, without jumps"
        )
    return x


def implicit(f: Increasing, x: np.ndarray, y: Any) -> Any:
    """The root x as a function of y and of the parameters of f (3): two steps (1) of length 0, to be differentiated."""
    value, slope = f(x)
    if not any(isinstance(t, Tensor) and t.requires_grad for t in (value, y)):
        return x
    for _ in range(2):
        value, slope = f(x)
        residual = value - y
        x = x - (residual - values(residual)) / slope  # not the rounding of f(x) too: over a tiny slope it would be far
    return x
