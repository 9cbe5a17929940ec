"""The Kullback–Leibler divergence of discrete distributions, from their logits.

    KL(q ‖ p) = Σ_k q_k log(q_k / p_k)                                                         (1)
              = Σ_k [q_k log(q_k / p_k) − q_k + p_k] = Σ_k q_k (e^{d_k} − 1 − d_k)             (2)

with d_k = log p_k − log q_k; what (2) adds to (1) is 0, since both sum to 1. The terms of (1) have both signs, and for
q near p they cancel to noise, which may be negative. Those of (2) are all ≥ 0, and each is 0 for p_k = q_k: so the sum
is never negative, 0 where the logits are equal, and keeps its digits however near q and p are.

The derivatives with respect to the logits l of q and m of p:

    Bernoulli      d/dl = σ(l) σ(−l) (l − m),           d/dm = σ(m) − σ(l)                     (3)
    categorical    d/dl_k = q_k (−d_k − KL),            d/dm_k = p_k − q_k                     (4)

σ(m) − σ(l) is computed as σ(m) σ(−l) − σ(−m) σ(l), which keeps its digits where both round to 1.

Source: Cover and Thomas, Elements of Information Theory, 2006, section 2.3; (2) is the form for measures of any total.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import custom_rule, log_sigmoid, log_softmax, sigmoid, softmax


def log_ratio(log_p: Any, log_q: Any) -> Any:
    """d = log p − log q, and 0 where q = 0; −inf where only p is 0."""
    possible = np.exp(log_q) > 0
    return np.where(possible, log_p, np.zeros_like(log_p)) - np.where(possible, log_q, np.zeros_like(log_q))


def terms(log_q: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    """The terms of (2), on arrays."""
    q, p, d = np.exp(log_q), np.exp(log_p), log_ratio(log_p, log_q)
    near = q * (np.expm1(np.minimum(d, 1)) - d)
    far = p - q * (1 + d)  # where eᵈ may overflow, and q be 0
    return np.maximum(np.where((d > 1) | (q == 0), far, near), 0)  # expm1 and the smallest q are not exact


@custom_rule(
    lambda g, y, logits, logits_p: g * sigmoid(logits) * sigmoid(-logits) * (logits - logits_p),
    lambda g, y, logits, logits_p: g * (sigmoid(logits_p) * sigmoid(-logits) - sigmoid(-logits_p) * sigmoid(logits)),
)
def bernoulli_kl(logits: Any, logits_p: Any) -> Any:
    """KL of Bernoulli distributions, nats, elementwise: equation (2) for the outcomes 1 and 0, with derivatives (3).

    Args:
        logits: of q, an array or Tensor.
        logits_p: of p, of a shape that broadcasts.

    Returns:
        The broadcast shape; never negative, and 0 for equal logits.

    >>> bernoulli_kl(np.array([0.0, 800.0, 1e-3]), np.array([0.0, -800.0, 0.0]))
    array([0.00000000e+00, 8.00000000e+02, 1.24999984e-07])
    """
    ones = terms(log_sigmoid(logits), log_sigmoid(logits_p))
    return ones + terms(log_sigmoid(-logits), log_sigmoid(-logits_p))


@custom_rule(
    lambda g, y, logits, logits_p: (
        g[..., None] * softmax(logits) * (-log_ratio(log_softmax(logits_p), log_softmax(logits)) - y[..., None])
    ),
    lambda g, y, logits, logits_p: g[..., None] * (softmax(logits_p) - softmax(logits)),
)
def categorical_kl(logits: Any, logits_p: Any) -> Any:
    """KL of categorical distributions, nats: equation (2) with derivatives (4).

    Args:
        logits: of q, (…, K), an array or Tensor. −inf is the logit of probability 0.
        logits_p: of p, with the same K; the other axes broadcast.

    Returns:
        (…); never negative, 0 for equal logits, and inf where q has an outcome that p has not.

    Raises:
        ValueError: for different K; for a row of logits of nothing but −inf.

    >>> categorical_kl(np.log([[0.5, 0.5]]), np.log([[0.25, 0.75]]))          # ½ log 2 + ½ log ⅔
    array([0.14384104])
    """
    if logits.shape[-1] != logits_p.shape[-1]:
        raise ValueError(f"q has {logits.shape[-1]} categories and p {logits_p.shape[-1]}; they must be the same")
    return np.sum(terms(log_softmax(logits), log_softmax(logits_p)), axis=-1)
