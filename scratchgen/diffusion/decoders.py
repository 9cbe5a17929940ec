"""The last step, from x_1 to data: p(x_0 | x_1), for data that are real numbers and for data that are grey levels.

    real numbers     N(x_0; μ, σ²), a density                                                  (1)
    L levels         the mass of N(μ, σ²) in the bin of each level, which sums to 1            (2)

μ and σ² are those of the reverse step at t = 1, on the scale that the network works on. That scale is the data's own
for (1). Levels 0 … L − 1 are spread over [−1, 1], a bin being 2/(L − 1) wide, whatever L is:

    network's = 2 level/(L − 1) − 1,    so in levels  μ' = ½ (L − 1)(1 + μ),  σ' = ½ (L − 1) σ          (3)

Source: Ho et al., arXiv:2006.11239, equation (13), which is (2) for L = 256.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scratchgen.distributions import DiscretisedNormal, Normal
from scratchgen.distributions.arguments import floats, require, unmasked
from scratchgen.distributions.numbers import require_int


class Decoder(ABC):
    """How data look to the network, and p(x_0 | x_1)."""

    @abstractmethod
    def to_network(self, x: Any, dtype: np.dtype) -> Any:
        """Data (B, …) on the scale that the network works on."""

    @abstractmethod
    def log_prob(self, x: Any, mean: Any, logvar: Any) -> Any:
        """log p(x_0 | x_1) in nats for each component, (B, …)."""

    @abstractmethod
    def to_data(self, x: np.ndarray) -> np.ndarray:
        """From the network's scale to data: what a sample ends as."""


class RealDecoder(Decoder):
    """Data that are real numbers (1), on their own scale.

    >>> RealDecoder().log_prob(np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2))).round(4)
    array([[-0.9189, -0.9189]])
    """

    def to_network(self, x: Any, dtype: np.dtype) -> Any:
        """x itself.

        Raises:
            TypeError: for another dtype.
            ValueError: for NaN or inf, with the index.
        """
        x = floats("x", x, dtype)
        require("x", x, np.isfinite, "it must be finite")
        return x

    def log_prob(self, x: Any, mean: Any, logvar: Any) -> Any:
        """The density (1)."""
        return Normal(mean, logvar).log_prob(x)

    def to_data(self, x: np.ndarray) -> np.ndarray:
        """x itself."""
        return x


class LevelDecoder(Decoder):
    """Data that are levels 0 … L − 1 (2).

    Args:
        levels: L: 2, 17 for ``digits``, 256 for bytes.

    Raises:
        TypeError, ValueError: for levels that is no int, or less than 2.

    >>> decoder = LevelDecoder(17)
    >>> decoder.to_network(np.array([[0, 8, 16]]), np.dtype(np.float64))
    array([[-1.,  0.,  1.]])
    >>> decoder.log_prob(np.array([[8]]), np.zeros((1, 1)), np.full((1, 1), -8.0)).round(4)   # σ' is 0.147 levels
    array([[-0.0006]])
    """

    def __init__(self, levels: int) -> None:
        require_int("levels", levels, least=2)
        self.levels = levels

    def to_network(self, x: Any, dtype: np.dtype) -> np.ndarray:
        """Levels on [−1, 1] (3).

        Raises:
            TypeError: for x that are no integers.
            ValueError: for one that is not from 0 to L − 1, with its index.
        """
        x = np.asarray(unmasked("x", x))
        if x.dtype.kind not in "iu":
            raise TypeError(f"x is {x.dtype}; levels are integers from 0 to {self.levels - 1}")
        require("x", x, lambda level: (level >= 0) & (level < self.levels), f"levels are 0 to {self.levels - 1}")
        return (2.0 * x / (self.levels - 1) - 1.0).astype(dtype)

    def log_prob(self, x: Any, mean: Any, logvar: Any) -> Any:
        """The mass (2) of the bin, by (3)."""
        half = 0.5 * (self.levels - 1)
        return DiscretisedNormal(half * (1.0 + mean), logvar + 2.0 * math.log(half), self.levels).log_prob(x)

    def to_data(self, x: np.ndarray) -> np.ndarray:
        """The nearest level, int64."""
        return np.rint(0.5 * (self.levels - 1) * (1.0 + x)).clip(0, self.levels - 1).astype(np.int64)
