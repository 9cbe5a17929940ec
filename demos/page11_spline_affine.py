"""What a flow gains by flexible maps, and what by depth (lecture page 11).

Couplings whose maps are affine, and couplings whose maps are splines, with as many parameters, on eight Gaussians. The
gap to the entropy is the divergence from the truth, in nats; 0 is perfect.

One coupling leaves the first coordinate as it is, up to scale and shift. Whatever the other map, that coordinate is
taken for normal, and the gap is not below the divergence of its true distribution from that normal one: the dashed
line, by quadrature. A spline all but gets there, an affine map does not. Depth removes that floor: affine maps bend the
plane a little with each layer, but a filament stays between the modes; a few splines
make it so thin that it is hard to see (``page11_filament``).
"""

from __future__ import annotations

import numpy as np

from demos.common import Stage, main
from demos.page11_couplings import flow_of, on_grid, train
from scratchgen.data import EightGaussians, EntropyGap, Toy, gap_to_entropy
from scratchgen.flows import AffineMap, Flow, ScalarMap, SplineMap

TITLE = "Page 11: splines against affine maps, and depth"
SECONDS, QUICK_SECONDS = 40, 6
TOY = EightGaussians()
KINDS: dict[str, tuple[ScalarMap, tuple[int, int], str]] = {  # map, hidden widths for as many parameters, colour
    "affine": (AffineMap(), (64, 64), "#c44e52"),
    "spline": (SplineMap(8, bound=3.0), (54, 54), "#3b75af"),
}
DEPTHS, QUICK_DEPTHS = (1, 2, 4, 8), (1, 2)
STEPS, QUICK_STEPS, TEST = 1200, 500, 20_000


def floor_of_one_layer(toy: Toy) -> float:
    """KL(p(x_1) ‖ the normal of the same mean and variance): no single coupling that passes x_1 has a smaller gap.

    It is ½ log(2πe Var x_1) − H(x_1), with the marginal by summing p over a grid.
    """
    points, area = toy.grid()
    side = round(len(points) ** 0.5)
    step = area**0.5
    p = np.exp(toy.log_prob(points)).reshape(side, side).sum(axis=1) * step  # p(x_1)
    x = points[::side, 0]
    mean = np.sum(p * x) * step
    variance = np.sum(p * (x - mean) ** 2) * step
    entropy = -np.sum(p * np.log(np.maximum(p, 1e-300))) * step
    return float(0.5 * np.log(2 * np.pi * np.e * variance) - entropy)


def weights_of(flow: Flow) -> int:
    """How many parameters it has."""
    return sum(t.size for t in flow.parameters().values())


def draw(
    stage: Stage, flows: dict[str, Flow], gaps: dict[str, list[EntropyGap]], depths: tuple[int, ...], floor: float
) -> None:
    """The gaps against the depth, and the densities of the deepest flows beside the truth."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, 4, figsize=(13, 3.8), layout="constrained", gridspec_kw={"width_ratios": [1.5, 1, 1, 1]}
    )
    for name, (_, _, colour) in KINDS.items():
        values, errors = [g.value for g in gaps[name]], [3 * g.error for g in gaps[name]]
        axes[0].errorbar(depths, values, errors, color=colour, marker="o", label=name)
    axes[0].hlines(floor, depths[0] * 0.9, depths[0] * 1.4, "k", "--", linewidth=1.2, label="floor of one layer")
    axes[0].set(xscale="log", yscale="log", xlabel="couplings", ylabel="gap, nats", title="The gap to the entropy")
    axes[0].set_xticks(depths, [str(d) for d in depths])
    low, high = axes[0].get_ylim()
    ticks = [tick for tick in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5) if low < tick < high]
    axes[0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0].minorticks_off()
    axes[0].legend(fontsize="small")
    reach = 6.5
    truth = on_grid(TOY.log_prob, reach)
    pictures = {
        "truth": truth,
        **{f"{n}, {depths[-1]} couplings": on_grid(f.log_prob, reach) for n, f in flows.items()},
    }
    for ax, (title, density) in zip(axes[1:], pictures.items()):
        ax.imshow(
            np.sqrt(density), origin="lower", extent=(-reach, reach) * 2, cmap="magma", vmin=0, vmax=truth.max() ** 0.5
        )
        ax.set(xticks=[], yticks=[], title=title)
    stage.save(
        figure,
        "page11_spline_affine",
        "Flexible maps and depth",
        "gap = E[log p(x) − log p_model(x)] = KL(p ‖ p_model)",
        "Left: eight Gaussians, couplings of both kinds with as many parameters; bars of three standard errors are "
        "mostly smaller than the dots. Dashed: no single coupling, whatever its map, has a smaller gap. Right: the "
        "densities of the deepest flows; brightness is their square root, to show what is faint.",
    )


def run(stage: Stage, seed: int) -> None:
    """Train both kinds at each depth."""
    rng = np.random.default_rng(seed)
    depths, steps = (QUICK_DEPTHS, QUICK_STEPS) if stage.quick else (DEPTHS, STEPS)
    floor, flows, gaps = floor_of_one_layer(TOY), {}, {}
    for name, (scalar_map, hidden, _) in KINDS.items():
        gaps[name] = []
        for depth in depths:
            flow = flows[name] = flow_of(depth, scalar_map, hidden, rng)
            seconds = train(flow, TOY, steps, rng)
            gap = gap_to_entropy(flow.log_prob, TOY, TEST, rng)
            gaps[name].append(gap)
            bound = f", not below {floor:.3f}" if depth == 1 else ""
            depth_and_size = f"{depth} coupling{'s' * (depth > 1)}, {weights_of(flow)} parameters"
            stage.result(f"{name}, {depth_and_size}: gap {gap}{bound}; {steps} steps in {seconds:.0f} s")
    draw(stage, flows, gaps, depths, floor)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
