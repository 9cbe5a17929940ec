"""Layer normalisation, which keeps the scale of every example the same throughout a deep network."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, layer_norm
from scratchgen.nn.inputs import check_dtype, check_features, check_sizes
from scratchgen.nn.module import Module


class LayerNorm(Module):
    """y = gain (x − mean) / √(variance + eps) + bias, with mean and variance over the last axis of x.

    Source: Ba, Kiros and Hinton, arXiv:1607.06450, eq. (4).

    Args:
        features: the length of the last axis.
        eps: keeps a constant row finite; it is added to the variance.
        dtype: of gain and bias, which start as 1 and 0.

    Raises:
        ValueError: for features < 1; in ``forward``, for an x that is not (batch, …, features).
        TypeError: in ``forward``, for an x of another dtype.

    >>> LayerNorm(2)(np.array([[1.0, 3.0]], dtype=np.float32)).data.round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, features: int, eps: float = 1e-5, dtype: Any = np.float32) -> None:
        check_sizes(features=features)
        self.gain = Tensor(np.ones(features, dtype), requires_grad=True)
        self.bias = Tensor(np.zeros(features, dtype), requires_grad=True)
        self.eps = eps

    def forward(self, x: Any) -> Tensor:
        """(batch, …, features) → the same shape."""
        check_dtype(x, self.gain, "gain")
        check_features(x, self.gain.shape[0], "LayerNorm")
        return layer_norm(x, self.gain, self.bias, self.eps)
