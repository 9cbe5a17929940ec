"""The uniform distribution on the interval from a to b, ends included, with width w = b − a.

    log p(x) = −log w for a ≤ x ≤ b,   −∞ elsewhere                                            (1)
    F(x) = (x − a)/w, held between 0 and 1                                                     (2)
    F⁻¹(u) = a + w u                                                                           (3)
    mean = (a + b)/2,   variance = w²/12,   entropy = log w                                    (4)

The density jumps at a and b, and a derivative does not see a jump. Inside, the derivative of (1) with respect to x is
0; outside, those with respect to a and b are 0 as well. So no gradient widens the interval to reach data outside it.

Source: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions, volume 2, 1995, chapter 26.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions.arguments import finite, parameters
from scratchgen.distributions.inverse_transform import InverseTransform


class Uniform(InverseTransform):
    """Uniform on [low, high], independently for each element.

    Args:
        low: the lower end, a Tensor, array or number.
        high: the upper end; the two are broadcast to the batch shape.

    Raises:
        TypeError: for dtypes that are not float32 or float64, or one of each.
        ValueError: in plain arrays, for NaN or inf, and for ``high`` that is not above ``low``, with values and index;
            for shapes that do not broadcast.

    >>> p = Uniform(np.array([0.0, -1.0]), np.array([2.0, 3.0]))
    >>> p.log_prob(np.array([1.0, 5.0]))                                  # −log 2, and outside
    array([-0.69314718,        -inf])
    >>> p.rsample((), noise=np.array([0.25, 0.5]))
    array([0.5, 1. ])
    """

    def __init__(self, low: Any, high: Any) -> None:
        self.low, self.high = parameters(low=low, high=high)
        require_order(self.low, self.high)
        self.batch_shape, self.event_shape, self.dtype = self.low.shape, (), self.low.dtype

    @property
    def width(self) -> Any:
        """w = high − low, batch_shape."""
        return self.high - self.low

    @property
    def mean(self) -> Any:
        """The middle of the interval, batch_shape."""
        return 0.5 * self.low + 0.5 * self.high

    @property
    def variance(self) -> Any:
        """w²/12, batch_shape."""
        return np.square(self.width) / 12.0

    def log_prob(self, x: Any) -> Any:
        """The log-density (1) in nats, elementwise: −inf for x outside [low, high].

        Args:
            x: (*sample_shape, *batch_shape), float32 or float64 as the parameters are.

        Raises:
            TypeError: for another dtype, such as the uint8 of images.
            ValueError: for another shape; for NaN or inf in a plain array.
        """
        x = finite(x, self.dtype, self.batch_shape)
        outside = np.less(x, self.low) | np.greater(x, self.high)
        # 0 · x keeps x in the graph, with gradient 0, and NaN a NaN.
        return np.where(outside, -np.inf, 0.0 * x - np.log(self.width))

    def cdf(self, x: Any) -> Any:
        """P(X ≤ x) (2), elementwise, of x as in ``log_prob``."""
        return np.clip((finite(x, self.dtype, self.batch_shape) - self.low) / self.width, 0.0, 1.0)

    def quantile(self, u: Any) -> Any:
        """F⁻¹(u) (3), elementwise, reckoned from the nearer end: exact at both ends, and never rounded out of the
        interval.
        """
        return np.where(np.less(u, 0.5), self.low + self.width * u, self.high - self.width * (1.0 - u))

    def entropy(self) -> Any:
        """The differential entropy log w in nats, elementwise; negative for w < 1."""
        return np.log(self.width)


def require_order(low: Any, high: Any) -> None:
    """Refuse plain arrays in which ``high`` is not above ``low``, or further above than a float can say.

    Raises:
        ValueError: with the first such values, their index, and how many there are.

    >>> require_order(np.array([0.0, 2.0]), np.array([1.0, 2.0]))
    Traceback (most recent call last):
    ValueError: high is 2.0 at (1,), where low is 2.0; 1 of 2 values: high must be above low, by a finite width
    """
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return
    with np.errstate(over="ignore"):
        bad = np.argwhere(~((low < high) & np.isfinite(high - low)))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"high is {high[index]} at {index}, where low is {low[index]}; {len(bad)} of {high.size} values: "
            "high must be above low, by a finite width"
        )
