"""Planted wrong rules: the gradient check must refuse each of them, or it is no check.

Each file here holds, in a list ``MUTANTS``, the wrong rules for one table of the engine. A mutant says how to turn the
right rule of one argument into a wrong one. Most are whole rules of their own and ignore the right one; the others
change its result. For cumsum:

    MUTANTS = [
        Mutant("cumsum", 0, "not reversed", lambda right: lambda g, y, x, axis=None: np.cumsum(g, axis=axis)),
        Mutant("cumsum", 0, "factor", lambda right: lambda g, *rest, **options: 1.001 * right(g, *rest, **options)),
    ]

The error is one of the classes in ``CLASSES``. At least two for every operation, of different classes, and those first
that one could make in earnest. ``systematic`` plants the classes sign, factor, missing g … in all operations, so that
the files here need only what is particular to an operation.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scratchgen.autodiff.operations import OPERATIONS, Each, Rule

CLASSES = {
    "sign",
    "factor",  # a wrong constant, as 1 for 2
    "off by little",  # 1e-3, 1e-4, 1e-6
    "swapped operands",
    "missing g",
    "not linear in g",
    "float32 inside",
    "epsilon",  # added inside a log, a division or a square root
    "last element zeroed",
    "rolled",
    "NaN",
    "wrong unbroadcast",  # mean, first, or none in place of the sum
    "wrong count",  # divided by shape[0] in place of the number of elements
    "diagonal only",  # softmax
    "detached",  # mean or variance taken as a constant
    "not reversed",  # cumsum
    "wrong permutation",  # the same one in place of the inverse
    "wrong order",  # F for C in a reshape
    "wrong index",  # a neighbour, or another axis
    "overwritten scatter",  # out[i] = g or out[i] += g with duplicate indices
    "not transposed",  # inv(A) for inv(A).T
    "wrong branch",  # where, maximum, clip
    "missing term",
    "raw data",  # right values that are constants to the second derivative
    "wrong",  # any other
}


@dataclass(frozen=True)
class Mutant:
    """A wrong rule for one argument of an operation.

    Args:
        operation: its name in ``OPERATIONS``.
        argument: which rule is replaced, or "prepare" for the operation's ``prepare``.
        error: the class, one of ``CLASSES``.
        wrong: makes the wrong rule from the right one.

    >>> import numpy as np
    >>> import scratchgen.autodiff
    >>> mutant = Mutant("exp", 0, "missing g", lambda right: lambda g, y, x: y)
    >>> with planted(mutant):
    ...     float(OPERATIONS["exp"].rules[0](5.0, 1.0, 0.0))
    1.0
    >>> float(OPERATIONS["exp"].rules[0](5.0, 1.0, 0.0))
    5.0
    """

    operation: str
    argument: int | str
    error: str
    wrong: Callable[[Rule], Rule]

    def __str__(self) -> str:
        return f"{self.operation}, argument {self.argument}: {self.error}"


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Put the wrong rule in the place of the right one, for the time of a ``with`` block."""
    op, argument = OPERATIONS[mutant.operation], mutant.argument
    prepare, rules = op.prepare, op.rules
    if argument == "prepare":
        op.prepare = mutant.wrong(prepare)
    elif isinstance(rules, Each):
        op.rules = Each(lambda i: mutant.wrong(rules[i]) if i == argument else rules[i])
    else:
        op.rules = [mutant.wrong(rule) if i == argument else rule for i, rule in enumerate(rules)]
    try:
        yield
    finally:
        op.prepare, op.rules = prepare, rules


def all_mutants() -> list[Mutant]:
    """The mutants of every file in this folder."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return [mutant for module in modules for mutant in getattr(module, "MUTANTS", [])]
