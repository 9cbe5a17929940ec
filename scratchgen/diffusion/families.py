"""Three SDEs that turn data into noise: variance preserving, below that, and exploding (lecture p. 12).

All are dx = −½ β(t) x dt + g(t) dw, so x_t = a x₀ + s ε, by the equations (5) of ``sde``. With B(t) = ∫₀ᵗ β:

    VP        β = β₀ + (β₁ − β₀) t    g² = β                 a = e^{−B/2}    s² = 1 − e^{−B}       (1)
    sub-VP    β as VP                 g² = β (1 − e^{−2B})   a = e^{−B/2}    s = 1 − e^{−B}        (2)
    VE        β = 0                   g² = dv/dt             a = 1           s² = v(t) − v(0)      (3)
                                      v(t) = v₀ (v₁ / v₀)ᵗ

VP keeps data of variance 1 at variance 1, since a² + s² = 1; sub-VP stays below that; VE leaves x₀ where it is, under
noise that grows.

Source: Song et al., Score-Based Generative Modeling through Stochastic Differential Equations, arXiv:2011.13456,
section 3.4 and appendices B and C. There (3) has v(t) in place of v(t) − v(0), as if v(0) were 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.diffusion.arguments import require_between, times_of
from scratchgen.diffusion.sde import SDE, Coefficients


class VP(SDE):
    """Variance preserving (1): what DDPM becomes with ever smaller steps, of β_t = β(t/T) / T.

    Args:
        beta_min: β₀, the rate at t = 0.
        beta_max: β₁, the rate at t = 1.

    Raises:
        TypeError: for what are no numbers.
        ValueError: unless 0 < beta_min < beta_max.

    >>> a, s = VP().marginal(1.0)
    >>> print(f"{a:.4f} {s:.6f} {a * a + s * s:.6f}")          # little is left of x₀
    0.0066 0.999978 1.000000
    """

    def __init__(self, beta_min: float = 0.1, beta_max: float = 20.0) -> None:
        self.beta_min = require_between("beta_min", beta_min, 0)
        self.beta_max = require_between("beta_max", beta_max, self.beta_min)

    def rate(self, t: Any) -> np.ndarray:
        """β(t) (1)."""
        return self.beta_min + (self.beta_max - self.beta_min) * times_of(t)

    def total(self, t: Any) -> np.ndarray:
        """B(t), the integral of the rate from 0 to t."""
        t = times_of(t)
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t * t

    def diffusion(self, t: Any) -> np.ndarray:
        """g(t) (1)."""
        return np.sqrt(self.rate(t))

    def marginal(self, t: Any) -> Coefficients:
        """a(t) and s(t) (1); expm1, since 1 − e^{−B} would lose its digits near t = 0."""
        B = self.total(t)
        return np.exp(-0.5 * B), np.sqrt(-np.expm1(-B))


class SubVP(VP):
    """Sub-VP (2): the rate of VP, and less noise.

    >>> _, s = VP().marginal(0.3)
    >>> print(f"{s:.4f} {SubVP().marginal(0.3)[1]:.4f} {s * s:.4f}")      # the square
    0.7770 0.6037 0.6037
    """

    def diffusion(self, t: Any) -> np.ndarray:
        """g(t) (2)."""
        return np.sqrt(self.rate(t) * -np.expm1(-2 * self.total(t)))

    def marginal(self, t: Any) -> Coefficients:
        """a(t) and s(t) (2)."""
        B = self.total(t)
        return np.exp(-0.5 * B), -np.expm1(-B)


class VE(SDE):
    """Variance exploding (3): x₀ stays where it is, and the noise grows over it.

    Args:
        std_min: the root of v₀, about the smallest noise worth telling from none.
        std_max: the root of v₁; it must be far above the spread of the data, or the prior is not p_1.

    Raises:
        TypeError: for what are no numbers.
        ValueError: unless 0 < std_min < std_max.

    >>> a, s = VE(std_min=0.01, std_max=50.0).marginal(np.array([0.0, 0.5, 1.0]))
    >>> a, s.round(4)
    (array([1., 1., 1.]), array([ 0.   ,  0.707, 50.   ]))
    """

    def __init__(self, std_min: float = 0.01, std_max: float = 50.0) -> None:
        self.std_min = require_between("std_min", std_min, 0)
        self.std_max = require_between("std_max", std_max, self.std_min)

    def rate(self, t: Any) -> np.ndarray:
        """0."""
        return np.zeros_like(times_of(t))

    def diffusion(self, t: Any) -> np.ndarray:
        """g(t) (3): dv/dt = log(v₁/v₀) v."""
        log_ratio = math.log(self.std_max / self.std_min)
        return self.std_min * np.exp(log_ratio * times_of(t)) * math.sqrt(2 * log_ratio)

    def marginal(self, t: Any) -> Coefficients:
        """a(t) and s(t) (3)."""
        t = times_of(t)
        return np.ones_like(t), self.std_min * np.sqrt(np.expm1(2 * math.log(self.std_max / self.std_min) * t))

    def prior_variance(self) -> float:
        """v₁ − v₀."""
        return float(self.marginal(1.0)[1]) ** 2
