"""Images of a bar, made from two known factors: the truth to set beside what a model's code has learned.

    f = (position, brightness), each uniform on its range                                       (1)
    r(f)[i, j] = brightness · exp(−½ (j − position)²)                    a vertical bar          (2)
    x = r(f) + s ε,  ε ~ N(0, I)                                                                (3)
    p(x) = ∫ p(f) N(x; r(f), s² I) df                                    by quadrature in f      (4)
    E[f | x] = ∫ f p(f) N(x; r(f), s² I) df / p(x)                       likewise                (5)

Row i and column j are counted from 0, and position is in columns: 2.5 lies between columns 2 and 3. (5) is the best
guess of the factors in mean square: no function of x, and so no code of it, explains more of their variance.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from scratchgen.data.quadrature import gauss_legendre, log_integral, require_few
from scratchgen.data.toys import require_positive
from scratchgen.distributions.arguments import require, shape_of, unmasked
from scratchgen.random import Rng, generator

SIDE = 8
FACTORS = {"position": (1.0, 6.0), "brightness": (0.4, 1.0)}


class BarSample(NamedTuple):
    """Images of bars and the factors that made them; row i of one belongs to row i of the other.

    Attributes:
        images: (n, 8, 8) float64, 0 without ink; the noise takes some pixels below 0 and above 1.
        factors: (n, 2) float64, position and brightness.
    """

    images: np.ndarray
    factors: np.ndarray


class Bars:
    """The model (1–3) of 8 × 8 images.

    Args:
        std: s, the standard deviation of the noise of each pixel.

    Raises:
        TypeError: for a std that is no number.
        ValueError: for a std that is not above 0 and finite, or so small that (4) needs more than 5 million nodes.

    >>> bars = Bars(std=0.1)
    >>> images, factors = bars.sample(5, rng=0)
    >>> images.shape, factors.shape, bars.log_prob(images).shape
    ((5, 8, 8), (5, 2), (5,))
    >>> Bars.render(np.array([[2.0, 0.8]]))[0, 0].round(2)          # a row of a bar in column 2
    array([0.11, 0.49, 0.8 , 0.49, 0.11, 0.01, 0.  , 0.  ])
    """

    def __init__(self, std: float = 0.1) -> None:
        self.std = require_positive("std", std)
        nodes, weights = [], []
        for low, high in FACTORS.values():
            # A column's mean has noise of std / √8, and so has, about, each factor given x: a panel is six of those.
            t, w = gauss_legendre(low, high, panels=math.ceil((high - low) * math.sqrt(SIDE) / (6 * self.std)))
            nodes.append(t)
            weights.append(w / (high - low))  # with the density of the factor
        require_few(len(nodes[0]) * len(nodes[1]))
        self.nodes = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, 2)
        self.weights = np.outer(*weights).ravel()
        self.rows = self.render(self.nodes)[:, 0]  # (nodes, 8): all rows of an image are alike

    @staticmethod
    def render(factors: Any) -> np.ndarray:
        """The images r(f) (2) without noise, (n, 8, 8), of factors (n, 2).

        Raises:
            TypeError: for a masked array.
            ValueError: for factors of another shape.
        """
        factors = np.asarray(unmasked("factors", factors), np.float64)
        if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
            raise ValueError(f"factors has shape {factors.shape}, expected (n, 2): {' and '.join(FACTORS)}")
        position, brightness = factors[:, :1], factors[:, 1:]
        row = brightness * np.exp(-0.5 * (np.arange(SIDE) - position) ** 2)  # (n, 8)
        return np.repeat(row[:, None, :], SIDE, axis=1)

    def sample(self, n: int, rng: Rng) -> BarSample:
        """n images (3) and their factors.

        Raises:
            TypeError: for n that is no int, or rng that is no Generator or seed.
            ValueError: for a negative n.
        """
        if isinstance(n, (tuple, list)):
            raise TypeError(f"n is {n!r}; the number of images is an int")
        rng = generator(rng)
        low, high = np.transpose(list(FACTORS.values()))
        factors = rng.uniform(low, high, (*shape_of(n), len(FACTORS)))
        images = self.render(factors)
        return BarSample(images + self.std * rng.standard_normal(images.shape), factors)

    def log_prob(self, images: Any) -> np.ndarray:
        """log p(x) (4) in nats, (n,) float64, for images (n, 8, 8) of either float type.

        Raises:
            TypeError: for images that are not float32 or float64, or masked.
            ValueError: for images of another shape, or with NaN or inf.
        """
        x = self.checked(images)
        return log_integral(self.log_normal, x, self.weights)

    def best_guess(self, images: Any) -> np.ndarray:
        """E[f | x] (5), (n, 2): the factors that an image of bars most tells of.

        Raises:
            TypeError, ValueError: as ``log_prob``.

        >>> bars = Bars(std=0.1)
        >>> images, factors = bars.sample(100, rng=0)
        >>> np.abs(bars.best_guess(images) - factors).mean(axis=0).round(2)
        array([0.04, 0.02])
        """
        x = self.checked(images)
        log_p = log_integral(self.log_normal, x, self.weights)
        logs = [log_integral(self.log_normal, x, self.weights * factor) for factor in self.nodes.T]
        return np.exp(np.stack(logs, axis=-1) - log_p[:, None])  # the factors are positive, so they have logarithms

    def log_normal(self, x: np.ndarray) -> np.ndarray:
        """log N(x; r(f), s² I) of images (m, 8, 8) at each node f, (m, nodes)."""
        # |x − r|² = |x|² − 2 x·r + |r|², and with equal rows of r the column sums of x are enough for x·r.
        squares = (x**2).sum(axis=(1, 2))[:, None] - 2 * x.sum(axis=1) @ self.rows.T + SIDE * (self.rows**2).sum(axis=1)
        return -squares / (2 * self.std**2) - SIDE * SIDE * (math.log(2 * math.pi) / 2 + math.log(self.std))

    @staticmethod
    def checked(images: Any) -> np.ndarray:
        """The images in float64, or the errors of ``log_prob``."""
        x = np.asarray(unmasked("images", images))
        if x.dtype not in (np.float32, np.float64):
            raise TypeError(f"images is {x.dtype}, expected float32 or float64")
        if x.shape[1:] != (SIDE, SIDE):
            raise ValueError(f"images has shape {x.shape}, expected (n, 8, 8): images.reshape(-1, 8, 8)")
        require("images", x, np.isfinite, "it must be finite")
        return x.astype(np.float64)
