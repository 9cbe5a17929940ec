"""Vectors, images … of independent components, made of a batch of numbers.

    log p(x) = Σ_j log p_j(x_j)                                                                (1)
    H(p) = Σ_j H(p_j)                                                                          (2)
    P(X_1 ≤ x_1, X_2 ≤ x_2, …) = Π_j F_j(x_j)                                                  (3)

A sum, not a mean: a mean would be the logarithm of the D-th root of p(x), and an ELBO made with it would be no bound on
log p(x).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions.arguments import Shape
from scratchgen.distributions.distribution import Distribution, require_distribution
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng


class Independent(Distribution):
    """The last ``event_dims`` batch axes of ``base`` taken together as one event.

    Args:
        base: a distribution with at least so many batch axes.
        event_dims: how many become event axes, 1 or more.

    Raises:
        TypeError: for a base that is no distribution; for event_dims that is no int.
        ValueError: for event_dims that is not from 1 to the number of batch axes.

    >>> from scratchgen.distributions import Normal
    >>> p = Independent(Normal(np.zeros((5, 3)), np.zeros((5, 3))), 1)
    >>> p
    Independent(batch_shape=(5,), event_shape=(3,))
    >>> p.log_prob(np.zeros((5, 3))).shape
    (5,)
    """

    def __init__(self, base: Distribution, event_dims: int) -> None:
        require_distribution("base", base)
        require_int("event_dims", event_dims)
        if event_dims > len(base.batch_shape):
            raise ValueError(f"event_dims is {event_dims}; {base} has {len(base.batch_shape)} batch axes to take")
        split = len(base.batch_shape) - event_dims
        self.base, self.event_dims, self.dtype = base, event_dims, base.dtype
        self.batch_shape, self.event_shape = base.batch_shape[:split], base.batch_shape[split:] + base.event_shape

    @property
    def mean(self) -> Any:
        """The expected value, batch_shape + event_shape."""
        return self.base.mean

    @property
    def variance(self) -> Any:
        """The variance of each component, batch_shape + event_shape."""
        return self.base.variance

    def log_prob(self, x: Any) -> Any:
        """log p(x) (1), one number per event; x is checked by ``base``."""
        return self.total(self.base.log_prob(x))

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws, an array n + batch_shape + event_shape."""
        return self.base.sample(n, rng)

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> Any:
        """n draws as a differentiable function of the parameters, if ``base`` has them."""
        return self.base.rsample(n, rng, noise)

    def entropy(self) -> Any:
        """The entropy (2) in nats, batch_shape."""
        return self.total(self.base.entropy())

    def cdf(self, x: Any) -> Any:
        """The probability (3) that every component is at most that of x, one number per event."""
        return np.prod(self.base.cdf(x), axis=tuple(range(-self.event_dims, 0)))

    def icdf(self, p: Any) -> Any:
        """None: many vectors have the same probability (3).

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "a vector has no icdf, since many have the same cdf; .base.icdf(p) inverts that of each component"
        )

    def total(self, per_component: Any) -> Any:
        """The sum over the axes that became the event."""
        return np.sum(per_component, axis=tuple(range(-self.event_dims, 0)))
