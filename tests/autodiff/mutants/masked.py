"""Wrong rules for the products with masked weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.nn.masked_product import masked_back, masked_outer, masked_product
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, raw


def unmasked_outer(g: Any, y: Any, x: Any, W: Any, b: Any = None, *, blocks: Any) -> Any:
    """As if the mask were applied to W before, once and for all."""
    return np.swapaxes(x, 0, 1) @ g


def last_block_only(g: Any, y: Any, x: Any, W: Any, b: Any = None, *, blocks: Any) -> Any:
    """= for += where blocks share rows."""
    dx = np.zeros(x.shape, raw(g).dtype)
    for rows, columns, mask in blocks:
        dx[:, rows] = raw(g)[:, columns] @ (raw(W)[rows, columns] * mask).T
    return dx


MUTANTS = [
    Mutant("masked_product", 0, "missing term", instead(lambda g, y, x, W, b=None, *, blocks: g @ W.T)),
    Mutant("masked_product", 0, "overwritten scatter", instead(last_block_only)),
    Mutant("masked_product", 1, "missing term", instead(unmasked_outer)),
    Mutant("masked_product", 2, "wrong count", instead(lambda g, *_, **__: np.mean(g, axis=0))),
    Mutant("masked_back", 0, "missing term", instead(lambda u, y, g, W, *, blocks: u @ W)),
    Mutant("masked_back", 1, "raw data", instead(lambda u, y, g, W, *, blocks: masked_outer(u, raw(g), blocks=blocks))),
    Mutant("masked_outer", 0, "raw data", instead(lambda U, y, x, g, *, blocks: masked_back(raw(g), U, blocks=blocks))),
    Mutant("masked_outer", 0, "missing term", instead(lambda U, y, x, g, *, blocks: g @ U.T)),
    Mutant(
        "masked_outer",
        1,
        "off by little",
        instead(lambda U, y, x, g, *, blocks: 1.0001 * masked_product(x, U, blocks=blocks)),
    ),
]
