"""Wrong rules for the operations of ``nn``: convolutions and the lookup of an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.nn.convolution import conv2d, conv_transpose2d, kernel_gradient
from scratchgen.nn.embedding import add_rows, lookup
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, raw


def mirrored(W: Any) -> Any:
    """The kernel of the other convention."""
    return np.flip(W, (0, 1))


def overwritten(g: Any, y: Any, W: Any, tokens: Any) -> Any:
    """dW[tokens] = g: of a token that occurs twice, the last."""
    dW = np.zeros(W.shape, raw(g).dtype)
    dW[tokens] = raw(g)
    return dW


MUTANTS = [
    Mutant(
        "conv2d",
        0,
        "not transposed",
        instead(
            lambda g, y, x, W, b=None, stride=1, padding=0: conv_transpose2d(
                g, mirrored(W), None, stride, padding, x.shape[1:3]
            )
        ),
    ),
    Mutant("conv2d", 2, "wrong count", instead(lambda g, *_, **__: np.mean(g, (0, 1, 2)))),
    Mutant("conv2d", 2, "wrong index", instead(lambda g, *_, **__: g[0, 0, 0])),
    Mutant(
        "conv_transpose2d",
        0,
        "not transposed",
        instead(
            lambda g, y, x, W, b=None, stride=1, padding=0, size=None: conv2d(g, mirrored(W), None, stride, padding)
        ),
    ),
    Mutant(
        "conv_transpose2d",
        1,
        "wrong permutation",
        instead(
            lambda g, y, x, W, b=None, stride=1, padding=0, size=None: mirrored(
                kernel_gradient(g, x, W.shape[:2], stride, padding)
            )
        ),
    ),
    Mutant(
        "kernel_gradient",
        1,
        "wrong permutation",
        instead(lambda g, W, x, y, kernel, stride=1, padding=0: conv2d(x, mirrored(g), None, stride, padding)),
    ),
    Mutant(
        "kernel_gradient",
        0,
        "raw data",
        lambda right: lambda g, W, x, y, kernel, stride=1, padding=0: right(g, W, x, raw(y), kernel, stride, padding),
    ),
    Mutant("lookup", 0, "overwritten scatter", instead(overwritten)),
    Mutant("lookup", 0, "wrong index", instead(lambda g, y, W, tokens: add_rows(g, np.flip(tokens), W.shape[0]))),
    Mutant("add_rows", 0, "wrong count", instead(lambda g, W, y, tokens, n_tokens: lookup(g, tokens) / n_tokens)),
    Mutant("add_rows", 0, "wrong index", instead(lambda g, W, y, tokens, n_tokens: g[(tokens + 1) % n_tokens])),
]
