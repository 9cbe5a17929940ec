"""What a learner is told when a check does not pass: one concrete case, with what was given, got and expected.

A failure shows numbers, never the formula that made them. Its ``got`` is kept as it came: by it ``exercise`` tells
which known mistake gives exactly the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor

MANY = 24  # numbers of an array that are shown whole
MOST_DIGITS = 17  # after the point: all that a number in double precision has, if it is of the order of 1
NOTHING: Any = object()  # tells "there is none" from None, which a function may return


class Failure(Exception):
    """A check that did not pass.

    Args:
        problem: what is wrong, a sentence.
        case: what the check tried, in a few words; with ``got`` it identifies the failure.
        given: the arguments by name.
        got: what the learner's function returned, or what followed from it.
        expected: what it should have been.
        mistake: the name of the known wrong answer, where the check itself can tell; it must be a key of ``WRONG``.

    >>> print(Failure("The value is wrong.", case="two dimensions", given={"x": np.ones(2)}, got=3.0, expected=2.0))
    The value is wrong.
      case:      two dimensions
      given:     x = [1., 1.]  (shape (2,))
      got:       3.0
      expected:  2.0
    """

    def __init__(
        self,
        problem: str,
        *,
        case: str = "",
        given: Mapping[str, Any] | None = None,
        got: Any = NOTHING,
        expected: Any = NOTHING,
        mistake: str | None = None,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.case = case
        self.given = dict(given or {})
        self.got = got
        self.expected = expected
        self.mistake = mistake

    def __str__(self) -> str:
        rows = [("case", self.case)] if self.case else []
        rows += [("given" if i == 0 else "", argument(k, v)) for i, (k, v) in enumerate(self.given.items())]
        told = isinstance(self.got, str) and self.got in self.problem  # an exception
        got, expected = shown_apart(self.got, self.expected)
        rows += [] if self.got is NOTHING or told else [("got", got)]
        rows += [] if self.expected is NOTHING else [("expected", expected)]
        return "\n".join([self.problem, *(layout(label, text) for label, text in rows)])


class NotWritten(Failure):
    """The learner's file is still the stub: ``NotImplementedError`` was raised."""


def argument(name: str, value: Any) -> str:
    """An argument, ``name = value``; further lines of the value stand below its first."""
    head = f"{name} = "
    return head + show(value).replace("\n", "\n" + " " * len(head))


def layout(label: str, text: str) -> str:
    """A row of the message; further lines of ``text`` stand below its first."""
    head = f"  {label + ':' if label else '':11}"
    return head + text.replace("\n", "\n" + " " * len(head))


def shown_apart(a: Any, b: Any) -> tuple[str, str]:
    """Two values by ``show``; with all their digits if they would look the same.

    >>> shown_apart(np.array([1.0]), np.array([1.0 + 1e-8]))
    ('[1.]  (shape (1,))', '[1.00000001]  (shape (1,))')
    """
    few = show(a), show(b)
    return few if few[0] != few[1] else (show(a, MOST_DIGITS), show(b, MOST_DIGITS))


def show(x: Any, digits: int = 5) -> str:
    """A value as a learner reads it: small arrays whole, large ones in part, always with their shape.

    >>> show(np.arange(3.0)), show([1, None]), show(np.float64(0.5)), show([abs, len])
    ('[0., 1., 2.]  (shape (3,))', '[1, None]', '0.5', '[abs, len]')
    """
    try:
        return shown(x, digits)
    except Exception:  # whatever a learner returned: its own __repr__ may fail
        return f"a {type(x).__name__} that cannot be shown"


def shown(x: Any, digits: int) -> str:
    """See ``show``; raises what ``repr`` does."""
    if isinstance(x, Tensor):
        return f"Tensor {shown(x.data, digits)}"
    if isinstance(x, np.ndarray):
        text = np.array2string(x, separator=", ", precision=digits, threshold=MANY, edgeitems=2, max_line_width=90)
        text = re.sub(r"\n\n+", "\n", text)  # no empty lines between matrices
        return f"{text}  (shape {x.shape})" if x.ndim else text
    if isinstance(x, np.generic):
        x = x.item()
    arrays = isinstance(x, tuple | list) and any(isinstance(item, np.ndarray | Tensor) for item in x)
    if arrays or (isinstance(x, tuple | list) and any(map(callable, x))):
        opening, closing = "()" if isinstance(x, tuple) else "[]"
        return opening + (",\n " if arrays else ", ").join(shown(item, digits) for item in x) + closing
    if callable(x):
        return getattr(x, "__name__", type(x).__name__)
    text = repr(x)
    return text if len(text) <= 200 else text[:200] + " …"


def same(a: Any, b: Any) -> bool:
    """Whether two wrong results are the same one, up to rounding; NaN equals NaN here, for that can be the mistake.

    The tolerance is far below that of a check: of results that are wrong by little, only those wrong by as much are.

    >>> same((np.ones(2), "text"), (np.ones(2) + 1e-12, "text")), same(np.ones(2), np.ones((2, 1)))
    (True, False)
    """
    a, b = (x.data if isinstance(x, Tensor) else x for x in (a, b))
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(same(p, q) for p, q in zip(a, b))
    try:
        p, q = np.asarray(a), np.asarray(b)
        if p.dtype.kind not in "biufc" or q.dtype.kind not in "biufc":
            return type(a) is type(b) and bool(a == b)
        return p.shape == q.shape and np.allclose(p, q, rtol=1e-10, atol=1e-11, equal_nan=True)
    except Exception:  # whatever a learner returned: objects that refuse to be compared are not the same
        return False
