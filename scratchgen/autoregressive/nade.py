"""NADE, the neural autoregressive distribution estimator: one hidden layer for each bit, all with the same weights.

    a_j = c + Σ_{i before j} x[i] W[i]           what the H hidden units of bit j are told     (1)
    h_j = σ(a_j)                                                                               (2)
    p(x[j] = 1 | x[<j]) = σ(b[j] + V[j] · h_j)                                                 (3)
    a_{j+1} = a_j + x[j] W[j],   a_1 = c         from one bit to the next, in the order        (4)

By (1), D networks would cost about D² H products. But (4) adds one row of W, so that all a_j together, and a whole
draw, cost some D H. In training x is known, and all a_j are a running sum over the rows x[i] W[i]. Since a running sum
cannot look ahead, nothing needs a mask.

Source: H. Larochelle and I. Murray, The neural autoregressive distribution estimator, AISTATS 2011, section 3
and algorithm 1. Lecture page 10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, sigmoid
from scratchgen.autoregressive.bits import BitModel
from scratchgen.distributions import Bernoulli
from scratchgen.nn.initialisations import uniform
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator


class NADE(BitModel):
    """p(x) of D bits, by equations (1) to (3).

    In training it holds B D H numbers at a time, for B examples.

    Args:
        dims: D.
        hidden: H, the width of the hidden layers.
        rng: draws W, uniformly between ±1/√D, and V, between ±1/√H.
        order: the order in which the bits are drawn, a permutation of 0 … D − 1, which is the default.
        dtype: of the weights.

    Attributes:
        W: (D, H); the row of the bit that is drawn last does not count.
        V: (D, H).
        c, b: (H,) and (D,).

    Raises:
        ValueError: for sizes less than 1, or an order that is no permutation.

    >>> model = NADE(dims=4, hidden=8, rng=0)
    >>> model.log_prob(np.array([[0, 1, 1, 0]])).shape, model.sample(2, rng=0).shape
    ((1,), (2, 4))
    """

    def __init__(self, dims: int, hidden: int, rng: Rng, order: Any = None, dtype: Any = np.float32) -> None:
        super().__init__(dims, order)
        check_sizes(hidden=hidden)
        rng = generator(rng)
        self.W = Tensor(uniform((dims, hidden), dims**-0.5, rng, dtype), requires_grad=True)
        self.V = Tensor(uniform((dims, hidden), hidden**-0.5, rng, dtype), requires_grad=True)
        self.c = Tensor(np.zeros(hidden, dtype), requires_grad=True)
        self.b = Tensor(np.zeros(dims, dtype), requires_grad=True)

    def network(self, x: Any) -> Tensor:
        """The logits of (3), (B, D)."""
        order, start = self.order, np.broadcast_to(self.c, (len(x), 1, *self.c.shape))  # (B, 1, H)
        rows = x[:, order[:-1], None] * self.W[order[:-1]]  # (B, D − 1, H)
        a = np.cumsum(np.concatenate([start, rows], axis=1), axis=1)  # (1), (B, D, H), along the order
        logits = np.sum(sigmoid(a) * self.V[order], axis=-1)  # (B, D)
        return logits[:, np.argsort(order)] + self.b

    def conditional(self, x: np.ndarray, j: int, context: Any = None) -> Bernoulli:
        """p(x[j] | x[<j]) for one j, a batch (B,), by (4) up to j."""
        return self.in_turn(len(x), context)(x, j)

    def in_turn(self, n: int, context: Any = None) -> Callable[[np.ndarray, int], Bernoulli]:
        """``conditional`` for n rows that are drawn in order: it keeps a, (n, H), and goes on by (4)."""
        self.refuse_context(context)
        W, V, b = self.W.data, self.V.data, self.b.data
        rank, a, told = np.argsort(self.order), np.zeros((n, 1), self.dtype) + self.c.data, 0

        def conditional(x: np.ndarray, j: int) -> Bernoulli:
            nonlocal a, told
            for i in self.order[told : rank[j]]:  # the last one that was drawn; at first all that were given
                a = a + x[:, i, None] * W[i]
            told = rank[j]
            return Bernoulli(np.sum(sigmoid(a) * V[j], axis=-1) + b[j])

        return conditional
