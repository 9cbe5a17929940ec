"""The categorical distribution over 0 … K − 1 by its logits, any numbers l_k with p_k ∝ exp(l_k).

    log p(k) = l_k − logsumexp(l)                                                              (1)
    entropy  = −Σ_k p_k log p_k                                                                (2)

Source: Bishop, Pattern Recognition and Machine Learning, 2006, equation (2.26).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import categorical_log_prob, log_softmax, softmax
from scratchgen.distributions.arguments import Shape, array_of, require, require_shape, shape_of, unmasked
from scratchgen.distributions.distribution import Distribution, values
from scratchgen.random import Rng, generator


class Categorical(Distribution):
    """A die with K sides for each element of the batch.

    Args:
        logits: (…, K), of which (…) is the batch shape. −inf is the logit of probability 0.

    Raises:
        TypeError: for a dtype that is not float32 or float64.
        ValueError: for no categories; for NaN or inf in a plain array. A row of nothing but −inf is refused where it is
            used.

    >>> p = Categorical(np.log([[0.5, 0.25, 0.25]]))
    >>> np.exp(p.log_prob(np.array([1])))
    array([0.25])
    """

    def __init__(self, logits: Any) -> None:
        self.logits = array_of("logits", logits)
        shape = np.shape(self.logits)
        if not shape or shape[-1] == 0:
            raise ValueError(f"logits has shape {shape}; it must be (…, K) with at least one category")
        require_logits(self.logits)
        self.batch_shape, self.event_shape, self.dtype = shape[:-1], (), self.logits.dtype

    @property
    def probabilities(self) -> Any:
        """(…, K), summing to 1."""
        return softmax(self.logits)

    @property
    def mean(self) -> Any:
        """Σ_k k p_k, batch_shape: the mean of the numbers 0 … K − 1, which says something where they are levels."""
        p = self.probabilities
        return np.sum(p * self.levels, axis=-1)

    @property
    def variance(self) -> Any:
        """Σ_k p_k (k − mean)², batch_shape."""
        p = self.probabilities
        mean = np.sum(p * self.levels, axis=-1, keepdims=True)
        return np.sum(p * np.square(self.levels - mean), axis=-1)

    @property
    def levels(self) -> np.ndarray:
        """0 … K − 1 in the dtype of the logits."""
        return np.arange(self.logits.shape[-1], dtype=self.dtype)

    def log_prob(self, x: Any) -> Any:
        """log p(x) (1) in nats, elementwise.

        Args:
            x: integers (*sample_shape, *batch_shape).

        Raises:
            TypeError: for x that are not integers; for a masked array.
            ValueError: for x outside 0 … K − 1, with value and index; for another shape; for a row of logits of
                nothing but −inf.
        """
        require_shape(unmasked("x", x), self.batch_shape)
        logits, shape = self.logits, np.shape(x)
        if shape != self.batch_shape:  # a sample shape: every row of logits is asked several times
            logits = np.broadcast_to(logits, (*shape, logits.shape[-1]))
        return categorical_log_prob(logits, x)

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws of integers, an array n + batch_shape, by the inverse of the cumulative distribution.

        Raises:
            TypeError: for n that is no int or tuple, or rng that is no Generator or seed.
            ValueError: for a negative n; for logits that are NaN or inf, or a row of nothing but −inf.
        """
        require_logits(values(self.logits))
        cumulative = np.cumsum(values(self.probabilities), axis=-1, dtype=np.float64)
        u = generator(rng).random(shape_of(n) + self.batch_shape)[..., None] * cumulative[..., -1:]
        return np.asarray(np.sum(u >= cumulative, axis=-1))  # u < its total, even rounded: so never K

    def entropy(self) -> Any:
        """The entropy (2) in nats, batch_shape, with 0 log 0 = 0."""
        log_p = log_softmax(self.logits)
        p = np.exp(log_p)
        return -np.sum(p * np.where(p > 0, log_p, np.zeros_like(p)), axis=-1)


def require_logits(logits: Any) -> None:
    """Refuse a plain array with NaN or inf.

    Raises:
        ValueError: with value and index.
    """
    require("logits", logits, lambda logit: logit < np.inf, "it must be finite, or -inf for probability 0")
