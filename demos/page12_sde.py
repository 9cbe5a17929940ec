"""The picture of the page: data become noise by an SDE, and noise becomes data by its reverse (lecture page 12).

The data are mixtures of normal distributions. Then p_t is one too, at every t, and its score ∇ log p_t(x), the only
thing that has to be known for the way back, needs no learning: what is seen is the mathematics without an error of a
network. First on the line, where p_t is a picture, with paths forwards, backwards by the reverse SDE, and backwards by
the probability flow, which has no noise and the same p_t. Then eight normal distributions in the plane, as a film strip
and as an animation.

Draws are compared with the data by E[−log p_0(x)], which has to be the entropy, neither more nor less, and by how many
come to each of the eight. And two slips are made on purpose, each of one character: g for g², and no ½.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.data import EightGaussians
from scratchgen.diffusion import SDE, VE, VP, GaussianMixtureData, Marginals, SubVP, euler_maruyama, heun

TITLE = "Page 12: an SDE to noise, and back by the exact score"
SECONDS = 10
STEPS, FLOW_STEPS, N = 500, 150, 3000
STRIP = (0.0, 0.06, 0.14, 0.25, 0.45, 1.0)  # the times of the film
PATHS, SHOWN = 12, 700
FRAMES, PAUSE = 60, 12
ON_THE_LINE = GaussianMixtureData([0.3, 0.7], [[-2.0], [1.2]], [[[0.05]], [[0.12]]])


def eight() -> GaussianMixtureData:
    """The toy, as a mixture whose diffusion is known."""
    toy = EightGaussians()
    return GaussianMixtureData(toy.weights, toy.centres, toy.variance)


def grid_of_times(steps: int) -> np.ndarray:
    """From 1 to 0, closer to each other towards 0, where p_t changes fast: t = u²."""
    return np.linspace(1, 0, steps + 1) ** 2


def described(x: np.ndarray, data: GaussianMixtureData) -> tuple[float, float, float]:
    """E[−log p_0] over draws, its standard error, and χ² of how many are next to each mean, per degree of freedom."""
    cost = -data.log_prob(x)
    nearest = np.argmin(np.sum((x[:, None] - data.means) ** 2, axis=-1), axis=1)
    counts, K = np.bincount(nearest, minlength=len(data.means)), len(data.means)
    expected = len(x) * data.weights
    return (
        float(cost.mean()),
        float(cost.std() / len(x) ** 0.5),
        float(np.sum((counts - expected) ** 2 / expected) / (K - 1)),
    )


def g_for_its_square(p: Marginals) -> Callable[[Any, Any], Any]:
    """The reverse SDE with a slip: f − g ∇ log p."""

    def reverse(x: Any, t: Any) -> Any:
        f, g = p.sde(x, t)
        return f - g * p.score(x, t), g

    return reverse


def without_half(p: Marginals) -> Callable[[Any, Any], Any]:
    """The probability flow with a slip: f − g² ∇ log p, and no noise."""

    def reverse(x: Any, t: Any) -> Any:
        f, g = p.sde(x, t)
        return f - g * g * p.score(x, t), 0.0

    return reverse


def run(stage: Stage, seed: int) -> None:
    """Walk forwards and back on the line and in the plane, and compare what comes back with the data."""
    rng = np.random.default_rng(seed)
    draw_line(stage, ON_THE_LINE.diffused(VP()), rng)

    data, entropy = eight(), EightGaussians().entropy()
    times, fewer = grid_of_times(STEPS), grid_of_times(FLOW_STEPS)
    sdes: dict[str, SDE] = {"VP": VP(), "sub-VP": SubVP(), "VE": VE(std_max=50.0)}
    for name, sde in sdes.items():
        p = data.diffused(sde)
        x = sde.prior(2).sample(N, rng)
        ends = {
            "reverse SDE": euler_maruyama(sde.reverse(p.score), x, times, rng),
            "probability flow": heun(sde.reverse(p.score, probability_flow=True), x, fewer),
        }
        for way, end in ends.items():
            cost, error, spread = described(end, data)
            stage.result(
                f"{name}, {way}: E[−log p_0] of {N} draws {cost:.3f} ± {error:.3f} nats, entropy {entropy:.3f}; "
                f"χ² of the eight {spread:.2f} per degree of freedom, about 1 expected"
            )
    p = data.diffused(sdes["VP"])
    x = p.sde.prior(2).sample(N, rng)
    for slip, wrong in (("g in place of g²", g_for_its_square(p)), ("no ½ in the probability flow", without_half(p))):
        cost, error, _ = described(euler_maruyama(wrong, x, times, rng), data)
        verdict = "spread out" if cost > entropy else "too near the modes"
        stage.result(f"VP with a slip, {slip}: {cost:.3f} ± {error:.3f} nats, entropy {entropy:.3f}: {verdict}")

    draw_strip(stage, p, rng)
    draw_motion(stage, p, rng)


def draw_line(stage: Stage, p: Marginals, rng: np.random.Generator) -> None:
    """p_t on the line as shades, with paths of the three equations, and histograms of the ends."""
    import matplotlib.pyplot as plt

    times = grid_of_times(STEPS)
    x0 = p.data.sample(3000, rng)
    forward = euler_maruyama(p.sde, x0, times[::-1], rng, path=True)[..., 0]  # (steps + 1, n)
    x1 = p.sde.prior(1).sample(3000, rng)
    back = euler_maruyama(p.sde.reverse(p.score), x1, times, rng, path=True)[..., 0]
    flow = heun(p.sde.reverse(p.score, probability_flow=True), x1, times, path=True)[..., 0]

    grid = np.linspace(-3.4, 3.4, 300)
    t = np.linspace(0, 1, 200)
    density = np.exp([p.log_prob(grid[:, None], time) for time in t]).T  # (x, t)
    shades = np.sqrt(density / density.max(axis=0))
    figure, axes = plt.subplots(
        1, 5, figsize=(14, 4.4), layout="constrained", width_ratios=(1, 4, 1, 4, 1), sharey=True
    )
    for ax, title in ((axes[1], "forward: dx = f dt + g dw"), (axes[3], "back: dx = [f − g² ∇ log p] dt + g dw")):
        ax.set(title=title, xlabel="t", ylim=(-3.4, 3.4))
        ax.imshow(shades, extent=(0, 1, -3.4, 3.4), origin="lower", aspect="auto", cmap="Blues", vmax=1.6)
    axes[3].set_xlim(1, 0)
    picks = np.argsort(x0[:PATHS, 0]), np.argsort(x1[:PATHS, 0])
    for i in picks[0]:
        axes[1].plot(times[::-1], forward[:, i], lw=0.8, color="tab:red" if x0[i, 0] < -0.5 else "tab:orange")
    for k, i in enumerate(picks[1]):
        axes[3].plot(times, back[:, i], lw=0.8, color="tab:red", label="" if k else "reverse SDE")
        axes[3].plot(times, flow[:, i], lw=1.3, color="k", label="" if k else "probability flow")
    axes[3].legend(loc="upper left", fontsize="small")
    for ax, ends, time, title in (
        (axes[0], [forward[0]], 0.0, "data"),
        (axes[2], [forward[-1]], 1.0, "noise"),
        (axes[4], [back[-1], flow[-1]], 0.0, "drawn"),
    ):
        for end, colour in zip(ends, ("tab:red" if len(ends) > 1 else "0.6", "k")):
            ax.hist(end, 60, range=(-3.4, 3.4), density=True, orientation="horizontal", color=colour, histtype="step")
        ax.plot(np.exp(p.log_prob(grid[:, None], time)), grid, "--", color="tab:blue", lw=1.2)
        ax.set(title=title, xticks=[])
    stage.save(
        figure,
        "page12_sde",
        "From data to noise, and back",
        "dx = f(x, t) dt + g(t) dw,   dx = [f − g² ∇ log p_t(x)] dt + g dw̄,   dx = [f − ½ g² ∇ log p_t(x)] dt",
        "VP on a mixture of two normal distributions. Shades: p_t, exact. Left, paths of the forward SDE, coloured by "
        "where they began. Right, from the same noise, the reverse SDE in red and the probability flow in black: other "
        "paths, and the same densities. Histograms of 3000 ends, with the exact densities dashed.",
    )


def contours(ax: Any, p: Marginals, t: float, span: float) -> None:
    """Dashed lines of p_t: half, and a twentieth, of its greatest value."""
    axis = np.linspace(-span, span, 161)
    places = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    density = np.exp(p.log_prob(places, t)).reshape(161, 161)
    ax.contour(
        axis, axis, density, levels=density.max() * np.array([0.05, 0.5]), colors="k", linestyles="--", linewidths=0.7
    )


def draw_strip(stage: Stage, p: Marginals, rng: np.random.Generator) -> None:
    """Three rows: forward, reverse SDE, probability flow; a column for each time."""
    import matplotlib.pyplot as plt

    times = np.unique(np.concatenate([grid_of_times(STEPS), STRIP]))  # rising
    stops = np.searchsorted(times, STRIP)
    x0, x1 = p.data.sample(SHOWN, rng), p.sde.prior(2).sample(SHOWN, rng)
    forward = euler_maruyama(p.sde, x0, times, rng, path=True)
    back = euler_maruyama(p.sde.reverse(p.score), x1, times[::-1], rng, path=True)[::-1]
    flow = heun(p.sde.reverse(p.score, probability_flow=True), x1, times[::-1], path=True)[::-1]
    figure, axes = plt.subplots(3, len(STRIP), figsize=(13, 6.8), layout="constrained", sharex=True, sharey=True)
    rows = {"forward SDE →": forward, "← reverse SDE": back, "← probability flow": flow}
    for row, (name, path) in zip(axes, rows.items()):
        start = path[0] if path is forward else path[-1]
        colours = np.arctan2(start[:, 1], start[:, 0])
        row[0].set_ylabel(name)
        for ax, stop, t in zip(row, stops, STRIP):
            ax.scatter(*path[stop].T, c=colours, cmap="hsv", s=3, linewidths=0)
            contours(ax, p, t, 6.5)
            ax.set(xlim=(-6.5, 6.5), ylim=(-6.5, 6.5), aspect="equal", xticks=[], yticks=[])
    for ax, t in zip(axes[0], STRIP):
        ax.set_title(f"t = {t:g}")
    stage.save(
        figure,
        "page12_sde_strip",
        "Eight normal distributions dissolve, and come back",
        "p_t(x) = Σ_k w_k N(x; a m_k, (a² v + s²) I)",
        "VP. Points are coloured by their angle where they start: in the top row on the left, below on the right. "
        "Dashed: where the exact p_t is half, and a twentieth, of its greatest value. The reverse SDE stirs the "
        "colours; the probability flow keeps them in order, since its paths never cross.",
    )


def draw_motion(stage: Stage, p: Marginals, rng: np.random.Generator) -> None:
    """The reverse SDE in motion, with the score as arrows."""
    import matplotlib.pyplot as plt
    from matplotlib.animation import FuncAnimation

    times = grid_of_times(FRAMES * 8)
    path = euler_maruyama(p.sde.reverse(p.score), p.sde.prior(2).sample(SHOWN, rng), times, rng, path=True)[::8]
    shown = times[::8]
    axis = np.linspace(-6, 6, 15)
    places = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    figure, ax = plt.subplots(figsize=(4.8, 5.0), dpi=80, layout="constrained")
    dots = ax.scatter(*path[0].T, s=4, color="tab:red", linewidths=0, zorder=3)
    arrows = ax.quiver(*places.T, *np.zeros_like(places).T, color="0.6", scale=22, width=0.004)
    ax.set(xlim=(-6.6, 6.6), ylim=(-6.6, 6.6), aspect="equal", xticks=[], yticks=[])
    frames = np.concatenate([np.zeros(PAUSE, int), np.arange(len(shown)), np.full(PAUSE, len(shown) - 1)])

    def show(i: int) -> list[Any]:
        """The frame at the i-th time shown."""
        score = p.score(places, shown[i])
        length = np.linalg.norm(score, axis=1, keepdims=True)
        arrows.set_UVC(*(score / (1 + length)).T)  # their direction, and their length up to 1
        dots.set_offsets(path[i])
        ax.set_title(f"reverse SDE, t = {shown[i]:.3f}")
        return [dots, arrows]

    stage.save_animation(
        FuncAnimation(figure, show, frames=frames),
        "page12_sde_motion",
        "Noise becomes data",
        "dx = [f − g² ∇ log p_t(x)] dt + g dw̄,   from t = 1 to t = 0",
        "The reverse SDE of VP, with ∇ log p_t as arrows, long ones shortened. First they all point to the middle, "
        "where p_t is one hill; then to the nearest of the eight.",
    )
    plt.close(figure)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
