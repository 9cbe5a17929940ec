"""The logistic distribution: its cumulative distribution function is the sigmoid σ.

    log p₀(z) = log σ(z) + log σ(−z) = z − 2 softplus(z)                                       (1)
    F₀(z) = σ(z)                                                                               (2)
    F₀⁻¹(u) = log u − log(1 − u)                                                               (3)
    variance₀ = π²/3,   entropy₀ = 2                                                           (4)

The derivative of σ is σ(z) σ(−z), and that is the density. Near its location it looks like a normal one; its tails are
those of a Laplace distribution. The mass of a bin is a difference of two sigmoids: so it is the usual density to cut
into grey levels.

Source: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions, volume 2, 1995, chapter 23.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import sigmoid, softplus
from scratchgen.distributions.location_scale import LocationScale


class Logistic(LocationScale):
    """Logistic(loc, exp(log_scale)), independently for each element; see ``LocationScale`` for what it is made of.

    The standard deviation is π/√3 = 1.81 times the scale e^log_scale.

    >>> p = Logistic(np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    >>> p.log_prob(np.zeros(2))                                           # −2 log 2, −2 log(2 cosh(e⁻²/2)) − 2
    array([-1.38629436, -3.39086978])
    >>> p.cdf(p.icdf(np.array([0.5, 0.1])))
    array([0.5, 0.1])
    """

    standard_variance, standard_entropy = np.pi**2 / 3, 2.0

    @staticmethod
    def standard_log_prob(z: Any) -> Any:
        """Equation (1)."""
        return z - 2.0 * softplus(z)

    @staticmethod
    def standard_cdf(z: Any) -> Any:
        """Equation (2)."""
        return sigmoid(z)

    @staticmethod
    def standard_quantile(u: Any) -> Any:
        """Equation (3), the logit of u."""
        return np.log(u) - np.log1p(-u)
