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

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.checking.oracles import Curve, Estimate, largest
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


def compare(
    subject: Direct,
    inputs: Sequence[np.ndarray],
    oracle: Callable[[Curve], Estimate],
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
    units = range(y.size) if full else rng.integers(y.size, size=min(1, y.size))
    cotangents = [unit(y, k) for k in units] + [random_unit(y, rng) for _ in range(1 if full else 3)]
    pulled = [pull(w) for w in cotangents]
    compared = []
    for i, x in enumerate(inputs):
        size = size_of(x)
        places = list(range(x.size) if full else rng.integers(x.size, size=min(1, x.size)))
        directions = [size * unit(x, k) for k in places]
        directions += [] if full else [size * random_unit(x, rng) for _ in range(3)]
        with np.errstate(all="ignore"):  # a step may leave the domain
            pushed = [oracle(curve(subject, inputs, i, u)) for u in directions]

        rows, columns = matrix(cotangents, y.size), matrix(directions, x.size)
        analytic = matrix([p[i] for p in pulled], x.size) @ columns.T
        numeric = rows @ matrix([p.value for p in pushed], y.size).T
        doubt = SAFETY * np.abs(rows) @ matrix([np.minimum(p.error, 1e300) for p in pushed], y.size).T
        scale = max([subject.magnitude(inputs, y), *(largest(p.value) for p in pushed)])
        allowed = ROUNDING * scale + doubt
        excess = np.nan_to_num(np.abs(analytic - numeric) / allowed, nan=np.inf)
        wrong = excess > 1
        if wrong.any() or (doubt > certainty * scale).any():
            worst = np.unravel_index(np.argmax(excess if wrong.any() else doubt), doubt.shape)
            raise disagreement(subject, inputs, i, y, list(units), places, worst, analytic, numeric, doubt, wrong.any())
        error = float(np.max(np.abs(analytic - numeric), initial=0.0)) / scale
        compared.append(Comparison(i, full, analytic.size, scale, error, float(np.max(allowed, initial=0.0)) / scale))
    return compared


def curve(subject: Direct, inputs: Sequence[np.ndarray], i: int, u: np.ndarray) -> Curve:
    """t ↦ value at the inputs, with t u added to input i; all complex if t is."""

    def along(t: Any) -> np.ndarray:
        moved = [np.asarray(x + t * u) if j == i else x for j, x in enumerate(inputs)]
        return subject.value([x.astype(np.complex128) for x in moved] if isinstance(t, complex) else moved)

    return along


def unit(array: np.ndarray, k: int) -> np.ndarray:
    """Zeros of that shape with a 1 at the k-th place."""
    e = np.zeros(array.shape)
    e.flat[k] = 1.0
    return e


def random_unit(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random direction of length 1, with no element near 0 and both signs."""
    w = rng.choice([-1.0, 1.0], array.shape) * rng.uniform(0.5, 1.5, array.shape)
    return np.asarray(w / (np.linalg.norm(w) or 1.0))


def matrix(arrays: Iterable[np.ndarray], columns: int) -> np.ndarray:
    """The arrays as rows."""
    return np.reshape([np.ravel(a) for a in arrays], (-1, columns)) if columns else np.zeros((len(list(arrays)), 0))


def disagreement(
    subject: Direct,
    inputs: Sequence[np.ndarray],
    i: int,
    y: np.ndarray,
    units: list[int],
    places: list[int],
    worst: Any,
    analytic: np.ndarray,
    numeric: np.ndarray,
    doubt: np.ndarray,
    wrong: bool,
) -> GradientError:
    """The error for the worst entry, in the units of the input."""
    row, column = worst
    index, unit_of_change = None, 1.0
    where = f"argument {i}, along a random direction"
    if column < len(places):
        index = place(places[column], inputs[i].shape)
        where, unit_of_change = f"argument {i} at index {index}", size_of(inputs[i])
    output = subject.describe(units[row], inputs, y) if row < len(units) else "a random combination of the outputs"
    a, n, e = (float(m[worst]) / unit_of_change for m in (analytic, numeric, doubt / SAFETY))
    gist = (
        "is wrong"
        if wrong
        else "cannot be judged, since the difference quotient does not settle: a kink, a jump or noise?"
    )
    message = f"the derivative of {output} with respect to {where} {gist}"
    message += f"\n  analytic  {a:.15g}\n  numeric   {n:.15g} ± {e:.1g}"
    if wrong and column < len(places) and row < len(units):
        message += kink(curve(subject, inputs, i, unit(inputs[i], places[column])), units[row])
    return GradientError(message, subject.order, i, index, a, n, e)


def kink(along: Curve, k: int) -> str:
    """A remark if the k-th value has different slopes on the two sides of 0: a central difference means nothing."""
    h = 1e-6
    below, here, above = (along(t).flat[k] for t in (-h, 0.0, h))
    left, right = (here - below) / h, (above - here) / h
    if abs(left - right) <= 1e-3 * max(abs(left), abs(right)):
        return ""
    return (
        f"\n  There is a kink: the slope is {left:.6g} on the left, {right:.6g} on the right. Check it a little beside."
    )
