"""How many steps? The order of each sampler, without sampling (lecture page 12).

On the line, what a sampler does to the *density* can be computed, and not only to samples. A step of Euler–Maruyama or
of Langevin adds normal noise to a function of x: the density after it is an integral, here a sum over a fine grid. A
step of Euler or Heun moves x, and with it the probability on its left. So the distance between what comes out and the
data, half of ∫ |q(x) − p_0(x)| dx, is known to many digits, with the exact score of a mixture, from the exact p_1.

It is plotted against the number of evaluations of the score, which is what costs time in a trained model. On two
logarithmic scales an order is a slope: Euler–Maruyama and Euler fall as 1/N, Heun, which evaluates twice a step, as
1/N²; RK45 chooses its own steps. The predictor–corrector sampler evaluates twice as well; with an exact score there is
little to correct, and half as many steps are the worse bargain.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.diffusion import VP, GaussianMixtureData, Marginals, euler_maruyama, heun, rk45
from scratchgen.diffusion.integrators import euler_maruyama_step
from scratchgen.diffusion.langevin import at_time, langevin_step

TITLE = "Page 12: the order of each sampler"
SECONDS = 8
DATA = GaussianMixtureData([0.3, 0.7], [[-1.5], [1.0]], [[[0.15]], [[0.3]]])
SDE = VP(0.5, 10.0)
SNR = 0.16
STEPS, QUICK_STEPS = (16, 32, 64, 128, 256, 512), (16, 32, 64, 128, 256)
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)  # looser ones let paths cross
GRID = np.linspace(-5.0, 5.0, 801)  # finer than the smallest noise of a step
WIDTH = GRID[1] - GRID[0]


def moved_by(step: Callable[[np.ndarray, float], np.ndarray], q: np.ndarray) -> np.ndarray:
    """The density on the grid after a step (x, ε) ↦ m(x) + s ε: ∫ q(x) N(·; m(x), s²) dx, as a sum."""
    mean = step(GRID[:, None], 0.0)[:, 0]
    s = (step(GRID[:, None], 1.0)[:, 0] - mean)[0]
    z = (GRID[:, None] - mean) / s  # (to, from)
    return np.exp(-0.5 * z * z) @ q * (WIDTH / (s * np.sqrt(2 * np.pi)))


def by_noise(p: Marginals, steps: int, corrections: int) -> np.ndarray:
    """The density that Euler–Maruyama, or the predictor–corrector sampler, makes of p_1."""
    reverse, times = p.sde.reverse(p.score), np.linspace(1, 0, steps + 1)
    q = np.exp(p.log_prob(GRID[:, None], 1.0))
    for t, after in pairwise(times.tolist()):
        q = moved_by(lambda x, e, t=t, h=after - t: euler_maruyama_step(reverse, x, t, h, e), q)
        delta = 2 * (SNR * float(p.sde.marginal(after)[1])) ** 2
        for _ in range(corrections if delta > 0 else 0):
            q = moved_by(lambda x, e, t=after, d=delta: langevin_step(at_time(p.score, t), x, d, e), q)
    return q


def distance_of_density(p: Marginals, q: np.ndarray) -> float:
    """½ ∫ |q − p_0| dx on the grid."""
    return float(0.5 * WIDTH * np.abs(q - np.exp(p.log_prob(GRID[:, None], 0.0))).sum())


def distance_of_map(p: Marginals, follow: Callable[[np.ndarray], np.ndarray]) -> float:
    """The same for x₁ ↦ follow(x₁), from how much of p_1 and of p_0 is in each of many cells."""
    x1 = np.linspace(-6.0, 6.0, 3001)[:, None]
    moved = follow(x1)
    assert np.all(np.diff(moved[:, 0]) > 0), "the steps are too large: paths cross"
    return float(0.5 * np.abs(np.diff(below(p, x1, 1.0)) - np.diff(below(p, moved, 0.0))).sum())


def below(p: Marginals, x: np.ndarray, t: float) -> np.ndarray:
    """The probability that p_t has to the left of each x."""
    from scipy.special import ndtr

    a, s = p.sde.marginal(t)
    z = (x - a * p.data.means[:, 0]) / np.sqrt(a**2 * p.data.covariances[:, 0, 0] + s**2)  # (n, K)
    return ndtr(z) @ p.data.weights


def measured(p: Marginals, counts: tuple[int, ...]) -> dict[str, tuple[list[float], list[float]]]:
    """Sampler → how often it evaluates the score, and how far from the data its distribution is."""
    flow = p.sde.reverse(p.score, probability_flow=True)
    calls = 0

    def counted(x: Any, t: Any) -> Any:
        nonlocal calls
        calls += 1
        return flow(x, t)

    def by(method: Any, steps: int) -> float:
        return distance_of_map(p, lambda x: method(flow, x, np.linspace(1, 0, steps + 1)))

    found: dict[str, tuple[list[float], list[float]]] = {
        "reverse SDE, Euler–Maruyama": ([*counts], [distance_of_density(p, by_noise(p, n, 0)) for n in counts]),
        "reverse SDE, predictor–corrector": (
            [n for n in counts if n // 2 >= 16],
            [distance_of_density(p, by_noise(p, n // 2, 1)) for n in counts if n // 2 >= 16],
        ),
        "probability flow, Euler": ([*counts], [by(euler_maruyama, n) for n in counts]),
        "probability flow, Heun": ([*counts], [by(heun, n // 2) for n in counts]),
        "probability flow, RK45": ([], []),
    }
    for tolerance in TOLERANCES:
        calls = 0
        error = distance_of_map(p, lambda x, tolerance=tolerance: rk45(counted, x, [1, 0], tolerance))
        found["probability flow, RK45"][0].append(calls)
        found["probability flow, RK45"][1].append(error)
    return found


def slope(counts: list[float], errors: list[float]) -> float:
    """The order: how the error fell over the last doubling."""
    return float(np.log(errors[-2] / errors[-1]) / np.log(counts[-1] / counts[-2]))


def run(stage: Stage, seed: int) -> None:
    """Compute the distances, the orders and the picture; nothing is random."""
    import matplotlib.pyplot as plt

    p = DATA.diffused(SDE)
    found = measured(p, QUICK_STEPS if stage.quick else STEPS)
    orders = {"Euler–Maruyama": 1, "Euler": 1, "Heun": 2}
    for name, (counts, errors) in found.items():
        short = name.split(", ")[1]
        order = f"; order {slope(counts, errors):.2f}, {orders[short]} in theory" if short in orders else ""
        stage.result(f"{name}: distance to the data {errors[-1]:.2e} after {counts[-1]:.0f} evaluations{order}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained", width_ratios=(3, 2))
    for (name, (counts, errors)), marker in zip(found.items(), "os^Dv"):
        left.loglog(counts, errors, marker=marker, ms=5, lw=1.2, label=name)
    n = np.array([16.0, 512.0])
    for order, height, shade, power in ((1, 4.0, "0.2", "1/N"), (2, 1.2, "0.6", "1/N²")):
        left.loglog(n, height / n**order, "--", color=shade, lw=1, label=f"falls as {power}")
    left.set(xlabel="evaluations of the score", ylabel="½ ∫ |q − p₀| dx", title="how far from the data")
    left.set_xticks(STEPS, [str(count) for count in STEPS])
    left.minorticks_off()
    left.grid(alpha=0.3)
    left.legend(fontsize="small")
    for steps, colour in zip((16, 32, 128), ("tab:blue", "tab:cyan", "tab:purple")):
        right.plot(GRID, by_noise(p, steps, 0), color=colour, lw=1.2, label=f"Euler–Maruyama, {steps} steps")
    right.plot(GRID, np.exp(p.log_prob(GRID[:, None], 0.0)), "k--", lw=1.2, label="the data")
    right.set(xlim=(-3.5, 3.5), xlabel="x", ylabel="density", title="what comes out")
    right.legend(fontsize="small")
    stage.save(
        figure,
        "page12_steps",
        "The order of each sampler",
        "x' = x + f h + g √|h| ε;   x̃ = x + v h,  x' = x + ½ [v(x, t) + v(x̃, t + h)] h",
        "Left: distance between the density that a sampler makes of p_1 and that of the data, computed, not sampled; "
        "VP with the exact score of a mixture; equal steps, but those of RK45. Dashed: what falls as 1/N and as 1/N² "
        "with N evaluations. Right: the densities that Euler–Maruyama makes with few steps.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
