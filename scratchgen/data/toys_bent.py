"""Toys that are normal distributions, bent by a map that keeps areas: flows themselves, with log |det| = 0.

The banana,

    x_1 = a ε_1,    x_2 = b ε_2 + c (x_1² − a²),    ε ~ N(0, I)                                 (1)
    log p(x) = log N(x_1; 0, a²) + log N(x_2 − c (x_1² − a²); 0, b²)                            (2)
    H = 1 + log 2π + log a b                                                                    (3)

Each x_1 has its own shift of x_2, so areas are kept and H is that of the normal distribution. The mean of x is 0.

The pinwheel has K arms; a point of an arm is turned by an angle that grows with its distance from the centre:

    y = (d + s_1 ε_1, s_2 ε_2),    x = R(2πk/K + w e^{r/d}) y,  r = |y|,  k uniform             (4)
    p(x) = q(R(−w e^{r/d}) x),     q(y) = (1/K) Σ_k p_y(R(−2πk/K) y),  r = |x| = |y|            (5)

In polar coordinates this is (r, φ) ↦ (r, φ + w e^{r/d}), which keeps areas: H is that of the straight arms q.

Source: the banana of Haario et al., Computational Statistics 14, 1999; the pinwheel of Johnson et al.,
arXiv:1603.06277, but that there the angle depends on y_1: that map does not keep areas, and where it folds it has no
inverse. With these numbers the two are hard to tell apart.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.data.toys import Toy, points_in_the_plane, require_positive
from scratchgen.data.toys_curves import turned
from scratchgen.distributions.arguments import shape_of
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng, generator


class Banana(Toy):
    """A normal distribution bent into a parabola (1).

    Args:
        long_std: a, the standard deviation of x_1.
        short_std: b, that of x_2 given x_1.
        bend: c, above 0: the ends point upwards.

    Raises:
        TypeError: for numbers that are none.
        ValueError: for numbers that are not above 0 and finite.

    >>> banana = Banana(long_std=2.0, short_std=0.5)
    >>> banana.log_prob(banana.sample(3, rng=0)).shape, round(banana.entropy(), 4)                  # 1 + log 2π
    ((3,), 2.8379)
    """

    def __init__(self, long_std: float = 2.0, short_std: float = 0.5, bend: float = 0.25) -> None:
        self.long_std, self.short_std = require_positive("long_std", long_std), require_positive("short_std", short_std)
        self.bend = require_positive("bend", bend)
        reach = 7.2  # standard deviations, beyond which are 1e-12
        self.radius = max(reach * self.long_std, reach * self.short_std + float(self.middle(reach * self.long_std)))
        self.spacing = self.short_std / 3

    def middle(self, x1: Any) -> Any:
        """c (x_1² − a²) of (1): the mean of x_2 given x_1."""
        return self.bend * (np.square(x1) - self.long_std**2)

    def sample(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws of x (1), (n, 2)."""
        noise = generator(rng).standard_normal((*shape_of(n), 2))
        x1 = self.long_std * noise[..., 0]
        return np.stack([x1, self.middle(x1) + self.short_std * noise[..., 1]], axis=-1)

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) (2), (n,)."""
        x = points_in_the_plane(x)
        first, second = x[..., 0] / self.long_std, (x[..., 1] - self.middle(x[..., 0])) / self.short_std
        return -0.5 * (first**2 + second**2) - math.log(2 * math.pi * self.long_std * self.short_std)

    def entropy(self) -> float:
        """H (3), exactly."""
        return 1 + math.log(2 * math.pi * self.long_std * self.short_std)


class Pinwheel(Toy):
    """A wheel of bent arms (4).

    Args:
        arms: K.
        distance: d, from the centre to the middle of an arm.
        long_std: s_1, along an arm.
        short_std: s_2, across it.
        twist: w, in radians.

    Raises:
        TypeError: for numbers that are none.
        ValueError: for arms less than 1; for other numbers that are not above 0 and finite.

    >>> wheel, faster = Pinwheel(), Pinwheel(twist=0.5)
    >>> round(wheel.entropy(), 4), wheel.entropy() == faster.entropy()
    (2.3206, True)
    """

    def __init__(
        self, arms: int = 5, distance: float = 2.0, long_std: float = 0.6, short_std: float = 0.2, twist: float = 0.25
    ) -> None:
        require_int("arms", arms, least=1)
        self.arms, self.distance = arms, require_positive("distance", distance)
        self.long_std, self.short_std = require_positive("long_std", long_std), require_positive("short_std", short_std)
        self.twist = require_positive("twist", twist)
        self.radius = self.distance + 8 * max(self.long_std, self.short_std)
        self.spacing = min(self.long_std, self.short_std) / 5  # the turn makes bent arms thinner than straight ones

    def turn(self, x: np.ndarray, sign: int) -> np.ndarray:
        """Turn each point by sign · w e^{r/d}: 1 bends straight arms, −1 straightens bent ones."""
        growth = np.exp(np.minimum(np.hypot(x[..., 0], x[..., 1]) / self.distance, 700))  # where p is 0: no overflow
        return turned(x, sign * self.twist * growth)

    def sample(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws of x (4), (n, 2)."""
        rng, shape = generator(rng), shape_of(n)
        y = np.array([self.distance, 0.0]) + [self.long_std, self.short_std] * rng.standard_normal((*shape, 2))
        return self.turn(turned(y, 2 * np.pi * rng.integers(self.arms, size=shape) / self.arms), 1)

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) (5), (n,)."""
        return self.log_prob_of_straight(self.turn(points_in_the_plane(x), -1))

    def log_prob_of_straight(self, y: np.ndarray) -> np.ndarray:
        """log q(y) (5), (n,): the arms before they are bent."""
        of_arms = turned(y[..., None, :], -2 * np.pi * np.arange(self.arms) / self.arms)  # (n, K, 2)
        standard = (of_arms - [self.distance, 0.0]) / [self.long_std, self.short_std]
        log_normal = -0.5 * (standard**2).sum(axis=-1) - math.log(2 * math.pi * self.long_std * self.short_std)
        return np.logaddexp.reduce(log_normal, axis=-1) - math.log(self.arms)

    def entropy(self) -> float:
        """H in nats, summed over the straight arms, which are smoother."""
        if self._entropy is None:
            from scipy.special import entr

            points, area = self.grid()
            self._entropy = float(entr(np.exp(self.log_prob_of_straight(points))).sum() * area)
        return self._entropy
