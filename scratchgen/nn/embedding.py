"""Embedding: a learned vector for each token.

    lookup      y[…] = W[token[…]]                           row by row                       (1)
    add_rows    W[v] = Σ y[…] over the … where token = v      its adjoint, a scatter-add       (2)

A token that occurs twice gets the gradient of both places: (2) is a sum. Each is the derivative rule of the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, custom_rule
from scratchgen.nn.initialisations import normal
from scratchgen.nn.inputs import check_sizes
from scratchgen.nn.module import Module
from scratchgen.random import Rng


@custom_rule(lambda g, y, W, tokens: add_rows(g, tokens, W.shape[0]))
def lookup(W: Any, tokens: np.ndarray) -> Any:
    """The rows of W at those tokens, equation (1).

    Args:
        W: (n_tokens, width).
        tokens: integers from 0 to n_tokens − 1, of any shape.

    Returns:
        (…, width), where … is the shape of the tokens.

    Raises:
        TypeError: for tokens that are not an integer array.
        ValueError: for a token out of range: a negative one does not count from the end.

    >>> lookup(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0, 1]))
    array([[3., 4.],
           [1., 2.],
           [3., 4.]])
    """
    check_tokens(tokens, len(W))
    return W[tokens]


@custom_rule(lambda g, W, y, tokens, n_tokens: lookup(g, tokens))
def add_rows(y: Any, tokens: np.ndarray, n_tokens: int) -> Any:
    """For each token, the sum of those rows of y that belong to it, equation (2).

    Sorted by token, the rows of each lie together, and ``reduceat`` adds up one run after the other: up to four times
    as fast as ``np.add.at``.

    Args:
        y: (…, width).
        tokens: integers from 0 to n_tokens − 1, of the shape ….

    Returns:
        (n_tokens, width), with zeros for tokens that do not occur.

    >>> add_rows(np.array([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]), np.array([2, 0, 2]), 3)
    array([[ 10.,  20.],
           [  0.,   0.],
           [101., 202.]])
    """
    total = np.zeros((n_tokens, y.shape[-1]), y.dtype)
    order = np.argsort(tokens, axis=None, kind="stable")
    present, starts = np.unique(tokens.ravel()[order], return_index=True)
    total[present] = np.add.reduceat(y.reshape(-1, y.shape[-1])[order], starts, axis=0)
    return total


def check_tokens(tokens: np.ndarray, n_tokens: int) -> None:
    """Refuse what are not integers from 0 to n_tokens − 1."""
    kind = getattr(getattr(tokens, "dtype", None), "kind", None)
    if kind is None or kind not in "iu":
        got = type(tokens).__name__ if kind is None else tokens.dtype
        raise TypeError(f"tokens is {got}; pass an array of integers")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= n_tokens):
        index = tuple(int(i) for i in np.argwhere((tokens < 0) | (tokens >= n_tokens))[0])
        raise ValueError(f"token {tokens[index]} at {index}; tokens are 0 to {n_tokens - 1}")


class Embedding(Module):
    """y = W[tokens]: a vector of length ``width`` for each of ``n_tokens`` tokens.

    Args:
        n_tokens, width: how many tokens there are, and the length of their vectors.
        rng: draws W.
        std: the standard deviation of W; 0.02 is that of GPT-2 (Radford et al., 2019).
        dtype: of W.

    Attributes:
        W: (n_tokens, width).

    Raises:
        ValueError: for n_tokens or width < 1, or a std out of range; in ``forward``, for a token out of range.
        TypeError: in ``forward``, for tokens that are not an integer array.

    >>> Embedding(65, 8, rng=0)(np.array([[0, 64, 3]])).shape
    (1, 3, 8)
    """

    def __init__(self, n_tokens: int, width: int, rng: Rng, std: float = 0.02, dtype: Any = np.float32) -> None:
        check_sizes(n_tokens=n_tokens, width=width)
        if not 0 <= std < np.inf:
            raise ValueError(f"std is {std}; it must be 0 or more, and finite")
        self.W = Tensor(normal((n_tokens, width), std, rng, dtype), requires_grad=True)

    def forward(self, tokens: np.ndarray) -> Tensor:
        """Integers (…) → (…, width)."""
        return lookup(self.W, tokens)
