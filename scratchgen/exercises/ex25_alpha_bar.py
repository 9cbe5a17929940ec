"""Exercise 25: how much of the data is left after t steps of noise.

A diffusion adds noise in T small steps, x_t = √(1 − β_t) x_{t−1} + √β_t ε. After t of them x_t is √ᾱ_t x₀ plus Gaussian
noise of variance 1 − ᾱ_t, where

    α_t = 1 − β_t,    ᾱ_t = α₁ α₂ ⋯ α_t,    ᾱ₀ = 1                                              (1)

Before the first step everything is left. Write ᾱ as an array that is indexed by t itself, so with T + 1 entries, from
t = 0 to t = T.

Write also the log-signal-to-noise ratio, by which schedules are compared: log(ᾱ_t / (1 − ᾱ_t)) for t = 1 … T.

    alpha_bar(betas)    betas (T,) = β₁ … β_T, each in (0, 1) → ᾱ, (T + 1,)
    log_snr(betas)      (T,) → (T,)

In the lecture: page 12, diffusion models. Afterwards, look at scratchgen/diffusion/schedules.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def alpha_bar(betas: np.ndarray) -> np.ndarray:
    """ᾱ₀ … ᾱ_T of (1), (T + 1,).

    >>> alpha_bar(np.array([0.5, 0.2]))
    array([1. , 0.5, 0.4])
    """
    # solution
    return np.concatenate([[1.0], np.cumprod(1 - betas)])
    # end of solution


def log_snr(betas: np.ndarray) -> np.ndarray:
    """log(ᾱ_t / (1 − ᾱ_t)) for t = 1 … T, (T,).

    >>> log_snr(np.array([0.5, 0.2])).round(4)
    array([ 0.    , -0.4055])
    """
    # solution
    kept = np.cumprod(1 - betas)
    return np.log(kept) - np.log(1 - kept)
    # end of solution


# end of the learner's part

HINTS = (
    """Each step multiplies what is left by α_t. What is left after no step at all?""",
    """np.cumprod of 1 - betas is ᾱ₁ … ᾱ_T; ᾱ₀ = 1 comes before it.""",
    """np.concatenate([[1.0], np.cumprod(1 - betas)]); and np.log(a) - np.log(1 - a) of the cumprod alone.""",
)

EXPLANATION = """
With ᾱ₀ = 1 in the array, ᾱ[t − 1] is right at t = 1 too, and the last step back, which needs it, comes out without
any padding. Where the array has no such entry, ᾱ[t − 1] of t = 0 is ᾱ[−1]: Python then takes the noisiest of all,
without a word. Variances add up and signals multiply: hence a product of the α and no sum of the β, though for small
β the two agree at first, 1 − Σ β.
"""


def check(student: Student) -> None:
    """By loops, for 3 steps, then for 1 to 50; and what a thousand small steps leave."""
    rng = np.random.default_rng(25)
    cases = {"T = 3": np.array([0.1, 0.3, 0.6])}
    cases |= {f"T = {T}": rng.uniform(0.01, 0.5, T) for T in (2, 4, 5, 1)}
    cases["T = 50"] = np.linspace(1e-4, 0.2, 50)
    cases["T = 1000"] = np.linspace(1e-4, 0.02, 1000)
    for case, betas in cases.items():
        left = [1.0]
        for beta in betas.tolist():
            left.append(left[-1] - left[-1] * beta)
        kept = np.array(left)
        expect(student.alpha_bar, {"betas": betas}, kept, case)
        expect(student.log_snr, {"betas": betas}, np.log(kept[1:] / (1 - kept[1:])), f"log-SNR, {case}", tol=1e-8)


WRONG: Wrong = {
    "a sum instead of a product": {"alpha_bar": lambda betas: 1 - np.concatenate([[0.0], np.cumsum(betas)])},
    "leaving out ᾱ₀ = 1": {"alpha_bar": lambda betas: np.cumprod(1 - betas)},
    "shifting by one step: ᾱ₀ in front, and ᾱ_T dropped": {
        "alpha_bar": lambda betas: np.concatenate([[1.0], np.cumprod(1 - betas)[:-1]])
    },
    "rolling the array round, so that ᾱ_T stands in front": {
        "alpha_bar": lambda betas: np.concatenate([np.cumprod(1 - betas)[-1:], np.cumprod(1 - betas)])
    },
    "the product of the β": change(
        "np.concatenate([[1.0], np.cumprod(1 - betas)])", "np.concatenate([[1.0], np.cumprod(betas)])"
    ),
    "the roots, √ᾱ": change(
        "np.concatenate([[1.0], np.cumprod(1 - betas)])", "np.sqrt(np.concatenate([[1.0], np.cumprod(1 - betas)]))"
    ),
    "the variance of the noise, 1 − ᾱ": change(
        "np.concatenate([[1.0], np.cumprod(1 - betas)])", "1 - np.concatenate([[1.0], np.cumprod(1 - betas)])"
    ),
    "the steps in the opposite order": change(
        "np.concatenate([[1.0], np.cumprod(1 - betas)])", "np.concatenate([[1.0], np.cumprod(1 - betas[::-1])])"
    ),
    "α instead of ᾱ": change("np.concatenate([[1.0], np.cumprod(1 - betas)])", "np.concatenate([[1.0], 1 - betas])"),
    "e^−β for 1 − β": {"alpha_bar": lambda betas: np.concatenate([[1.0], np.exp(-np.cumsum(betas))])},
    "0 in front instead of 1": change("[1.0]", "[0.0]"),
    "the ratio of the standard deviations": change(
        "np.log(kept) - np.log(1 - kept)", "0.5 * (np.log(kept) - np.log(1 - kept))"
    ),
    "the ratio the other way round": change("np.log(kept) - np.log(1 - kept)", "np.log(1 - kept) - np.log(kept)"),
    "the ratio without its logarithm": change("np.log(kept) - np.log(1 - kept)", "kept / (1 - kept)"),
    "α for ᾱ in the ratio": change("kept = np.cumprod(1 - betas)", "kept = 1 - betas"),
    "a logarithm to the base 10": change("np.log(kept) - np.log(1 - kept)", "np.log10(kept) - np.log10(1 - kept)"),
    "adding 1e-8 to be safe": change("np.log(1 - kept)", "np.log(1 - kept + 1e-8)"),
    "the signal alone": change("np.log(kept) - np.log(1 - kept)", "np.log(kept)"),
}
