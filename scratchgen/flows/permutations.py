"""Transforms that move the dimensions about (lecture p. 11): |det| is 1, so its logarithm is 0.

Between two layers that leave some dimensions alone, such as couplings, the dimensions have to change their places, or
some would never be touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.flows.transform import Mapped, Transform


class Reverse(Transform):
    """z = (x_D, …, x_1), its own inverse."""

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: the last axis in reverse."""
        return x[..., ::-1], np.zeros(len(x), x.dtype)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: the last axis in reverse."""
        return z[..., ::-1], np.zeros(len(z), z.dtype)
