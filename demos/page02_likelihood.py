"""Maximum likelihood: lecture page 2, on 40 numbers drawn from N(1.5, 0.8²).

The log-likelihood of a normal distribution is drawn over its mean and log standard deviation. Gradient ascent climbs to
the top, which is known: the mean and standard deviation of the data. Then the product of probabilities is set beside
the sum of their logarithms: they say the same, but the product is soon too small a number for a computer to hold.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import Tensor
from scratchgen.distributions import Normal
from scratchgen.plotting import curves

TITLE = "Page 2: maximum likelihood"
SECONDS = 2
MEAN, STD, ROWS = 1.5, 0.8, 40
START = -1.0, np.log(3.0)  # of the mean and the log standard deviation
RATE, STEPS = 0.2, 80
MANY = 2000  # rows for the product
LOG_2PI = np.log(2 * np.pi)


def log_likelihood(x: np.ndarray, mean: Any, log_std: Any) -> Any:
    """The mean of log p(x_i) over the data, nats per example."""
    return np.mean(Normal(mean, 2 * log_std).log_prob(x))


def ascend(x: np.ndarray, rate: float = RATE, steps: int = STEPS) -> np.ndarray:
    """Gradient ascent from START: mean, log std and log-likelihood before each step and at the end, (steps + 1, 3)."""
    mean, log_std = (Tensor(value, requires_grad=True) for value in START)
    path = []
    for _ in range(steps + 1):
        mean.grad = log_std.grad = None
        value = log_likelihood(x, mean, log_std)
        value.backward()
        path.append((float(mean.data), float(log_std.data), float(value.data)))
        mean.assign(mean.data + rate * mean.grad)
        log_std.assign(log_std.data + rate * log_std.grad)
    return np.array(path)


def optimum(x: np.ndarray) -> tuple[float, float, float]:
    """The mean and log std of the data, of which no other has a higher log-likelihood, and that log-likelihood."""
    log_std = np.log(np.std(x))  # divided by N, not N − 1
    return float(np.mean(x)), float(log_std), float(-0.5 * (1 + LOG_2PI) - log_std)


def underflow(log_p: np.ndarray, dtype: type) -> tuple[np.ndarray, int, int]:
    """The product p_1 p_2 … p_n for each n, multiplied in ``dtype``; the first n where it is 0, and where it should be.

    The smallest number above 0 is 2^−149 in float32 and 2^−1074 in float64; what is less than half of it is rounded
    to 0. The sum of logs tells when that is; close to it a product has few bits left, and may be 0 a step sooner.
    """
    products = np.cumprod(np.exp(log_p).astype(dtype))
    log_of_half = np.log(np.finfo(dtype).smallest_subnormal, dtype=np.float64) - np.log(2)
    return products, 1 + int(np.argmax(products == 0)), 1 + int(np.argmax(np.cumsum(log_p) < log_of_half))


def run(stage: Stage, seed: int) -> None:
    """Draw the surface with the path on it, then the product and the sum."""
    rng = np.random.default_rng(seed)
    x = MEAN + STD * rng.standard_normal(ROWS)
    show_surface(stage, x)
    show_product(stage, MEAN + STD * rng.standard_normal(MANY))


def show_surface(stage: Stage, x: np.ndarray) -> None:
    """The log-likelihood over (mean, log std), and the way up."""
    import matplotlib.pyplot as plt

    path, best = ascend(x), optimum(x)
    for name, reached, exact in zip(("mean", "log std", "log-likelihood per number"), path[-1], best):
        stage.result(f"{name}: {reached:.6f} after {STEPS} steps of gradient ascent, closed form {exact:.6f}")

    means, log_stds = np.meshgrid(np.linspace(-1.6, 4.0, 200), np.linspace(-0.8, 1.6, 200))
    surface = np.mean(Normal(means, 2 * log_stds).log_prob(np.broadcast_to(x[:, None, None], (ROWS, 200, 200))), axis=0)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", width_ratios=[1.35, 1])
    levels = [0, 0.03, 0.1, 0.25, 0.5, 1, 2, 4, 8]
    shades = plt.colormaps["Blues"](np.linspace(0.75, 0.0, len(levels)))
    drawn = left.contourf(means, log_stds, np.maximum(best[2] - surface, 0), levels, colors=shades, extend="max")
    left.plot(path[:, 0], path[:, 1], ".-", color="#d1495b", markersize=4, linewidth=1, label="gradient ascent")
    left.axvline(best[0], color="k", linestyle="--", linewidth=1, label="closed form: mean, std of the data")
    left.axhline(best[1], color="k", linestyle="--", linewidth=1)
    left.plot(MEAN, np.log(STD), "x", color="k", label="drawn from")
    left.set(xlabel="mean", ylabel="log std", title="The log-likelihood of each mean and std")
    left.legend(loc="upper right", fontsize="small")
    figure.colorbar(drawn, ax=left, label="below the top, nats per number")
    climb = {"gradient ascent": (np.arange(len(path)), path[:, 2])}
    curves(climb, right, {"closed form": best[2]}, ylabel="nats per number")
    right.set_title("The way up")
    stage.save(
        figure,
        "page02_surface",
        "The top of the likelihood is known",
        "log p(x) = Σ_i log N(x_i; m, σ²) is largest at  m = mean of x,  σ² = mean of (x − m)²",
        "The log-likelihood of 40 numbers, and gradient ascent on it with steps of 0.2 times the gradient. The top is "
        "where the dashed lines cross: the mean and std of these 40 numbers, near those that they were drawn from.",
    )


def show_product(stage: Stage, x: np.ndarray) -> None:
    """p(x_1) … p(x_n) against n, as a product and as a sum of logs."""
    import matplotlib.pyplot as plt

    p = Normal(MEAN, 2 * np.log(STD))
    entropy = float(p.entropy())
    n = np.arange(1, len(x) + 1)
    log_p = p.log_prob(x)
    logs = np.cumsum(log_p)
    error = np.sqrt(len(x) / 2)  # of the sum: −log p is a constant plus η² / 2, of variance ½
    expected = f"{-MANY * entropy:.1f} ± {error:.1f}"
    stage.result(f"sum of logs at n = {MANY}: {logs[-1]:.1f}, expected −n × entropy = {expected}")

    figure, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
    ax.plot(n, logs / np.log(10), color="#3b75af", linewidth=3, alpha=0.5, label="sum of logs")
    for dtype, colour in ((np.float32, "#d1495b"), (np.float64, "#e0a030")):
        products, first, exact = underflow(log_p, dtype)
        name = f"product in {dtype.__name__}: 0 from n = {first} on"
        stage.result(f"{name}; by the sum of logs it is too small from n = {exact} on")
        ax.plot(n[: first - 1], np.log10(products[: first - 1]), color=colour, linewidth=2, label=name)
        ax.annotate(
            "", (first, -1100), (first, np.log10(products[first - 2])), arrowprops={"arrowstyle": "->", "color": colour}
        )
    ax.plot(n, -n * entropy / np.log(10), "k--", linewidth=1, label="expected: −n × entropy")
    ax.set(xlabel="n", ylabel="log10 of p(x_1) p(x_2) … p(x_n)", ylim=(-1100, 50))
    ax.legend()
    ax.grid(alpha=0.3)
    stage.save(
        figure,
        "page02_product",
        "The product underflows, the sum does not",
        "arg max ∏_i p(x_i) = arg max Σ_i log p(x_i)",
        "The probability density of n numbers. As a product it becomes 0 (arrows), its logarithm −∞, where it is less "
        "than the smallest number of its type. The sum of logs goes on.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
