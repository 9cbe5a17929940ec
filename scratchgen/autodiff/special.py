"""Derivatives of ``scipy.special``'s elementwise functions, in the form of ``elementwise``.

Loaded when one of them first meets a Tensor: SciPy takes three times as long to import as NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import digamma, erf, erfc, erfcx, expit, gammaln, log_expit, log_ndtr, logit, ndtr, ndtri, zeta

from scratchgen.autodiff.record import custom_rule, derivative

SQRT_2PI, SQRT_HALF = 2.5066282746310002, 0.7071067811865476
TWO_OVER_SQRT_PI, SQRT_TWO_OVER_PI = 1.1283791670955126, 0.7978845608028654

# The logistic function expit(x) = 1 / (1 + e⁻ˣ): its derivative y (1 − y) is written as expit(x) expit(−x), which keeps
# its digits where y rounds to 1.
derivative(expit, lambda g, y, x: g * y * expit(-x))
derivative(log_expit, lambda g, y, x: g * expit(-x))
derivative(logit, lambda g, y, p: g / (p * (1.0 - p)))

# The normal distribution: ndtr is its cumulative distribution function Φ, with density Φ'(x) = e^{−x²/2} / √(2π).
derivative(erf, lambda g, y, x: g * TWO_OVER_SQRT_PI * np.exp(-x * x))
derivative(erfc, lambda g, y, x: -g * TWO_OVER_SQRT_PI * np.exp(-x * x))
derivative(ndtr, lambda g, y, x: g * np.exp(-0.5 * x * x) / SQRT_2PI)
derivative(ndtri, lambda g, y, p: g * SQRT_2PI * np.exp(0.5 * y * y))
# (log Φ)' = Φ'/Φ, a ratio of two numbers that both vanish far to the left. There erfcx(t) = e^{t²} erfc(t) keeps it:
# Φ(x) = ½ erfc(−x/√2), so Φ'/Φ = √(2/π) / erfcx(−x/√2); and erfcx'(t) = 2t erfcx(t) − 2/√π.
derivative(log_ndtr, lambda g, y, x: g * SQRT_TWO_OVER_PI / erfcx(x * -SQRT_HALF))
derivative(erfcx, lambda g, y, x: g * (2.0 * x * y - TWO_OVER_SQRT_PI))

# log Γ, its derivative ψ, and that of ψ, which is ζ(2, x).
derivative(gammaln, lambda g, y, x: g * digamma(x))
derivative(digamma, lambda g, y, x: g * hurwitz_zeta(2.0, x))


@custom_rule(None, lambda g, y, s, x: -s * g * hurwitz_zeta(s + 1.0, x))
def hurwitz_zeta(s: float, x: Any) -> Any:
    """ζ(s, x) = Σ_n (n + x)⁻ˢ over n = 0, 1, …, for s > 1; ∂ζ(s, x)/∂x = −s ζ(s + 1, x).

    >>> float(hurwitz_zeta(2.0, np.array(1.0)))          # π² / 6
    1.6449340668482266
    """
    return zeta(s, x)
