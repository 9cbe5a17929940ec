"""What a check is made of: call the learner's function, and hold what it returns against a known value.

``call`` runs a function on named arguments and makes every way to fail a ``Failure``: an exception, inputs that it
modified, a result that is no number. ``expect`` also compares: first the shape, then that all is finite, then the
values. ``equal`` compares something that was computed from several calls, such as a round trip. No comparison can be
passed by NaN, by a shape that broadcasts, or by returning nothing.
"""

from __future__ import annotations

import inspect
import linecache
import os
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.exercises.kit.failure import NOTHING, Failure, NotWritten

TOLERANCE = 1e-9
VALUE_IS_WRONG = "The value is wrong"
# Where a line is not the learner's: NumPy and all beside it, Python's library, and scratchgen.
LIBRARIES = tuple(str(Path(file).parents[up]) for file, up in ((np.__file__, 1), (os.__file__, 0), (__file__, 2)))


class Student:
    """The functions of a learner's file: ``student.kl_gaussians`` is the function, or a ``Failure`` if there is none.

    >>> Student({"f": abs}).f(-1)
    1
    >>> Student({"f": abs}).g
    Traceback (most recent call last):
    scratchgen.exercises.kit.failure.Failure: Your file has no function g; it has f.
      case:      looking for g
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    def __getattr__(self, name: str) -> Any:
        found = self._names.get(name, NOTHING)
        if found is NOTHING:
            written = [k for k, v in self._names.items() if inspect.isfunction(v) or inspect.isclass(v)]
            there = ", ".join(k for k in (written or self._names) if not k.startswith("_")) or "none"
            raise Failure(f"Your file has no function {name}; it has {there}.", case=f"looking for {name}")
        if not callable(found):
            raise Failure(f"{name} is no function.", case=f"looking for {name}", got=found)
        return found


def call(function: Callable[..., Any], given: Mapping[str, Any], case: str, returns: bool = True) -> Any:
    """What the learner's function returns for the arguments ``given``, passed by position.

    The arrays and Tensors among the arguments, also inside tuples, lists and dictionaries, and the lists themselves,
    must be unchanged afterwards. Warnings, such as of an overflow, are not shown: what counts is the result.

    Raises:
        NotWritten: if it raises NotImplementedError.
        Failure: if it raises anything else, modifies its arguments, or returns None although it ``returns`` something.
    """
    name = name_of(function)
    before = [(path, x, data_of(x).copy()) for path, x in arrays_in(given)]
    lists = [(path, x, list(x)) for path, x in given.items() if isinstance(x, list)]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            got = function(*given.values())
    except NotImplementedError as error:
        raise not_written(name, error) from None
    except Failure:
        raise
    except (Exception, SystemExit) as error:
        raise raised(name, error, case, given) from error
    for path, x, old in before:
        if not (data_of(x).shape == old.shape and np.array_equal(data_of(x), old, equal_nan=old.dtype.kind in "fc")):
            raise Failure(
                f"{name} modified its argument {path}; make a new array instead of changing it in place.",
                case=f"{case}: {path} afterwards", given={path: old}, got=data_of(x).copy(), expected=old,
            )  # fmt: skip
    for path, items, old_items in lists:
        if len(items) != len(old_items) or any(x is not old for x, old in zip(items, old_items)):
            raise Failure(
                f"{name} modified its argument {path}; leave the list as it is.",
                case=f"{case}: {path} afterwards", given={path: old_items}, got=list(items), expected=old_items,
            )  # fmt: skip
    if got is None and returns:
        raise Failure(f"{name} returned None: is its `return` missing?", case=case, given=given, got=None)
    return got


def expect(
    function: Callable[..., Any], given: Mapping[str, Any], expected: Any, case: str, tol: float = TOLERANCE
) -> Any:
    """``call`` the function, and compare what it returns with ``expected``: see ``equal``. Returns what it returned.

    >>> expect(np.square, {"x": np.array([1.0, 2.0])}, np.array([1.0, 4.0]), "two numbers")
    array([1., 4.])
    """
    got = call(function, given, case)
    equal(got, expected, case, tol=tol, given=given, name=name_of(function))
    return got


def equal(
    got: Any,
    expected: Any,
    case: str,
    tol: float = TOLERANCE,
    given: Mapping[str, Any] | None = None,
    name: str = "Your function",
) -> None:
    """Compare shape, then finiteness, then values: |got − expected| ≤ tol (1 + |expected|) for each number.

    ``expected`` is a number, an array, a Tensor, or a tuple of these; then ``got`` must have as many parts. Infinite
    values must be infinite with the same sign. A Tensor is accepted where a Tensor is expected, or was among ``given``.

    Raises:
        Failure: where they differ.
        ValueError: if ``expected`` has NaN: then the check is wrong.
    """
    shown = dict(given or {})
    show_all: dict[str, Any] = {"case": case, "given": shown, "got": got, "expected": expected}
    if isinstance(expected, tuple):
        if not isinstance(got, tuple | list) or len(got) != len(expected):
            kind = f"{len(got)} parts" if isinstance(got, tuple | list) else f"one {type(got).__name__}"
            raise Failure(f"{name} returned {kind}; expected are {len(expected)} parts.", **show_all)
        for i, (part, value) in enumerate(zip(got, expected)):
            equal(part, value, f"{case}, part {i + 1} of what is returned", tol, given, name)
        return
    tensors = isinstance(expected, Tensor) or any(isinstance(x, Tensor) for _, x in arrays_in(shown))
    truth = data_of(expected)
    if np.isnan(truth).any():
        raise ValueError(f"the expected value of {case!r} has NaN: this check is wrong")
    if isinstance(got, Tensor) and not tensors:
        raise Failure(f"{name} returned a Tensor; expected is {a_kind(truth)}.", **show_all)
    if not isinstance(got, np.ndarray | np.generic | Tensor | float | int | complex):
        raise Failure(f"{name} returned a {type(got).__name__}; expected is {a_kind(truth)}.", **show_all)
    value = data_of(got)
    if value.dtype.kind not in ("biufc" if truth.dtype.kind == "c" else "biuf"):
        raise Failure(f"{name} returned numbers of type {value.dtype}; expected is {a_kind(truth)}.", **show_all)
    if value.shape != truth.shape:
        raise Failure(f"The shape is wrong: {name} gave {value.shape}, expected is {truth.shape}.", **show_all)
    if np.isnan(value).any():
        raise Failure(f"{name} gave NaN{where(np.isnan(value))}.", **show_all)
    infinite = np.isinf(value) & (value != truth)
    if infinite.any():
        raise Failure(f"{name} gave an infinite number{where(infinite)}.", **show_all)
    with np.errstate(invalid="ignore"):  # inf − inf, where both are the same infinite number
        near = np.isfinite(truth) & (np.abs(value - truth) <= tol * (1 + np.abs(truth)))
    close = near | (value == truth)
    if not close.all():
        raise Failure(f"{VALUE_IS_WRONG}{where(~close)}.", **show_all)


def require(condition: Any, problem: str, case: str, **details: Any) -> None:
    """Raise a ``Failure`` unless ``condition`` is true; ``details`` are those of ``Failure``. NaN > 0 is not true."""
    if not bool(condition):
        raise Failure(problem, case=case, **details)


def where(wrong: np.ndarray) -> str:
    """How many of several numbers are wrong, and where the first stands.

    >>> where(np.array([[False, True, True]]))
    ' (2 of 3 numbers, the first at [0, 1])'
    """
    if wrong.size == 1:
        return ""
    first = ", ".join(str(i) for i in np.argwhere(wrong)[0])
    return f" ({wrong.sum()} of {wrong.size} numbers, the first at [{first}])"


def a_kind(x: np.ndarray) -> str:
    """What an array is, in words."""
    return f"a NumPy array of shape {x.shape}" if x.ndim else "a number"


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function as its author wrote it."""
    name = getattr(function, "__name__", type(function).__name__)
    return "Your function" if name == "<lambda>" else name


def data_of(x: Any) -> np.ndarray:
    """The array in a Tensor or array, or an array of a number."""
    return np.asarray(x.data if isinstance(x, Tensor) else x)


def arrays_in(x: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays and Tensors in an argument, with the name of each: ``x``, ``params[0]``, ``grads[weight]``."""
    if isinstance(x, np.ndarray | Tensor):
        yield path, x
    elif isinstance(x, Mapping):
        for key, item in x.items():
            yield from arrays_in(item, f"{path}[{key}]" if path else str(key))
    elif isinstance(x, tuple | list):
        for i, item in enumerate(x):
            yield from arrays_in(item, f"{path}[{i}]")


def not_written(name: str, error: NotImplementedError) -> NotWritten:
    """The failure of a stub."""
    line = whose_line(error.__traceback__)
    return NotWritten(f"{name} is not written yet: your code goes in the place of this line.{line}")


def raised(name: str, error: BaseException, case: str, given: Mapping[str, Any]) -> Failure:
    """The failure for an exception in the learner's function; it ends in the learner's own line."""
    line = whose_line(error.__traceback__)
    problem = f"{name} raised {type(error).__name__}: {error}{line}"
    if not line and isinstance(error, TypeError):  # it was not even entered
        problem = f"{name} cannot be called with the {len(given)} arguments {', '.join(given)}: {error}"
    return Failure(problem, case=case, given=given, got=f"{type(error).__name__}: {error}")


def whose_line(trace: TracebackType | None) -> str:
    """The learner's last line on the way to an exception out of ``call``; empty if the function was not entered."""
    own = [frame.filename for frame in traceback.extract_tb(trace) if not frame.filename.startswith(LIBRARIES)]
    return learners_line(trace, own[0]) if own else ""


def learners_line(trace: TracebackType | None, file: str) -> str:
    """The last line of ``file`` on the way to an exception: its number and text, each on a new line."""
    own = [frame for frame in traceback.extract_tb(trace) if frame.filename == file]
    if not own:
        return ""
    last = own[-1]
    text = linecache.getline(last.filename, last.lineno or 0).strip()
    return f"\n  File {last.filename}, line {last.lineno}, in {last.name}" + (f"\n    {text}" if text else "")
