"""The affine layer with a mask: which inputs each output may see.

    y = φ(x (W ∘ M) + b),    M of zeros and ones                                               (1)

∘ multiplies elements. The mask is applied in each forward pass, and W itself is left as it is: so it can be used with
other masks too, and the gradient of a masked weight is 0. A product with 0 keeps every finite number out, but not NaN
or inf: 0 · NaN and 0 · inf are NaN.

Source: Germain et al., MADE, arXiv:1502.03509, equation (7).
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.nn.activations import Activation, activation_named
from scratchgen.nn.initialisations import Initialisation, uniform, uniform_fan_in
from scratchgen.nn.inputs import check_dtype, check_features, check_sizes
from scratchgen.nn.masked_product import Blocks, masked_product
from scratchgen.nn.module import Module
from scratchgen.random import Rng, generator


class MaskedLinear(Module):
    """y = φ(x (W ∘ mask) + b), equation (1), on the last axis of x.

    Args:
        mask: (n_in, n_out), of bools, or of zeros and ones: whether input i may reach output j.
        rng: draws W, and b uniformly between ±1/√n_in.
        activation: φ, applied to the result: a function or a name, see ``nn.activations``; None for none.
        bias: whether there is a b.
        initialise: draws W, one of ``nn.initialisations``.
        dtype: of W and b.

    Attributes:
        W: (n_in, n_out); its masked elements are there, but have no effect and no gradient.
        b: (n_out,), or None.

    Raises:
        ValueError: for a mask that is not of two axes and of zeros and ones; an unknown activation; in ``forward``,
            for an x that is not (batch, …, n_in).
        TypeError: in ``forward``, for an x of another dtype.

    >>> layer = MaskedLinear(np.array([[1, 0], [1, 1]]), rng=0, bias=False, dtype=np.float64)
    >>> layer.W.assign([[1.0, 2.0], [3.0, 4.0]])
    >>> layer(np.array([[1.0, 1.0]]))
    Tensor([[4., 4.]], requires_grad=True)
    """

    def __init__(
        self,
        mask: Any,
        rng: Rng,
        activation: str | Activation | None = None,
        bias: bool = True,
        initialise: Initialisation = uniform_fan_in,
        dtype: Any = np.float32,
    ) -> None:
        self.mask = checked_mask(mask)
        self.blocks = Blocks(self.mask)
        rng, (n_in, n_out) = generator(rng), self.mask.shape
        self.W = Tensor(initialise((n_in, n_out), rng, dtype=dtype), requires_grad=True)
        self.b = Tensor(uniform((n_out,), n_in**-0.5, rng, dtype), requires_grad=True) if bias else None
        self.activation = None if activation is None else activation_named(activation)

    def with_mask(self, mask: Any) -> MaskedLinear:
        """A layer with another mask and the same Tensors: to train one is to train both.

        Raises:
            ValueError: for a mask of another shape.
        """
        mask = checked_mask(mask)
        if mask.shape != self.mask.shape:
            raise ValueError(f"mask has shape {mask.shape}; that of the weights is {self.mask.shape}")
        other = copy.copy(self)
        other.mask, other.blocks = mask, Blocks(mask)
        return other

    def forward(self, x: Any) -> Tensor:
        """(batch, …, n_in) → (batch, …, n_out)."""
        check_dtype(x, self.W)
        check_features(x, self.W.shape[0], "MaskedLinear")
        n_in, n_out = self.W.shape
        rows = x if x.ndim == 2 else x.reshape(-1, n_in)
        y = masked_product(rows, self.W, self.b, blocks=self.blocks)
        y = y if x.ndim == 2 else y.reshape(*x.shape[:-1], n_out)
        return y if self.activation is None else self.activation(y)


def checked_mask(mask: Any) -> np.ndarray:
    """The mask as an array of bools.

    Raises:
        ValueError: unless it is (n_in, n_out), of zeros and ones.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"mask has shape {mask.shape}; it must be (n_in, n_out)")
    check_sizes(n_in=mask.shape[0], n_out=mask.shape[1])
    wrong = np.argwhere((mask != 0) & (mask != 1))
    if len(wrong):
        index = tuple(wrong[0].tolist())
        raise ValueError(f"mask has {mask[index]} at {index}; it must be of zeros and ones")
    return mask.astype(bool)
