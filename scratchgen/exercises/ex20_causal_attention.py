"""Exercise 20: attention that does not see the future.

In a transformer every position asks (q), offers (k) and tells (v). With T positions, query i gives each key a score,
turns the scores into weights, and takes the average of the values:

    s_ij = q_i · k_j / √d                                                                       (1)
    w_ij = e^(s_ij) / Σ_{j' ≤ i} e^(s_ij')  for j ≤ i,   and 0 for j > i                        (2)
    o_i  = Σ_j w_ij v_j                                                                         (3)

The sum in (2) goes over positions up to i: what comes later must have no influence at all, be it as large as 10³⁰.
Scores up to i may be as large as ±1000, or ±10⁶, and all of a row may be so: the exponentials must not overflow, nor
may a row be left without weight.

    q, k       (B, T, d)
    v          (B, T, e)
    returns    (o, w): (B, T, e), (B, T, T)

In the lecture: page 10, "Language models parameterise each of these conditional distributions using transformers".
Afterwards, look at scratchgen/nn/attention.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, call, change, equal, expect


def causal_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each position is told, (B, T, e), and the weights (B, T, T), row i for query i.

    >>> q, v = np.zeros((1, 2, 1)), np.array([[[2.0], [6.0]]])
    >>> o, w = causal_attention(q, q, v)                        # equal scores: the average of what is known
    >>> o[0, :, 0], w[0]
    (array([2., 4.]), array([[1. , 0. ],
           [0.5, 0.5]]))
    """
    # solution
    T, d = q.shape[1:]
    scores = q @ np.swapaxes(k, 1, 2) / np.sqrt(d)
    scores = np.where(np.tril(np.ones((T, T), dtype=bool)), scores, -np.inf)
    scaled = np.exp(scores - np.max(scores, axis=2, keepdims=True))
    w = scaled / np.sum(scaled, axis=2, keepdims=True)
    return w @ v, w
    # end of solution


# end of the learner's part

HINTS = (
    """If the score of a position is −∞, its weight is e^−∞ = 0, exactly. So the future is removed from the scores,
    before they are exponentiated. And the softmax is that of exercise 4: nothing may overflow.""",
    """scores = q kᵀ/√d, (B, T, T), with −∞ where column j > row i; subtract the largest of each row, exponentiate,
    divide by the sum over j, the last axis.""",
    """np.where(np.tril(np.ones((T, T), dtype=bool)), scores, -np.inf); the maximum and the sum with axis=2,
    keepdims=True; at the end w @ v.""",
)

EXPLANATION = """
Masked after the softmax, the rows no longer sum to 1, and worse: the normaliser has seen the future, so it leaks.
−10⁴ in place of −∞ works until all the allowed scores of a row are below it; then the row looks into the future with
all its weight. And √d: a sum of d products of independent numbers has standard deviation √d, so that without it the
softmax of a wide head is nearly one-hot from the start, with a gradient of nearly 0.
"""


def by_loops(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(1) to (3), for one query after the other; the sums go over what is allowed only."""
    B, T, d = q.shape
    o, w = np.zeros((B, T, v.shape[2])), np.zeros((B, T, T))
    for b in range(B):
        for i in range(T):
            s = np.array([float(np.dot(q[b, i], k[b, j])) / d**0.5 for j in range(i + 1)])
            e = np.array([np.exp(value - s.max()) for value in s])
            w[b, i, : i + 1] = e / e.sum()
            o[b, i] = sum(w[b, i, j] * v[b, j] for j in range(i + 1))
    return o, w


def check(student: Student) -> None:
    """Against loops; scores that are huge; and a future of huge numbers instead, which must not change a bit.

    Not of NaN: 0 · NaN is NaN, and a right answer may well multiply a value by its weight of 0.
    """
    attend, rng = student.causal_attention, np.random.default_rng(20)
    for B, T, d, e in ((1, 3, 2, 2), (2, 4, 5, 3), (3, 2, 4, 1), (2, 5, 3, 4), (2, 1, 3, 2)):
        given = {"q": rng.normal(size=(B, T, d)), "k": rng.normal(size=(B, T, d)), "v": rng.normal(size=(B, T, e))}
        expect(attend, given, by_loops(**given), f"B = {B}, T = {T}, d = {d}, e = {e}")
    v = rng.normal(size=(1, 4, 2))
    for case, size in {"scores around 1000": 1e3, "scores around −1000": -1e3, "scores around −10⁶": -1e6}.items():
        q, k = np.ones((1, 4, 1)), size + rng.normal(size=(1, 4, 1))
        expect(attend, {"q": q, "k": k, "v": v}, by_loops(q, k, v), case, tol=1e-8)
    q = np.array([[[1.0], [1.0], [-1.0]]])
    k = np.array([[[1500.0], [-1500.0], [1400.0]]])
    v = np.array([[[1.0], [2.0], [4.0]]])
    expect(attend, {"q": q, "k": k, "v": v}, by_loops(q, k, v), "scores of ±1500 in one sequence")

    q, k, v = (rng.normal(size=(2, 5, 3)) for _ in range(3))
    before = call(attend, {"q": q, "k": k, "v": v}, "5 positions")
    for t in (1, 3):
        other = [x.copy() for x in (q, k, v)]
        for x in other:
            x[:, t:] = rng.choice([-1e30, 1e30], size=x[:, t:].shape)
        after = call(attend, dict(zip("qkv", other)), f"the future from position {t + 1} on changed to ±1e30")
        got, known = np.asarray(after[0])[:, :t], np.asarray(before[0])[:, :t]
        equal(got, known, f"o before position {t + 1}, after a change of the future to ±1e30", tol=0.0)


WRONG: Wrong = {
    "masking after the softmax": change(
        "scores = np.where(np.tril(np.ones((T, T), dtype=bool)), scores, -np.inf)\n",
        "mask = np.tril(np.ones((T, T)))\n",
        "w = scaled / np.sum(scaled, axis=2, keepdims=True)",
        "w = mask * scaled / np.sum(scaled, axis=2, keepdims=True)",
    ),
    "masking with −10⁴ instead of −∞": change("-np.inf", "-1e4"),
    "multiplying the scores by the mask, which makes them 0": change("-np.inf", "0.0"),
    "normalising over the queries instead of the keys": change(
        "np.sum(scaled, axis=2, keepdims=True)", "np.sum(scaled, axis=1, keepdims=True)"
    ),
    "adding −10⁹ to the scores of the future instead of replacing them": change(
        "np.where(np.tril(np.ones((T, T), dtype=bool)), scores, -np.inf)",
        "scores - 1e9 * (1 - np.tril(np.ones((T, T))))",
    ),
    "dividing by √T instead of √d": change("np.sqrt(d)", "np.sqrt(T)"),
    "taking off the largest score before the mask": change(
        "scores = np.where(np.tril(np.ones((T, T), dtype=bool)), scores, -np.inf)\n",
        "top, mask = np.max(scores, axis=2, keepdims=True), np.tril(np.ones((T, T)))\n",
        "np.exp(scores - np.max(scores, axis=2, keepdims=True))",
        "mask * np.exp(scores - top)",
    ),
    "leaving out 1/√d": change(" / np.sqrt(d)", ""),
    "dividing by d instead of its root": change("np.sqrt(d)", "d"),
    "no mask at all": change("-np.inf", "scores"),
    "hiding the position itself too": change(
        "np.tril(np.ones((T, T), dtype=bool))", "np.tril(np.ones((T, T), dtype=bool), -1)"
    ),
    "seeing one position too many": change(
        "np.tril(np.ones((T, T), dtype=bool))", "np.tril(np.ones((T, T), dtype=bool), 1)"
    ),
    "hiding the past instead of the future": change("np.tril(", "np.triu("),
    "exponentials that overflow": change("scores - np.max(scores, axis=2, keepdims=True)", "scores"),
    "taking off the largest score of the whole batch": change(
        "np.max(scores, axis=2, keepdims=True)", "np.max(scores)"
    ),
    "exchanging queries and keys": change("q @ np.swapaxes(k, 1, 2)", "k @ np.swapaxes(q, 1, 2)"),
    "the weights transposed": change("w @ v", "np.swapaxes(w, 1, 2) @ v"),
}
