"""Exercise 19: sampling one after the other.

An autoregressive model gives P(x[j] = 1 | x[<j]) for D bits. All of a known x are computed in one pass; but to draw x,
each bit needs those before it. With u[j] uniform on [0, 1), for j = 1, 2, …, D in turn,

    x[j] = 1 if u[j] < P(x[j] = 1 | x[<j]),  else 0                                             (1)

Write (1) for a batch. The model is a function: `probabilities(x)` gives, for each row of x (B, D), all D conditional
probabilities, (B, D). Its column j depends on the columns before j only. The uniform numbers are given.

    probabilities    a function (B, D) → (B, D)
    uniforms         (B, D)
    returns          x, (B, D), of 0 and 1

In the lecture: page 10, log p(x) = Σ_j log p(x[j] | x[1..j−1]). Afterwards, look at `sample` in
scratchgen/autoregressive/model.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def ancestral_sample(probabilities: Callable[[np.ndarray], np.ndarray], uniforms: np.ndarray) -> np.ndarray:
    """Draws x (B, D) of the model, bit j of each row by the uniform number in column j.

    >>> def repeat(x):                          # the first bit is fair; then each is probably as the one before
    ...     return np.concatenate([np.full((len(x), 1), 0.5), 0.1 + 0.8 * x[:, :-1]], axis=1)
    >>> ancestral_sample(repeat, np.array([[0.4, 0.8, 0.95], [0.6, 0.8, 0.05]])).astype(int)
    array([[1, 1, 0],
           [0, 0, 1]])
    """
    # solution
    x = np.zeros(uniforms.shape)
    for j in range(uniforms.shape[1]):
        x[:, j] = uniforms[:, j] < probabilities(x)[:, j]
    return x
    # end of solution


# end of the learner's part

HINTS = (
    """You cannot know the second probability before you have drawn the first bit. So how many times must the model be
    asked for D bits?""",
    """Start with any x, such as zeros. For j from 0 to D − 1: ask for the probabilities of the x so far, and put bit
    j of every row in place by (1).""",
    """x[:, j] = uniforms[:, j] < probabilities(x)[:, j], inside the loop over j.""",
)

EXPLANATION = """
D passes for a sample, one for a likelihood: that is the price of autoregressive models, and what the caches of
transformers lower. Comparing with ½ instead of u gives one x only, of the more probable value of each bit, and hides
how varied the model is. The uniform numbers as an argument make sampling a function: the same u give the same bits on
every day, which is how this could be checked at all.
"""


def model(D: int, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """A model of D bits with random weights: bit j by the sigmoid of a sum over the bits before it."""
    rng = np.random.default_rng(seed)
    W, b = np.triu(rng.normal(scale=3, size=(D, D)), 1), rng.normal(size=D)

    def probabilities(x: np.ndarray) -> np.ndarray:
        """Column j looks at the columns before it only: the others may be anything, even NaN."""
        logits = [np.asarray(x, dtype=float)[:, :j] @ W[:j, j] + b[j] for j in range(D)]
        return 0.5 * (1 + np.tanh(np.stack(logits, axis=1) / 2))

    return probabilities


def bit_by_bit(probabilities: Callable[[np.ndarray], np.ndarray], uniforms: np.ndarray) -> np.ndarray:
    """Row by row: the bits so far, and zeros behind them."""
    rows = []
    for u in uniforms.tolist():
        bits: list[float] = []
        for j, value in enumerate(u):
            row = np.array([bits + [0.0] * (len(u) - j)])
            bits.append(1.0 if value < probabilities(row)[0, j] else 0.0)
        rows.append(bits)
    return np.array(rows)


def check(student: Student) -> None:
    """The same uniform numbers must give the same bits, for 3, 4, 5 and 8 bits; and probabilities of 0 and 1."""
    rng = np.random.default_rng(19)
    for rows, D in ((4, 3), (6, 4), (2, 5), (20, 8)):
        probabilities, uniforms = model(D, D), rng.random((rows, D))
        given = {"probabilities": probabilities, "uniforms": uniforms}
        expect(student.ancestral_sample, given, bit_by_bit(probabilities, uniforms), f"B = {rows}, D = {D}")

    def certain(x: np.ndarray) -> np.ndarray:
        """1, and then the opposite of the bit before."""
        return np.concatenate([np.ones((len(x), 1)), 1 - np.asarray(x, dtype=float)[:, :-1]], axis=1)

    given = {"probabilities": certain, "uniforms": np.array([[0.0, 0.0, 0.999, 0.3, 0.0, 0.0, 0.9, 0.5, 0.1]])}
    expect(student.ancestral_sample, given, np.array([[1.0, 0, 1, 0, 1, 0, 1, 0, 1]]), "probabilities of 0 and 1")


WRONG: Wrong = {
    "one pass for all bits": lambda probabilities, uniforms: (uniforms < probabilities(np.zeros(uniforms.shape))) * 1.0,
    "taking the more probable value instead of drawing": change(
        "uniforms[:, j] < probabilities(x)[:, j]", "probabilities(x)[:, j] > 0.5"
    ),
    "exchanging 0 and 1, by u > P": change("uniforms[:, j] < probabilities", "uniforms[:, j] > probabilities"),
    "drawing from the last bit to the first": change("range(uniforms.shape[1])", "reversed(range(uniforms.shape[1]))"),
    "returning the probabilities instead of bits": change(
        "uniforms[:, j] < probabilities(x)[:, j]", "probabilities(x)[:, j]"
    ),
    "giving the model the uniform numbers instead of the bits so far": change(
        "probabilities(x)[:, j]", "probabilities(uniforms)[:, j]"
    ),
    "one uniform number for all bits of a row": change("uniforms[:, j] <", "uniforms[:, 0] <"),
    "stopping before the last bit": change("range(uniforms.shape[1])", "range(uniforms.shape[1] - 1)"),
    "two passes for all bits": lambda probabilities, uniforms: (
        (uniforms < probabilities((uniforms < probabilities(np.zeros(uniforms.shape))) * 1.0)) * 1.0
    ),
    "u ≤ P for u < P, so that what has probability 0 may happen": change("] < probabilities", "] <= probabilities"),
    "the mean of the probabilities of all rows": change("probabilities(x)[:, j]", "probabilities(x)[:, j].mean()"),
    "the same bits in all rows": lambda probabilities, uniforms: np.tile(
        ancestral_sample(probabilities, uniforms[:1]), (len(uniforms), 1)
    ),
}
