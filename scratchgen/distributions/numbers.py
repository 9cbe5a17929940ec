"""Numbers that say how many, or how much, checked where they are given."""

from __future__ import annotations

from typing import Any

import numpy as np


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


def require_number(name: str, value: Any, least: float = -np.inf) -> None:
    """Refuse what is no finite number, or is less than ``least``.

    Raises:
        TypeError, ValueError: with the value.

    >>> require_number("beta", -1.0, least=0)
    Traceback (most recent call last):
    ValueError: beta is -1.0; it must be 0 or more, and finite
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} is {value!r}; it must be a number")
    if not least <= value < np.inf or value == -np.inf:
        bound = "" if least == -np.inf else f"{least} or more, and "
        raise ValueError(f"{name} is {value}; it must be {bound}finite")
