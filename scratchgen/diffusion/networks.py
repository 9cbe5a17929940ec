"""A network for vectors: it is told the time at every block, and each block adds to what there is.

    h = first(x)                                                                               (1)
    h ← h + outer(silu(inner(silu(h)) + W e)),   e = silu(time + class)                        (2)
    output = last(silu(h))                                                                     (3)

first, inner, outer and last are linear layers, and e is the same for all blocks (``Condition``); time is linear in the
waves of ``embeddings``. outer and last start at 0: each block starts as the identity, and the network as 0, which is
the mean of ε.

Source: He et al., arXiv:1603.05027, for the order within a block; Ho et al., arXiv:2006.11239, for the time in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, silu
from scratchgen.diffusion.embeddings import NO_LABEL, LabelEmbedding, sinusoidal
from scratchgen.nn import Linear, Module
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator


class Condition(Module):
    """Time, and the class where there are classes, as one vector for all blocks: silu(W waves(time) + b + class).

    Args:
        width: of the vector.
        rng: draws the weights.
        classes: how many classes; 0 for none.
        waves: how many waves tell the time, an even number.
        dtype: of the weights.

    Raises:
        ValueError: for a width < 1 or an odd number of waves; in ``forward``, for labels without classes.

    >>> Condition(8, rng=0, classes=3)(np.array([0.5, 1.0], np.float32), np.array([2, -1])).shape
    (2, 8)
    """

    def __init__(self, width: int, rng: Rng, classes: int = 0, waves: int = 32, dtype: Any = np.float32) -> None:
        rng = generator(rng)
        self.waves = waves
        self.time = Linear(waves, width, rng, dtype=dtype)
        self.label = LabelEmbedding(classes, width, rng, dtype) if classes else None

    def forward(self, time: Any, labels: Any = None) -> Tensor:
        """(B,), and (B,) or None for no labels, → (B, width)."""
        h = self.time(sinusoidal(time, self.waves))
        if self.label is None:
            if labels is not None:
                raise ValueError("labels were given to a network without classes; make it with classes=")
            return silu(h)
        return silu(h + self.label(np.full(len(h), NO_LABEL) if labels is None else labels))


class ResidualBlock(Module):
    """Equation (2), on the last axis.

    Args:
        width: of h.
        condition: the width of the condition.
        rng: draws the weights.
        dtype: of the weights.

    >>> block = ResidualBlock(8, 4, rng=0)
    >>> block(np.ones((2, 8), np.float32), np.ones((2, 4), np.float32)).shape
    (2, 8)
    """

    def __init__(self, width: int, condition: int, rng: Rng, dtype: Any = np.float32) -> None:
        rng = generator(rng)
        self.inner = Linear(width, width, rng, dtype=dtype)
        self.condition = Linear(condition, width, rng, bias=False, dtype=dtype)
        self.outer = zero(Linear(width, width, rng, dtype=dtype))

    def forward(self, h: Any, condition: Any) -> Tensor:
        """(B, width), (B, condition) → (B, width)."""
        return h + self.outer(silu(self.inner(silu(h)) + self.condition(condition)))


class ResidualNet(Module):
    """Equations (1) to (3): from (x, time), or (x, time, labels), to ``outputs`` numbers.

    Args:
        dims: D, the length of x.
        rng: draws the weights.
        width: of h.
        blocks: how many (2).
        classes: how many classes there are; 0 for none.
        outputs: how many numbers come out; D by default, 2D for a learned variance.
        dtype: of the weights.

    Raises:
        ValueError: for a number < 1; in ``forward``, for an x that is not (B, D).

    >>> net = ResidualNet(2, rng=0)
    >>> net(np.ones((5, 2), np.float32), np.full(5, 0.3, np.float32)).shape
    (5, 2)
    """

    def __init__(
        self,
        dims: int,
        rng: Rng,
        width: int = 128,
        blocks: int = 3,
        classes: int = 0,
        outputs: int | None = None,
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(dims=dims, width=width, blocks=blocks)
        rng = generator(rng)
        self.first = Linear(dims, width, rng, dtype=dtype)
        self.condition = Condition(width, rng, classes, dtype=dtype)
        self.blocks = [ResidualBlock(width, width, rng, dtype) for _ in range(blocks)]
        self.last = zero(Linear(width, dims if outputs is None else outputs, rng, dtype=dtype))

    def forward(self, x: Any, time: Any, labels: Any = None) -> Tensor:
        """(B, D), (B,), and labels (B,) or None, → (B, outputs)."""
        h, condition = self.first(x), self.condition(time, labels)
        for block in self.blocks:
            h = block(h, condition)
        return self.last(silu(h))


def zero(layer: Any) -> Any:
    """The layer, with weights and bias that are 0, and will be trained from there."""
    layer.W.assign(np.zeros_like(layer.W.data))
    layer.b.assign(np.zeros_like(layer.b.data))
    return layer
