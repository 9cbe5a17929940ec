"""Wrong rules for ``autodiff.shapes``: values put back in another place than they were taken from."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.shapes import getitem, scatter_add
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, raw


def fortran_order(g: Any, y: Any, x: Any, *options: Any, **named: Any) -> Any:
    """Reshapes in the order of columns."""
    return np.transpose(np.reshape(np.transpose(g), x.shape[::-1]))


def reversed_order(g: Any, y: Any, x: Any, *options: Any, **named: Any) -> Any:
    """Reshapes from the end."""
    return np.flip(np.reshape(g, x.shape))


def spread_evenly(g: Any, y: Any, x: Any, *options: Any, **named: Any) -> Any:
    """Forgets which element is whose."""
    return np.broadcast_to(np.mean(g), x.shape) if g.size else np.reshape(g, x.shape)


def overwritten(values: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """out[index] = values: of several, the last."""
    out = np.zeros(shape, raw(values).dtype)
    out[index] = raw(values)
    return out


def added_unbuffered(values: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """out[index] += values, which NumPy does as out[index] = out[index] + values."""
    out = np.zeros(shape, raw(values).dtype)
    out[index] += raw(values)
    return out


def from_the_start(right: Any) -> Any:
    """Takes the first part of g, whichever array it is for."""

    def rule(g: Any, y: Any, *arrays: Any, axis: int = 0) -> Any:
        return getitem(np.moveaxis(g, axis, 0), slice(0, arrays[1].shape[axis])).reshape(arrays[1].shape)

    return rule


def from_the_end(right: Any) -> Any:
    """Takes the last part of g, whichever array it is for."""

    def rule(g: Any, y: Any, *arrays: Any, axis: int = 0) -> Any:
        n = arrays[0].shape[axis]
        return getitem(g, (*[slice(None)] * (axis % g.ndim), slice(g.shape[axis] - n, None)))

    return rule


SAME_VALUES = [
    Mutant(name, 0, error, instead(rule))
    for name in ("reshape", "ravel", "squeeze", "expand_dims")
    for error, rule in (("wrong order", reversed_order), ("wrong", spread_evenly))
]
SAME_VALUES += [Mutant(name, 0, "wrong order", instead(fortran_order)) for name in ("reshape", "ravel")]
MOVED = [
    Mutant("transpose", 0, "wrong permutation", instead(lambda g, y, x, axes=None: np.transpose(g, axes))),
    Mutant("transpose", 0, "wrong permutation", instead(lambda g, y, x, axes=None: np.transpose(g))),
    Mutant("swapaxes", 0, "wrong permutation", instead(lambda g, y, x, axis1, axis2: np.reshape(g, x.shape))),
    Mutant("swapaxes", 0, "wrong permutation", instead(lambda g, y, x, axis1, axis2: np.transpose(g))),
    Mutant("moveaxis", 0, "wrong permutation", instead(lambda g, y, x, a, b: np.moveaxis(g, a, b))),
    Mutant("moveaxis", 0, "wrong permutation", instead(lambda g, y, x, a, b: np.reshape(g, x.shape))),
    Mutant("flip", 0, "wrong", instead(lambda g, y, x, axis=None: g)),
    Mutant("flip", 0, "wrong index", instead(lambda g, y, x, axis=None: np.flip(g))),
    Mutant("roll", 0, "sign", instead(lambda g, y, x, shift, axis=None: np.roll(g, shift, axis))),
    Mutant("roll", 0, "wrong index", instead(lambda g, y, x, shift, axis=None: np.roll(g, np.negative(shift)))),
    Mutant("tril", 0, "wrong branch", instead(lambda g, y, x, k=0: np.triu(g, k))),
    Mutant("tril", 0, "wrong index", instead(lambda g, y, x, k=0: np.tril(g))),
    Mutant("tril", 0, "wrong branch", instead(lambda g, y, x, k=0: g)),
    Mutant("triu", 0, "wrong index", instead(lambda g, y, x, k=0: np.triu(g, k + 1))),
    Mutant("triu", 0, "wrong index", instead(lambda g, y, x, k=0: np.triu(g, -k))),
    Mutant("broadcast_to", 0, "wrong unbroadcast", instead(lambda g, y, x, shape: first(g, x))),
    Mutant("broadcast_to", 0, "wrong unbroadcast", instead(lambda g, y, x, shape: g / g.size * x.size)),
    Mutant("astype", 0, "missing g", instead(lambda g, y, x, dtype: g * 0.0 + 1.0)),
    Mutant("astype", 0, "wrong", instead(lambda g, y, x, dtype: g * y)),
    Mutant("identity", 0, "sign", instead(lambda g, y, x: -g)),
    Mutant("identity", 0, "detached", instead(lambda g, y, x: g * 0.0)),
]


def first(g: Any, x: Any) -> Any:
    """One of those that were repeated."""
    corner = (0,) * (g.ndim - x.ndim) + tuple(slice(0, 1) if n == 1 else slice(None) for n in x.shape)
    return np.reshape(getitem(g, corner), x.shape)


def diagonal_elsewhere(right: Any) -> Any:
    """Forgets the offset, as far as the shapes allow."""
    return lambda g, y, x, offset=0, axis1=0, axis2=1: right(g, y, x, 0, axis1, axis2)


INDEXED = [
    Mutant("getitem", 0, "overwritten scatter", instead(lambda g, y, x, index: overwritten(g, index, x.shape))),
    Mutant("getitem", 0, "overwritten scatter", instead(lambda g, y, x, index: added_unbuffered(g, index, x.shape))),
    Mutant("getitem", 0, "raw data", instead(lambda g, y, x, index: scatter_add(raw(g), index, x.shape))),
    Mutant(
        "getitem",
        0,
        "wrong index",
        instead(lambda g, y, x, index: np.flip(scatter_add(g, index, x.shape), -1 if x.ndim else ())),
    ),
    Mutant("scatter_add", 0, "wrong index", instead(lambda g, y, v, index, shape: np.flip(getitem(g, index)))),
    Mutant("scatter_add", 0, "wrong", instead(lambda g, y, v, index, shape: getitem(g, index) * v)),
    Mutant("scatter_add", 0, "raw data", instead(lambda g, y, v, index, shape: getitem(raw(g), index))),
    Mutant("diagonal", 0, "wrong index", diagonal_elsewhere),
    Mutant("diagonal", 0, "missing g", lambda right: lambda g, y, x, *o, **n: right(g * 0.0 + 1.0, y, x, *o, **n)),
    Mutant("concatenate_flat", 0, "wrong index", from_the_end),
    Mutant("concatenate_flat", 1, "wrong index", from_the_start),
]
MUTANTS = SAME_VALUES + MOVED + INDEXED
