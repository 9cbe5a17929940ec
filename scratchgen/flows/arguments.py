"""What a flow is given, checked where it is given."""

from __future__ import annotations

from typing import Any

import numpy as np


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
