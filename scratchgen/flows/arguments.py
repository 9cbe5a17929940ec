"""What a flow is given, checked where it is given."""

from __future__ import annotations

from typing import Any

import numpy as np


def require_int(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is no int, or is less than ``least``.

    Raises:
        TypeError, ValueError: with the value.

    >>> require_int("levels", 1, least=2)
    Traceback (most recent call last):
    ValueError: levels is 1; it must be at least 2
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r}; it must be an int")
    if value < least:
        raise ValueError(f"{name} is {value}; it must be at least {least}")


def require_vectors(x: Any, dims: int) -> None:
    """Refuse what is not (B, D).

    Raises:
        ValueError: with both shapes.
    """
    shape = np.shape(x)
    if len(shape) != 2 or shape[1] != dims:
        hint = "; one x is x[None]" if shape == (dims,) else ""
        if len(shape) > 2 and np.prod(shape[1:]) == dims:
            hint = f": x.reshape(-1, {dims})"
        raise ValueError(f"x has shape {shape}; it must be (B, {dims}){hint}")
