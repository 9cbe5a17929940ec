"""Wrong rules for ``autodiff.linalg``."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.linalg import columns, like, solve_triangular, spread_out, transposed
from scratchgen.autodiff.operations import Rule
from scratchgen.autodiff.reductions import restore
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, on_raw_inputs, on_raw_y, raw


def transposed_if_square(right: Rule) -> Rule:
    """The transpose of the right gradient, which has the right shape for a square matrix."""

    def rule(g: Any, y: Any, *args: Any, **options: Any) -> Any:
        dx = right(g, y, *args, **options)
        return transposed(dx) if dx.ndim >= 2 and dx.shape[-1] == dx.shape[-2] else dx

    return rule


def first_of_the_stack(i: int) -> Any:
    """Where a matrix met a whole stack, takes its gradient from the first only."""

    def wrong(right: Rule) -> Rule:
        def rule(g: Any, y: Any, *args: Any, **options: Any) -> Any:
            dx = right(g, y, *args, **options)
            while dx.ndim > args[i].ndim:
                dx = dx[0]
            return dx

        return rule

    return wrong


def mean_over_the_stack(right: Rule) -> Rule:
    return lambda g, y, a, b: right(g, y, a, b) / (y.shape[0] if y.ndim > b.ndim else 1)


def matmul_left_for_a_matrix(g: Any, y: Any, a: Any, b: Any) -> Any:
    """Forgets that NumPy's vector b is a column."""
    return np.outer(g, b) if b.ndim == 1 and a.ndim == 2 else g @ transposed(b) if b.ndim > 1 else g * b


def trace_of_the_main_diagonal(right: Rule) -> Rule:
    return lambda g, y, x, offset=0, axis1=0, axis2=1: right(g, y, x, 0, axis1, axis2)


def trace_with_opposite_offset(right: Rule) -> Rule:
    return lambda g, y, x, offset=0, axis1=0, axis2=1: right(g, y, x, -offset, axis1, axis2)


def whole_square(g: Any, y: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.broadcast_to(np.expand_dims(g, (axis1, axis2)), x.shape)


def norm_with_epsilon(g: Any, y: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    return restore(g, x, axis) * x / (restore(y, x, axis) + 1e-8)


def squared_norm(g: Any, y: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    return restore(g, x, axis) * x


def norm_of_all(g: Any, y: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    return restore(g, x, axis) * x / np.linalg.norm(x)


def inverse_with_swapped_factors(g: Any, y: Any, x: Any) -> Any:
    return -g @ transposed(y) @ transposed(y)


def log_of_determinant(g: Any, y: Any, x: Any) -> Any:
    """The rule of log det, for det."""
    return spread_out(g) * transposed(np.linalg.inv(x))


def signed_logabsdet(g: Any, y: Any, x: Any) -> Any:
    """The sign of the determinant once too often."""
    return spread_out(g[1] * y[0]) * transposed(np.linalg.inv(x))


def not_transposed_solve(g: Any, y: Any, a: Any, b: Any) -> Any:
    return np.linalg.solve(a, columns(g, b))


def raw_solve(g: Any, y: Any, a: Any, b: Any) -> Any:
    return np.linalg.solve(transposed(raw(a)), columns(g, b))


def solve_with_b_for_x(w: Any, y: Any, a: Any, b: Any) -> Any:
    return -w @ transposed(columns(b, b))


def vector_as_row(w: Any, y: Any, a: Any, b: Any, *options: Any, **named: Any) -> Any:
    """The outer product of x and w the wrong way round, for vectors only."""
    product = -w @ transposed(columns(y, b))
    return transposed(product) if b.ndim == 1 else product


def triangular_not_transposed(g: Any, y: Any, a: Any, b: Any, lower: bool = True, transpose: bool = False) -> Any:
    return solve_triangular(a, columns(g, b), lower, transpose)


def whole_matrix(w: Any, y: Any, a: Any, b: Any, lower: bool = True, transpose: bool = False) -> Any:
    """Does not know that only one triangle was read."""
    return -columns(y, b) @ transposed(w) if transpose else -w @ transposed(columns(y, b))


def transpose_forgotten(w: Any, y: Any, a: Any, b: Any, lower: bool = True, transpose: bool = False) -> Any:
    product = -w @ transposed(columns(y, b))
    return np.tril(product) if lower else np.triu(product)


def strict_triangle(right: Rule) -> Rule:
    def rule(w: Any, y: Any, a: Any, b: Any, lower: bool = True, transpose: bool = False) -> Any:
        return right(w, y, a, b, lower, transpose) * (1.0 - np.eye(a.shape[-1]))

    return rule


def cholesky_from(diagonal: float, symmetric: bool = True) -> Rule:
    """The rule with another factor on the diagonal in Φ, or without the symmetric part."""

    def rule(g: Any, L: Any, a: Any) -> Any:
        n = a.shape[-1]
        phi = transposed(L) @ g * (np.tri(n) - (1.0 - diagonal) * np.eye(n))
        inverse = np.linalg.inv(L)
        S = transposed(inverse) @ phi @ inverse
        return 0.5 * (S + transposed(S)) if symmetric else S + transposed(S)

    return rule


def untruncated_cholesky(g: Any, L: Any, a: Any) -> Any:
    inverse = np.linalg.inv(L)
    S = 0.5 * transposed(inverse) @ transposed(L) @ g @ inverse
    return 0.5 * (S + transposed(S))


MUTANTS = [
    Mutant("matmul", 0, "not transposed", transposed_if_square),
    Mutant("matmul", 1, "not transposed", transposed_if_square),
    Mutant("matmul", 0, "raw data", on_raw_inputs),
    Mutant("matmul", 1, "raw data", on_raw_inputs),
    Mutant("matmul", 0, "wrong unbroadcast", first_of_the_stack(0)),
    Mutant("matmul", 1, "wrong unbroadcast", mean_over_the_stack),
    Mutant("matmul", 0, "wrong", instead(matmul_left_for_a_matrix)),
    Mutant("outer", 0, "swapped operands", instead(lambda g, y, a, b: np.reshape(g @ np.ravel(a), a.shape))),
    Mutant("outer", 1, "not transposed", instead(lambda g, y, a, b: np.reshape(g @ np.ravel(a), b.shape))),
    Mutant("outer", 0, "raw data", on_raw_inputs),
    Mutant("outer", 1, "raw data", on_raw_inputs),
    Mutant("trace", 0, "wrong index", trace_of_the_main_diagonal),
    Mutant("trace", 0, "wrong index", trace_with_opposite_offset),
    Mutant("trace", 0, "wrong branch", instead(whole_square)),
    Mutant("linalg.norm", 0, "epsilon", instead(norm_with_epsilon)),
    Mutant("linalg.norm", 0, "missing term", instead(squared_norm)),
    Mutant("linalg.norm", 0, "wrong index", instead(norm_of_all)),
    Mutant("linalg.norm", 0, "detached", on_raw_y),
    Mutant("linalg.inv", 0, "not transposed", instead(lambda g, y, x: -y @ g @ y)),
    Mutant("linalg.inv", 0, "swapped operands", instead(inverse_with_swapped_factors)),
    Mutant("linalg.inv", 0, "raw data", on_raw_y),
    Mutant("linalg.det", 0, "not transposed", instead(lambda g, y, x: spread_out(g * y) * np.linalg.inv(x))),
    Mutant("linalg.det", 0, "missing term", instead(log_of_determinant)),
    Mutant(
        "linalg.det", 0, "wrong branch", instead(lambda g, y, x: spread_out(g * abs(y)) * transposed(np.linalg.inv(x)))
    ),
    Mutant("linalg.det", 0, "raw data", on_raw_y),
    Mutant("sign_and_logabsdet", 0, "not transposed", instead(lambda g, y, x: spread_out(g[1]) * np.linalg.inv(x))),
    Mutant("sign_and_logabsdet", 0, "wrong branch", instead(signed_logabsdet)),
    Mutant(
        "sign_and_logabsdet", 0, "wrong index", instead(lambda g, y, x: spread_out(g[0]) * transposed(np.linalg.inv(x)))
    ),
    Mutant("sign_and_logabsdet", 0, "raw data", on_raw_inputs),
    Mutant("linalg.solve", "prepare", "not transposed", instead(not_transposed_solve)),
    Mutant("linalg.solve", "prepare", "raw data", instead(raw_solve)),
    Mutant("linalg.solve", 0, "wrong", instead(solve_with_b_for_x)),
    Mutant("linalg.solve", 0, "sign", lambda right: lambda w, y, a, b: -right(w, y, a, b)),
    Mutant("linalg.solve", 0, "not transposed", instead(vector_as_row)),
    Mutant("linalg.solve", 1, "wrong", instead(lambda w, y, a, b: like(a @ w, b))),
    Mutant("solve_triangular", "prepare", "not transposed", instead(triangular_not_transposed)),
    Mutant("solve_triangular", 0, "wrong branch", instead(whole_matrix)),
    Mutant("solve_triangular", 0, "not transposed", instead(transpose_forgotten)),
    Mutant("solve_triangular", 0, "missing term", strict_triangle),
    Mutant("solve_triangular", 0, "raw data", on_raw_y),
    Mutant("solve_triangular", 1, "sign", lambda right: lambda *args, **options: -right(*args, **options)),
    Mutant("linalg.cholesky", 0, "factor", instead(cholesky_from(1.0))),
    Mutant("linalg.cholesky", 0, "missing term", instead(cholesky_from(0.0))),
    Mutant("linalg.cholesky", 0, "factor", instead(cholesky_from(0.5, symmetric=False))),
    Mutant("linalg.cholesky", 0, "wrong branch", instead(untruncated_cholesky)),
    Mutant("linalg.cholesky", 0, "raw data", on_raw_y),
]
