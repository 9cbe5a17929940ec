"""What every distribution can do, and how its shapes are counted.

The shape of a sample has three parts, in this order:

    sample_shape + batch_shape + event_shape                                                   (1)

``sample_shape`` is how many were asked for; ``batch_shape`` is how many distributions there are, each with its own
parameters; ``event_shape`` is one draw from one of them. ``log_prob`` gives one number, in nats, per event:

    log_prob(x): sample_shape + batch_shape                                                    (2)

Parameters may be Tensors or arrays; with Tensors everything but ``sample`` is differentiable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.random import Rng

Shape = tuple[int, ...]


def shape_of(n: int | Shape) -> Shape:
    """``n`` as a shape: 5 is (5,), and () is a single draw."""
    return (n,) if isinstance(n, (int, np.integer)) else tuple(n)


def values(x: Any) -> Any:
    """The plain array within a Tensor; anything else as it is."""
    return x.data if isinstance(x, Tensor) else x


class Distribution(ABC):
    """A probability distribution, or a batch of them; see the module for its shapes."""

    batch_shape: Shape
    event_shape: Shape

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

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: np.ndarray | None = None) -> Any:
        """n draws as a differentiable function of the parameters and of noise that does not depend on them.

        Raises:
            NotImplementedError: where there is no such function, as for discrete distributions.
        """
        raise NotImplementedError(f"{type(self).__name__} has no reparameterised samples; sample() has no gradient")

    @abstractmethod
    def entropy(self) -> Any:
        """−E[log p(x)] in nats, batch_shape."""

    def check(self, x: Any) -> None:
        """Refuse x whose last axes are not batch_shape + event_shape.

        Raises:
            ValueError: saying both shapes.
        """
        expected, got = self.batch_shape + self.event_shape, np.shape(values(x))
        if got[len(got) - len(expected) :] == expected and len(got) >= len(expected):
            return
        hint = "; did you mean x[:, 0]?" if got == (*expected, 1) else ""
        hint = "; did you mean x[:, None]?" if (*got, 1) == expected else hint
        raise ValueError(f"x has shape {got}; its last axes must be {expected}, batch shape and event shape{hint}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_shape={self.batch_shape}, event_shape={self.event_shape})"


class Independent(Distribution):
    """The last ``event_dims`` batch axes of ``base`` taken together as one event: independent components, so their
    log-probabilities and entropies add up.

    >>> from scratchgen.distributions import Normal
    >>> p = Independent(Normal(np.zeros((5, 3)), np.zeros((5, 3))), 1)
    >>> p
    Independent(batch_shape=(5,), event_shape=(3,))
    >>> p.log_prob(np.zeros((5, 3))).shape
    (5,)
    """

    def __init__(self, base: Distribution, event_dims: int) -> None:
        if not 0 < event_dims <= len(base.batch_shape):
            raise ValueError(f"event_dims is {event_dims}; {base} has {len(base.batch_shape)} batch axes to take")
        split = len(base.batch_shape) - event_dims
        self.base, self.event_dims = base, event_dims
        self.batch_shape, self.event_shape = base.batch_shape[:split], base.batch_shape[split:] + base.event_shape

    @property
    def mean(self) -> Any:
        """The expected value."""
        return self.base.mean

    @property
    def variance(self) -> Any:
        """The variance of each component."""
        return self.base.variance

    def log_prob(self, x: Any) -> Any:
        """Σ log p(x_j) over the components."""
        return self.total(self.base.log_prob(x))

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws."""
        return self.base.sample(n, rng)

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: np.ndarray | None = None) -> Any:
        """n draws as a differentiable function of the parameters."""
        return self.base.rsample(n, rng, noise)

    def entropy(self) -> Any:
        """The sum of the components' entropies."""
        return self.total(self.base.entropy())

    def total(self, per_component: Any) -> Any:
        """The sum over the axes that became the event."""
        return np.sum(per_component, axis=tuple(range(-self.event_dims, 0)))
