"""What a layer says of an input that it cannot take: what came, what it wants, and the likely remedy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor


def check_sizes(**sizes: Any) -> None:
    """Refuse numbers of features, or the like, that are no integers of at least 1; raises ValueError."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(f"{name} is {size}; it must be an integer of at least 1")


def check_hidden(hidden: Any) -> None:
    """Refuse widths of hidden layers that are no sequence of integers of at least 1; raises ValueError.

    >>> check_hidden(64)
    Traceback (most recent call last):
    ValueError: hidden is 64; give the width of each hidden layer, such as [64], or [] for none
    """
    if np.ndim(hidden) != 1:
        raise ValueError(f"hidden is {hidden!r}; give the width of each hidden layer, such as [64], or [] for none")
    check_sizes(**{f"hidden[{i}]": width for i, width in enumerate(hidden)})


def check_dtype(x: Any, W: Tensor, name: str = "W") -> None:
    """Refuse an x that has not the dtype of the parameter of that name: nothing is converted silently.

    Raises:
        TypeError: with the conversion to use.
    """
    dtype = getattr(x, "dtype", None)
    if dtype is not None and dtype == W.dtype:  # None == np.float64 is true: no dtype is the default one
        return
    wanted = f"np.{W.dtype}"
    if dtype is None:
        raise TypeError(f"x is a {type(x).__name__}; pass an array: np.asarray(x, dtype={wanted})")
    if dtype == "uint8":
        remedy = "scale to [0, 1] first: scratchgen.data.to_unit(x, levels=256), or levels=17 for the bundled digits"
    elif dtype.kind == "f" and dtype.itemsize in (4, 8):
        remedy = f"x.astype({wanted}), or model.astype(np.{dtype})"
    else:
        remedy = f"x.astype({wanted})"
    raise TypeError(f"x is {dtype} but {name} is {W.dtype}: {remedy}")


def check_array(x: Any) -> None:
    """Refuse what is neither an array nor a Tensor, such as a list of numbers, whose dtype is not known.

    Raises:
        TypeError: with what it is.

    >>> check_array([[1.0, 2.0]])
    Traceback (most recent call last):
    TypeError: x is a list; pass an array: np.asarray(x, dtype=…), in the dtype of the parameters
    """
    if not isinstance(x, (np.ndarray, Tensor)):
        raise TypeError(
            f"x is a {type(x).__name__}; pass an array: np.asarray(x, dtype=…), in the dtype of the parameters"
        )


def check_features(x: Any, features: int, layer: str) -> None:
    """Refuse an x that is not (batch, …, features).

    Raises:
        TypeError: for what is no array.
        ValueError: with the reshape that is probably meant.
    """
    check_array(x)
    shape = x.shape
    if len(shape) >= 2 and shape[-1] == features:
        return
    hint = ""
    if shape == (features,):
        hint = ": x[None] is a batch of one"
    elif len(shape) == 1 and features == 1:
        hint = ": x[:, None]"
    elif len(shape) > 2 and math.prod(shape[1:]) == features:
        hint = f": x.reshape(-1, {features})"
    elif len(shape) == 2 and shape[0] == features:
        hint = ": x.T"
    raise ValueError(f"x has shape {shape}, {layer} wants (batch, …, {features}){hint}")
