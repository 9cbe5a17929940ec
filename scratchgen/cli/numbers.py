"""Types of numbers for ``add_argument(type=…)``, whose messages name the range."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any


def at_least(least: float, kind: type = int) -> Callable[[str], Any]:
    """A function that reads a finite number, an int or a float, of at least so much.

    >>> at_least(1)("3")
    3
    >>> at_least(1)("0")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: 0 is not a whole number of at least 1
    """

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf:
            name = "whole number" if kind is int else "finite number"
            raise argparse.ArgumentTypeError(f"{text} is not a {name} of at least {least}")
        return value

    return read


def above_zero(text: str) -> float:
    """A finite number above 0.

    >>> above_zero("1e-3")
    0.001
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number above 0")
    return value
