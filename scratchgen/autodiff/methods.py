"""The operators and methods of arrays, for Tensors: ``a + b``, ``x @ W``, ``x[1:]``, ``x.sum(axis=0)``.

An operator goes straight to its operation, past NumPy's dispatch, which would take about as long again as a small
operation itself. A method is the NumPy function of that name. The operators are those of arrays, so there is no
``__iadd__``: ``a += b`` makes a new Tensor, as ``a = a + b`` does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import scratchgen.autodiff.elementwise
import scratchgen.autodiff.linalg
import scratchgen.autodiff.reductions  # noqa: F401
from scratchgen.autodiff.elementwise import clip_like_numpy
from scratchgen.autodiff.operations import OPERATIONS
from scratchgen.autodiff.record import record
from scratchgen.autodiff.shapes import astype, getitem
from scratchgen.autodiff.tensor import Tensor


def binary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The operator of that operation, and its reflected form for ``array + tensor``."""
    op = OPERATIONS[name]

    def straight(self: Tensor, other: Any) -> Tensor:
        return record(op, (self, other))

    def reflected(self: Tensor, other: Any) -> Tensor:
        return record(op, (other, self))

    return straight, reflected


def comparison(compare: Callable[..., Any]) -> Callable[..., Any]:
    """A comparison, which gives a plain array of bools."""

    def method(self: Tensor, other: Any) -> Any:
        return compare(self._data, other._data if isinstance(other, Tensor) else other)

    return method


def flexible(function: Callable[..., Any]) -> Callable[..., Any]:
    """``x.reshape(2, 3)`` as well as ``x.reshape((2, 3))``."""

    def method(self: Tensor, *numbers: Any) -> Any:
        return function(self, numbers[0] if len(numbers) == 1 else numbers or None)

    return method


def power(self: Tensor, exponent: Any) -> Tensor:
    """``x ** p``; the square goes to its own operation, some 20 times faster than a power."""
    if type(exponent) in (int, float) and exponent == 2:
        return record(OPERATIONS["square"], (self,))
    return record(OPERATIONS["power"], (self, exponent))


METHODS: dict[str, Callable[..., Any]] = {
    "__pow__": power,
    "__rpow__": binary("power")[1],
    "__neg__": lambda self: record(OPERATIONS["negative"], (self,)),
    "__pos__": lambda self: self,
    "__abs__": lambda self: np.abs(self),
    "__getitem__": getitem,
    "__hash__": object.__hash__,  # by identity, since == compares values
    "reshape": flexible(np.reshape),
    "transpose": flexible(np.transpose),
    "flatten": np.ravel,
    "astype": astype,
    "clip": clip_like_numpy,
    "max": np.max,
    "min": np.min,
}
for symbol, name in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "matmul": "matmul",
}.items():
    METHODS[f"__{symbol}__"], METHODS[f"__r{symbol}__"] = binary(name)
for symbol in ("lt", "le", "gt", "ge", "eq", "ne"):
    METHODS[f"__{symbol}__"] = comparison(getattr(operator, symbol))
for function in (
    *(np.sum, np.mean, np.var, np.std, np.prod, np.cumsum, np.cumprod, np.argmax, np.argmin, np.any, np.all),
    *(np.ravel, np.squeeze, np.swapaxes, np.diagonal, np.trace, np.round, np.repeat, np.take, np.argsort),
):
    METHODS[function.__name__] = function

for name, method in METHODS.items():
    setattr(Tensor, name, method)
