"""The nonlinearities of neural networks, each one node of the graph, with its derivative by hand.

With the logistic sigmoid σ(x) = 1 / (1 + e⁻ˣ), for which σ(−x) = 1 − σ(x), and the normal distribution function Φ:

    relu          max(x, 0)                           dy/dx = 1 for x > 0, else 0              (1)
    leaky_relu    max(x, s x)                         dy/dx = 1 for x > 0, else s              (2)
    sigmoid       σ(x)                                dy/dx = σ(x) σ(−x)                       (3)
    softplus      log(1 + eˣ)                         dy/dx = σ(x)                             (4)
    log_sigmoid   log σ(x) = −softplus(−x)            dy/dx = σ(−x)                            (5)
    silu          x σ(x)                              dy/dx = σ + y (1 − σ)                    (6)
    gelu          x Φ(x)                              dy/dx = Φ(x) + x φ(x),  φ = Φ'           (7)
    gelu_tanh     x σ(2u), u = √(2/π) (x + a x³)      dy/dx = σ + y (1 − σ) 2u'                (8)

(6) is the product rule, σ + x σ (1 − σ), with y for x σ; so is (8). A rule takes what it can from y, and computes the
rest again from x: that is mostly cheaper than the memory to keep it. Only the σ of (6) and (8) is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.record import custom_rule

SQRT_2PI = 2.5066282746310002
TWICE_SQRT_TWO_OVER_PI, GELU_CUBIC = 1.5957691216057308, 0.044715

# -- piecewise linear ----------------------------------------------------------------------------------------------


@custom_rule(lambda g, y, x: g * (y > 0))
def relu(x: Any) -> Any:
    """max(x, 0), equation (1), elementwise; at the kink its derivative is taken to be 0.

    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    x = np.asarray(x)
    return np.maximum(x, np.zeros(x.shape[-1:], x.dtype))  # a row of zeros takes a third of the time that 0 takes


# max(1[x > 0], s), since np.where takes seven times as long when the processor cannot guess which side comes next.
@custom_rule(lambda g, y, x, slope=0.01: g * np.maximum((x > 0).astype(x.dtype), slope))
def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """max(x, slope · x), equation (2), elementwise; at the kink its derivative is taken to be ``slope``.

    Source: Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, 2013.

    Args:
        x: an array or Tensor.
        slope: the derivative for x ≤ 0.

    Raises:
        ValueError: unless 0 < slope < 1.

    >>> leaky_relu(np.array([-2.0, 0.0, 3.0]), slope=0.1)
    array([-0.2,  0. ,  3. ])
    """
    if not 0 < slope < 1:
        raise ValueError(f"slope is {slope}; it must be between 0 and 1, and for 0 there is relu")
    return np.maximum(x, slope * x)


# -- the logistic family -------------------------------------------------------------------------------------------


@custom_rule(lambda g, y, x: g * y * sigmoid(-x))
def sigmoid(x: Any) -> Any:
    """σ(x) = 1 / (1 + e⁻ˣ), elementwise, between 0 and 1.

    The derivative (3) is not written y (1 − y): that would be 0 where y rounds to 1, from x = 37 on (17 in float32).

    >>> sigmoid(np.array([-800.0, 0.0, 800.0]))
    array([0. , 0.5, 1. ])
    """
    e = np.asarray(np.negative(x))
    with np.errstate(over="ignore"):  # where e⁻ˣ is inf, 1 / inf = 0 is the right limit
        np.exp(e, out=e)
    e += 1
    return np.divide(1, e, out=e)


def softplus_tail(x: Any) -> Any:
    """log(1 + e^{−|x|}), by which softplus exceeds max(x, 0); on arrays only.

    With e = e^{−|x|} in [0, 1], the sum u = 1 + e drops the last digits of e. What it kept is u − 1, a subtraction
    without rounding, so e − (u − 1) is what it dropped. Where that matters u is about 1, and so is d log(u)/du: log u
    plus what was dropped is right to the last digits. Without AVX-512, log1p of float32 would take three times as long.
    """
    e = np.exp(-np.abs(x))
    u = 1 + e
    e += 1 - u
    e += np.log(u)
    return e


@custom_rule(lambda g, y, x: g * sigmoid(x))
def softplus(x: Any) -> Any:
    """log(1 + eˣ), equation (4), elementwise: a smooth max(x, 0), and positive where that is 0.

    Computed as max(x, 0) + log(1 + e^{−|x|}), which cannot overflow and keeps its digits where eˣ is small.

    >>> softplus(np.array([-800.0, 0.0, 800.0]))
    array([0.00000000e+00, 6.93147181e-01, 8.00000000e+02])
    """
    y = softplus_tail(x)
    y += relu(x)
    return y


@custom_rule(lambda g, y, x: g * sigmoid(-x))
def log_sigmoid(x: Any) -> Any:
    """log σ(x) = min(x, 0) − log(1 + e^{−|x|}), equation (5), elementwise: the log-probability of "yes" with logit x.

    >>> log_sigmoid(np.array([-800.0, 0.0]))
    array([-8.00000000e+02, -6.93147181e-01])
    """
    return np.minimum(x, 0) - softplus_tail(x)


def silu_and_sigmoid(x: Any) -> tuple[Any, Any]:
    """x σ(x), and σ(x) for the derivative."""
    s = sigmoid(x)
    return x * s, s


def silu_rule(g: Any, y: Any, x: Any, *, kept: Any = None) -> Any:
    """Equation (6), with σ(x) kept."""
    s = sigmoid(x) if kept is None else kept
    return g * (s + y * (1 - s))


@custom_rule(silu_rule, keep=silu_and_sigmoid)
def silu(x: Any) -> Any:
    """x σ(x), equation (6), elementwise; also called swish.

    Source: Elfwing, Uchibe and Doya, arXiv:1702.03118, eq. (5).

    >>> silu(np.array([-800.0, 0.0, 1.0]))
    array([-0.        ,  0.        ,  0.73105858])
    """
    return silu_and_sigmoid(x)[0]


# -- the normal family ---------------------------------------------------------------------------------------------


def gelu_rule(g: Any, y: Any, x: Any) -> Any:
    """Equation (7)."""
    from scipy.special import ndtr

    return g * (ndtr(x) + x * np.exp(-0.5 * x * x) / SQRT_2PI)


@custom_rule(gelu_rule)
def gelu(x: Any) -> Any:
    """x Φ(x), equation (7), elementwise: x times the probability that z ~ N(0, 1) is below it.

    Ten times as slow as ``gelu_tanh``.
    Source: Hendrycks and Gimpel, arXiv:1606.08415, section 2.

    >>> gelu(np.array([-40.0, 0.0, 1.0]))
    array([-0.        ,  0.        ,  0.84134475])
    """
    from scipy.special import ndtr  # a slow import: only who needs it shall wait for it

    return x * ndtr(x)


def twice_u(x: Any) -> Any:
    """2u = 2√(2/π) (x + a x³); in place, and x³ by products, since ``x**3`` takes 25 times as long."""
    u = x * x
    u *= TWICE_SQRT_TWO_OVER_PI * GELU_CUBIC
    u += TWICE_SQRT_TWO_OVER_PI
    u *= x
    return u


def gelu_tanh_and_sigmoid(x: Any) -> tuple[Any, Any]:
    """x σ(2u), and σ(2u) for the derivative."""
    s = sigmoid(twice_u(x))
    return x * s, s


def gelu_tanh_rule(g: Any, y: Any, x: Any, *, kept: Any = None) -> Any:
    """Equation (8), with 2u' = 2√(2/π) (1 + 3a x²), and σ(2u) kept."""
    s = sigmoid(twice_u(x)) if kept is None else kept
    slope = x * x
    slope *= 3 * TWICE_SQRT_TWO_OVER_PI * GELU_CUBIC
    slope += TWICE_SQRT_TWO_OVER_PI
    slope *= y * (1 - s)
    slope += s
    return g * slope


@custom_rule(gelu_tanh_rule, keep=gelu_tanh_and_sigmoid)
def gelu_tanh(x: Any) -> Any:
    """x ½ (1 + tanh u) = x σ(2u), equation (8) with a = 0.044715, elementwise: within 5e-4 of gelu.

    Source: Hendrycks and Gimpel, arXiv:1606.08415, section 2; ½ (1 + tanh u) = σ(2u) by the definition of tanh.

    >>> gelu_tanh(np.array([-40.0, 0.0, 1.0]))
    array([-0.        ,  0.        ,  0.84119199])
    """
    return gelu_tanh_and_sigmoid(x)[0]
