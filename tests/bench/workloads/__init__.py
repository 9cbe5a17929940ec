"""The models that are timed: one file each.

A workload has `DESCRIPTION`, `LEARNING_RATE`, `STEPS` (per round), `AIM` (wanted ratio of scratchgen to torch) and

    problem(rng, tiny)              -> Problem: initial weights and a few batches, noise included
    array_loss(xp, weights, batch)  for the libraries that imitate NumPy: jax, autograd, mygrad
    torch_loss(weights, batch)      and, if they are not simply transposed, torch_weights(weights)
    scratchgen_loss(weights, batch), or scratchgen_model(weights) -> its parameters, and its loss of a batch
    numpy_step(weights, batches)    -> step(i), written by hand, without a tape
"""

import importlib
import itertools
from types import ModuleType
from typing import NamedTuple

import numpy as np

NAMES = ("vae", "made", "transformer", "ddpm2d", "realnvp2d", "maf", "scalar")

Arrays = dict[str, np.ndarray]


class Problem(NamedTuple):
    """What every peer starts from; a weight of a linear layer is (in, out)."""

    weights: Arrays
    batches: list[Arrays]


def load(name: str) -> ModuleType:
    """Import one workload by name."""
    return importlib.import_module(f"{__name__}.{name}")


def linear_weights(sizes: tuple[int, ...], rng: np.random.Generator) -> Arrays:
    """W1, b1, W2, b2 ... of linear layers sizes[0] -> sizes[1] -> ..., uniform in ±1/√in, float32."""
    weights = {}
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes), start=1):
        bound = n_in**-0.5
        weights[f"W{layer}"] = rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32)
        weights[f"b{layer}"] = rng.uniform(-bound, bound, n_out).astype(np.float32)
    return weights
