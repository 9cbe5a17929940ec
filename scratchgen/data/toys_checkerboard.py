"""A toy with edges: a checkerboard, uniform on its black squares.

    p(x) = 1/A on the black squares, 0 elsewhere,    A their area                               (1)
    H = log A                                                                                   (2)

A flow is continuous and reaches everywhere. It can only approach this density, and what it puts on the white squares
is lost: its gap stays above 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.data.toys import Toy, points_in_the_plane, require_positive
from scratchgen.distributions.arguments import shape_of
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng, generator


class Checkerboard(Toy):
    """Squares on [−size, size)², every other one black, the one at the lower left among them (1).

    Args:
        squares: in a row.
        size: half the side of the board.

    Raises:
        TypeError: for numbers that are none.
        ValueError: for squares less than 1, a size that is not above 0 and finite.

    >>> board = Checkerboard()
    >>> board.log_prob(np.array([[-3.0, -3.0], [-1.0, -3.0]])).round(4)          # −log 32, and outside
    array([-3.4657,    -inf])
    >>> round(board.entropy(), 4)
    3.4657
    """

    def __init__(self, squares: int = 4, size: float = 4.0) -> None:
        require_int("squares", squares, least=1)
        self.squares, self.size = squares, require_positive("size", size)
        self.side = 2 * self.size / squares  # of a square
        i, j = np.meshgrid(np.arange(squares), np.arange(squares), indexing="ij")
        black = (i + j) % 2 == 0
        self.corners = self.side * np.stack([i[black], j[black]], axis=-1) - self.size  # the lower left ones, (K, 2)
        self.area = len(self.corners) * self.side**2
        self.radius, self.spacing = self.size, self.side / 16  # each square of the board is whole cells of the grid

    def sample(self, n: int | tuple[int, ...], rng: Rng) -> np.ndarray:
        """n draws of x, (n, 2): a black square, and a point of it."""
        rng, shape = generator(rng), shape_of(n)
        corner = self.corners[rng.integers(len(self.corners), size=shape)]
        return corner + self.side * rng.random((*shape, 2))

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) (1), (n,): −inf off the black squares. An edge belongs to the square above it, or to its right."""
        x = points_in_the_plane(x)
        black = np.floor((x + self.size) / self.side).sum(axis=-1) % 2 == 0
        inside = ((x >= -self.size) & (x < self.size)).all(axis=-1)
        return np.where(black & inside, -math.log(self.area), -np.inf)

    def entropy(self) -> float:
        """H (2), exactly."""
        return math.log(self.area)
