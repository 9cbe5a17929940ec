"""Errors that one can make in any rule, planted in the rule of every argument of every operation."""

from __future__ import annotations

from scratchgen.autodiff.operations import OPERATIONS, Each
from scratchgen.checks.suite import load_everything
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import (
    Change,
    in_float32,
    last_zeroed,
    of_g,
    of_result,
    on_raw_data,
    ones,
    rolled,
    times,
)

EVERYWHERE: list[tuple[str, Change]] = [
    ("sign", times(-1.0)),
    ("factor", times(2.0)),
    ("off by little", times(1 + 1e-3)),
    ("off by little", times(1 + 1e-6)),
    ("missing g", of_g(ones)),
    ("not linear in g", of_g(lambda g: g * g)),
    ("float32 inside", of_result(in_float32)),
    ("last element zeroed", of_result(last_zeroed)),
    ("rolled", of_result(rolled)),
    ("NaN", times(float("nan"))),
]

# Their derivative is 0, so that only a rule which makes something of nothing is wrong.
FLAT = {"sign"}

# Their derivative does not depend on the inputs, or only by a kink: a rule that reads raw data is right.
LINEAR = {
    *("positive", "negative", "add", "subtract", "where", "absolute", "fabs", "sign", "maximum", "minimum"),
    *("sum", "mean", "max", "min", "cumsum", "trace", "relu", "leaky_relu"),
    *("reshape", "ravel", "squeeze", "expand_dims", "swapaxes", "moveaxis", "transpose", "flip", "roll", "astype"),
    *("broadcast_to", "tril", "triu", "diagonal", "getitem", "scatter_add", "concatenate_flat", "identity"),
    *("lookup", "add_rows", "merge_columns"),
}


# What these arguments' rules need of the data comes from ``prepare``, or they need none.
WITHOUT_DATA = {
    *(("linalg.solve", 1), ("solve_triangular", 1), ("linear", 2), ("conv2d", 2), ("conv_transpose2d", 2)),
    *(("causal_attention", 2), ("masked_product", 2)),
    *(("gaussian_log_prob", i) for i in range(3)),
    *(("gaussian_kl", i) for i in range(4)),
    *(("mse", i) for i in range(2)),
    *(("layer_norm", i) for i in (1, 2)),
}


def arguments(name: str) -> list[int]:
    """The arguments that have a rule."""
    rules = OPERATIONS[name].rules
    return [0, 1] if isinstance(rules, Each) else [i for i, rule in enumerate(rules) if rule is not None]


def read_data(name: str) -> list[int | str]:
    """The rules that depend on the values of the inputs, ``prepare`` among them."""
    prepare: list[int | str] = ["prepare"] if OPERATIONS[name].prepare else []
    return [] if name in LINEAR else prepare + [i for i in arguments(name) if (name, i) not in WITHOUT_DATA]


load_everything()
MUTANTS = [
    Mutant(name, i, error, change)
    for name in OPERATIONS
    for i in arguments(name)
    for error, change in EVERYWHERE
    if not (name in FLAT and error != "NaN")
]
MUTANTS += [Mutant(name, i, "raw data", on_raw_data) for name in OPERATIONS for i in read_data(name)]
