"""How the demos train: Ctrl-C stops a demo, and does not let it go on with a model that is half trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.nn import Module
from scratchgen.optim import Adam, Optimizer, cosine
from scratchgen.training import History, fit


def fit_or_stop(model: Module, x: Any, **settings: Any) -> History:
    """``training.fit``, but when Ctrl-C is pressed: that ends in good order, where a demo has to end altogether.

    Raises:
        KeyboardInterrupt: if Ctrl-C was pressed.
    """
    history = fit(model, x, **settings)
    if history.interrupted:  # pictures of half a training would not be what they say
        raise KeyboardInterrupt
    return history


def fit_with_falling_lr(
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
    """``fit_or_stop`` by Adam, or another optimizer, with an lr that falls to 0; ``settings`` are others of ``fit``.

    Raises:
        KeyboardInterrupt: if Ctrl-C was pressed.
    """
    optimizer = optimizer or Adam(model.parameters(), lr=lr)
    schedule = cosine(lr, steps, warm_up=warm_up)
    return fit_or_stop(
        model, x, optimizer=optimizer, steps=steps, schedule=schedule, rng=rng, progress=progress, **settings
    )
