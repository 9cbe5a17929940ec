"""What a decoder says of x: the distribution p(x | z) whose parameters a network computes from z.

A network gives k ``numbers`` for each component of x; a *likelihood* makes a distribution of them:

    BernoulliLikelihood           k = 1: logits                  x in {0, 1}
    GaussianLikelihood            k = 2: mean and log-variance   x real; the variance depends on z, as on lecture p. 7
    ConstantVarianceLikelihood    k = 1: mean                    x real; the variance is one learned number
    CategoricalLikelihood         k = K: logits of the levels    x in {0, …, K − 1}

The last is a true likelihood of images with K grey levels: it sums to 1 over all of them. A Bernoulli likelihood of
grey pixels does not, and a density of numbers that were discrete can be made as high as one likes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, softplus
from scratchgen.distributions import Bernoulli, Categorical, Distribution, Independent, Normal
from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.numbers import require_int, require_number
from scratchgen.latent.arguments import Shape, shape_of_event
from scratchgen.nn import Module


class Likelihood(ABC):
    """A family of distributions of x, of shape ``event_shape``, with ``numbers`` parameters for each component."""

    numbers: int

    def __init__(self, event_shape: int | Shape) -> None:
        self.event_shape = shape_of_event(event_shape)

    @property
    def outputs(self) -> int:
        """How many numbers the decoder network gives for one x."""
        return math.prod(self.event_shape) * self.numbers

    def __call__(self, output: Any) -> Distribution:
        """p(x | z) from the network's output, (B, outputs) or (B, *event_shape[:-1], channels).

        Raises:
            ValueError: if the network gives another number of values.
        """
        given = math.prod(output.shape[1:])
        if given != self.outputs:
            raise ValueError(
                f"the decoder gives {given} numbers for one x, {type(self).__name__} of shape {self.event_shape} "
                f"wants {self.outputs}: {self.numbers} for each component"
            )
        if output.ndim > 2 and output.shape[1 : len(self.event_shape)] != self.event_shape[:-1]:
            raise ValueError(
                f"the decoder gives shape {output.shape}, with the channels not last; {type(self).__name__} of shape "
                f"{self.event_shape} wants (B, {self.outputs}), or the axes of x with {self.numbers} for each component"
            )
        parameters = output.reshape(len(output), *self.event_shape, self.numbers)
        return Independent(self.components(parameters), len(self.event_shape))

    @abstractmethod
    def components(self, parameters: Any) -> Distribution:
        """The distribution of each component, from (B, *event_shape, numbers)."""

    def to_network(self, x: Any, dtype: Any) -> Any:
        """x as an encoder network of that dtype takes it."""
        return x


class BernoulliLikelihood(Likelihood):
    """Binary x.

    >>> BernoulliLikelihood(3)(np.zeros((5, 3)))
    Independent(batch_shape=(5,), event_shape=(3,))
    """

    numbers = 1

    def components(self, parameters: Any) -> Bernoulli:
        """A coin for each component."""
        return Bernoulli(parameters[..., 0])


class GaussianLikelihood(Likelihood):
    """Real x with a mean and a variance that both depend on z.

    Where the decoder can copy some x exactly, the likelihood is unbounded: its variance would go to 0 and the
    log-density to infinity. So the log-variance is bounded below, smoothly: v = least + softplus(v' − least).

    Args:
        event_shape: the shape of x.
        least: the bound, a log-variance; −6 is a standard deviation of 0.05.

    >>> p = GaussianLikelihood(3)(np.zeros((5, 6)))
    >>> p.mean.shape, p.log_prob(np.zeros((5, 3))).shape
    ((5, 3), (5,))
    """

    numbers = 2

    def __init__(self, event_shape: int | Shape, least: float = -6.0) -> None:
        super().__init__(event_shape)
        require_number("least", least)
        self.least = float(least)  # a NumPy number would make float64 of float32

    def components(self, parameters: Any) -> Normal:
        """A normal distribution for each component."""
        return Normal(parameters[..., 0], bounded(parameters[..., 1], self.least))


class ConstantVarianceLikelihood(Likelihood, Module):
    """Real x with a mean that depends on z, and one variance for all z and all components.

    Its −log p(x | z) is the squared error, weighted by the variance: how many nats of KL an error is worth is learnt.
    The log-variance is bounded below as that of ``GaussianLikelihood``.

    Args:
        event_shape: the shape of x.
        variance: at first.
        learned: whether the variance is a parameter, or stays.
        least: the bound, a log-variance; −6 is a standard deviation of 0.05.
        dtype: of the variance.

    Attributes:
        raw: v' of the bound v = least + softplus(v' − least); where v is well above the bound, about v.

    Raises:
        ValueError: for a variance that is not above the bound.

    >>> likelihood = ConstantVarianceLikelihood(3, variance=0.5)
    >>> likelihood(np.zeros((5, 3), np.float32)).variance[0].data.round(4), list(likelihood.parameters())
    (array([0.5, 0.5, 0.5], dtype=float32), ['raw'])
    """

    numbers = 1

    def __init__(
        self,
        event_shape: int | Shape,
        variance: float = 1.0,
        learned: bool = True,
        least: float = -6.0,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(event_shape)
        require_number("least", least)
        require_number("variance", variance)
        if not math.exp(least) < variance < math.inf:
            raise ValueError(f"variance is {variance}; it must be finite, and above exp(least), {math.exp(least):.3g}")
        self.least = float(least)
        v = math.log(variance)
        raw = v + math.log(-math.expm1(least - v))  # v = least + softplus(raw − least), solved for raw
        self.raw = Tensor(np.array(raw, dtype), requires_grad=learned)

    @property
    def logvar(self) -> Tensor:
        """The log-variance v, one number."""
        return bounded(self.raw, self.least)

    def components(self, parameters: Any) -> Normal:
        """A normal distribution for each component."""
        return Normal(parameters[..., 0], self.logvar)


def bounded(v: Any, least: float) -> Any:
    """least + softplus(v − least): above ``least``, and about v where v is well above it.

    >>> bounded(np.array([-100.0, 3.0]), least=-6.0).round(3)
    array([-6.,  3.])
    """
    return least + softplus(v - least)


class CategoricalLikelihood(Likelihood):
    """x with ``levels`` values, 0 … levels − 1; a network sees them spread from −1 to 1.

    >>> p = CategoricalLikelihood(64, levels=17)(np.zeros((5, 64 * 17)))
    >>> float(np.round(p.log_prob(np.zeros((5, 64), dtype=int))[0], 3))      # −64 log 17
    -181.326
    """

    def __init__(self, event_shape: int | Shape, levels: int) -> None:
        super().__init__(event_shape)
        require_int("levels", levels, least=2)
        self.numbers = int(levels)

    def components(self, parameters: Any) -> Categorical:
        """A die for each component."""
        return Categorical(parameters)

    def to_network(self, x: Any, dtype: Any) -> Any:
        """Levels to numbers from −1 to 1.

        Raises:
            TypeError: for x that are not integers; for a masked array.
            ValueError: for x outside 0 … levels − 1, with value and index.
        """
        x, expected = np.asarray(unmasked("x", x)), f"integers from 0 to {self.numbers - 1}"
        if x.dtype.kind not in "iu":
            raise TypeError(f"x is {x.dtype}; it must be {expected}")
        require("x", x, lambda level: (level >= 0) & (level < self.numbers), f"it must be {expected}")
        return np.asarray(x, dtype) * (2 / (self.numbers - 1)) - 1
