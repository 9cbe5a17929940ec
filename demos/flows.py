"""What the demos of flows share: the base, and couplings of the plane."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions import Independent, Normal
from scratchgen.flows import Coupling, ScalarMap, alternating
from scratchgen.nn import MLP
from scratchgen.random import Rng


def standard_normal(dims: int, dtype: Any = np.float32) -> Independent:
    """N(0, I) of vectors (dims,): the mean is 0, and so is the logarithm of each variance."""
    return Independent(Normal(np.zeros(dims, dtype), np.zeros(dims, dtype)), 1)


def couplings_of_the_plane(
    layers: int, scalar_map: ScalarMap, rng: Rng, context: int = 0, width: int = 32
) -> list[Coupling]:
    """Each lets one of the two coordinates pass, by turns; from it, and a context, a small network maps the other."""
    nets = [MLP([1 + context, width, width, scalar_map.numbers], rng, "tanh") for _ in range(layers)]
    return [Coupling(alternating(2, i), net, scalar_map) for i, net in enumerate(nets)]
