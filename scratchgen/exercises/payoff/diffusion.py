"""A diffusion of the two moons, with labels, from exercises 6, 7, 25, 26, 28, 29 and 33.

A network learns which noise was added, told the step t and which of the moons, y, or in a tenth of the cases nothing:

    x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε,    loss = E ‖ε − network(x_t, t, y)‖²                         (1)

From pure noise, steps back lead to new points: T random ones (DDPM), or a few without noise (DDIM). Guidance asks for
one of the moons, and exaggerates what makes it different. How far the samples are from data is measured by the sliced
Wasserstein distance, beside that of two sets of data, which is what perfect samples would have. Lecture, page 12.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from scratchgen.data import TwoMoons
from scratchgen.exercises.payoff.pieces import Optimizer, Pieces, weights
from scratchgen.exercises.payoff.stage import Stage, smooth
from scratchgen.metrics import sliced_wasserstein
from scratchgen.plotting import curves

TITLE = "A diffusion of the two moons"
SECONDS = 20
FUNCTIONS = {
    6: ("adam_step",),
    7: ("init_mlp", "mlp"),
    25: ("alpha_bar",),
    26: ("q_sample",),
    28: ("ddpm_step",),
    29: ("ddim_step",),
    33: ("guided",),
}
T, DDIM_STEPS, SCALE = 100, 25, 3.0
BETAS = np.linspace(1e-3, 0.12, T)
NONE, HIDDEN = 2, 128  # the label that means "no class"
BATCH, STEPS = 512, 6000
SAMPLES = 2000
MOONS = TwoMoons(std=0.1)


def features(x: np.ndarray, t: Any, y: np.ndarray) -> np.ndarray:
    """What the network is told, (B, 24): the point and the step, also as waves, and which class, or none."""
    place = np.concatenate([x * k for k in (1, 2, 4)], axis=1)
    phase = np.broadcast_to(t, len(x))[:, None] / T * np.pi * np.array([0.5, 1, 2, 4])
    waves = np.concatenate([place, phase], axis=1)
    return np.concatenate([x, np.sin(waves), np.cos(waves), np.eye(3)[y][:, :2]], axis=1)


def run(pieces: Pieces, stage: Stage) -> None:
    """Train the model, say what it is worth, and draw it."""
    rng = np.random.default_rng(stage.seed)
    layers = weights(pieces.init_mlp([24, HIDDEN, HIDDEN, HIDDEN, 2], rng))
    optimizer = Optimizer(pieces, [layers], lr=3e-3)
    alpha_bar, steps = pieces.alpha_bar(BETAS), stage.steps(STEPS)

    def step(i: int) -> float:
        optimizer.lr = 3e-3 * (1 - i / steps)
        x0, y = MOONS.sample_labelled(BATCH, rng)
        y = np.where(rng.random(BATCH) < 0.1, NONE, y)
        t, eps = rng.integers(1, T + 1, size=BATCH), rng.standard_normal((BATCH, 2))
        xt = pieces.q_sample(x0, t, alpha_bar, eps)
        loss = np.mean(np.sum((eps - pieces.mlp(layers, features(xt, t, y))) ** 2, axis=1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.data)

    losses = stage.train(STEPS, step, "loss")

    def labelled(x: np.ndarray, t: Any, y: np.ndarray) -> np.ndarray:
        return np.asarray(pieces.mlp(layers, features(x, t, y)).data)

    def network(x: np.ndarray, t: Any) -> np.ndarray:
        return labelled(x, t, np.full(len(x), NONE))

    def guided(x: np.ndarray, t: Any) -> np.ndarray:
        return np.asarray(pieces.guided(x, t, np.zeros(len(x), int), labelled, NONE, SCALE))

    def ddpm(x: np.ndarray) -> np.ndarray:
        for t in range(T, 0, -1):
            x = pieces.ddpm_step(x, t, network, alpha_bar, rng.standard_normal(x.shape))
        return x

    def ddim(x: np.ndarray, network: Callable[..., Any], count: int) -> np.ndarray:
        times = np.linspace(T, 0, count + 1).astype(int)
        for t, s in pairwise(times.tolist()):
            x = pieces.ddim_step(x, t, s, network, alpha_bar, 0.0, np.zeros(x.shape))
        return x

    x, noise = MOONS.sample(SAMPLES, rng), rng.standard_normal((SAMPLES, 2))
    other = MOONS.sample(SAMPLES, rng)
    drawn = {
        f"DDPM, {T} steps": ddpm(noise),
        f"DDIM, {DDIM_STEPS} steps": ddim(noise, network, DDIM_STEPS),
        f"guided to one moon, scale {SCALE:g}, DDIM, {T} steps": ddim(noise, guided, T),
    }
    stage.say(f"the loss is {np.mean(losses[-(steps // 10 + 1) :]):.3f}; one that predicts no noise at all has 2")
    stage.say(f"distance of data from data: {distance(x, other):.3f}, of perfect samples too")
    for name, samples in drawn.items():
        if "guided" in name:  # they are to be unlike the data as a whole
            continue
        stage.say(f"distance of {name} from data: {distance(x, samples):.3f}")

    figure, axes = stage.figure(TITLE, 2, 3)
    panels = {"two moons": x, "noise, from which all begin": noise, **drawn}
    for ax, (name, points) in zip(axes.flat, panels.items()):
        ax.scatter(*x.T, s=2, color="0.85", linewidths=0)
        ax.scatter(*points.T, s=3, linewidths=0)
        ax.set(title=name, xlim=(-2.2, 3.2), ylim=(-2.2, 2.6), aspect="equal")
    curves({"loss in training": smooth(losses)}, axes[1, 2], ylabel="squared error")
    axes[1, 2].set_title("the loss")
    stage.save(figure)


def distance(x: np.ndarray, samples: np.ndarray) -> float:
    """The sliced Wasserstein distance of two sets of points; NaN if samples are no finite numbers."""
    return sliced_wasserstein(x, samples, rng=0).value if np.isfinite(samples).all() else np.nan
