"""Couplings of splines on data whose density is known: density beside truth, and the gap to the entropy (page 11).

A flow is trained by its exact likelihood on draws of a toy. How far it is from the truth is one number, without any
further training or bound: the gap, the mean of log p(x) − log p_model(x) over fresh draws, which is KL(p ‖ p_model) and
so not below 0. Targets are 0.04 nats for two moons (0.088 in a published tutorial of the same kind of flow), 0.03 for
eight Gaussians and 0.10 for the checkerboard, whose edges no continuous density has.

Every layer leaves one coordinate alone; from it, a small network makes the spline by which it maps the other one.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from demos.flows import standard_normal
from demos.training import fit_with_falling_lr
from scratchgen.autodiff import no_grad
from scratchgen.data import (
    Checkerboard,
    EightGaussians,
    EntropyGap,
    Pinwheel,
    Rings,
    Spirals,
    Toy,
    TwoMoons,
    gap_to_entropy,
)
from scratchgen.flows import Flow, ScalarMap, SplineMap, coupling_stack, start

TITLE = "Page 11: couplings on data whose density is known"
SECONDS, QUICK_SECONDS = 60, 8


class Task(NamedTuple):
    """A toy, how many steps of training it gets, and the gap that is aimed for."""

    toy: Toy
    steps: int
    aim: float | None = None


TASKS = {
    "two moons": Task(TwoMoons(std=0.1), 800, 0.04),
    "eight Gaussians": Task(EightGaussians(), 1500, 0.03),
    "checkerboard": Task(Checkerboard(), 1200, 0.10),
    "rings": Task(Rings(), 2000),
    "pinwheel": Task(Pinwheel(), 800),
    "spirals": Task(Spirals(), 1200),
}
LAYERS, BINS, BOUND, HIDDEN = 4, 12, 3.0, (128, 128)  # the data have standard deviation 1 before the first spline
LR, CLIP, BATCH, N, TEST = 3e-3, 2.0, 256, 100_000, 20_000
QUICK = ["two moons"]
PIXELS = 150


def flow_of(layers: int, scalar_map: ScalarMap, hidden: tuple[int, ...], rng: np.random.Generator) -> Flow:
    """A flow of couplings in the plane, on a standard normal distribution."""
    return Flow(coupling_stack(2, layers, scalar_map, hidden, rng), standard_normal(2))


def train(flow: Flow, toy: Toy, steps: int, rng: np.random.Generator) -> float:
    """Maximise the likelihood of draws of the toy; returns how many seconds it took."""
    x = toy.sample(N, rng).astype(np.float32)
    start(flow.transform, x)
    began = time.perf_counter()
    fit_with_falling_lr(flow, x, lr=LR, steps=steps, rng=rng, batch_size=BATCH, clip=CLIP)
    return time.perf_counter() - began


def on_grid(log_prob: Any, reach: float) -> np.ndarray:
    """The density over the square [−reach, reach]², (PIXELS, PIXELS), with the second coordinate upwards."""
    axis = reach * ((np.arange(PIXELS) + 0.5) * 2 / PIXELS - 1)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    with no_grad():
        values = log_prob(points.astype(np.float32))
    return np.exp(np.asarray(getattr(values, "data", values))).reshape(PIXELS, PIXELS)


def draw(stage: Stage, flows: dict[str, Flow], gaps: dict[str, EntropyGap], rng: np.random.Generator) -> None:
    """A row of true densities and a row of models."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        2, len(flows), figsize=(2.2 * len(flows) + 0.5, 5.0), layout="constrained", squeeze=False
    )
    for (above, below), (name, flow) in zip(axes.T, flows.items()):
        toy = TASKS[name].toy
        reach = 1.1 * float(np.abs(toy.sample(2000, rng)).max())
        truth, model = on_grid(toy.log_prob, reach), on_grid(flow.log_prob, reach)
        for ax, density in ((above, truth), (below, model)):
            extent = (-reach, reach, -reach, reach)
            ax.imshow(density, origin="lower", extent=extent, cmap="magma", vmin=0, vmax=truth.max())
            ax.set(xticks=[], yticks=[])
        above.set_title(f"{name}\nentropy {toy.entropy():.3f}", fontsize="small")
        below.set_xlabel(f"gap {gaps[name].value:.3f} ± {gaps[name].error:.3f}", fontsize="small")
    axes[0, 0].set_ylabel("truth")
    axes[1, 0].set_ylabel("flow")
    stage.save(
        figure,
        "page11_couplings",
        "Couplings of splines, beside the truth",
        "z_1 = x_1,   z_2 = g(x_2; net(x_1));   log p(x) = log N(f(x); 0, I) + Σ log ∂z_j/∂x_j",
        f"Above the densities that the data were drawn from, below those of {LAYERS} couplings, in the same colours. "
        "Entropy and gap are in nats; a perfect model has the gap 0.",
    )


def run(stage: Stage, seed: int) -> None:
    """Train a flow on each toy, and draw them all."""
    rng = np.random.default_rng(seed)
    flows, gaps = {}, {}
    for name in QUICK if stage.quick else TASKS:
        toy, steps, aim = TASKS[name]
        stage.say(f"training on {name}")
        flow = flows[name] = flow_of(LAYERS, SplineMap(BINS, BOUND), HIDDEN, rng)
        seconds = train(flow, toy, steps, rng)
        gap = gaps[name] = gap_to_entropy(flow.log_prob, toy, TEST, rng)
        aimed = "" if aim is None else f", aim {aim:.2f}"
        stage.result(f"{name}: gap {gap}{aimed}; entropy {toy.entropy():.4f}; {steps} steps in {seconds:.0f} s")
    draw(stage, flows, gaps, rng)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
