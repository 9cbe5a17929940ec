"""Stochastic gradient descent, plain and with momentum."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from scratchgen.optim.optimizer import Optimizer
from scratchgen.optim.parameters import Parameters


class SGD(Optimizer):
    """Gradient descent with momentum μ, on the gradient g of a minibatch:

        v ← μ v + g                                    (1)
        p ← p − lr v                                   (2)

    This is PyTorch's form: lr stands outside the sum. In Polyak's and Sutskever's form, v ← μ v − lr g and p ← p + v,
    which is the same as long as lr is constant. With a constant gradient v tends to g / (1 − μ).

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964; Sutskever et al., On the
    importance of initialization and momentum in deep learning, ICML 2013, §2.

    Args:
        parameters, lr: see ``Optimizer``.
        momentum: μ, 0 ≤ μ < 1.

    Raises:
        ValueError: for another momentum, and as ``Optimizer``.

    >>> from scratchgen.autodiff import Tensor
    >>> w = Tensor([3.0, -1.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([ 2.4, -0.8], requires_grad=True)
    """

    SUMS: ClassVar[tuple[str, ...]] = ("v",)

    def __init__(self, parameters: Parameters, lr: float, momentum: float = 0.0) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum is {momentum}; it must be at least 0 and below 1")
        self.momentum = momentum
        super().__init__(parameters, lr)

    def _update(self, p: np.ndarray, g: np.ndarray, scratch: np.ndarray, *sums: np.ndarray) -> None:
        (v,) = sums
        np.multiply(v, self.momentum, out=v)  # (1)
        np.add(v, g, out=v)
        np.multiply(v, self.lr, out=scratch)  # (2)
        np.subtract(p, scratch, out=p)
