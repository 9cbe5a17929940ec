"""The affine layer, y = φ(x W + b), from which everything else is built."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, linear
from scratchgen.autodiff.layers import FUSED
from scratchgen.nn.activations import Activation, activation_named
from scratchgen.nn.initialisations import Initialisation, uniform, uniform_fan_in
from scratchgen.nn.inputs import check_dtype, check_features, check_sizes
from scratchgen.nn.module import Module
from scratchgen.random import Rng, generator


class Linear(Module):
    """y = φ(x W + b), on the last axis of x.

    Args:
        n_in, n_out: the numbers of features of x and of y.
        rng: draws W, and b uniformly between ±1/√n_in, which spreads the kinks of relu over the data.
        activation: φ, applied to the result: a function or a name, see ``nn.activations``; None for none.
        bias: whether there is a b.
        initialise: draws W, one of ``nn.initialisations``.
        dtype: of W and b.

    Attributes:
        W: (n_in, n_out).
        b: (n_out,), or None.

    Raises:
        ValueError: for n_in or n_out < 1, or an unknown activation; in ``forward`` for an x that is not
            (batch, …, n_in).
        TypeError: in ``forward``, for an x of another dtype.

    >>> layer = Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3), dtype=np.float32)).shape
    (5, 2)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        rng: Rng,
        activation: str | Activation | None = None,
        bias: bool = True,
        initialise: Initialisation = uniform_fan_in,
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(n_in=n_in, n_out=n_out)
        rng = generator(rng)
        self.W = Tensor(initialise((n_in, n_out), rng, dtype=dtype), requires_grad=True)
        self.b = Tensor(uniform((n_out,), n_in**-0.5, rng, dtype), requires_grad=True) if bias else None
        self.activation = None if activation is None else activation_named(activation)

    def forward(self, x: Any) -> Tensor:
        """(batch, …, n_in) → (batch, …, n_out)."""
        check_dtype(x, self.W)
        check_features(x, self.W.shape[0], "Linear")
        if self.activation is None or self.activation in FUSED:
            return linear(x, self.W, self.b, activation=self.activation)
        return self.activation(linear(x, self.W, self.b))
