"""The multilayer perceptron: affine layers with an activation between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.nn.activations import Activation, activation_named
from scratchgen.nn.initialisations import Initialisation, uniform_fan_in
from scratchgen.nn.linear import Linear
from scratchgen.nn.module import Module
from scratchgen.random import Rng, generator


class MLP(Module):
    """x → φ(x W₀ + b₀) → … → h Wₙ + bₙ: the activation φ after every layer but the last.

    Args:
        sizes: the numbers of features, from that of x to that of the output: at least two.
        rng: draws the weights.
        activation: φ, a name such as "relu" (see ``nn.activations``) or a function.
        initialise: draws each W, one of ``nn.initialisations``.
        dtype: of the weights.

    Raises:
        ValueError: for fewer than two sizes, or an unknown activation; in ``forward``, for an x that does not fit.

    >>> net = MLP([784, 400, 20], rng=0)
    >>> net
    MLP()
      layers.0: Linear(W=(784, 400), b=(400,), activation=relu)
      layers.1: Linear(W=(400, 20), b=(20,))
    >>> net(np.zeros((5, 784), dtype=np.float32)).shape
    (5, 20)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        rng: Rng,
        activation: str | Activation = "relu",
        initialise: Initialisation = uniform_fan_in,
        dtype: Any = np.float32,
    ) -> None:
        if len(sizes) < 2:
            raise ValueError(f"sizes is {list(sizes)}; give at least those of the input and the output")
        rng, phi = generator(rng), activation_named(activation)
        self.layers = [
            Linear(n_in, n_out, rng, None if i == len(sizes) - 2 else phi, initialise=initialise, dtype=dtype)
            for i, (n_in, n_out) in enumerate(pairwise(sizes))
        ]

    def forward(self, x: Any) -> Tensor:
        """(batch, …, sizes[0]) → (batch, …, sizes[-1])."""
        for layer in self.layers:
            x = layer(x)
        return x
