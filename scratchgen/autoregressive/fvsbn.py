"""The fully visible sigmoid belief net: each bit by a logistic regression on the bits before it.

    l_j = b[j] + Σ_{i before j} x[i] W[i, j]                                                   (1)
    p(x[j] = 1 | x[<j]) = σ(l_j)                                                               (2)

In its own order W is strictly triangular, and that is all it takes: D regressions in one product of matrices. −log p(x)
is convex in W and b, so training may start anywhere; it starts at 0. What is missing are hidden units: no l_j can ask
whether two bits differ.

Sources: R. Neal, Connectionist learning of belief networks, Artificial Intelligence 56 (1992); as an autoregressive
model, B. Frey, Graphical models for machine learning and digital communication, 1998. Lecture page 10.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive.bits import BitModel
from scratchgen.autoregressive.masks import masks
from scratchgen.distributions import Bernoulli


class FVSBN(BitModel):
    """p(x) of D bits, by equations (1) and (2).

    Args:
        dims: D.
        order: the order in which the bits are drawn, a permutation of 0 … D − 1, which is the default.
        dtype: of W and b.

    Attributes:
        W: (D, D); W[i, j] counts only if i comes before j.
        b: (D,).

    Raises:
        ValueError: for dims less than 1, or an order that is no permutation.

    >>> model = FVSBN(3)
    >>> model.W = np.array([[9, 2, -1], [9, 9, 1], [9, 9, 9]], np.float32)     # the nines do not count
    >>> model.conditionals(np.array([[1, 1, 1]])).logits.data
    array([[0., 2., 0.]], dtype=float32)
    """

    def __init__(self, dims: int, order: Any = None, dtype: Any = np.float32) -> None:
        super().__init__(dims, order)
        self.W = Tensor(np.zeros((dims, dims), dtype), requires_grad=True)
        self.b = Tensor(np.zeros(dims, dtype), requires_grad=True)
        self.mask = masks(self.order, [])[0]  # whether i comes before j

    def network(self, x: Any) -> Tensor:
        """(1), (B, D)."""
        return x @ np.where(self.mask, self.W, 0.0) + self.b

    def conditional(self, x: np.ndarray, j: int, context: Any = None) -> Bernoulli:
        """p(x[j] | x[<j]) for one j, a batch (B,): one regression."""
        self.refuse_context(context)
        before = self.order[: int(np.argsort(self.order)[j])]
        return Bernoulli(x[:, before] @ self.W.data[before, j] + self.b.data[j])
