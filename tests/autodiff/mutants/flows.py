"""Wrong rules for the operations of coupling layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.shapes import scatter_add
from scratchgen.flows.scalar_maps import bounded
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, raw


def by_theta(b: Any = None, alpha: Any = None) -> Any:
    """The rule of θ with another derivative by b or by α, each given g, z, a and s."""

    def rule(g: Any, z: Any, x: Any, theta: Any, most: float) -> Any:
        a = bounded(theta[..., 1], most)
        by_b = -g * np.exp(-a) if b is None else b(g, z, a, most)
        by_alpha = -g * z * (1 - np.square(a / most)) if alpha is None else alpha(g, z, a, most)
        return np.stack([by_b, by_alpha], axis=-1)

    return instead(rule)


def slope_in_place(place: int, power: int = 2) -> Any:
    """The rule of the log-slope with the gradient elsewhere, or another power of a/s."""
    return instead(lambda g, y, theta, most: scatter_add(-g * (1 - (y / most) ** power), (..., place), theta.shape))


MUTANTS = [
    Mutant("affine_image", 0, "sign", instead(lambda g, z, x, theta, most: g * np.exp(bounded(theta[..., 1], most)))),
    Mutant("affine_image", 0, "missing term", instead(lambda g, z, x, theta, most: g * np.exp(-theta[..., 1]))),
    Mutant("affine_image", 1, "sign", by_theta(b=lambda g, z, a, s: g * np.exp(-a))),
    Mutant("affine_image", 1, "missing term", by_theta(alpha=lambda g, z, a, s: -g * z)),
    Mutant("affine_image", 1, "factor", by_theta(alpha=lambda g, z, a, s: -g * z * (1 - a * a))),
    Mutant("affine_image", 1, "raw data", by_theta(alpha=lambda g, z, a, s: -g * raw(z) * (1 - np.square(a / s)))),
    Mutant("affine_log_slope", 0, "wrong index", slope_in_place(0)),
    Mutant("affine_log_slope", 0, "factor", slope_in_place(1, power=1)),
    Mutant("merge_columns", 0, "wrong index", instead(lambda g, y, a, b, *where: g[:, : a.shape[1]])),
    Mutant("merge_columns", 1, "wrong index", instead(lambda g, y, a, b, *where: g[:, a.shape[1] :])),
    Mutant(
        "merge_columns",
        1,
        "swapped operands",
        instead(lambda g, y, a, b, i, j: g[:, i] if a.shape == b.shape else g[:, j]),
    ),
]
