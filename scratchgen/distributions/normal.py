"""The normal distribution by its mean and the logarithm of its variance.

    log N(x; m, eᵛ) = −½ (log 2π + v + (x − m)² e^{−v})                                        (1)
    x = m + e^{v/2} ε,  ε ~ N(0, 1)            the reparameterisation of lecture p. 6          (2)
    entropy = ½ (1 + log 2π + v)                                                               (3)

The log-variance v may be any number, so a network can give it without a constraint.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import gaussian_log_prob
from scratchgen.distributions.distribution import Distribution, Shape, shape_of, values
from scratchgen.random import Rng, generator

LOG_2PI = 1.8378770664093453


class Normal(Distribution):
    """N(mean, exp(logvar)), independently for each element; ``Independent`` makes vectors of it.

    Args:
        mean: the mean.
        logvar: log of the variance; its shape and the mean's broadcast to the batch shape.

    >>> p = Normal(np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    >>> p.log_prob(np.zeros(2))
    array([-0.91893853, -1.98660617])
    """

    def __init__(self, mean: Any, logvar: Any) -> None:
        self._mean, self.logvar = mean, logvar
        self.batch_shape, self.event_shape = np.broadcast_shapes(np.shape(mean), np.shape(logvar)), ()

    @property
    def mean(self) -> Any:
        """The mean."""
        return self._mean

    @property
    def variance(self) -> Any:
        """exp(logvar)."""
        return np.exp(self.logvar)

    @property
    def std(self) -> Any:
        """The standard deviation, exp(½ logvar)."""
        return np.exp(0.5 * self.logvar)

    def log_prob(self, x: Any) -> Any:
        """The log-density (1), elementwise."""
        self.check(x)
        return gaussian_log_prob(x, self.mean, self.logvar)

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws."""
        return np.asarray(values(self.mean) + np.exp(0.5 * values(self.logvar)) * self.noise(n, rng))

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: np.ndarray | None = None) -> Any:
        """n draws (2); ``noise`` is ε, drawn from ``rng`` unless it is given."""
        if noise is None:
            if rng is None:
                raise TypeError("rsample needs rng, or the noise itself")
            noise = self.noise(n, rng)
        return self.mean + self.std * noise

    def noise(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """ε ~ N(0, 1) for n draws, in the dtype of the mean."""
        dtype = np.float32 if getattr(self.mean, "dtype", None) == np.float32 else np.float64
        return generator(rng).standard_normal(shape_of(n) + self.batch_shape, dtype=dtype)

    def entropy(self) -> Any:
        """The differential entropy (3), elementwise; it can be negative."""
        return 0.5 * (1.0 + LOG_2PI + self.logvar) + np.zeros_like(self.mean)
