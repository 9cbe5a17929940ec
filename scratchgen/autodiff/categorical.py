"""Softmax and what is built on it: probabilities of K categories from K logits x.

    softmax                p_k = exp(x_k) / Σ_j exp(x_j)                                     (1)
    log_softmax            y_k = log p_k = x_k − log Σ_j exp(x_j)                            (2)
    categorical_log_prob   y = log p_label                                                   (3)

A constant added to all logits changes nothing, so the largest is subtracted first, and exp cannot overflow.

The derivatives follow from ∂p_i/∂x_j = p_i (1[i = j] − p_j): every probability depends on every logit, and to keep
only i = j is the classical error.

    of (1)   Σ_i g_i ∂p_i/∂x_j = p_j (g_j − Σ_i g_i p_i)                                     (4)
    of (2)   ∂y_i/∂x_j = 1[i = j] − p_j,  so  g_j − p_j Σ_i g_i                              (5)
    of (3)   g (1[j = label] − p_j)                                                          (6)

Source: Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions, IMA Journal of
Numerical Analysis 41 (2021).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.record import custom_rule

Axis = int | tuple[int, ...]
SMALLEST_SUM = 1e-9  # of a row's exp in softmax, before every row is shifted by its own maximum


def sum_along(x: Any, axis: Axis) -> Any:
    """np.sum with keepdims. Along the last axis it is a product with ones, three to eight times as fast."""
    if axis in (-1, x.ndim - 1):
        return (x @ np.ones(x.shape[-1], x.dtype))[..., None]
    return np.sum(x, axis=axis, keepdims=True)


def require_probabilities(largest: np.ndarray) -> None:
    """Refuse logits of which the largest of a row is infinite.

    Raises:
        ValueError: for a row of nothing but −inf, or one with +inf.
    """
    if np.isinf(largest).any():
        index = tuple(int(i) for i in np.argwhere(np.isinf(largest))[0])
        what = "all logits are -inf" if largest[index] < 0 else "a logit is inf"
        raise ValueError(
            f"{what} in the row at {index}, which gives it no probabilities: leave one finite, and none inf"
        )


def row_max(x: Any, axis: Axis) -> Any:
    """The largest of each row, kept with length 1."""
    m = np.max(x, axis=axis, keepdims=True)
    require_probabilities(np.squeeze(m, axis))
    return m


@custom_rule(lambda g, y, x, axis=-1: y * (g - sum_along(g * y, axis)))
def softmax(x: Any, axis: Axis = -1) -> Any:
    """Probabilities proportional to exp(x) along ``axis``, equation (1), with derivative (4).

    Args:
        x: logits, (…, K) for the last axis. −inf is the logit of probability 0.
        axis: the axis along which the probabilities sum to 1, or a tuple of axes over which they do.

    Raises:
        ValueError: for a row of nothing but −inf, or one with +inf.

    >>> softmax(np.log([1.0, 2.0, 5.0]))
    array([0.125, 0.25 , 0.625])
    """
    # NumPy finds the largest of all logits more than ten times as fast as that of each row. So all rows are shifted by
    # it, unless that takes some row so far down that its smaller probabilities would be lost.
    m = np.max(x, initial=-np.inf)
    if np.isfinite(m):
        e = np.exp(x - m)
        total = sum_along(e, axis)
        if np.min(total, initial=1) > SMALLEST_SUM:
            e /= total
            return e
    e = np.exp(x - row_max(x, axis))
    e /= sum_along(e, axis)
    return e


@custom_rule(lambda g, y, x, axis=-1: g - np.exp(y) * sum_along(g, axis))
def log_softmax(x: Any, axis: Axis = -1) -> Any:
    """Log-probabilities (nats) from logits along ``axis``, equation (2), with derivative (5).

    Args:
        x: logits, (…, K) for the last axis. −inf is the logit of probability 0.
        axis: the axis along which the probabilities sum to 1, or a tuple of axes over which they do.

    Raises:
        ValueError: for a row of nothing but −inf, or one with +inf.

    >>> np.exp(log_softmax(np.array([[1e4, 1e4], [-np.inf, 0.0]])))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    y = x - row_max(x, axis)  # each row by its own: then y ≤ 0 exactly, since the sum has an exp(0) in it
    y -= np.log(sum_along(np.exp(y), axis))
    return y


def one_hot(labels: np.ndarray, logits: Any) -> np.ndarray:
    """1[j = label], with the shape and dtype of the logits."""
    hot = np.zeros(logits.shape, logits.dtype)
    np.put_along_axis(hot, labels_of(labels, logits), 1, axis=-1)
    return hot


def labels_of(labels: Any, logits: Any) -> np.ndarray:
    """The labels with the shape (…, 1) of the logits, once they are known to name one each.

    Raises:
        TypeError: for labels that are not integers.
        ValueError: for a label outside 0 … K − 1, or another shape.
    """
    labels, K = np.asarray(labels), logits.shape[-1]
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels are {labels.dtype}; they must be integers from 0 to {K - 1}: labels.astype(np.int64)")
    if labels.size and (labels.min() < 0 or labels.max() >= K):
        index = tuple(int(i) for i in np.argwhere((labels < 0) | (labels >= K))[0])
        raise ValueError(f"labels has {labels[index]} at {index}; with {K} logits it must be from 0 to {K - 1}")
    try:
        return np.broadcast_to(labels, logits.shape[:-1])[..., None]
    except ValueError:
        raise ValueError(
            f"labels of shape {labels.shape} for logits of shape {logits.shape}: expected {logits.shape[:-1]}"
        ) from None


@custom_rule(lambda g, y, logits, labels: g[..., None] * (one_hot(labels, logits) - softmax(logits)), None)
def categorical_log_prob(logits: Any, labels: Any) -> Any:
    """log p(label), nats, from logits: −1 times the cross-entropy. Equation (3), with derivative (6).

    Args:
        logits: (…, K), an array or Tensor.
        labels: integers from 0 to K − 1, of shape (…), or one that broadcasts to it.

    Returns:
        (…), elementwise: nothing is summed.

    Raises:
        TypeError: for labels that are not integers.
        ValueError: for a label out of range, another shape, or a row of logits of nothing but −inf.

    >>> categorical_log_prob(np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 2.0]]), np.array([2, 0]))   # log 5/8, log 3/8
    array([-0.47000363, -0.98082925])
    """
    labels, K = labels_of(labels, logits), logits.shape[-1]
    # As columns (K, N), copied: NumPy reduces a first axis several times as fast as a short last one.
    x = np.array(logits.reshape((labels.size, K)).T, order="C")
    largest = np.max(x, axis=0)
    require_probabilities(largest.reshape(labels.shape[:-1]))
    x -= largest
    y = x[labels.ravel(), np.arange(labels.size)]
    y -= np.log(np.sum(np.exp(x, out=x), axis=0))
    return y.reshape(labels.shape[:-1])
