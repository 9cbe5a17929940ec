"""Toy data in the plane whose density and entropy are known: the truth to set beside a model of them.

    H = −∫ p(x) log p(x) dx  ≤  −E_p[log p_model(x)]                                            (1)

with equality only for the true density: no model's mean log-likelihood on fresh data exceeds −H, and how far it stays
below is the divergence KL(p ‖ p_model), whatever the model. A lower bound on log p_model, such as a VAE's, stays
further below.

The noisy spiral is a latent-variable model itself, with one latent number:

    u ∈ [0, 1] with density 2u,    c(u) = R u (cos 2πNu, sin 2πNu)       the curve, N turns      (2)
    x = c(u) + s(u) ε,  ε ~ N(0, I),    s(u) = s₀ + (s₁ − s₀) u          the noise               (3)
    p(x) = ∫₀¹ 2u N(x; c(u), s(u)² I) du                                 by quadrature in u      (4)

The density 2u makes up for the speed of the curve, which grows with u: the points lie about evenly along it.

More toys are in the files ``toys_…`` beside this one. ``entropy_gap`` tells how far a model is from their H.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scratchgen.data.quadrature import gauss_legendre, log_integral, require_few
from scratchgen.distributions.arguments import require, shape_of, unmasked
from scratchgen.random import Rng, generator


class Toy(ABC):
    """A density in the plane that can be sampled and evaluated.

    Attributes:
        radius: outside the square [−radius, radius]² there is no probability to speak of (less than 1e-12).
        spacing: the step of a grid fine enough for the sum in ``entropy``.
    """

    radius: float
    spacing: float
    _entropy: float | None = None

    @abstractmethod
    def sample(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws, (n, 2) float64.

        Raises:
            TypeError: for n that is no int or tuple, or rng that is no Generator or seed.
            ValueError: for a negative n.
        """

    @abstractmethod
    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) in nats, (n,) float64 for x (n, 2) of either float type.

        Raises:
            TypeError: for x that is not float32 or float64, or masked.
            ValueError: for x whose last axis is not 2, or with NaN or inf.
        """

    def entropy(self) -> float:
        """H of (1) in nats, by summing over ``grid``; computed at the first call, remembered afterwards.

        The midpoint rule: for a smooth p that vanishes at the edges its error falls faster than any power of the
        spacing.

        Raises:
            ValueError: as ``grid``.
        """
        if self._entropy is None:
            from scipy.special import entr  # −p log p, and 0 at p = 0

            points, area = self.grid()
            self._entropy = float(entr(np.exp(self.log_prob(points))).sum() * area)
        return self._entropy

    def grid(self) -> tuple[np.ndarray, float]:
        """Points (m, 2) that cover the square, no further apart than ``spacing``, and the area that each stands for.

        Raises:
            ValueError: where noise is so thin that this takes more than 5 million points.
        """
        cells = math.ceil(2 * self.radius / self.spacing)
        require_few(cells**2)
        step = 2 * self.radius / cells
        axis = -self.radius + step * (np.arange(cells) + 0.5)
        return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2), step * step


class NoisySpiral(Toy):
    """A spiral with normal noise around it (2–4).

    Args:
        std: s₀, the standard deviation of the noise at the centre.
        end_std: s₁, that at the outer end; by default the same.
        turns: N, how often the spiral winds around the centre.
        size: R, how far from the centre it ends.

    Raises:
        TypeError: for numbers that are none.
        ValueError: for numbers that are not above 0 and finite, or noise so thin that (4) needs more than 5 million
            nodes. Without noise there is no density; ``curve`` has the points of the spiral itself.

    >>> spiral = NoisySpiral(std=0.2)
    >>> x = spiral.sample(5, rng=0)
    >>> x.shape, spiral.log_prob(x).shape
    ((5, 2), (5,))
    >>> round(spiral.entropy(), 4)
    2.5021
    """

    def __init__(self, std: float = 0.1, end_std: float | None = None, turns: float = 1.5, size: float = 3.0) -> None:
        self.std = require_positive("std", std)
        self.end_std = self.std if end_std is None else require_positive("end_std", end_std)
        self.turns, self.size = require_positive("turns", turns), require_positive("size", size)
        thinnest, thickest = min(self.std, self.end_std), max(self.std, self.end_std)
        self.radius = self.size + 8 * thickest
        self.spacing = thinnest / 3
        speed = self.size * math.hypot(1, 2 * math.pi * self.turns)  # |c′(1)|, the greatest
        # A panel of u is at most four standard deviations long: log p is good to 1e-12 wherever data come to lie. Ten
        # standard deviations from the curve, where log p is below −50, it is good to a hundredth of a nat.
        self.nodes, weights = gauss_legendre(0, 1, panels=math.ceil(speed / (4 * thinnest)))
        self.weights = weights * 2 * self.nodes  # with the density of u

    def curve(self, u: Any) -> np.ndarray:
        """The points c(u) of (2), (n, 2) for u (n,): the spiral without noise."""
        u = np.asarray(u, np.float64)
        angle = 2 * np.pi * self.turns * u
        return self.size * u[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def noise(self, u: Any) -> np.ndarray:
        """The standard deviation s(u) of (3), (n,)."""
        return self.std + (self.end_std - self.std) * np.asarray(u, np.float64)

    def sample_latent(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws of u, (n,): the root of a uniform number has density 2u."""
        return np.sqrt(generator(rng).random(shape_of(n)))

    def sample(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws of x (3), (n, 2)."""
        rng = generator(rng)
        u = self.sample_latent(n, rng)
        return self.curve(u) + self.noise(u)[..., None] * rng.standard_normal((*u.shape, 2))

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) (4), (n,)."""
        x = points_in_the_plane(x)
        curve, variance = self.curve(self.nodes), self.noise(self.nodes) ** 2
        log_scale = -np.log(2 * np.pi * variance)  # in two dimensions: −½ · 2 log(2π s²)

        def log_normal(rows: np.ndarray) -> np.ndarray:
            squares = (rows[:, :1] - curve[:, 0]) ** 2 + (rows[:, 1:] - curve[:, 1]) ** 2
            return log_scale - squares / (2 * variance)

        return log_integral(log_normal, x.reshape(-1, 2), self.weights).reshape(x.shape[:-1])


def points_in_the_plane(x: Any) -> np.ndarray:
    """x as float64 points, or the errors of ``Toy.log_prob``."""
    x = np.asarray(unmasked("x", x))
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(f"x is {x.dtype}, expected float32 or float64: x.astype(np.float64)")
    if x.shape[-1:] != (2,):
        raise ValueError(f"x has shape {x.shape}, expected (n, 2): points in the plane")
    require("x", x, np.isfinite, "it must be finite")
    return x.astype(np.float64)


def require_positive(name: str, value: Any) -> float:
    """``value`` as a float, if it is a number above 0 and finite.

    >>> require_positive("std", 0.0)
    Traceback (most recent call last):
    ValueError: std is 0.0; it must be above 0 and finite
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} is {value!r}; it must be a number")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}; it must be above 0 and finite")
    return float(value)
