"""Mixtures: one of K distributions is chosen with probabilities w_k, and x is drawn from it.

    p(x) = Σ_k w_k p_k(x),   w = softmax(logits)                                               (1)
    log p(x) = logsumexp_k (log w_k + log p_k(x))                                              (2)
    p(k | x) = w_k p_k(x) / p(x) = softmax_k (log w_k + log p_k(x))                            (3)
    E[x] = m = Σ_k w_k m_k                                                                     (4)
    Var[x] = Σ_k w_k (v_k + (m_k − m)²)                                                        (5)
    P(X ≤ x) = Σ_k w_k F_k(x)                                                                  (6)

This is the smallest latent variable model of lecture p. 3: z = k is not observed, p(z) is w, and the marginal (1) is a
sum that can be carried out. (3) is its exact posterior, called the responsibilities. Far from every component all
p_k(x) are 0 in floating point; (2) and (3) work with their logarithms, and do not mind.

(5) is the variance within the components plus that of their means: no term of it is negative.

Source: Bishop, Pattern Recognition and Machine Learning, 2006, section 2.3.9.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, log_softmax, logsumexp, softmax
from scratchgen.distributions.arguments import Shape, require_shape, shape_of, unmasked
from scratchgen.distributions.categorical import Categorical
from scratchgen.distributions.distribution import Distribution, require_distribution
from scratchgen.random import Rng, generator


class Mixture(Distribution):
    """K distributions of one kind, each with its probability.

    Args:
        logits: (…, K), any numbers; −inf is the logit of probability 0.
        components: a distribution with the batch shape (…, K). Either (…) may be () instead, and then is shared by the
            batch of the other.

    Raises:
        TypeError: for another dtype of logits than float32 and float64, or than that of the components; for
            components that are no distribution.
        ValueError: for NaN or inf in plain logits; for other shapes.

    >>> from scratchgen.distributions import Normal
    >>> p = Mixture(np.log([0.5, 0.5]), Normal(np.array([-4.0, 4.0]), np.zeros(2)))
    >>> p
    Mixture(batch_shape=(), event_shape=())
    >>> p.mean, p.variance
    (np.float64(0.0), np.float64(17.0))
    >>> p.responsibilities(np.array([-0.1, 0.0, 0.1]))
    array([[0.68997448, 0.31002552],
           [0.5       , 0.5       ],
           [0.31002552, 0.68997448]])
    """

    def __init__(self, logits: Any, components: Distribution) -> None:
        require_distribution("components", components)
        self.choice, self.components = Categorical(logits), components
        self.logits, self.dtype, self.event_shape = self.choice.logits, components.dtype, components.event_shape
        if self.logits.dtype != self.dtype:
            raise TypeError(f"logits is {self.logits.dtype}, components are {self.dtype}; convert one with .astype")
        self.batch_shape = batch_shape_of(self.logits.shape, components.batch_shape)

    @property
    def weights(self) -> Any:
        """w, the probability of each component, of the shape of the logits."""
        return self.choice.probabilities

    @property
    def mean(self) -> Any:
        """The expected value (4), batch_shape + event_shape."""
        return self.average(self.components.mean)

    @property
    def variance(self) -> Any:
        """The variance (5) of each component of x, batch_shape + event_shape."""
        between = self.components.mean - np.expand_dims(self.mean, self.axis)
        return self.average(self.components.variance + np.square(between))

    def log_prob(self, x: Any) -> Any:
        """log p(x) (2) in nats, one number per event.

        Args:
            x: (*sample_shape, *batch_shape, *event_shape), as the components take it.

        Raises:
            TypeError: as the components do.
            ValueError: as the components do; for another shape; for a row of logits of nothing but −inf.
        """
        return logsumexp(self.log_joint(x), axis=-1)

    def responsibilities(self, x: Any) -> Any:
        """p(k | x) (3), sample_shape + batch_shape + (K,): it sums to 1 over the last axis.

        Raises:
            TypeError: as ``log_prob``.
            ValueError: as ``log_prob``; for x that is impossible for every component.
        """
        return softmax(self.log_joint(x))

    def log_joint(self, x: Any) -> Any:
        """log w_k + log p_k(x) in nats, sample_shape + batch_shape + (K,): errors as of ``log_prob``."""
        return log_softmax(self.logits) + self.components.log_prob(self.for_each_component(x))

    def cdf(self, x: Any) -> Any:
        """P(X ≤ x) (6), one number per event.

        Raises:
            NotImplementedError: for components that have no cdf.
            TypeError, ValueError: as ``log_prob``.
        """
        return np.sum(self.weights * self.components.cdf(self.for_each_component(x)), axis=-1)

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws, an array n + batch_shape + event_shape: all components are drawn, and one of each K is kept.

        Raises:
            TypeError: for n that is no int or tuple, or rng that is no Generator or seed.
            ValueError: for a negative n; for logits that are NaN or inf, or a row of nothing but −inf.
        """
        rng, shape = generator(rng), shape_of(n) + self.batch_shape
        k = self.choice.sample(shape[: len(shape) - len(self.choice.batch_shape)], rng)
        of_each = self.components.sample(shape[: len(shape) + 1 - len(self.components.batch_shape)], rng)
        kept = np.take_along_axis(of_each, k.reshape(shape + (1,) * -self.axis), self.axis)
        return kept.reshape(shape + self.event_shape)

    def entropy(self) -> Any:
        """Not known in closed form.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "a mixture has no closed form of its entropy; average −log_prob(x) over samples, or over a grid for x of "
            "one or two dimensions"
        )

    @property
    def axis(self) -> int:
        """The axis of the components in what they give for each of them: the last before the event."""
        return -1 - len(self.event_shape)

    def average(self, of_each: Any) -> Any:
        """Σ_k w_k times what each component has, (…, K, *event_shape): batch_shape + event_shape."""
        w = self.weights
        return np.sum(np.reshape(w, w.shape + (1,) * len(self.event_shape)) * of_each, axis=self.axis)

    def for_each_component(self, x: Any) -> Any:
        """x (…, *event_shape), repeated for each component: (…, K, *event_shape)."""
        if not isinstance(x, Tensor):
            x = np.asarray(unmasked("x", x), self.dtype if isinstance(x, float) else None)
        require_shape(x, self.batch_shape + self.event_shape)
        split = x.ndim - len(self.event_shape)
        shape = (*x.shape[:split], self.logits.shape[-1], *x.shape[split:])
        return np.broadcast_to(np.expand_dims(x, split), shape)


def batch_shape_of(logits: Shape, components: Shape) -> Shape:
    """The batch shape of a mixture whose logits and components have these shapes.

    Raises:
        ValueError: unless both end with the same K, and what stands before it is the same, or () in one of them.
    """
    ours, theirs = logits[:-1], components[:-1]
    if components[-1:] != logits[-1:] or not (ours == theirs or () in (ours, theirs)):
        raise ValueError(
            f"logits has shape {logits}, and components have the batch shape {components}; they must be the same "
            "(…, K), or (K,) for one of them"
        )
    return ours or theirs
