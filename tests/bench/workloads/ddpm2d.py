"""Noise prediction of a diffusion model on points of the plane (Ho, Jain and Abbeel 2020, algorithm 1).

x0, noise (B, 2), t (B,) in 0 … 999,   B = 512
x_t = √ᾱ_t x0 + √(1 - ᾱ_t) noise                                          ᾱ_t = Π (1 - β_s), β linear 1e-4 … 0.02
u   = [x_t, sin(t ω), cos(t ω)]  (B, 34)                                  ω_k = 10000^(-k/16), k = 0 … 15
u → 128 → 128 → 128 → prediction (B, 2), silu between                     silu(z) = z / (1 + e^(-z))
loss = 1/B Σ_b ‖prediction - noise‖²
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ..by_hand import FlatAdam, bias_in_last_row, buffer_with_ones
from . import Arrays, Problem, linear_weights

DESCRIPTION = "ddpm2d: noise prediction, 2-D, time embedding 32, MLP 34-128-128-128-2, silu, batch 512"
LEARNING_RATE = 1e-3
STEPS = 20
AIM = 0.90

ALPHAS_CUMPROD = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
SIGNAL = np.sqrt(ALPHAS_CUMPROD).astype(np.float32)
NOISE_STD = np.sqrt(1 - ALPHAS_CUMPROD).astype(np.float32)
FREQUENCIES = (10000.0 ** (-np.arange(16) / 16)).astype(np.float32)


def problem(rng: np.random.Generator, tiny: bool) -> Problem:
    hidden, batch = (7, 6) if tiny else (128, 512)
    batches: list[Arrays] = [
        {
            "x0": rng.standard_normal((batch, 2), np.float32),
            "noise": rng.standard_normal((batch, 2), np.float32),
            "t": rng.integers(0, 1000, batch),
        }
        for _ in range(4)
    ]
    return Problem(linear_weights((2 + 32, hidden, hidden, hidden, 2), rng), batches)


def network_input(xp: Any, batch: dict[str, Any]) -> Any:
    """u of the module docstring, (B, 34). It needs no gradient, so that plain NumPy serves where arrays are NumPy's."""
    t = batch["t"]
    signal, std, frequencies = xp.asarray(SIGNAL), xp.asarray(NOISE_STD), xp.asarray(FREQUENCIES)
    x_t = signal[t][:, None] * batch["x0"] + std[t][:, None] * batch["noise"]
    angles = t[:, None].astype("float32") * frequencies
    return xp.concatenate([x_t, xp.sin(angles), xp.cos(angles)], axis=1)


def array_loss(xp: ModuleType, p: dict[str, Any], batch: dict[str, Any]) -> Any:
    h = network_input(np if isinstance(batch["x0"], np.ndarray) else xp, batch)
    for layer in "123":
        h = xp.matmul(h, p["W" + layer]) + p["b" + layer]
        h = h / (1 + xp.exp(-h))
    error = xp.matmul(h, p["W4"]) + p["b4"] - batch["noise"]
    return xp.sum(error * error) / len(error)


def torch_loss(p: dict[str, Any], batch: dict[str, Any]) -> Any:
    import torch
    from torch.nn.functional import linear, mse_loss, silu

    t, noise = batch["t"], batch["noise"]
    signal, std = torch.from_numpy(SIGNAL), torch.from_numpy(NOISE_STD)
    angles = t[:, None] * torch.from_numpy(FREQUENCIES)
    x_t = signal[t][:, None] * batch["x0"] + std[t][:, None] * noise
    h = torch.cat([x_t, angles.sin(), angles.cos()], dim=1)
    for layer in "123":
        h = silu(linear(h, p["W" + layer], p["b" + layer]))
    prediction = linear(h, p["W4"], p["b4"])
    return mse_loss(prediction, noise, reduction="sum") / len(noise)


def scratchgen_loss(p: dict[str, Any], batch: Arrays) -> Any:
    from scratchgen.autodiff import linear, mse, silu

    h = network_input(np, batch)
    for layer in "123":
        h = linear(h, p["W" + layer], p["b" + layer], activation=silu)
    return mse(linear(h, p["W4"], p["b4"]), batch["noise"])


def numpy_step(weights: Arrays, batches: list[Arrays]) -> Callable[[int], float]:
    adam = FlatAdam(bias_in_last_row(weights), LEARNING_RATE)
    B = len(batches[0]["t"])
    hidden = weights["b1"].size
    u_ones, u = buffer_with_ones(B, 2 + 32)
    hs_ones, hs = zip(*(buffer_with_ones(B, hidden) for _ in range(3)))
    inputs = [u_ones, *hs_ones]
    sigmoids = np.empty((3, B, hidden), np.float32)
    z, dh, slope = np.empty((3, B, hidden), np.float32)
    angles = np.empty((B, 16), np.float32)
    error = np.empty((B, 2), np.float32)

    def step(i: int) -> float:
        batch = batches[i % len(batches)]
        t, noise = batch["t"], batch["noise"]
        u[:, :2] = SIGNAL[t][:, None] * batch["x0"]
        u[:, :2] += NOISE_STD[t][:, None] * noise
        np.multiply(t.astype(np.float32)[:, None], FREQUENCIES, out=angles)
        np.sin(angles, out=u[:, 2:18])
        np.cos(angles, out=u[:, 18:])

        for layer in range(3):
            s = sigmoids[layer]
            np.matmul(inputs[layer], adam.values[layer], out=z)
            np.multiply(z, 0.5, out=s)  # sigmoid(z) = ½ + ½ tanh(½z): no division
            np.tanh(s, out=s)
            np.multiply(s, 0.5, out=s)
            np.add(s, 0.5, out=s)
            np.multiply(z, s, out=hs[layer])
        np.matmul(inputs[3], adam.values[3], out=error)
        np.subtract(error, noise, out=error)
        loss = float(np.vdot(error, error)) / B

        np.multiply(error, 2 / B, out=error)
        np.matmul(inputs[3].T, error, out=adam.gradients[3])
        np.matmul(error, adam.values[3][:-1].T, out=dh)
        for layer in (2, 1, 0):
            s, h = sigmoids[layer], hs[layer]  # silu'(z) = s + h (1 - s), h = z s
            np.subtract(1, s, out=slope)
            np.multiply(slope, h, out=slope)
            np.add(slope, s, out=slope)
            np.multiply(dh, slope, out=z)
            np.matmul(inputs[layer].T, z, out=adam.gradients[layer])
            if layer > 0:
                np.matmul(z, adam.values[layer][:-1].T, out=dh)
        adam.step()
        return loss

    return step
