"""Wrong rules for ``autodiff.elementwise`` and ``autodiff.special``: what one gets wrong by heart."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import erfc, erfcx, expit

from scratchgen.autodiff.special import hurwitz_zeta
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import Change, first_for_sum, instead, mean_for_sum, of_g


def broadcasting(name: str) -> list[Mutant]:
    """The sum over what was repeated, taken as the mean, or as the first."""
    return [
        Mutant(name, i, "wrong unbroadcast", change(i))
        for i in ((1, 2) if name == "where" else (0, 1))
        for change in (mean_for_sum, first_for_sum)
    ]


def with_epsilon(epsilon: float) -> Change:
    """x + ε for the inputs, as is done against a division by zero."""
    return lambda right: lambda g, y, *args: right(g, y, *(a + epsilon for a in args))


def swapped(right: Any) -> Any:
    """The rule of the other order of arguments."""
    return lambda g, y, a, b: right(g, y, b, a)


ARITHMETIC = [
    Mutant("positive", 0, "sign", instead(lambda g, y, x: -g)),
    Mutant("positive", 0, "wrong branch", instead(lambda g, y, x: g * (x > 0))),
    Mutant("negative", 0, "sign", instead(lambda g, y, x: g)),
    Mutant("negative", 0, "wrong", instead(lambda g, y, x: -g * x)),
    Mutant("subtract", 1, "sign", instead(lambda g, y, a, b: g)),
    Mutant("multiply", 0, "swapped operands", swapped),
    Mutant("multiply", 1, "swapped operands", swapped),
    Mutant("divide", 0, "swapped operands", swapped),
    Mutant("divide", 0, "epsilon", with_epsilon(1e-8)),
    Mutant("divide", 1, "factor", instead(lambda g, y, a, b: -g * a / b)),
    Mutant("divide", 1, "sign", instead(lambda g, y, a, b: g * y / b)),
    Mutant("reciprocal", 0, "factor", instead(lambda g, y, x: -g * y)),
    Mutant("reciprocal", 0, "factor", instead(lambda g, y, x: -g / y)),
    Mutant("square", 0, "factor", instead(lambda g, y, x: g * x)),
    Mutant("square", 0, "wrong", instead(lambda g, y, x: g * 2.0 * y)),
    Mutant("sqrt", 0, "factor", instead(lambda g, y, x: g / y)),
    Mutant("sqrt", 0, "epsilon", instead(lambda g, y, x: g * 0.5 / (y + 1e-8))),
    Mutant("power", 0, "missing term", instead(lambda g, y, x, p: g * p * x**p)),
    Mutant("power", 0, "factor", instead(lambda g, y, x, p: g * x ** (p - 1.0))),
    Mutant("power", 1, "wrong", instead(lambda g, y, x, p: g * y * np.log(np.abs(p)))),
    Mutant("power", 1, "missing term", instead(lambda g, y, x, p: g * y)),
    *(mutant for name in ("add", "subtract", "multiply", "divide", "power") for mutant in broadcasting(name)),
]
LOGARITHMS = [
    Mutant("exp", 0, "missing term", instead(lambda g, y, x: g)),
    Mutant("exp", 0, "wrong", instead(lambda g, y, x: g * x)),
    Mutant("exp2", 0, "factor", instead(lambda g, y, x: g * y)),
    Mutant("exp2", 0, "wrong", instead(lambda g, y, x: g * x * y)),
    Mutant("expm1", 0, "missing term", instead(lambda g, y, x: g * y)),
    Mutant("expm1", 0, "sign", instead(lambda g, y, x: g * (y - 1.0))),
    Mutant("log", 0, "epsilon", with_epsilon(1e-7)),
    Mutant("log", 0, "wrong", instead(lambda g, y, x: g / (x * x))),
    Mutant("log2", 0, "factor", instead(lambda g, y, x: g / x)),
    Mutant("log2", 0, "factor", instead(lambda g, y, x: g * 0.6931471805599453 / x)),
    Mutant("log10", 0, "factor", instead(lambda g, y, x: g / x)),
    Mutant("log10", 0, "factor", instead(lambda g, y, x: g * 2.302585092994046 / x)),
    Mutant("log1p", 0, "missing term", instead(lambda g, y, x: g / x)),
    Mutant("log1p", 0, "wrong", instead(lambda g, y, x: g / ((1.0 + x) * (1.0 + x)))),
    Mutant("logaddexp", 0, "swapped operands", swapped),
    Mutant("logaddexp", 1, "swapped operands", swapped),
    Mutant("logaddexp", 0, "missing term", instead(lambda g, y, a, b: g * np.exp(a))),
    *broadcasting("logaddexp"),
]
TRIGONOMETRY = [
    Mutant("sin", 0, "sign", instead(lambda g, y, x: -g * np.cos(x))),
    Mutant("sin", 0, "wrong", instead(lambda g, y, x: g * y)),
    Mutant("cos", 0, "sign", instead(lambda g, y, x: g * np.sin(x))),
    Mutant("cos", 0, "wrong", instead(lambda g, y, x: -g * y)),
    Mutant("tan", 0, "missing term", instead(lambda g, y, x: g * y * y)),
    Mutant("tan", 0, "wrong", instead(lambda g, y, x: g / np.cos(x))),
    Mutant("arcsin", 0, "missing term", instead(lambda g, y, x: g / (1.0 - x * x))),
    Mutant("arcsin", 0, "sign", instead(lambda g, y, x: g / np.sqrt(1.0 + x * x))),
    Mutant("arccos", 0, "sign", instead(lambda g, y, x: g / np.sqrt(1.0 - x * x))),
    Mutant("arccos", 0, "missing term", instead(lambda g, y, x: -g / (1.0 - x * x))),
    Mutant("arctan", 0, "sign", instead(lambda g, y, x: g / (1.0 - x * x))),
    Mutant("arctan", 0, "wrong", instead(lambda g, y, x: g / (1.0 + x))),
    Mutant("sinh", 0, "sign", instead(lambda g, y, x: -g * np.cosh(x))),
    Mutant("sinh", 0, "wrong", instead(lambda g, y, x: g * y)),
    Mutant("cosh", 0, "sign", instead(lambda g, y, x: -g * np.sinh(x))),
    Mutant("cosh", 0, "wrong", instead(lambda g, y, x: g * y)),
    Mutant("tanh", 0, "missing term", instead(lambda g, y, x: g * (1.0 - y))),
    Mutant("tanh", 0, "wrong", instead(lambda g, y, x: g * (1.0 - x * x))),
    Mutant("arcsinh", 0, "sign", instead(lambda g, y, x: g / np.sqrt(1.0 - 0.5 * x * x))),
    Mutant("arcsinh", 0, "missing term", instead(lambda g, y, x: g / (x * x + 1.0))),
    Mutant("arccosh", 0, "sign", instead(lambda g, y, x: g / np.sqrt(x * x + 1.0))),
    Mutant("arccosh", 0, "missing term", instead(lambda g, y, x: g / (x * x - 1.0))),
    Mutant("arctanh", 0, "sign", instead(lambda g, y, x: g / (1.0 + x * x))),
    Mutant("arctanh", 0, "wrong", instead(lambda g, y, x: g / (1.0 - x))),
    Mutant("arctan2", 0, "swapped operands", swapped),
    Mutant("arctan2", 1, "sign", instead(lambda g, y, a, b: g * a / (a * a + b * b))),
    *broadcasting("arctan2"),
]
KINKS = [
    Mutant("absolute", 0, "wrong branch", instead(lambda g, y, x: g * (x > 0))),
    Mutant("absolute", 0, "missing g", instead(lambda g, y, x: np.sign(x) + 0.0 * g)),
    Mutant("fabs", 0, "missing term", instead(lambda g, y, x: g)),
    Mutant("fabs", 0, "wrong branch", instead(lambda g, y, x: g * (x < 0))),
    Mutant("sign", 0, "wrong", instead(lambda g, y, x: g)),  # "straight through"
    Mutant("sign", 0, "wrong", instead(lambda g, y, x: g * x)),
    *(
        mutant
        for name in ("maximum", "minimum")
        for mutant in (
            Mutant(name, 0, "wrong branch", swapped),
            Mutant(name, 1, "wrong branch", swapped),
            Mutant(name, 0, "wrong branch", instead(lambda g, y, a, b: g)),
            *broadcasting(name),
        )
    ),
    Mutant("where", 1, "wrong branch", instead(lambda g, y, c, a, b: np.where(c, 0.0 * g, g))),
    Mutant("where", 2, "wrong branch", instead(lambda g, y, c, a, b: g)),
    *broadcasting("where"),
]
SPECIAL = [
    Mutant("expit", 0, "missing term", instead(lambda g, y, x: g * y)),
    Mutant("expit", 0, "wrong", instead(lambda g, y, x: g * x * (1.0 - x))),
    Mutant("log_expit", 0, "sign", instead(lambda g, y, x: g * expit(x))),
    Mutant("log_expit", 0, "factor", instead(lambda g, y, x: g * expit(x) * expit(-x))),
    Mutant("logit", 0, "missing term", instead(lambda g, y, p: g / p)),
    Mutant("logit", 0, "epsilon", with_epsilon(1e-7)),
    Mutant("erf", 0, "factor", instead(lambda g, y, x: g * np.exp(-x * x))),
    Mutant("erf", 0, "factor", instead(lambda g, y, x: g * np.exp(-0.5 * x * x))),
    Mutant("erfc", 0, "sign", instead(lambda g, y, x: g * 1.1283791670955126 * np.exp(-x * x))),
    Mutant("erfc", 0, "wrong", instead(lambda g, y, x: -g * y)),
    Mutant("ndtr", 0, "factor", instead(lambda g, y, x: g * np.exp(-0.5 * x * x))),
    Mutant("ndtr", 0, "factor", instead(lambda g, y, x: g * np.exp(-x * x) / 2.5066282746310002)),
    Mutant("ndtri", 0, "factor", instead(lambda g, y, p: g * np.exp(0.5 * y * y))),
    Mutant("ndtri", 0, "sign", instead(lambda g, y, p: g * 2.5066282746310002 * np.exp(-0.5 * y * y))),
    Mutant("log_ndtr", 0, "sign", instead(lambda g, y, x: g * 0.7978845608028654 / erfcx(x * 0.7071067811865476))),
    Mutant("log_ndtr", 0, "wrong", instead(lambda g, y, x: g / erfc(x))),
    Mutant("erfcx", 0, "missing term", instead(lambda g, y, x: g * 2.0 * x * y)),
    Mutant("erfcx", 0, "sign", instead(lambda g, y, x: g * (2.0 * x * y + 1.1283791670955126))),
    Mutant("gammaln", 0, "wrong", instead(lambda g, y, x: g * np.log(x))),  # Stirling
    Mutant("gammaln", 0, "missing g", of_g(lambda g: 0.0 * g + 1.0)),
    Mutant("psi", 0, "wrong", instead(lambda g, y, x: g / x)),
    Mutant("psi", 0, "wrong", instead(lambda g, y, x: g * hurwitz_zeta(3.0, x))),
    Mutant("hurwitz_zeta", 1, "sign", instead(lambda g, y, s, x: g * s * hurwitz_zeta(s + 1.0, x))),
    Mutant("hurwitz_zeta", 1, "factor", instead(lambda g, y, s, x: -g * hurwitz_zeta(s + 1.0, x))),
]
MUTANTS = ARITHMETIC + LOGARITHMS + TRIGONOMETRY + KINKS + SPECIAL
