"""Adam, and AdamW with decoupled weight decay.

With m and v the moving averages of the gradient g and of its square, starting from zero, step t of Adam is

    m ← β₁ m + (1 − β₁) g,      m̂ = m / (1 − β₁ᵗ)
    v ← β₂ v + (1 − β₂) g²,     v̂ = v / (1 − β₂ᵗ)
    p ← p − lr m̂ / (√v̂ + ε)                                            (1)

The powers of β undo the start from zero: with a constant gradient, m̂ = g and v̂ = g² at *every* step, so each weight
moves by lr from the first step on, whatever the size of its gradient.

The code computes exactly this with fewer operations per weight. The constant factors 1 − β and 1 − βᵗ need not be
applied to every weight. Let m' = m / (1 − β₁) and v' = v / (1 − β₂), and let k be the factor in √v̂ = k √v'. Then

    m' ← β₁ m' + g                                                      (2)
    v' ← β₂ v' + g²                                                     (3)
    p  ← p − c m' / (√v' + ε / k)                                       (4)
    k = √((1 − β₂) / (1 − β₂ᵗ)),    c = lr (1 − β₁) / ((1 − β₁ᵗ) k)     (5)

Source: Kingma & Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1; Loshchilov & Hutter,
Decoupled weight decay regularization, ICLR 2019, algorithm 2.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from scratchgen.optim.optimizer import Optimizer
from scratchgen.optim.parameters import Parameters

SMALLEST_EPS = 1e-30  # anything less might be 0 in float32, and a weight with no gradient so far 0 / 0


class Adam(Optimizer):
    """Adam, equation (1): the step of each weight is scaled by the size of its recent gradients.

    Args:
        parameters, lr: see ``Optimizer``.
        betas: β₁ and β₂, each at least 0 and below 1: the averages reach back over about 1 / (1 − β) steps.
        eps: ε, outside the root.

    Raises:
        ValueError: for betas or eps out of range, and as ``Optimizer``.

    >>> from scratchgen.autodiff import Tensor
    >>> w = Tensor([3.0, -1.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w                                        # the first step is lr in each direction
    Tensor([ 2.9, -0.9], requires_grad=True)
    """

    SUMS: ClassVar[tuple[str, ...]] = ("m", "v")  # m' and v' of equations (2) and (3)

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        if np.shape(betas) != (2,):
            raise ValueError(f"betas is {betas}; give two numbers, β₁ and β₂")
        for i, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise ValueError(f"betas[{i}] is {beta}; it must be at least 0 and below 1")
        if not SMALLEST_EPS <= eps < math.inf:
            raise ValueError(f"eps is {eps}; it must be at least {SMALLEST_EPS} and finite")
        self.betas, self.eps = betas, eps
        super().__init__(parameters, lr)

    def _update(self, p: np.ndarray, g: np.ndarray, scratch: np.ndarray, *sums: np.ndarray) -> None:
        m, v = sums
        beta1, beta2 = self.betas
        k = math.sqrt((1 - beta2) / (1 - beta2**self.steps))  # (5)
        c = self.lr * (1 - beta1) / ((1 - beta1**self.steps) * k)
        np.multiply(m, beta1, out=m)  # (2)
        np.add(m, g, out=m)
        np.square(g, out=scratch)  # (3)
        np.multiply(v, beta2, out=v)
        np.add(v, scratch, out=v)
        np.sqrt(v, out=scratch)  # (4)
        np.add(scratch, self.eps / k, out=scratch)
        np.divide(m, scratch, out=scratch)
        np.multiply(scratch, c, out=scratch)
        np.subtract(p, scratch, out=p)


class AdamW(Adam):
    """Adam with decoupled weight decay: before each step, p ← (1 − lr · weight_decay) p.

    A penalty ½ λ p² in the loss would put λ p into the gradient, and Adam would scale it like the rest: weights with
    large gradients would decay less. Here all decay alike. This is PyTorch's form; the paper's λ is lr · weight_decay.

    Args:
        parameters, lr, betas, eps: see ``Adam``.
        weight_decay: at least 0.
        matrices_only: spare the arrays of fewer than two dimensions: biases, and the gains of a normalisation.

    Raises:
        ValueError: for a negative weight_decay, and as ``Adam``; for lr · weight_decay ≥ 1, also when lr is set later.

    >>> from scratchgen.autodiff import Tensor
    >>> w = Tensor([3.0, -1.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * 0).sum().backward()                 # no gradient: there is only the decay
    >>> optimizer.step()
    >>> w
    Tensor([ 2.85, -0.95], requires_grad=True)
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        matrices_only: bool = False,
    ) -> None:
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay is {weight_decay}; it must be at least 0")
        self.weight_decay = weight_decay
        super().__init__(parameters, lr, betas, eps)
        self._decaying = [name for name, p in self.parameters.items() if p.ndim >= 2 or not matrices_only]

    def _check_lr(self, value: float) -> None:
        super()._check_lr(value)
        if not value * self.weight_decay < 1:
            raise ValueError(
                f"lr is {value} and weight_decay is {self.weight_decay}; lr · weight_decay must be below 1, "
                "or the weights change sign"
            )

    def _apply(self, gradients: dict[str, np.ndarray]) -> None:
        for name in self._decaying:
            values = self._views[name][0]
            np.multiply(values, 1 - self.lr * self.weight_decay, out=values)
        super()._apply(gradients)
