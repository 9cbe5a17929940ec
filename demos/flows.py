"""What the demos of flows share: the base, couplings of the plane, and how they are trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions import Independent, Normal
from scratchgen.flows import Coupling, ScalarMap, alternating
from scratchgen.nn import MLP, Module
from scratchgen.optim import Adam, Optimizer, cosine
from scratchgen.random import Rng
from scratchgen.training import History, fit


def standard_normal(dims: int, dtype: Any = np.float32) -> Independent:
    """N(0, I) of vectors (dims,): the mean is 0, and so is the logarithm of each variance."""
    return Independent(Normal(np.zeros(dims, dtype), np.zeros(dims, dtype)), 1)


def couplings_of_the_plane(
    layers: int, scalar_map: ScalarMap, rng: Rng, context: int = 0, width: int = 32
) -> list[Coupling]:
    """Each lets one of the two coordinates pass, by turns; from it, and a context, a small network maps the other."""
    nets = [MLP([1 + context, width, width, scalar_map.numbers], rng, "tanh") for _ in range(layers)]
    return [Coupling(alternating(2, i), net, scalar_map) for i, net in enumerate(nets)]


def fit_or_stop(
    model: Module,
    x: np.ndarray,
    *,
    lr: float,
    steps: int,
    rng: np.random.Generator,
    optimizer: Optimizer | None = None,
    warm_up: int = 0,
    progress: bool = False,
    **settings: Any,
) -> History:
    """Minimise the loss by Adam, or another optimizer, with an lr that falls to 0; ``settings`` are those of ``fit``.

    Raises:
        KeyboardInterrupt: if Ctrl-C was pressed.
    """
    optimizer = optimizer or Adam(model.parameters(), lr=lr)
    schedule = cosine(lr, steps, warm_up=warm_up)
    history = fit(model, x, optimizer=optimizer, steps=steps, schedule=schedule, rng=rng, progress=progress, **settings)
    if history.interrupted:  # fit ends in good order, but pictures of half a training would not be what they say
        raise KeyboardInterrupt
    return history
