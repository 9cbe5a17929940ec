"""Ways to spoil any right answer, whatever the exercise: a check has to notice each of them.

A spoiler takes a right function and returns a wrong one. ``Spoiled.applied`` tells whether there was something to
spoil: a function that takes no array cannot change it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor


class Spoiled:
    """A right function with an error in what it returns, or does."""

    def __init__(self, right: Callable[..., Any], change: Callable[[Any, tuple[Any, ...]], Any]) -> None:
        self.right, self.change, self.applied = right, change, False
        self.__name__ = right.__name__

    def __call__(self, *args: Any) -> Any:
        before = self.right(*args)
        after = self.change(before, args)
        self.applied |= after is not before
        return after


def each(change: Callable[[np.ndarray], Any]) -> Callable[[Any, tuple[Any, ...]], Any]:
    """Apply ``change`` to the last array of floats in what is returned."""

    def anywhere(x: Any, args: tuple[Any, ...] = ()) -> Any:
        if isinstance(x, tuple):
            for i in reversed(range(len(x))):
                if (y := anywhere(x[i])) is not x[i]:
                    return (*x[:i], y, *x[i + 1 :])
            return x
        if isinstance(x, Tensor):
            return Tensor(change(x.data)) if x.size and x.dtype.kind == "f" else x
        if isinstance(x, float | np.ndarray | np.generic) and np.size(x) and np.asarray(x).dtype.kind == "f":
            return change(np.asarray(x))
        return x

    return anywhere


def last_is_nan(x: np.ndarray) -> np.ndarray:
    """The last number replaced by NaN."""
    y = np.array(x)
    y.flat[-1] = np.nan
    return y


def first_answer_always() -> Callable[[Any, tuple[Any, ...]], Any]:
    """Whatever is asked, the answer to the first question."""
    first: list[Any] = []

    def change(x: Any, args: tuple[Any, ...]) -> Any:
        first.append(x)
        return first[0]

    return change


def input_changed(x: Any, args: tuple[Any, ...]) -> Any:
    """The right answer, but the last array of floats among the arguments has been added to."""
    for a in reversed(args):
        array = a.data if isinstance(a, Tensor) else a
        if isinstance(array, np.ndarray) and array.size and array.dtype.kind == "f" and array.flags.writeable:
            array += 1.0
            return np.array(x) if isinstance(x, np.ndarray | float) else x
    return x


SPOILERS: dict[str, Callable[[], Callable[[Any, tuple[Any, ...]], Any]]] = {
    "a thousandth too large": lambda: each(lambda x: x * 1.001 + (x == 0) * 1e-3),
    "one number is NaN": lambda: each(last_is_nan),
    "all numbers are NaN": lambda: each(lambda x: x * np.nan),
    "an axis of one behind": lambda: each(lambda x: x[..., None]),
    "the first answer always": first_answer_always,
    "its input changed": lambda: input_changed,
}
