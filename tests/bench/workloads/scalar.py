"""A chain of 200 elementwise operations on 10 numbers: what one operation costs when there is nothing to compute.

    h₀ = x (10,),  fifty times  h ← sin(tanh(h · w) + b),  loss = Σ h²          w, b (10,) are trained

The time of a step divided by 200 is the overhead of an operation, forward and backward.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ..by_hand import FlatAdam
from . import Arrays, Problem

DESCRIPTION = "scalar: a chain of 200 elementwise operations on 10 numbers"
LEARNING_RATE = 1e-4  # small, so that the chain keeps its slopes away from 0 and from explosion in any number of steps
STEPS = 50
AIM = 0.40

REPEATS = 50


def problem(rng: np.random.Generator, tiny: bool) -> Problem:
    n = 3 if tiny else 10
    weights = {"w": rng.uniform(1.0, 1.3, n).astype(np.float32), "b": rng.uniform(-0.1, 0.1, n).astype(np.float32)}
    return Problem(weights, [{"x": rng.standard_normal(n, np.float32)} for _ in range(4)])


def array_loss(xp: ModuleType, p: dict[str, Any], batch: dict[str, Any]) -> Any:
    h, w, b = batch["x"], p["w"], p["b"]
    for _ in range(REPEATS):
        h = xp.sin(xp.tanh(h * w) + b)
    return xp.sum(h * h)


def torch_loss(p: dict[str, Any], batch: dict[str, Any]) -> Any:
    import torch

    h, w, b = batch["x"], p["w"], p["b"]
    for _ in range(REPEATS):
        h = torch.sin(torch.tanh(h * w) + b)
    return (h * h).sum()


def scratchgen_loss(p: dict[str, Any], batch: Arrays) -> Any:
    return array_loss(np, p, batch)  # NumPy's own functions differentiate


def numpy_step(weights: Arrays, batches: list[Arrays]) -> Callable[[int], float]:
    adam = FlatAdam([weights["w"], weights["b"]], LEARNING_RATE)
    w, b = adam.values
    dw, db = adam.gradients
    buffers = [tuple(np.empty((3, w.size), np.float32)) for _ in range(REPEATS)]
    slope, product = np.empty((2, w.size), np.float32)

    def step(i: int) -> float:
        h = batches[i % len(batches)]["x"]
        tape = []
        for tanh, angle, out in buffers:
            tape.append((h, tanh, angle))
            np.multiply(h, w, tanh)  # the third positional argument is out, a little faster than by name
            np.tanh(tanh, tanh)
            np.add(tanh, b, angle)
            h = np.sin(angle, out)
        loss = float(np.vdot(h, h))

        dw.fill(0)
        db.fill(0)
        dh = 2 * h
        for h, tanh, angle in reversed(tape):
            np.cos(angle, slope)
            np.multiply(dh, slope, dh)
            np.add(db, dh, db)
            np.multiply(tanh, tanh, slope)
            np.multiply(dh, slope, slope)
            np.subtract(dh, slope, dh)
            np.multiply(dh, h, product)
            np.add(dw, product, dw)
            np.multiply(dh, w, dh)
        adam.step()
        return loss

    return step
