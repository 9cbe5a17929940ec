"""log(1 − e^{−a}), the logarithm of what is left of 1, from the logarithm −a of what was taken.

    y = log(1 − e^{−a}),  a > 0;    dy/da = e^{−a} / (1 − e^{−a})                              (1)

With it differences are taken of logarithms: log(P − Q) = log P + log1mexp(log P − log Q).

Written as it is, it is log 0 for a < 1e-16, where 1 − e^{−a} rounds to 0, and 0 for a > 37, where e^{−a} is lost in 1.
The first loss is repaired by expm1, the second by log1p, and at a = log 2 both are as good.

Source: Mächler, Accurately computing log(1 − exp(−|a|)), 2012.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import custom_rule

LOG_2 = 0.6931471805599453


@custom_rule(lambda g, y, a: g * np.exp(-a) / -np.expm1(-a))
def log1mexp(a: Any) -> Any:
    """log(1 − e^{−a}) for a > 0, elementwise, with derivative (1).

    >>> log1mexp(np.array([1e-20, np.log(2.0), 50.0]))
    array([-4.60517019e+01, -6.93147181e-01, -1.92874985e-22])
    """
    near = a < LOG_2
    far = np.log1p(-np.exp(-np.where(near, 1, a)))  # of 1 where a is near 0, or this would be log 0 there
    return np.where(near, np.log(-np.expm1(-a)), far)
