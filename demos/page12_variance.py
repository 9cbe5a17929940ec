"""Which variance has a step backwards? Two usual answers, one learned and the right one (lecture page 12).

p(x_{t−1} | x_t) = N(mean, σ_t²). The mean is learned; for σ_t² DDPM offers two numbers that need no learning: β_t,
right for data N(0, I), and β̃_t, right for data that are one point. Here data are N(0, ¼), T = 100 and β from 0.0001 to
0.2, and the mean is the best there is, so that whatever is wrong is wrong of the variance. All is Gaussian, and the
price can be computed: in the bound, a divergence for each step; in the density of the samples, one divergence.

    bound      Σ_t ½ (r_t − 1 − log r_t),   r_t the right variance over σ_t²
    samples    ½ (r − 1 − log r),           r the variance of the data over that of the samples

The two are not the same. β̃ costs 9.7 nats of the bound, nearly all of them at t = 2, and 0.005 nats of the samples: a
model that draws well may be a bad model by its bound.
"""

from __future__ import annotations

import numpy as np

from demos.common import Stage, main
from scratchgen import plotting
from scratchgen.data.entropy_gap import EntropyGap
from scratchgen.diffusion import DDPM, BestNetwork, GaussianMixtureData, Schedule, along_a_path, linear, terms
from scratchgen.diffusion.best import variance_given
from scratchgen.diffusion.forward import posterior_coefficients
from scratchgen.diffusion.variances import log_beta, log_beta_tilde

TITLE = "Page 12: which reverse variance?"
SECONDS = 8
VARIANCE, T = 0.25, 100
DATA = GaussianMixtureData([1.0], [[0.0]], VARIANCE)
SCHEDULE = linear(T, 1e-4, 0.2)
NAMES = {"beta": "β_t", "beta_tilde": "β̃_t", "optimal": "optimal"}
COLOURS = {"beta": "C0", "beta_tilde": "C3", "optimal": "C2"}


def right_variance(schedule: Schedule) -> np.ndarray:
    """Var[x_{t−1} | x_t] for t = 1 … T, by Gaussian conditioning on the marginal variances."""
    marginal = schedule.alphas_cumprod * VARIANCE + schedule.noise_variance
    return np.asarray(marginal[:-1] * schedule.betas[1:] / marginal[1:])


def taken_variance(name: str, schedule: Schedule) -> np.ndarray:
    """σ_t² for t = 1 … T."""
    if name == "optimal":
        return right_variance(schedule)
    return np.exp((log_beta if name == "beta" else log_beta_tilde)(schedule))[1:]


def divergence(ratio: np.ndarray) -> np.ndarray:
    """KL of two normal distributions of one mean, by the ratio of their variances."""
    return np.asarray(0.5 * (ratio - 1.0 - np.log(ratio)))


def price_of_steps(name: str, schedule: Schedule) -> np.ndarray:
    """The divergence of each step, (T,), in nats."""
    return divergence(right_variance(schedule) / taken_variance(name, schedule))


def price_of_samples(name: str, schedule: Schedule) -> float:
    """KL(data ‖ samples): the variance of x_T = 1, taken through all steps."""
    c, d, _ = posterior_coefficients(schedule, np.arange(1, schedule.T + 1))
    x0_slope = (
        np.sqrt(schedule.alphas_cumprod[1:]) * variance_given(VARIANCE, schedule)[1:] / schedule.noise_variance[1:]
    )
    variance, taken = 1.0, taken_variance(name, schedule)
    for t in range(schedule.T, 0, -1):
        variance = (c[t - 1] * x0_slope[t - 1] + d[t - 1]) ** 2 * variance + taken[t - 1]
    return float(divergence(np.array(VARIANCE / variance)))


def model_of(name: str, schedule: Schedule) -> DDPM:
    """The best mean, with that variance."""
    variance = variance_given(VARIANCE, schedule) if name == "optimal" else name
    return DDPM(BestNetwork(DATA, schedule), schedule, (1,), "x0", variance=variance)


def measured(name: str, x: np.ndarray, noise: np.ndarray) -> tuple[EntropyGap, np.ndarray]:
    """What the negative bound is above that of the right variance, for the same data and noise; and by steps, (T,)."""
    found, best = (terms(model_of(which, SCHEDULE), x, noise=noise).steps for which in (name, "optimal"))
    gap = (found - best).sum(axis=0)
    value = EntropyGap(float(gap.mean()), float(gap.std(ddof=1) / np.sqrt(len(x))))
    return value, (found - best).mean(axis=1)


def draw(stage: Stage, points: dict[str, np.ndarray]) -> None:
    """Variances, and their price, step by step; and the price of all, against the number of steps."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 3.9), layout="constrained")
    t = np.arange(1, T + 1)
    for name, label in NAMES.items():
        style = "--" if name == "optimal" else "-"
        axes[0].plot(t, taken_variance(name, SCHEDULE), style, color=COLOURS[name], label=label, zorder=3)
        if name != "optimal":
            axes[1].plot(t, price_of_steps(name, SCHEDULE), "--", color=COLOURS[name], label=f"{label}, exact")
            positive = np.where(points[name] > 0, points[name], np.nan)
            axes[1].plot(t, positive, ".", color=COLOURS[name], markersize=4, label=f"{label}, measured")
    axes[0].set(xscale="log", yscale="log", xlabel="t", ylabel="variance", title="the variance of a step")
    axes[1].set(
        xscale="log", yscale="log", xlabel="t", ylabel="nats", title="what it costs of the bound", ylim=(1e-6, 20)
    )
    steps = np.unique(np.geomspace(25, 4000, 30).astype(int))
    for name in ("beta", "beta_tilde"):
        of_bound = [price_of_steps(name, linear(n)).sum() for n in steps]
        of_samples = [price_of_samples(name, linear(n)) for n in steps]
        plotting.curves({f"{NAMES[name]}, bound": (steps, of_bound)}, axes[2])
        axes[2].lines[-1].set_color(COLOURS[name])
        axes[2].plot(steps, of_samples, ":", color=COLOURS[name], label=f"{NAMES[name]}, samples")
    axes[2].set(xscale="log", yscale="log", xlabel="number of steps T", title="more steps: the published β, rescaled")
    for ax in axes:
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
    caption = (
        "Data N(0, ¼), the best mean. Left: β_t is near the right variance (dashed), β̃_t far below it for small t. "
        "Middle: the divergence of each step, exact (dashed) and by the terms of the bound (dots, where above 0). "
        "Right: the sum of them and, dotted, how far the density of the samples is from that of the data: far less."
    )
    equation = "KL = ½ (r − 1 − log r),  r = Var[x_{t−1} | x_t] / σ_t²"
    stage.save(figure, "page12_variance", "Which reverse variance?", equation, caption)


def run(stage: Stage, seed: int) -> None:
    """Print the prices beside the known ones, and draw them."""
    n = 1000 if stage.quick else 4000
    rng = np.random.default_rng(seed)
    x, noise = DATA.sample(n, rng), rng.standard_normal((T, n, 1))
    points = {}
    for name in ("beta", "beta_tilde"):
        gap, points[name] = measured(name, x, noise)
        known = price_of_steps(name, SCHEDULE)
        of_samples = price_of_samples(name, SCHEDULE)
        stage.result(
            f"{NAMES[name]}: the bound costs {gap.value:.4f} ± {gap.error:.4f} nats, exactly {known.sum():.4f}, of "
            f"which {known[1]:.4f} at t = 2; the density of samples is {of_samples:.5f} nats from that of the data"
        )
    off = np.abs(along_a_path(model_of("optimal", SCHEDULE), x, noise=noise) - DATA.log_prob(x)).max()
    stage.result(
        f"right variance: on each of {n} paths the bound is log p(x_0), but for at most {off:.1e} nats of the prior"
    )
    draw(stage, points)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
