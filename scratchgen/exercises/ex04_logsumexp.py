"""Exercise 4: log-sum-exp, and its derivative rule.

Probabilities are added, but kept as logarithms; so programs for probabilistic models compute, over and over,

    y = log Σ_k e^(x_k)                                                                         (1)

The exponential overflows at x = 710, and is 0 at x = −746. Both are ordinary log-probabilities. Write (1) for each row
so that it is right for x of ±1000, also if rows, or the numbers of one row, differ by thousands, and for x_k = −∞
(probability 0). If all of a row are −∞, y is −∞.

Write also its rule: with g = dL/dy, the gradient dL/dx. (No row is all −∞ there.)

    logsumexp(x)          x (B, K) → (B,)
    logsumexp_rule(g, x)  g (B,), x (B, K) → (B, K)

In the lecture: page 3, log ∫ p(x, z) dz for a discrete z. Afterwards, look at `logsumexp` in
scratchgen/autodiff/reductions.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def logsumexp(x: np.ndarray) -> np.ndarray:
    """log Σ_k e^(x_k) of each row, (B,).

    >>> logsumexp(np.array([[0.0, 0.0], [1000.0, 1000.0]])).round(4)             # log 2, and 1000 + log 2
    array([6.9310000e-01, 1.0006931e+03])
    """
    # solution
    m = np.max(x, axis=1)
    m = np.where(np.isfinite(m), m, 0.0)
    return m + np.log(np.sum(np.exp(x - m[:, None]), axis=1))
    # end of solution


def logsumexp_rule(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx, (B, K), where y = logsumexp(x) and g = dL/dy, (B,).

    >>> logsumexp_rule(np.array([4.0]), np.log([[1.0, 3.0]]))
    array([[1., 3.]])
    """
    # solution
    scaled = np.exp(x - np.max(x, axis=1, keepdims=True))
    return g[:, None] * scaled / np.sum(scaled, axis=1, keepdims=True)
    # end of solution


# end of the learner's part

HINTS = (
    """Take a common factor e^m out of the sum of a row: what does it become outside the logarithm? Which m makes the
    largest term harmless, and at least one term not 0?""",
    """log Σ e^(x_k) = m + log Σ e^(x_k − m), with m the largest x of the row. For the rule: dy/dx_k = e^(x_k)/Σ_j
    e^(x_j), the softmax of the row, in which e^m cancels.""",
    """m = np.max(x, axis=1), replaced by 0 where it is −∞, since −∞ − (−∞) is NaN. The rule is g[:, None] times
    np.exp(x - m[:, None]), divided by the sum of that over axis 1.""",
)

EXPLANATION = """
The largest term becomes e⁰ = 1: the sum lies between 1 and K, so neither overflow nor log 0 can happen, and terms
that vanish beside it are too small to matter. m must be that of the row: with the largest of the whole array, a row
1000 below it has a sum of 0. The gradient is the softmax, the posterior probability of each k: this one function
holds the E-step of a mixture, attention, and cross-entropy.
"""


def check(student: Student) -> None:
    """Against the plain formula where it works; around ±1000, far apart, with −∞; the rule with random cotangents."""
    rng = np.random.default_rng(4)
    cases = {}  # x, y, and the softmax of x
    small = np.array([[1.0, 3.0], [2.0, 6.0]])
    for w in (small, *(rng.uniform(0.1, 5, shape) for shape in ((2, 3), (3, 2), (4, 5), (2, 1)))):
        total = w @ np.ones(w.shape[1])
        cases[f"{w.shape[0]} rows of {w.shape[1]}"] = np.log(w), np.log(total), w / total[:, None]
    w = rng.uniform(0.1, 5, (2, 3))
    total = w @ np.ones(3)
    for case, shift in {"around 1000": (1e3, 1e3), "around −1000": (-1e3, -1e3), "±1000": (1e3, -1e3)}.items():
        cases[case] = np.log(w) + np.array(shift)[:, None], np.log(total) + shift, w / total[:, None]
    apart = np.array([[-1000.0, 1000.0, 0.0], [0.0, -2000.0, -2000.0]])
    cases["a row with ±1000 in it"] = apart, np.array([1000.0, 0.0]), np.array([[0.0, 1, 0], [1, 0, 0]])
    some = np.array([[-np.inf, 0.0, 0.0], [2.0, -np.inf, -np.inf]])
    cases["some x are −∞"] = some, np.array([np.log(2.0), 2.0]), np.array([[0, 0.5, 0.5], [1, 0, 0]])

    for case, (x, y, _) in cases.items():
        expect(student.logsumexp, {"x": x}, y, case, tol=1e-12)
    expect(student.logsumexp, {"x": np.full((2, 3), -np.inf)}, np.full(2, -np.inf), "all x are −∞")
    for case, (x, _, softmax) in cases.items():
        g = np.array([8.0, -4.0]) if len(x) == 2 else rng.normal(size=len(x))
        expect(student.logsumexp_rule, {"g": g, "x": x}, g[:, None] * softmax, f"the rule, {case}")


WRONG: Wrong = {
    "exponentiating x as it is": {"logsumexp": lambda x: np.log(np.sum(np.exp(x), axis=1))},
    "taking off the largest x of the whole array": change(
        "m = np.max(x, axis=1)\n", "m = np.full(len(x), np.max(x))\n"
    ),
    "taking off the mean of the row, or another number below its largest": change(
        "m = np.max(x, axis=1)\n", "m = np.mean(x, axis=1)\n"
    ),
    "not adding the largest x again": change("return m + np.log", "return np.log"),
    "subtracting the largest x again instead of adding it": change("return m + np.log", "return -m + np.log"),
    "taking the largest x alone": {"logsumexp": lambda x: np.max(x, axis=1)},
    "averaging instead of summing": change("np.log(np.sum(np.exp", "np.log(np.mean(np.exp"),
    "summing over the rows instead of within them": {"logsumexp": lambda x: logsumexp(x.T)},
    "computing −∞ − (−∞), where all x are −∞": change("m = np.where(np.isfinite(m), m, 0.0)\n", "m = m + 0\n"),
    "adding a small number inside the logarithm": {"logsumexp": lambda x: np.log(np.sum(np.exp(x), axis=1) + 1e-8)},
    "ignoring g": change("return g[:, None] * scaled", "return scaled"),
    "not normalising: g eˣ": {"logsumexp_rule": lambda g, x: g[:, None] * np.exp(x)},
    "normalising over the rows": {"logsumexp_rule": lambda g, x: g[:, None] * np.exp(x) / np.sum(np.exp(x), axis=0)},
    "exponentiating x as it is, in the rule": {
        "logsumexp_rule": lambda g, x: g[:, None] * np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)
    },
    "taking off the largest x of the whole array, in the rule": change("np.max(x, axis=1, keepdims=True)", "np.max(x)"),
    "taking off the mean of the row, or another number below its largest, in the rule": change(
        "np.max(x, axis=1, keepdims=True)", "np.mean(x, axis=1, keepdims=True)"
    ),
    "taking the gradient of the maximum": {
        "logsumexp_rule": lambda g, x: g[:, None] * (x == np.max(x, axis=1, keepdims=True))
    },
}
