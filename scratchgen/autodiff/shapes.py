"""Derivatives of functions that move values about: each is linear, and its rule is its adjoint.

    reshape ↔ reshape back,   transpose ↔ the inverse permutation,   broadcast ↔ sum,
    index ↔ scatter-add,      concatenate ↔ slice

A value that is copied to several places collects the gradient from all of them, a value that is dropped gets 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff.chain_rule import unbroadcast
from scratchgen.autodiff.operations import FUNCTIONS, Each, operation
from scratchgen.autodiff.record import custom_rule, derivative, record

# -- the same values in another shape --------------------------------------------------------------------------------

derivative(np.reshape, lambda g, y, x, shape: np.reshape(g, x.shape))
derivative(np.ravel, lambda g, y, x: np.reshape(g, x.shape))
derivative(np.squeeze, lambda g, y, x, axis=None: np.reshape(g, x.shape))
derivative(np.expand_dims, lambda g, y, x, axis: np.reshape(g, x.shape))
derivative(np.swapaxes, lambda g, y, x, axis1, axis2: np.swapaxes(g, axis1, axis2))
derivative(np.moveaxis, lambda g, y, x, source, destination: np.moveaxis(g, destination, source))
derivative(np.flip, lambda g, y, x, axis=None: np.flip(g, axis))
derivative(np.roll, lambda g, y, x, shift, axis=None: np.roll(g, np.negative(shift), axis))
derivative(np.broadcast_to, lambda g, y, x, shape: unbroadcast(g, x.shape))
derivative(np.tril, lambda g, y, x, k=0: np.tril(g, k))
derivative(np.triu, lambda g, y, x, k=0: np.triu(g, k))


def inverse_permutation(axes: Sequence[int]) -> Any:
    """The axes that undo ``np.transpose(x, axes)``; negative ones are counted from 0 first, for argsort."""
    return np.argsort(np.mod(axes, len(axes)))


derivative(
    np.transpose,
    lambda g, y, x, axes=None: np.transpose(g, None if axes is None else inverse_permutation(axes)),
)


@custom_rule(lambda g, y, x, dtype: astype(g, x.dtype), casts=True)
def astype(x: Any, dtype: Any) -> Any:
    """``x`` as float32 or float64; its gradient returns in the dtype of x.

    >>> astype(np.ones(2, dtype=np.float32), np.float64).dtype
    dtype('float64')
    """
    return x.astype(dtype)


# -- index ↔ scatter-add -------------------------------------------------------------------------------------------


@custom_rule(lambda g, y, x, index: scatter_add(g, index, x.shape))
def getitem(x: Any, index: Any) -> Any:
    """``x[index]``, for slices, integers, integer arrays and masks.

    >>> getitem(np.arange(5.0), slice(1, 3))
    array([1., 2.])
    """
    return x[index]


@custom_rule(lambda g, y, values, index, shape: getitem(g, index))
def scatter_add(values: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of that shape, with ``values`` added at ``index``; a place that is named twice receives both.

    >>> scatter_add(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 0]), (3,))
    array([5., 0., 2.])
    """
    total = np.zeros(shape, values.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if all(names_once(part) for part in parts):
        total[index] = values
    else:
        np.add.at(total, index, values)
    return total


def names_once(part: Any) -> bool:
    """Whether a part of an index cannot name a place twice: slices, integers and masks do not, arrays of integers may.

    >>> names_once(slice(1, 3)), names_once(np.array([True, False])), names_once(np.array([0, 0]))
    (True, True, False)
    """
    mask = isinstance(part, np.ndarray) and part.dtype == bool
    return part is None or part is ... or isinstance(part, (int, np.integer, slice)) or mask


def diagonal_rule(g: Any, y: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """g back onto the diagonal of zeros: with the two axes last, where NumPy puts the diagonal, and then moved back."""
    moved = np.moveaxis(np.broadcast_to(0, x.shape), (axis1, axis2), (-2, -1)).shape  # of x with these axes last
    steps = np.arange(g.shape[-1])
    on_diagonal = (..., steps + max(-offset, 0), steps + max(offset, 0))
    return np.moveaxis(scatter_add(g, on_diagonal, moved), (-2, -1), (axis1, axis2))


derivative(np.diagonal, diagonal_rule)


def diag(v: Any, k: int = 0) -> Any:
    """np.diag: the k-th diagonal of a matrix, or the matrix with v on its k-th diagonal."""
    if v.ndim == 2:
        return np.diagonal(v, k)
    steps, side = np.arange(v.size), v.size + abs(k)
    return scatter_add(v, (steps + max(-k, 0), steps + max(k, 0)), (side, side))


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """np.take_along_axis as an index: in every other axis, each place takes from its own line."""
    if axis is None:
        return getitem(np.ravel(arr), indices)
    index = list(np.ogrid[tuple(slice(n) for n in arr.shape)])
    index[axis] = indices
    return getitem(arr, tuple(index))


def take(a: Any, indices: Any, axis: int | None = None) -> Any:
    """np.take as an index."""
    indices = np.asarray(indices)
    return getitem(np.ravel(a), indices) if axis is None else getitem(a, along(a, axis, indices))


def along(x: Any, axis: int, part: Any) -> tuple[Any, ...]:
    """The index that takes ``part`` of one axis, and all of the others."""
    index: list[Any] = [slice(None)] * x.ndim
    index[axis] = part
    return tuple(index)


def pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Any:
    """np.pad. Constants surround a scatter into zeros; the modes that repeat values are an index.

    Raises:
        TypeError: for a mode that computes new values, such as "mean", and for several constants.
    """
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap") or np.ndim(constant_values):
        raise TypeError(f"np.pad has no derivative rule with mode={mode!r}, constant_values={constant_values!r}")
    places = np.arange(array.size).reshape(array.shape)
    if mode != "constant":
        return getitem(np.ravel(array), np.pad(places, pad_width, mode))  # type: ignore[call-overload]
    outside = np.pad(places, pad_width, constant_values=-1)
    widths = np.broadcast_to(pad_width, (array.ndim, 2))
    inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, array.shape))
    padded = scatter_add(array, inside, outside.shape)
    return padded + constant_values * (outside < 0).astype(array.dtype) if constant_values else padded


def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """np.repeat as an index."""
    a, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    return getitem(a, along(a, axis, np.repeat(np.arange(a.shape[axis]), repeats)))


def tile(A: Any, reps: Any) -> Any:
    """np.tile as an index."""
    return getitem(np.ravel(A), np.tile(np.arange(A.size).reshape(A.shape), reps))


# -- concatenate ↔ slice -------------------------------------------------------------------------------------------


def concatenate_rule(i: int) -> Any:
    """The rule of the i-th array: its own slice of g."""

    def rule(g: Any, y: Any, *arrays: Any, axis: int = 0) -> Any:
        start = sum(a.shape[axis] for a in arrays[:i])
        return getitem(g, along(g, axis, slice(start, start + arrays[i].shape[axis])))

    return rule


def concatenate_flat(*arrays: Any, axis: int = 0) -> Any:
    """np.concatenate of its arguments."""
    return np.concatenate(arrays, axis=axis)


CONCATENATE = operation(concatenate_flat, Each(concatenate_rule))


def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    """np.concatenate."""
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    return record(CONCATENATE, tuple(arrays), {"axis": axis})


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """np.stack: concatenate along a new axis."""
    return concatenate([np.expand_dims(a, axis) for a in arrays], axis)


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """np.split: a list of slices."""
    parts = np.split(np.arange(ary.shape[axis]), indices_or_sections)
    return [
        getitem(ary, along(ary, axis, slice(part[0], part[-1] + 1) if part.size else slice(0, 0))) for part in parts
    ]


def atleast_2d(a: Any) -> Any:
    """A 1-D array as a row."""
    return a if a.ndim >= 2 else np.reshape(a, (1, -1))


FUNCTIONS |= {
    np.diag: diag,
    np.take_along_axis: take_along_axis,
    np.take: take,
    np.pad: pad,
    np.repeat: repeat,
    np.tile: tile,
    np.concatenate: concatenate,
    np.stack: stack,
    np.split: split,
    np.vstack: lambda tup: concatenate([atleast_2d(a) for a in tup], 0),
    np.hstack: lambda tup: concatenate(tup, 0 if tup[0].ndim == 1 else 1),
}
