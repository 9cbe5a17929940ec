"""Wrong rules for the divergences of discrete distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.activations import sigmoid
from scratchgen.autodiff.categorical import log_softmax, softmax
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, on_raw_data


def log_quotient(x: Any, z: Any) -> Any:
    """log q/p."""
    return log_softmax(x) - log_softmax(z)


def weighted(g: Any, x: Any, other: Any) -> Any:
    """g q_k times the other factor."""
    return g[..., None] * softmax(x) * other


MUTANTS = [
    Mutant("bernoulli_kl", 0, "missing term", instead(lambda g, y, x, z: g * sigmoid(x) * (x - z))),  # of σ(1 − σ)
    Mutant("bernoulli_kl", 0, "swapped operands", instead(lambda g, y, x, z: g * sigmoid(z) * sigmoid(-z) * (x - z))),
    Mutant("bernoulli_kl", 0, "sign", instead(lambda g, y, x, z: g * sigmoid(x) * sigmoid(-x) * (z - x))),
    Mutant("bernoulli_kl", 0, "wrong", instead(lambda g, y, x, z: g * (sigmoid(x) - sigmoid(z)))),  # that of p
    Mutant("bernoulli_kl", 0, "raw data", on_raw_data),
    Mutant("bernoulli_kl", 1, "sign", instead(lambda g, y, x, z: g * (sigmoid(x) - sigmoid(z)))),
    Mutant("bernoulli_kl", 1, "missing term", instead(lambda g, y, x, z: g * sigmoid(z) + 0 * x)),
    Mutant("bernoulli_kl", 1, "wrong", instead(lambda g, y, x, z: g * sigmoid(z) * sigmoid(-z) * (z - x))),
    Mutant("bernoulli_kl", 1, "raw data", on_raw_data),
    Mutant("categorical_kl", 0, "missing term", instead(lambda g, y, x, z: weighted(g, x, log_quotient(x, z)))),
    Mutant(
        "categorical_kl",
        0,
        "diagonal only",
        instead(lambda g, y, x, z: weighted(g, x, (1 - softmax(x)) * log_quotient(x, z))),
    ),
    Mutant(
        "categorical_kl",
        0,
        "swapped operands",
        instead(lambda g, y, x, z: weighted(g, x, log_quotient(z, x) - y[..., None])),
    ),
    Mutant("categorical_kl", 0, "wrong", instead(lambda g, y, x, z: g[..., None] * (softmax(x) - softmax(z)))),
    Mutant("categorical_kl", 0, "raw data", on_raw_data),
    Mutant("categorical_kl", 1, "sign", instead(lambda g, y, x, z: g[..., None] * (softmax(x) - softmax(z)))),
    Mutant("categorical_kl", 1, "missing term", instead(lambda g, y, x, z: -g[..., None] * softmax(x) + 0 * z)),
    Mutant(
        "categorical_kl",
        1,
        "wrong index",
        instead(lambda g, y, x, z: g[..., None] * (softmax(z) - np.roll(softmax(x), 1, axis=-1))),
    ),
    Mutant("categorical_kl", 1, "raw data", on_raw_data),
]
