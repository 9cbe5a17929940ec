"""The Laplace distribution: two exponential tails, back to back.

    log p₀(z) = −log 2 − |z|                                                                   (1)
    F₀(z) = ½ eᶻ for z < 0,   1 − ½ e^{−z} for z ≥ 0                                           (2)
    F₀⁻¹(u) = log(2u) for u < ½,   −log(2(1 − u)) for u ≥ ½                                    (3)
    variance₀ = 2,   entropy₀ = 1 + log 2                                                      (4)

But for constants, −log p is the absolute error, where that of a normal distribution is the squared error: its location
is fitted by the median, and an outlier costs |z|, not z²/2. The density has a kink at its location; the derivative is
taken to be 0 there.

Source: Kotz, Kozubowski and Podgórski, The Laplace Distribution and Generalizations, 2001, sections 2.1 and 2.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions.location_scale import LocationScale

LOG_2 = 0.6931471805599453


class Laplace(LocationScale):
    """Laplace(loc, exp(log_scale)), independently for each element; see ``LocationScale`` for what it is made of.

    The variance is 2 e^{2 log_scale}, the mean absolute deviation is the scale e^log_scale.

    >>> p = Laplace(np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    >>> p.log_prob(np.zeros(2))                                           # −log 2, −log 2 − e⁻² − 2
    array([-0.69314718, -2.82848246])
    >>> p.cdf(p.icdf(np.array([0.5, 0.1])))
    array([0.5, 0.1])
    """

    standard_variance, standard_entropy = 2.0, 1.0 + LOG_2

    @staticmethod
    def standard_log_prob(z: Any) -> Any:
        """Equation (1)."""
        return -np.abs(z) - LOG_2

    @staticmethod
    def standard_cdf(z: Any) -> Any:
        """Equation (2); each half gets 0 where the other is meant, so that neither overflows there."""
        left, zero = np.less(z, 0), np.zeros_like(z)
        below, above = np.where(left, z, zero), np.where(left, zero, z)
        return np.where(left, 0.5 * np.exp(below), 1.0 - 0.5 * np.exp(-above))

    @staticmethod
    def standard_quantile(u: Any) -> Any:
        """Equation (3); 1 − u is exact for u ≥ ½. Each half is finite where the other is meant."""
        return np.where(np.less(u, 0.5), np.log(2.0 * u), -np.log(2.0 * (1.0 - u)))
