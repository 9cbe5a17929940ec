"""Exercise 23: the inverse of a masked autoregressive flow.

A masked network gives, for each dimension, a mean m_d and a log-scale s_d that depend on the dimensions before d only.
From data to noise that is one pass,

    z_d = (x_d − m_d(x_<d)) e^{−s_d(x_<d)}                                                      (1)

Going back, x_d needs m_d and s_d, which need x_<d: so the dimensions come one after the other. Write it: from z and the
network, find x.

    z          (B, D)
    network    a function: x (B, D) → (m, s), both (B, D), of which column d depends on the columns before d only
    returns    x, (B, D)

In the lecture: page 11, "f_θ is an invertible and differentiable function". Afterwards, look at
scratchgen/flows/masked.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect

Network = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def maf_inverse(z: np.ndarray, network: Network) -> np.ndarray:
    """The x (B, D) that (1) maps to z.

    >>> def network(x):                                      # m₁ = 10, m₂ = x₁; all scales are 1
    ...     return np.stack([np.full(len(x), 10.0), x[:, 0]], axis=1), np.zeros(x.shape)
    >>> maf_inverse(np.array([[1.0, 2.0]]), network)         # x₁ = 10 + 1, x₂ = 11 + 2
    array([[11., 13.]])
    """
    # solution
    x = np.zeros(z.shape)
    for d in range(z.shape[1]):
        m, s = network(x)
        x[:, d] = z[:, d] * np.exp(s[:, d]) + m[:, d]
    return x
    # end of solution


# end of the learner's part

HINTS = (
    """Solve (1) for x_d. What must be known for that, and in which order can it become known?""",
    """x_d = m_d + e^{s_d} z_d. Begin with any x; after the pass for dimension d the columns up to d are right.""",
    """for d in range(D): m, s = network(x); x[:, d] = z[:, d] * np.exp(s[:, d]) + m[:, d].""",
)

EXPLANATION = """
Density in one pass, a sample in D: the masked autoregressive flow. With x and z exchanged it is the inverse
autoregressive flow, whose samples are quick and whose density of a given x takes D passes. It is exercise 19 with
real numbers: there the noise was u, and here z. Note that D passes over all the rows is a loop over dimensions, not
over data.
"""


def network_of(D: int, rng: np.random.Generator) -> Network:
    """A network of one layer: m and s of column d depend on the columns before."""
    A, B, a, b = rng.normal(size=(D, D)), rng.normal(size=(D, D)), rng.normal(size=D), rng.normal(size=D)

    def network(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Column d looks at the columns before it only: the others may be anything, even NaN."""
        before = [np.asarray(x, dtype=float)[:, :d] for d in range(D)]
        m, s = (np.stack([before[d] @ C[:d, d] + c[d] for d in range(D)], axis=1) for C, c in ((A, a), (B, b)))
        return m, np.tanh(s)

    return network


def check(student: Student) -> None:
    """Take x, find z by (1), and ask for x again; 3 dimensions, then 2, 4, 5 and 1."""
    rng = np.random.default_rng(23)
    for rows, D in ((1, 3), (3, 4), (2, 5), (4, 2), (2, 1)):
        network, x = network_of(D, rng), rng.normal(size=(rows, D))
        m, s = network(x)
        given = {"z": (x - m) / np.exp(s), "network": network}
        expect(student.maf_inverse, given, x, f"B = {rows}, D = {D}")


WRONG: Wrong = {
    "one pass, with x = 0": change(
        "for d in range(z.shape[1]):\n        m, s = network(x)\n",
        "m, s = network(x)\n    for d in range(z.shape[1]):\n",
    ),
    "one pass, with z for x": change(
        "for d in range(z.shape[1]):\n        m, s = network(x)\n",
        "m, s = network(z)\n    for d in range(z.shape[1]):\n",
    ),
    "going from the last dimension to the first": change("range(z.shape[1])", "reversed(range(z.shape[1]))"),
    "stopping before the last dimension": change("range(z.shape[1])", "range(z.shape[1] - 1)"),
    "the forward map, (1), instead of its inverse": change(
        "z[:, d] * np.exp(s[:, d]) + m[:, d]", "(z[:, d] - m[:, d]) * np.exp(-s[:, d])"
    ),
    "dividing by the scale, and adding the mean": change("np.exp(s[:, d])", "np.exp(-s[:, d])"),
    "adding the mean before scaling": change(
        "z[:, d] * np.exp(s[:, d]) + m[:, d]", "(z[:, d] + m[:, d]) * np.exp(s[:, d])"
    ),
    "taking s for the scale instead of its logarithm": change("np.exp(s[:, d])", "s[:, d]"),
    "exchanging m and s": change("m, s = network(x)", "s, m = network(x)"),
    "taking s for the logarithm of a variance": change("np.exp(s[:, d])", "np.exp(0.5 * s[:, d])"),
    "writing over z": change("x = np.zeros(z.shape)", "x = z"),
    "subtracting the mean": change("+ m[:, d]", "- m[:, d]"),
    "two passes, whatever D is": lambda z, network: two_passes(z, network),
}


def two_passes(z: np.ndarray, network: Network) -> np.ndarray:
    """All dimensions at once, twice."""
    x = np.zeros(z.shape)
    for _ in range(2):
        m, s = network(x)
        x = z * np.exp(s) + m
    return x
