"""Densities on the line cut into grey levels: proper likelihoods of images, whose probabilities sum to 1.

The line is cut half-way between the integers. Level x of 0 … L − 1 gets the mass of its bin, which is one wide; the
first and the last bin take the tails. With F the cumulative distribution function, and s and m its scale and location:

    P(x) = F((x + ½ − m)/s) − F((x − ½ − m)/s),   but −∞ for x − ½ where x = 0, +∞ for x + ½ where x = L − 1  (1)

So location and scale are counted in levels, as x itself, its mean and its standard deviation are, and no constant in
(1) depends on L. A network that works with levels scaled to [−1, 1], and gives m' and log s' there, means
m = ½ (L − 1)(1 + m') and log s = log s' + log ½(L − 1).

With c = (x − m)/s and h = ½/s the bin is from c − h to c + h. The densities here are symmetric, 1 − F(z) = F(−z), and
all of it is computed by logarithms, since a difference of two F is 0 far out in the tails, where learning starts:

    first level     log F(c + h)                                                               (2)
    last level      log F(h − c)                                                               (3)
    logistic        log (σ(c+h) − σ(c−h)) = log σ(c+h) + log σ(h−c) + log(1 − e^{−2h})         (4)

(4) is exact: multiply it out with σ(z) = e^z/(1 + e^z). Its normal counterpart is in ``discretised_normal``.

Source: Salimans et al., PixelCNN++, arXiv:1701.05517, equation (2), which is a mixture of these.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import log_sigmoid
from scratchgen.distributions.arguments import Shape, floats, parameters, require, require_shape, shape_of
from scratchgen.distributions.categorical import Categorical
from scratchgen.distributions.distribution import Distribution, values
from scratchgen.distributions.log1mexp import log1mexp
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng, generator

LEAST, MOST = -15.0, 80.0  # of log s: further out, c² or 1/h would leave the range of float32


class Discretised(Distribution):
    """Levels 0 … L − 1 with the masses (1) of a symmetric density, independently for each element.

    Args:
        loc: the location m in levels, a Tensor, array or number.
        log_scale: the logarithm of the scale s in levels; the two are broadcast to the batch shape. It is held between
            −15 and 80, and has no gradient outside.
        levels: how many levels L there can be: 17 for ``digits``, 256 for ``mnist``.

    Raises:
        TypeError: for dtypes that are not float32 or float64, or one of each; for levels that are no int.
        ValueError: for NaN or inf in a plain array; for shapes that do not broadcast; for less than 2 levels.
    """

    def __init__(self, loc: Any, log_scale: Any, levels: int) -> None:
        require_int("levels", levels, least=2)
        self.loc, log_scale = parameters(loc=loc, log_scale=log_scale)
        self.log_scale, self.levels = np.clip(log_scale, LEAST, MOST), int(levels)
        self.batch_shape, self.event_shape, self.dtype = self.loc.shape, (), self.loc.dtype

    @abstractmethod
    def log_cdf(self, z: Any) -> Any:
        """log F(z) of the density with location 0 and scale 1."""

    @abstractmethod
    def log_bin(self, c: Any, h: Any) -> Any:
        """log (F(c + h) − F(c − h)) of the density with location 0 and scale 1."""

    @abstractmethod
    def draw_noise(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws of the density with location 0 and scale 1, n + batch_shape."""

    @property
    def categorical(self) -> Categorical:
        """The same distribution by the log-probabilities of all levels, (*batch_shape, L)."""
        x = np.arange(self.levels).reshape(-1, *[1] * len(self.batch_shape))
        log_p = self.log_prob(np.broadcast_to(x, (self.levels, *self.batch_shape)))
        return Categorical(np.moveaxis(log_p, 0, -1))

    @property
    def mean(self) -> Any:
        """Σ_x x P(x), batch_shape: not ``loc``, where the tails are cut or the bins are wide."""
        return self.categorical.mean

    @property
    def variance(self) -> Any:
        """Σ_x P(x) (x − mean)², batch_shape."""
        return self.categorical.variance

    def log_prob(self, x: Any) -> Any:
        """log P(x) (1) in nats, elementwise; always finite.

        Args:
            x: whole numbers (*sample_shape, *batch_shape), integers or of the dtype of the parameters.

        Raises:
            TypeError: for another float dtype.
            ValueError: for x outside 0 … L − 1 or between levels, with value and index; for another shape.
        """
        x, c, h = self.bins(x)
        first, last = values(x) == 0, values(x) == self.levels - 1
        return np.where(first, self.log_cdf(c + h), np.where(last, self.log_cdf(h - c), self.log_bin(c, h)))

    def cdf(self, x: Any) -> Any:
        """P(X ≤ x), elementwise: F at the upper end of the bin of x, and 1 for the last level; x as in ``log_prob``."""
        x, c, h = self.bins(x)
        below = np.exp(self.log_cdf(c + h))
        return np.where(values(x) == self.levels - 1, np.ones_like(below), below)

    def bins(self, x: Any) -> tuple[Any, Any, Any]:
        """x, once it is known to be of levels; and c and h of its bins, h of the batch shape."""
        x = floats("x", x, self.dtype, whole=True)
        require_shape(x, self.batch_shape)
        require("x", x, self.is_level, f"it must be one of the {self.levels} levels 0, 1 … {self.levels - 1}")
        inverse_scale = np.exp(-self.log_scale)
        return x, (x - self.loc) * inverse_scale, 0.5 * inverse_scale

    def is_level(self, x: np.ndarray) -> np.ndarray:
        """Where x is one of the levels."""
        return np.asarray((x >= 0) & (x < self.levels) & (x == np.floor(x)))

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws of levels, an array n + batch_shape in the dtype of the parameters: draws of the density, rounded.

        Raises:
            TypeError: for n that is no int or tuple, or rng that is no Generator or seed.
            ValueError: for a negative n; for parameters that are NaN or inf.
        """
        loc, log_scale = values(self.loc), values(self.log_scale)
        require("loc", loc, np.isfinite, "it must be finite")
        require("log_scale", log_scale, np.isfinite, "it must be finite")
        z = loc + np.exp(log_scale) * self.draw_noise(n, rng)
        return np.asarray(np.clip(np.floor(z + 0.5), 0, self.levels - 1))

    def entropy(self) -> Any:
        """−Σ_x P(x) log P(x) in nats, batch_shape."""
        return self.categorical.entropy()


class DiscretisedLogistic(Discretised):
    """A logistic density cut into levels; its scale is 0.55 of its standard deviation. Arguments as of ``Discretised``.

    >>> p = DiscretisedLogistic(loc=3.0, log_scale=-1.0, levels=17)
    >>> np.exp(p.log_prob(np.array([2, 3, 4]))).round(3)
    array([0.188, 0.591, 0.188])
    """

    def log_cdf(self, z: Any) -> Any:
        """log σ(z)."""
        return log_sigmoid(z)

    def log_bin(self, c: Any, h: Any) -> Any:
        """Equation (4)."""
        return log_sigmoid(c + h) + log_sigmoid(h - c) + log1mexp(2.0 * h)

    def draw_noise(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """Logistic numbers."""
        return np.asarray(generator(rng).logistic(size=shape_of(n) + self.batch_shape), self.dtype)
