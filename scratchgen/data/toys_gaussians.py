"""Toys of normal distributions around points in the plane: the density is a sum that can be carried out.

    k with probability w_k,    x = c_k + s ε,  ε ~ N(0, I)                                      (1)
    p(x) = Σ_k w_k N(x; c_k, s² I)                                                              (2)

Where the points are far apart, with equal weights, H is near log K + log 2πe s²: which of K, and where around it. A
model whose base has one mode must tear it into K, or leave bridges between them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.data.quadrature import log_integral
from scratchgen.data.toys import Toy, points_in_the_plane, require_positive
from scratchgen.distributions.arguments import require, shape_of, unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng, generator


class Gaussians(Toy):
    """The mixture (2), all with the same standard deviation.

    Args:
        centres: c_k, (K, 2).
        std: s.
        weights: w_k, (K,); equal ones by default.

    Raises:
        TypeError: for a std that is no number; for masked arrays.
        ValueError: for other shapes, no centres, or NaN; for a std that is not above 0; for weights that are not above
            0, or do not sum to 1.

    >>> far = Gaussians([[-10.0, 0.0], [10.0, 0.0]], std=1.0)
    >>> round(far.entropy(), 4)                                       # log 2 + log 2πe
    3.531
    """

    def __init__(self, centres: Any, std: float, weights: Any = None) -> None:
        self.centres = np.asarray(unmasked("centres", centres), np.float64)
        if self.centres.ndim != 2 or self.centres.shape[1] != 2 or not len(self.centres):
            raise ValueError(f"centres has shape {self.centres.shape}; it must be (K, 2), with K of 1 or more")
        require("centres", self.centres, np.isfinite, "they must be finite")
        K = len(self.centres)
        self.std = require_positive("std", std)
        self.weights = np.full(K, 1 / K) if weights is None else np.asarray(unmasked("weights", weights), np.float64)
        if self.weights.shape != (K,):
            raise ValueError(f"weights has shape {self.weights.shape}; for {K} centres it must be ({K},)")
        require("weights", self.weights, lambda value: value > 0, "they must be above 0")
        if abs(self.weights.sum() - 1) > 1e-9:
            raise ValueError(f"weights sum to {self.weights.sum()}; they must sum to 1")
        self.radius = float(np.abs(self.centres).max()) + 8 * self.std
        self.spacing = self.std / 3

    def sample(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws of x (1), (n, 2)."""
        rng, shape = generator(rng), shape_of(n)
        k = rng.choice(len(self.centres), shape, p=self.weights)
        return self.centres[k] + self.std * rng.standard_normal((*shape, 2))

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) (2), (n,)."""
        x = points_in_the_plane(x)

        def log_normal(rows: np.ndarray) -> np.ndarray:
            squares = (rows[:, :1] - self.centres[:, 0]) ** 2 + (rows[:, 1:] - self.centres[:, 1]) ** 2
            return -squares / (2 * self.std**2) - np.log(2 * np.pi * self.std**2)

        return log_integral(log_normal, x.reshape(-1, 2), self.weights).reshape(x.shape[:-1])


class EightGaussians(Gaussians):
    """Eight of them, evenly around a circle.

    Args:
        size: the radius of the circle.
        variance: s², of each coordinate.

    Raises:
        TypeError, ValueError: for numbers that are none, or not above 0 and finite.

    >>> round(EightGaussians().entropy(), 4)
    2.6147
    """

    def __init__(self, size: float = 5.0, variance: float = 0.1) -> None:
        self.size, self.variance = require_positive("size", size), require_positive("variance", variance)
        angle = 2 * np.pi * np.arange(8) / 8
        super().__init__(self.size * np.stack([np.cos(angle), np.sin(angle)], axis=-1), self.variance**0.5)


class GaussianGrid(Gaussians):
    """Side × side of them on a square lattice around 0.

    Args:
        side: how many in a row.
        step: the distance between neighbours.
        std: s.

    Raises:
        TypeError: for numbers that are none.
        ValueError: for a side less than 1; for a step or std that is not above 0 and finite.

    >>> GaussianGrid(side=3, step=2.0, std=0.1).centres[:4].tolist()
    [[-2.0, -2.0], [-2.0, 0.0], [-2.0, 2.0], [0.0, -2.0]]
    """

    def __init__(self, side: int = 5, step: float = 2.0, std: float = 0.1) -> None:
        require_int("side", side, least=1)
        self.side, self.step = side, require_positive("step", step)
        axis = self.step * (np.arange(side) - (side - 1) / 2)
        super().__init__(np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2), std)
