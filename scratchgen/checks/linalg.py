"""Samples for the rules of ``autodiff.linalg``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from scratchgen.autodiff.linalg import solve_triangular
from scratchgen.checks.sample import Draw, Sample, invertible, positive_definite, signed, triangular

Shape = tuple[int, ...]


def products() -> Iterator[Sample]:
    """np.matmul of every pair of 1, 2 or more axes."""
    shapes: list[tuple[str, Shape, Shape]] = [
        ("primes", (2, 3), (3, 5)),
        ("square", (3, 3), (3, 3)),
        ("size-1 axis", (1, 3), (3, 1)),
        ("size-1 axis", (2, 1), (1, 3)),
        ("empty", (0, 3), (3, 2)),
        ("empty", (2, 0), (0, 3)),
        ("empty", (0,), (0, 3)),
        ("empty", (0, 2, 3), (3, 5)),
        ("empty", (0, 2, 3), (0, 3, 5)),
        ("empty", (5, 0, 3), (3, 2)),
        ("two vectors", (3,), (3,)),
        ("matrix and vector", (2, 3), (3,)),
        ("vector and matrix", (3,), (3, 2)),
        ("stack and vector", (5, 2, 3), (3,)),
        ("stack and vector", (5, 7, 2, 3), (3,)),
        ("vector and stack", (3,), (5, 3, 2)),
        ("vector and stack", (3,), (5, 7, 3, 2)),
        ("batched", (5, 2, 3), (5, 3, 7)),
        ("rank", (5, 2, 3), (3, 7)),
        ("rank", (2, 3), (5, 3, 7)),
        ("rank", (5, 7, 2, 3), (7, 3, 2)),
        ("row", (5, 2, 3), (1, 3, 2)),
        ("column", (5, 7, 2, 3), (5, 1, 3, 2)),
        ("two-way", (5, 1, 2, 3), (1, 7, 3, 2)),
    ]
    for kind, a, b in shapes:
        yield Sample("matmul", kind, np.matmul, signed(*a), signed(*b))
    yield Sample("matmul", "same twice", lambda x: x @ x, signed(3, 3))
    yield Sample("matmul", "same twice", lambda x: x @ x, signed(3))
    yield Sample("matmul", "same twice", lambda x: x @ np.swapaxes(x, -1, -2), signed(5, 2, 3))


def of_matrices(name: str, f: Any, draw: Any, oracle: Literal["complex", "real"] = "complex") -> Iterator[Sample]:
    """What every function of square matrices is tried on. Only the stack can have other dims than the matrix."""
    for kind, shape in [
        ("primes", (2, 5, 3, 3)),
        ("square", (3, 3)),
        ("size-1 axis", (1, 1)),
        ("size-1 axis", (1, 2, 2)),
        ("batched", (2, 3, 3)),
        ("empty", (0, 3, 3)),
        ("empty", (0, 0)),
    ]:
        yield Sample(name, kind, f, draw(*shape), oracle=oracle)
    if draw is invertible:
        yield Sample(name, "negative determinant", f, invertible(2, 3, 3, determinant=-1), oracle=oracle)


def systems() -> Iterator[Sample]:
    """solve and solve_triangular, with a vector, a matrix, and stacks that broadcast."""
    shapes: list[tuple[str, Shape, Shape]] = [
        ("primes", (3, 3), (3, 5)),
        ("square", (3, 3), (3, 3)),
        ("size-1 axis", (1, 1), (1, 1)),
        ("size-1 axis", (3, 3), (3, 1)),
        ("vector", (3, 3), (3,)),
        ("vector", (2, 3, 3), (3,)),
        ("batched", (2, 3, 3), (2, 3, 5)),
        ("rank", (3, 3), (2, 3, 5)),
        ("rank", (2, 3, 3), (3, 5)),
        ("row", (2, 3, 3), (1, 3, 5)),
        ("column", (5, 2, 3, 3), (5, 1, 3, 2)),
        ("two-way", (5, 1, 3, 3), (1, 2, 3, 2)),
        ("empty", (3, 3), (3, 0)),
        ("empty", (0, 3, 3), (3, 2)),
        ("empty", (0, 3, 3), (3,)),
        ("empty", (0, 0), (0, 2)),
    ]
    for kind, a, b in shapes:
        yield Sample("linalg.solve", kind, np.linalg.solve, invertible(*a), signed(*b))
        for lower in (True, False):
            for transpose in (True, False):
                f = triangular_solver(lower, transpose)
                yield Sample("solve_triangular", kind, f, triangular(*a, lower=lower), signed(*b))
    yield Sample("linalg.solve", "negative determinant", np.linalg.solve, invertible(3, 3, determinant=-1), signed(3))
    yield Sample("linalg.solve", "same twice", lambda x: np.linalg.solve(x, x.T), invertible(3, 3))
    yield Sample("solve_triangular", "same twice", lambda x: solve_triangular(x, x.T), triangular(3, 3))
    yield Sample("solve_triangular", "other triangle not read", solve_triangular, invertible_below(3), signed(3, 2))


def triangular_solver(lower: bool, transpose: bool) -> Any:
    """solve_triangular with these options."""
    return lambda a, b: solve_triangular(a, b, lower=lower, transpose=transpose)


def invertible_below(n: int) -> Draw:
    """A full matrix whose lower triangle is invertible."""
    return lambda rng: triangular(n, n)(rng) + np.triu(signed(n, n)(rng), 1)


def symmetric(f: Any) -> Any:
    """f of the symmetric part: each entry of the input then moves both entries that stand for one number."""
    return lambda x: f(0.5 * (x + np.swapaxes(x, -1, -2)))


def norms() -> Iterator[Sample]:
    """The 2-norm, and the Frobenius norm."""
    cases: list[tuple[str, Shape, dict[str, Any]]] = [
        ("primes", (2, 3, 5), {"axis": 1}),
        ("primes", (2, 3, 5), {}),
        ("square", (3, 3), {"axis": 0}),
        ("0-d", (), {}),
        ("size-1 axis", (2, 1), {"axis": 1}),
        ("axis", (3, 2), {"axis": -1}),
        ("axes", (2, 3, 5), {"axis": (0, -1)}),
        ("keepdims", (2, 3, 5), {"axis": -2, "keepdims": True}),
        ("keepdims", (2, 3), {"keepdims": True}),
        ("empty", (0, 3), {"axis": 1}),
    ]
    for kind, shape, options in cases:
        f = lambda x, options=options: np.linalg.norm(x, **options)  # noqa: E731
        yield Sample("linalg.norm", kind, f, signed(*shape), oracle="real")


def traces() -> Iterator[Sample]:
    """Sums along diagonals of any offset, between any two axes."""
    cases: list[tuple[str, Shape, dict[str, int]]] = [
        ("primes", (2, 3, 5), {}),
        ("primes", (2, 3, 5), {"axis1": 2, "axis2": 0}),
        ("primes", (2, 3, 5, 7), {"axis1": -1, "axis2": 1, "offset": -2}),
        ("square", (3, 3), {}),
        ("size-1 axis", (1, 3), {}),
        ("offset", (3, 3), {"offset": 1}),
        ("offset", (3, 5), {"offset": -1}),
        ("offset", (3, 5), {"offset": 7}),
        ("empty", (0, 3), {}),
        ("empty", (3, 2, 0), {}),
    ]
    for kind, shape, options in cases:
        yield Sample("trace", kind, lambda x, options=options: np.trace(x, **options), signed(*shape))


def outers() -> Iterator[Sample]:
    """np.outer, which flattens its arguments."""
    shapes: list[tuple[str, Shape, Shape]] = [
        ("primes", (2,), (3,)),
        ("primes", (2, 3), (5,)),
        ("square", (3,), (3,)),
        ("0-d", (), ()),
        ("size-1 axis", (1,), (3,)),
        ("empty", (0,), (3,)),
        ("empty", (2,), (0,)),
        ("rank", (2, 3), (5, 2, 2)),
    ]
    for kind, a, b in shapes:
        yield Sample("outer", kind, np.outer, signed(*a), signed(*b))
    yield Sample("outer", "same twice", lambda x: np.outer(x, x), signed(3))


SAMPLES = [
    *products(),
    *[Sample("dot", "rank", np.dot, signed(*a), signed(*b)) for a, b in [((), (2, 3)), ((2, 3), (3,)), ((3,), (3,))]],
    *outers(),
    *traces(),
    *norms(),
    *of_matrices("linalg.inv", np.linalg.inv, invertible),
    *of_matrices("linalg.det", np.linalg.det, invertible),
    *of_matrices("sign_and_logabsdet", lambda x: np.linalg.slogdet(x)[1], invertible, "real"),
    *systems(),
    *of_matrices("linalg.cholesky", symmetric(np.linalg.cholesky), positive_definite, "real"),
]

NOT_FOR_NUMBERS = "a matrix has two axes"
FLATTENED = "its arguments are flattened, and do not broadcast"
EXEMPT: dict[tuple[str, str], str] = {
    ("matmul", "0-d"): "NumPy refuses to multiply matrices with numbers",
    ("trace", "0-d"): NOT_FOR_NUMBERS,
    ("linalg.inv", "0-d"): NOT_FOR_NUMBERS,
    ("linalg.det", "0-d"): NOT_FOR_NUMBERS,
    ("sign_and_logabsdet", "0-d"): NOT_FOR_NUMBERS,
    ("linalg.solve", "0-d"): NOT_FOR_NUMBERS,
    ("solve_triangular", "0-d"): NOT_FOR_NUMBERS,
    ("linalg.cholesky", "0-d"): NOT_FOR_NUMBERS,
    ("outer", "row"): FLATTENED,
    ("outer", "column"): FLATTENED,
    ("outer", "two-way"): FLATTENED,
}
