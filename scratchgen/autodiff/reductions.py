"""Derivatives of functions that reduce an array along axes, or accumulate along one.

A reduction makes one y of many x. So the rule first puts the reduced axes back with length 1, whereupon g and y
broadcast against x, and then multiplies by dy/dx_i:

    sum, mean         1,  1/n
    var, std          2 (x_i − mean) / (n − ddof),  (x_i − mean) / ((n − ddof) y)
    max, min          1 where x_i = y, shared equally among ties
    prod              ∏_{j≠i} x_j
    logsumexp         exp(x_i − y), the softmax of x

``axis`` may be negative, a tuple, or None for all axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.operations import FUNCTIONS
from scratchgen.autodiff.record import custom_rule, derivative


def restore(g: Any, x: Any, axis: Any) -> Any:
    """``g`` with the axes that the reduction of x removed put back with length 1, so that it broadcasts against x."""
    return g if g.ndim in (0, x.ndim) else np.expand_dims(g, axis)


def divide_or_zero(a: Any, b: Any) -> Any:
    """a / b, but 0 where b is 0, and constant there: its derivatives are 0 too."""
    zero = np.equal(b, 0.0)
    return np.where(zero, 0.0, a) / np.where(zero, 1.0, b) if zero.any() else a / b


# -- sum, mean, variance -------------------------------------------------------------------------------------------


def reduced(x: Any, y: Any) -> int:
    """n, the number of elements of x that make one of y; 1 where there are none at all."""
    return x.size // y.size if x.size else 1


derivative(np.sum, lambda g, y, x, axis=None, *, keepdims=False: np.broadcast_to(restore(g, x, axis), x.shape))
derivative(
    np.mean,
    lambda g, y, x, axis=None, *, keepdims=False: np.broadcast_to(restore(g / reduced(x, y), x, axis), x.shape),
)


def centred(x: Any, axis: Any) -> Any:
    """x − mean(x)."""
    return x - np.mean(x, axis=axis, keepdims=True)


def var_rule(g: Any, y: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """y = Σ_i (x_i − m)² / (n − ddof). That m depends on x as well adds nothing, since Σ_i (x_i − m) = 0."""
    return restore(g, x, axis) * centred(x, axis) * 2.0 / (reduced(x, y) - ddof)


def std_rule(g: Any, y: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """y = √var, so dy = d(var) / 2y. Where all x are equal, y = 0 is the tip of a cone; the gradient is set to 0."""
    direction = divide_or_zero(centred(x, axis), restore(y, x, axis))
    return restore(g, x, axis) * direction / (reduced(x, y) - ddof)


derivative(np.var, var_rule)
derivative(np.std, std_rule)

# -- the largest, the smallest -------------------------------------------------------------------------------------


def shared(places: Any, axis: Any, dtype: Any) -> Any:
    """1/k at each of the k true places among those that are reduced together, 0 elsewhere."""
    return places.astype(dtype) / np.maximum(np.sum(places, axis=axis, keepdims=True), 1).astype(dtype)


def extreme_rule(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The x that y was taken from gets g; ties have equal shares of it."""
    return restore(g, x, axis) * shared(np.equal(x, restore(y, x, axis)), axis, x.dtype)


derivative(np.max, extreme_rule)
derivative(np.min, extreme_rule)
FUNCTIONS |= {np.amax: FUNCTIONS[np.max], np.amin: FUNCTIONS[np.min]}

# -- log Σ exp -----------------------------------------------------------------------------------------------------


def softmax_from(x: Any, y: Any, axis: Any) -> Any:
    """exp(x − y), divided by its sum: that would be 1 if y had not been rounded, by 1e-13 for y = 1000.

    For an infinite y it is the limit: 0 where all x are −∞; 1 at an x that is +∞, shared if there are several.
    """
    infinite = np.isinf(y)
    if infinite.any():
        ordinary = np.exp(np.where(infinite, -np.inf, x) - np.where(infinite, 0.0, y))
        ordinary = divide_or_zero(ordinary, np.sum(ordinary, axis=axis, keepdims=True))
        return ordinary + shared(np.equal(x, np.inf), axis, x.dtype)
    p = np.exp(x - y)
    return p / np.sum(p, axis=axis, keepdims=True)


@custom_rule(
    lambda g, y, x, axis=None, keepdims=False: restore(g, x, axis) * softmax_from(x, restore(y, x, axis), axis)
)
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """y = log Σ_i exp(x_i), computed as m + log Σ_i exp(x_i − m) with m = max_i x_i, which cannot overflow.

    Args:
        x: an array or Tensor of any shape.
        axis: the axis or tuple of axes to sum over; None for all.
        keepdims: keep them with length 1.

    Returns:
        An array or Tensor of the remaining shape: −inf where all x are −inf, with gradient 0; +inf where one is +inf,
        and that one has all of the gradient.

    Raises:
        ValueError: if there is nothing to sum.

    Source: Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions (2021).

    >>> logsumexp(np.array([1000.0, 1000.0]))        # 1000 + log 2
    np.float64(1000.6931471805599)
    >>> logsumexp(np.array([[-np.inf, -np.inf], [0.0, np.inf]]), axis=1)
    array([-inf,  inf])
    """
    m = np.max(x, axis=axis, keepdims=True)
    m = np.where(np.isfinite(m), m, 0.0)  # or −∞ − (−∞) = NaN
    with np.errstate(divide="ignore", over="ignore"):  # log 0 where all are −∞; exp of the others beside +∞
        y = m + np.log(np.sum(np.exp(x - m), axis=axis, keepdims=True))
    return y if keepdims else np.squeeze(y, axis=axis)[()]


# -- running sums and products -------------------------------------------------------------------------------------


def cumsum_rule(g: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    """x_i is in y_k for all k ≥ i, so its gradient is Σ_{k≥i} g_k: the running sum from the end."""
    return np.reshape(np.flip(np.cumsum(np.flip(g, axis), axis), axis), x.shape)


def product_before(x: Any) -> Any:
    """∏_{j<i} x_j along the last axis: the running product one place later, starting with 1."""
    return np.concatenate([np.ones_like(x[..., :1]), np.cumprod(x[..., :-1], -1)], -1)


def product_of_others(x: Any, axis: int) -> Any:
    """∏_{j≠i} x_j, as the product before i times the product after i: y / x_i would fail at x_i = 0."""
    x = np.moveaxis(x, axis, -1)
    return np.moveaxis(product_before(x) * np.flip(product_before(np.flip(x, -1)), -1), -1, axis)


def prod_rule(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """g ∏_{j≠i} x_j. Over several axes: the others in one's own row, then the other rows' products, and so on."""
    g = restore(g, x, axis)
    for a in range(x.ndim) if axis is None or x.ndim == 0 else np.ravel(axis):
        g = g * product_of_others(x, a)
        x = np.prod(x, axis=a, keepdims=True)
    return g


def later_sum(g: Any, x: Any) -> Any:
    """s_i = g_i + x_{i+1} g_{i+1} + x_{i+1} x_{i+2} g_{i+2} + … along the last axis, or s_i = g_i + x_{i+1} s_{i+1}.

    The recursion over two places has the same form, s_i = (g_i + x_{i+1} g_{i+1}) + x_{i+1} x_{i+2} s_{i+2}; so has
    that over four, and so on. After log₂ n doublings it has reached the end, for all i at once.
    """

    def from_right(a: Any, places: int) -> Any:
        return np.concatenate([a[..., places:], np.zeros_like(a[..., :places])], -1)

    s, factor, places = g, from_right(x, 1), 1
    while places < x.shape[-1]:
        s = s + factor * from_right(s, places)
        factor = factor * from_right(factor, places)
        places *= 2
    return s


def cumprod_rule(g: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    """Σ_{k≥i} g_k ∏_{j≤k, j≠i} x_j: what came before i, times a sum over what comes after."""
    if axis is None or x.ndim == 0:
        return np.reshape(cumprod_rule(g, y, np.ravel(x), 0), x.shape)
    g, x = np.moveaxis(g, axis, -1), np.moveaxis(x, axis, -1)
    return np.moveaxis(product_before(x) * later_sum(g, x), -1, axis)


derivative(np.cumsum, cumsum_rule)
derivative(np.prod, prod_rule)
derivative(np.cumprod, cumprod_rule)
