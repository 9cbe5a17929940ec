"""MADE on binary images (Germain et al. 2015): an autoencoder with masks, by which each output sees the pixels before.

x (B, D) → h (B, 500) → logits (B, D),   D = 784, B = 100,   the weights W ∘ M in the place of W

M₁[i, k] = m[k] ≥ i,   M₂[k, j] = j > m[k],   of pixels i, j = 1 … D and degrees m of 1 … D - 1 in rising order
loss = 1/B Σ_b Σ_j softplus(l_j) - x_j l_j                                nats per image
"""

import functools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from ..by_hand import BernoulliLoss, FlatAdam
from . import Arrays, Problem, linear_weights

DESCRIPTION = "made: MADE 784-500-784, relu, Bernoulli, batch 100"
LEARNING_RATE = 1e-3
STEPS = 10
AIM = 0.80

STRIPS = 6


def problem(rng: np.random.Generator, tiny: bool) -> Problem:
    pixels, hidden, batch = (13, 8, 5) if tiny else (784, 500, 100)
    batches = [{"x": (rng.random((batch, pixels)) < 0.3).astype(np.float32)} for _ in range(4)]
    return Problem(linear_weights((pixels, hidden, pixels), rng), batches)


@functools.cache
def masks(pixels: int, hidden: int) -> tuple[np.ndarray, np.ndarray]:
    """M₁ and M₂, float32."""
    number = np.arange(1, pixels + 1)
    degree = np.arange(hidden) * (pixels - 1) // hidden + 1
    first, second = degree >= number[:, None], number > degree[:, None]
    return first.astype(np.float32), second.astype(np.float32)


def array_loss(xp: ModuleType, p: dict[str, Any], batch: dict[str, Any]) -> Any:
    x = batch["x"]
    M1, M2 = masks(*p["W1"].shape)
    h = xp.maximum(xp.matmul(x, p["W1"] * M1) + p["b1"], 0)
    logits = xp.matmul(h, p["W2"] * M2) + p["b2"]
    return xp.sum(xp.logaddexp(0.0, logits) - x * logits) / len(x)


@functools.cache
def torch_masks(pixels: int, hidden: int) -> list[Any]:
    import torch

    return [torch.tensor(mask.T.copy()) for mask in masks(pixels, hidden)]


def torch_loss(p: dict[str, Any], batch: dict[str, Any]) -> Any:
    from torch.nn.functional import binary_cross_entropy_with_logits, linear, relu

    x = batch["x"]
    M1, M2 = torch_masks(*p["W2"].shape)
    h = relu(linear(x, p["W1"] * M1, p["b1"]))
    logits = linear(h, p["W2"] * M2, p["b2"])
    return binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def scratchgen_model(weights: Arrays) -> tuple[dict[str, Any], Callable[[Arrays], Any]]:
    from scratchgen.autoregressive import MADE
    from scratchgen.autoregressive.outputs import BinaryOutput

    pixels, hidden = weights["W1"].shape
    model = MADE(pixels, BinaryOutput(), [hidden], rng=0, complete=False)  # with 500 units, not every degree has one
    names = {"W1": "layers.0.W", "b1": "layers.0.b", "W2": "last.W", "b2": "last.b"}
    model.load_state({names[name]: array for name, array in weights.items()})
    return model.parameters(), lambda batch: model.loss(batch["x"])


def staircase(mask: np.ndarray) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Strips of columns: the rows that each needs, its columns, and its part of the mask."""
    for columns in np.array_split(np.arange(mask.shape[1]), STRIPS):
        used = np.flatnonzero(mask[:, columns].any(axis=1))
        rows = slice(used[0], used[-1] + 1)
        columns = slice(columns[0], columns[-1] + 1)
        yield rows, columns, mask[rows, columns]


def numpy_step(weights: Arrays, batches: list[Arrays]) -> Callable[[int], float]:
    """A masked weight is set to 0 once. It has no gradient, and so stays there."""
    adam = FlatAdam(list(weights.values()), LEARNING_RATE)
    W1, b1, W2, b2 = adam.values
    dW1, db1, dW2, db2 = adam.gradients
    B, (pixels, hidden) = len(batches[0]["x"]), W1.shape
    M1, M2 = masks(pixels, hidden)
    W1 *= M1
    W2 *= M2
    first, second = list(staircase(M1)), list(staircase(M2))
    bits = [(0.5 - batch["x"]) / B for batch in batches]
    h, dh, zeros = np.zeros((3, B, hidden), np.float32)
    logits, dlogits = np.zeros((2, B, pixels), np.float32)
    active = np.empty((B, hidden), bool)
    bernoulli_loss = BernoulliLoss((B, pixels), B)
    ones = np.ones(B, np.float32)

    def step(i: int) -> float:
        x = batches[i % len(batches)]["x"]
        for rows, columns, _ in first:
            np.matmul(x[:, rows], W1[rows, columns], out=h[:, columns])
        np.add(h, b1, out=h)
        np.maximum(h, zeros, out=h)  # an array of zeros is faster than the scalar 0
        for rows, columns, _ in second:
            np.matmul(h[:, rows], W2[rows, columns], out=logits[:, columns])
        np.add(logits, b2, out=logits)

        loss = bernoulli_loss(logits, bits[i % len(bits)], dlogits)

        np.matmul(ones, dlogits, out=db2)
        dh.fill(0)
        for rows, columns, mask in second:
            np.matmul(h[:, rows].T, dlogits[:, columns], out=dW2[rows, columns])
            np.multiply(dW2[rows, columns], mask, out=dW2[rows, columns])
            dh[:, rows] += dlogits[:, columns] @ W2[rows, columns].T
        np.greater(h, zeros, out=active)
        np.multiply(dh, active, out=dh)
        np.matmul(ones, dh, out=db1)
        for rows, columns, mask in first:
            np.matmul(x[:, rows].T, dh[:, columns], out=dW1[rows, columns])
            np.multiply(dW1[rows, columns], mask, out=dW1[rows, columns])
        adam.step()
        return loss

    return step
