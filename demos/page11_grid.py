"""A flow, layer by layer: how noise becomes data, and where the log-determinant comes from (lecture page 11).

An affine coupling flow is trained on two moons, whose density and entropy are known. Then it is run from noise to data,
and drawn after each layer: a grid of circles and rays in the noise, samples, and what becomes of them. Each coupling
moves points along one axis only, by an amount that depends on the other; composed, they bend the circles into moons.

Small squares of noise are followed as well. What becomes of their areas is log |det ∂x/∂z|, measured without any
formula of the flow, and it has to be the sum of what the layers say. The pictures are also put into motion, in an
animation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.flows import couplings_of_the_plane, standard_normal
from demos.training import fit_with_falling_lr
from scratchgen.autodiff import no_grad
from scratchgen.data import Toy, TwoMoons, gap_to_entropy
from scratchgen.flows import ActNorm, AffineMap, Composite, Flow, alternating, start

TITLE = "Page 11: a grid through the layers of a flow"
SECONDS, QUICK_SECONDS = 20, 10
LAYERS, HIDDEN = 8, 64
STEPS, QUICK_STEPS, BATCH, LR, N = 3000, 600, 256, 3e-3, 20_000
RADII, RAYS, POINTS = (0.5, 1.0, 1.5, 2.0, 2.5), 16, 600
SIDE, SQUARES = 1e-4, 400  # of the small squares of noise
BETWEEN, PAUSE = 7, 10  # frames from layer to layer, and at either end


def untrained(rng: np.random.Generator) -> Flow:
    """Couplings that take turns, and a scale and shift next to the data."""
    layers = couplings_of_the_plane(LAYERS, AffineMap(), rng, width=HIDDEN)
    return Flow(Composite([ActNorm(2), *layers]), standard_normal(2))


def trained(toy: Toy, rng: np.random.Generator, steps: int) -> Flow:
    """The flow of greatest likelihood, as far as these steps lead; in float64."""
    x = toy.sample(N, rng).astype(np.float32)
    flow = untrained(rng)
    start(flow.transform, x)
    warm_up = steps // 20
    fit_with_falling_lr(
        flow, x, lr=LR, steps=steps, rng=rng, warm_up=warm_up, progress=True, batch_size=BATCH, clip=5.0
    )
    flow.base = standard_normal(2, np.float64)
    return flow.astype(np.float64)


def after_each_layer(composite: Any, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z, what the layers make of it one after the other, and at last x; and Σ log |det| up to there.

    Returns:
        (L + 1, n, 2), and (L + 1, n), which begins with 0.
    """
    places, totals = [z], [np.zeros(len(z))]
    with no_grad():
        for layer in reversed(composite.transforms):
            h, logabsdet = layer.inverse(places[-1])
            places.append(h.data)
            totals.append(totals[-1] + logabsdet.data)
    return np.array(places), np.array(totals)


def measured_log_det(composite: Any, z: np.ndarray) -> np.ndarray:
    """log of the area of what becomes of a small square around each z, over its own: (L + 1, n)."""
    corners = z[:, None] + 0.5 * SIDE * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])  # (n, 4, 2)
    places, _ = after_each_layer(composite, corners.reshape(-1, 2))
    a, b, c, d = np.moveaxis(places.reshape(len(places), len(z), 4, 2), 2, 0)
    across, along = c - a, d - b  # the diagonals: half their cross product is the area of a quadrilateral
    return np.log(np.abs(0.5 * (across[..., 0] * along[..., 1] - across[..., 1] * along[..., 0])) / SIDE**2)


def polar_grid() -> list[np.ndarray]:
    """Circles and rays of the noise, each a line of points (m, 2)."""
    angle, out = np.linspace(0, 2 * np.pi, 961), np.linspace(0, max(RADII), 301)
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    circles = [r * direction for r in RADII]
    return circles + [out[:, None] * direction[i] for i in range(0, 960, 960 // RAYS)]


def run(stage: Stage, seed: int) -> None:
    """Train, follow the grid through the layers, and measure areas."""
    rng, toy = np.random.default_rng(seed), TwoMoons(std=0.1)
    flow = trained(toy, rng, QUICK_STEPS if stage.quick else STEPS)
    gap = gap_to_entropy(flow.log_prob, toy, 20_000, rng, np.float64)
    stage.result(f"{LAYERS} affine couplings: {gap} above the entropy of two moons, {toy.entropy():.4f} nats")
    with no_grad():
        points, area = toy.grid()
        mass = float(np.exp(flow.log_prob(points).data).sum() * area)
    stage.result(f"∫ p(x) dx = {mass:.6f} on a grid of {len(points):,} points, exactly 1")

    z = rng.standard_normal((SQUARES, 2))
    _, totals = after_each_layer(flow.transform, z)
    error = np.abs(measured_log_det(flow.transform, z) - totals)
    stage.result(
        f"log |det ∂x/∂z| at {SQUARES} places: from {totals[-1].min():.2f} to {totals[-1].max():.2f}; the areas of "
        f"small squares say the same but for {np.median(error):.0e} (median; at most {error.max():.0e})"
    )
    lines = polar_grid()
    ends = np.cumsum([len(line) for line in lines])[:-1]
    samples = rng.standard_normal((POINTS, 2))
    grid, _ = after_each_layer(flow.transform, np.concatenate(lines))
    cloud, _ = after_each_layer(flow.transform, samples)
    colours = np.arctan2(samples[:, 1], samples[:, 0])
    draw_layers(stage, toy, grid, cloud, ends, colours)
    draw_motion(stage, grid, cloud, ends, colours)


def name_of(layer: int, last: int) -> str:
    """What a panel shows."""
    if layer in (0, last):
        return "noise z" if layer == 0 else "data x: scale and shift"
    return f"coupling {layer}: along {'first' if alternating(2, LAYERS - layer)[1] else 'second'} axis"


def draw_layers(stage: Stage, toy: Toy, grid: Any, cloud: Any, ends: Any, colours: Any) -> None:
    """A panel for each layer; the truth is dashed in the last."""
    import matplotlib.pyplot as plt
    from matplotlib.collections import LineCollection

    figure, axes = plt.subplots(2, 5, figsize=(15, 6.4), layout="constrained")
    last = len(grid) - 1
    for layer, ax in enumerate(axes.flat):
        ax.add_collection(LineCollection(np.split(grid[layer], ends), colors="0.55", linewidths=0.6))
        x, y = cloud[layer].T
        ax.scatter(x, y, c=colours, cmap="hsv", s=5, linewidths=0, zorder=2)
        (left, low), (right, high) = window(grid[layer], cloud[layer])
        ax.set(xlim=(left, right), ylim=(low, high), title=name_of(layer, last))
    axis = np.linspace(-2, 3, 200)
    places = np.stack(np.meshgrid(axis, axis), axis=-1)
    density = np.exp(toy.log_prob(places.reshape(-1, 2))).reshape(200, 200)
    axes.flat[-1].contour(axis, axis, density, levels=[0.05], colors="k", linestyles="--", linewidths=1.2)
    stage.save(
        figure,
        "page11_grid",
        "A grid through the layers of a flow",
        "x = f⁻¹(z) = f_1⁻¹( … f_L⁻¹(z)),   log |det ∂x/∂z| = Σ_l log |det ∂h_{l−1}/∂h_l|",
        "Circles around the origin at ½, 1, … 2½ and rays, with samples of the noise coloured by their angle, and what "
        "the layers make of them in turn, each on its own scale. Each coupling shifts and stretches along one axis. In "
        "the last panel the dashed line is where the true density is 0.05. What is connected stays connected: a thin "
        "bridge is left between the moons.",
    )


def window(*points: np.ndarray) -> np.ndarray:
    """The corners of what shows all points, with a margin: lower left and upper right, (2, 2)."""
    both = np.concatenate(points)
    low, high = both.min(axis=0), both.max(axis=0)
    return np.array([low - 0.06 * (high - low), high + 0.06 * (high - low)])


def draw_motion(stage: Stage, grid: Any, cloud: Any, ends: Any, colours: Any) -> None:
    """The same in motion: between two layers each point moves along a straight line."""
    import matplotlib.pyplot as plt
    from matplotlib.animation import FuncAnimation
    from matplotlib.collections import LineCollection

    figure, ax = plt.subplots(figsize=(4.8, 4.8), dpi=80)
    drawn, (x, y) = LineCollection([], colors="0.55", linewidths=0.6), cloud[0].T
    ax.add_collection(drawn)
    dots = ax.scatter(x, y, c=colours, cmap="hsv", s=5, linewidths=0, zorder=2)
    last = len(grid) - 1
    times = np.concatenate([np.zeros(PAUSE), np.linspace(0, last, last * BETWEEN + 1), np.full(PAUSE, float(last))])

    def show(time: float) -> list[Any]:
        """The frame at a time that counts layers."""
        layer = min(int(time), last - 1)
        part = time - layer
        part = part * part * (3 - 2 * part)  # slow at either end
        lines, points = ((1 - part) * h[layer] + part * h[layer + 1] for h in (grid, cloud))
        drawn.set_segments(np.split(lines, ends))
        dots.set_offsets(points)
        before, after = (window(grid[i], cloud[i]) for i in (layer, layer + 1))
        (left, low), (right, high) = (1 - part) * before + part * after
        ax.set(xlim=(left, right), ylim=(low, high), title=name_of(round(time), last))
        return [drawn, dots]

    stage.save_animation(
        FuncAnimation(figure, show, frames=times),
        "page11_grid_motion",
        "The same in motion",
        "h_{l−1} = f_l⁻¹(h_l),   from z = h_L to x = h_0",
        "From noise to data. Between two layers each point moves along a straight line, which is how it is drawn, not "
        "what the flow does: its layers are steps.",
    )
    plt.close(figure)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
