"""Exercise 33: guidance without a classifier.

A conditional diffusion is told the class y; for some of the training examples, such as a tenth, it is told "no class".
So one network gives two predictions of the noise, with the class and without. Their difference points to what makes an
image look like its class, and may be exaggerated. With the scale w,

    ε̃ = ε(x, none) + w (ε(x, y) − ε(x, none))                                                   (1)

w = 0 ignores the class, w = 1 is the conditional model, w > 1 exaggerates. Write (1), with a single call of the
network: for 2B rows, each of x twice.

    x          (B, D)
    t          a number
    y          (B,) integers, classes from 0 on
    network    a function: (x (n, D), t, y (n,)) → ε (n, D), for any number n of rows; y = none means "no class"
    none       an integer
    scale      w
    returns    ε̃, (B, D)

In the lecture: page 12, diffusion models. Afterwards, look at scratchgen/diffusion/guidance.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, call, change, expect, require

Network = Callable[[np.ndarray, float, np.ndarray], np.ndarray]


def guided(x: np.ndarray, t: float, y: np.ndarray, network: Network, none: int, scale: float) -> np.ndarray:
    """ε̃ of (1), (B, D), by one call of the network with 2B rows.

    >>> def network(x, t, y):                               # 1 for class 0, 5 for class 1, 0 for no class
    ...     return np.array([1.0, 5.0, 0.0])[y][:, None] + 0 * x
    >>> guided(np.zeros((2, 1)), 0.5, np.array([0, 1]), network, none=2, scale=3.0)
    array([[ 3.],
           [15.]])
    """
    # solution
    labels = np.concatenate([y, np.full(len(y), none)])
    eps = network(np.concatenate([x, x]), t, labels)
    with_class, without = eps[: len(x)], eps[len(x) :]
    return without + scale * (with_class - without)
    # end of solution


# end of the learner's part

HINTS = (
    """Put x under x, and below the classes as many times "no class"; the network's answer has the two predictions one
    above the other.""",
    """x2 = np.concatenate([x, x]), y2 = np.concatenate([y, np.full(len(y), none)]); split the result after B rows,
    and put the halves into (1).""",
    """eps = network(x2, t, y2); return eps[B:] + scale * (eps[:B] - eps[B:]), with B = len(x).""",
)

EXPLANATION = """
In terms of scores (1) is ∇ log p(x) + w ∇ log p(y|x): as if p(y|x) had been raised to the power w. For w > 1 the
samples are clearer members of their class, and less varied: what comes out is no longer a sample of p(x|y). Papers
write the scale in two ways, (1) and (1 + w) ε(x, y) − w ε(x, none), whose w is less by 1; both are right, and a
program that mixes them is not.
"""


def check(student: Student) -> None:
    """(1) row by row, linear in the scale; scale 0 and 1 exact; and one call of the network."""
    rng = np.random.default_rng(33)
    calls: list[int] = []
    W = rng.normal(size=(6, 5))

    def network(x: np.ndarray, t: float, y: np.ndarray) -> np.ndarray:
        """Something that depends on all three, row by row."""
        calls.append(len(x))
        return np.sin(x + t) * W[np.asarray(y), : x.shape[1]]

    for B, D, scale in ((1, 2, 3.0), (3, 4, 0.0), (2, 5, 1.0), (4, 2, 1.5), (3, 3, -0.5), (2, 2, 7.0)):
        x, y = rng.normal(size=(B, D)), rng.integers(0, 5, B)
        given = {"x": x, "t": 0.3, "y": y, "network": network, "none": 5, "scale": scale}
        exact = np.sin(x + 0.3) * (scale * W[y, :D] + (1 - scale) * W[5, :D])
        expect(student.guided, given, exact, f"scale {scale}, B = {B}, D = {D}")
    calls.clear()
    x, case = rng.normal(size=(3, 2)), "how often the network is called"
    given = {"x": x, "t": 0.3, "y": np.array([0, 1, 2]), "network": network, "none": 5, "scale": 2.0}
    call(student.guided, given, case)
    problem = "The network is to be called once, with 6 rows for the 3 of x."
    require(calls == [6], problem, case, got=f"calls with {calls} rows", expected="one call with 6 rows")


WRONG: Wrong = {
    "the two predictions exchanged": change(
        "with_class, without = eps[: len(x)], eps[len(x) :]", "without, with_class = eps[: len(x)], eps[len(x) :]"
    ),
    "1 + w: the other convention": change(
        "without + scale * (with_class - without)", "with_class + scale * (with_class - without)"
    ),
    "leaving out the prediction without a class in front": change(
        "without + scale * (with_class - without)", "scale * (with_class - without)"
    ),
    "the prediction with the class in (1) without subtracting": change(
        "without + scale * (with_class - without)", "without + scale * with_class"
    ),
    "exchanging w and 1 − w": change(
        "without + scale * (with_class - without)", "with_class + scale * (without - with_class)"
    ),
    "adding the two": change("(with_class - without)", "(with_class + without)"),
    "the opposite sign of the difference": change("(with_class - without)", "(without - with_class)"),
    "the class alone": change("without + scale * (with_class - without)", "with_class + 0 * without"),
    "the class alone, scaled": change("without + scale * (with_class - without)", "scale * with_class + 0 * without"),
    "class 0 for no class": change("np.full(len(y), none)", "np.full(len(y), 0)"),
    "the last class for no class": change("np.full(len(y), none)", "np.full(len(y), none - 1)"),
    "the class of the first row for all": change("np.concatenate([y, np", "np.concatenate([0 * y + y[0], np"),
    "rows taken in turn from the two halves": change("eps[: len(x)], eps[len(x) :]", "eps[::2], eps[1::2]"),
    "two calls of the network": lambda x, t, y, network, none, scale: (
        (1 - scale) * network(x, t, 0 * y + none) + scale * network(x, t, y)
    ),
    "a scale that is squared": change("scale * (with", "scale**2 * (with"),
}
