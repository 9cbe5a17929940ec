"""The normal distribution by its mean m and the logarithm v of its variance.

    log N(x; m, eᵛ) = −½ (log 2π + v + (x − m)² e^{−v})                                        (1)
    x = m + e^{v/2} η,  η ~ N(0, 1)            the reparameterisation of lecture p. 6          (2)
    entropy = ½ (1 + log 2π + v)                                                               (3)
    F(x) = Φ((x − m) e^{−v/2}),  F⁻¹(u) = m + e^{v/2} Φ⁻¹(u)                                   (4)

Φ is the distribution function of N(0, 1), SciPy's ``ndtr``, and Φ⁻¹ its ``ndtri``.

The log-variance may be any number, so a network can give it without a constraint. The standard deviation is e^{v/2},
not eᵛ and not v.

A draw by itself has no derivative with respect to m; written as (2) it has: dx/dm = 1, dx/dv = ½ e^{v/2} η.

Source: Bishop, Pattern Recognition and Machine Learning, 2006, equations (2.42) and (1.110); Kingma and Welling,
arXiv:1312.6114, section 2.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import gaussian_log_prob
from scratchgen.autodiff.densities import inverse_std
from scratchgen.distributions.arguments import Shape, finite, parameters, probability, shape_of
from scratchgen.distributions.distribution import values
from scratchgen.distributions.reparameterised import Reparameterised
from scratchgen.random import Rng, generator

LOG_2PI = 1.8378770664093453


class Normal(Reparameterised):
    """N(mean, exp(logvar)), independently for each element; ``Independent`` makes vectors of it.

    Args:
        mean: the mean, a Tensor, array or number.
        logvar: log of the variance; the two are broadcast to the batch shape.

    Raises:
        TypeError: for dtypes that are not float32 or float64, or one of each.
        ValueError: for NaN or inf in a plain array; for shapes that do not broadcast.

    >>> p = Normal(np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    >>> p.log_prob(np.zeros(2))
    array([-0.91893853, -1.98660617])
    """

    def __init__(self, mean: Any, logvar: Any) -> None:
        self._mean, self.logvar = parameters(mean=mean, logvar=logvar)
        self.batch_shape, self.event_shape, self.dtype = self.logvar.shape, (), self.logvar.dtype

    @property
    def mean(self) -> Any:
        """The mean, batch_shape."""
        return self._mean

    @property
    def variance(self) -> Any:
        """exp(logvar), batch_shape."""
        return np.exp(self.logvar)

    @property
    def std(self) -> Any:
        """The standard deviation exp(½ logvar), batch_shape."""
        return np.exp(0.5 * self.logvar)

    def log_prob(self, x: Any) -> Any:
        """The log-density (1) in nats, elementwise.

        Args:
            x: (*sample_shape, *batch_shape), float32 or float64 as the parameters are.

        Raises:
            TypeError: for another dtype, such as the uint8 of images.
            ValueError: for another shape; for NaN or inf in a plain array.
        """
        return gaussian_log_prob(finite(x, self.dtype, self.batch_shape), self.mean, self.logvar)

    def cdf(self, x: Any) -> Any:
        """P(X ≤ x) (4), elementwise, of x as in ``log_prob``.

        >>> Normal(1.0, np.log(4.0)).cdf(np.array([1.0, 3.0]))
        array([0.5       , 0.84134475])
        """
        from scipy.special import ndtr  # a slow import: only who needs it shall wait for it

        return ndtr((finite(x, self.dtype, self.batch_shape) - self.mean) * inverse_std(self.logvar))

    def icdf(self, p: Any) -> Any:
        """The x with P(X ≤ x) = p (4), elementwise; −inf and inf for p = 0 and p = 1.

        Equal steps of p make a grid that has equally many draws in each cell: the codes of a decoded manifold.

        Args:
            p: (*sample_shape, *batch_shape), of the dtype of the parameters.

        Raises:
            TypeError: for another dtype.
            ValueError: for p outside [0, 1], with value and index, or of another shape.

        >>> Normal(1.0, np.log(4.0)).icdf(np.array([0.5, 0.975]))
        array([1.        , 4.91992797])
        """
        from scipy.special import ndtri

        return self.mean + self.std * ndtri(probability(p, self.dtype, self.batch_shape))

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws (2), an array n + batch_shape.

        Raises:
            TypeError: for n that is no int or tuple, or rng that is no Generator or seed.
            ValueError: for a negative n.
        """
        return values(self.mean) + np.exp(0.5 * values(self.logvar)) * self.draw_noise(n, rng)

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> Any:
        """n draws (2) as a differentiable function of the mean and log-variance, n + batch_shape.

        Args:
            n: how many, an int or a shape.
            rng: draws η.
            noise: η itself, of the shape of the result, instead of ``rng``.

        Raises:
            TypeError: without either; for noise of another dtype.
            ValueError: for a negative n, or noise of another shape.

        >>> p = Normal(np.array([0.0, 1.0]), np.log([4.0, 9.0]))
        >>> p.rsample((), noise=np.array([1.0, -1.0]))
        array([ 2., -2.])
        """
        return self.mean + self.std * self.noise_for(n, rng, noise)

    def draw_noise(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """η ~ N(0, 1) for n draws, in the dtype of the parameters."""
        return generator(rng).standard_normal(shape_of(n) + self.batch_shape, dtype=self.dtype)

    def entropy(self) -> Any:
        """The differential entropy (3) in nats, elementwise; it can be negative."""
        return 0.5 * (1.0 + LOG_2PI + self.logvar)
