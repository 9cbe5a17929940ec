"""Samples for the rules of ``autodiff.reductions``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from scratchgen.autodiff.reductions import logsumexp
from scratchgen.checks.sample import Draw, Sample, apart, signed, uniform

Oracle = Literal["complex", "real"]


def with_zeros(*shape: int, at: list[int]) -> Draw:
    """Signed values, with zeros at those places of the flattened array."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        x = signed(*shape)(rng)
        x.flat[at] = 0.0
        return x

    return draw


def reduction(
    name: str, f: Callable[..., Any], draw: Callable[..., Draw] = signed, oracle: Oracle = "complex"
) -> Iterator[Sample]:
    """What every function with ``axis`` and ``keepdims`` is tried on."""

    def sample(kind: str, *shape: int, **options: Any) -> Sample:
        return Sample(name, kind, lambda x: f(x, **options), draw(*shape), oracle=oracle)

    yield sample("primes", 2, 3, 5)
    yield sample("primes", 2, 3, 5, axis=1)
    yield sample("square", 3, 3, axis=0)
    yield sample("0-d")
    yield sample("size-1 axis", 1, 3, axis=0)
    yield sample("size-1 axis", 2, 1, 3, axis=(0, 1))
    yield sample("axis", 3, 2, axis=-1)
    yield sample("axes", 2, 3, 5, axis=(-1, 0))
    yield sample("no axes", 2, 3, axis=())
    yield sample("keepdims", 2, 3, 5, axis=1, keepdims=True)
    yield sample("keepdims of all", 2, 3, keepdims=True)
    yield sample("keepdims", 2, 3, 5, axis=(0, -1), keepdims=True)
    yield sample("empty", 0, 3, axis=1)


def accumulation(name: str, f: Callable[..., Any]) -> Iterator[Sample]:
    """What cumsum and cumprod are tried on; 11 is no power of 2, which counts for a sum by doubling."""
    for kind, shape, axis in [
        ("primes", (2, 3, 5), 1),
        ("primes", (2, 11), -1),
        ("square", (3, 3), 0),
        ("0-d", (), None),
        ("size-1 axis", (1, 3), 0),
        ("axis", (3, 2), -1),
        ("flattened", (2, 3), None),
        ("empty", (0, 3), 0),
        ("empty", (0, 3), 1),
    ]:
        yield Sample(name, kind, lambda x, axis=axis: f(x, axis=axis), signed(*shape))


def zeros(name: str, f: Callable[..., Any]) -> Iterator[Sample]:
    """Products with zeros among the factors, where a rule that divides by them fails."""
    yield Sample(name, "one zero", f, with_zeros(5, at=[2]))
    yield Sample(name, "first is zero", f, with_zeros(3, at=[0]))
    yield Sample(name, "two zeros", f, with_zeros(5, at=[1, 3]))
    yield Sample(name, "three zeros", f, with_zeros(5, at=[0, 1, 4]))
    yield Sample(name, "all zeros", f, with_zeros(3, at=[0, 1, 2]))
    yield Sample(name, "zeros in rows", lambda x: f(x, axis=1), with_zeros(3, 4, at=[2, 5, 7]))


def spread(f: Callable[..., Any]) -> Callable[..., Any]:
    """var or std with the Bessel correction."""
    return lambda x, **options: f(x, ddof=1, **options)


SAMPLES = [
    *reduction("sum", np.sum),
    Sample("sum", "empty", lambda x: np.sum(x, axis=0), signed(0, 3)),
    Sample("sum", "0-d", lambda x: np.sum(x, axis=0), signed()),
    *reduction("mean", np.mean),
    *reduction("var", np.var, oracle="real"),
    Sample("var", "ddof", lambda x: spread(np.var)(x, axis=1), signed(2, 3, 5), oracle="real"),
    Sample("var", "ddof", lambda x: spread(np.var)(x, axis=(0, 2), keepdims=True), signed(2, 3, 5), oracle="real"),
    *reduction("std", np.std, apart, oracle="real"),  # a kink where all are equal
    Sample("std", "ddof", lambda x: spread(np.std)(x, axis=1), apart(2, 3, 5), oracle="real"),
    Sample("std", "ddof", lambda x: spread(np.std)(x), apart(2, 3), oracle="real"),
    *reduction("max", np.max, apart),
    Sample("max", "alias", lambda x: np.amax(x, axis=1), apart(2, 3)),
    *reduction("min", np.min, apart),
    Sample("min", "alias", lambda x: np.amin(x, axis=1), apart(2, 3)),
    *reduction("logsumexp", logsumexp),
    Sample("logsumexp", "large", lambda x: logsumexp(x, axis=1), uniform(1000.0, 1003.0, 2, 5)),
    Sample("logsumexp", "very negative", lambda x: logsumexp(x, axis=1), uniform(-1003.0, -1000.0, 2, 5)),
    *reduction("prod", np.prod),
    *zeros("prod", np.prod),
    Sample("prod", "zeros, axes", lambda x: np.prod(x, axis=(0, 2)), with_zeros(2, 3, 2, at=[1, 5, 9])),
    Sample("prod", "empty", lambda x: np.prod(x, axis=0), signed(0, 3)),
    Sample("prod", "0-d", lambda x: np.prod(x, axis=0), signed()),
    *accumulation("cumsum", np.cumsum),
    *accumulation("cumprod", np.cumprod),
    *zeros("cumprod", np.cumprod),
]

EXEMPT: dict[tuple[str, str], str] = {}
