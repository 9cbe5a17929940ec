"""Exercise 6: Adam.

Gradients of different weights differ in size by orders of magnitude, and each is noisy. Adam keeps two moving averages
for each weight, of the gradient and of its square, both starting from 0, and divides one by the root of the other. Step
t = 1, 2, 3 … of it is

    m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²                                       (1)
    m̂ = m / (1 − β₁ᵗ)              v̂ = v / (1 − β₂ᵗ)                                            (2)
    p ← p − lr · m̂ / (√v̂ + ε)                                                                   (3)

Write a step as a function that changes none of its arguments, and returns the new p, m, v.

    p, g, m, v             arrays of one shape: parameters, gradient, the two averages of (1)
    t                      the number of the step, from 1
    lr, beta1, beta2, eps  numbers
    returns                (p, m, v): the new ones; m and v as in (1), without (2)

In the lecture: page 5, "Now we have both θ and ϕ to optimise over". Afterwards, look at scratchgen/optim/adam.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def adam_step(
    p: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    t: int,
    lr: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Step t of Adam, (1) to (3): the new parameters, and the two averages.

    >>> p, m, v = adam_step(np.array([1.0]), np.array([-200.0]), np.zeros(1), np.zeros(1), 1, lr=0.1)
    >>> p.round(6), m.round(6), v.round(6)                  # a first step is lr, whatever the size of the gradient
    (array([1.1]), array([-20.]), array([40.]))
    """
    # solution
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
    # end of solution


# end of the learner's part

HINTS = (
    """Three lines of equations are three lines of code. Make new arrays: `m = …` gives m a new meaning inside the
    function, while `m *= beta1` changes the array of whoever called it.""",
    """1 − β₁ᵗ is 1 - beta1**t, with t = 1 at the first step. Only (3) uses m̂ and v̂; what is kept is m and v.""",
    """return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v: eps is outside of the root.""",
)

EXPLANATION = """
Without (2) the first steps are too long by (1 − β₁)/√(1 − β₂), which for the usual betas is a factor of 3: v starts
from 0 and takes a thousand steps to forget it. ε inside the root is another algorithm: √(10⁻⁸) is 10⁻⁴, larger than
many gradients. A step that changes its argument m in place works until somebody keeps m, for instance in a
checkpoint.
"""


def by_sums(
    p: np.ndarray, gradients: list[np.ndarray], lr: float, beta1: float, beta2: float, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All steps so far, with the averages written as sums over past gradients: no recursion."""
    for t in range(1, len(gradients) + 1):
        past = gradients[:t]
        m = np.sum([(1 - beta1) * beta1 ** (t - 1 - s) * past[s] for s in range(t)], axis=0)
        v = np.sum([(1 - beta2) * beta2 ** (t - 1 - s) * past[s] * past[s] for s in range(t)], axis=0)
        ages1, ages2 = (sum(beta**s for s in range(t)) for beta in (beta1, beta2))  # (1 − βᵗ)/(1 − β)
        p = p - lr * (m / ((1 - beta1) * ages1)) / ((v / ((1 - beta2) * ages2)) ** 0.5 + eps)
    return p, m, v


def check(student: Student) -> None:
    """Three exact steps, first with round numbers, then for several settings and shapes, with an eps that shows."""
    rng = np.random.default_rng(6)
    round_numbers = [np.array(g) for g in ([4.0, 2.0], [-1.0, 3.0], [0.5, -2.0])]
    three_steps(student, "round numbers", (0.5, 0.5, 0.96, 1.0), np.array([1.0, 2.0]), round_numbers)
    settings = {
        "large eps": (0.1, 0.8, 0.9, 0.3),
        "usual betas": (0.01, 0.9, 0.999, 1e-8),
        "beta1 = 0": (0.5, 0.0, 0.5, 1e-3),
    }
    for name, setting in settings.items():
        for shape in ((2,), (3, 4), ()):
            p = np.asarray(rng.normal(size=shape))
            gradients = [np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-2, 2)) for _ in range(3)]
            three_steps(student, f"{name}, shape {shape}", setting, p, gradients)


def three_steps(
    student: Student,
    name: str,
    setting: tuple[float, float, float, float],
    p: np.ndarray,
    gradients: list[np.ndarray],
) -> None:
    """The steps from p for these gradients, each from the exact state before it; ``setting`` is lr, β₁, β₂, ε."""
    before = (p, np.zeros(p.shape), np.zeros(p.shape))
    for t, g in enumerate(gradients, 1):
        given: dict[str, Any] = dict(zip("pgmv", (before[0], g, *before[1:])))
        given |= {"t": t, **dict(zip(("lr", "beta1", "beta2", "eps"), setting))}
        exact = by_sums(p, gradients[:t], *setting)
        expect(student.adam_step, given, exact, f"{name}, step {t}", tol=1e-10)
        before = exact


WRONG: Wrong = {
    "leaving out the correction for the start from 0": change("m / (1 - beta1**t)", "m", "v / (1 - beta2**t)", "v"),
    "correcting m alone": change("v / (1 - beta2**t)", "v"),
    "putting eps inside the root": change("np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"),
    "adding eps to √v instead of √v̂": change(
        "m_hat / (np.sqrt(v_hat) + eps)", "m_hat * np.sqrt(1 - beta2**t) / (np.sqrt(v) + eps)"
    ),
    "leaving out eps": change("np.sqrt(v_hat) + eps", "np.sqrt(v_hat)"),
    "changing m in place": change("m = beta1 * m + (1 - beta1) * g", "m *= beta1; m += (1 - beta1) * g"),
    "changing p in place": change(
        "return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v",
        "p -= lr * m_hat / (np.sqrt(v_hat) + eps); return p, m, v",
    ),
    "counting the steps from 0": change("beta1**t", "beta1 ** (t - 1)", "beta2**t", "beta2 ** (t - 1)"),
    "exchanging the betas": change(
        "m = beta1 * m + (1 - beta1)",
        "m = beta2 * m + (1 - beta2)",
        "v = beta2 * v + (1 - beta2)",
        "v = beta1 * v + (1 - beta1)",
    ),
    "not squaring the gradient": change("g**2", "g"),
    "dividing by v instead of its root": change("np.sqrt(v_hat)", "v_hat"),
    "stepping up the gradient": change("p - lr", "p + lr"),
    "leaving out (1 − β)": change("(1 - beta1) * g\n", "g\n", "(1 - beta2) * g**2", "g**2"),
    "returning m̂ and v̂": change("+ eps), m, v", "+ eps), m_hat, v_hat"),
    "making a step of plain gradient descent": change("lr * m_hat / (np.sqrt(v_hat) + eps)", "lr * g"),
}
