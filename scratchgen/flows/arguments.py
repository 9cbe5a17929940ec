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
