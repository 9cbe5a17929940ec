"""A causal transformer that predicts each symbol of a sequence from those before (Radford et al. 2019, but small).

x (B, T) in 0 … V - 1,   inputs = start, x[1], …, x[T-1],   B = 16, T = 64, V = 65
h = E[inputs] + P  (B, T, 64),   twice:  h ← h + attention(norm(h)),  h ← h + W₂ gelu(W₁ norm(h) + b₁) + b₂
attention: 4 heads of 16 features, position t looks at s ≤ t;   gelu(u) = ½ u (1 + tanh(√(2/π) (u + 0.044715 u³)))
loss = -1/B Σ_b Σ_t log softmax(W norm(h) + b)[x_t]                        nats per sequence

The weights have the names that they have in scratchgen's model.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from .. import transformer_by_hand
from . import Arrays, Problem, linear_weights

DESCRIPTION = "transformer: 2 layers of width 64, 4 heads, context 64, 65 symbols, gelu, batch 16"
LEARNING_RATE = 1e-3
STEPS = 10
AIM = 0.85

LAYERS, HEADS, EPS = 2, 4, 1e-5


def problem(rng: np.random.Generator, tiny: bool) -> Problem:
    symbols, length, width, batch = (7, 5, 8, 3) if tiny else (65, 64, 64, 16)
    weights: Arrays = {}

    def linear(name: str, n_in: int, n_out: int) -> None:
        drawn = linear_weights((n_in, n_out), rng)
        weights[f"{name}.W"], weights[f"{name}.b"] = drawn["W1"], drawn["b1"]

    def norm(name: str) -> None:
        weights[f"{name}.gain"] = rng.uniform(0.5, 1.5, width).astype(np.float32)
        weights[f"{name}.bias"] = rng.uniform(-0.5, 0.5, width).astype(np.float32)

    weights["embedding.W"] = 0.1 * rng.standard_normal((symbols + 1, width), np.float32)  # the last is the start
    weights["places.W"] = 0.1 * rng.standard_normal((length, width), np.float32)
    for layer in range(LAYERS):
        for part in ("query", "key", "value", "out"):
            linear(f"blocks.{layer}.attention.{part}", width, width)
        norm(f"blocks.{layer}.norms.0")
        norm(f"blocks.{layer}.norms.1")
        linear(f"blocks.{layer}.expand", width, 4 * width)
        linear(f"blocks.{layer}.contract", 4 * width, width)
    norm("norm")
    linear("head", width, symbols)

    batches = []
    for _ in range(4):
        x = rng.integers(0, symbols, (batch, length))
        batches.append({"x": x, "inputs": np.column_stack([np.full(batch, symbols), x[:, :-1]])})
    return Problem(weights, batches)


def array_loss(xp: ModuleType, p: dict[str, Any], batch: dict[str, Any]) -> Any:
    x, inputs = batch["x"], batch["inputs"]
    B, T = x.shape
    mask = np.where(np.tri(T, dtype=bool), 0, -np.inf).astype(np.float32)

    def linear(h: Any, name: str) -> Any:
        return xp.matmul(h, p[f"{name}.W"]) + p[f"{name}.b"]

    def norm(h: Any, name: str) -> Any:
        centred = h - xp.mean(h, axis=-1, keepdims=True)
        std = xp.sqrt(xp.mean(centred * centred, axis=-1, keepdims=True) + EPS)
        return centred / std * p[f"{name}.gain"] + p[f"{name}.bias"]

    def heads(h: Any) -> Any:  # (B, HEADS, T, d)
        return xp.transpose(xp.reshape(h, (B, T, HEADS, h.shape[-1] // HEADS)), (0, 2, 1, 3))

    def log_sum_exp(a: Any) -> Any:
        largest = xp.max(a, axis=-1, keepdims=True)
        return largest + xp.log(xp.sum(xp.exp(a - largest), axis=-1, keepdims=True))

    h = p["embedding.W"][inputs] + p["places.W"]
    for layer in range(LAYERS):
        block = f"blocks.{layer}"
        a = norm(h, f"{block}.norms.0")
        q, k, v = (heads(linear(a, f"{block}.attention.{part}")) for part in ("query", "key", "value"))
        scores = xp.matmul(q, xp.transpose(k, (0, 1, 3, 2))) * q.shape[-1] ** -0.5 + mask
        y = xp.matmul(xp.exp(scores - log_sum_exp(scores)), v)
        h = h + linear(xp.reshape(xp.transpose(y, (0, 2, 1, 3)), h.shape), f"{block}.attention.out")
        u = linear(norm(h, f"{block}.norms.1"), f"{block}.expand")
        gelu = 0.5 * u * (1 + xp.tanh((2 / np.pi) ** 0.5 * (u + 0.044715 * (u * u * u))))
        h = h + linear(gelu, f"{block}.contract")
    logits = linear(norm(h, "norm"), "head")
    log_p = logits - log_sum_exp(logits)
    return -xp.sum(xp.reshape(log_p, (B * T, -1))[np.arange(B * T), x.reshape(-1)]) / B


def torch_weights(weights: Arrays) -> Arrays:
    """Linear layers as (out, in), and queries, keys and values as one of them, as torch's own attention has them."""
    turned = {name: array if name in ("embedding.W", "places.W") else array.T for name, array in weights.items()}
    for layer in range(LAYERS):
        for kind in ("W", "b"):
            names = [f"blocks.{layer}.attention.{part}.{kind}" for part in ("query", "key", "value")]
            turned[f"blocks.{layer}.attention.qkv.{kind}"] = np.concatenate([turned.pop(name) for name in names])
    return turned


def torch_loss(p: dict[str, Any], batch: dict[str, Any]) -> Any:
    from torch.nn import functional as F

    x, inputs = batch["x"], batch["inputs"]
    B, T = x.shape

    def linear(h: Any, name: str) -> Any:
        return F.linear(h, p[f"{name}.W"], p[f"{name}.b"])

    def norm(h: Any, name: str) -> Any:
        return F.layer_norm(h, h.shape[-1:], p[f"{name}.gain"], p[f"{name}.bias"], EPS)

    h = F.embedding(inputs, p["embedding.W"]) + p["places.W"]
    for layer in range(LAYERS):
        block = f"blocks.{layer}"
        qkv = linear(norm(h, f"{block}.norms.0"), f"{block}.attention.qkv")
        q, k, v = qkv.view(B, T, 3, HEADS, -1).permute(2, 0, 3, 1, 4)  # (B, HEADS, T, d)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + linear(y.transpose(1, 2).reshape(h.shape), f"{block}.attention.out")
        u = linear(norm(h, f"{block}.norms.1"), f"{block}.expand")
        h = h + linear(F.gelu(u, approximate="tanh"), f"{block}.contract")
    logits = linear(norm(h, "norm"), "head")
    return F.cross_entropy(logits.view(B * T, -1), x.reshape(-1), reduction="sum") / B


def scratchgen_model(weights: Arrays) -> tuple[dict[str, Any], Callable[[Arrays], Any]]:
    from scratchgen.autoregressive.transformer import Transformer

    levels, (dims, width) = len(weights["embedding.W"]) - 1, weights["places.W"].shape
    model = Transformer(levels, dims, width, HEADS, LAYERS, rng=0)
    model.load_state(weights)
    return model.parameters(), lambda batch: model.loss(batch["x"])


def numpy_step(weights: Arrays, batches: list[Arrays]) -> Callable[[int], float]:
    return transformer_by_hand.numpy_step(weights, batches, LAYERS, HEADS, EPS, LEARNING_RATE)
