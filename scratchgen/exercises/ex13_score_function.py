"""Exercise 13: the gradient by the score function.

Where z is discrete, z = μ + σ η is of no use. There is another way to a gradient through a draw, which asks nothing of
f: since ∇q = q ∇log q,

    ∇_ϕ E_q[f(z)] = E_q[f(z) ∇_ϕ log q_ϕ(z)]                                                    (1)

It is noisy, and (1) stays true if a number that does not depend on z is taken off f(z). For K draws z₁, …, z_K such a
baseline comes for free: the average of the others,

    ĝ = 1/K Σ_k (f(z_k) − b_k) ∇_ϕ log q_ϕ(z_k),    b_k = 1/(K − 1) Σ_{j ≠ k} f(z_j)            (2)

Write the K terms of (2), whose mean is ĝ, for z of D independent bits, bit d being 1 with probability sigmoid(ϕ_d).

    logits     ϕ, (D,)
    z          (K, D), K ≥ 2 draws from q, each bit 0 or 1
    f          (K,), the values f(z_k)
    returns    (K, D), the terms (f(z_k) − b_k) ∇_ϕ log q_ϕ(z_k)

In the lecture: page 5, "Optimising ϕ is trickier". Afterwards, look at `score_function` and `leave_one_out` in
scratchgen/latent/estimators.py.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, call, change, equal, expect


def score_function_gradient(logits: np.ndarray, z: np.ndarray, f: np.ndarray) -> np.ndarray:
    """The terms of (2), (K, D): their mean is an estimate of the gradient of E f(z) with respect to the logits.

    >>> z, f = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([3.0, 1.0])
    >>> score_function_gradient(np.zeros(2), z, f)        # (3 − 1) (½, −½), and (1 − 3) (−½, −½)
    array([[ 1., -1.],
           [ 1.,  1.]])
    """
    # solution
    K = len(f)
    score = z - 1 / (1 + np.exp(-logits))
    baseline = (np.sum(f) - f) / (K - 1)
    return (f - baseline)[:, None] * score
    # end of solution


# end of the learner's part

HINTS = (
    """Two parts: the score ∇_ϕ log q(z) of each draw, a (K, D) array; and the weight f(z_k) − b_k of each draw,
    (K,).""",
    """For one bit log q(z) = z ϕ − log(1 + e^ϕ), so the score is z − sigmoid(ϕ). And b_k = (Σ_j f_j − f_k)/(K − 1).""",
    """weight = f - (f.sum() - f)/(len(f) - 1); the result is weight[:, None] * score.""",
)

EXPLANATION = """
The check averages the mean of your terms over every possible set of draws, weighted by its probability: that is the
exact gradient, to rounding. If the baseline of draw k contains f(z_k) itself, it depends on z_k, and (1) no longer
holds: all estimates then are (K − 1)/K of what they should be. Nothing of f is known but its values; it might be a
game. That is why the noise is usually larger than that of z = μ + σ η, which uses the slope of f. Without a baseline it
can be far larger still: add 1000 to f, and only the one with a baseline does not notice. (In the mean of the terms,
with this baseline, the weights sum to 0, so that the sigmoid drops out of the score.)
"""


def by_loops(logits: np.ndarray, z: np.ndarray, f: np.ndarray) -> np.ndarray:
    """The terms of (2) written out, with the score from the difference of log q."""
    K, D = z.shape
    terms = np.zeros((K, D))
    for k in range(K):
        baseline = sum(f[j] for j in range(K) if j != k) / (K - 1)
        for d in range(D):
            p = 0.5 * (1 + np.tanh(logits[d] / 2))
            terms[k, d] = (f[k] - baseline) * (1 - p if z[k, d] == 1 else -p)
    return terms


def check(student: Student) -> None:
    """By hand, for 2, 4 and 5 bits; then its average over all sets of draws, which is the exact gradient."""
    estimate = student.score_function_gradient
    names = ("logits", "z", "f")
    one = np.array([0.5, -1.0]), np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), np.array([2.0, -1.0, 1.5])
    expect(estimate, dict(zip(names, one)), by_loops(*one), "3 draws of 2 bits")
    rng = np.random.default_rng(13)
    for K, D in ((2, 4), (6, 5), (4, 2), (5, 1)):
        given = rng.normal(size=D), rng.integers(0, 2, (K, D)).astype(float), rng.normal(size=K)
        expect(estimate, dict(zip(names, given)), by_loops(*given), f"{K} draws of {D} bits")

    logits, values = np.array([0.3, -0.8]), np.array([[1.0, -2.0], [0.5, 3.0]])  # f(z) = values[z₁, z₂]
    p = 0.5 * (1 + np.tanh(logits / 2))
    states = list(product((0, 1), repeat=2))
    q = {z: float(np.prod(np.where(np.array(z) == 1, p, 1 - p))) for z in states}
    average = np.zeros(2)
    for draws in product(states, repeat=3):
        given3 = logits, np.array(draws, dtype=float), np.array([values[z] for z in draws])
        got = call(estimate, dict(zip(names, given3)), "all sets of 3 draws of 2 bits")
        average = average + np.prod([q[z] for z in draws]) * np.mean(got, axis=0)
    slope = p * (1 - p)
    by_first = [sum(sign * values[a, b] * (p[1] if b else 1 - p[1]) for b in (0, 1)) for a, sign in ((1, 1), (0, -1))]
    by_second = [sum(sign * values[a, b] * (p[0] if a else 1 - p[0]) for a in (0, 1)) for b, sign in ((1, 1), (0, -1))]
    exact = slope * np.array([sum(by_first), sum(by_second)])
    equal(average, exact, "the average over all sets of 3 draws", name="score_function_gradient")


WRONG: Wrong = {
    "taking a baseline with the draw's own f in it, which is biased": change("(np.sum(f) - f) / (K - 1)", "np.mean(f)"),
    "leaving out the baseline": change("(f - baseline)", "f"),
    "adding the baseline": change("f - baseline", "f + baseline"),
    "dividing the sum of the others by K": change("/ (K - 1)", "/ K"),
    "taking the pathwise gradient, as if z had a derivative": lambda logits, z, f: (
        f[:, None] * np.exp(-logits) / (1 + np.exp(-logits)) ** 2
    ),
    "giving the score the opposite sign": change("z - 1 /", "1 /", "np.exp(-logits))", "np.exp(-logits)) - z"),
    "taking the logits for probabilities": change("1 / (1 + np.exp(-logits))", "logits"),
    "taking the score in the probabilities instead of the logits": change(
        "z - 1 / (1 + np.exp(-logits))",
        "(z - 1 / (1 + np.exp(-logits))) / (np.exp(-logits) / (1 + np.exp(-logits)) ** 2)",
    ),
    "leaving out the probability in the score": change("z - 1 / (1 + np.exp(-logits))", "z + 0 * logits"),
    "averaging over the draws: asked for are the terms": change(
        "(f - base", "np.mean((f - base", "* score", "* score, axis=0)"
    ),
    "summing over the bits": change("(f - base", "np.sum((f - base", "* score", "* score, axis=1)"),
}
