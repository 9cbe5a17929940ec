"""Causal self-attention: each position looks at those up to its own, and mixes what it finds there (lecture p. 10).

Each position i has a query q_i, what it looks for, a key k_i, by which it is found, and a value v_i, what is found
there: d numbers each. Positions are rows, of q, k and v (T, d), and of y:

    s_ij = q_i · k_j / √d   for j ≤ i,  −∞ for j > i                                           (1)
    p_ij = exp(s_ij) / Σ_j exp(s_ij)           the weights of position i: they sum to 1         (2)
    y_i  = Σ_j p_ij v_j                                                                        (3)

Without 1/√d the scores of random q and k of variance 1 would have variance d, and (2) be near 0 or 1 from the start.
The mask comes before the exponential: weights set to 0 after it would not sum to 1, and would depend on the future by
their sum. It is −∞, since for any finite number there are scores that are lower still.

With g = dL/dy, the derivatives are those of two products and of a softmax between them:

    h_ij = p_ij (g_i · v_j − g_i · y_i) / √d                 which is dL/ds_ij / √d             (4)
    dL/dq_i = Σ_j h_ij k_j,   dL/dk_j = Σ_i h_ij q_i,   dL/dv_j = Σ_i p_ij g_i                 (5)

In (4), g_i · y_i = Σ_j p_ij (g_i · v_j): the mean that the derivative of a softmax takes off.

To save time, ``causal_attention`` never divides e_ij, the exponentials in (2), by their sum t_i to get p_ij. It takes
the sum (3) over e_ij v_j, and divides that; and p_ij g_i in (4) and (5) is e_ij (g_i / t_i). So each position divides d
numbers, instead of one for each position that it looks at.

Source: Vaswani et al., Attention is all you need, arXiv:1706.03762, equation (1) and section 3.2.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import custom_rule
from scratchgen.autodiff.categorical import sum_along
from scratchgen.nn.initialisations import Initialisation, uniform_fan_in
from scratchgen.nn.inputs import check_dtype, check_features, check_sizes
from scratchgen.nn.linear import Linear
from scratchgen.nn.module import Module
from scratchgen.random import Rng, generator


def causal_mask(queries: int, keys: int, dtype: Any = np.float64) -> np.ndarray:
    """What (1) adds to the scores, (queries, keys): 0 where a query may look, −∞ in its future.

    The queries are the last of ``keys`` positions; there are more keys than queries where the earlier keys were kept.

    >>> causal_mask(2, 3)
    array([[  0.,   0., -inf],
           [  0.,   0.,   0.]])
    """
    return np.where(np.tri(queries, keys, keys - queries, dtype=bool), 0.0, -np.inf).astype(dtype)


def largest_of_keys(scores: Any) -> Any:
    """The largest score along axis −2, kept with length 1.

    The second half is laid upon the first until one row is left. A whole half at a time, that is four times as fast as
    np.max; of an odd number, the halves share the middle, which changes no maximum.

    >>> largest_of_keys(np.array([[1.0, 5.0], [4.0, 2.0], [3.0, 6.0]]))
    array([[4., 6.]])
    """
    while scores.shape[-2] > 1:
        half = (scores.shape[-2] + 1) // 2
        scores = np.maximum(scores[..., :half, :], scores[..., -half:, :])
    return scores


def exponentials(q: Any, k: Any) -> tuple[Any, Any]:
    """e_ij, of the scores (1) less the largest of their row, (…, T, S), and their sums t_i, (…, T, 1).

    The shift cancels in (2), and keeps exp from overflowing. It is each row's own: with the largest of all rows, the
    last digits of a row would depend on later rows, its future.
    """
    scaled = q * q.shape[-1] ** -0.5
    scores = k @ np.swapaxes(scaled, -1, -2)  # (…, S, T), so that the queries are side by side in memory
    scores += np.ascontiguousarray(causal_mask(q.shape[-2], k.shape[-2], q.dtype).T)
    scores -= largest_of_keys(scores)
    e = np.exp(scores)
    t = np.ones((1, e.shape[-2]), e.dtype) @ e  # a sum over the keys
    return np.swapaxes(e, -1, -2), np.swapaxes(t, -1, -2)


def attention_weights(q: Any, k: Any) -> Any:
    """The weights (2), (…, T, S), for q (…, T, d) and k (…, S, d), whose last T positions are those of q.

    >>> attention_weights(np.zeros((2, 1)), np.zeros((2, 1)))
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    check_queries(q, k)
    e, t = exponentials(q, k)
    return e / t


def check_queries(q: Any, k: Any) -> None:
    """Refuse queries and keys that are no floats, of no features, or of which there are fewer keys.

    Raises:
        TypeError, ValueError: with what they are.
    """
    if q.dtype.kind != "f" or k.dtype.kind != "f":
        raise TypeError(f"q is {q.dtype}, k is {k.dtype}; attention is of floats: q.astype(np.float64)")
    if k.shape[-2] < q.shape[-2] or q.shape[-1] == 0:
        raise ValueError(f"q has shape {q.shape}, k {k.shape}: there must be as many keys as queries, and d at least 1")


def split(x: Any, heads: int) -> Any:
    """The features of each head apart, a view: (…, T, heads · d) → (…, heads, T, d)."""
    x = x.reshape((*x.shape[:-1], heads, x.shape[-1] // heads))
    return np.swapaxes(x, -2, -3)


def merged(x: Any) -> Any:
    """The heads side by side again: (…, heads, T, d) → (…, T, heads · d)."""
    x = np.swapaxes(x, -2, -3)
    return x.reshape((*x.shape[:-2], x.shape[-2] * x.shape[-1]))


def attention_and_kept(q: Any, k: Any, v: Any, heads: int = 1) -> tuple[Any, Any]:
    """y (3), (…, T, heads · d), and for the derivatives e, (…, heads, T, S), and t, (…, heads, T, 1)."""
    if q.ndim < 2 or k.shape != v.shape or (*q.shape[:-2], q.shape[-1]) != (*k.shape[:-2], k.shape[-1]):
        raise ValueError(
            f"q has shape {q.shape}, k {k.shape}, v {v.shape}; they must be (…, T, d), (…, S, d), (…, S, d)"
        )
    check_queries(q, k)
    if heads < 1 or q.shape[-1] % heads:
        raise ValueError(f"q has {q.shape[-1]} features, which {heads} heads cannot share")
    e, t = exponentials(split(q, heads), split(k, heads))
    return merged((e @ split(v, heads)) / t), (e, t)


def common_factors(g: Any, y: Any, q: Any, k: Any, v: Any, heads: int = 1, *, kept: Any = None) -> tuple[Any, Any, Any]:
    """What the derivatives (5) share: g/t, (…, heads, T, d), e and h of (4), (…, heads, T, S)."""
    e, t = exponentials(split(q, heads), split(k, heads)) if kept is None else kept
    g = split(g, heads) / t
    scaled = g * g.shape[-1] ** -0.5
    h = np.swapaxes(split(v, heads) @ np.swapaxes(scaled, -1, -2), -1, -2)  # (…, T, S), in memory as e is
    h -= sum_along(scaled * split(y, heads), -1)
    h *= e
    return g, e, h


@custom_rule(
    lambda common, y, q, k, v, heads=1, *, kept=None: merged(common[2] @ split(k, heads)),
    lambda common, y, q, k, v, heads=1, *, kept=None: merged(np.swapaxes(common[2], -1, -2) @ split(q, heads)),
    lambda common, y, q, k, v, heads=1, *, kept=None: merged(np.swapaxes(common[1], -1, -2) @ common[0]),
    prepare=common_factors,
    keep=attention_and_kept,
)
def causal_attention(q: Any, k: Any, v: Any, heads: int = 1) -> Any:
    """y (3), with derivatives (5): position i is a mean of the values up to i, with weights (2).

    Args:
        q: queries, (…, T, heads · d), an array or Tensor.
        k, v: keys and values, (…, S, heads · d) with S ≥ T: the queries belong to the last T of the S positions.
        heads: how many share the features, each with weights of its own.

    Returns:
        (…, T, heads · d).

    Raises:
        TypeError: for queries or keys that are no floats.
        ValueError: for shapes that do not fit.

    >>> v = np.array([[2.0], [4.0]])
    >>> causal_attention(np.zeros((2, 1)), np.zeros((2, 1)), v)                # the first sees itself, the second both
    array([[2.],
           [3.]])
    """
    return attention_and_kept(q, k, v, heads)[0]


class CausalSelfAttention(Module):
    """Attention (3) by several heads side by side, each with queries, keys and values of its own made from x.

    Args:
        width: the number of features of x and of the result.
        heads: how many; each has d = width / heads.
        rng: draws the weights.
        initialise: draws each W, one of ``nn.initialisations``.
        dtype: of the weights.

    Raises:
        ValueError: for sizes below 1, or a width that the heads cannot share; in ``forward``, for an x that is not
            (B, T, width).
        TypeError: in ``forward``, for an x of another dtype.

    >>> CausalSelfAttention(8, heads=2, rng=0)(np.zeros((5, 3, 8), dtype=np.float32)).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        width: int,
        heads: int,
        rng: Rng,
        initialise: Initialisation = uniform_fan_in,
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(width=width, heads=heads)
        if width % heads:
            raise ValueError(f"width is {width}, which {heads} heads cannot share: make it a multiple of {heads}")
        rng = generator(rng)
        self.query = Linear(width, width, rng, initialise=initialise, dtype=dtype)
        self.key = Linear(width, width, rng, initialise=initialise, dtype=dtype)
        self.value = Linear(width, width, rng, initialise=initialise, dtype=dtype)
        self.out = Linear(width, width, rng, initialise=initialise, dtype=dtype)
        self.heads = heads

    def forward(self, x: Any, past: tuple[np.ndarray, np.ndarray] | None = None) -> Any:
        """(B, T, width) → (B, T, width); with ``past`` also the keys and values of all positions so far.

        Args:
            x: (B, T, width).
            past: keys and values of the positions before x, (B, S, width) each; S may be 0. For generation, without
                a gradient.

        Returns:
            y, or (y, (keys, values)) if a past is given, with those of x appended to it.
        """
        check_dtype(x, self.query.W)
        check_features(x, self.query.W.shape[0], "CausalSelfAttention")
        if x.ndim != 3:
            raise ValueError(
                f"x has shape {x.shape}, CausalSelfAttention wants (B, T, width): x[None] is a batch of one"
            )
        q, k, v = self.query(x), self.key(x), self.value(x)  # (B, T, width)
        if past is None:
            return self.out(causal_attention(q, k, v, self.heads))
        keys = np.concatenate([past[0], k.data], axis=1)  # (B, S + T, width)
        values = np.concatenate([past[1], v.data], axis=1)
        return self.out(causal_attention(q, keys, values, self.heads)), (keys, values)

    def weights(self, x: Any) -> np.ndarray:
        """How position i of each head looks at j, equation (2), (B, heads, T, T): what an attention map shows."""
        q, k = split(self.query(x).data, self.heads), split(self.key(x).data, self.heads)
        return np.asarray(attention_weights(q, k))
