"""Draws made of noise that does not depend on the parameters: x = f(parameters, noise), so that x has a gradient.

What each distribution takes for its noise is its own matter, and is said there: normal, uniform or Gumbel numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from scratchgen.distributions.arguments import Shape, require_noise
from scratchgen.distributions.distribution import Distribution
from scratchgen.random import Rng


class Reparameterised(Distribution):
    """A distribution whose ``rsample`` needs as many numbers of noise as its draws have."""

    @abstractmethod
    def draw_noise(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """The noise of n draws, n + batch_shape + event_shape, in the dtype of the parameters."""

    def noise_for(self, n: int | Shape, rng: Rng | None, noise: Any) -> Any:
        """The noise of n draws: what was given, once it is known to fit, whatever rng is; or else drawn.

        Raises:
            TypeError: without either; for noise of another dtype.
            ValueError: for a negative n, or noise of another shape; for NaN or inf in it.
        """
        if noise is not None:
            return require_noise(noise, n, self.batch_shape + self.event_shape, self.dtype)
        if rng is None:
            raise TypeError("rsample needs rng, or the noise itself")
        return self.draw_noise(n, rng)
