"""Jensen's inequality by hand, lecture page 4: log p(x) = log E_q[w] ≥ E_q[log w] = ELBO, with w = p(x, z)/q(z).

z is one number, x = (z + ¼)² + noise. Of x = 1.5 there are two explanations, so the posterior has two modes. A normal
q(z) slides over them. log p(x) is known, by integration on a grid, and so is the gap, KL(q ‖ posterior).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from scratchgen.distributions import Independent, Normal
from scratchgen.latent import (
    log_joint,
    log_weights,
    marginal_by_grid,
    marginal_by_importance,
    quadrature,
    three_terms,
)

TITLE = "Page 4: Jensen's inequality by hand"
SECONDS = 2
X = np.array([[1.5]])
VARIANCE = 0.3
GRID = np.linspace(-16, 16, 8001)
STEP = GRID[1] - GRID[0]
MEANS, STDS = np.linspace(-3, 2.5, 221), np.geomspace(0.08, 2.5, 121)
VALLEY = -0.25  # where the posterior is lowest between its modes, about
SAMPLES = 100_000
COLOURS = ["#3b75af", "#c44e52", "#55a868"]


class Parabola:
    """z ~ N(0, 1), x = (z + ¼)² + ε with Var ε = 0.3."""

    def prior(self, like: Any) -> Independent:
        """p(z)."""
        return Independent(Normal(np.zeros(1), 0.0), 1)

    def decode(self, z: Any) -> Independent:
        """p(x | z) for z (N, 1)."""
        return Independent(Normal((z + 0.25) ** 2, float(np.log(VARIANCE))), 1)


MODEL = Parabola()


def normal(mean: Any, std: Any) -> Independent:
    """A batch of q(z), from means and standard deviations (B,)."""
    return Independent(Normal(np.asarray(mean)[:, None], 2 * np.log(np.asarray(std)[:, None])), 1)


def elbo(mean: Any, std: Any) -> np.ndarray:
    """The ELBO of each q, exactly: log p(x, z) is of degree 4 in z, and five nodes are exact to degree 9."""
    q = normal(mean, std)
    return three_terms(MODEL, np.repeat(X, len(q.mean), axis=0), quadrature(q, order=5)).total


def posterior() -> tuple[np.ndarray, float]:
    """log p(z | x) on the grid, and log p(x)."""
    log_p = float(marginal_by_grid(MODEL, X, nodes=4001).value[0])
    return log_joint(MODEL, X, GRID[:, None, None])[:, 0] - log_p, log_p


def divergence(mean: float, std: float, log_posterior: np.ndarray) -> float:
    """KL(q ‖ posterior) on the grid, without any use of the ELBO."""
    log_q = normal([mean], [std]).log_prob(GRID[:, None, None])[:, 0]
    return float(np.sum(np.exp(log_q) * (log_q - log_posterior)) * STEP)


class Choice(NamedTuple):
    """One q to look at."""

    name: str
    mean: float
    std: float


class Running(NamedTuple):
    """The weights of one q, sample by sample, and where they lead."""

    sum_log: np.ndarray  # Σ log w
    log_sum: np.ndarray  # log Σ w
    bound: float  # the ELBO
    within: float  # log of the integral of p(x, z) over what the samples reach


def best_choices(bounds: np.ndarray) -> list[Choice]:
    """The q at which the bound has a local maximum: one at each mode, and a wide one that covers both.

    Args:
        bounds: the ELBO for each of MEANS and STDS.
    """
    neighbours = np.lib.stride_tricks.sliding_window_view(bounds, (3, 3)).max(axis=(2, 3))
    places = np.argwhere(bounds[1:-1, 1:-1] == neighbours) + 1
    found: dict[str, Choice] = {}
    for i, j in sorted(places, key=lambda place: bounds[tuple(place)]):  # of neighbours on a ridge, the higher remains
        name = "both modes" if STDS[j] > 0.5 else "left mode" if MEANS[i] < VALLEY else "right mode"
        found[name] = Choice(name, float(MEANS[i]), float(STDS[j]))
    return [found[name] for name in ("left mode", "right mode", "both modes")]


def run(stage: Stage, seed: int) -> None:
    """Slide q over the posterior, and draw the bound below the truth."""
    import matplotlib.pyplot as plt

    log_posterior, log_p = posterior()
    mean, std = (each.ravel() for each in np.meshgrid(MEANS, STDS, indexing="ij"))
    bounds = elbo(mean, std).reshape(len(MEANS), len(STDS))
    chosen = best_choices(bounds)
    left = float(np.sum(np.exp(log_posterior[GRID < VALLEY])) * STEP)
    stage.result(f"log p(x) = {log_p:.6f}; P(left mode | x) = {left:.4f}; the bound has {len(chosen)} local maxima")

    reached = [log_p + np.log(left), log_p + np.log1p(-left), log_p]  # what E_q[w] is without the far mode
    running = []
    for q, within in zip(chosen, reached):
        bound, kl = float(elbo([q.mean], [q.std])[0]), divergence(q.mean, q.std, log_posterior)
        stage.result(
            f"{q.name}, q = N({q.mean:.3f}, {q.std:.3f}²): ELBO {bound:.6f} + KL {kl:.6f} = {bound + kl:.6f}, "
            f"exactly {log_p:.6f}"
        )
        one = normal([q.mean], [q.std])
        log_mean = marginal_by_importance(MODEL, X, lambda x, one=one: one, SAMPLES, seed)
        log_w = log_weights(MODEL, X, one, one.sample(SAMPLES, seed))[:, 0]
        which = "exactly" if within == log_p else "without the far mode"
        stage.result(
            f"    {SAMPLES:,} samples: mean of log w {log_w.mean():.4f}, log of mean w {log_mean.value[0]:.4f} "
            f"± {log_mean.error[0]:.4f} ({which} {within:.4f}), effective sample size {log_mean.effective[0]:,.0f}"
        )
        running.append(Running(np.cumsum(log_w), np.logaddexp.accumulate(log_w), bound, within))
    draw(stage, plt, log_posterior, log_p, bounds, chosen, running)


def draw(
    stage: Stage,
    plt: Any,
    log_posterior: np.ndarray,
    log_p: float,
    bounds: np.ndarray,
    chosen: list[Choice],
    running: list[Running],
) -> None:
    """The picture: the densities, the bound along m, over m and s, and from samples."""
    figure, axes = plt.subplots(2, 2, figsize=(12, 8.6), layout="constrained")
    densities, along, over, sampled = axes.ravel()
    seen = np.abs(GRID) < 3.2
    densities.fill_between(GRID[seen], np.exp(log_posterior[seen]), color="0.85", label="posterior p(z | x)")
    for q, colour in zip(chosen, COLOURS):
        density = np.exp(normal([q.mean], [q.std]).log_prob(GRID[:, None, None]))[:, 0]
        densities.plot(GRID[seen], density[seen], color=colour, label=f"q for {q.name}")
    densities.set(xlabel="z", ylabel="density", title="Two explanations of x, and three q")

    for std, colour in ((chosen[1].std, "#8172b3"), (1.1, "#937860"), (chosen[2].std, COLOURS[2])):
        bound = elbo(MEANS, np.full(len(MEANS), std))
        along.plot(MEANS, bound, color=colour, label=f"ELBO, std s = {std:.2f}")
        if std == chosen[1].std:
            along.fill_between(MEANS, bound, log_p, color=colour, alpha=0.15, label="gap = KL(q ‖ posterior)")
    along.axhline(log_p, color="k", linestyle="--", linewidth=1, label=f"log p(x) = {log_p:.3f}")
    along.set(xlabel="mean m of q", ylabel="nats", ylim=(-9, 2.5), title="The bound, as q slides")
    along.legend(fontsize="small", ncols=2, loc="upper center")

    gap, nats = np.log10(log_p - bounds.T), [0.5, 1, 2, 5, 10, 20, 50, 100, 300]
    filled = over.contourf(MEANS, STDS, gap, levels=np.arange(-0.5, 2.6, 0.125), cmap="viridis_r", extend="both")
    figure.colorbar(filled, ax=over, label="gap, nats", ticks=np.log10(nats)).ax.set_yticklabels([str(n) for n in nats])
    for q, colour in zip(chosen, COLOURS):
        over.plot(q.mean, q.std, "o", color=colour, markeredgecolor="white", markersize=9)
    over.set(xlabel="mean m of q", ylabel="standard deviation s of q", yscale="log", title="The gap, for every q")
    over.set_yticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])

    count = np.arange(1, SAMPLES + 1)
    shown = np.unique(np.geomspace(1, SAMPLES, 400).astype(int)) - 1
    for i, (of, colour) in enumerate(zip(running, COLOURS)):
        names = ("log of the mean of w", "mean of log w", "its ELBO", "log p(x), or without the far mode")
        labels = names if i == 0 else [None] * 4
        sampled.plot(count[shown], (of.log_sum - np.log(count))[shown], color=colour, label=labels[0])
        sampled.plot(count[shown], (of.sum_log / count)[shown], color=colour, linewidth=0.8, label=labels[1])
        sampled.axhline(of.bound, color=colour, linestyle=":", linewidth=1.2, label=labels[2])
        sampled.axhline(of.within, color=colour, linestyle="--", linewidth=1, label=labels[3])
    sampled.set(xscale="log", ylim=(-5, -1.2), xlabel="samples", ylabel="nats")
    sampled.set_title("log E[w] ≥ E[log w], from samples")
    sampled.legend(fontsize="small", ncols=2, loc="lower center")
    densities.legend(fontsize="small")
    for ax in (densities, along, sampled):
        ax.grid(alpha=0.3)
    stage.save(
        figure,
        "page04_jensen",
        "Jensen's inequality by hand",
        "log p(x) = log E_q[w] ≥ E_q[log w] = ELBO,   w = p(x, z)/q(z),   gap = KL(q ‖ p(z | x))",
        "The bound stays below log p(x) for every mean and standard deviation of q, by exactly the divergence from the "
        "posterior. It has three local maxima: one at each mode, and the lowest where q covers both. From samples, the "
        "mean of log w goes to the ELBO (dotted, colours as above). The log of the mean of w goes to log p(x) (dashed) "
        "for the q that covers both modes. For the others it stays near what log p(x) would be without the far mode, "
        "which no sample hits; it jumps up where a sample strays towards it, and such samples are too few to trust.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
