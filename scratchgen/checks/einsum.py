"""Samples for the rule of ``autodiff.einsum``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from scratchgen.checks.sample import Sample, signed

Shape = tuple[int, ...]


def einsum(subscripts: str, optimize: bool = False) -> Any:
    """np.einsum with these subscripts."""
    return lambda *operands: np.einsum(subscripts, *operands, optimize=optimize)


def summations() -> Iterator[Sample]:
    """A letter is kept or summed, in one operand only, twice in one, or behind an ellipsis."""
    cases: list[tuple[str, str, list[Shape]]] = [
        ("primes", "ij,jk->ik", [(2, 3), (3, 5)]),
        ("primes", "ijk->kij", [(2, 3, 5)]),
        ("primes", "kji->jki", [(2, 3, 5)]),
        ("primes", "bij,bjk,kl->bil", [(2, 3, 5), (2, 5, 7), (7, 3)]),
        ("square", "ij,jk->ik", [(3, 3), (3, 3)]),
        ("0-d", ",->", [(), ()]),
        ("0-d", ",i->i", [(), (3,)]),
        ("size-1 axis", "ij,jk->ik", [(1, 3), (3, 1)]),
        ("row", "ij,ij->ij", [(2, 3), (1, 3)]),
        ("row", "ij,jk->ik", [(2, 1), (3, 5)]),
        ("column", "ij,ij->ij", [(2, 3), (2, 1)]),
        ("column", "ij,jk->ik", [(2, 3), (1, 5)]),
        ("two-way", "...,...->...", [(2, 1), (1, 3)]),
        ("rank", "...,...->...", [(5, 2, 3), (2, 1)]),
        ("rank", "...ij,...jk->...ik", [(7, 5, 2, 3), (1, 3, 2)]),
        ("empty", "ij,jk->ik", [(0, 3), (3, 2)]),
        ("empty", "ij,jk->ik", [(2, 0), (0, 3)]),
        ("empty", "ij->i", [(0, 3)]),
        ("empty", "ij->i", [(3, 0)]),
        ("implied output", "ij,jk", [(2, 3), (3, 5)]),
        ("implied output", "ba,cb", [(2, 3), (5, 2)]),
        ("implied output", "ij", [(2, 3)]),
        ("implied output", "...ij,jk", [(5, 2, 3), (3, 2)]),
        ("implied output", "ii", [(3, 3)]),
        ("spaces", " i j , j k -> i k ", [(2, 3), (3, 5)]),
        ("summed in one operand", "ij->i", [(2, 3)]),
        ("summed in one operand", "ijk->j", [(2, 3, 5)]),
        ("summed in one operand", "ij->", [(2, 3)]),
        ("summed in one operand", "ij,k->i", [(2, 3), (5,)]),
        ("summed in one operand", "ij,kl->", [(2, 3), (5, 2)]),
        ("diagonal", "ii->i", [(3, 3)]),
        ("diagonal", "iji->ij", [(3, 2, 3)]),
        ("diagonal", "iii->i", [(3, 3, 3)]),
        ("diagonal", "iij,jk->ki", [(3, 3, 2), (2, 5)]),
        ("diagonal", "ii,i->i", [(3, 3), (3,)]),
        ("diagonal", "ii,ij->j", [(3, 3), (3, 2)]),
        ("diagonal, summed", "ii->", [(3, 3)]),
        ("diagonal, summed", "iijk->k", [(3, 3, 2, 5)]),
        ("diagonal, summed", "iijj->", [(3, 3, 2, 2)]),
        ("diagonal, summed", "iji,k->k", [(3, 2, 3), (5,)]),
        ("ellipsis", "...i->...", [(2, 5, 3)]),
        ("ellipsis", "i...->...", [(2, 5, 3)]),
        ("ellipsis", "i...i->...", [(3, 2, 5, 3)]),
        ("ellipsis", "b...,b->b...", [(2, 3, 5), (2,)]),
        ("ellipsis", "...i,i->...", [(2, 5, 3), (3,)]),
        ("ellipsis", "i...,...j->...ij", [(3, 2), (5, 2, 7)]),
        ("permutation", "abcd->cdba", [(2, 3, 5, 1)]),
        ("two vectors", "i,i->", [(3,), (3,)]),
        ("two vectors", "i,j->ij", [(3,), (2,)]),
        ("elementwise", "ij,ij->ji", [(2, 3), (2, 3)]),
        ("four operands", "ij,ik,il,i->jkl", [(2, 3), (2, 5), (2, 1), (2,)]),
    ]
    for kind, subscripts, shapes in cases:
        yield Sample("einsum_flat", kind, einsum(subscripts), *[signed(*shape) for shape in shapes])
    yield Sample("einsum_flat", "optimize", einsum("ij,jk,kl->il", True), signed(2, 3), signed(3, 5), signed(5, 2))
    yield Sample("einsum_flat", "same twice", lambda x: np.einsum("ij,kj->ik", x, x), signed(2, 3))
    yield Sample("einsum_flat", "same twice", lambda x: np.einsum("ij,ij->", x, x), signed(2, 3))


SAMPLES = list(summations())

EXEMPT: dict[tuple[str, str], str] = {}
