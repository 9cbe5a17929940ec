"""Variational autoencoder on binary images (Kingma and Welling 2014), one relu layer on each side.

x (B, 784) → h (B, 400) → mean, logvar (B, 20) each → z (B, 20) → h (B, 400) → logits (B, 784),   B = 128

loss = 1/B Σ_b [ Σ_i softplus(l_i) - x_i l_i  +  ½ Σ_j (mean_j² + exp(logvar_j) - 1 - logvar_j) ]    nats per image
z    = mean + exp(½ logvar) · noise
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ..by_hand import BernoulliLoss, FlatAdam, bias_in_last_row
from . import Arrays, Problem, linear_weights

DESCRIPTION = "vae: MLP 784-400-(20+20)-400-784, relu, Bernoulli, batch 128"
LEARNING_RATE = 1e-3
STEPS = 10
AIM = 0.95


def problem(rng: np.random.Generator, tiny: bool) -> Problem:
    pixels, hidden, latent, batch = (12, 8, 3, 5) if tiny else (784, 400, 20, 128)
    encoder = linear_weights((pixels, hidden, 2 * latent), rng)
    decoder = linear_weights((latent, hidden, pixels), rng)
    weights = encoder | {f"{name[0]}{int(name[1]) + 2}": array for name, array in decoder.items()}
    batches = [
        {
            "x": (rng.random((batch, pixels)) < 0.3).astype(np.float32),
            "noise": rng.standard_normal((batch, latent), np.float32),
        }
        for _ in range(4)
    ]
    return Problem(weights, batches)


def array_loss(xp: ModuleType, p: dict[str, Any], batch: dict[str, Any]) -> Any:
    x, noise = batch["x"], batch["noise"]
    latent = noise.shape[1]
    stats = xp.matmul(xp.maximum(xp.matmul(x, p["W1"]) + p["b1"], 0), p["W2"]) + p["b2"]
    mean, logvar = stats[:, :latent], stats[:, latent:]
    z = mean + xp.exp(0.5 * logvar) * noise
    logits = xp.matmul(xp.maximum(xp.matmul(z, p["W3"]) + p["b3"], 0), p["W4"]) + p["b4"]
    reconstruction = xp.sum(xp.logaddexp(0.0, logits) - x * logits)
    kl = 0.5 * xp.sum(mean * mean + xp.exp(logvar) - 1 - logvar)
    return (reconstruction + kl) / len(x)


def torch_loss(p: dict[str, Any], batch: dict[str, Any]) -> Any:
    from torch.nn.functional import binary_cross_entropy_with_logits, linear, relu

    x, noise = batch["x"], batch["noise"]
    mean, logvar = linear(relu(linear(x, p["W1"], p["b1"])), p["W2"], p["b2"]).chunk(2, dim=1)
    z = mean + (0.5 * logvar).exp() * noise
    logits = linear(relu(linear(z, p["W3"], p["b3"])), p["W4"], p["b4"])
    reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum()
    return (reconstruction + kl) / len(x)


def scratchgen_loss(p: dict[str, Any], batch: Arrays) -> Any:
    from scratchgen.autodiff import bernoulli_log_prob, gaussian_kl, linear, relu

    x, noise = batch["x"], batch["noise"]
    mean, logvar = np.split(linear(linear(x, p["W1"], p["b1"], activation=relu), p["W2"], p["b2"]), 2, axis=1)
    z = mean + np.exp(0.5 * logvar) * noise
    logits = linear(linear(z, p["W3"], p["b3"], activation=relu), p["W4"], p["b4"])
    return (gaussian_kl(mean, logvar).sum() - bernoulli_log_prob(logits, x).sum()) / len(x)


def numpy_step(weights: Arrays, batches: list[Arrays]) -> Callable[[int], float]:
    """Arrays are (features, B): BLAS is faster when the longer side of a product comes first."""
    adam = FlatAdam(bias_in_last_row(weights), LEARNING_RATE)
    W1, W2, W3, W4 = adam.values
    dW1, dW2, dW3, dW4 = adam.gradients
    B, latent = batches[0]["noise"].shape
    hidden, pixels = W4[:-1].shape

    transposed = [(np.ascontiguousarray(batch["x"].T), np.ascontiguousarray(batch["noise"].T)) for batch in batches]
    data = [(np.vstack([x, np.ones((1, B), np.float32)]), (0.5 - x) / B, noise) for x, noise in transposed]
    h1_ones, h2_ones, z_ones = (np.ones((n + 1, B), np.float32) for n in (hidden, hidden, latent))
    h1, h2, z = h1_ones[:-1], h2_ones[:-1], z_ones[:-1]
    stats, dstats = np.empty((2, 2 * latent, B), np.float32)
    mean, logvar = stats[:latent], stats[latent:]
    dmean, dlogvar = dstats[:latent], dstats[latent:]
    std, variance, dz = np.empty((3, latent, B), np.float32)
    logits, dlogits = np.empty((2, pixels, B), np.float32)
    bernoulli_loss = BernoulliLoss((pixels, B), B)
    zeros, dh = np.zeros((2, hidden, B), np.float32)
    active = np.empty((hidden, B), bool)

    def step(i: int) -> float:
        x_ones, bits, noise = data[i % len(data)]

        np.matmul(W1.T, x_ones, out=h1)
        np.maximum(h1, zeros, out=h1)  # an array of zeros is faster than the scalar 0
        np.matmul(W2.T, h1_ones, out=stats)
        np.multiply(logvar, 0.5, out=std)
        np.exp(std, out=std)
        np.multiply(std, noise, out=z)
        np.add(z, mean, out=z)
        np.matmul(W3.T, z_ones, out=h2)
        np.maximum(h2, zeros, out=h2)
        np.matmul(W4.T, h2_ones, out=logits)

        loss = bernoulli_loss(logits, bits, dlogits)
        np.multiply(std, std, out=variance)
        kl = np.vdot(mean, mean) + variance.sum() - logvar.sum()
        loss += 0.5 * float(kl) / B - 0.5 * latent

        np.matmul(h2_ones, dlogits.T, out=dW4)
        np.matmul(W4[:-1], dlogits, out=dh)
        np.greater(h2, zeros, out=active)
        np.multiply(dh, active, out=dh)
        np.matmul(z_ones, dh.T, out=dW3)
        np.matmul(W3[:-1], dh, out=dz)
        np.add(dz, mean / B, out=dmean)
        dlogvar[...] = 0.5 * (dz * noise * std + (variance - 1) / B)
        np.matmul(h1_ones, dstats.T, out=dW2)
        np.matmul(W2[:-1], dstats, out=dh)
        np.greater(h1, zeros, out=active)
        np.multiply(dh, active, out=dh)
        np.matmul(x_ones, dh.T, out=dW1)
        adam.step()
        return loss

    return step
