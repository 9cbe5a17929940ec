"""A small U-Net for images of 8 × 8: down to see all of the image at once, up to say something of every pixel.

    (s, s, k) → conv → (s, s, c) → block ────────────── beside ──────────────→ block → conv → (s, s, outputs)
                                     ↓ conv, stride 2                  ↑ transposed conv
                                   (s/2, s/2, 2c) → block → block → (s/2, s/2, 2c)

    block(h) = h + conv(silu(norm(conv(silu(norm(h))) + W e)))                                      (1)

s × s are the pixels, k the channels of the image, and c those within the network. *Beside*: what went past the coarse
level and what came up from it are put together, 2c channels, since the one has the detail and the other the whole.

e is the condition, time and class (``networks``), the same for all pixels. norm is over the channels of each pixel. The
second conv of a block and the last of the network start at 0.

Source: Ronneberger et al., U-Net, arXiv:1505.04597, figure 1; Ho et al., arXiv:2006.11239, appendix B, for (1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, silu
from scratchgen.diffusion.networks import Condition, zero
from scratchgen.nn import Conv2d, ConvTranspose2d, LayerNorm, Linear, Module
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator


class UNetBlock(Module):
    """Equation (1): two convolutions of 3 × 3, and the condition between them.

    Args:
        channels: of h.
        condition: the width of the condition.
        rng: draws the weights.
        dtype: of the weights.

    >>> block = UNetBlock(8, 4, rng=0)
    >>> block(np.ones((2, 8, 8, 8), np.float32), np.ones((2, 4), np.float32)).shape
    (2, 8, 8, 8)
    """

    def __init__(self, channels: int, condition: int, rng: Rng, dtype: Any = np.float32) -> None:
        rng = generator(rng)
        self.norms = [LayerNorm(channels, dtype=dtype) for _ in range(2)]
        self.inner = Conv2d(channels, channels, 3, rng, padding=1, dtype=dtype)
        self.condition = Linear(condition, channels, rng, bias=False, dtype=dtype)
        self.outer = zero(Conv2d(channels, channels, 3, rng, padding=1, dtype=dtype))

    def forward(self, h: Any, condition: Any) -> Tensor:
        """(B, s, s, channels), (B, condition) → (B, s, s, channels)."""
        inner = self.inner(silu(self.norms[0](h))) + self.condition(condition)[:, None, None]
        return h + self.outer(silu(self.norms[1](inner)))


class UNet(Module):
    """The network above, from (x, time), or (x, time, labels), to an image of ``outputs`` channels.

    Args:
        channels_in: k, those of x.
        rng: draws the weights.
        channels: c.
        classes: how many classes there are; 0 for none.
        outputs: the channels that come out; k by default, 2k for a learned variance, L for L levels of one channel.
        waves: how many waves tell the time, an even number.
        dtype: of the weights.

    Raises:
        ValueError: for a number < 1; in ``forward``, for images that are not (B, s, s, k), s an even number.

    >>> net = UNet(1, rng=0, channels=8)
    >>> net(np.ones((5, 8, 8, 1), np.float32), np.full(5, 0.3, np.float32)).shape
    (5, 8, 8, 1)
    """

    def __init__(
        self,
        channels_in: int,
        rng: Rng,
        channels: int = 32,
        classes: int = 0,
        outputs: int | None = None,
        waves: int = 32,
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(channels_in=channels_in, channels=channels)
        rng, c, width = generator(rng), channels, 4 * channels
        self.channels_in = channels_in
        self.condition = Condition(width, rng, classes, waves, dtype)
        self.first = Conv2d(channels_in, c, 3, rng, padding=1, dtype=dtype)
        self.fine = UNetBlock(c, width, rng, dtype)
        self.down = Conv2d(c, 2 * c, 4, rng, stride=2, padding=1, dtype=dtype)
        self.coarse = [UNetBlock(2 * c, width, rng, dtype) for _ in range(2)]
        self.up = ConvTranspose2d(2 * c, c, 4, rng, stride=2, padding=1, dtype=dtype)
        self.merged = UNetBlock(2 * c, width, rng, dtype)
        self.norm = LayerNorm(2 * c, dtype=dtype)
        self.last = zero(Conv2d(2 * c, channels_in if outputs is None else outputs, 3, rng, padding=1, dtype=dtype))

    def forward(self, x: Any, time: Any, labels: Any = None) -> Tensor:
        """(B, s, s, k), (B,), and labels (B,) or None, → (B, s, s, outputs)."""
        shape = np.shape(x)
        if len(shape) != 4 or shape[1] % 2 or shape[2] % 2 or shape[3] != self.channels_in:
            raise ValueError(f"x has shape {shape}; the network wants (B, s, s, {self.channels_in}), s an even number")
        condition = self.condition(time, labels)
        fine = self.fine(self.first(x), condition)  # (B, s, s, c)
        h = self.down(fine)  # (B, s/2, s/2, 2c)
        for block in self.coarse:
            h = block(h, condition)
        h = np.concatenate([fine, self.up(h)], axis=-1)  # (B, s, s, 2c)
        return self.last(silu(self.norm(self.merged(h, condition))))
