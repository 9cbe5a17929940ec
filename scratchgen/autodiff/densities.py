"""Log-densities in nats, elementwise, the Kullback–Leibler divergence of Gaussians, and the mean squared error.

Bernoulli, with probability σ(l) of a 1, from its logit l:

    log p(x | l) = x log σ(l) + (1 − x) log σ(−l) = x l − softplus(l)                        (1)
    d/dl = x − σ(l),    d/dx = l                                                             (2)

Gaussian, with mean m and logvar v = log of the variance, so that 1/std = e^{−v/2}; z = (x − m) e^{−v/2}:

    log N(x; m, eᵛ) = −½ (log 2π + v + z²)                                                   (3)
    d/dx = −z e^{−v/2},    d/dm = z e^{−v/2},    d/dv = ½ (z² − 1)                           (4)

KL(q ‖ p) of Gaussians q = N(m, eᵛ) and p = N(m_p, e^{v_p}), with d = v − v_p and z = (m − m_p) e^{−v_p/2}:

    KL = ½ (z² + eᵈ − 1 − d)                                                                 (5)
    d/dm = z e^{−v_p/2} = −d/dm_p,    d/dv = ½ (eᵈ − 1),    d/dv_p = −½ (z² + eᵈ − 1)        (6)

In (3) z is squared after it was scaled: e^{−v/2} and z are of moderate size where e^{−v} has long overflowed. In (5)
eᵈ − 1 is expm1(d), which keeps its digits near d = 0.

Nothing is summed. Of independent dimensions the sum is wanted: ``np.sum(gaussian_kl(mean, logvar), axis=-1)``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff.activations import relu, sigmoid, softplus_tail
from scratchgen.autodiff.record import custom_rule

LOG_2PI = 1.8378770664093453

# -- Bernoulli -----------------------------------------------------------------------------------------------------


@custom_rule(lambda g, y, logits, x: g * (x - sigmoid(logits)), lambda g, y, logits, x: g * logits)
def bernoulli_log_prob(logits: Any, x: Any) -> Any:
    """log p(x | logits) of binary x, nats, elementwise: equation (1) with derivatives (2).

    Computed as (x l − max(l, 0)) − log(1 + e^{−|l|}): exact for any logit, where log(σ(l)) would be −inf, and clipping
    it would cap the loss. −1 times it is the binary cross-entropy.

    Args:
        logits: log p/(1 − p), any shape.
        x: data in [0, 1], of a shape that broadcasts; 0 or 1, if it shall be the log-probability of anything.

    Returns:
        The broadcast shape: nothing is summed.

    Raises:
        ValueError: for x outside [0, 1], or NaN.

    >>> bernoulli_log_prob(np.array([-800.0, 0.0, 800.0]), np.array([1.0, 1.0, 1.0]))
    array([-8.00000000e+02, -6.93147181e-01,  0.00000000e+00])
    """
    require_unit_interval(x)
    y = x * logits
    y -= relu(logits)
    y -= softplus_tail(logits)
    return y


def require_unit_interval(x: Any) -> None:
    """Refuse x outside [0, 1]: grey levels 0 … 255 would give a loss that looks well and means nothing.

    Every call looks: that is a twentieth of the time which the log-probability takes.
    """
    x = np.asarray(x)
    if x.size and not (x.min() >= 0 and x.max() <= 1):  # NaN compares false, and so is refused as well
        index = tuple(int(i) for i in np.argwhere(~((x >= 0) & (x <= 1)))[0])
        raise ValueError(f"x has {x[index]} at {index}; Bernoulli data must lie in [0, 1]: scale or binarise it")


# -- Gaussian ------------------------------------------------------------------------------------------------------


def inverse_std(logvar: Any) -> Any:
    """e^{−v/2} = 1/std, held back below overflow: with inf, the z of x = m would be 0 · inf = NaN."""
    largest = 88.0 if getattr(logvar, "dtype", None) == np.float32 else 709.0  # the last whole number with a finite exp
    return like(logvar, np.exp(np.minimum(-0.5 * logvar, largest)))


def like(x: Any, y: Any) -> Any:
    """y, as a Python number if x is one: NumPy's float64 number would make float64 of the float32 that it meets."""
    return float(y) if isinstance(x, float | int) else y


class Common(NamedTuple):
    """What the rules of a Gaussian's arguments have in common: g, the standardised z, and 1/std; for KL also eᵈ − 1."""

    g: Any
    z: Any
    inverse_std: Any
    expm1_d: Any = None


def standardise(g: Any, y: Any, x: Any, mean: Any, logvar: Any) -> Common:
    """The common part of the rules (4)."""
    s = inverse_std(logvar)
    return Common(g, (x - mean) * s, s)


@custom_rule(
    lambda c, y, x, mean, logvar: -c.g * c.z * c.inverse_std,
    lambda c, y, x, mean, logvar: c.g * c.z * c.inverse_std,
    lambda c, y, x, mean, logvar: 0.5 * c.g * (c.z * c.z - 1),
    prepare=standardise,
)
def gaussian_log_prob(x: Any, mean: Any, logvar: Any) -> Any:
    """log N(x; mean, exp(logvar)), nats, elementwise: equation (3) with derivatives (4).

    Args:
        x, mean, logvar: arrays or Tensors of shapes that broadcast; mean and logvar may be Python numbers.
            The variance is e^logvar, the standard deviation e^(logvar/2).

    Returns:
        The broadcast shape: nothing is summed.

    >>> gaussian_log_prob(np.array([0.0, 1.0]), 0.0, np.array([0.0, 700.0]))       # −½ log 2π, −½ (log 2π + 700)
    array([  -0.91893853, -350.91893853])
    """
    y = (x - mean) * inverse_std(logvar)
    y *= y
    y += logvar
    y += LOG_2PI
    y *= -0.5
    return y


# -- Kullback–Leibler ----------------------------------------------------------------------------------------------


def kl_common(g: Any, y: Any, mean: Any, logvar: Any, mean_p: Any = 0.0, logvar_p: Any = 0.0) -> Common:
    """The common part of the rules (6)."""
    s = inverse_std(logvar_p)
    d = logvar - logvar_p
    return Common(g, (mean - mean_p) * s, s, like(d, np.expm1(d)))


@custom_rule(
    lambda c, y, mean, logvar, mean_p=0.0, logvar_p=0.0: c.g * c.z * c.inverse_std,
    lambda c, y, mean, logvar, mean_p=0.0, logvar_p=0.0: 0.5 * c.g * c.expm1_d,
    lambda c, y, mean, logvar, mean_p=0.0, logvar_p=0.0: -c.g * c.z * c.inverse_std,
    lambda c, y, mean, logvar, mean_p=0.0, logvar_p=0.0: -0.5 * c.g * (c.z * c.z + c.expm1_d),
    prepare=kl_common,
)
def gaussian_kl(mean: Any, logvar: Any, mean_p: Any = 0.0, logvar_p: Any = 0.0) -> Any:
    """KL(N(mean, e^logvar) ‖ N(mean_p, e^logvar_p)), nats, elementwise: equation (5) with derivatives (6).

    By default p = N(0, 1), the prior of a variational autoencoder: ½ (mean² + e^logvar − 1 − logvar).
    Source: Kingma and Welling, arXiv:1312.6114, appendix B.

    Args:
        mean, logvar: of q, arrays or Tensors of shapes that broadcast.
        mean_p, logvar_p: of p; Python numbers too.

    Returns:
        The broadcast shape, nothing summed; never negative, and 0 where q = p: expm1(d) ≥ d survives rounding.

    >>> gaussian_kl(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0]))
    array([0.        , 0.5       , 0.18393972])
    """
    z = (mean - mean_p) * inverse_std(logvar_p)
    d = logvar - logvar_p
    return 0.5 * (z * z + (like(d, np.expm1(d)) - d))


# -- mean squared error --------------------------------------------------------------------------------------------


@custom_rule(
    lambda slope, y, prediction, target: slope,
    lambda slope, y, prediction, target: -slope,
    prepare=lambda g, y, prediction, target: g * (2 / len(prediction)) * (prediction - target),
)
def mse(prediction: Any, target: Any) -> Any:
    """(1/B) Σ (prediction − target)²: summed over the dimensions, averaged over the batch, which is axis 0.

    Up to a constant, −2 times the mean log-density of Gaussians with variance 1. d/d prediction is
    2 (prediction − target) / B, and d/d target the negative of that.

    Args:
        prediction, target: arrays or Tensors of one shape (B, …).

    Returns:
        A scalar.

    Raises:
        ValueError: for different shapes, which would broadcast to something else; for an empty batch.

    >>> mse(np.array([[1.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2)))
    np.float64(2.5)
    """
    require_one_shape(prediction, target)
    residual = np.ravel(prediction - target)
    return np.dot(residual, residual) / len(prediction)  # the dot product squares and sums in one pass


def require_one_shape(prediction: Any, target: Any) -> None:
    """Refuse (n,) against (n, 1), whose difference is (n, n), and all other unequal shapes."""
    ours, theirs = np.shape(prediction), np.shape(target)
    if ours != theirs:
        hint = ""
        for name, shape, other in (("prediction", ours, theirs), ("target", theirs, ours)):
            if shape == (*other, 1):
                hint = f"; did you mean {name}[{':, ' * len(other)}0]?"
        raise ValueError(f"prediction has shape {ours}, target {theirs}; they must be equal{hint}")
    if not ours or ours[0] == 0:
        raise ValueError(f"prediction has shape {ours}; it must be a batch (B, …) of at least one row")
