"""The change of variables in one dimension: p(x) = p_z(f(x)) |f′(x)| (lecture page 11).

Noise z ~ N(0, 1) is mapped to x = z + c tanh(w z + b). Twelve strips of the noise, of equal probability, become twelve
strips of the data: where the map is steep they are stretched, and so the density falls. The formula has to give the
density of that, from f alone, which has no closed form: it is found by Newton's steps within a bracket. It is set
beside the histogram of samples, and beside the truth, which is known along the curve: p(x(z)) = p_z(z) / x′(z).
Without the factor |f′| the curve is no density: it does not integrate to 1.

Then a question that is often asked: may a negative log-likelihood be negative? A density is not a probability. That of
a narrow Gaussian is above 1, so its NLL is below 0; and it depends on the unit in which x is measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.flows import standard_normal
from scratchgen.autodiff import no_grad
from scratchgen.flows import ActNorm, Flow, Inverse, Planar

TITLE = "Page 11: the change of variables"
SECONDS = 3
C, W, B = 1.2, 2.0, 0.5
STRIPS, SAMPLES = 12, 50_000
SCALES = np.geomspace(0.05, 2.0, 9)
HEIGHT, SPREAD = 1.75, 0.07  # of a crowd, in metres
GRID = np.linspace(-7.5, 7.5, 3001)


def to_data(z: np.ndarray) -> np.ndarray:
    """x = z + c tanh(w z + b)."""
    return z + C * np.tanh(W * z + B)


def stretch(z: np.ndarray) -> np.ndarray:
    """x′(z)."""
    return 1 + C * W / np.cosh(W * z + B) ** 2


def normal_density(z: np.ndarray) -> np.ndarray:
    """p_z(z)."""
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)


def flow_of_the_map() -> Flow:
    """The same map as a flow: f, from data to noise, is the inverse of a planar transform."""
    planar = Planar(1, rng=0, dtype=np.float64)
    planar.w.assign([W])
    planar.b.assign([B])
    planar.u.assign([np.log(np.expm1(1 + C * W)) / W])  # log(1 + e^{wu}) − 1 is then c w
    return Flow(Inverse(planar), standard_normal(1, np.float64))


def densities(flow: Flow, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p(x) by the change of variables, and what it would be without the factor |f′(x)|: (n,) each."""
    with no_grad():
        z, logabsdet = flow.transform(x[:, None])
        log_noise = standard_normal(1, np.float64).log_prob(z)
        return np.exp(log_noise + logabsdet).data, np.exp(log_noise).data


def mass(density: np.ndarray) -> float:
    """The integral over GRID, by the sum over its points: at its ends nothing is left."""
    return float(density.sum() * (GRID[1] - GRID[0]))


def mean_stretch() -> float:
    """E[x′(z)] = ∫ p_z(f(x)) dx, by the sum over a grid of z."""
    z, step = np.linspace(-10, 10, 2001, retstep=True)
    return float(np.sum(normal_density(z) * stretch(z)) * step)


def fitted_nll(x: np.ndarray) -> float:
    """The mean NLL, in nats, of the Gaussian with the mean and standard deviation of the data."""
    transform = ActNorm(1, dtype=np.float64)
    transform.start(x)
    return float(Flow(transform, standard_normal(1, np.float64)).loss(x, 0).data)


def entropy(scale: Any) -> Any:
    """½ log(2πe s²): the least mean NLL that a density can have on data from N(0, s²)."""
    return 0.5 * np.log(2 * np.pi * np.e) + np.log(scale)


def run(stage: Stage, seed: int) -> None:
    """Stretch the noise, compare densities, and measure likelihoods in two units."""
    import matplotlib.pyplot as plt

    rng, flow = np.random.default_rng(seed), flow_of_the_map()
    right, wrong = densities(flow, GRID)
    z = np.linspace(-4, 4, 801)
    found, _ = densities(flow, to_data(z))
    error = np.abs(found - normal_density(z) / stretch(z)).max()
    stage.result(
        f"∫ p_z(f(x)) |f′(x)| dx = {mass(right):.8f}, exactly 1; p(x) differs from p_z(z) / x′(z) by {error:.1e}"
    )
    stage.result(f"without |f′(x)| it would be {mass(wrong):.6f}: the mean of x′(z), {mean_stretch():.6f}")

    figure, (left, middle, last) = plt.subplots(
        1, 3, figsize=(15.5, 5), layout="constrained", width_ratios=[1.25, 1, 1]
    )
    draw_strips(left)
    samples = flow.sample(SAMPLES, rng)[:, 0]
    middle.hist(samples, bins=200, range=(-7.5, 7.5), density=True, color="0.82", label=f"{SAMPLES:,} samples")
    middle.plot(GRID, right, color="#3b75af", linewidth=2.5, label="p_z(f(x)) |f′(x)|")
    middle.plot(GRID, wrong, color="#c44e52", linewidth=1.2, label="p_z(f(x)), without the factor")
    middle.plot(to_data(z), normal_density(z) / stretch(z), "k--", linewidth=1.2, label="exact, along the curve")
    middle.set(xlabel="x", ylabel="density", xlim=(-4.5, 4.5), ylim=(0, 0.62), title="The density of x")
    middle.legend(fontsize="small", loc="upper left")
    draw_scales(stage, last, rng)
    stage.save(
        figure,
        "page11_change_of_variables",
        "The change of variables",
        "p(x) |dx| = p_z(z) |dz|,   so   log p(x) = log p_z(f(x)) + log |f′(x)|",
        "Left: twelve strips of the noise (below) of equal probability, and what they become (at the side). Where the "
        "map is steep, a strip is spread over a longer piece of x, and the density is low: one mode becomes two. "
        "Middle: the formula agrees with the samples and with the exact density; without |f′| it is no density. Right: "
        "the mean NLL of data from N(0, s²), by a fitted Gaussian. It is the entropy, which is negative for s < 0.242: "
        "a density may exceed 1, and its logarithm 0.",
    )


def draw_strips(ax: Any) -> None:
    """The map, the density of the noise below it and that of the data at its side, in strips of equal probability."""
    from matplotlib import colormaps
    from scipy.stats import norm

    edges = norm.ppf(np.linspace(0, 1, STRIPS + 1)).clip(-3.3, 3.3)
    z, low, side = np.linspace(-3.3, 3.3, 601), -7.4, -5.6  # where the bases of the two densities lie
    ax.plot(z, to_data(z), color="k", linewidth=1.8)
    for i in range(STRIPS):
        strip = np.linspace(edges[i], edges[i + 1], 50)
        colour = colormaps["viridis"](0.08 + 0.84 * (i % 2) * 0.5 + 0.42 * i / STRIPS)
        ax.fill_between(strip, low, low + 5.5 * normal_density(strip), color=colour, linewidth=0)
        ax.fill_betweenx(to_data(strip), side, side + 5.5 * normal_density(strip) / stretch(strip), color=colour, lw=0)
    for edge in edges[1:-1]:
        ax.plot([edge, edge, side], [low, to_data(edge), to_data(edge)], color="0.75", linewidth=0.6, zorder=0)
    ax.set(xlim=(side, 3.3), ylim=(low, 4.6), xlabel="z, noise", ylabel="x, data")
    ax.set_xticks([-2, 0, 2])
    ax.set_yticks([-4, -2, 0, 2, 4])
    ax.set_title("x = z + 1.2 tanh(2z + ½), and strips of probability 1/12")


def draw_scales(stage: Stage, ax: Any, rng: np.random.Generator) -> None:
    """The NLL of narrow and wide Gaussians, and of one crowd in two units."""
    measured = [fitted_nll(s * rng.standard_normal((SAMPLES, 1))) for s in SCALES]
    ax.axhspan(-2, 0, color="#55a868", alpha=0.12, linewidth=0)
    ax.axhline(0, color="0.5", linewidth=0.8)
    ax.plot(SCALES, measured, "o", color="#3b75af", label=f"mean NLL of {SAMPLES:,} samples")
    ax.plot(SCALES, entropy(SCALES), "k--", linewidth=1.2, label="entropy ½ log(2πe s²)")
    ax.set(
        xscale="log", xlabel="standard deviation s", ylabel="nats", ylim=(-2, 2.4), title="A negative NLL is allowed"
    )
    ax.set_xticks([0.05, 0.1, 0.2, 0.5, 1, 2], ["0.05", "0.1", "0.2", "0.5", "1", "2"])
    ax.legend(fontsize="small", loc="upper left")
    stage.result(
        f"N(0, {SCALES[0]:.2f}²): mean NLL {measured[0]:.4f} ± {1 / np.sqrt(2 * SAMPLES):.4f}, "
        f"exactly {entropy(SCALES[0]):.4f}"
    )
    crowd = HEIGHT + SPREAD * rng.standard_normal((SAMPLES, 1))
    metres, centimetres = fitted_nll(crowd), fitted_nll(100 * crowd)
    stage.result(
        f"one crowd, in metres {metres:.4f} nats, in centimetres {centimetres:.4f}: {centimetres - metres:.6f} more, "
        f"exactly log 100 = {np.log(100):.6f}"
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
