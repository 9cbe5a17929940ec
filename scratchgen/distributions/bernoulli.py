"""The Bernoulli distribution by its logit l = log p/(1 − p), so that p = σ(l) and 1 − p = σ(−l).

    log p(x) = x log σ(l) + (1 − x) log σ(−l) = x l − softplus(l),   x ∈ {0, 1}                (1)
    entropy  = σ(l) softplus(−l) + σ(−l) softplus(l)                                           (2)

(2) is −Σ p log p with log σ(l) = −softplus(−l). Both its terms are positive, so no digits cancel; in the shorter
softplus(l) − l σ(l) all of them do for large l.

Source: Bishop, Pattern Recognition and Machine Learning, 2006, equation (2.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import bernoulli_log_prob, sigmoid, softplus
from scratchgen.distributions.arguments import Shape, floats, parameters, require, require_shape, shape_of
from scratchgen.distributions.distribution import Distribution, values
from scratchgen.random import Rng, generator


class Bernoulli(Distribution):
    """A coin for each element, with P(1) = σ(logits).

    Args:
        logits: any numbers, a Tensor or array of the batch shape.

    Raises:
        TypeError: for a dtype that is not float32 or float64.
        ValueError: for NaN or inf in a plain array.

    >>> Bernoulli(np.zeros(2)).log_prob(np.array([0.0, 1.0]))
    array([-0.69314718, -0.69314718])
    """

    def __init__(self, logits: Any) -> None:
        (self.logits,) = parameters(logits=logits)
        self.batch_shape, self.event_shape, self.dtype = self.logits.shape, (), self.logits.dtype

    @property
    def mean(self) -> Any:
        """P(1) = σ(logits), batch_shape."""
        return sigmoid(self.logits)

    @property
    def variance(self) -> Any:
        """p (1 − p), batch_shape."""
        return sigmoid(self.logits) * sigmoid(-self.logits)

    def log_prob(self, x: Any) -> Any:
        """log p(x) (1) in nats, elementwise, for x in {0, 1}.

        In between (1) is a cross-entropy, not a log-probability: so a Bernoulli "likelihood" of grey pixels is none.

        Args:
            x: (*sample_shape, *batch_shape), of the dtype of the logits, or integers or bools.

        Raises:
            TypeError: for another float dtype.
            ValueError: for x outside [0, 1], with value and index, or of another shape.
        """
        x = floats("x", x, self.dtype, whole=True)
        require_shape(x, self.batch_shape)
        return bernoulli_log_prob(self.logits, x)

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws of 0 and 1, an array n + batch_shape in the dtype of the logits.

        Raises:
            TypeError: for n that is no int or tuple, or rng that is no Generator or seed.
            ValueError: for a negative n; for logits that are NaN or inf.
        """
        require("logits", values(self.logits), np.isfinite, "it must be finite")
        ones = generator(rng).random(shape_of(n) + self.batch_shape) < values(self.mean)
        return np.asarray(ones, self.dtype)

    def entropy(self) -> Any:
        """The entropy (2) in nats, elementwise."""
        logits = self.logits
        return sigmoid(logits) * softplus(-logits) + sigmoid(-logits) * softplus(logits)
