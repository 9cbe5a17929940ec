"""Exercise 28: a step back of DDPM.

A network is trained to find the noise: ε(x_t, t), of what exercise 26 makes. From it follow x₀, and with x₀ the step
back of exercise 27, of which this is the usual form, with α_t = ᾱ_t / ᾱ_{t−1}:

    mean      (x_t − (1 − α_t) / √(1 − ᾱ_t) · ε(x_t, t)) / √α_t                                 (1)
    variance  β̃_t = (1 − ᾱ_{t−1}) / (1 − ᾱ_t) · (1 − α_t)                                       (2)
    x_{t−1} = mean + √β̃_t · noise                                                               (3)

Write (3). The noise is given. At t = 1 nothing is to be added: the result is the data.

    xt           (B, D)
    t            an integer from 1 to T
    network      a function: (x (B, D), t) → ε (B, D)
    alpha_bar    ᾱ₀ … ᾱ_T, (T + 1,)
    noise        (B, D), from N(0, I)
    returns      x_{t−1}, (B, D)

In the lecture: page 12, diffusion models. Afterwards, look at scratchgen/diffusion/reverse_chain.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, call, change, equal, expect

Network = Callable[[np.ndarray, int], np.ndarray]


def ddpm_step(xt: np.ndarray, t: int, network: Network, alpha_bar: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """x_{t−1}, (B, D), drawn by (3) with the noise given.

    >>> kept, x = np.array([1.0, 0.64]), np.array([[2.0]])
    >>> ddpm_step(x, 1, lambda x, t: 0 * x + 1, kept, np.array([[100.0]])).round(4)          # (2 − 0.36 / 0.6) / 0.8
    array([[1.75]])
    """
    # solution
    now, before = alpha_bar[t], alpha_bar[t - 1]
    alpha = now / before
    mean = (xt - (1 - alpha) / np.sqrt(1 - now) * network(xt, t)) / np.sqrt(alpha)
    variance = (1 - before) / (1 - now) * (1 - alpha)
    return mean + np.sqrt(variance) * noise
    # end of solution


# end of the learner's part

HINTS = (
    """Two numbers from alpha_bar, one call of the network, the mean, the variance. Why does (2) need no special case
    at t = 1?""",
    """ᾱ₀ = 1, so β̃₁ = 0, and the noise is multiplied by 0. Give now = alpha_bar[t], before = alpha_bar[t - 1] and
    alpha = now / before their names.""",
    """mean = (xt - (1 - alpha) / np.sqrt(1 - now) * network(xt, t)) / np.sqrt(alpha); return mean + np.sqrt(variance)
    * noise with (2).""",
)

EXPLANATION = """
In the check the data are one Gaussian, so the best ε is known, and since each step is affine in x and in the noise, the
mean and variance of all samples can be followed exactly, without drawing any. Noise at the last step leaves the samples
grainy: it has variance β₁, which is small, and so it is often overlooked. The variance in place of its root makes the
noise too small at every step, and the samples too much alike.
"""


def exact_network(mean: float, variance: float, alpha_bar: np.ndarray) -> Network:
    """E[ε | x_t] of data from N(mean, variance) in each dimension."""

    def network(x: np.ndarray, t: int) -> np.ndarray:
        kept = alpha_bar[t]
        return np.sqrt(1 - kept) * (x - np.sqrt(kept) * mean) / (kept * variance + 1 - kept)

    return network


def by_posterior(xt: np.ndarray, t: int, network: Network, alpha_bar: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The step by x₀ and Bayes' rule, with precisions: not by the form (1)."""
    now, before = alpha_bar[t], alpha_bar[t - 1]
    x0 = (xt - np.sqrt(1 - now) * network(xt, t)) / np.sqrt(now)
    if before == 1:
        return x0
    alpha = now / before
    variance = 1 / (alpha / (1 - alpha) + 1 / (1 - before))
    mean = variance * (np.sqrt(alpha) * xt / (1 - alpha) + np.sqrt(before) * x0 / (1 - before))
    return mean + variance**0.5 * noise


def check(student: Student) -> None:
    """Single steps by Bayes' rule; the last one; then the moments of all samples, exactly, through a whole chain."""
    rng = np.random.default_rng(28)
    kept = np.array([1.0, 0.8, 0.5, 0.3, 0.1])
    network = exact_network(2.0, 0.25, kept)
    for t, rows, dims in ((3, 1, 2), (2, 3, 4), (4, 2, 5), (1, 4, 2), (1, 2, 3)):
        xt, noise = rng.normal(size=(rows, dims)), rng.normal(size=(rows, dims))
        given = {"xt": xt, "t": t, "network": network, "alpha_bar": kept, "noise": noise}
        exact = by_posterior(xt, t, network, kept, noise)
        expect(student.ddpm_step, given, exact, f"t = {t}, B = {rows}, D = {dims}")

    # The step is affine in x and in the noise, so four calls tell its slopes, and with them mean and variance.
    case, mean, variance = "the moments of all samples after 4 steps", 0.0, 1.0
    want_mean, want_variance = 0.0, 1.0
    for t in (4, 3, 2, 1):
        x, noise = np.array([[0.0], [1.0], [0.0]]), np.array([[0.0], [0.0], [1.0]])
        given = {"xt": x, "t": t, "network": network, "alpha_bar": kept, "noise": noise}
        at, right = np.ravel(call(student.ddpm_step, given, case)), by_posterior(x, t, network, kept, noise).ravel()
        mean, variance = at[0] + (at[1] - at[0]) * mean, (at[1] - at[0]) ** 2 * variance + (at[2] - at[0]) ** 2
        slope, spread = right[1] - right[0], right[2] - right[0]
        want_mean, want_variance = right[0] + slope * want_mean, slope**2 * want_variance + spread**2
    equal((mean, variance), (want_mean, want_variance), case, name="the chain")


def cut_off(x: np.ndarray, eps: np.ndarray, kept: float) -> np.ndarray:
    """The noise that belongs to an x₀ between −1 and 1."""
    x0 = np.clip((x - np.sqrt(1 - kept) * eps) / np.sqrt(kept), -1, 1)
    return (x - np.sqrt(kept) * x0) / np.sqrt(1 - kept)


WRONG: Wrong = {
    "adding noise at the last step too": change(
        "variance = (1 - before) / (1 - now) * (1 - alpha)",
        "variance = (1 - before) / (1 - now) * (1 - alpha) if t > 1 else 1 - alpha",
    ),
    "β_t for the posterior variance": change("(1 - before) / (1 - now) * (1 - alpha)\n", "1 - alpha\n"),
    "the variance in place of its root": change("np.sqrt(variance) * noise", "variance * noise"),
    "no noise": change("np.sqrt(variance) * noise", "0 * noise"),
    "√β_t · noise, but none at the last step": change(
        "np.sqrt(variance) * noise", "np.sqrt(1 - alpha) * (t > 1) * noise"
    ),
    "cutting off the estimate of x₀ at ±1": lambda xt, t, network, alpha_bar, noise: ddpm_step(
        xt, t, lambda x, s: cut_off(x, network(x, s), alpha_bar[s]), alpha_bar, noise
    ),
    "noise of variance 1": change("np.sqrt(variance) * noise", "noise"),
    "adding the network's noise instead of subtracting it": change("(xt - (1", "(xt + (1"),
    "not dividing by √α": change(" / np.sqrt(alpha)\n", "\n"),
    "dividing by α": change(" / np.sqrt(alpha)\n", " / alpha\n"),
    "no root of 1 − ᾱ": change("np.sqrt(1 - now)", "(1 - now)"),
    "√(1 − α) for the factor of the network": change(
        "(1 - alpha) / np.sqrt(1 - now) * network", "np.sqrt(1 - alpha) * network"
    ),
    "telling the network t − 1": change("network(xt, t)", "network(xt, t - 1)"),
    "returning the estimate of x₀": change(
        "return mean + np.sqrt(variance) * noise", "return (xt - np.sqrt(1 - now) * network(xt, t)) / np.sqrt(now)"
    ),
    "ᾱ_t for α_t": change("alpha = now / before", "alpha = now"),
    "taking the network for a prediction of x₀": change(
        "network(xt, t)", "((xt - np.sqrt(now) * network(xt, t)) / np.sqrt(1 - now))"
    ),
}
