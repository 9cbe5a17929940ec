"""Exercise 1: the adjoint of broadcasting.

NumPy lets arrays of unequal shapes meet: in x + y with x of shape (3, 1) and y of shape (2, 3, 4), each number of x is
read 8 times. Going backward, each of these uses sends a gradient to the same number; by the chain rule they add up:

    gradient of x[i] = Σ of g over all places that read x[i]                                    (1)

Write (1): given g, the gradient of the broadcast array, find that of the array that was broadcast, whose shape is
`shape`. NumPy's rule: shapes are aligned at their last axes; missing leading axes count as 1; an axis of length 1 is
repeated.

    g          any shape that `shape` broadcasts to
    shape      a tuple of integers, such as (3, 1), (4,) or ()
    returns    an array of exactly this shape

In the lecture: page 6, "Now we can compute derivative wrt ϕ!", for which every operation needs such a rule. Afterwards,
look at `unbroadcast` in scratchgen/autodiff/chain_rule.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, equal, expect


def unbroadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The sum of g over the axes along which an array of this shape was repeated.

    >>> unbroadcast(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), (2, 1))
    array([[ 6.],
           [15.]])
    >>> unbroadcast(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), (3,))
    array([5., 7., 9.])
    """
    # solution
    extra = g.ndim - len(shape)
    leading = tuple(range(extra))
    repeated = tuple(extra + axis for axis, n in enumerate(shape) if n == 1)
    return np.sum(g, axis=leading + repeated, keepdims=True).reshape(shape)
    # end of solution


# end of the learner's part

HINTS = (
    """Which axes of g did the array not have, or have with length 1? Along these its numbers were repeated, so along
    these sum. The others stay.""",
    """Sum over the first g.ndim - len(shape) axes, which are gone afterwards, and over each axis where shape has a 1,
    which stays with length 1.""",
    """First g = g.sum(axis=tuple(range(g.ndim - len(shape)))). Then, for the axes where shape has 1 and g has not,
    g = g.sum(axis=those, keepdims=True).""",
)

EXPLANATION = """
Broadcasting is linear, and this is its transpose: ⟨g, broadcast(x)⟩ = ⟨unbroadcast(g), x⟩ for every g and x. That is
how it is checked, and it is the shortest test of any derivative rule of a linear function. Every bias of a network
goes through it, for b of shape (D,) is added to a batch (B, D). The sum, not the mean: each use counts in full.
"""


def by_places(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(1) as it stands: number the elements of x, broadcast the numbers, and add each g where its number points."""
    numbers = np.broadcast_to(np.arange(int(np.prod(shape))).reshape(shape), g.shape)
    return np.bincount(numbers.ravel(), weights=g.ravel(), minlength=int(np.prod(shape))).reshape(shape)


def check(student: Student) -> None:
    """Eleven pairs of shapes against (1); then the adjoint: ⟨g, broadcast x⟩ = ⟨unbroadcast g, x⟩."""
    rng = np.random.default_rng(1)
    small = np.array([[[1.0, 2.0], [3.0, 5.0]], [[8.0, 13.0], [21.0, 34.0]]])
    expect(student.unbroadcast, {"g": small, "shape": (2, 1)}, by_places(small, (2, 1)), "from (2, 2, 2) to (2, 1)")
    for shape, whole in (
        ((3, 1), (2, 3, 4)),
        ((4,), (3, 4)),
        ((4,), (2, 3, 4)),
        ((1, 4), (3, 4)),
        ((), (2, 5)),
        ((1,), (3,)),
        ((2, 3), (2, 3)),
        ((1, 3, 1), (5, 2, 3, 4)),
        ((1, 1), (1, 1)),
        ((3, 3), (3, 3, 3)),
    ):
        g = rng.normal(size=whole)
        case = f"from {whole} to {shape}"
        got = expect(student.unbroadcast, {"g": g, "shape": shape}, by_places(g, shape), case)
        x = rng.normal(size=shape)
        equal(np.sum(got * x), np.sum(g * np.broadcast_to(x, whole)), f"⟨unbroadcast g, x⟩, {case}")


def one_leading_axis(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The first axis, where there are more than in shape, and those of length 1."""
    if g.ndim > len(shape):
        g = np.sum(g, axis=0)
    return np.sum(g, axis=tuple(axis for axis, n in enumerate(shape) if n == 1), keepdims=True)


WRONG: Wrong = {
    "summing without keepdims": change("keepdims=True).reshape(shape)", "keepdims=False)"),
    "averaging instead of summing": change("np.sum(", "np.mean("),
    "summing over the leading axes only": change("axis=leading + repeated", "axis=leading"),
    "summing over the axes of length 1 only": change(
        "leading = tuple(range(extra))", "leading = ()", "keepdims=True).reshape(shape)", "keepdims=True)"
    ),
    "summing over one leading axis only, where there are two": one_leading_axis,
    "keeping the leading axes, with length 1": change("keepdims=True).reshape(shape)", "keepdims=True)"),
    "aligning the shapes at their first axes": change("extra + axis for", "axis for"),
    "cutting out a piece of the right shape": lambda g, shape: g[
        tuple([0] * (g.ndim - len(shape)) + [slice(n) for n in shape])
    ],
    "taking the first of the repeated numbers for all": lambda g, shape: np.ravel(g)[: int(np.prod(shape))].reshape(
        shape
    ),
    "returning g as it is": lambda g, shape: g,
    "summing over everything": lambda g, shape: np.sum(g) + np.zeros(shape),
}
