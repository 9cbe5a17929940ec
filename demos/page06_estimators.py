"""A shoot-out of estimators of one gradient (lecture pages 5 and 6).

The gradient of E[f(z)] with respect to the distribution of z can be estimated in several ways. Here each is used
100,000 times, and the mean and the variance of its estimates stand beside the true ones. For z ~ N(μ, σ²), and f = z²
or cos kz, both are known in closed form; for z in {0, 1} they are sums, or integrals over one number. The naive
estimator is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import Tensor
from scratchgen.distributions import Bernoulli, Categorical, Normal
from scratchgen.distributions.distribution import values
from scratchgen.latent import gumbel_softmax, leave_one_out, pathwise, score_function
from scratchgen.latent.estimators import naive

TITLE = "Page 6: estimators of one gradient"
SECONDS = 4
MEAN, STD, ROWS = 1.5, 0.8, 100_000
LOGIT, TARGET = 0.5, 0.45
RED, BLUE, GREEN, ORANGE, GREY = "#c44e52", "#3b75af", "#55a868", "#dd8452", "0.55"
OTHERS = 4  # of the samples, when one is left out
COIN = (("score function", score_function, 1), ("leave one out, 2 samples", leave_one_out, 2))

# -- z ~ N(μ, σ²): many estimates at once, and what is known of them ---------------------------------------------------


def estimates(estimator: Callable[..., Any], f: Callable[[Any], Any], eta: np.ndarray) -> np.ndarray:
    """The gradient to μ that each column of the noise gives, (n,) from (samples, n): each has a μ of its own."""
    mean = Tensor(np.full(eta.shape[1], MEAN), requires_grad=True)
    q = Normal(mean, 2 * np.log(STD))
    z = q.rsample(len(eta), noise=eta)
    value = estimator(q, f, z if estimator is pathwise else z.data)
    if isinstance(value, Tensor):
        np.sum(value).backward()
    return np.zeros(eta.shape[1]) if mean.grad is None else mean.grad  # the naive one has no gradient at all


def known_for_square() -> dict[str, tuple[Callable[..., Any], int, float]]:
    """For f = z²: the estimator, its samples, and the variance of its estimate times their number."""
    m, s = MEAN, STD
    baseline = m * m + s * s
    return {
        "naive": (naive, 1, 0.0),
        "score function": (score_function, 1, m**4 / s**2 + 14 * m**2 + 15 * s**2),
        "with b = E[f]": (partial(score_function, baseline=baseline), 1, 8 * m**2 + 10 * s**2),
        "leave one out": (leave_one_out, 1 + OTHERS, 8 * m**2 + 10 * s**2 + (8 * m**2 + 2 * s**2) / OTHERS),
        "pathwise": (pathwise, 1, 4 * s**2),
    }


def known_for_wave(k: Any) -> tuple[Any, Any, Any]:
    """For f = cos kz: the gradient, and the variances of the score function and of the pathwise estimate."""
    a = (k * STD) ** 2
    g, faded = -k * np.sin(k * MEAN) * np.exp(-0.5 * a), np.cos(2 * k * MEAN) * np.exp(-2 * a)
    return g, (1 + (1 - 4 * a) * faded) / (2 * STD**2) - g * g, 0.5 * k * k * (1 - faded) - g * g


def draw_normal(stage: Stage, rng: np.random.Generator) -> None:
    """Means and variances for f = z², and variances for f = cos kz."""
    import matplotlib.pyplot as plt

    figure, (means, variances, waves) = plt.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    known, colours = known_for_square(), [RED, ORANGE, ORANGE, ORANGE, BLUE]
    for i, (name, (estimator, samples, variance)) in enumerate(known.items()):
        g = estimates(estimator, lambda z: z * z, rng.standard_normal((samples, ROWS)))
        error, measured = g.std() / np.sqrt(ROWS), samples * g.var()
        stage.result(
            f"f = z², {name}: gradient {g.mean():.4f} ± {error:.4f}, exactly {2 * MEAN:.4f}; "
            f"variance per sample {measured:.2f}, exactly {variance:.2f}"
        )
        means.bar(i, g.mean(), color=colours[i], yerr=5 * error, capsize=4)
        variances.bar(i, measured, color=colours[i])
        variances.plot([i - 0.45, i + 0.45], [variance, variance], "k--", linewidth=1.2)
    means.axhline(2 * MEAN, color="k", linestyle="--", linewidth=1.2, label=f"exact: 2μ = {2 * MEAN:g}")
    means.set(title="f = z²: mean of the estimates", ylabel="gradient to μ", ylim=(-0.15, 3.9))
    means.plot(0, 0.0, "X", color=RED, markersize=12)
    means.annotate("wrong: 0", (0, 0.17), ha="center", color=RED)
    means.legend(loc="upper left", fontsize="small")
    variances.plot([], [], "k--", linewidth=1.2, label="closed form")
    variances.set(title="f = z²: variance per sample", ylabel="variance")
    variances.legend(fontsize="small")
    for ax in (means, variances):
        ax.set_xticks(range(len(known)), list(known), rotation=25, ha="right")

    k, fine = np.geomspace(0.3, 12, 14), np.geomspace(0.25, 14, 300)
    lines = dict(zip(("score function", "pathwise"), known_for_wave(fine)[1:]))
    for name, estimator, colour in (("score function", score_function, ORANGE), ("pathwise", pathwise, BLUE)):
        eta = rng.standard_normal((1, ROWS))
        dots = [estimates(estimator, partial(lambda z, k: np.cos(k * z), k=each), eta).var() for each in k]
        waves.loglog(k * STD, dots, "o", color=colour, label=name)
        waves.loglog(fine * STD, lines[name], "k--", linewidth=1)
    waves.loglog([], [], "k--", linewidth=1, label="closed form")
    waves.axvline(1.0, color=GREY, linestyle=":")
    waves.annotate("kσ = 1", (1.03, 0.012), color=GREY)
    waves.set(title="f = cos kz: which wins?", xlabel="kσ, how rough f is for z", ylabel="variance")
    waves.legend(fontsize="small")
    best = k[-1]
    by_score, by_path = known_for_wave(best)[1:]
    stage.result(
        f"f = cos kz, kσ = {best * STD:.1f}: variances {by_score:.3f} by the score function, {by_path:.3f} pathwise "
        f"(limits 1/(2σ²) = {1 / (2 * STD**2):.3f}, k²/2 = {best**2 / 2:.3f})"
    )
    stage.save(
        figure,
        "page06_estimators",
        "Two ways through a random number, and a wrong one",
        "∇E[f(z)] = E[(f(z) − b) ∇log q(z)] = E[∇f(μ + σ η)]",
        "Left: the naive gradient holds the samples fixed, and is 0; the others are right on average (bars: five "
        "standard errors). Middle: a baseline halves the variance of the score function; leaving one of five samples "
        "out does nearly as well, and the path is far better. Right: but not for every f. Where f is rough on the "
        "scale of σ, its slope says little of where its mean goes, and the score function wins.",
    )


# -- z in {0, 1}, f = (z − 0.45)² --------------------------------------------------------------------------------------


def relaxed_gradients(tau: float, noise: np.ndarray, hard: bool = False) -> np.ndarray:
    """The gradient to the logit that each logistic number gives, by Gumbel-softmax."""
    logit = Tensor(np.full(len(noise), LOGIT), requires_grad=True)
    q = Categorical(np.stack([0.0 * logit, logit], axis=-1))
    gumbels = np.stack([0 * noise, noise], axis=-1)[None]  # of two Gumbel numbers only their difference matters
    np.sum(gumbel_softmax(q, lambda v: (v[..., 1] - TARGET) ** 2, tau, noise=gumbels, hard=hard)).backward()
    return logit.grad


def relaxed_moments(tau: float, hard: bool = False) -> tuple[float, float]:
    """Mean and variance of the same, by the trapezoidal rule over a logistic number."""
    x, step = np.linspace(-40, 40, 16001, retstep=True)
    weights, g = step / (4 * np.cosh(0.5 * x) ** 2), relaxed_gradients(tau, x, hard)
    mean = float(weights @ g)
    return mean, float(weights @ (g - mean) ** 2)


def coin_moments(estimator: Callable[..., Any], samples: int) -> tuple[float, float]:
    """Mean and variance of an estimate from samples of z, by enumeration of all their outcomes."""
    z = np.indices((2,) * samples).reshape(samples, -1).astype(float)
    logit = Tensor(np.full(z.shape[1], LOGIT), requires_grad=True)
    q = Bernoulli(logit)
    np.sum(estimator(q, lambda z: (z - TARGET) ** 2, z)).backward()
    weights = np.exp(np.sum(values(q.log_prob(z)), axis=0))
    mean = float(weights @ logit.grad)
    return mean, float(weights @ (logit.grad - mean) ** 2)


def draw_coin(stage: Stage, rng: np.random.Generator) -> None:
    """Means and standard deviations against the temperature of the relaxed ones."""
    import matplotlib.pyplot as plt

    figure, (means, spreads) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    p = 1 / (1 + np.exp(-LOGIT))
    exact = p * (1 - p) * ((1 - TARGET) ** 2 - TARGET**2)
    taus, fine = np.geomspace(0.1, 3, 9), np.geomspace(0.08, 3.5, 60)
    for name, hard, colour in (("Gumbel-softmax", False, GREEN), ("straight-through", True, GREY)):
        g = np.array([relaxed_gradients(tau, rng.logistic(size=ROWS), hard) for tau in taus])
        mean, std = g.mean(axis=1), g.std(axis=1)
        curve = np.array([relaxed_moments(tau, hard) for tau in fine])
        means.errorbar(taus, mean, 5 * std / np.sqrt(ROWS), fmt="o", color=colour, capsize=3, label=name)
        means.plot(fine, curve[:, 0], "--", color=colour, linewidth=1)
        spreads.plot(taus, std, "o", color=colour, label=name)
        spreads.plot(fine, np.sqrt(curve[:, 1]), "--", color=colour, linewidth=1)
        by_quadrature = relaxed_moments(taus[0], hard)[0]
        stage.result(
            f"f = (z − 0.45)², {name}, τ = {taus[0]:g}: gradient {mean[0]:.4f} ± {std[0] / np.sqrt(ROWS):.4f}, by "
            f"quadrature {by_quadrature:.4f}; the true gradient is {exact:.4f}"
        )
    for (name, estimator, samples), style in zip(COIN, ("--", "-.")):
        mean_of, variance = coin_moments(estimator, samples)
        label = f"{name}, by enumeration"
        spreads.axhline(np.sqrt(variance * samples), color=ORANGE, linestyle=style, linewidth=1.2, label=label)
        stage.result(
            f"f = (z − 0.45)², {name}: gradient {mean_of:.4f} by enumeration; the true gradient is {exact:.4f}; "
            f"standard deviation per sample {np.sqrt(variance * samples):.4f}"
        )
    means.axhline(exact, color="k", linestyle="--", linewidth=1.2, label=f"exact, by enumeration: {exact:.4f}")
    means.axhline(0.0, color=RED, linewidth=2, label="naive, wrong: 0")
    means.set(title="z in {0, 1}: mean of the estimates", ylabel="gradient to the logit", ylim=(-0.022, 0.055))
    spreads.set(title="z in {0, 1}: standard deviation per sample", ylabel="standard deviation", yscale="log")
    for ax in (means, spreads):
        ax.set(xlabel="temperature τ", xscale="log")
        ax.legend(fontsize="small", ncols=2 if ax is means else 1, loc="lower center" if ax is means else "best")
    stage.save(
        figure,
        "page06_coin",
        "A discrete z, made continuous or not",
        "f = (z − 0.45)²,   z ~ Bernoulli(σ(½)),   v = softmax((l + g)/τ)",
        "Dots are measured (bars: five standard errors), dashed lines are integrals and sums. Relaxed gradients are "
        "biased: less so at low temperatures, where they are noisier. That their lines cross the truth at a high one "
        "is chance. The score function is unbiased; with one of two samples left out it is, for this f, less noisy "
        "than the relaxed ones at any temperature low enough for their bias to fall with it.",
    )


def run(stage: Stage, seed: int) -> None:
    """The estimates for a normal z, then for a discrete one."""
    rng = np.random.default_rng(seed)
    draw_normal(stage, rng)
    draw_coin(stage, rng)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
