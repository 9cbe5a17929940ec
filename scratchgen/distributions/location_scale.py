"""Distributions that are one standard shape, moved and stretched.

With ε drawn from a standard density p₀, whose cumulative distribution function is F₀, a location m and a scale eˢ:

    x = m + eˢ ε,   z = (x − m) e^{−s}                                                         (1)
    log p(x) = log p₀(z) − s                                                                   (2)
    F(x) = F₀(z),   F⁻¹(u) = m + eˢ F₀⁻¹(u)                                                    (3)
    variance = e^{2s} variance₀,   entropy = entropy₀ + s                                      (4)

The −s in (2) is the change of variables: what is stretched is thinner. The scale is the exponential of ``log_scale``,
which may be any number, so a network can give it without a constraint. It is not the variance, nor is it the standard
deviation, unless variance₀ is 1.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from scratchgen.distributions.arguments import finite, parameters
from scratchgen.distributions.inverse_transform import InverseTransform


class LocationScale(InverseTransform):
    """m + eˢ ε for each element of the batch, with ε of a shape that the subclass gives, symmetric about 0.

    Args:
        loc: the location m, a Tensor, array or number: mean, median and mode.
        log_scale: s, the logarithm of the scale; the two are broadcast to the batch shape.

    Raises:
        TypeError: for dtypes that are not float32 or float64, or one of each.
        ValueError: for NaN or inf in a plain array; for shapes that do not broadcast.

    Attributes:
        standard_variance, standard_entropy: of ε.
    """

    standard_variance: float
    standard_entropy: float

    def __init__(self, loc: Any, log_scale: Any) -> None:
        self.loc, self.log_scale = parameters(loc=loc, log_scale=log_scale)
        self.batch_shape, self.event_shape, self.dtype = self.loc.shape, (), self.loc.dtype

    @staticmethod
    @abstractmethod
    def standard_log_prob(z: Any) -> Any:
        """log p₀(z)."""

    @staticmethod
    @abstractmethod
    def standard_cdf(z: Any) -> Any:
        """F₀(z)."""

    @staticmethod
    @abstractmethod
    def standard_quantile(u: Any) -> Any:
        """F₀⁻¹(u)."""

    @property
    def scale(self) -> Any:
        """eˢ, batch_shape."""
        return np.exp(self.log_scale)

    @property
    def mean(self) -> Any:
        """m, batch_shape: the shape is symmetric."""
        return self.loc

    @property
    def variance(self) -> Any:
        """The variance (4), batch_shape."""
        return self.standard_variance * np.exp(2.0 * self.log_scale)

    def standardised(self, x: Any) -> Any:
        """z of (1)."""
        return (x - self.loc) * inverse_scale(self.log_scale)

    def log_prob(self, x: Any) -> Any:
        """The log-density (2) in nats, elementwise.

        Args:
            x: (*sample_shape, *batch_shape), float32 or float64 as the parameters are.

        Raises:
            TypeError: for another dtype, such as the uint8 of images.
            ValueError: for another shape; for NaN or inf in a plain array.
        """
        return self.standard_log_prob(self.standardised(finite(x, self.dtype, self.batch_shape))) - self.log_scale

    def cdf(self, x: Any) -> Any:
        """P(X ≤ x) (3), elementwise, of x as in ``log_prob``."""
        return self.standard_cdf(self.standardised(finite(x, self.dtype, self.batch_shape)))

    def quantile(self, u: Any) -> Any:
        """F⁻¹(u) (3), elementwise."""
        return self.loc + self.scale * self.standard_quantile(u)

    def entropy(self) -> Any:
        """The differential entropy (4) in nats, elementwise; it can be negative."""
        return self.standard_entropy + self.log_scale


def inverse_scale(log_scale: Any) -> Any:
    """e^{−s}, held back below overflow: with inf, the z of x = m would be 0 · inf = NaN."""
    largest = 88.0 if log_scale.dtype == np.float32 else 709.0  # the last whole number with a finite exp
    return np.exp(np.minimum(-log_scale, largest))
