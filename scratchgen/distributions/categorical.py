"""The categorical distribution over 0 … K − 1 by its logits, any numbers l_k with p_k ∝ exp(l_k).

log p(k) = l_k − logsumexp(l)                                                              (1)
entropy  = −Σ_k p_k log p_k                                                                (2)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import categorical_log_prob, log_softmax, softmax
from scratchgen.distributions.distribution import Distribution, Shape, shape_of, values
from scratchgen.random import Rng, generator


class Categorical(Distribution):
    """A die with K sides for each element of the batch.

    Args:
        logits: (…, K), of which (…) is the batch shape.

    >>> p = Categorical(np.log([[0.5, 0.25, 0.25]]))
    >>> np.exp(p.log_prob(np.array([1])))
    array([0.25])
    """

    def __init__(self, logits: Any) -> None:
        self.logits = logits
        self.batch_shape, self.event_shape = np.shape(logits)[:-1], ()

    @property
    def probabilities(self) -> Any:
        """(…, K), summing to 1."""
        return softmax(self.logits)

    @property
    def mean(self) -> Any:
        """Σ_k k p_k: the mean of the numbers 0 … K − 1, which says something where they are levels."""
        p = self.probabilities
        return np.sum(p * self.levels(p), axis=-1)

    @property
    def variance(self) -> Any:
        """Σ_k k² p_k − mean²."""
        p, mean = self.probabilities, self.mean
        return np.sum(p * np.square(self.levels(p) - np.expand_dims(mean, -1)), axis=-1)

    @staticmethod
    def levels(p: Any) -> np.ndarray:
        """0 … K − 1 in the dtype of p."""
        return np.arange(p.shape[-1], dtype=p.dtype)

    def log_prob(self, x: Any) -> Any:
        """log p(x) (1) for integers x."""
        self.check(x)
        return categorical_log_prob(self.logits, x)

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws of integers, by the inverse of the cumulative distribution."""
        cumulative = np.cumsum(np.asarray(values(self.probabilities), np.float64), axis=-1)
        u = generator(rng).random(shape_of(n) + self.batch_shape)[..., None] * cumulative[..., -1:]
        return np.sum(u >= cumulative, axis=-1)

    def entropy(self) -> Any:
        """The entropy (2) in nats, 0 log 0 = 0."""
        log_p = log_softmax(self.logits)
        p = np.exp(log_p)
        return -np.sum(p * np.where(p > 0, log_p, np.zeros_like(p)), axis=-1)
