"""The transformer's training step written by hand, without a tape: see workloads/transformer.py for the model.

Each part has a function for its result and what its derivative needs, and one for the derivative, which writes that of
the weights where Adam looks for it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .by_hand import FlatAdam
from .workloads import Arrays

np.empty(30 * 2**20, np.uint8)  # so that the C library keeps what is freed: see scratchgen/autodiff/record.py

GELU, CUBIC = (8 / np.pi) ** 0.5, 0.044715  # ½ (1 + tanh u) = sigmoid(2u)


def sums(a: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ over the last axis of a times the weights, kept with length 1: BLAS adds faster than sum does."""
    return (a @ weights)[..., None]


def rows(a: np.ndarray) -> np.ndarray:
    return a.reshape(-1, a.shape[-1])


class Linear:
    """y = x W + b."""

    def __init__(self, name: str, p: Arrays, g: Arrays) -> None:
        self.W, self.b, self.dW, self.db = p[f"{name}.W"], p[f"{name}.b"], g[f"{name}.W"], g[f"{name}.b"]

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x = rows(x)
        y = self.x @ self.W
        y += self.b
        return y.reshape(*x.shape[:-1], -1)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        dy = rows(dy)
        np.matmul(self.x.T, dy, out=self.dW)
        np.matmul(np.ones(len(dy), np.float32), dy, out=self.db)
        return dy @ self.W.T


class Norm:
    """y = x̂ gain + bias, x̂ = (x - mean) r,   dx = r (h - mean(h) - x̂ mean(h x̂)), h = dy gain."""

    def __init__(self, name: str, p: Arrays, g: Arrays, eps: float) -> None:
        self.gain, self.bias, self.eps = p[f"{name}.gain"], p[f"{name}.bias"], eps
        self.dgain, self.dbias = g[f"{name}.gain"], g[f"{name}.bias"]

    def forward(self, x: np.ndarray) -> np.ndarray:
        x = rows(x)
        equal = np.full(x.shape[-1], 1 / x.shape[-1], np.float32)
        self.x_hat = x - sums(x, equal)
        self.r = 1 / np.sqrt(sums(self.x_hat * self.x_hat, equal) + self.eps)
        self.x_hat *= self.r
        y = self.x_hat * self.gain
        y += self.bias
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        ones, weights = np.ones(len(dy), np.float32), self.gain / np.float32(len(self.gain))
        product = dy * self.x_hat
        np.matmul(ones, product, out=self.dgain)
        np.matmul(ones, dy, out=self.dbias)
        dx = dy * self.gain
        dx -= sums(dy, weights)
        dx -= self.x_hat * sums(product, weights)
        dx *= self.r
        return dx


class Attention:
    """y_t = Σ_s e_st v_s / Σ_s e_st,   e_st = exp(q_t · k_s / √d) for s ≤ t, else 0; (s, t) with t as the last axis."""

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        self.shape = shape  # B, T, heads, d
        self.scale = np.float32(shape[3] ** -0.5)
        self.mask = np.where(np.tri(shape[1], dtype=bool), 0, -np.inf).T.astype(np.float32, order="C")

    def heads(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(self.shape).transpose(0, 2, 1, 3)

    def merged(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(0, 2, 1, 3).reshape(self.shape[0] * self.shape[1], -1)

    def forward(self, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        self.q, self.k, self.v = self.heads(q) * self.scale, self.heads(k), self.heads(v)
        e = self.k @ self.q.swapaxes(2, 3)
        e += self.mask
        e -= e.max(axis=2, keepdims=True)
        np.exp(e, out=e)
        self.e, self.total = e, e.sum(axis=2)[..., None]
        self.y = e.swapaxes(2, 3) @ self.v
        self.y /= self.total
        return self.merged(self.y)

    def backward(self, dy: np.ndarray) -> list[np.ndarray]:
        dy = self.heads(dy) / self.total
        h = self.v @ dy.swapaxes(2, 3)
        h -= sums(dy * self.y, np.ones(self.shape[3], np.float32)).swapaxes(2, 3)
        h *= self.e
        dq = h.swapaxes(2, 3) @ self.k
        dq *= self.scale
        return [self.merged(part) for part in (dq, h @ self.q, self.e @ dy)]


def gelu(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u s, and s = sigmoid(2√(2/π) (u + 0.044715 u³))."""
    s = u * u
    s *= -GELU * CUBIC
    s -= GELU
    s *= u
    np.exp(s, out=s)
    s += 1
    np.divide(1, s, out=s)
    return u * s, s


def gelu_backward(dy: np.ndarray, y: np.ndarray, u: np.ndarray, s: np.ndarray) -> np.ndarray:
    du = u * u
    du *= 3 * GELU * CUBIC
    du += GELU
    rest = 1 - s
    rest *= y
    du *= rest
    du += s
    du *= dy
    return du


def numpy_step(
    weights: Arrays, batches: list[Arrays], layers: int, heads: int, eps: float, lr: float
) -> Callable[[int], float]:
    adam = FlatAdam(list(weights.values()), lr)
    p, g = dict(zip(weights, adam.values)), dict(zip(weights, adam.gradients))
    B, T = batches[0]["x"].shape
    width = p["places.W"].shape[1]
    everything = np.arange(B * T)

    blocks: list[dict[str, Any]] = []
    for layer in range(layers):
        parts = ("attention.query", "attention.key", "attention.value", "attention.out", "expand", "contract")
        block: dict[str, Any] = {part: Linear(f"blocks.{layer}.{part}", p, g) for part in parts}
        block |= {f"norms.{i}": Norm(f"blocks.{layer}.norms.{i}", p, g, eps) for i in (0, 1)}
        blocks.append(block | {"attention": Attention((B, T, heads, width // heads))})
    last_norm, head = Norm("norm", p, g, eps), Linear("head", p, g)

    def step(i: int) -> float:
        x, inputs = (batches[i % len(batches)][name].ravel() for name in ("x", "inputs"))
        h = rows(p["embedding.W"][inputs].reshape(B, T, width) + p["places.W"])
        gelus = []
        for b in blocks:
            a = b["norms.0"].forward(h)
            qkv = (b[f"attention.{part}"].forward(a) for part in ("query", "key", "value"))
            h = h + b["attention.out"].forward(b["attention"].forward(*qkv))
            u = b["expand"].forward(b["norms.1"].forward(h))
            y, s = gelu(u)
            gelus.append((y, u, s))
            h += b["contract"].forward(y)
        z = head.forward(last_norm.forward(h))
        z -= z.max(axis=1, keepdims=True)
        loss = -float(z[everything, x].sum())
        np.exp(z, out=z)
        total = z.sum(axis=1, keepdims=True)
        loss += float(np.log(total).sum())

        z /= total * B
        z[everything, x] -= 1 / B
        dh = last_norm.backward(head.backward(z))
        for b, kept in zip(reversed(blocks), reversed(gelus)):
            dh += b["norms.1"].backward(b["expand"].backward(gelu_backward(b["contract"].backward(dh), *kept)))
            dqkv = b["attention"].backward(b["attention.out"].backward(dh))
            dq, dk, dv = (b[f"attention.{part}"].backward(d) for part, d in zip(("query", "key", "value"), dqkv))
            dq += dk
            dq += dv
            dh += b["norms.0"].backward(dq)
        np.sum(dh.reshape(B, T, width), axis=0, out=g["places.W"])
        once = np.zeros((B * T, len(p["embedding.W"])), np.float32)
        once[everything, inputs] = 1
        np.matmul(once.T, dh, out=g["embedding.W"])
        adam.step()
        return loss / B

    return step
