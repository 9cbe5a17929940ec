"""Exercise 31: Langevin dynamics.

With the score alone one can sample: walk uphill, and shake. A step of size h is

    x ← x + h ∇ log p(x) + √(2h) · noise,    noise ~ N(0, I)                                    (1)

With small h, and many steps, x is distributed nearly as p, wherever it began. Write n steps, with all the noise given.

    x          (B, D), where the walks begin
    score      a function: (B, D) → ∇ log p, (B, D)
    step       h, a number
    noise      (n, B, D): noise[i] is for step i
    returns    where the walks end, (B, D)

In the lecture: page 12, diffusion models. Afterwards, look at scratchgen/diffusion/langevin.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, call, change, equal, expect


def langevin(x: np.ndarray, score: Callable[[np.ndarray], np.ndarray], step: float, noise: np.ndarray) -> np.ndarray:
    """Where len(noise) steps of (1) lead, (B, D).

    >>> langevin(np.array([[4.0]]), lambda x: -x, 0.5, np.array([[[0.0]], [[1.0]]]))       # 4 → 2 → 1 + √1 · 1
    array([[2.]])
    """
    # solution
    for eta in noise:
        x = x + step * score(x) + np.sqrt(2 * step) * eta
    return x
    # end of solution


# end of the learner's part

HINTS = (
    """A loop over the first axis of the noise; in it, one line, which makes a new x of the old one.""",
    """x + h score(x) + √(2h) noise[i]: the score is taken where x is now. `x = x + …`, not `x += …`, which would move
    the array of whoever called.""",
    """for eta in noise: x = x + step * score(x) + np.sqrt(2 * step) * eta.""",
)

EXPLANATION = """
Uphill alone, all walks end on the peaks; the noise keeps them spread. The 2 is what balances the two: without it, for
N(0, 1), the variance comes to ½. In the check the score is linear, so that mean and variance of the walk are known
exactly after every step: they settle at variance 1/(1 − h/2), and not at 1: a step of finite size is a little too
bold. Metropolis' test would correct that; small steps make it small.
"""


def check(student: Student) -> None:
    """Steps by hand, with two scores; then the variance of a walk on N(0, 1), which settles at 1/(1 − h/2)."""
    rng = np.random.default_rng(31)

    def two_peaks(x: np.ndarray) -> np.ndarray:
        """The score of two peaks at ±1, in each dimension."""
        return np.tanh(x * 4) * 4 - x * 4

    two_peaks.__name__ = "lambda x: np.tanh(x * 4) * 4 - x * 4"  # as the learner sees it, and can copy it

    for n, B, D, h, score in ((1, 1, 2, 0.1, np.negative), (3, 2, 4, 0.02, two_peaks), (5, 3, 5, 0.3, np.negative)):
        x, noise = rng.normal(size=(B, D)) + 1, rng.normal(size=(n, B, D))
        walk = [x]
        for i in range(n):
            walk.append(walk[i] + (score(walk[i]) * h + (h + h) ** 0.5 * noise[i]))
        case = f"n = {n}, h = {h}, B = {B}, D = {D}"
        expect(student.langevin, {"x": x, "score": score, "step": h, "noise": noise}, walk[-1], case)
    h, n = 0.2, 200
    # On N(0, 1) the end is linear in each noise: with one of them 1 and the rest 0, a batch of n + 1 walks tells how.
    noise = np.zeros((n, n + 1, 1))
    noise[np.arange(n), np.arange(n), 0] = 1
    case = "the variance of 200 steps on N(0, 1)"
    given = {"x": np.zeros((n + 1, 1)), "score": np.negative, "step": h, "noise": noise}
    end = np.ravel(call(student.langevin, given, case))
    equal(np.sum((end[:-1] - end[-1]) ** 2), 1 / (1 - h / 2), case, name="the walk")


WRONG: Wrong = {
    "√h for √(2h)": change("np.sqrt(2 * step)", "np.sqrt(step)"),
    "no root: 2h": change("np.sqrt(2 * step)", "(2 * step)"),
    "√2 · h for √(2h)": change("np.sqrt(2 * step)", "np.sqrt(2) * step"),
    "no noise in the last step": change("for eta in noise:", "for eta in [*noise[:-1], 0 * noise[-1]]:"),
    "no noise": change("np.sqrt(2 * step) * eta", "0 * eta"),
    "noise of variance 1 at each step": change("np.sqrt(2 * step) * eta", "eta"),
    "going downhill": change("+ step * score", "- step * score"),
    "forgetting the step size of the score": change("step * score(x)", "score(x)"),
    "half a step of the score, with noise for a whole one": change("step * score(x)", "0.5 * step * score(x)"),
    "the same noise in every step": change("np.sqrt(2 * step) * eta", "np.sqrt(2 * step) * noise[0]"),
    "one step only": change("for eta in noise:", "for eta in noise[:1]:"),
    "using the noise from the last to the first": change("for eta in noise:", "for eta in noise[::-1]:"),
    "taking the score where the noise has already moved x": change(
        "x = x + step * score(x) + np.sqrt(2 * step) * eta", "x = x + np.sqrt(2 * step) * eta; x = x + step * score(x)"
    ),
    "the score of the beginning in every step": change(
        "for eta in noise:\n", "first = score(x)\n    for eta in noise:\n", "step * score(x)", "step * first"
    ),
    "moving the argument itself": change(
        "x = x + step * score(x) + np.sqrt(2 * step) * eta", "x += step * score(x) + np.sqrt(2 * step) * eta"
    ),
}
