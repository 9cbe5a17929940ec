"""The normal density cut into grey levels, as ``discretised`` says: the mass of a bin from c − h to c + h.

    log (Φ(c+h) − Φ(c−h)) = log Φ(b) + log(1 − Φ(a)/Φ(b)),   a = −|c| − h,   b = −|c| + h      (1)
                          = log φ(c) + log 2h + log(1 + (c²−1) h²/6 + (c⁴−6c²+3) h⁴/120 + …)   (2)

In (1) the bin is reflected to the lower tail, where log Φ keeps its digits however small Φ is. (2), the integral of φ's
Taylor series over the bin, takes over where the bin is so narrow that Φ(a)/Φ(b) is 1 but for rounding.

Source: Ho et al., arXiv:2006.11239, equation (13), with levels scaled to [−1, 1].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions.arguments import Shape, parameters, shape_of
from scratchgen.distributions.discretised import Discretised
from scratchgen.distributions.distribution import values
from scratchgen.distributions.log1mexp import log1mexp
from scratchgen.random import Rng, generator

LOG_2PI = 1.8378770664093453
NARROW = 0.01  # (2) is off by (c h)⁶/5040, and (1) by the rounding of log Φ over 2 |c| h


class DiscretisedNormal(Discretised):
    """A normal density cut into levels.

    Args:
        loc: the mean of the normal density in levels; that of the levels is ``mean``.
        logvar: the logarithm of its variance, held between −30 and 160.
        levels: as of ``Discretised``; and so are the errors.

    >>> p = DiscretisedNormal(loc=3.0, logvar=-1.0, levels=17)
    >>> np.exp(p.log_prob(np.array([2, 3, 4]))).round(3)
    array([0.198, 0.59 , 0.198])
    """

    def __init__(self, loc: Any, logvar: Any, levels: int) -> None:
        loc, logvar = parameters(loc=loc, logvar=logvar)
        super().__init__(loc, 0.5 * logvar, levels)

    def log_cdf(self, z: Any) -> Any:
        """log Φ(z)."""
        from scipy.special import log_ndtr  # a slow import: only who needs it shall wait for it

        return log_ndtr(z)

    def log_bin(self, c: Any, h: Any) -> Any:
        """Equation (1), or (2) for narrow bins."""
        narrow = np.maximum(np.abs(values(c)), 1) * values(h) < NARROW
        zero, one = np.zeros_like(values(c)), np.ones_like(values(c))
        # Each of the two gets a bin that it can do where the other is meant: so neither takes log 0.
        wide = self.log_difference(np.where(narrow, zero, c), np.where(narrow, one, h))
        return np.where(narrow, log_series(np.where(narrow, c, zero), np.where(narrow, h, NARROW * one)), wide)

    def log_difference(self, c: Any, h: Any) -> Any:
        """Equation (1)."""
        distance = np.abs(c)
        upper, lower = self.log_cdf(h - distance), self.log_cdf(-h - distance)
        # log Φ falls by more than 2 |c| h over the bin, since φ(u)/Φ(u) > −u; where rounding hides it, by about that.
        return upper + log1mexp(np.maximum(upper - lower, 2.0 * distance * h))

    def draw_noise(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """Normal numbers."""
        return generator(rng).standard_normal(shape_of(n) + self.batch_shape, dtype=self.dtype)


def log_series(c: Any, h: Any) -> Any:
    """Equation (2)."""
    cc, hh = np.square(c), np.square(h)
    terms = hh * ((cc - 1.0) / 6.0 + hh * (np.square(cc) - 6.0 * cc + 3.0) / 120.0)
    return -0.5 * (LOG_2PI + cc) + np.log(2.0 * h) + np.log1p(terms)
