"""Samples of the operations of ``nn``: convolutions and the lookup of an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks.sample import Sample, signed
from scratchgen.nn.convolution import conv2d, conv_transpose2d, kernel_gradient
from scratchgen.nn.embedding import add_rows, lookup

# images, kernel of conv2d (height, width, in, out), stride and padding
CONVOLUTIONS: list[tuple[str, tuple[int, ...], tuple[int, ...], int, int]] = [
    ("primes", (2, 5, 7, 3), (2, 3, 3, 1), 1, 0),
    ("square", (1, 3, 3, 1), (2, 2, 1, 1), 1, 0),
    ("size-1 axis", (1, 1, 3, 2), (1, 1, 2, 2), 1, 0),
    ("empty", (0, 3, 3, 1), (2, 2, 1, 2), 1, 0),
    ("stride", (1, 5, 4, 1), (2, 2, 1, 2), 2, 0),
    ("padding", (1, 2, 3, 2), (3, 2, 2, 1), 1, 1),
    ("stride and padding", (2, 4, 3, 1), (3, 2, 1, 2), 2, 1),
    ("stride without overlap", (1, 4, 5, 1), (1, 2, 1, 1), 3, 0),
]


def output_shape(x: tuple[int, ...], W: tuple[int, ...], stride: int, padding: int) -> tuple[int, ...]:
    """The shape of ``conv2d(x, W)``."""
    return conv2d(np.zeros(x), np.zeros(W), None, stride, padding).shape


def convolutions() -> list[Sample]:
    """Each of the three functions for each of the shapes, with and without a bias."""
    samples = []
    for kind, x, W, stride, padding in CONVOLUTIONS:
        y, height, width = output_shape(x, W, stride, padding), x[1], x[2]

        def forward(x: Any, W: Any, b: Any, stride: int = stride, padding: int = padding) -> Any:
            return conv2d(x, W, b, stride, padding)

        def back(
            y: Any, W: Any, b: Any = None, s: int = stride, p: int = padding, size: tuple[int, int] = (height, width)
        ) -> Any:
            return conv_transpose2d(y, W, b, s, p, size)

        def kernel(x: Any, y: Any, size: tuple[int, ...] = W[:2], stride: int = stride, padding: int = padding) -> Any:
            return kernel_gradient(x, y, size, stride, padding)

        samples += [
            Sample("conv2d", kind, forward, signed(*x), signed(*W), signed(W[3])),
            Sample("conv_transpose2d", kind, back, signed(*y), signed(*W), signed(W[2])),
            Sample("conv_transpose2d", f"{kind}, no bias", back, signed(*y), signed(*W)),
            Sample("kernel_gradient", kind, kernel, signed(*x), signed(*y)),
        ]
    return samples


SHAPES: dict[str, tuple[tuple[int, ...], Any]] = {  # of W, and the tokens
    "primes": ((5, 3), [[1, 4], [0, 2]]),
    "square": ((2, 2), [1, 0]),
    "0-d": ((3, 2), 1),
    "size-1 axis": ((1, 3), [0]),
    "empty": ((3, 2), np.zeros((0, 2), dtype=int)),
    "duplicate indices": ((3, 2), [[1, 1, 0], [1, 2, 1]]),
}


def embeddings() -> list[Sample]:
    """The lookup and its adjoint for each of the shapes."""
    samples = []
    for kind, (shape, tokens) in SHAPES.items():
        tokens = np.asarray(tokens)

        def look(W: Any, tokens: np.ndarray = tokens) -> Any:
            return lookup(W, tokens)

        def add(y: Any, tokens: np.ndarray = tokens, n: int = shape[0]) -> Any:
            return add_rows(y, tokens, n)

        samples += [
            Sample("lookup", kind, look, signed(*shape)),
            Sample("add_rows", kind, add, signed(*tokens.shape, shape[1])),
        ]
    return samples


SAMPLES = convolutions() + embeddings()
EXEMPT = {(name, "0-d"): "images have four axes" for name in ("conv2d", "conv_transpose2d", "kernel_gradient")}
EXEMPT |= {
    (name, "same twice"): "its arguments have different axes"
    for name in ("conv2d", "conv_transpose2d", "kernel_gradient")
}
