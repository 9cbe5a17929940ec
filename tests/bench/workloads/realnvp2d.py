"""RealNVP on points of the plane (Dinh, Sohl-Dickstein and Bengio 2017): affine couplings, each with a network.

h (B, 2),   h = x at first,   eight times, with p = 0, 1, 0 … the column that passes and o the other:

    b, α = network(h_p) → 64 → 64 → 2, relu between,   a = 3 tanh(α/3),   h_o ← (h_o - b) e^-a

loss = 1/B Σ_b [ ½ ‖h‖² + log 2π + Σ_layers a ]                            nats per point,   B = 256

Each network sees the one number that passes and maps the one that does not: 1-64-64-2 does all that a 2-64-64-4 with
two of its inputs and outputs masked would do.
"""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ..by_hand import FlatAdam, bias_in_last_row, buffer_with_ones
from . import Arrays, Problem, linear_weights

DESCRIPTION = "realnvp2d: 8 affine couplings in the plane, MLP 1-64-64-2 each, relu, batch 256"
LEARNING_RATE = 1e-3
STEPS = 20
AIM = 0.38

LAYERS = 8
MOST = 3.0  # the bound of a


def problem(rng: np.random.Generator, tiny: bool) -> Problem:
    hidden, batch = (5, 7) if tiny else (64, 256)
    weights: Arrays = {}
    for layer in range(LAYERS):
        drawn = linear_weights((1, hidden, hidden, 2), rng)
        weights |= {f"{layer}.{name}": array for name, array in drawn.items()}
    return Problem(weights, [{"x": 2 * rng.standard_normal((batch, 2), np.float32)} for _ in range(4)])


def array_loss(xp: ModuleType, p: dict[str, Any], batch: dict[str, Any]) -> Any:
    x = batch["x"]
    passing, other, total = x[:, :1], x[:, 1:], 0.0
    for layer in range(LAYERS):
        W1, b1, W2, b2, W3, b3 = (p[f"{layer}.{name}"] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
        h = xp.maximum(xp.matmul(xp.maximum(xp.matmul(passing, W1) + b1, 0), W2) + b2, 0)
        theta = xp.matmul(h, W3) + b3
        a = MOST * xp.tanh(theta[:, 1:] / MOST)
        passing, other = (other - theta[:, :1]) * xp.exp(-a), passing  # the two change their parts
        total = total + xp.sum(a)
    squares = xp.sum(passing * passing) + xp.sum(other * other)
    return (0.5 * squares + total) / len(x) + math.log(2 * math.pi)


def torch_loss(p: dict[str, Any], batch: dict[str, Any]) -> Any:
    import torch
    from torch.nn.functional import linear, relu

    h = batch["x"]
    logabsdet = torch.zeros(len(h))
    for layer in range(LAYERS):
        W1, b1, W2, b2, W3, b3 = (p[f"{layer}.{name}"] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
        first, second = h.chunk(2, dim=1)
        passing, other = (second, first) if layer % 2 else (first, second)
        b, alpha = linear(relu(linear(relu(linear(passing, W1, b1)), W2, b2)), W3, b3).chunk(2, dim=1)
        a = MOST * torch.tanh(alpha / MOST)
        image = (other - b) * torch.exp(-a)
        h = torch.cat((image, passing) if layer % 2 else (passing, image), dim=1)
        logabsdet = logabsdet - a.squeeze(1)
    return (0.5 * h.square().sum(dim=1) + math.log(2 * math.pi) - logabsdet).mean()


def scratchgen_model(weights: Arrays) -> tuple[dict[str, Any], Callable[[Arrays], Any]]:
    from scratchgen.distributions import Independent, Normal
    from scratchgen.flows import AffineMap, Composite, Coupling, Flow, alternating
    from scratchgen.nn import MLP

    hidden, zeros = len(weights["0.W2"]), np.zeros(2, np.float32)
    couplings = [
        Coupling(alternating(2, i), MLP([1, hidden, hidden, 2], rng=0), AffineMap(MOST)) for i in range(LAYERS)
    ]
    flow = Flow(Composite(couplings), Independent(Normal(zeros, zeros), 1))
    flow.load_state(
        {
            f"transform.transforms.{layer}.net.layers.{i}.{kind}": weights[f"{layer}.{kind}{i + 1}"]
            for layer in range(LAYERS)
            for i in range(3)
            for kind in "Wb"
        }
    )
    return flow.parameters(), lambda batch: flow.loss(batch["x"])


def numpy_step(weights: Arrays, batches: list[Arrays]) -> Callable[[int], float]:
    """The two coordinates are two arrays (B,), which change their parts from layer to layer."""
    networks = [{k[2:]: a for k, a in weights.items() if k.startswith(f"{layer}.")} for layer in range(LAYERS)]
    adam = FlatAdam([matrix for network in networks for matrix in bias_in_last_row(network)], LEARNING_RATE)
    matrices = [adam.values[i : i + 3] for i in range(0, 3 * LAYERS, 3)]
    gradients = [adam.gradients[i : i + 3] for i in range(0, 3 * LAYERS, 3)]
    hidden, B = len(weights["0.W2"]), len(batches[0]["x"])
    inputs = [[buffer_with_ones(B, n) for n in (1, hidden, hidden)] for _ in range(LAYERS)]
    theta, dtheta = np.empty((2, B, 2), np.float32)
    bounded, shrink, images = np.empty((3, LAYERS, B), np.float32)  # a / MOST, e^-a, and what h_o became
    dh, zeros = np.zeros((2, B, hidden), np.float32)
    active, da = np.empty((B, hidden), bool), np.float32(1 / B)

    def step(i: int) -> float:
        passing, other = batches[i % len(batches)]["x"].T
        for layer in range(LAYERS):
            (u_ones, u), (h1_ones, h1), (h2_ones, h2) = inputs[layer]
            W1, W2, W3 = matrices[layer]
            t, e, z = bounded[layer], shrink[layer], images[layer]
            u[:, 0] = passing
            np.matmul(u_ones, W1, out=h1)
            np.maximum(h1, zeros, out=h1)
            np.matmul(h1_ones, W2, out=h2)
            np.maximum(h2, zeros, out=h2)
            np.matmul(h2_ones, W3, out=theta)
            np.multiply(theta[:, 1], 1 / MOST, out=t)
            np.tanh(t, out=t)
            np.multiply(t, -MOST, out=e)
            np.exp(e, out=e)
            np.subtract(other, theta[:, 0], out=z)
            np.multiply(z, e, out=z)
            passing, other = z, passing
        squares = float(np.vdot(passing, passing) + np.vdot(other, other))
        loss = (0.5 * squares + MOST * float(bounded.sum())) / B + math.log(2 * math.pi)

        dpassing, dother = passing / B, other / B
        for layer in range(LAYERS - 1, -1, -1):
            (u_ones, _), (h1_ones, h1), (h2_ones, h2) = inputs[layer]
            W1, W2, W3 = matrices[layer]
            dW1, dW2, dW3 = gradients[layer]
            t, e, z = bounded[layer], shrink[layer], images[layer]
            dz, dpassing = dpassing, dother
            dother = dz * e
            np.negative(dother, out=dtheta[:, 0])
            np.multiply(da - dz * z, 1 - t * t, out=dtheta[:, 1])
            np.matmul(h2_ones.T, dtheta, out=dW3)
            np.matmul(dtheta, W3[:-1].T, out=dh)
            np.greater(h2, zeros, out=active)
            np.multiply(dh, active, out=dh)
            np.matmul(h1_ones.T, dh, out=dW2)
            dh1 = dh @ W2[:-1].T
            np.greater(h1, zeros, out=active)
            np.multiply(dh1, active, out=dh1)
            np.matmul(u_ones.T, dh1, out=dW1)
            dpassing += dh1 @ W1[0]
        adam.step()
        return loss

    return step
