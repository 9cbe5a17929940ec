"""PixelCNN: convolutions on the plane that see all pixels before, and none after (lecture p. 10).

One stack of masked k × k convolutions has a *blind spot*: the mask allows a step to the right only together with one
upwards, of (k − 1)/2 columns a row at most. So pixels in the rows above that are far to the right are never reached.
Two stacks have no blind spot. At row i and column j

    v[i, j]   the vertical stack, knows the rows above i only
    h[i, j]   the horizontal stack, knows row i to the left of j too, and is told v[i, j]

v may look to both sides as far as it likes: all it meets is above row i. Of the pixels' code (``pixels``) the first
convolutions, A of type A, see the rows above, or what is to the left in the same row. Those of the L layers, B of type
B, see the own row of v and the own place of h too: these know nothing of the present pixel. Convolutions B give twice
as many channels, a and g, for the gate G(a, g) = tanh(a) · σ(g):

    v⁰ = A_v(code) + position,    h⁰ = v⁰ + A_h(code)                                          (1)
    vˡ⁺¹ = vˡ + G(B_vˡ(vˡ)),    hˡ⁺¹ = hˡ + G(B_hˡ(hˡ) + B_vˡ(vˡ) @ Uˡ) @ Wˡ                   (2)
    logits = silu(hᴸ) @ W                                                                      (3)

with a bias beside each matrix, and in training dropout after each G and before W in (3). Nothing leads from h back to
v: by it a place of v would learn of pixels in its own row, and tell them to places to their left.

Source: van den Oord et al., Conditional image generation with PixelCNN decoders, arXiv:1606.05328, §2.1 to §2.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, silu
from scratchgen.autoregressive.causal_conv import gated
from scratchgen.autoregressive.pixels import PixelModel
from scratchgen.nn import CausalConv, Dropout, Linear, Module
from scratchgen.nn.initialisations import normal
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator


def rows_above(reach: int, present: bool) -> list[tuple[int, int]]:
    """Offsets of the vertical stack: ``reach`` rows above, and with ``present`` the own row too, to both sides.

    >>> rows_above(1, present=False)
    [(-1, -1), (-1, 0), (-1, 1)]
    """
    return [(i, j) for i in range(-reach, int(present)) for j in range(-reach, reach + 1)]


def left_in_row(reach: int, present: bool) -> list[tuple[int, int]]:
    """Offsets of the horizontal stack: to the left, and with ``present`` the place itself.

    >>> left_in_row(2, present=True)
    [(0, -2), (0, -1), (0, 0)]
    """
    return [(0, j) for j in range(-reach, int(present))]


class TwoStacks(Module):
    """One layer (2) of both stacks.

    Args:
        width: channels of v and of h.
        reach: how many rows and columns away the convolutions look.
        dropout: the rate at which gated features are left out.
        rng: draws the weights.
        dtype: of the weights.
    """

    def __init__(self, width: int, reach: int, dropout: float, rng: Rng, dtype: Any = np.float32):
        rng = generator(rng)
        self.above = CausalConv(width, 2 * width, rows_above(reach, present=True), rng, by_rows=True, dtype=dtype)
        self.left = CausalConv(width, 2 * width, left_in_row(reach, present=True), rng, dtype=dtype)
        self.told = Linear(2 * width, 2 * width, rng, dtype=dtype)
        self.out = Linear(width, width, rng, dtype=dtype)
        self.dropout = Dropout(dropout)

    def forward(self, v: Tensor, h: Tensor, rng: Rng | None = None) -> tuple[Tensor, Tensor]:
        """(batch, height, width, channels) twice → the same shapes; ``rng`` is needed in training only."""
        above = self.above(v)  # (B, height, width, 2 channels), before the gate
        change = self.out(self.dropout(gated(self.left(h) + self.told(above)), rng))
        return v + self.dropout(gated(above), rng), h + change


class PixelCNN(PixelModel):
    """p(x) of grey images, flattened in raster order, equations (1) to (3).

    Args:
        size: height and width of the images.
        levels: how many grey levels there are.
        rng: draws the weights.
        width: channels of the two stacks.
        layers: how many layers (2).
        first, reach: how many rows and columns away the first convolutions look, and those of the layers.
        dropout: the rate at which features are left out in training.
        dtype: of the weights.

    Raises:
        ValueError: for sizes less than 1, a dropout outside [0, 1), or layers that do not reach from corner to corner.

    >>> model = PixelCNN((8, 8), 17, rng=0).eval()
    >>> model.log_prob(np.zeros((3, 64), dtype=int)).shape
    (3,)
    """

    def __init__(
        self,
        size: tuple[int, int],
        levels: int,
        rng: Rng,
        width: int = 32,
        layers: int = 5,
        first: int = 3,
        reach: int = 1,
        dropout: float = 0.3,
        dtype: Any = np.float32,
    ) -> None:
        if np.shape(size) != (2,):
            raise ValueError(f"size is {size!r}; give the height and the width of the images, such as (8, 8)")
        height, columns = size
        check_sizes(height=height, columns=columns, levels=levels, width=width, layers=layers, first=first, reach=reach)
        if first + layers * reach < max(size) - 1:
            raise ValueError(
                f"the layers reach {first + layers * reach} rows and columns, {max(size) - 1} are needed: "
                "add layers, or enlarge first or reach"
            )
        rng = generator(rng)
        self.size, self.dims, self.levels = (height, columns), height * columns, levels
        self.above = CausalConv(2 * levels - 1, width, rows_above(first, present=False), rng, dtype=dtype)
        self.left = CausalConv(2 * levels - 1, width, left_in_row(first, present=False), rng, dtype=dtype)
        self.position = Tensor(normal((height, columns, width), 0.02, rng, dtype), requires_grad=True)
        self.layers = [TwoStacks(width, reach, dropout, rng, dtype) for _ in range(layers)]
        self.dropout = Dropout(dropout)
        self.out = Linear(width, levels, rng, dtype=dtype)

    def network(self, code: Any, rng: Rng | None = None) -> Tensor:
        """Logits (B, D, levels), equation (3)."""
        rng = None if rng is None else generator(rng)
        code = code.reshape(-1, *self.size, code.shape[-1])  # (B, height, width, 2 levels − 1)
        v = self.above(code) + self.position  # (B, height, width, channels)
        h = v + self.left(code)  # (1)
        for layer in self.layers:
            v, h = layer(v, h, rng)
        logits = self.out(self.dropout(silu(h), rng))
        return logits.reshape(-1, self.dims, self.levels)
