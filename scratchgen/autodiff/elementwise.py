"""Derivatives of NumPy's elementwise functions: dL/dx = g · f'(x), a line each.

A function of two arrays broadcasts them; its rules give gradients of the broadcast shape, which
``chain_rule.unbroadcast`` sums down. Where f has a kink the rule says which value it takes there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.operations import FUNCTIONS
from scratchgen.autodiff.record import derivative, on_arrays

LN2, LN10 = 0.6931471805599453, 2.302585092994046

# -- arithmetic ----------------------------------------------------------------------------------------------------

derivative(np.positive, lambda g, y, x: g)
derivative(np.negative, lambda g, y, x: -g)
derivative(np.add, lambda g, y, a, b: g, lambda g, y, a, b: g)
derivative(np.subtract, lambda g, y, a, b: g, lambda g, y, a, b: -g)
derivative(np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
derivative(np.divide, lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b)
derivative(np.reciprocal, lambda g, y, x: -g * y * y)
derivative(np.square, lambda g, y, x: g * 2.0 * x)
derivative(np.sqrt, lambda g, y, x: g * 0.5 / y)  # inf at 0, where the tangent is vertical


def power_of_base(g: Any, y: Any, x: Any, p: Any) -> Any:
    """d/dx xᵖ = p xᵖ⁻¹, and 0 where x = p = 0, although 0⁻¹ is infinite."""
    if isinstance(p, int | float):
        return g * p * x ** (p - 1) if p else g * np.zeros_like(x)
    return g * p * x ** np.where((x == 0) & (p == 0), np.ones_like(p), p - 1.0)


def power_of_exponent(g: Any, y: Any, x: Any, p: Any) -> Any:
    """d/dp xᵖ = xᵖ log x, and 0 at x = 0, its limit for p > 0. For x < 0 it does not exist: NaN."""
    log_x = np.log(np.where(x == 0, 1.0, x))
    return g * y * (float(log_x) if isinstance(x, int | float) else log_x)


derivative(np.power, power_of_base, power_of_exponent)

# -- exponentials and logarithms -----------------------------------------------------------------------------------

derivative(np.exp, lambda g, y, x: g * y)
derivative(np.exp2, lambda g, y, x: g * y * LN2)
derivative(np.expm1, lambda g, y, x: g * np.exp(x))
derivative(np.log, lambda g, y, x: g / x)
derivative(np.log2, lambda g, y, x: g / (x * LN2))
derivative(np.log10, lambda g, y, x: g / (x * LN10))
derivative(np.log1p, lambda g, y, x: g / (1.0 + x))
derivative(np.logaddexp, lambda g, y, a, b: g * share(a, b), lambda g, y, a, b: g * share(b, a))


def share(a: Any, b: Any) -> Any:
    """eᵃ / (eᵃ + eᵇ), the logistic function of a − b; two equal infinities have ½ each."""
    from scipy.special import expit  # a slow import: only who needs it shall wait for it

    equal = np.equal(a, b) & np.isinf(a)  # their difference would be NaN
    return expit(np.where(equal, 0.0, a) - np.where(equal, 0.0, b) if equal.any() else a - b)


# -- trigonometric and hyperbolic ----------------------------------------------------------------------------------

derivative(np.sin, lambda g, y, x: g * np.cos(x))
derivative(np.cos, lambda g, y, x: -g * np.sin(x))
derivative(np.tan, lambda g, y, x: g * (1.0 + y * y))
derivative(np.arcsin, lambda g, y, x: g / np.sqrt(1.0 - x * x))
derivative(np.arccos, lambda g, y, x: -g / np.sqrt(1.0 - x * x))
derivative(np.arctan, lambda g, y, x: g / (1.0 + x * x))
derivative(np.sinh, lambda g, y, x: g * np.cosh(x))
derivative(np.cosh, lambda g, y, x: g * np.sinh(x))
derivative(np.tanh, lambda g, y, x: g * (1.0 - y * y))
derivative(np.arcsinh, lambda g, y, x: g / np.sqrt(x * x + 1.0))
derivative(np.arccosh, lambda g, y, x: g / np.sqrt(x * x - 1.0))
derivative(np.arctanh, lambda g, y, x: g / (1.0 - x * x))
derivative(np.arctan2, lambda g, y, a, b: g * b / (a * a + b * b), lambda g, y, a, b: -g * a / (a * a + b * b))

# -- functions with kinks ------------------------------------------------------------------------------------------

derivative(np.abs, lambda g, y, x: g * np.sign(x))  # 0 at 0
derivative(np.fabs, lambda g, y, x: g * np.sign(x))
derivative(np.sign, lambda g, y, x: g * np.zeros_like(x))  # a rule, since that of abs is made of it


def winner(x: Any, other: Any) -> Any:
    """1 where x is the larger, ½ where the two are equal, 0 where it is the smaller: a tie is shared."""
    dtype = getattr(x, "dtype", None) or other.dtype
    return (np.greater(x, other) + 0.5 * np.equal(x, other)).astype(dtype)


derivative(np.maximum, lambda g, y, a, b: g * winner(a, b), lambda g, y, a, b: g * winner(b, a))
derivative(np.minimum, lambda g, y, a, b: g * winner(b, a), lambda g, y, a, b: g * winner(a, b))


def clip(x: Any, low: Any = None, high: Any = None) -> Any:
    """min(max(x, low), high); at a bound the gradient is shared with it, as in maximum and minimum."""
    y = x if low is None else np.maximum(x, low)
    return y if high is None else np.minimum(y, high)


def clip_like_numpy(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """np.clip by any of its argument names."""
    return clip(a, a_min if min is None else min, a_max if max is None else max)


FUNCTIONS[np.clip] = clip_like_numpy

# where(c, a, b): g goes to the side that was chosen; the other gets 0, whatever its value is.
derivative(
    np.where,
    None,
    lambda g, y, c, a, b: np.where(c, g, np.zeros_like(g)),
    lambda g, y, c, a, b: np.where(c, np.zeros_like(g), g),
)

# -- functions without a derivative give plain arrays ----------------------------------------------------------------

for function in (
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.isnan, np.isinf, np.isfinite, np.signbit, np.floor, np.ceil, np.rint, np.trunc, np.round, np.floor_divide),
    *(np.logical_and, np.logical_or, np.logical_not, np.argmax, np.argmin, np.argsort, np.nonzero, np.any, np.all),
    *(np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.shape, np.ndim, np.size, np.searchsorted),
    *(
        np.allclose,
        np.isclose,
        np.array_equal,
        np.count_nonzero,
        np.argwhere,
        np.flatnonzero,
        np.iscomplexobj,
        np.result_type,
    ),
):
    FUNCTIONS[function] = on_arrays(function)
