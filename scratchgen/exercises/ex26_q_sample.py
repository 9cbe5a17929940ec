"""Exercise 26: noise of any step at once.

Training a diffusion takes each x₀ of a batch to a step t of its own. No need to go there step by step: with ε from
N(0, I),

    x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε                                                                (1)

Write (1). Each row has its own t, and x₀ may have any shape behind the batch axis, such as that of an image.

    x0           (B, …): (B, D), (B, 1, H, W), …
    t            (B,) integers from 0 to T
    alpha_bar    ᾱ₀ … ᾱ_T, (T + 1,), as exercise 25 makes it
    eps          the noise, of the shape of x0
    returns      x_t, of the shape of x0

In the lecture: page 12, diffusion models. Afterwards, look at scratchgen/diffusion/forward.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def q_sample(x0: np.ndarray, t: np.ndarray, alpha_bar: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """x_t of each row, (B, …), by (1).

    >>> x0, eps = np.array([[10.0, 20.0], [10.0, 20.0]]), np.ones((2, 2))
    >>> q_sample(x0, np.array([0, 1]), np.array([1.0, 0.64]), eps)                # 0.8 x₀ + 0.6 ε in the second row
    array([[10. , 20. ],
           [ 8.6, 16.6]])
    """
    # solution
    left = alpha_bar[t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(left) * x0 + np.sqrt(1 - left) * eps
    # end of solution


# end of the learner's part

HINTS = (
    """alpha_bar[t] has one number for each row. What shape must it have, so that it multiplies the rows of x₀ and
    nothing else, also for images?""",
    """Signal √ᾱ_t, noise √(1 − ᾱ_t): the squares add up to 1. Reshape ᾱ_t to (B, 1, …, 1), with as many axes as x₀
    has.""",
    """a = alpha_bar[t].reshape(-1, *[1] * (x0.ndim - 1)); return np.sqrt(a) * x0 + np.sqrt(1 - a) * eps.""",
)

EXPLANATION = """
With a batch of D rows of D numbers, (D,) times (D, D) is no error: NumPy aligns the last axes, so each *column* gets
another step. With most other shapes it is an error, which is why one tries such things with unequal sizes. Without the
roots the variance does not stay 1: at ᾱ = ½ it would be ½, and the noise that the network learns to remove is not the
noise that sampling meets.
"""


def by_rows(x0: np.ndarray, t: np.ndarray, alpha_bar: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """(1), row by row."""
    return np.stack([x * alpha_bar[s] ** 0.5 + e * (1 - alpha_bar[s]) ** 0.5 for x, s, e in zip(x0, t, eps)])


def check(student: Student) -> None:
    """Row by row: a square batch first, where wrong shapes broadcast; vectors, images, single numbers; t = 0."""
    rng = np.random.default_rng(26)
    kept = np.array([1.0, 0.9, 0.7, 0.35, 0.05])
    for shape, steps in (
        ((2, 2), [1, 3]),
        ((3, 4), [4, 0, 2]),
        ((2, 1, 3, 3), [2, 4]),
        ((3, 1, 3, 3), [1, 2, 3]),
        ((5,), [0, 1, 2, 3, 4]),
        ((4, 5), [0, 0, 4, 4]),
    ):
        given = {"x0": rng.normal(size=shape), "t": np.array(steps), "alpha_bar": kept, "eps": rng.normal(size=shape)}
        expect(student.q_sample, given, by_rows(**given), f"x0 of shape {shape}, t = {steps}")


WRONG: Wrong = {
    "no roots": change("np.sqrt(left) * x0 + np.sqrt(1 - left) * eps", "left * x0 + (1 - left) * eps"),
    "no root of the noise": change("np.sqrt(1 - left)", "(1 - left)"),
    "not giving t the axes of x₀, so that columns get the steps of rows": change(
        ".reshape(-1, *[1] * (x0.ndim - 1))", ""
    ),
    "t[:, None], which fits no images": change(".reshape(-1, *[1] * (x0.ndim - 1))", "[:, None]"),
    "the step before, t − 1": change("alpha_bar[t]", "alpha_bar[t - 1]"),
    "the step after, t + 1": change("alpha_bar[t]", "np.append(alpha_bar, 0.0)[t + 1]"),
    "exchanging signal and noise": change(
        "np.sqrt(left) * x0 + np.sqrt(1 - left) * eps", "np.sqrt(1 - left) * x0 + np.sqrt(left) * eps"
    ),
    "noise of variance 1 at every step": change("np.sqrt(1 - left) * eps", "eps"),
    "leaving x₀ as it is, and adding noise": change("np.sqrt(left) * x0", "x0"),
    "1 − √ᾱ for √(1 − ᾱ)": change("np.sqrt(1 - left)", "(1 - np.sqrt(left))"),
    "subtracting the noise": change("+ np.sqrt(1 - left)", "- np.sqrt(1 - left)"),
    "the step of the first row for all": change("alpha_bar[t]", "(0 * t + alpha_bar[t[0]])"),
    "forgetting the noise": change(" + np.sqrt(1 - left) * eps", " + 0 * eps"),
}
