"""Samples of the elementwise functions: ``autodiff/elementwise.py`` and ``autodiff/special.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from scratchgen.autodiff.special import hurwitz_zeta
from scratchgen.checks.sample import Draw, Sample, apart, away, positive, signed, uniform

Shaped = Callable[..., Draw]  # a draw for any shape

SHAPES: dict[str, tuple[int, ...]] = {
    "primes": (2, 3),
    "square": (3, 3),
    "0-d": (),
    "size-1 axis": (1, 3),
    "empty": (0, 3),
}
PAIRS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    **{kind: (shape, shape) for kind, shape in SHAPES.items()},
    "row": ((2, 3), (3,)),
    "column": ((2, 1), (2, 3)),
    "two-way": ((3, 1), (1, 5)),
    "rank": ((3, 1), (2, 3, 2)),
}


def unary(function: Callable[..., Any], draw: Shaped, oracle: Any = "complex", name: str | None = None) -> list[Sample]:
    """A sample of every kind for a function of one array."""
    name = name or function.__name__
    return [Sample(name, kind, function, draw(*shape), oracle=oracle) for kind, shape in SHAPES.items()]


def binary(
    function: Callable[..., Any], first: Shaped, second: Shaped, oracle: Any = "complex", name: str | None = None
) -> list[Sample]:
    """A sample of every kind for a function of two arrays, broadcasting both ways."""
    name = name or function.__name__
    samples = [Sample(name, kind, function, first(*a), second(*b), oracle=oracle) for kind, (a, b) in PAIRS.items()]
    samples += [
        Sample(name, f"{kind}, swapped", function, first(*b), second(*a), oracle=oracle)
        for kind, (a, b) in PAIRS.items()
        if a != b
    ]
    return [*samples, Sample(name, "with a number", lambda x: function(x, 1.5), first(2, 3), oracle=oracle)]


def twice(function: Callable[..., Any], draw: Shaped, oracle: Any = "complex", name: str | None = None) -> Sample:
    """f(x, x)."""
    return Sample(name or function.__name__, "same twice", lambda x: function(x, x), draw(2, 3), oracle=oracle)


def between(low: float, high: float) -> Shaped:
    """Uniform values, of any shape."""
    return lambda *shape: uniform(low, high, *shape)


def placed(place: int) -> Shaped:
    """Values apart from those at other places, of any shape."""
    return lambda *shape: apart(*shape, place=place)


def choose(a: Any, b: Any) -> Any:
    """np.where with a fixed pattern of both outcomes, of the shape that a and b broadcast to."""
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    return np.where(np.arange(int(np.prod(shape))).reshape(shape) % 3 == 1, a, b)


SAMPLES = [
    *(
        s
        for f in (np.positive, np.negative, np.reciprocal, np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos)
        for s in unary(f, signed)
    ),
    *(s for f in (np.tan, np.arctan, np.sinh, np.cosh, np.tanh, np.arcsinh) for s in unary(f, between(-1.2, 1.2))),
    *(s for f in (np.arcsin, np.arccos, np.arctanh) for s in unary(f, between(-0.8, 0.8))),
    *(s for f in (np.sqrt, np.log, np.log2, np.log10, np.log1p) for s in unary(f, positive)),
    *unary(np.arccosh, between(1.4, 2.5)),
    *unary(np.absolute, signed, "real"),
    *unary(np.fabs, signed, "real"),
    *unary(np.sign, signed, "real"),
    *(s for f in (np.add, np.subtract, np.multiply, np.divide) for s in (*binary(f, signed, signed), twice(f, signed))),
    *binary(np.power, positive, signed),
    twice(np.power, positive),
    *(Sample("power", f"exponent {p}", lambda x, p=p: x**p, signed(2, 3)) for p in (3, 1, 0, -1, -2)),
    Sample("power", "number to a power", lambda x: 2.5**x, signed(2, 3)),
    Sample("square", "operator **", lambda x: x**2, signed(2, 3)),
    *binary(np.logaddexp, signed, signed, "real"),
    twice(np.logaddexp, signed, "real"),
    *binary(np.arctan2, signed, signed, "real"),
    twice(np.arctan2, signed, "real"),
    *binary(np.maximum, placed(0), placed(2), "real"),
    *binary(np.minimum, placed(0), placed(2), "real"),
    twice(np.maximum, signed, "real"),
    twice(np.minimum, signed, "real"),
    *binary(choose, signed, signed, name="where"),
    twice(choose, signed, name="where"),
    *(
        Sample("clip", kind, lambda x: np.clip(x, -1.0, 0.5), away(*shape, kinks=(-1.0, 0.5)), oracle="real")
        for kind, shape in SHAPES.items()
    ),
    Sample(
        "clip",
        "bounds that are inputs",
        np.clip,
        uniform(-2.0, 2.0, 3),
        uniform(-3.0, -2.3, 3),
        uniform(2.3, 3.0, 3),
        oracle="real",
    ),
    Sample("clip", "one bound", lambda x: np.clip(x, None, 0.5), away(2, 3, kinks=(0.5,)), oracle="real"),
    # scipy.special
    *(s for f in (special.expit, special.log_expit) for s in unary(f, signed, "real")),
    *(
        s
        for f in (special.erf, special.erfc, special.erfcx, special.ndtr, special.log_ndtr)
        for s in unary(f, signed, "real")
    ),
    *(s for f in (special.logit, special.ndtri) for s in unary(f, between(0.15, 0.85), "real")),
    *(s for f in (special.gammaln, special.digamma) for s in unary(f, positive, "real")),
    *(s for s in unary(lambda x: hurwitz_zeta(2.5, x), positive, "real", name="hurwitz_zeta")),
]
EXEMPT: dict[tuple[str, str], str] = {}
