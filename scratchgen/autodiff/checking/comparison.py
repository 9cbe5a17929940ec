"""The heart of the gradient check: the engine's pull-back against an oracle.

With cotangents w (rows) and directions u (columns), the two matrices

    A[w, u] = ⟨Jᵀw, u⟩   from the engine,        N[w, u] = ⟨w, J u⟩   from the oracle                       (1)

are equal if every Jᵀw is right. With all unit vectors for w and u they are the Jacobian itself.

How large a difference is allowed? The natural unit of y, for a change of the input by its own size s, is

    scale = max(|y|, |J s|),                                                                                   (2)

or at least a thousandth of s or of 1, whichever is less, for a y that is nothing but rounding, as x − x. 1e-12 of it is
allowed for rounding, plus ten times the oracle's estimate of its own error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.checking.oracles import ORACLES, Curve, largest
from scratchgen.autodiff.checking.subjects import Direct, place, size_of

FULL = 400  # entries of a Jacobian that is checked as a whole
ROUNDING = 1e-12
SAFETY = 10.0


class Comparison(NamedTuple):
    """What was compared for one input, and how well it agreed."""

    argument: int
    full: bool  # the whole Jacobian, or random directions
    entries: int
    scale: float  # (2)
    error: float  # the largest difference, relative to the scale
    allowed: float  # the largest that was allowed, likewise


class Entries(NamedTuple):
    """The matrices (1) for one input, and where their rows and columns belong."""

    subject: Direct
    inputs: Sequence[np.ndarray]
    argument: int
    y: np.ndarray
    outputs: list[int]  # the first rows are unit vectors, for these elements of y; the rest are random
    places: list[int]  # the first columns likewise, for these elements of the input
    analytic: np.ndarray
    numeric: np.ndarray
    doubt: np.ndarray  # what is allowed for the oracle's own error


def compare(
    subject: Direct,
    inputs: Sequence[np.ndarray],
    oracle: Literal["real", "complex"],
    rng: np.random.Generator,
    certainty: float,
) -> list[Comparison]:
    """Compare (1) for every input.

    Args:
        certainty: an oracle that is less certain than this, relative to the scale, is no judge.

    Raises:
        GradientError: where the engine and the oracle disagree, or the oracle found no derivative.
    """
    y, pull = subject.pull_back(inputs)
    full = y.size * sum(x.size for x in inputs) <= FULL
    outputs = chosen(y, full, rng)
    cotangents = [unit(y, k) for k in outputs] + [random_unit(y, rng) for _ in range(1 if full else 3)]
    pulled = [pull(w) for w in cotangents]
    rows, compared = matrix(cotangents, y.size), []
    for i, x in enumerate(inputs):
        places, size = chosen(x, full, rng), size_of(x)
        directions = [size * unit(x, k) for k in places] + [size * random_unit(x, rng) for _ in range(0 if full else 3)]
        with np.errstate(all="ignore"):  # a step may leave the domain
            pushed = [ORACLES[oracle](curve(subject, inputs, i, u)) for u in directions]
        analytic = matrix([p[i] for p in pulled], x.size) @ matrix(directions, x.size).T
        numeric = rows @ matrix([p.value for p in pushed], y.size).T
        doubt = SAFETY * np.abs(rows) @ matrix([np.minimum(p.error, 1e300) for p in pushed], y.size).T
        scale = max([subject.magnitude(inputs, y), *(largest(p.value) for p in pushed)])
        entries = Entries(subject, inputs, i, y, outputs, places, analytic, numeric, doubt)
        compared.append(judge(entries, full, scale, certainty))
    return compared


def judge(entries: Entries, full: bool, scale: float, certainty: float) -> Comparison:
    """Whether the two matrices are equal, as far as can be known."""
    allowed = ROUNDING * scale + entries.doubt
    difference = np.abs(entries.analytic - entries.numeric)
    excess = np.nan_to_num(difference / allowed, nan=np.inf)  # NaN is not equal to NaN
    if (excess > 1).any():
        raise disagreement(entries, int(np.argmax(excess)))
    if (entries.doubt > certainty * scale).any():
        raise disagreement(
            entries,
            int(np.argmax(entries.doubt[: len(entries.outputs) or None])),
            "cannot be judged, since the difference quotient does not settle: a kink, a jump or noise?",
        )
    error, most = (float(np.max(m, initial=0.0)) / scale for m in (difference, allowed))
    return Comparison(entries.argument, full, difference.size, scale, error, most)


def curve(subject: Direct, inputs: Sequence[np.ndarray], i: int, u: np.ndarray) -> Curve:
    """t ↦ value at the inputs, with t u added to input i; all complex if t is."""

    def along(t: Any) -> np.ndarray:
        moved = [np.asarray(x + t * u) if j == i else x for j, x in enumerate(inputs)]
        return subject.value([x.astype(np.complex128) for x in moved] if isinstance(t, complex) else moved)

    return along


def chosen(array: np.ndarray, full: bool, rng: np.random.Generator) -> list[int]:
    """The elements to look at one by one: all of them, or one."""
    return list(range(array.size)) if full else [int(k) for k in rng.integers(array.size, size=min(1, array.size))]


def unit(array: np.ndarray, k: int) -> np.ndarray:
    """Zeros of that shape with a 1 at the k-th place."""
    e = np.zeros(array.shape)
    e.flat[k] = 1.0
    return e


def random_unit(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random direction of length 1, with no element near 0 and both signs."""
    w = rng.choice([-1.0, 1.0], array.shape) * rng.uniform(0.5, 1.5, array.shape)
    return np.asarray(w / (np.linalg.norm(w) or 1.0))


def matrix(arrays: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """The arrays as rows."""
    return np.reshape([np.ravel(a) for a in arrays], (len(arrays), columns))


def disagreement(entries: Entries, flat: int, gist: str = "is wrong") -> GradientError:
    """The error for one entry, in the units of the input, where it belongs to an element of the input."""
    subject, inputs, i, y, outputs, places, *matrices = entries
    row, column = place(flat, entries.doubt.shape)
    output = subject.describe(outputs[row], inputs, y) if row < len(outputs) else "a random combination of the outputs"
    index, size, where, remark = None, 1.0, f"argument {i}, along a random direction", ""
    if column < len(places):
        index, size = place(places[column], inputs[i].shape), size_of(inputs[i])
        where = f"argument {i} at index {index}"
        if row < len(outputs):
            remark = kink(curve(subject, inputs, i, unit(inputs[i], places[column])), outputs[row], size)
    analytic, numeric, doubt = (float(m[row, column]) / size for m in matrices)
    estimate = doubt / SAFETY
    message = (
        f"the derivative of {output} with respect to {where} {gist}\n"
        f"  analytic  {analytic:.15g}\n  numeric   {numeric:.15g} ± {estimate:.1g}{remark}"
    )
    return GradientError(message, subject.order, i, index, analytic, numeric, estimate)


def kink(along: Curve, k: int, size: float) -> str:
    """A remark if the k-th value has different slopes on the two sides of 0, where no derivative is."""
    h = 1e-6 * size
    below, here, above = (along(t).flat[k] for t in (-h, 0.0, h))
    left, right = (here - below) / h, (above - here) / h
    if not abs(left - right) > 1e-3 * max(abs(left), abs(right), abs(here / size)):
        return ""
    return (
        f"\n  There is a kink: the slope is {left:.6g} on the left, {right:.6g} on the right. Check it a little beside."
    )
