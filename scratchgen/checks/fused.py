"""Samples of the fused operations: ``activations``, ``categorical``, ``densities`` and ``layers`` of ``autodiff``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import activations, categorical, densities, layers
from scratchgen.checks.elementwise import PAIRS, SHAPES, between, binary, twice, unary
from scratchgen.checks.sample import Draw, Sample, signed, uniform

# -- activations ---------------------------------------------------------------------------------------------------


def far_out(function: Callable[..., Any], limit: float = 30.0) -> list[Sample]:
    """Where a naive formula has lost its digits, but the function has not yet reached its limit."""
    return [
        Sample(function.__name__, "far right", function, uniform(limit / 2, limit, 7), oracle="real"),
        Sample(function.__name__, "far left", function, uniform(-limit, -limit / 2, 7), oracle="real"),
    ]


ACTIVATIONS = [
    *unary(activations.relu, signed, "real"),
    *unary(activations.leaky_relu, signed, "real"),
    Sample("leaky_relu", "slope", lambda x: activations.leaky_relu(x, 0.3), signed(2, 3), oracle="real"),
    Sample("leaky_relu", "slope by name", lambda x: activations.leaky_relu(x, slope=0.3), signed(2, 3), oracle="real"),
    *(s for f in (activations.sigmoid, activations.silu, activations.gelu_tanh) for s in unary(f, signed)),
    *(s for f in (activations.softplus, activations.log_sigmoid, activations.gelu) for s in unary(f, signed, "real")),
    *(
        s
        for f in (activations.sigmoid, activations.softplus, activations.log_sigmoid, activations.silu)
        for s in far_out(f)
    ),
    *(s for f in (activations.gelu, activations.gelu_tanh) for s in far_out(f, limit=5.0)),
]

# -- softmax -------------------------------------------------------------------------------------------------------


def along_an_axis(f: Callable[..., Any]) -> list[Sample]:
    """A sample of every kind, along the last axis and others, and logits whose rows are far apart."""

    def sample(kind: str, *shape: int, **options: Any) -> Sample:
        return Sample(f.__name__, kind, lambda x: f(x, **options), signed(*shape))

    def apart_rows(rng: np.random.Generator) -> np.ndarray:
        return signed(3, 5)(rng) + np.array([[0.0], [300.0], [-40.0]])

    return [
        sample("primes", 2, 3, 5),
        sample("square", 3, 3),
        sample("square", 3, 3, axis=0),
        sample("size-1 axis", 1, 3),
        sample("size-1 axis", 3, 1),
        sample("axis", 2, 3, 5, axis=1),
        sample("axis", 2, 3, axis=-2),
        sample("axes", 2, 3, 5, axis=(0, 2)),
        sample("axes", 2, 3, axis=(-1, 0)),
        sample("one row", 5),
        sample("empty", 0, 3),
        Sample(f.__name__, "axis by position", lambda x: f(x, 0), signed(2, 3)),
        Sample(f.__name__, "rows far apart", f, apart_rows),
    ]


def labelled(kind: str, shape: tuple[int, ...], labels: Any) -> Sample:
    """Log-probabilities of fixed labels."""
    return Sample(
        "categorical_log_prob", kind, lambda x: categorical.categorical_log_prob(x, np.array(labels)), signed(*shape)
    )


CATEGORICAL = [
    *along_an_axis(categorical.softmax),
    *along_an_axis(categorical.log_softmax),
    labelled("primes", (2, 3, 5), [[0, 4, 1], [2, 4, 3]]),
    labelled("square", (3, 3), [1, 2, 0]),
    labelled("size-1 axis", (1, 3), [2]),
    labelled("size-1 axis", (2, 1), [0, 0]),
    labelled("one row", (5,), 3),
    labelled("empty", (0, 3), np.zeros(0, int)),
    labelled("duplicate indices", (3, 5), [2, 2, 2]),
    labelled("labels that broadcast", (2, 3, 5), [4, 0, 0]),
]

# -- densities -----------------------------------------------------------------------------------------------------

# Shapes of three and four arguments that broadcast against one another in every way.
TRIPLES: dict[str, tuple[tuple[int, ...], ...]] = {
    **{kind: (shape, shape, shape) for kind, shape in SHAPES.items()},
    "row": ((2, 3), (3,), (1, 3)),
    "column": ((2, 1), (2, 3), (2, 1)),
    "two-way": ((3, 1), (1, 5), ()),
    "rank": ((3, 1), (2, 3, 5), (5,)),
    "the first is smallest": ((5,), (2, 1), (2, 5)),
}
QUADRUPLES: dict[str, tuple[tuple[int, ...], ...]] = {
    **{kind: (*shapes, shapes[0]) for kind, shapes in TRIPLES.items()},
    "prior of a mixture": ((2, 1, 3), (2, 1, 3), (5, 3), (5, 1)),
}


def several(f: Callable[..., Any], cases: dict[str, tuple[tuple[int, ...], ...]]) -> list[Sample]:
    """Samples of a function of several arrays that broadcast."""
    return [Sample(f.__name__, kind, f, *(signed(*shape) for shape in shapes)) for kind, shapes in cases.items()]


log_normal, kl = densities.gaussian_log_prob, densities.gaussian_kl
DENSITIES = [
    *binary(densities.bernoulli_log_prob, signed, between(0.1, 0.9), "real")[: len(PAIRS)],
    *(
        Sample(
            "bernoulli_log_prob",
            f"{kind}, swapped",
            densities.bernoulli_log_prob,
            signed(*b),
            uniform(0.1, 0.9, *a),
            oracle="real",
        )
        for kind, (a, b) in PAIRS.items()
        if a != b
    ),
    Sample(
        "bernoulli_log_prob",
        "same twice",
        lambda x: densities.bernoulli_log_prob(x, x),
        uniform(0.3, 0.9, 2, 3),
        oracle="real",
    ),
    Sample(
        "bernoulli_log_prob",
        "with a number",
        lambda x: densities.bernoulli_log_prob(x, 1.0),
        signed(2, 3),
        oracle="real",
    ),
    Sample(
        "bernoulli_log_prob",
        "binary data",
        lambda x: densities.bernoulli_log_prob(x, np.array([True, False, True])),
        signed(2, 3),
        oracle="real",
    ),
    *several(log_normal, TRIPLES),
    twice(lambda a, b: log_normal(a, b, a * b), signed, name="gaussian_log_prob"),
    Sample("gaussian_log_prob", "with numbers", lambda x: log_normal(x, 0.5, -1.0), signed(2, 3)),
    Sample("gaussian_log_prob", "with a number", lambda m: log_normal(0.5, m, -1.0), signed(2, 3)),
    Sample("gaussian_log_prob", "logvar alone", lambda v: log_normal(0.5, 1.0, v), signed(2, 3)),
    Sample("gaussian_log_prob", "wide", log_normal, signed(2, 3), signed(2, 3), uniform(25.0, 30.0, 2, 3)),
    *several(kl, {kind: shapes[:2] for kind, shapes in TRIPLES.items()}),
    *several(kl, QUADRUPLES),
    twice(lambda a, b: kl(a, b, b, a), signed, name="gaussian_kl"),
    Sample("gaussian_kl", "with a number", lambda m: kl(m, -0.5), signed(2, 3)),
    Sample("gaussian_kl", "logvar alone", lambda v: kl(0.5, v), signed(2, 3)),
    Sample("gaussian_kl", "p by name", lambda a, b: kl(a, b, mean_p=b, logvar_p=0.5), signed(2, 3), signed(2, 3)),
    Sample(
        "gaussian_kl",
        "logvar_p by name",
        lambda a, b, c: kl(a, b, logvar_p=c),
        signed(2, 3),
        signed(2, 3),
        signed(2, 3),
    ),
    Sample("gaussian_kl", "p alone", lambda m, v: kl(0.5, -0.5, m, v), signed(2, 3), signed(2, 3)),
    *(
        Sample("mse", kind, densities.mse, signed(*s), signed(*s))
        for kind, s in SHAPES.items()
        if kind not in ("0-d", "empty")
    ),
    Sample("mse", "empty", densities.mse, signed(3, 0), signed(3, 0)),
    Sample("mse", "one dimension", densities.mse, signed(5), signed(5)),
    Sample("mse", "more dimensions", densities.mse, signed(2, 3, 5), signed(2, 3, 5)),
    twice(lambda a, b: densities.mse(a, b * b), signed, name="mse"),
]

# -- layers --------------------------------------------------------------------------------------------------------


def of_size_one(*shape: int) -> Draw:
    """Magnitudes from 1 to 1.7."""
    return lambda rng: rng.choice([-1.0, 1.0], shape) * rng.uniform(1.0, 1.7, shape)


def one_each(n_in: int, n_out: int) -> Draw:
    """Weights by which every output is about ±2 times one input, so that those of ``of_size_one`` give none near 0."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        W = rng.uniform(-0.15, 0.15, (n_in, n_out))
        W[np.arange(n_out) % n_in, np.arange(n_out)] += rng.choice([-2.0, 2.0], n_out)
        return W

    return draw


def activated(activation: Any) -> Callable[..., Any]:
    """linear with that activation."""
    return lambda x, W, b=None: layers.linear(x, W, b, activation=activation)


LINEAR_SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "primes": ((2, 3), (3, 5)),
    "square": ((3, 3), (3, 3)),
    "size-1 axis": ((1, 3), (3, 1)),
    "size-1 axis inside": ((2, 1), (1, 5)),
    "empty": ((0, 3), (3, 2)),
    "one row": ((3,), (3, 2)),
    "leading axes": ((2, 3, 5), (5, 7)),
    "leading axes, empty": ((2, 0, 3), (3, 2)),
    "no outputs": ((2, 3), (3, 0)),
}

LAYERS = [
    *(
        Sample("linear", kind, layers.linear, signed(*x), signed(*W), signed(W[1]))
        for kind, (x, W) in LINEAR_SHAPES.items()
    ),
    *(
        Sample("linear", f"{kind}, no bias", layers.linear, signed(*x), signed(*W))
        for kind, (x, W) in LINEAR_SHAPES.items()
    ),
    Sample("linear", "bias by name", lambda x, W, b: layers.linear(x, W, b=b), signed(2, 3), signed(3, 5), signed(5)),
    Sample("linear", "same twice", lambda x: layers.linear(x, x, x[0]), signed(3, 3)),
    Sample(
        "linear", "tanh", activated(np.tanh), uniform(-0.7, 0.7, 2, 3), uniform(-0.7, 0.7, 3, 5), uniform(-0.3, 0.3, 5)
    ),
    Sample("linear", "tanh, leading axes", activated(np.tanh), uniform(-0.7, 0.7, 2, 3, 5), uniform(-0.7, 0.7, 5, 2)),
    Sample("linear", "silu", activated(activations.silu), signed(2, 3), signed(3, 5), signed(5)),
    Sample("linear", "silu, leading axes, no bias", activated(activations.silu), signed(2, 3, 5), signed(5, 2)),
    Sample(
        "linear",
        "relu",
        activated(activations.relu),
        of_size_one(7, 3),
        one_each(3, 5),
        uniform(-0.2, 0.2, 5),
        oracle="real",
    ),
    Sample(
        "linear", "relu, leading axes", activated(activations.relu), of_size_one(2, 3, 5), one_each(5, 2), oracle="real"
    ),
    *(
        Sample("layer_norm", kind, layers.layer_norm, signed(*shape), signed(shape[-1]), signed(shape[-1]))
        for kind, shape in {**SHAPES, "one row": (5,), "leading axes": (2, 3, 5)}.items()
        if shape
    ),
    Sample("layer_norm", "eps", lambda *args: layers.layer_norm(*args, 0.5), signed(2, 3), signed(3), signed(3)),
    Sample(
        "layer_norm", "eps by name", lambda *args: layers.layer_norm(*args, eps=0.5), signed(2, 3), signed(3), signed(3)
    ),
    Sample("layer_norm", "same twice", lambda x: layers.layer_norm(x, x[0], x[1]), signed(3, 5)),
]

SAMPLES = [*ACTIVATIONS, *CATEGORICAL, *DENSITIES, *LAYERS]

ROWS = "it works on rows"
BATCH = "it averages over a batch"
EXEMPT = {
    ("softmax", "0-d"): ROWS,
    ("log_softmax", "0-d"): ROWS,
    ("categorical_log_prob", "0-d"): ROWS,
    ("linear", "0-d"): ROWS,
    ("layer_norm", "0-d"): ROWS,
    ("mse", "0-d"): BATCH,
}
