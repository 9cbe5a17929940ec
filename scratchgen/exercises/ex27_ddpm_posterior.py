"""Exercise 27: one step back, if the data are known.

The way back, from x_t to x_{t−1}, is out of reach: it depends on all data. But given x₀ it is Gaussian, by Bayes' rule
with the two Gaussians that are known:

    q(x_{t−1} | x_t, x₀) ∝ N(x_t; √α_t x_{t−1}, β_t) · N(x_{t−1}; √ᾱ_{t−1} x₀, 1 − ᾱ_{t−1})       (1)

    mean       √ᾱ_{t−1} β_t / (1 − ᾱ_t) · x₀  +  √α_t (1 − ᾱ_{t−1}) / (1 − ᾱ_t) · x_t            (2)
    variance   β̃_t = (1 − ᾱ_{t−1}) / (1 − ᾱ_t) · β_t                                            (3)

Write (2) and (3). Training a diffusion is to learn this step without x₀. At t = 1 it lands on x₀, without noise.

    x0, xt       (B, D)
    t            an integer from 1 to T
    alpha_bar    ᾱ₀ … ᾱ_T, (T + 1,): so α_t = ᾱ_t / ᾱ_{t−1}
    returns      (mean, variance): (B, D), and a number

In the lecture: page 12, diffusion models. Afterwards, look at `q_posterior` in scratchgen/diffusion/forward.py.
"""

from __future__ import annotations

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect


def ddpm_posterior(x0: np.ndarray, xt: np.ndarray, t: int, alpha_bar: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean (B, D) and the variance of q(x_{t−1} | x_t, x₀), (2) and (3).

    >>> mean, variance = ddpm_posterior(np.array([[1.0]]), np.array([[0.0]]), 2, np.array([1.0, 0.5, 0.25]))
    >>> mean.round(4), round(variance, 4)                              # √½ · ½ / ¾, and ½ / ¾ · ½
    (array([[0.4714]]), 0.3333)
    """
    # solution
    now, before = alpha_bar[t], alpha_bar[t - 1]
    alpha = now / before
    beta = 1 - alpha
    mean = (np.sqrt(before) * beta * x0 + np.sqrt(alpha) * (1 - before) * xt) / (1 - now)
    return mean, float((1 - before) / (1 - now) * beta)
    # end of solution


# end of the learner's part

HINTS = (
    """Everything needed is in alpha_bar: ᾱ_t, ᾱ_{t−1}, and their ratio. Give each a name before you write (2).""",
    """α_t = ᾱ_t / ᾱ_{t−1}, β_t = 1 − α_t. The factor of x₀ has the root of ᾱ_{t−1} and β_t; the factor of x_t the
    root of α_t, and 1 − ᾱ_{t−1}. Both are divided by 1 − ᾱ_t.""",
    """mean = (np.sqrt(before) * beta * x0 + np.sqrt(alpha) * (1 - before) * xt) / (1 - now), and the variance is
    (1 - before) / (1 - now) * beta.""",
)

EXPLANATION = """
(1) is a product of two Gaussians in x_{t−1}: precisions add up, α_t/β_t + 1/(1 − ᾱ_{t−1}), and (3) is their inverse. At
t = 1, ᾱ₀ = 1: the factor of x_t and the variance are 0, so the last step adds no noise. β_t itself is the variance of
the step back if the data are N(0, I), and β̃_t if they are a single x₀. With many small steps both are nearly equal: if
β grows from 10⁻⁴ to 0.02 in 1000 steps, they differ by more than a tenth in the first 15 only. That is why it is easy
to take the one for the other, and not to notice.
"""


def by_bayes(x0: np.ndarray, xt: np.ndarray, alpha_bar: np.ndarray, t: int) -> tuple[np.ndarray, float]:
    """Mean and variance of (1), by integrating it over a fine grid of x_{t−1}, for each number by itself."""
    kept, alpha = alpha_bar[t - 1], alpha_bar[t] / alpha_bar[t - 1]
    center, spread = np.sqrt(kept) * x0[..., None], np.sqrt(1 - kept)
    grid = center + spread * np.linspace(-14, 14, 4001)
    log_p = -((xt[..., None] - np.sqrt(alpha) * grid) ** 2) / (2 * (1 - alpha)) - (grid - center) ** 2 / (2 * spread**2)
    p = np.exp(log_p - log_p.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    mean = np.sum(p * grid, axis=-1)
    return mean, float(np.mean(np.sum(p * (grid - mean[..., None]) ** 2, axis=-1)))


def check(student: Student) -> None:
    """Against Bayes' rule on a grid, for several t, rows and dimensions; then the last step, which lands on x₀."""
    rng = np.random.default_rng(27)
    kept = np.array([1.0, 0.9, 0.7, 0.35, 0.2])
    for t, rows, dims in ((2, 1, 2), (3, 3, 4), (4, 2, 5), (2, 4, 2)):
        x0, xt = rng.normal(size=(rows, dims)), rng.normal(size=(rows, dims))
        given = {"x0": x0, "xt": xt, "t": t, "alpha_bar": kept}
        expect(student.ddpm_posterior, given, by_bayes(x0, xt, kept, t), f"t = {t}, B = {rows}, D = {dims}")
    x0, xt = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    expect(student.ddpm_posterior, {"x0": x0, "xt": xt, "t": 1, "alpha_bar": kept}, (x0, 0.0), "t = 1, the last step")


WRONG: Wrong = {
    "β for the variance": change("float((1 - before) / (1 - now) * beta)", "float(beta)"),
    "the coefficients of x₀ and x_t exchanged": change(
        "beta * x0 +", "beta * xt +", "(1 - before) * xt)", "(1 - before) * x0)"
    ),
    "no root of ᾱ": change("np.sqrt(before)", "before"),
    "no root of α": change("np.sqrt(alpha)", "alpha"),
    "the roots exchanged": change(
        "np.sqrt(before) * beta * x0 + np.sqrt(alpha)", "np.sqrt(alpha) * beta * x0 + np.sqrt(before)"
    ),
    "ᾱ_t for ᾱ_{t−1} in the mean": change("np.sqrt(before)", "np.sqrt(now)"),
    "ᾱ_t for α_t": change("np.sqrt(alpha)", "np.sqrt(now)"),
    "a step too early, t + 1 for t": change(
        "alpha_bar[t], alpha_bar[t - 1]", "np.append(alpha_bar, 0.1)[t + 1], alpha_bar[t]"
    ),
    "dividing by 1 − ᾱ_{t−1}": change("xt) / (1 - now)", "xt) / (1 - before + 1e-300)"),
    "not dividing by 1 − ᾱ_t": change("xt) / (1 - now)", "xt)"),
    "1 − ᾱ_t for β_t": change("beta = 1 - alpha", "beta = 1 - now"),
    "the standard deviation for the variance": change(
        "float((1 - before) / (1 - now) * beta)", "float(np.sqrt((1 - before) / (1 - now) * beta))"
    ),
    "the ratio in the variance turned round": change(
        "(1 - before) / (1 - now) * beta", "(1 - now) / (1 - before + 1e-300) * beta"
    ),
    "the logarithm of the variance": change(
        "float((1 - before) / (1 - now) * beta)", "float(np.log((1 - before) / (1 - now) * beta + 1e-300))"
    ),
}
