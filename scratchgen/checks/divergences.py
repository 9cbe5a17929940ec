"""Samples of the divergences of discrete distributions: ``distributions/discrete_kl.py``."""

from __future__ import annotations

import numpy as np

from scratchgen.checks.elementwise import binary
from scratchgen.checks.sample import Sample, signed, uniform
from scratchgen.distributions.discrete_kl import bernoulli_kl, categorical_kl

BERNOULLI = [
    *binary(bernoulli_kl, signed, signed, oracle="real")[:-1],  # the last is with a number; logits are arrays
    Sample("bernoulli_kl", "same twice", lambda x: bernoulli_kl(x, x * x), signed(2, 3), oracle="real"),
    Sample("bernoulli_kl", "far right", bernoulli_kl, uniform(15.0, 30.0, 7), uniform(-2.0, 30.0, 7), oracle="real"),
    Sample("bernoulli_kl", "far left", bernoulli_kl, uniform(-30.0, -15.0, 7), uniform(-30.0, 2.0, 7), oracle="real"),
]

# Logits of q and of p.
SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "primes": ((2, 3, 5), (2, 3, 5)),
    "square": ((3, 3), (3, 3)),
    "size-1 axis": ((1, 3), (1, 3)),
    "one category": ((2, 1), (2, 1)),
    "empty": ((0, 3), (0, 3)),
    "one row": ((5,), (5,)),
    "row": ((2, 3), (3,)),
    "row, swapped": ((3,), (2, 3)),
    "two-way": ((2, 1, 3), (5, 3)),
    "rank": ((2, 3), (5, 2, 3)),
}


def rows_apart(rng: np.random.Generator) -> np.ndarray:
    """Rows of logits that differ by large constants, which mean nothing."""
    return signed(3, 5)(rng) + np.array([[0.0], [30.0], [-40.0]])


CATEGORICAL = [
    *(
        Sample("categorical_kl", kind, categorical_kl, signed(*q), signed(*p), oracle="real")
        for kind, (q, p) in SHAPES.items()
    ),
    Sample("categorical_kl", "same twice", lambda x: categorical_kl(x, x * x), signed(2, 3), oracle="real"),
    Sample("categorical_kl", "rows far apart", categorical_kl, rows_apart, signed(3, 5), oracle="real"),
    Sample(
        "categorical_kl", "sharp", lambda x, y: categorical_kl(4 * x, 4 * y), signed(2, 5), signed(2, 5), oracle="real"
    ),
]

SAMPLES = [*BERNOULLI, *CATEGORICAL]
EXEMPT = {("categorical_kl", "0-d"): "it works on rows"}
