"""Exercise 24: integers and densities.

Images are integers, x from 0 to L − 1 for L levels, but a flow has a density. Fitted to integers it would grow without
bound. So each integer gets the whole bin [x, x + 1): with noise u, uniform on [0, 1),

    v = (x + u) / L,    which lies in [0, 1)                                                    (1)

and on average over u, log p(v) is a bound of log P(x), the probability of the integers, if the volume of the bin is
counted: as v measures it, L^−D for D dimensions,

    log P(x) ≥ E_u[log p(v)] − D log L                                                          (2)

Results are quoted in bits per dimension: for each draw of u the negative of log p(v) − D log L, divided by D, in units
of log 2. Write both.

    dequantise(x, levels, u)                      x (B, D) integers, u (B, D) → v (B, D)
    bits_per_dimension(log_density, levels, dims) log p(v) in nats, (B,) → (B,)

In the lecture: page 11, where p is a density. Afterwards, look at scratchgen/flows/dequantisation.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def dequantise(x: np.ndarray, levels: int, u: np.ndarray) -> np.ndarray:
    """v of (1), (B, D), in [0, 1), for integers x from 0 to levels − 1 and noise u in [0, 1).

    >>> dequantise(np.array([[0, 3]]), 4, np.array([[0.0, 0.5]]))
    array([[0.   , 0.875]])
    """
    # solution
    return (x + u) / levels
    # end of solution


def bits_per_dimension(log_density: np.ndarray, levels: int, dims: int) -> np.ndarray:
    """The bits per dimension, (B,), that the integers cost, from log p(v) in nats.

    >>> bits_per_dimension(np.array([0.0]), levels=256, dims=3072)          # v is uniform: each level costs log₂ 256
    array([8.])
    """
    # solution
    return (dims * np.log(levels) - log_density) / (dims * np.log(2))
    # end of solution


# end of the learner's part

HINTS = (
    """First (1): is 0 mapped to 0, and is the largest result below 1? Then think of a uniform density, log p(v) = 0:
    every level has probability 1/L, so how many bits must a pixel cost?""",
    """bits per dimension = −log₂ P(x) / D = −(log p(v) − D log L) / (D log 2).""",
    """(x + u) / levels, with levels, not levels - 1; and (dims * np.log(levels) - log_density) / (dims *
    np.log(2)).""",
)

EXPLANATION = """
With noise on half of each bin the data fill 2^−D of the cube. The density may be 2^D times as large there: one bit per
dimension less, which is no merit of the model, and may be fewer than the entropy of the source, which no model can
reach. Dividing by L − 1 errs the other way: v leaves the cube, in bins that are larger than L^−D. In the check the
source is known: the density that is constant on each bin costs −log₂ P(x), to rounding. And a bit is log 2 = 0.69 nats:
who divides by D alone quotes nats for bits.
"""


def check(student: Student) -> None:
    """v by hand; bins at their ends; a source whose probabilities are known, with 2, 17 and 256 levels."""
    rng = np.random.default_rng(24)
    x, u = np.array([[0, 1, 2], [2, 1, 0]]), np.array([[0.5, 0.25, 0.75], [0.0, 0.9, 0.1]])
    exact = np.array([[0.5 / 3, 1.25 / 3, 2.75 / 3], [2 / 3, 1.9 / 3, 0.1 / 3]])
    expect(student.dequantise, {"x": x, "levels": 3, "u": u}, exact, "3 levels")
    for levels, rows, dims in ((2, 3, 4), (17, 2, 5), (256, 4, 2)):
        x, u = rng.integers(0, levels, (rows, dims)), rng.random((rows, dims))
        case = f"{levels} levels, B = {rows}, D = {dims}"
        expect(student.dequantise, {"x": x, "levels": levels, "u": u}, x / levels + u / levels, case)
        edges = {"x": np.array([[0, levels - 1]]), "levels": levels, "u": np.array([[0.0, 0.9999]])}
        expect(student.dequantise, edges, np.array([[0.0, 1.0 - 1e-4 / levels]]), f"{levels} levels, the ends")
        probability = rng.dirichlet(np.ones(levels))
        log_density = np.sum(np.log(probability[x] * levels), axis=1)  # constant on each bin, of width 1/L
        bits = -np.mean(np.log2(probability[x]), axis=1)
        given = {"log_density": log_density, "levels": levels, "dims": dims}
        expect(student.bits_per_dimension, given, bits, f"a source of {case}")


WRONG: Wrong = {
    "noise on half of the bin": change("(x + u) / levels", "(x + u / 2) / levels"),
    "noise around the integer, from −½ to ½": change("(x + u) / levels", "(x + u - 0.5) / levels"),
    "dividing by the number of levels less 1": change("(x + u) / levels", "(x + u) / (levels - 1)"),
    "no noise": change("(x + u) / levels", "(x + 0 * u) / levels"),
    "keeping v away from 0 and 1": change("(x + u) / levels", "np.clip((x + u) / levels, 1e-6, 1 - 1e-6)"),
    "noise that is not divided": change("(x + u) / levels", "x / levels + u"),
    "not dividing at all": change("(x + u) / levels", "x + u"),
    "dividing by 256, whatever the levels are": change("(x + u) / levels", "(x + u) / 256"),
    "rounding the result back to the integers": change("(x + u) / levels", "np.floor(x + u) / levels"),
    "nats for bits": change(" / (dims * np.log(2))", " / dims"),
    "the volume of the bin left out": change("(dims * np.log(levels) - log_density)", "-log_density"),
    "the volume of the bin with the opposite sign": change(
        "(dims * np.log(levels) - log_density)", "(-dims * np.log(levels) - log_density)"
    ),
    "the volume of one dimension only": change("(dims * np.log(levels) -", "(np.log(levels) -"),
    "not dividing by the dimensions": change("/ (dims * np.log(2))", "/ np.log(2)"),
    "multiplying by log 2 instead of dividing": change("/ (dims * np.log(2))", "* np.log(2) / dims"),
    "8 bits, whatever the levels are": change("np.log(levels) -", "np.log(256) -"),
    "the opposite sign, so that more is better": change(
        "(dims * np.log(levels) - log_density)", "(log_density - dims * np.log(levels))"
    ),
    "averaging over the batch": change(
        "return (dims * np.log(levels) - log_density) / (dims * np.log(2))",
        "return np.mean(dims * np.log(levels) - log_density) / (dims * np.log(2))",
    ),
}
