"""Exercise 8: the log-density of a Gaussian.

Every likelihood in the lecture is a sum of log-densities, and most of the densities are Gaussian:

    N(x; μ, σ²) = 1 / √(2π σ²) · exp(−(x − μ)² / (2σ²))                                         (1)

Write log p(x) for vectors x whose D dimensions are independent, dimension d with mean μ_d and variance σ_d². A network
that learns a variance gives its logarithm, logvar = log σ², since this may be any number; so the function takes that.

    x, mean, logvar    (B, D)
    returns            (B,), nats: one log-density for each row

In the lecture: page 6, "q_ϕ(z|x) = N(z; μ_ϕ(x), σ_ϕ²(x))". Afterwards, look at `gaussian_log_prob` in
scratchgen/autodiff/densities.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def gaussian_log_density(x: np.ndarray, mean: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """log N(x; mean, diag e^logvar) of each row, in nats; all three are (B, D).

    >>> x = np.array([[0.0, 0.0], [2.0, 0.0]])
    >>> gaussian_log_density(x, np.zeros((2, 2)), np.zeros((2, 2))).round(4)      # −log 2π, and 2²/2 less
    array([-1.8379, -3.8379])
    """
    # solution
    squared_distance = (x - mean) ** 2 / np.exp(logvar)
    return -0.5 * np.sum(np.log(2 * np.pi) + logvar + squared_distance, axis=1)
    # end of solution


# end of the learner's part

HINTS = (
    """Independent dimensions: the density of the vector is the product of D densities (1), so its logarithm is a sum
    over the dimensions. Take the logarithm on paper: a product of exponentials would underflow.""",
    """log N(x; μ, σ²) = −½ [log 2π + log σ² + (x − μ)²/σ²], with log σ² = logvar and σ² = e^logvar.""",
    """return -0.5 * np.sum(np.log(2 * np.pi) + logvar + (x - mean)**2 * np.exp(-logvar), axis=1): the constant log 2π
    is inside the sum, once for each dimension.""",
)

EXPLANATION = """
Nothing is exponentiated but the variance, so the result is right also where the density itself is 0 in floating
point: in 784 dimensions that of N(0, I) is 10⁻³¹³ at its mean, and near 10⁻⁴⁸³ where its draws lie. The term logvar is
what keeps a learned variance from growing without end; who leaves it out, or calls log σ² log σ, still gets a loss that
falls. log 2π is a constant, and matters as soon as two models are compared: log p(x) has a true value, and only the
whole expression integrates to 1.
"""


def from_the_definition(x: np.ndarray, mean: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """The logarithm of the product of (1), as it is written there; for moderate numbers."""
    var = np.exp(logvar)
    return np.log(np.prod(1 / np.sqrt(2 * np.pi * var) * np.exp(-((x - mean) ** 2) / (2 * var)), axis=1))


def check(student: Student) -> None:
    """Against the definition: one row, then batches of 2, 4 and 5 dimensions; far out, where densities are 0."""
    names = ("x", "mean", "logvar")
    one = (np.array([[0.5, -1.0]]), np.array([[0.1, 0.7]]), np.array([[0.4, -0.9]]))
    expect(student.gaussian_log_density, dict(zip(names, one)), from_the_definition(*one), "one row, 2 dimensions")
    rng = np.random.default_rng(8)
    for rows, dims in ((3, 4), (2, 5), (4, 2), (3, 1)):
        given = tuple(rng.normal(size=(rows, dims)) for _ in names)
        case = f"{rows} rows, {dims} dimensions"
        expect(student.gaussian_log_density, dict(zip(names, given)), from_the_definition(*given), case)
    far = {"x": np.array([[1e4, 0.0, 0.0]]), "mean": np.zeros((1, 3)), "logvar": np.array([[0.0, 12.0, -6.0]])}
    exact = np.array([-0.5e8 - 1.5 * np.log(2 * np.pi) - 3])  # −½ (12 − 6)
    expect(student.gaussian_log_density, far, exact, "10,000 standard deviations from the mean", tol=1e-12)


WRONG: Wrong = {
    "taking logvar for the logarithm of the standard deviation": lambda x, mean, logvar: gaussian_log_density(
        x, mean, 2 * logvar
    ),
    "counting log 2π once instead of once for each dimension": change(
        "np.sum(np.log(2 * np.pi) + ", "(np.log(2 * np.pi) + np.sum(", "axis=1)", "axis=1))"
    ),
    "leaving out log 2π": change("np.log(2 * np.pi) + ", ""),
    "leaving out the logarithm of the variance": change(" + logvar", ""),
    "giving the logarithm of the variance the wrong sign": change(" + logvar", " - logvar"),
    "dividing the squared distance by the standard deviation": change("np.exp(logvar)", "np.exp(logvar / 2)"),
    "multiplying the squared distance by the variance instead of dividing": change("/ np.exp", "* np.exp"),
    "clipping logvar to ±10": lambda x, mean, logvar: gaussian_log_density(x, mean, np.clip(logvar, -10, 10)),
    "leaving out the ½": change("-0.5 * ", "-1.0 * "),
    "leaving out the minus, so that it is the negative log-density": change("-0.5 * ", "0.5 * "),
    "averaging over the dimensions instead of summing": change("np.sum(", "np.mean("),
    "summing over the batch too": change(", axis=1", ""),
    "averaging over the batch too": lambda *a: np.mean(gaussian_log_density(*a)),
    "not summing over the dimensions": change("np.sum(", "(", ", axis=1", ""),
    "returning the density instead of its logarithm": lambda *a: np.exp(gaussian_log_density(*a)),
    "taking the logarithm of the density, which underflows to 0": lambda *a: np.log(np.exp(gaussian_log_density(*a))),
}  # fmt: skip
