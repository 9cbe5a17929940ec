"""The Bernoulli distribution by its logit l = log p/(1 − p).

log p(x) = x l − softplus(l),   x ∈ {0, 1}                                                 (1)
entropy  = softplus(l) − l σ(l)                                                            (2)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import bernoulli_log_prob, sigmoid, softplus
from scratchgen.distributions.distribution import Distribution, Shape, shape_of, values
from scratchgen.random import Rng, generator


class Bernoulli(Distribution):
    """A coin for each element, with P(1) = σ(logits).

    Args:
        logits: of the batch shape.

    >>> Bernoulli(np.zeros(2)).log_prob(np.array([0.0, 1.0]))
    array([-0.69314718, -0.69314718])
    """

    def __init__(self, logits: Any) -> None:
        self.logits = logits
        self.batch_shape, self.event_shape = np.shape(logits), ()

    @property
    def mean(self) -> Any:
        """P(1) = σ(logits)."""
        return sigmoid(self.logits)

    @property
    def variance(self) -> Any:
        """p (1 − p)."""
        return sigmoid(self.logits) * sigmoid(-self.logits)

    def log_prob(self, x: Any) -> Any:
        """log p(x) (1), elementwise, for x in {0, 1} (in between it is a cross-entropy, not a log-probability)."""
        self.check(x)
        return bernoulli_log_prob(self.logits, x)

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws of 0 and 1, in the dtype of the logits."""
        p = np.asarray(values(self.mean))
        return (generator(rng).random(shape_of(n) + self.batch_shape) < p).astype(p.dtype)

    def entropy(self) -> Any:
        """The entropy (2) in nats, elementwise."""
        return softplus(self.logits) - self.logits * sigmoid(self.logits)
