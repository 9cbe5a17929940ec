"""The product with masked weights, x (W ∘ M), without the work for blocks of zeros.

The layer, and what its gradients need, are the three derivatives of one number t, which is linear in each of x
(N, n_in), W (n_in, n_out) and g (N, n_out):

    t = Σ_nij x[n, i] M[i, j] W[i, j] g[n, j]                                                  (1)

    dt/dg = x (W ∘ M)        (N, n_out)       ``masked_product``                               (2)
    dt/dx = g (W ∘ M)ᵀ       (N, n_in)        ``masked_back``                                  (3)
    dt/dW = (xᵀ g) ∘ M       (n_in, n_out)    ``masked_outer``                                 (4)

If y = (2) is the layer and g = dL/dy, then (3) and (4) are dL/dx and dL/dW. Each of the three is again linear in two of
x, W and g, with derivatives that are the two others. So gradients of gradients are known too, to any order.

A mask of an autoregressive network in the order 1 … D is a staircase, and half of it is zeros. Cut into a few strips of
columns, each strip needs only the rows down to where its last column begins to be zero: with six strips that leaves 58
of 100 multiplications, and each product is still large enough to be fast. Most rows of a strip are unmasked throughout:
only those at the *edge* of the stairs have to be multiplied by the mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import custom_rule

STRIPS = 6  # fewer skip less of the zeros, more are slower than what they skip
SMALLEST = 2**15  # elements of W for which it is worth it


class Block(NamedTuple):
    """W[rows, columns]; in the other rows these columns are masked altogether."""

    rows: slice
    columns: slice
    edge: slice  # those of its rows, counted from its first, in which anything is masked
    mask: np.ndarray  # M at the edge, float32


class Blocks:
    """A mask in strips of columns, each with the rows that it needs; whole if that saves next to nothing.

    Args:
        mask: (n_in, n_out), of zeros and ones.
        strips: how many.
        smallest: masks with fewer elements stay whole.

    >>> for block in Blocks(np.array([[0, 1, 1, 1], [0, 0, 0, 1]]), strips=2, smallest=0):
    ...     print(block.rows, block.columns, block.edge, block.mask.tolist())
    slice(0, 1, None) slice(0, 2, None) slice(0, 1, None) [[0.0, 1.0]]
    slice(0, 2, None) slice(2, 4, None) slice(1, 2, None) [[0.0, 1.0]]
    """

    def __init__(self, mask: np.ndarray, strips: int = STRIPS, smallest: int = SMALLEST) -> None:
        n_in, n_out = mask.shape
        self.blocks, size = [], 0
        for start, end in pairwise(n_out * i // strips for i in range(strips + 1)):
            rows = span(mask[:, start:end].any(axis=1))
            if rows.stop:
                self.blocks.append(block_of(mask, rows, slice(start, end)))
                size += (rows.stop - rows.start) * (end - start)
        if mask.size < smallest or size > 0.8 * mask.size:
            self.blocks = [block_of(mask, slice(0, n_in), slice(0, n_out))]

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)


def span(found: Any) -> slice:
    """From the first of those found to the last; nothing if there is none."""
    where = np.flatnonzero(found)
    return slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0)


def block_of(mask: np.ndarray, rows: slice, columns: slice) -> Block:
    """The block of these rows and columns."""
    part = mask[rows, columns]
    edge = span(part.all(axis=1) == 0)
    return Block(rows, columns, edge, part[edge].astype(np.float32))


def masked(W: np.ndarray, block: Block) -> np.ndarray:
    """The block of W ∘ M; a copy takes half the time of a product with M."""
    part = W[block.rows, block.columns].copy()
    part[block.edge] *= block.mask
    return part


@custom_rule(
    lambda g, y, x, W, b=None, *, blocks: masked_back(g, W, blocks=blocks),
    lambda g, y, x, W, b=None, *, blocks: masked_outer(x, g, blocks=blocks),
    lambda g, y, x, W, b=None, *, blocks: np.ones(len(g), g.dtype) @ g,  # a sum over rows, as a fast product
)
def masked_product(x: Any, W: Any, b: Any = None, *, blocks: Blocks) -> Any:
    """x (W ∘ M) + b, equation (2), (N, n_out).

    Args:
        x: (N, n_in).
        W: (n_in, n_out).
        b: (n_out,), or None for no bias.
        blocks: M.

    >>> x, W = np.array([[1.0, 10.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> masked_product(x, W, blocks=Blocks(np.array([[1, 1], [0, 1]])))
    array([[ 1., 42.]])
    """
    y = np.zeros((len(x), W.shape[1]), np.result_type(x, W))
    for block in blocks:
        np.matmul(x[:, block.rows], masked(W, block), out=y[:, block.columns])
    if b is not None:
        y += b
    return y


@custom_rule(
    lambda u, y, g, W, *, blocks: masked_product(u, W, blocks=blocks),
    lambda u, y, g, W, *, blocks: masked_outer(u, g, blocks=blocks),
)
def masked_back(g: Any, W: Any, *, blocks: Blocks) -> Any:
    """g (W ∘ M)ᵀ, equation (3), (N, n_in), for g (N, n_out); the rest as of ``masked_product``.

    >>> masked_back(np.array([[1.0, 10.0]]), np.ones((2, 2)), blocks=Blocks(np.array([[1, 1], [0, 1]])))
    array([[11., 10.]])
    """
    x = np.zeros((len(g), len(W)), np.result_type(g, W))
    for block in blocks:
        x[:, block.rows] += g[:, block.columns] @ masked(W, block).T
    return x


@custom_rule(
    lambda U, y, x, g, *, blocks: masked_back(g, U, blocks=blocks),
    lambda U, y, x, g, *, blocks: masked_product(x, U, blocks=blocks),
)
def masked_outer(x: Any, g: Any, *, blocks: Blocks) -> Any:
    """(xᵀ g) ∘ M, equation (4), (n_in, n_out), for x (N, n_in) and g (N, n_out).

    >>> masked_outer(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), blocks=Blocks(np.array([[1, 1], [0, 1]])))
    array([[3., 4.],
           [0., 8.]])
    """
    W = np.zeros((x.shape[1], g.shape[1]), np.result_type(x, g))
    for block in blocks:
        part = W[block.rows, block.columns]
        np.matmul(x[:, block.rows].T, g[:, block.columns], out=part)
        part[block.edge] *= block.mask
    return W
