"""The convolutional encoder and decoder of the VAE that the lecture links (p. 8).

    encoder   x (s, s, 1) → conv → (s/2, s/2, c) → conv → (s/4, s/4, 2c) → linear → 2 × latent                 (1)
    decoder   z → linear → (s/4, s/4, 2c) → transposed conv → (s/2, s/2, c) → transposed conv → (s, s, k)     (2)

Kernels are 4 × 4 with stride 2 and padding 1, which halves or doubles a side exactly; relu follows every layer but the
last. The lecture's has s = 28 and c = 64; the 8 × 8 digits do well with less.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, relu
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Conv2d, ConvTranspose2d, Linear, Module
from scratchgen.random import Rng, generator


def quarter(size: int) -> int:
    """The side after both convolutions.

    Raises:
        TypeError: for a size that is no int.
        ValueError: unless ``size`` can be halved twice.
    """
    require_int("size", size)
    if size % 4:
        raise ValueError(f"size is {size}; two strides of 2 want a multiple of 4, such as 8 or 28: np.pad the images")
    return size // 4


class ConvEncoder(Module):
    """Equation (1): images (B, size, size, 1) to (B, 2 × latent).

    Args:
        size: the side of the images, a multiple of 4.
        latent: the dimension of z.
        rng: draws the weights.
        channels: c.
        dtype: of the weights.

    >>> ConvEncoder(8, latent=2, rng=0, channels=4)(np.zeros((5, 8, 8, 1), dtype=np.float32)).shape
    (5, 4)
    """

    def __init__(self, size: int, latent: int, rng: Rng, channels: int = 64, dtype: Any = np.float32) -> None:
        rng, side = generator(rng), quarter(size)
        require_int("latent", latent)
        self.size = size
        self.half = Conv2d(1, channels, 4, rng, stride=2, padding=1, dtype=dtype)
        self.quarter = Conv2d(channels, 2 * channels, 4, rng, stride=2, padding=1, dtype=dtype)
        self.to_code = Linear(side * side * 2 * channels, 2 * latent, rng, dtype=dtype)

    def forward(self, x: Any) -> Tensor:
        """(B, size, size, 1) → (B, 2 × latent).

        Raises:
            ValueError: for images of another size.
        """
        shape = np.shape(x)
        if shape[1:] != (self.size, self.size, 1):
            raise ValueError(f"x has shape {shape}; the encoder wants (B, {self.size}, {self.size}, 1)")
        h = relu(self.half(x))  # (B, s/2, s/2, c)
        h = relu(self.quarter(h))  # (B, s/4, s/4, 2c)
        return self.to_code(h.reshape(len(h), -1))


class ConvDecoder(Module):
    """Equation (2): codes (B, latent) to (B, size, size, numbers).

    Args:
        size: the side of the images, a multiple of 4.
        latent: the dimension of z.
        rng: draws the weights.
        channels: c.
        numbers: k, how many numbers the likelihood wants for each pixel.
        dtype: of the weights.

    >>> ConvDecoder(8, latent=2, rng=0, channels=4)(np.zeros((5, 2), dtype=np.float32)).shape
    (5, 8, 8, 1)
    """

    def __init__(
        self, size: int, latent: int, rng: Rng, channels: int = 64, numbers: int = 1, dtype: Any = np.float32
    ) -> None:
        rng, side = generator(rng), quarter(size)
        require_int("latent", latent)
        self.shape = (side, side, 2 * channels)
        self.from_code = Linear(latent, side * side * 2 * channels, rng, relu, dtype=dtype)
        self.half = ConvTranspose2d(2 * channels, channels, 4, rng, stride=2, padding=1, dtype=dtype)
        self.full = ConvTranspose2d(channels, numbers, 4, rng, stride=2, padding=1, dtype=dtype)

    def forward(self, z: Any) -> Tensor:
        """(B, latent) → (B, size, size, numbers)."""
        h = self.from_code(z).reshape(len(z), *self.shape)  # (B, s/4, s/4, 2c)
        h = relu(self.half(h))  # (B, s/2, s/2, c)
        return self.full(h)
