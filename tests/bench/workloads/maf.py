"""Masked autoregressive flow (Papamakarios, Pavlakou and Murray 2017): affine maps, each by a masked network.

h (B, D),   h = x at first,   five times:   θ = network(h) → 512 → 512 → (D, 2), relu between, weights W ∘ M

    b, α = θ,   a = 3 tanh(α/3),   h ← (h - b) e^-a,        b_j and α_j see only the dimensions before j

in the order 1 … D, and by turns in its reverse;  D = 63, B = 128
loss = 1/B Σ_b [ ½ ‖h‖² + ½ D log 2π + Σ_layers Σ_j a_j ]                  nats per vector
"""

import functools
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ..by_hand import FlatAdam
from . import Arrays, Problem, linear_weights
from .made import staircase

DESCRIPTION = "maf: 5 affine masked layers, D = 63, hidden 512-512, relu, batch 128"
LEARNING_RATE = 1e-4
STEPS = 5
AIM = 0.75

LAYERS = 5
MOST = 3.0  # the bound of a


def problem(rng: np.random.Generator, tiny: bool) -> Problem:
    dims, hidden, batch = (13, 14, 5) if tiny else (63, 512, 128)
    weights: Arrays = {}
    for layer in range(LAYERS):
        drawn = linear_weights((dims, hidden, hidden, 2 * dims), rng)
        weights |= {f"{layer}.{name}": array for name, array in drawn.items()}
    return Problem(weights, [{"x": rng.standard_normal((batch, dims), np.float32)} for _ in range(4)])


@functools.cache
def masks(dims: int, hidden: int, turned: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Those of the three layers, float32; θ_j is in the columns 2j and 2j + 1."""
    number = np.arange(1, dims + 1)
    number = number[::-1] if turned else number
    degree = np.arange(hidden) * (dims - 1) // hidden + 1
    first, second, last = degree >= number[:, None], degree >= degree[:, None], number > degree[:, None]
    return first.astype(np.float32), second.astype(np.float32), np.repeat(last, 2, axis=1).astype(np.float32)


def array_loss(xp: ModuleType, p: dict[str, Any], batch: dict[str, Any]) -> Any:
    h, total = batch["x"], 0.0
    B, D = h.shape
    for layer in range(LAYERS):
        W1, b1, W2, b2, W3, b3 = (p[f"{layer}.{name}"] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
        M1, M2, M3 = masks(*W1.shape, layer % 2 == 1)
        u = xp.maximum(xp.matmul(h, W1 * M1) + b1, 0)
        u = xp.maximum(xp.matmul(u, W2 * M2) + b2, 0)
        theta = xp.reshape(xp.matmul(u, W3 * M3) + b3, (B, D, 2))
        a = MOST * xp.tanh(theta[:, :, 1] / MOST)
        h = (h - theta[:, :, 0]) * xp.exp(-a)
        total = total + xp.sum(a)
    return (0.5 * xp.sum(h * h) + total) / B + 0.5 * D * math.log(2 * math.pi)


@functools.cache
def torch_masks(dims: int, hidden: int, turned: bool) -> list[Any]:
    import torch

    return [torch.tensor(mask.T.copy()) for mask in masks(dims, hidden, turned)]


def torch_loss(p: dict[str, Any], batch: dict[str, Any]) -> Any:
    import torch
    from torch.nn.functional import linear, relu

    h = batch["x"]
    B, D = h.shape
    logabsdet = torch.zeros(B)
    for layer in range(LAYERS):
        W1, b1, W2, b2, W3, b3 = (p[f"{layer}.{name}"] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
        M1, M2, M3 = torch_masks(D, len(W1), layer % 2 == 1)
        u = relu(linear(relu(linear(h, W1 * M1, b1)), W2 * M2, b2))
        b, alpha = linear(u, W3 * M3, b3).view(B, D, 2).unbind(dim=2)
        a = MOST * torch.tanh(alpha / MOST)
        h = (h - b) * torch.exp(-a)
        logabsdet = logabsdet - a.sum(dim=1)
    return (0.5 * h.square().sum(dim=1) + 0.5 * D * math.log(2 * math.pi) - logabsdet).mean()


def scratchgen_model(weights: Arrays) -> tuple[dict[str, Any], Callable[[Arrays], Any]]:
    from scratchgen.distributions import Independent, Normal
    from scratchgen.flows import AffineMap, Composite, Flow, MaskedAutoregressive, MaskedNet

    dims, hidden = weights["0.W1"].shape
    order, zeros = np.arange(dims), np.zeros(dims, np.float32)
    nets = [MaskedNet(dims, 2, [hidden, hidden], rng=0, order=order[:: (-1) ** layer]) for layer in range(LAYERS)]
    layers = [MaskedAutoregressive(net, AffineMap(MOST)) for net in nets]
    flow = Flow(Composite(layers), Independent(Normal(zeros, zeros), 1))
    flow.load_state(
        {
            f"transform.transforms.{layer}.net.layers.{i}.{kind}": weights[f"{layer}.{kind}{i + 1}"]
            for layer in range(LAYERS)
            for i in range(3)
            for kind in "Wb"
        }
    )
    return flow.parameters(), lambda batch: flow.loss(batch["x"])


class MaskedLinear:
    """x (W ∘ M) + b by strips; a masked weight is set to 0 once, has no gradient, and so stays there."""

    def __init__(self, arrays: tuple[np.ndarray, ...], mask: np.ndarray, B: int) -> None:
        self.W, self.b, self.dW, self.db = arrays
        self.W *= mask
        self.strips = list(staircase(mask))
        self.y, self.ones = np.zeros((B, len(self.b)), np.float32), np.ones(B, np.float32)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        for rows, columns, _ in self.strips:
            np.matmul(x[:, rows], self.W[rows, columns], out=self.y[:, columns])
        return np.add(self.y, self.b, out=self.y)

    def backward(self, g: np.ndarray) -> np.ndarray:
        dx = np.zeros_like(self.x)
        np.matmul(self.ones, g, out=self.db)
        for rows, columns, mask in self.strips:
            np.matmul(self.x[:, rows].T, g[:, columns], out=self.dW[rows, columns])
            np.multiply(self.dW[rows, columns], mask, out=self.dW[rows, columns])
            dx[:, rows] += g[:, columns] @ self.W[rows, columns].T
        return dx


def numpy_step(weights: Arrays, batches: list[Arrays]) -> Callable[[int], float]:
    adam = FlatAdam(list(weights.values()), LEARNING_RATE)
    (B, D), hidden = batches[0]["x"].shape, weights["0.b1"].size
    pairs = [(*adam.values[i : i + 2], *adam.gradients[i : i + 2]) for i in range(0, 6 * LAYERS, 2)]
    every_mask = [mask for layer in range(LAYERS) for mask in masks(D, hidden, layer % 2 == 1)]
    linears = [MaskedLinear(arrays, mask, B) for arrays, mask in zip(pairs, every_mask)]
    networks = [linears[i : i + 3] for i in range(0, 3 * LAYERS, 3)]
    bounded, shrink, images = np.empty((3, LAYERS, B, D), np.float32)  # a / MOST, e^-a, and h after the layer
    dtheta = np.empty((B, D, 2), np.float32)
    zeros, active = np.zeros((B, hidden), np.float32), np.empty((B, hidden), bool)

    def step(i: int) -> float:
        h = batches[i % len(batches)]["x"]
        for (first, second, last), t, e, z in zip(networks, bounded, shrink, images):
            u = first.forward(h)
            np.maximum(u, zeros, out=u)
            u = second.forward(u)
            np.maximum(u, zeros, out=u)
            theta = last.forward(u).reshape(B, D, 2)
            np.multiply(theta[:, :, 1], 1 / MOST, out=t)
            np.tanh(t, out=t)
            np.multiply(t, -MOST, out=e)
            np.exp(e, out=e)
            np.subtract(h, theta[:, :, 0], out=z)
            h = np.multiply(z, e, out=z)
        loss = (0.5 * float(np.vdot(h, h)) + MOST * float(bounded.sum())) / B + 0.5 * D * math.log(2 * math.pi)

        dz = h / B
        for (first, second, last), t, e, z in reversed(list(zip(networks, bounded, shrink, images))):
            slope = 1 - t * t
            dh = dz * e
            np.negative(dh, out=dtheta[:, :, 0])
            np.multiply(1 / B - dz * z, slope, out=dtheta[:, :, 1])
            du = last.backward(dtheta.reshape(B, 2 * D))
            np.greater(second.y, zeros, out=active)
            np.multiply(du, active, out=du)
            du = second.backward(du)
            np.greater(first.y, zeros, out=active)
            np.multiply(du, active, out=du)
            dz = dh + first.backward(du)
        adam.step()
        return loss

    return step
