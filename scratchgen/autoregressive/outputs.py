"""What a masked network says of each component of x: a few numbers, and the distribution that they stand for.

A network gives P ``numbers`` for each component, and is given each component as F ``features``:

    BinaryOutput             P = 1      logit                             x in {0, 1}, as it is
    CategoricalOutput        P = V      logits of the levels              x in {0, …, V − 1}, by V − 1 steps
    GaussianOutput           P = 2      mean, log-variance                x real, as it is
    GaussianMixtureOutput    P = 3 K    logits, means, log-variances      x real, as it is
    LogisticMixtureOutput    P = 3 K    logits, locations, log-scales     x in {0, …, V − 1}, scaled to [−1, 1]

F is 1, but V − 1 for the steps. A mixture has K bells. Bells that are equal have equal gradients, and stay equal: so
what the network gives is added to places that are spread out, and bells begin side by side.

Sources: MADE, arXiv:1502.03509, §3; the mixtures: Uria, Murray and Larochelle, RNADE, arXiv:1306.0186, §3, and Salimans
et al., PixelCNN++, arXiv:1701.05517, equation (2).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import softplus
from scratchgen.autoregressive.pixels import require_levels
from scratchgen.distributions import Bernoulli, Categorical, DiscretisedLogistic, Distribution, Mixture, Normal
from scratchgen.distributions.arguments import floats, require
from scratchgen.nn.inputs import check_sizes

LEAST = -6.0  # of log-variances: where x can be foretold exactly, a density could grow without end


class Output(ABC):
    """A family of distributions of one component.

    Attributes:
        numbers: P, how many numbers of the network make one distribution.
        features: F, how many numbers the network is given of one component.
        symbols: whether x are integers.
    """

    numbers: int
    features: int = 1
    symbols: bool = False

    @abstractmethod
    def encode(self, x: Any, dtype: Any) -> Any:
        """x (B, D) as the network takes it, (B, D F), the features of a component side by side.

        Raises:
            TypeError: for x of another dtype.
            ValueError: for values that x cannot have, with the first and its index.
        """

    @abstractmethod
    def __call__(self, numbers: Any) -> Distribution:
        """The distributions of all components, a batch (B, D), from what the network gives, (B, D, P)."""


class BinaryOutput(Output):
    """Bits.

    >>> BinaryOutput()(np.zeros((5, 3, 1)))
    Bernoulli(batch_shape=(5, 3), event_shape=())
    """

    numbers = 1

    def encode(self, x: Any, dtype: Any) -> Any:
        """As it is. What lies between 0 and 1, such as a grey level, is refused: it has no probability here."""
        x = floats("x", x, dtype, whole=True)
        require("x", x, lambda value: (value == 0) | (value == 1), "it must be 0 or 1; binarise it, or take levels")
        return x

    def __call__(self, numbers: Any) -> Bernoulli:
        """A coin for each component."""
        return Bernoulli(numbers[..., 0])


class CategoricalOutput(Output):
    """Levels 0 … V − 1, each with a probability of its own. A level k enters as the steps [k > 0], …, [k > V − 2].

    [ ] is 1 for what is true, else 0. The steps say which level it is, and that 7 and 8 are alike. On the bundled
    digits they alone cost over a nat less than with [k = 0], …, [k = V − 1] beside them, which doubles the weights.

    >>> CategoricalOutput(4).encode(np.array([[2, 0]]), np.float32)
    array([[1., 1., 0., 0., 0., 0.]], dtype=float32)
    """

    symbols = True

    def __init__(self, levels: int) -> None:
        self.levels = self.numbers = two_or_more(levels)
        self.features = self.levels - 1

    def encode(self, x: Any, dtype: Any) -> Any:
        """The steps, 1 up to the level and 0 from there on."""
        above = require_levels(x, self.levels)[..., None] > np.arange(self.features)
        return above.astype(dtype).reshape(len(x), np.shape(x)[1] * self.features)

    def __call__(self, numbers: Any) -> Categorical:
        """A die for each component."""
        return Categorical(numbers)


class GaussianOutput(Output):
    """Numbers, each with a mean and a variance that depend on those before.

    >>> GaussianOutput()(np.zeros((5, 3, 2)))
    Normal(batch_shape=(5, 3), event_shape=())
    """

    numbers = 2

    def encode(self, x: Any, dtype: Any) -> Any:
        """As it is."""
        return real(x, dtype)

    def __call__(self, numbers: Any) -> Normal:
        """A normal distribution for each component, its log-variance bounded below."""
        return Normal(numbers[..., 0], bounded(numbers[..., 1]))


class GaussianMixtureOutput(Output):
    """Numbers, each by a mixture of K normal distributions, so that there can be several modes.

    Args:
        components: K. At first their means are spread from −1 to 1: x should be standardised.

    >>> p = GaussianMixtureOutput(3)(np.zeros((1, 1, 9)))
    >>> p, p.components.mean[0, 0]
    (Mixture(batch_shape=(1, 1), event_shape=()), array([-1.,  0.,  1.]))
    """

    def __init__(self, components: int) -> None:
        check_sizes(components=components)
        self.components, self.numbers = int(components), 3 * int(components)

    def encode(self, x: Any, dtype: Any) -> Any:
        """As it is."""
        return real(x, dtype)

    def __call__(self, numbers: Any) -> Mixture:
        """K normal distributions for each component, their log-variances bounded below."""
        logits, mean, logvar = thirds(numbers)
        return Mixture(logits, Normal(mean + spread(self.components, numbers.dtype), bounded(logvar)))


class LogisticMixtureOutput(Output):
    """Levels 0 … V − 1 by a mixture of K logistic densities cut into levels: 3 K numbers, however many the levels.

    Args:
        components: K. At first their locations are spread over the levels.
        levels: V.

    >>> p = LogisticMixtureOutput(3, levels=17)(np.zeros((1, 1, 9)))
    >>> p.components.loc[0, 0]
    array([ 0.,  8., 16.])
    """

    symbols = True

    def __init__(self, components: int, levels: int) -> None:
        check_sizes(components=components)
        self.components, self.numbers, self.levels = int(components), 3 * int(components), two_or_more(levels)

    def encode(self, x: Any, dtype: Any) -> Any:
        """Scaled to [−1, 1]."""
        return (require_levels(x, self.levels) * (2 / (self.levels - 1)) - 1).astype(dtype)

    def __call__(self, numbers: Any) -> Mixture:
        """K logistics for each component; the network gives loc and log_scale for levels scaled to [−1, 1]."""
        logits, loc, log_scale = thirds(numbers)
        half = 0.5 * (self.levels - 1)
        loc = half * (1.0 + spread(self.components, numbers.dtype) + loc)
        log_scale = log_scale + math.log(half / self.components)  # at first the K share the range between them
        return Mixture(logits, DiscretisedLogistic(loc, log_scale, self.levels))


def two_or_more(levels: int) -> int:
    """The number of levels, if it is one; raises ValueError."""
    check_sizes(levels=levels)
    if levels < 2:
        raise ValueError(f"levels is {levels}; it must be at least 2")
    return int(levels)


def real(x: Any, dtype: Any) -> Any:
    """x, if it is of that dtype and finite."""
    x = floats("x", x, dtype)
    require("x", x, np.isfinite, "it must be finite")
    return x


def thirds(numbers: Any) -> tuple[Any, Any, Any]:
    """(…, 3 K) in three parts of K."""
    k = numbers.shape[-1] // 3
    return numbers[..., :k], numbers[..., k : 2 * k], numbers[..., 2 * k :]


def spread(k: int, dtype: Any) -> np.ndarray:
    """k numbers from −1 to 1, or 0 alone.

    >>> spread(3, np.float64), spread(1, np.float64)
    (array([-1.,  0.,  1.]), array([0.]))
    """
    return np.linspace(-1, 1, k, dtype=dtype) if k > 1 else np.zeros(1, dtype)


def bounded(v: Any) -> Any:
    """LEAST + softplus(v − LEAST): above LEAST, and about v where v is well above it."""
    return LEAST + softplus(v - LEAST)
