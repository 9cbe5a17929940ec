"""What every distribution can do, and how its shapes are counted.

The shape of a sample has three parts, in this order:

    sample_shape + batch_shape + event_shape                                                   (1)

``sample_shape`` is how many were asked for; ``batch_shape`` is how many distributions there are, each with its own
parameters; ``event_shape`` is one draw from one of them. ``log_prob`` gives one number per event, a natural logarithm,
whose unit is the *nat*:

    log_prob(x): sample_shape + batch_shape                                                    (2)

Parameters may be Tensors or arrays; with Tensors everything but ``sample`` is differentiable.

Source of the three shapes: Dillon et al., TensorFlow Distributions, arXiv:1711.10604, section 3.3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions.arguments import Shape
from scratchgen.random import Rng


def values(x: Any) -> np.ndarray:
    """The plain array within a Tensor, or x itself as an array."""
    return x.data if isinstance(x, Tensor) else np.asarray(x)


def require_distribution(name: str, value: Any) -> None:
    """Refuse what is no distribution, such as a list of some.

    Raises:
        TypeError: with what it is.

    >>> require_distribution("components", [])
    Traceback (most recent call last):
    TypeError: components is a list; it must be a Distribution, such as Normal(mean, logvar), which may be a batch
    """
    if not isinstance(value, Distribution):
        got = type(value).__name__
        raise TypeError(
            f"{name} is a {got}; it must be a Distribution, such as Normal(mean, logvar), which may be a batch"
        )


class Distribution(ABC):
    """A probability distribution, or a batch of them; see the module for its shapes.

    Attributes:
        batch_shape: the shape of the batch, () for a single distribution.
        event_shape: the shape of one draw, () for a number.
        dtype: of the parameters, and so of x where it is not an integer.
    """

    batch_shape: Shape
    event_shape: Shape
    dtype: np.dtype

    @property
    @abstractmethod
    def mean(self) -> Any:
        """The expected value, batch_shape + event_shape."""

    @property
    @abstractmethod
    def variance(self) -> Any:
        """The variance of each component, batch_shape + event_shape."""

    @abstractmethod
    def log_prob(self, x: Any) -> Any:
        """log p(x) in nats, one number per event (2)."""

    @abstractmethod
    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws, an array of shape (1) outside any graph."""

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> Any:
        """n draws as a differentiable function of the parameters and of noise that does not depend on them.

        Raises:
            NotImplementedError: where there is no such function, as for discrete distributions.
        """
        raise NotImplementedError(f"{type(self).__name__} has no reparameterised samples; sample() has no gradient")

    def rsample_and_log_prob(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> tuple[Any, Any]:
        """n draws as of ``rsample`` and their log p(x), both differentiable.

        A flow knows the density of what it draws as it draws it, and would have to go the whole way back for
        ``log_prob``; hence one method for the two.

        Raises:
            NotImplementedError: as ``rsample``.
        """
        x = self.rsample(n, rng, noise)
        return x, self.log_prob(x)

    @abstractmethod
    def entropy(self) -> Any:
        """−E[log p(x)] in nats, batch_shape."""

    def cdf(self, x: Any) -> Any:
        """The cumulative distribution function P(X ≤ x), one number per event (2).

        Raises:
            NotImplementedError: where there is no closed form here.
        """
        raise NotImplementedError(f"{type(self).__name__} has no cdf here; estimate P(X ≤ x) by the share of samples")

    def icdf(self, p: Any) -> Any:
        """The x with P(X ≤ x) = p, the inverse of ``cdf``.

        Raises:
            NotImplementedError: where there is no closed form here.
        """
        raise NotImplementedError(f"{type(self).__name__} has no icdf here; estimate it by a quantile of samples")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_shape={self.batch_shape}, event_shape={self.event_shape})"
