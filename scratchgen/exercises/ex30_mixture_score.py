"""Exercise 30: the score of a mixture.

The score is the gradient of log p(x) in x: it points to where data are more likely. All that a diffusion learns is the
score, at every noise level. Of a mixture of K Gaussians with weights w_k, means μ_k, and variance σ² in all dimensions,
it is known:

    r_k(x) = w_k N(x; μ_k, σ² I) / Σ_j w_j N(x; μ_j, σ² I)                                      (1)
    ∇ log p(x) = Σ_k r_k(x) (μ_k − x) / σ²                                                      (2)

each component pulls towards its mean, as strongly as it is responsible for x. Write (2); also far from all means, where
every density is 0 in floating point. You may use SciPy's `logsumexp`.

    x           (B, D)
    weights     (K,), positive, with sum 1
    means       (K, D)
    variance    σ², a number
    returns     (B, D)

In the lecture: page 12, diffusion models. Afterwards, look at scratchgen/diffusion/exact.py.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from scratchgen.exercises.kit import Student, Wrong, change, expect


def mixture_score(x: np.ndarray, weights: np.ndarray, means: np.ndarray, variance: float) -> np.ndarray:
    """∇ log p(x) of each row, (B, D).

    >>> means = np.array([[-1.0, 0.0], [1.0, 0.0]])
    >>> mixture_score(np.array([[0.0, 2.0]]), np.array([0.5, 0.5]), means, 1.0) + 0.0      # half to each side, and down
    array([[ 0., -2.]])
    """
    # solution
    pull = means - x[:, None]  # (B, K, D)
    log_joint = np.log(weights) - np.sum(pull**2, axis=2) / (2 * variance)  # (B, K)
    r = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))
    return np.sum(r[:, :, None] * pull, axis=1) / variance
    # end of solution


# end of the learner's part

HINTS = (
    """Differentiate log Σ_k w_k N(x; μ_k, σ²): the outer derivative is 1/p, the inner one that of each Gaussian.
    Together they are the responsibilities of exercise 16 and the score of each component.""",
    """log r = log w_k − |x − μ_k|²/(2σ²), less its logsumexp over k: what all components share cancels. The score of a
    Gaussian is (μ_k − x)/σ².""",
    """pull = means - x[:, None], of shape (B, K, D); np.sum(r[:, :, None] * pull, axis=1) / variance.""",
)

EXPLANATION = """
Far away the score is that of the nearest component: a straight pull home. Between two that are far apart it turns from
one to the other in a narrow zone; on either side r is nearly 0 or 1, and the score does not tell which of them has more
weight. That is why Langevin dynamics at one noise level finds wrong weights of far modes, and diffusion goes through
all levels, from where the modes overlap.
"""


def by_differences(x: np.ndarray, weights: np.ndarray, means: np.ndarray, variance: float) -> np.ndarray:
    """The derivative of log p by the complex step."""
    x = np.asarray(x, dtype=complex)
    columns = []
    for d in range(x.shape[1]):
        moved = x + 1e-20j * np.eye(x.shape[1])[d]
        log_joint = np.log(weights) - np.sum((moved[:, None] - means) ** 2, axis=2) / (2 * variance)
        top = log_joint.real.max(axis=1, keepdims=True)
        columns.append((top[:, 0] + np.log(np.sum(np.exp(log_joint - top), axis=1))).imag / 1e-20)
    return np.stack(columns, axis=1)


def check(student: Student) -> None:
    """Against the derivative of log p, for several K and D; far from all means; with weights near 0."""
    rng = np.random.default_rng(30)
    for B, K, D in ((1, 2, 2), (3, 2, 4), (2, 4, 5), (4, 3, 2), (2, 1, 3)):
        given = rng.normal(size=(B, D)), rng.dirichlet(np.ones(K)), rng.normal(size=(K, D)), float(rng.uniform(0.3, 3))
        names = dict(zip(("x", "weights", "means", "variance"), given))
        expect(student.mixture_score, names, by_differences(*given), f"B = {B}, D = {D}, K = {K}")
    far = np.array([[1e3, 0.0], [-2e3, 500.0]]), np.array([0.3, 0.7]), np.array([[0.0, 1.0], [2.0, -1.0]]), 0.5
    names = dict(zip(("x", "weights", "means", "variance"), far))
    expect(student.mixture_score, names, by_differences(*far), "far from all means")
    few = np.array([[0.1, 0.2]]), np.array([1e-12, 1 - 1e-12]), np.array([[0.0, 0.0], [9.0, 0.0]]), 1.0
    names = dict(zip(("x", "weights", "means", "variance"), few))
    expect(student.mixture_score, names, by_differences(*few), "a component of weight 1e-12")


WRONG: Wrong = {
    "the opposite sign": change("means - x[:, None]", "x[:, None] - means"),
    "no responsibilities: the weights alone": change(
        "r = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))",
        "r = np.tile(weights, (len(x), 1)) + 0 * log_joint",
    ),
    "equal responsibilities": change(
        "r = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))", "r = 0 * log_joint + 1 / len(weights)"
    ),
    "leaving out the weights in the responsibilities": change("np.log(weights) - np.sum", "0 * weights - np.sum"),
    "the most responsible component alone": change(
        "np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))",
        "np.eye(len(weights))[np.argmax(log_joint, axis=1)]",
    ),
    "not dividing by the variance": change("* pull, axis=1) / variance", "* pull, axis=1)"),
    "the standard deviation for the variance": change(
        "* pull, axis=1) / variance", "* pull, axis=1) / np.sqrt(variance)"
    ),
    "not normalising the responsibilities": change(
        "log_joint - logsumexp(log_joint, axis=1, keepdims=True)", "log_joint"
    ),
    "normalising over the rows": change(
        "logsumexp(log_joint, axis=1, keepdims=True)", "logsumexp(log_joint, axis=0, keepdims=True)"
    ),
    "densities that underflow": change(
        "np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))",
        "np.exp(log_joint) / np.sum(np.exp(log_joint), axis=1, keepdims=True)",
    ),
    "taking off the largest number of the whole batch": change(
        "np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))",
        "np.exp(log_joint - np.max(log_joint)) / np.sum(np.exp(log_joint - np.max(log_joint)), axis=1, keepdims=True)",
    ),
    "multiplying by the weights once more": change("r[:, :, None] * pull", "(r * weights)[:, :, None] * pull"),
    "leaving out the 2 in the exponent": change("(2 * variance)", "variance"),
    "averaging over the components": change("np.sum(r[:, :, None]", "np.mean(r[:, :, None]"),
    "the gradient of p instead of log p": lambda x, weights, means, variance: (
        mixture_score(x, weights, means, variance)
        * np.sum(weights * np.exp(-np.sum((x[:, None] - means) ** 2, axis=2) / (2 * variance)), axis=1, keepdims=True)
        * (2 * np.pi * variance) ** (-x.shape[1] / 2)
    ),
}
