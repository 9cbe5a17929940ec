"""MADE: a network of masked layers, whose outputs for x[j] see x[<j] only (lecture p. 10).

    h⁰ = the context, C numbers, and the features of x, F of each component                    (1)
    hˡ = φ(hˡ⁻¹ (Wˡ ∘ Mˡ) + bˡ),   l = 1 … L                                                   (2)
    y  = hᴸ (V ∘ M) + c  [ + h⁰ (A ∘ M') ]        P numbers for each p(x[j] | x[<j])           (3)

Features and numbers are what enters for a component and what comes out for it, by the kind of data: see ``outputs``.
MADE is an ordinary network but for masks M, which see to it that no path leads from x[j] to its own output, or to one
before it: ``masks`` has the rule, and ∘ multiplies elements. So all D conditionals, and log p(x), cost one pass. The
last term of (3), direct connections, is optional. Without hidden layers (3) is a linear model of each conditional.

The rule works for any order of the components. The weights belong to components, not to positions in the order, so
one set of weights serves many orders: see ``with_order``, and ``order_mixture``.

Source: Germain et al., MADE: masked autoencoder for distribution estimation, arXiv:1502.03509, §3 and §4.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive.masks import masks, permutation
from scratchgen.autoregressive.model import Autoregressive
from scratchgen.autoregressive.outputs import Output
from scratchgen.distributions import Distribution
from scratchgen.distributions.arguments import floats, require
from scratchgen.nn import Dropout, MaskedLinear
from scratchgen.nn.activations import Activation
from scratchgen.nn.inputs import check_hidden, check_sizes
from scratchgen.random import Rng, generator


class MADE(Autoregressive):
    """p(x) of D components by masked layers, equations (1) to (3).

    Args:
        dims: D.
        output: the kind of the conditionals, one of ``outputs``.
        hidden: the widths of the hidden layers; () for none.
        rng: draws the weights.
        order: the components in the order in which they are drawn; None for 0 … D − 1.
        context: how many numbers all conditionals may depend on beside x.
        activation: φ, a function or a name, see ``nn.activations``.
        direct: whether there are direct connections from the features to the outputs.
        complete: whether to refuse hidden layers too narrow for all dependencies; with ``direct`` none is too narrow.
        dropout: the rate at which hidden units are left out in training.
        dtype: of the weights.

    Raises:
        ValueError: for sizes less than 1; an order that is no permutation of 0 … D − 1; hidden layers that are too
            narrow, with the inputs that are cut off.
        TypeError: for an output that is none of ``outputs``.

    >>> from scratchgen.autoregressive.outputs import BinaryOutput
    >>> model = MADE(3, BinaryOutput(), hidden=[8], rng=0, order=[2, 0, 1])
    >>> model.log_prob(np.array([[0, 1, 1], [0, 0, 0]])).shape
    (2,)
    >>> model.sample(4, rng=1).shape
    (4, 3)
    """

    def __init__(
        self,
        dims: int,
        output: Output,
        hidden: Sequence[int],
        rng: Rng,
        order: Any = None,
        context: int = 0,
        activation: str | Activation = "relu",
        direct: bool = False,
        complete: bool = True,
        dropout: float = 0.0,
        dtype: Any = np.float32,
    ) -> None:
        if not isinstance(output, Output):
            raise TypeError(f"output is {output!r}; give one of autoregressive.outputs, such as BinaryOutput()")
        check_sizes(dims=dims)
        check_hidden(hidden)
        if not isinstance(context, (int, np.integer)) or context < 0:
            raise ValueError(f"context is {context!r}; it is how many numbers, 0 or more")
        self.dims, self.output, self.context, self.symbols = dims, output, int(context), output.symbols
        self.hidden, self.complete = tuple(hidden), complete and not direct
        self.permutation = permutation(order, self.dims)
        rng = generator(rng)
        *between, last = self.masks(self.hidden)
        self.layers = [MaskedLinear(mask, rng, activation, dtype=dtype) for mask in between]
        self.last = MaskedLinear(last, rng, dtype=dtype)
        self.direct = MaskedLinear(self.masks(())[0], rng, bias=False, dtype=dtype) if direct else None
        self.dropout = Dropout(dropout)

    @property
    def order(self) -> np.ndarray:
        """The components in the order in which they are drawn."""
        return self.permutation

    def masks(self, hidden: Sequence[int], rng: Rng | None = None) -> list[np.ndarray]:
        """The masks (2) and (3) of layers of these widths; without any, that of the direct connections."""
        result = masks(self.order, hidden, self.context, self.complete, rng)  # for one number in and out a component
        inputs = [1] * self.context + [self.output.features] * self.dims
        result[0] = np.repeat(result[0], inputs, axis=0)  # (C + D F, …)
        result[-1] = np.repeat(result[-1], self.output.numbers, axis=1)  # (…, D P)
        return result

    def with_order(self, order: Any, rng: Rng | None = None) -> MADE:
        """A model with another order and the same Tensors: to train one is to train both.

        Args:
            order: the components in the order in which they are drawn.
            rng: shuffles the degrees of the hidden units, see ``masks.degrees``; None leaves them sorted.

        Raises:
            ValueError: for an order that is no permutation of 0 … D − 1.
        """
        other = copy.copy(self)
        other.permutation = permutation(order, self.dims)
        *between, last = other.masks(self.hidden, rng)
        other.layers = [layer.with_mask(mask) for layer, mask in zip(self.layers, between)]
        other.last = self.last.with_mask(last)
        if self.direct is not None:
            other.direct = self.direct.with_mask(other.masks(())[0])
        return other

    def network(self, features: Any, rng: Rng | None = None) -> Tensor:
        """(3), (B, D, P), from (1), (B, C + D F); ``rng`` draws the dropout in training."""
        rng = None if rng is None else generator(rng)
        h = features
        for layer in self.layers:
            h = self.dropout(layer(h), rng)
        y = self.last(h)
        if self.direct is not None:
            y = y + self.direct(features)
        return y.reshape(-1, self.dims, self.output.numbers)

    def conditionals(self, x: Any, context: Any = None, rng: Rng | None = None) -> Distribution:
        """p(x[j] | x[<j]) for all j in one pass: a batch (B, D) of distributions.

        Args:
            x: (B, D).
            context: (B, C), for a model that takes it.
            rng: draws the dropout; needed in training only.

        Raises:
            TypeError: for x or context of another dtype.
            ValueError: for another shape or values that cannot be; for a context that is missing, or not wanted; in
                training with dropout, without an rng.
        """
        if np.ndim(x) != 2 or np.shape(x)[1] != self.dims:
            shape = np.shape(x)
            hint = f": x.reshape(-1, {self.dims})" if len(shape) > 2 and np.prod(shape[1:]) == self.dims else ""
            hint = ": x[None] is a batch of one" if shape == (self.dims,) else hint
            raise ValueError(f"x has shape {shape}, expected (batch, {self.dims}){hint}")
        features = self.output.encode(x, self.dtype)
        if self.context or context is not None:
            features = np.concatenate([self.checked_context(context, len(x)), features], axis=-1)
        return self.output(self.network(features, rng))

    def checked_context(self, context: Any, rows: int) -> Any:
        """The context, if there is to be one, and it is one."""
        if not self.context:
            raise ValueError("context was given, but this MADE was made without: MADE(…, context=how many numbers)")
        if context is None:
            raise ValueError(f"context is missing; it must be ({rows}, {self.context})")
        context = floats("context", context, self.dtype)
        if context.shape != (rows, self.context):
            raise ValueError(f"context has shape {context.shape}; it must be ({rows}, {self.context})")
        require("context", context, np.isfinite, "it must be finite")
        return context
