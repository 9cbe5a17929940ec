"""The masks of MADE, layer by layer, and the Jacobian that they imply (lecture page 10).

Each unit has a degree: how many components, in the order in which they are drawn, it may know of. A connection is kept
if the degree does not fall, and to the outputs if it rises. In the natural order all masks are staircases. In another
order those at the inputs and outputs look like nothing at all, and yet the derivatives of the outputs by the inputs are
zero, exactly, wherever they have to be, and nowhere else. That holds if each degree occurs in each hidden layer. In
MADE, as it was published, the degrees are drawn at random, and then in a narrow layer one may be missing, by a chance
that can be computed: some dependency is dead, and no error tells of it. Here they are dealt out.
"""

from __future__ import annotations

from itertools import pairwise
from math import comb
from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import jacobian
from scratchgen.autoregressive import MADE, BinaryOutput
from scratchgen.autoregressive.masks import degrees

TITLE = "Page 10: masks, and the Jacobian that they imply"
SECONDS = 3
DIMS, HIDDEN = 6, (8, 10)
SMALL, SMALL_HIDDEN = 4, (5, 5)  # for the picture of the network
WIDTHS, TRIALS = (5, 8, 12, 16, 24, 32), 4000


def derivatives(model: MADE, x: np.ndarray) -> np.ndarray:
    """∂ logit of component j / ∂ x[i], an array (i, j), at one x (D,)."""
    return jacobian(lambda x: model.network(x[None])[0, :, 0])(x).T


def allowed(order: np.ndarray) -> np.ndarray:
    """Whether component i comes before j, (i, j)."""
    rank = np.argsort(order)
    return rank[:, None] < rank


def random_degrees_cut(widths: list[int], trials: int, rng: np.random.Generator) -> float:
    """The share of networks with degrees drawn at random in which some path that should be there is missing."""
    inputs = np.arange(1, DIMS + 1)
    m = np.broadcast_to(inputs, (trials, DIMS))
    paths = np.broadcast_to(np.eye(DIMS), (trials, DIMS, DIMS))
    for width in widths:
        after = rng.integers(m.min(axis=1, keepdims=True), DIMS, (trials, width))  # as in MADE, §3
        paths = paths @ (after[:, None, :] >= m[:, :, None])  # (trials, D, width): how many paths from each input
        m = after
    paths = paths @ (inputs > m[:, :, None])
    missing = (paths == 0) & (inputs > inputs[:, None])
    return float(missing.any(axis=(1, 2)).mean())


def chance_of_a_cut(width: int, layers: int) -> float:
    """The same exactly: nothing is cut if all D − 1 degrees occur in each layer; by inclusion and exclusion."""
    n = DIMS - 1  # a layer that has them all has degree 1, so those of the next are drawn from 1 to D − 1 too
    return 1 - sum((-1) ** k * comb(n, k) * (1 - k / n) ** width for k in range(n + 1)) ** layers


def matrix(ax: Any, values: np.ndarray, title: str, rows: np.ndarray, columns: np.ndarray, vmax: float = 1.0) -> Any:
    """Draw a matrix, white where it is 0, with a label at each row and column."""
    ax.imshow(np.ma.masked_equal(values, 0), cmap="Blues", vmin=-0.4 * vmax, vmax=vmax)
    ax.set_xticks(range(len(columns)), columns, fontsize=8)
    ax.set_yticks(range(len(rows)), rows, fontsize=8)
    ax.set_xticks(np.arange(len(columns)) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(rows)) - 0.5, minor=True)
    ax.grid(which="minor", color="0.85", linewidth=0.6)
    ax.tick_params(which="both", length=0)
    ax.set_title(title, fontsize=10)
    return ax


def outline(ax: Any, region: np.ndarray) -> Any:
    """A dashed line around the true cells of a matrix."""
    framed = np.pad(region, 1)
    for i, j in np.ndindex(framed.shape):
        if j + 1 < framed.shape[1] and framed[i, j] != framed[i, j + 1]:
            ax.plot([j - 0.5] * 2, [i - 1.5, i - 0.5], "k--", linewidth=1.3, clip_on=False)
        if i + 1 < framed.shape[0] and framed[i, j] != framed[i + 1, j]:
            ax.plot([j - 1.5, j - 0.5], [i - 0.5] * 2, "k--", linewidth=1.3, clip_on=False)
    return ax


def draw_masks(axes: Any, model: MADE, J: np.ndarray, name: str) -> None:
    """The masks of one model in a row, with the degrees beside them, and its Jacobian."""
    names = ["inputs", *(f"hidden {i + 1}" for i in range(len(HIDDEN))), "outputs"]
    layers, m = [*model.layers, model.last], degrees(model.order, HIDDEN)
    for ax, layer, (before, after), (above, below) in zip(axes, layers, pairwise(m), pairwise(names)):
        matrix(ax, layer.mask.astype(float), f"mask, {above} → {below}", before, after)
        ax.set(xlabel=f"degrees of {below}", ylabel=f"degrees of {above}")
    components = np.arange(1, DIMS + 1)
    ax = matrix(axes[-1], np.abs(J), f"|Jacobian|, {name} order", components, components, np.abs(J).max())
    ax.set(xlabel="logit of component", ylabel="by x of component")
    outline(ax, allowed(model.order))


def draw_network(ax: Any, order: np.ndarray, target: int) -> None:
    """The units with their degrees, the connections that the masks leave, and all that one output depends on."""
    model = MADE(SMALL, BinaryOutput(), SMALL_HIDDEN, rng=0, order=order)
    masks = [layer.mask for layer in [*model.layers, model.last]]
    m = degrees(order, SMALL_HIDDEN)
    used = [np.arange(SMALL) == target]  # by layer from the end: the units that lead to the target
    for mask in reversed(masks):
        used.insert(0, mask[:, used[0]].any(axis=1))
    heights = [np.arange(len(units)) - (len(units) - 1) / 2 for units in m]
    for layer, mask in enumerate(masks):
        for i, j in np.argwhere(mask):
            chosen = used[layer + 1][j]
            ends = [-heights[layer][i], -heights[layer + 1][j]]
            ax.plot([layer, layer + 1], ends, color="#c44e52" if chosen else "0.8", linewidth=1.2, zorder=2 * chosen)
    for layer, units in enumerate(m):
        for i, degree in enumerate(units):
            face = "#f4cfd0" if used[layer][i] else "white"
            ax.plot(layer, -heights[layer][i], "o", markersize=20, color=face, markeredgecolor="k", zorder=4)
            ax.text(layer, -heights[layer][i], str(degree), ha="center", va="center", zorder=5)
            if layer in (0, len(m) - 1):
                side = -1 if layer == 0 else 1
                what = f"x[{i + 1}]" if layer == 0 else f"p(x[{i + 1}] | …)"
                ax.text(layer + 0.2 * side, -heights[layer][i], what, ha="right" if side < 0 else "left", va="center")
    ax.set(title=f"degrees, for the order {' '.join(str(j + 1) for j in order)}", xlim=(-0.7, len(m) - 0.1))
    ax.set_axis_off()


def run(stage: Stage, seed: int) -> None:
    """Two orders, a network, and what random degrees do."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    figure, axes = plt.subplots(2, 4, figsize=(13, 6.6), layout="constrained")
    x = rng.normal(size=DIMS)
    for row, (name, order) in zip(axes, (("natural", np.arange(DIMS)), ("random", rng.permutation(DIMS)))):
        model = MADE(DIMS, BinaryOutput(), HIDDEN, rng, order, activation="tanh", dtype=np.float64)
        J, may = derivatives(model, x), allowed(model.order)
        draw_masks(row, model, J, name)
        stage.result(
            f"{name} order {' '.join(str(j + 1) for j in model.order)}: {np.sum(J[~may] == 0)} of {np.sum(~may)} "
            f"derivatives that must be 0 are 0 exactly; {np.sum(J[may] != 0)} of {np.sum(may)} others are not, the "
            f"smallest {np.abs(J[may]).min():.1e}"
        )
    stage.save(
        figure,
        "page10_masks",
        "Masks, and the Jacobian that they imply",
        "∂ logit of p(x[j] | x[<j]) / ∂ x[i] = 0, unless i comes before j",
        "Blue: a connection that is kept, or a derivative that is not 0, the darker the larger. Dashed: what the chain "
        "rule allows. Above the natural order, below another. Numbers beside a mask are degrees, those beside a "
        "Jacobian components.",
    )

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
    small = rng.permutation(SMALL)
    draw_network(left, small, target=small[2])
    for layers in (1, 2):
        shares = [random_degrees_cut([width] * layers, TRIALS, rng) for width in WIDTHS]
        fine = np.arange(DIMS - 1, max(WIDTHS) + 1)
        (dots,) = right.plot(WIDTHS, shares, "o", label=f"{layers} hidden layer{'s' * (layers > 1)}: of {TRIALS} nets")
        exact = [chance_of_a_cut(int(width), layers) for width in fine]
        right.plot(fine, exact, "--", color=dots.get_color(), label=f"{layers}: exactly")
        at = WIDTHS.index(12)
        stage.result(
            f"degrees drawn at random, {layers} of width 12 for {DIMS} components: {shares[at]:.3f} of the networks "
            f"miss a dependency, exactly {chance_of_a_cut(12, layers):.3f}; degrees dealt out: none"
        )
    right.set(
        title="degrees drawn at random", xlabel="width of the hidden layers", ylabel="share with a dead dependency"
    )
    right.set_ylim(-0.03, 1.03)
    right.grid(alpha=0.3)
    right.legend(fontsize="small")
    stage.save(
        figure,
        "page10_degrees",
        "Degrees, and what is lost when they are drawn at random",
        "hidden: degree after ≥ degree before;  outputs: degree after > degree before",
        f"Left: a network with its degrees; red is all that p(x[{small[2] + 1}] | …) depends on. Right: how often some "
        "input is cut off from a later output when the degrees are drawn; dealt out, it never is.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
