"""What a flow is given, checked where it is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.nn.inputs import check_array


def require_vectors(x: Any, dims: int) -> None:
    """Refuse what is not (B, D).

    Raises:
        TypeError: for what is no array.
        ValueError: with both shapes.
    """
    check_array(x)
    shape = np.shape(x)
    if len(shape) != 2 or shape[1] != dims:
        hint = "; one x is x[None]" if shape == (dims,) else ""
        if len(shape) > 2 and np.prod(shape[1:]) == dims:
            hint = f": x.reshape(-1, {dims})"
        raise ValueError(f"x has shape {shape}; it must be (B, {dims}){hint}")


def with_context(x: Any, context: Any) -> Any:
    """What a network sees of both: x (B, n), and to the right of it the context (B, C), if there is one.

    Raises:
        ValueError: for a context of another number of rows, or that is not (B, C).

    >>> with_context(np.zeros((2, 1)), np.ones((3, 1)))
    Traceback (most recent call last):
    ValueError: context has shape (3, 1); it must be (2, C), a row for each of x
    """
    if context is None:
        return x
    require_rows(context, len(x))
    return np.concatenate([x, context], axis=1)


def require_rows(context: Any, rows: int) -> None:
    """Refuse a context that is not (rows, C).

    Raises:
        ValueError: with its shape.
    """
    shape = np.shape(context)
    if len(shape) != 2 or shape[0] != rows:
        raise ValueError(f"context has shape {shape}; it must be ({rows}, C), a row for each of x")
