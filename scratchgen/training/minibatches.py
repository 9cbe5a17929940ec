"""The data: checked once before the training, then dealt out in minibatches, in a new random order each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.optim.parameters import non_finite

Arrays = tuple[np.ndarray, ...]


def checked_data(data: Any, name: str, parameters: Mapping[str, Tensor]) -> Arrays:
    """``data`` as a tuple of arrays whose first axes are the examples; one array makes a tuple of one.

    The arrays go into the loss as they are, so they have to be floats of the dtype of the parameters or, for class
    numbers and tokens, int32 or int64.

    Raises:
        TypeError: for another dtype: uint8 images have to be scaled, and float64 would turn float32 into float64; for
            a Tensor, and for a masked array, whose mask would be lost.
        ValueError: for no rows, different numbers of rows, or a NaN or inf, with its index.

    >>> w = Tensor(np.ones(2), requires_grad=True)
    >>> checked_data([[1.0, np.nan], [0.0, 0.0]], "data", {"w": w})
    Traceback (most recent call last):
        ...
    ValueError: data has NaN at (0, 1); 1 of 4 values
    """
    given = data if isinstance(data, tuple) else (data,)
    if not given:
        raise ValueError(f"{name} is an empty tuple")
    for array in given:
        if isinstance(array, Tensor):
            raise TypeError(f"{name} is a Tensor; pass its array, t.data")
        if isinstance(array, np.ma.MaskedArray):
            raise TypeError(f"{name} is a masked array; its mask would be lost: fill it in, or leave out its rows")
    arrays = tuple(np.asarray(array) for array in given)
    dtypes: dict[np.dtype, str] = {}  # and the first parameter of each
    for parameter, tensor in parameters.items():
        dtypes.setdefault(tensor.dtype, parameter)
    for i, array in enumerate(arrays):
        what = f"{name}[{i}]" if isinstance(data, tuple) else name
        if array.ndim == 0 or array.size == 0:
            raise ValueError(f"{what} has shape {array.shape}; it must have at least one row, and a value in it")
        if len(array) != len(arrays[0]):
            raise ValueError(f"{what} has {len(array)} rows, {name}[0] {len(arrays[0])}; each row needs its partner")
        if array.dtype in (np.int32, np.int64):
            continue
        if array.dtype not in dtypes:
            raise TypeError(refused_dtype(what, array.dtype, dtypes))
        if found := non_finite(array):
            raise ValueError(f"{what} has {found}")
    return arrays


def refused_dtype(what: str, dtype: np.dtype, dtypes: Mapping[np.dtype, str]) -> str:
    """The message for data of a dtype that the model does not have."""
    wanted, parameter = next(iter(dtypes.items()))
    if dtype == np.uint8:
        remedy = (
            "scale images to [0, 1] first, by scratchgen.data.to_unit(images, levels=256), or levels=17 for the "
            "bundled digits; class numbers, and grey levels for a CategoricalLikelihood, by .astype(np.int64)"
        )
    elif dtype.kind in "iub":
        remedy = f".astype(np.{wanted}), or np.int64 for class numbers and tokens"
    elif dtype.kind == "f":
        remedy = f"parameter {parameter} is {wanted}: use .astype(np.{wanted})"
    else:
        remedy = f"expected {wanted}, or int64 for class numbers and tokens"
    return f"{what} is {dtype}; {remedy}"


def whole_number(name: str, value: Any) -> int:
    """``value``, if it is an integer of at least 1; raises ValueError for anything else, bools among it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} is {value}; it must be an integer of at least 1")
    return int(value)


class Minibatches:
    """An endless supply: each epoch deals out every row once, in a new random order; the last batch may be smaller.

    Args:
        arrays: shuffled alike, so that row i of one stays with row i of the others.
        size: how many rows a batch has.
        rng: draws the order of an epoch when it begins.

    Attributes:
        order: (n,) the rows in the order of this epoch.
        position: how many of them have been dealt out.

    Raises:
        ValueError: for a size that is no integer from 1 to the number of rows.

    >>> batches = Minibatches((np.arange(5),), 2, np.random.default_rng(0))
    >>> drawn = [batches.draw()[0] for _ in range(4)]
    >>> [len(rows) for rows in drawn], sorted(np.concatenate(drawn[:3]).tolist())
    ([2, 2, 1, 2], [0, 1, 2, 3, 4])
    """

    def __init__(self, arrays: Arrays, size: int, rng: np.random.Generator) -> None:
        rows = len(arrays[0])
        if whole_number("batch_size", size) > rows:
            raise ValueError(f"batch_size is {size}; there are only {rows} rows")
        self.arrays, self.size, self.rng = arrays, int(size), rng
        self.order = np.arange(rows)
        self.position = rows  # the first draw begins an epoch

    def draw(self) -> Arrays:
        """The next batch: copies of up to ``size`` rows of each array."""
        if self.position >= len(self.order):
            self.order = self.rng.permutation(len(self.order))
            self.position = 0
        rows = self.order[self.position : self.position + self.size]
        self.position += len(rows)
        return tuple(array[rows] for array in self.arrays)
