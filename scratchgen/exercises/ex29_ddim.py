"""Exercise 29: DDIM, which takes fewer steps.

The same network allows other ways back, which need not take each step, nor be random. From t to any s < t, estimate x₀,
and go to where exercise 26 would have put it at s, with as much of the old noise as η allows:

    x̂₀ = (x_t − √(1 − ᾱ_t) ε) / √ᾱ_t,    ε = ε(x_t, t)                                          (1)
    σ² = η² · (1 − ᾱ_s) / (1 − ᾱ_t) · (1 − ᾱ_t / ᾱ_s)                                           (2)
    x_s = √ᾱ_s x̂₀ + √(1 − ᾱ_s − σ²) ε + σ noise                                                 (3)

η = 0 is deterministic, η = 1 is DDPM. Write (3).

    xt           (B, D)
    t, s         integers, T ≥ t > s ≥ 0
    network      a function: (x (B, D), t) → ε (B, D)
    alpha_bar    ᾱ₀ … ᾱ_T, (T + 1,)
    eta          η, from 0 to 1
    noise        (B, D), from N(0, I)
    returns      x_s, (B, D)

In the lecture: page 12, diffusion models. Afterwards, look at scratchgen/diffusion/samplers.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.exercises.kit import Student, Wrong, change, expect

Network = Callable[[np.ndarray, int], np.ndarray]


def ddim_step(
    xt: np.ndarray, t: int, s: int, network: Network, alpha_bar: np.ndarray, eta: float, noise: np.ndarray
) -> np.ndarray:
    """x_s, (B, D), by (1) to (3).

    >>> kept, x = np.array([1.0, 0.64]), np.array([[2.0]])
    >>> ddim_step(x, 1, 0, lambda x, t: 0 * x + 1, kept, 0.0, 0 * x).round(4)           # x̂₀ = (2 − 0.6) / 0.8
    array([[1.75]])
    """
    # solution
    now, then = alpha_bar[t], alpha_bar[s]
    eps = network(xt, t)
    x0 = (xt - np.sqrt(1 - now) * eps) / np.sqrt(now)
    variance = eta**2 * (1 - then) / (1 - now) * (1 - now / then)
    return np.sqrt(then) * x0 + np.sqrt(1 - then - variance) * eps + np.sqrt(variance) * noise
    # end of solution


# end of the learner's part

HINTS = (
    """Three parts: what x₀ seems to be, the noise that is still in x at s, and how much of that is new. Only ᾱ at t
    and at s occur.""",
    """The signal at s is √ᾱ_s x̂₀; the variance of the noise at s is 1 − ᾱ_s, of which σ² is new and the rest points
    along the old ε.""",
    """np.sqrt(then) * x0 + np.sqrt(1 - then - variance) * eps + np.sqrt(variance) * noise, with variance by (2).""",
)

EXPLANATION = """
If the network knows the true ε of one x₀, x_s is exactly what exercise 26 gives for that x₀ and ε at s: the path is
the one that leads there, and any number of steps lands on it. With η = 1 and s = t − 1 (2) is β̃_t, and (3) is
exercise 28. All samples of η = 0 are functions of the first noise, so two of them can be interpolated; and it is a
solver of the probability flow ODE, which a better solver, such as Heun's, improves.
"""


def check(student: Student) -> None:
    """With the true ε it must land on q_sample; by Bayes' rule, with η = 1 and s = t − 1; any step and η by (3)."""
    rng = np.random.default_rng(29)
    kept = np.array([1.0, 0.8, 0.5, 0.3, 0.1])
    for t, s, rows, dims in ((3, 1, 1, 2), (4, 2, 3, 4), (2, 0, 2, 5), (4, 3, 4, 2), (1, 0, 2, 3)):
        x0, eps = rng.normal(size=(rows, dims)), rng.normal(size=(rows, dims))
        xt = kept[t] ** 0.5 * x0 + (1 - kept[t]) ** 0.5 * eps

        def network(x: np.ndarray, step: int, x0: np.ndarray = x0) -> np.ndarray:
            return (x - kept[step] ** 0.5 * x0) / (1 - kept[step]) ** 0.5 if step else 1e3 + 0 * x

        noise = rng.normal(size=(rows, dims))
        given = {"xt": xt, "t": t, "s": s, "network": network, "alpha_bar": kept, "eta": 0.0, "noise": noise}
        exact = kept[s] ** 0.5 * x0 + (1 - kept[s]) ** 0.5 * eps
        expect(student.ddim_step, given, exact, f"the true ε, from t = {t} to {s}, B = {rows}, D = {dims}")

    def guess(x: np.ndarray, step: int) -> np.ndarray:
        """Any network."""
        return np.tanh(x) + 0.1 * step

    guess.__name__ = "lambda x, t: np.tanh(x) + 0.1 * t"  # as the learner sees it, and can copy it

    for t in (4, 3, 2, 1):
        xt, noise = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
        given = {"xt": xt, "t": t, "s": t - 1, "network": guess, "alpha_bar": kept, "eta": 1.0, "noise": noise}
        x0 = (xt - (1 - kept[t]) ** 0.5 * guess(xt, t)) / kept[t] ** 0.5
        exact = x0
        if t > 1:  # Bayes: q(x_{t−1} | x_t, x₀), by precisions
            alpha = kept[t] / kept[t - 1]
            variance = 1 / (alpha / (1 - alpha) + 1 / (1 - kept[t - 1]))
            mean = variance * (alpha**0.5 * xt / (1 - alpha) + kept[t - 1] ** 0.5 * x0 / (1 - kept[t - 1]))
            exact = mean + variance**0.5 * noise
        expect(student.ddim_step, given, exact, f"η = 1 is DDPM, from t = {t} to {t - 1}")
    for t, s, eta in ((4, 1, 0.5), (3, 1, 0.3), (4, 2, 1.0)):
        # The slopes in x̂₀, ε and noise: their squares in ε and noise add up to 1 − ᾱ_s.
        xt, noise = rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
        given = {"xt": xt, "t": t, "s": s, "network": guess, "alpha_bar": kept, "eta": eta, "noise": noise}
        eps = guess(xt, t)
        share = eta * ((1 - kept[t] / kept[s]) / (1 - kept[t])) ** 0.5  # of the noise at s that is new: its sine
        spread = (1 - kept[s]) ** 0.5
        exact = (kept[s] / kept[t]) ** 0.5 * (xt - (1 - kept[t]) ** 0.5 * eps)
        exact = exact + spread * (np.cos(np.arcsin(share)) * eps + share * noise)
        expect(student.ddim_step, given, exact, f"η = {eta}, from t = {t} to {s}")


WRONG: Wrong = {
    "the current ᾱ_t for ᾱ_s": change("np.sqrt(then) * x0", "np.sqrt(now) * x0"),
    "the current ᾱ_t in the noise too": change(
        "np.sqrt(then) * x0 + np.sqrt(1 - then - variance)", "np.sqrt(now) * x0 + np.sqrt(1 - now - variance)"
    ),
    "the step before t instead of s": change("alpha_bar[t], alpha_bar[s]", "alpha_bar[t], alpha_bar[t - 1]"),
    "telling the network s": change("network(xt, t)", "network(xt, s)"),
    "leaving out σ² under the root": change("np.sqrt(1 - then - variance)", "np.sqrt(1 - then)"),
    "σ clamped at 0.1": change(
        "np.sqrt(variance) * noise",
        "np.minimum(np.sqrt(variance), 0.1) * noise",
        "np.sqrt(1 - then - variance)",
        "np.sqrt(1 - then - np.minimum(variance, 0.01))",
    ),
    "σ² for σ": change("np.sqrt(variance) * noise", "variance * noise"),
    "η for η²": change("eta**2", "eta"),
    "no new noise, whatever η is": change("eta**2", "0 * eta"),
    "√(1 − ᾱ_s) − σ for the root of the difference": change(
        "np.sqrt(1 - then - variance)", "(np.sqrt(1 - then) - np.sqrt(variance))"
    ),
    "β̃_t of a single step for σ²": change(
        "eta**2 * (1 - then) / (1 - now) * (1 - now / then)",
        "eta**2 * (1 - alpha_bar[t - 1]) / (1 - now) * (1 - now / alpha_bar[t - 1])",
    ),
    "no old noise": change(" + np.sqrt(1 - then - variance) * eps", " + 0 * eps"),
    "all the noise new": change(
        "np.sqrt(1 - then - variance) * eps + np.sqrt(variance) * noise", "np.sqrt(1 - then) * noise"
    ),
    "not dividing by √ᾱ_t": change(" / np.sqrt(now)\n", "\n"),
    "the ratio in σ² turned round": change(
        "(1 - then) / (1 - now) * (1 - now / then)", "(1 - now) / (1 - then + 1e-9) * (1 - now / then)"
    ),
    "stopping at x̂₀": change(
        "return np.sqrt(then) * x0 + np.sqrt(1 - then - variance) * eps + np.sqrt(variance) * noise", "return x0"
    ),
    "adding ε in (1)": change("(xt - np.sqrt(1 - now) * eps)", "(xt + np.sqrt(1 - now) * eps)"),
}
