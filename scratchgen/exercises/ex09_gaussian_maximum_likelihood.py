"""Exercise 9: the most likely Gaussian.

Learning is to choose θ so that the data are most probable (page 2). For one Gaussian this can be solved on paper. Given
n rows x₁, …, x_n of independent draws, each of D independent dimensions, find

    argmax over μ, σ² of  Σ_i log N(x_i; μ, diag σ²)                                            (1)

and also the largest value itself, divided by n.

    x          (n, D), n ≥ 2, no column constant
    returns    (mean, var, mean log-likelihood): (D,), (D,), and a number in nats

In the lecture: page 2, "Learn by finding θ which maximises likelihood". Afterwards, look at `fit_ppca` in
scratchgen/latent/ppca.py, which does the same for Gaussians whose dimensions depend on one another.
"""

from __future__ import annotations

import numpy as np

from scratchgen.distributions import Normal
from scratchgen.exercises.kit import Student, Wrong, change, expect


def fit_gaussian(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The mean (D,) and variance (D,) that maximise the likelihood of the rows of x, and log p(x) averaged over them.

    >>> mean, var, log_likelihood = fit_gaussian(np.array([[0.0], [2.0]]))
    >>> mean, var, round(log_likelihood, 4)                     # −½ (log 2π + 0 + 1)
    (array([1.]), array([1.]), -1.4189)
    """
    # solution
    mean = np.mean(x, axis=0)
    var = np.mean((x - mean) ** 2, axis=0)
    log_likelihood = -0.5 * np.sum(np.log(2 * np.pi * var) + 1)
    return mean, var, float(log_likelihood)
    # end of solution


# end of the learner's part

HINTS = (
    """Set the derivatives of (1) to 0. The dimensions do not depend on one another, so do it for one of them. First the
    derivative in μ; then, with the best μ put in, that in σ².""",
    """In one dimension (1) is −½ Σ_i [log 2π + log σ² + (x_i − μ)²/σ²]. The derivative in μ is 0 for μ = mean of x_i;
    the one in σ² is 0 for σ² = mean of (x_i − μ)². With these two, the last term of the sum averages to 1.""",
    """var = np.mean((x - mean)**2, axis=0) divides by n. The mean log-likelihood is the sum over dimensions of
    −½ (log 2π + log var + 1).""",
)

EXPLANATION = """
The most likely variance divides by n, not by n − 1. Dividing by n − 1 is unbiased, which is another aim: it does not
make the data most probable, and its likelihood is lower, if only a little. At the maximum the average of (x − μ)²/σ² is
exactly 1, whatever the data: so the log-likelihood per row is minus the entropy of the fitted Gaussian. That is a check
worth having when a network learns the variance: its mean squared standardised error must be near 1.
"""


def log_likelihood(x: np.ndarray, mean: np.ndarray, var: np.ndarray) -> float:
    """Of the rows of x on average, by the library."""
    return float(np.mean(np.sum(Normal(mean, np.log(var)).log_prob(x).data, axis=1)))


def check(student: Student) -> None:
    """Against NumPy's var: three rows; then 2, 4 and 5 dimensions; far from 0, where E x² − (E x)² cancels; many."""
    rng = np.random.default_rng(9)
    cases = {"three rows, 2 dimensions": np.array([[0.0, 1.0], [1.0, 3.0], [5.0, -1.0]])}
    for rows, dims in ((6, 4), (3, 5), (5, 2)):
        cases[f"{rows} rows, {dims} dimensions"] = rng.normal(
            rng.normal(size=dims), rng.uniform(0.5, 2, dims), (rows, dims)
        )
    cases["4 rows around 10,000,000"] = 1e7 + np.array([[0.1, 1.2], [1.3, 3.1], [3.7, -2.3], [-2.6, 0.4]])
    cases["1,000 rows, 3 dimensions"] = rng.normal(size=(1000, 3))
    for case, x in cases.items():
        mean, var = np.sum(x, axis=0) / len(x), np.var(x, axis=0)
        expect(student.fit_gaussian, {"x": x}, (mean, var, log_likelihood(x, mean, var)), case)


def squares_first(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """E x² − (E x)²."""
    mean = np.mean(x, axis=0)
    var = np.mean(x**2, axis=0) - mean**2
    with np.errstate(all="ignore"):
        return mean, var, float(-0.5 * np.sum(np.log(2 * np.pi * var) + 1))


def densities_first(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The logarithm of the product of all densities."""
    mean, var = np.mean(x, axis=0), np.var(x, axis=0)
    density = np.exp(-((x - mean) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var)
    with np.errstate(all="ignore"):
        return mean, var, float(np.log(np.prod(density)) / len(x))


WRONG: Wrong = {
    "dividing by n − 1, as for an unbiased variance": change(
        "np.mean((x - mean) ** 2, axis=0)", "np.sum((x - mean) ** 2, axis=0) / (len(x) - 1)"
    ),
    "returning the standard deviation for the variance": change(
        "np.mean((x - mean) ** 2, axis=0)", "np.sqrt(np.mean((x - mean) ** 2, axis=0))"
    ),
    "averaging over the dimensions instead of the rows": change(
        "np.mean(x, axis=0)", "np.mean(x, axis=1)", "(x - mean) ** 2, axis=0", "(x.T - mean) ** 2, axis=0"
    ),
    "taking one variance for all dimensions": change("(x - mean) ** 2, axis=0", "(x - mean) ** 2"),
    "summing the squares instead of averaging them": change("np.mean((x", "np.sum((x"),
    "not taking off the mean": change("(x - mean) ** 2", "x ** 2"),
    "taking the median for the mean": change("np.mean(x, axis=0)", "np.median(x, axis=0)"),
    "computing E x² − (E x)², whose digits cancel": squares_first,
    "returning the log-likelihood of all rows, not their mean": change("-0.5 * np.sum(", "-0.5 * len(x) * np.sum("),
    "multiplying the densities of all rows, which underflows to 0": densities_first,
    "averaging the log-likelihood over the dimensions": change("np.sum(np.log", "np.mean(np.log"),
    "leaving out the squared distances, which average to 1": change(" + 1)", ")"),
    "leaving out log 2π": change("2 * np.pi * var", "var"),
}  # fmt: skip
