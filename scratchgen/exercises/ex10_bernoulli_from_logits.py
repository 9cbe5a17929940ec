"""Exercise 10: the Bernoulli log-probability, from logits.

A decoder of black and white images gives one number for each pixel, the logit l, which may be any number. The pixel is
1 with probability

    P(x = 1) = sigmoid(l) = 1 / (1 + e^−l)                                                      (1)

Write log P(x) for images of D independent pixels. A confident network has large logits, and is sometimes wrong: the
result must be right, not only finite, for logits of ±1000 and for both values of x.

    x          (B, D), each 0 or 1
    logits     (B, D)
    returns    (B,), nats

In the lecture: page 9, the decoder p_θ(x|z) of images. Afterwards, look at `bernoulli_log_prob` in
scratchgen/autodiff/densities.py, and at `Bernoulli` in scratchgen/distributions/bernoulli.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, equal, expect


def bernoulli_log_prob(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """log P(x) of each row, in nats; x is 0 or 1, and 1 has probability sigmoid(logits). Both are (B, D).

    >>> bernoulli_log_prob(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 0.0], [1000.0, -1000.0]])).round(4)
    array([   -1.3863, -1000.    ])
    """
    # solution
    softplus = np.logaddexp(0, logits)
    return np.sum(x * logits - softplus, axis=1)
    # end of solution


# end of the learner's part

HINTS = (
    """log P(x) is log sigmoid(l) where x = 1 and log(1 − sigmoid(l)) where x = 0. Simplify each on paper before any
    code: which of them is large, and why does the sigmoid get in the way?""",
    """log sigmoid(l) = −log(1 + e^−l) = l − log(1 + e^l), and log(1 − sigmoid(l)) = −log(1 + e^l). In one line for
    both: x l − log(1 + e^l).""",
    """log(1 + e^l) overflows for large l; np.logaddexp(0, l) computes log(e⁰ + e^l) without. Then sum
    x * logits - np.logaddexp(0, logits) over axis 1.""",
)

EXPLANATION = """
sigmoid(40) is 1 in double precision: 1 − sigmoid(40) is 0, and its logarithm −∞. So the probability must never be
computed on the way to its logarithm. Clipping it to [1e-7, 1 − 1e-7], as many programs do, hides the infinity and
gives another wrong answer: no pixel costs more than 16.2 nats then, however wrong the network is, and the gradient
there is 0, so it does not learn from its worst mistakes. x l − log(1 + e^l) is right to rounding for all l, and its
slope x − sigmoid(l) is near ±1 where the network is very wrong.
"""


def one_pixel(x: int, logit: float) -> float:
    """log P(x) of one pixel by the form of (1) that does not overflow: −log(1 + e^∓l) with the exponent below 0."""
    m = logit if x == 1 else -logit  # P(x) = sigmoid(m)
    return -float(np.log1p(np.exp(-m))) if m >= 0 else m - float(np.log1p(np.exp(m)))


def check(student: Student) -> None:
    """Pixel by pixel; logits of ±15; ±40 and ±1000, where the sigmoid is 0 or 1; Σ P = 1 over all images."""
    rng = np.random.default_rng(10)
    cases = {"one image, 3 pixels": (np.array([[1, 0, 1]]), np.array([[0.5, 2.0, -1.5]]))}
    for rows, dims in ((3, 4), (2, 5), (4, 2)):
        drawn = rng.integers(0, 2, (rows, dims)), rng.normal(scale=2, size=(rows, dims))
        cases[f"{rows} images, {dims} pixels"] = drawn
    cases["logits ±15"] = np.array([[1, 0], [1, 0]]), np.array([[15.0, -15.0], [-15.0, 15.0]])
    cases["logits ±40"] = np.array([[1, 0], [1, 0]]), np.array([[40.0, -40.0], [-40.0, 40.0]])
    cases["logits ±1000"] = np.array([[1, 0], [1, 1], [0, 0]]), np.array([[1e3, -1e3], [-1e3, 1e3], [1e3, 0.0]])
    for case, (x, logits) in cases.items():
        x = x.astype(float)
        exact = np.array([sum(map(one_pixel, row, given)) for row, given in zip(x.tolist(), logits.tolist())])
        expect(student.bernoulli_log_prob, {"x": x, "logits": logits}, exact, case)
    images = (np.arange(16)[:, None] >> np.arange(4)) % 2.0
    logits = np.tile(rng.normal(size=4), (16, 1))
    given = {"x": images, "logits": logits}
    exact = np.array([sum(map(one_pixel, row, logits[0])) for row in images.tolist()])
    got = expect(student.bernoulli_log_prob, given, exact, "all 16 images of 4 pixels")
    equal(np.sum(np.exp(got)), 1.0, "the sum of the probabilities of all 16 images")


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """(1), as most write it."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logits))


def by_probabilities(x: np.ndarray, logits: np.ndarray, least: float = 0.0, inside: float = 0.0) -> np.ndarray:
    """x log p + (1 − x) log(1 − p), with p from the sigmoid, clipped."""
    p = np.clip(sigmoid(logits), least, 1 - least)
    with np.errstate(all="ignore"):
        return np.sum(x * np.log(p + inside) + (1 - x) * np.log(1 - p + inside), axis=1)


WRONG: Wrong = {
    "taking the logarithm of the sigmoid": by_probabilities,
    "clipping the probabilities to [1e-7, 1 − 1e-7]": lambda x, logits: by_probabilities(x, logits, least=1e-7),
    "adding 1e-8 inside the logarithm": lambda x, logits: by_probabilities(x, logits, inside=1e-8),
    "computing log(1 + e^l), which overflows": change("np.logaddexp(0, logits)", "np.log(1 + np.exp(logits))"),
    "taking l itself for log(1 + e^l) where l is above 10": lambda x, logits: np.sum(
        x * logits - np.where(logits > 10, logits, np.log1p(np.exp(np.minimum(logits, 10)))), axis=1
    ),
    "clipping the logits to ±30": lambda x, logits: bernoulli_log_prob(x, np.clip(logits, -30, 30)),
    "exchanging 0 and 1": change("x * logits", "(1 - x) * logits"),
    "taking log P(x = 1), whatever x is": change("x * logits", "logits"),
    "taking the logits for probabilities": lambda x, logits: np.sum(
        x * np.log(np.abs(logits)) + (1 - x) * np.log(np.abs(1 - logits)), axis=1
    ),
    "returning the negative log-probability": lambda x, logits: -bernoulli_log_prob(x, logits),
    "taking the squared error of the sigmoid": lambda x, logits: -np.sum((x - sigmoid(logits)) ** 2, axis=1),
    "averaging over the pixels instead of summing": change("np.sum(", "np.mean("),
    "summing over the batch too": change(", axis=1", ""),
    "averaging over the batch too": lambda *a: np.mean(bernoulli_log_prob(*a)),
    "not summing over the pixels": change("np.sum(", "(", ", axis=1", ""),
}  # fmt: skip
