"""Toys of points along several curves, with normal noise around them.

Two moons, k = 0 and k = 1 with probability ½ each:

    x = c_k(t) + s ε,    t uniform on [0, π],  ε ~ N(0, I)                                      (1)
    c_0(t) = (cos t, sin t),    c_1(t) = (1 − cos t, ½ − sin t)          half circles           (2)
    p(x | k) = (1/π) ∫₀^π N(x; c_k(t), s² I) dt                          by quadrature in t      (3)
    p(x) = ½ p(x | 0) + ½ p(x | 1)                                                              (4)

With its nodes and weights, (3) is a mixture of normal distributions; the moons are kept as just that.

Spirals are one noisy spiral, turned by any of K angles with equal probability:

    x = R(2πk/K) y,  y from a NoisySpiral,    p(x) = (1/K) Σ_k p_y(R(−2πk/K) x)                  (5)

Source: two moons as in scikit-learn's ``make_moons``, with t drawn and not on a grid.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.data.quadrature import gauss_legendre
from scratchgen.data.toys import NoisySpiral, Toy, points_in_the_plane, require_positive
from scratchgen.data.toys_gaussians import Gaussians
from scratchgen.distributions.arguments import shape_of
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng, generator


class TwoMoons(Toy):
    """Two half circles, each reaching into the other (1–4).

    Args:
        std: s, the standard deviation of the noise.

    Attributes:
        moons: p(x | k) (3), a pair of densities: Toys themselves.

    Raises:
        TypeError: for a std that is no number.
        ValueError: for one that is not above 0 and finite, or so small that (3) needs more than 5 million nodes.

    >>> two = TwoMoons(std=0.1)
    >>> x, k = two.sample_labelled(5, rng=0)
    >>> x.shape, k.tolist(), two.log_prob(x).shape
    ((5, 2), [1, 1, 1, 0, 0], (5,))
    >>> round(two.entropy(), 4), round(two.moons[0].entropy(), 4)                # nearly log 2 less, given k
    (1.0076, 0.3163)
    """

    def __init__(self, std: float = 0.1) -> None:
        self.std = require_positive("std", std)
        # The curves have speed 1; a panel is four standard deviations long, as of the NoisySpiral.
        t, weights = gauss_legendre(0, math.pi, panels=math.ceil(math.pi / (4 * self.std)))
        self.moons = tuple(Gaussians(self.curve(t, np.array(k)), self.std, weights / math.pi) for k in (0, 1))
        self.radius = 2 + 8 * self.std
        self.spacing = self.std / 3

    @staticmethod
    def curve(t: Any, k: Any) -> np.ndarray:
        """The points c_k(t) of (2), (n, 2) for t and k (n,): the moons without noise."""
        first = np.stack([np.cos(t), np.sin(t)], axis=-1)
        return np.where(np.asarray(k)[..., None] == 0, first, [1.0, 0.5] - first)

    def sample(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws of x (1), (n, 2)."""
        return self.sample_labelled(n, rng)[0]

    def sample_labelled(self, n: int | tuple[int, ...], rng: Rng) -> tuple[np.ndarray, np.ndarray]:
        """n draws of x (1) and the k of each, (n, 2) and (n,) int64: errors as of ``sample``."""
        rng, shape = generator(rng), shape_of(n)
        k, t = rng.integers(2, size=shape), math.pi * rng.random(shape)
        return self.curve(t, k) + self.std * rng.standard_normal((*shape, 2)), k

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) (4), (n,)."""
        return np.logaddexp(*(moon.log_prob(x) for moon in self.moons)) - math.log(2)


class Spirals(Toy):
    """Several spirals, wound into each other (5).

    Args:
        arms: K, how many.
        std: the standard deviation of the noise.
        turns: how often each winds around the centre.
        size: how far from the centre they end.

    Raises:
        TypeError, ValueError: for arms that is no int, or less than 1; as ``NoisySpiral``.

    >>> two, one = Spirals(arms=2, std=0.2), NoisySpiral(std=0.2)
    >>> round(two.entropy() - one.entropy(), 4)                          # less than log 2: near the centre they overlap
    0.6579
    """

    def __init__(self, arms: int = 2, std: float = 0.1, turns: float = 1.5, size: float = 3.0) -> None:
        require_int("arms", arms, least=1)
        self.arms, self.spiral = arms, NoisySpiral(std, turns=turns, size=size)
        self.radius, self.spacing = self.spiral.radius, self.spiral.spacing

    def sample(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws of x (5), (n, 2)."""
        rng = generator(rng)
        y = self.spiral.sample(n, rng)
        return turned(y, 2 * np.pi * rng.integers(self.arms, size=y.shape[:-1]) / self.arms)

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) (5), (n,)."""
        x = points_in_the_plane(x)
        angles = 2 * np.pi * np.arange(self.arms) / self.arms
        of_each = [self.spiral.log_prob(turned(x, -angle)) for angle in angles]
        return np.logaddexp.reduce(of_each, axis=0) - math.log(self.arms)


def turned(x: np.ndarray, angle: Any) -> np.ndarray:
    """R(angle) x: points (…, 2), each turned about 0 by its angle (…), anticlockwise.

    >>> turned(np.array([[1.0, 0.0]]), np.array([np.pi / 2])).round(12)
    array([[0., 1.]])
    """
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1]], axis=-1)
