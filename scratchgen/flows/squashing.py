"""Transforms of each number on its own that squeeze all numbers into an interval, and back (lecture p. 11).

    Sigmoid    z = σ(x)     log f′ = log σ(x) + log σ(−x)        x = log z − log(1 − z)                  (1)
    Tanh       z = tanh x   log f′ = 2 (log 2 + log σ(2x) − x)   x = ½ (log(1 + z) − log(1 − z))         (2)

with σ(x) = 1 / (1 + e^{−x}). These are f′ = σ(x) σ(−x), and f′ = 1 − tanh² x = 4 σ(2x) σ(−2x) with
log σ(−2x) = log σ(2x) − 2x. Written with log σ nothing underflows: far out, log f′ is about −|x| and −2 |x|, where f′
itself would round to 0.

Numbers that touch 0 or 1, such as grey levels, have no finite x. With a margin m the interval is a little wider,

    z = (σ(x) − m) / (1 − 2m),    p = m + (1 − 2m) z,    x = log p − log(1 − p)                           (3)

from −m / (1 − 2m) to 1 + m / (1 − 2m); log f′ is that of (1), less log(1 − 2m).

Source: Papamakarios et al., arXiv:1912.02762, section 2.1; Dinh et al., Density estimation using Real NVP,
arXiv:1605.08803, section 4.1, for the margin of the logit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.autodiff import log_sigmoid, sigmoid
from scratchgen.distributions.arguments import require
from scratchgen.distributions.distribution import values
from scratchgen.flows.transform import Inverse, Mapped, Transform, sum_but_first


class Sigmoid(Transform):
    """z = (σ(x) − m) / (1 − 2m) (3), from all numbers to those between 0 and 1, and a margin beyond.

    Args:
        margin: m, from 0 to below ½; with 0, its default, this is (1).

    Raises:
        ValueError: for another margin.

    >>> f = Sigmoid(margin=0.05)
    >>> x, logabsdet = f.inverse(np.array([[0.0, 0.5, 1.0]]))
    >>> x.round(4), logabsdet.round(4)
    (array([[-2.9444,  0.    ,  2.9444]]), array([7.1643]))
    """

    def __init__(self, margin: float = 0.0) -> None:
        if not 0 <= margin < 0.5:
            raise ValueError(f"margin is {margin}; it must be from 0 to below 0.5")
        self.margin = margin
        self.width = 1 - 2 * margin

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: σ(x), stretched about ½ by 1 / (1 − 2m)."""
        logabsdet = sum_but_first(log_sigmoid(x) + log_sigmoid(-x) - math.log(self.width))
        return (sigmoid(x) - self.margin) / self.width, logabsdet

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: the logit of p = m + (1 − 2m) z.

        Raises:
            ValueError: for a plain array with numbers outside (0, 1), or the range that the margin makes of it.
        """
        p = self.margin + self.width * z
        require("what goes into the logit", z, lambda _: inside(values(p), 0, 1), self.domain())
        log_p, log_q = np.log(p), np.log1p(-p)
        return log_p - log_q, sum_but_first(math.log(self.width) - log_p - log_q)

    def domain(self) -> str:
        """What z must be, in words."""
        reach = self.margin / self.width
        hint = "" if self.margin else "; for numbers that are 0 or 1, give a margin"
        return f"it must be between {0 - reach:.4g} and {1 + reach:.4g}{hint}"


class Logit(Inverse):
    """z = log x − log(1 − x), from the numbers between 0 and 1 to all: ``Sigmoid`` turned round.

    Args:
        margin: m, from 0 to below ½; z is then the logit of m + (1 − 2m) x, finite on all of [0, 1].

    Raises:
        ValueError: for another margin.

    >>> z, logabsdet = Logit()(np.array([[0.5, 0.9]]))
    >>> z.round(4), logabsdet.round(4)                              # log 9; log 4 − log 0.09
    (array([[0.    , 2.1972]]), array([3.7942]))
    """

    def __init__(self, margin: float = 0.0) -> None:
        super().__init__(Sigmoid(margin))


class Tanh(Transform):
    """z = tanh x (2), from all numbers to those between −1 and 1.

    >>> z, logabsdet = Tanh()(np.array([[0.0], [1000.0]]))
    >>> z.ravel(), logabsdet.round(4)
    (array([0., 1.]), array([    0.    , -1998.6137]))
    """

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: tanh x."""
        return np.tanh(x), sum_but_first(2 * (math.log(2) + log_sigmoid(2 * x) - x))

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: artanh z = ½ (log(1 + z) − log(1 − z)).

        Raises:
            ValueError: for a plain array with numbers that are not between −1 and 1.
        """
        require("z", z, lambda value: inside(value, -1, 1), "it must be between -1 and 1")
        above, below = np.log1p(z), np.log1p(-z)
        return 0.5 * (above - below), -sum_but_first(above + below)


def inside(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Where low < x < high."""
    return (low < x) & (x < high)
