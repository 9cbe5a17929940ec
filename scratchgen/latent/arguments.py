"""What a latent-variable model is given, checked where it is given."""

from __future__ import annotations

from typing import Any

import numpy as np

Shape = tuple[int, ...]


def require_int(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is no int, or is less than ``least``.

    Raises:
        TypeError, ValueError: with the value.

    >>> require_int("latent", 0)
    Traceback (most recent call last):
    ValueError: latent is 0; it must be at least 1
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r}; it must be an int")
    if value < least:
        raise ValueError(f"{name} is {value}; it must be at least {least}")


def shape_of_event(event_shape: int | Shape) -> Shape:
    """The shape of one x; 64 is (64,).

    Raises:
        TypeError: for sizes that are no ints.
        ValueError: for sizes less than 1, or none.

    >>> shape_of_event(64), shape_of_event((8, 8, 1))
    ((64,), (8, 8, 1))
    """
    sizes = tuple(event_shape) if isinstance(event_shape, (tuple, list)) else (event_shape,)
    if not sizes:
        raise ValueError("event_shape is (); x needs at least one axis: (1,) for a number")
    for axis, size in enumerate(sizes):
        require_int(f"event_shape[{axis}]", size)
    return tuple(int(size) for size in sizes)


def require_rows(x: Any, what: str, least: int = 1) -> None:
    """Refuse a batch with too few rows for what is computed from it: a mean over no rows is NaN.

    Raises:
        ValueError: with the number of rows.

    >>> require_rows(np.zeros((0, 3)), "a mean over the batch")
    Traceback (most recent call last):
    ValueError: x has 0 rows; a mean over the batch needs at least 1
    """
    if len(x) < least:
        raise ValueError(f"x has {len(x)} rows; {what} needs at least {least}")
