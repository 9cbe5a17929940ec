"""Clipping the gradient by its norm, so that one bad minibatch cannot throw the weights far off."""

from __future__ import annotations

import math

import numpy as np

from scratchgen.optim.parameters import Parameters, checked_gradients, named


def clip_by_norm(parameters: Parameters, most: float) -> float:
    """Shorten the gradient g, all parameters taken as one vector, to the norm ``most`` if it is longer.

        g ← g min(1, most / ‖g‖),    ‖g‖² = Σ over all elements of all gradients

    Call it between ``backward`` and ``step``. Source: Pascanu, Mikolov & Bengio, On the difficulty of training
    recurrent neural networks, ICML 2013, algorithm 1.

    Returns:
        ‖g‖ before it, worth watching.

    Raises:
        ValueError: for most ≤ 0, and for a missing gradient.
        FloatingPointError: for a gradient with a NaN or inf, naming the parameter.

    >>> from scratchgen.autodiff import Tensor
    >>> w = Tensor([3.0, 4.0], requires_grad=True)
    >>> (0.5 * w * w).sum().backward()           # the gradient is w
    >>> clip_by_norm([w], most=1.0)
    5.0
    >>> w.grad
    array([0.6, 0.8])
    """
    if not most > 0:
        raise ValueError(f"most is {most}; it must be above 0")
    tensors = named(parameters)
    norm = math.hypot(*(euclidean_norm(g) for g in checked_gradients(tensors).values()))
    if norm > most:
        for tensor in tensors.values():
            tensor.grad = np.asarray(tensor.grad * (most / norm))
    return norm


def euclidean_norm(g: np.ndarray) -> float:
    """The norm of a flat array; right too where the squares would leave the range of float32, from 1e-38 to 3e38.

    >>> round(euclidean_norm(np.array([3e25, 4e25], np.float32)) / 1e25, 6)
    5.0
    """
    with np.errstate(all="ignore"):
        squares = float(np.dot(g, g))
    if 1e-30 < squares < 1e38:
        return math.sqrt(squares)
    largest = float(np.max(np.abs(g), initial=0))
    return largest * float(np.linalg.norm(g / largest)) if largest > 0 else 0.0
