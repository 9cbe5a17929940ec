"""The invertible 1 × 1 convolution of images (lecture p. 11): the same linear map of the channels at every pixel.

    z_p = x_p W at each pixel p,    log |det ∂z/∂x| = (number of pixels) · log |det W|                (1)

since the Jacobian is block diagonal, with one W for each pixel. It mixes the channels between couplings, where a
permutation would only exchange them.

Source: Kingma and Dhariwal, Glow, arXiv:1807.03039, section 3.2 and equation (9).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.flows.linear import FullLinear, LULinear
from scratchgen.flows.transform import Mapped, Transform, sum_but_first
from scratchgen.nn.inputs import check_features, check_sizes
from scratchgen.random import Rng


class InvertibleConv(Transform):
    """z_p = x_p W (1) for images (B, height, width, C), with an orthogonal W, (C, C), at first.

    Args:
        channels: C.
        rng: draws W among all orthogonal matrices.
        lu: whether W is kept as P L U, which saves the determinant's O(C³), or as a full matrix.
        dtype: of W.

    Attributes:
        linear: the map of one pixel, an ``LULinear`` or a ``FullLinear``.

    Raises:
        ValueError: in both directions, for what is no batch of images with C channels.

    >>> f = InvertibleConv(2, rng=0, lu=False, dtype=np.float64)
    >>> f.linear.W = np.array([[0.0, 1.0], [3.0, 0.0]])
    >>> z, logabsdet = f(np.ones((1, 4, 5, 2)))
    >>> z.data[0, 2, 3], logabsdet.data / np.log(3)                 # 20 pixels
    (array([3., 1.]), array([20.]))
    """

    def __init__(self, channels: int, rng: Rng, lu: bool = True, dtype: Any = np.float32) -> None:
        check_sizes(channels=channels)
        self.channels = channels
        self.linear = (LULinear if lu else FullLinear)(channels, rng, dtype)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: each pixel times W."""
        return self.at_each_pixel(self.linear.forward, x)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: each pixel times W⁻¹."""
        return self.at_each_pixel(self.linear.inverse, z)

    def at_each_pixel(self, apply: Any, h: Any) -> Mapped:
        """One direction of the linear map on all pixels as one batch; its log-determinants summed over each image."""
        check_features(h, self.channels, "InvertibleConv")
        if h.ndim != 4:
            raise ValueError(f"x has shape {h.shape}; images are (B, H, W, {self.channels})")
        pixels, logabsdet = apply(h.reshape(-1, self.channels), None)
        return pixels.reshape(h.shape), sum_but_first(np.reshape(logabsdet, h.shape[:-1]))
