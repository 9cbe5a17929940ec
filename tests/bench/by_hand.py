"""What hand-written NumPy shares: Adam on one flat buffer, the bias as a row of its weight matrix, the loss of bits."""

import math

import numpy as np

BLOCK = 128 * 1024  # elements; the four arrays of a block stay in cache while ten passes go over them


class FlatAdam:
    """Adam (Kingma and Ba 2015, algorithm 1) over arrays laid end to end in one buffer.

    The running sums are kept without their factors, m' = m / (1 - β₁) and v' = v / (1 - β₂), which saves two passes:

        m' ← β₁ m' + g,   v' ← β₂ v' + g²,   p ← p - c m' / (√v' + ε / k)
        k = √((1 - β₂) / (1 - β₂ᵗ)),   c = lr (1 - β₁) / ((1 - β₁ᵗ) k)

    `values` and `gradients` are views into the buffers, in the order given. `step` uses the gradients up.
    """

    def __init__(
        self, arrays: list[np.ndarray], lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        flat = np.concatenate([array.ravel() for array in arrays])
        flat_gradient, m, v = np.zeros_like(flat), np.zeros_like(flat), np.zeros_like(flat)
        ends = np.cumsum([array.size for array in arrays])
        places = [(slice(end - array.size, end), array.shape) for end, array in zip(ends, arrays)]
        self.values = [flat[place].reshape(shape) for place, shape in places]
        self.gradients = [flat_gradient[place].reshape(shape) for place, shape in places]
        starts = range(0, flat.size, BLOCK)
        self._blocks = [tuple(a[start : start + BLOCK] for a in (flat, flat_gradient, m, v)) for start in starts]
        self._lr, self._betas, self._eps, self._t = lr, betas, eps, 0

    def step(self) -> None:
        self._t += 1
        beta1, beta2 = self._betas
        k = ((1 - beta2) / (1 - beta2**self._t)) ** 0.5
        c = self._lr * (1 - beta1) / ((1 - beta1**self._t) * k)
        eps = self._eps / k
        for p, g, m, v in self._blocks:
            np.multiply(m, beta1, out=m)
            np.add(m, g, out=m)
            np.multiply(g, g, out=g)
            np.multiply(v, beta2, out=v)
            np.add(v, g, out=v)
            np.sqrt(v, out=g)
            np.add(g, eps, out=g)
            np.divide(m, g, out=g)
            np.multiply(g, c, out=g)
            np.subtract(p, g, out=p)


def bias_in_last_row(weights: dict[str, np.ndarray]) -> list[np.ndarray]:
    """[W1 over b1, W2 over b2, ...], each (in + 1, out): a column of ones in the input adds the bias in the product."""
    layers = len(weights) // 2
    return [np.vstack([weights[f"W{layer}"], weights[f"b{layer}"]]) for layer in range(1, layers + 1)]


def buffer_with_ones(batch: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A float32 buffer (B, n + 1) whose last column is ones, and the view (B, n) of its other columns."""
    buffer = np.ones((batch, n + 1), np.float32)
    return buffer, buffer[:, :n]


class BernoulliLoss:
    """1/B Σ softplus(l) - x l, over logits l and bits x of B examples, and its derivative by l.

    Without log1p, which is slow, and with one tanh for both:

        softplus(l) - x l = ½|l| + log 2 - log(1 + |tanh ½l|) + (½ - x) l
        its derivative    = ½ tanh ½l + (½ - x)
    """

    def __init__(self, shape: tuple[int, int], B: int) -> None:
        self._scratch = np.empty(shape, np.float32)
        self._ones = np.ones(self._scratch.size, np.float32)
        self._B = B

    def __call__(self, logits: np.ndarray, bits: np.ndarray, dlogits: np.ndarray) -> float:
        """The loss; `bits` is (½ - x) / B, and the derivative goes into `dlogits`."""
        B, scratch, ones = self._B, self._scratch, self._ones
        loss = float(np.vdot(logits, bits)) + scratch.size / B * math.log(2)
        np.abs(logits, out=scratch)
        loss += float(np.dot(scratch.ravel(), ones)) / (2 * B)  # BLAS adds faster than sum does
        np.multiply(logits, 0.5, out=dlogits)
        np.tanh(dlogits, out=dlogits)
        np.abs(dlogits, out=scratch)
        np.add(scratch, 1, out=scratch)
        np.log(scratch, out=scratch)
        loss -= float(np.dot(scratch.ravel(), ones)) / B
        np.multiply(dlogits, 0.5 / B, out=dlogits)
        np.add(dlogits, bits, out=dlogits)
        return loss
