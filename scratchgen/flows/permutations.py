"""Transforms that move the dimensions about (lecture p. 11): |det| is 1, so its logarithm is 0.

Between two layers that leave some dimensions alone, such as couplings, the dimensions have to change their places, or
some would never be touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive.masks import permutation
from scratchgen.flows.transform import Mapped, Transform
from scratchgen.nn.inputs import check_features, check_sizes
from scratchgen.random import Rng, generator


class Reverse(Transform):
    """z = (x_D, …, x_1), its own inverse."""

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: the last axis in reverse."""
        return x[..., ::-1], np.zeros(len(x), x.dtype)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: the last axis in reverse."""
        return z[..., ::-1], np.zeros(len(z), z.dtype)


class Permutation(Transform):
    """z = (x_{o_0}, …, x_{o_{D−1}}) for an order o of the dimensions.

    Args:
        order: o, a permutation of 0 … D − 1.
        dtype: of the buffer.

    Attributes:
        order: o as a buffer, (D,): a model that was trained with one order is worth nothing with another.

    Raises:
        ValueError: for an order that is no permutation, with what is missing and what is there twice; in both
            directions, for another number of dimensions.

    >>> z, logabsdet = Permutation([2, 0, 1])(np.array([[10.0, 11.0, 12.0]]))
    >>> z, logabsdet
    (array([[12., 10., 11.]]), array([0.]))
    """

    def __init__(self, order: Sequence[int] | np.ndarray, dtype: Any = np.float32) -> None:
        check_sizes(dims=len(order))
        self.order = Tensor(permutation(order, len(order)).astype(dtype))

    @classmethod
    def random(cls, dims: int, rng: Rng, dtype: Any = np.float32) -> Permutation:
        """One of the D! orders, each as likely as the others.

        >>> Permutation.random(4, rng=0).order.data
        array([2., 0., 1., 3.], dtype=float32)
        """
        check_sizes(dims=dims)
        return cls(generator(rng).permutation(dims), dtype)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: dimension o_j of x becomes dimension j of z."""
        return moved(x, self.order.data.astype(np.int64))

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: dimension j of z becomes dimension o_j of x."""
        return moved(z, np.argsort(self.order.data))


def moved(h: Any, order: np.ndarray) -> Mapped:
    """The last axis in that order, and log |det| = 0 for each row."""
    check_features(h, len(order), "Permutation")
    return h[..., order], np.zeros(len(h), h.dtype)
