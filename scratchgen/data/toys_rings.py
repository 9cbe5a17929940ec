"""A toy of concentric rings: a density in closed form, since the average of a bell around a circle has one.

    x = R_k (cos t, sin t) + s ε,    t uniform on [0, 2π],  k uniform,  ε ~ N(0, I)             (1)

With r = |x| and a the angle between x and the point of the circle,

    p(x | k) = (1/2π) ∫ (1/2πs²) exp(−(r² − 2 r R_k cos a + R_k²) / 2s²) da
             = (1/2πs²) exp(−(r − R_k)² / 2s²) · e^{−v} I₀(v),    v = r R_k / s²                (2)
    p(x) = (1/K) Σ_k p(x | k)                                                                  (3)

I₀(v) = (1/2π) ∫ exp(v cos a) da is a Bessel function. It overflows at v = 713, where e^{−v} I₀(v) is near 1/√(2πv).

No continuous map with a continuous inverse makes rings of a disc: between them is a hole for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import i0e

from scratchgen.data.toys import Toy, points_in_the_plane, require_positive
from scratchgen.distributions.arguments import shape_of
from scratchgen.random import Rng, generator


class Rings(Toy):
    """Rings around 0 (1–3), each with the same probability: the outer ones are thinner in density.

    Args:
        radii: R_k.
        std: s.

    Raises:
        TypeError: for numbers that are none.
        ValueError: for no radii, or numbers that are not above 0 and finite.

    >>> rings = Rings(std=0.1)
    >>> rings.sample(5, rng=0).shape
    (5, 2)
    >>> round(Rings([1e-9], std=1.0).entropy(), 4)                    # a ring of no size is N(0, I): log 2πe
    2.8379
    """

    def __init__(self, radii: Sequence[float] = (0.75, 1.5, 2.25, 3.0), std: float = 0.08) -> None:
        self.radii = np.array([require_positive(f"radii[{k}]", radius) for k, radius in enumerate(radii)])
        if not len(self.radii):
            raise ValueError("radii is empty; give at least one")
        self.std = require_positive("std", std)
        self.radius = float(self.radii.max()) + 8 * self.std
        self.spacing = self.std / 3

    def sample(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws of x (1), (n, 2)."""
        rng, shape = generator(rng), shape_of(n)
        R, t = self.radii[rng.integers(len(self.radii), size=shape)], 2 * math.pi * rng.random(shape)
        circle = R[..., None] * np.stack([np.cos(t), np.sin(t)], axis=-1)
        return circle + self.std * rng.standard_normal((*shape, 2))

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) (3), (n,)."""
        x = points_in_the_plane(x)
        r, variance = np.hypot(x[..., :1], x[..., 1:]), self.std**2  # (n, 1), against the K radii
        bell = -((r - self.radii) ** 2) / (2 * variance) - math.log(2 * math.pi * variance)
        of_each = bell + np.log(i0e(r * self.radii / variance))
        return np.logaddexp.reduce(of_each, axis=-1) - math.log(len(self.radii))
