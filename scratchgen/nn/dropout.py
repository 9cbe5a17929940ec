"""Dropout: in training, random features are left out, so that none can rely on another."""

from __future__ import annotations

from typing import Any

from scratchgen.nn.module import Module
from scratchgen.random import Rng, generator


class Dropout(Module):
    """y = x m / (1 − rate), with an independent m ~ Bernoulli(1 − rate) for each element; in evaluation, y = x.

    The division (*inverted* dropout) keeps E[y] = x, so that evaluation needs no factor.
    Source: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15, 2014, §10.

    Args:
        rate: the probability to leave an element out, 0 ≤ rate < 1.

    Raises:
        ValueError: for another rate; in ``forward``, in training without an rng.

    >>> import numpy as np
    >>> layer = Dropout(0.5)
    >>> layer(np.ones(6), rng=3)
    array([0., 0., 2., 2., 0., 0.])
    >>> layer.eval()(np.ones(6))
    array([1., 1., 1., 1., 1., 1.])
    """

    def __init__(self, rate: float) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate is {rate}; it must be at least 0 and below 1")
        self.rate = rate

    def forward(self, x: Any, rng: Rng | None = None) -> Any:
        """x of any shape → the same shape; ``rng`` is needed in training only."""
        if not self.training or self.rate == 0:
            return x
        if rng is None:
            raise ValueError("Dropout draws in training: call it as layer(x, rng), or switch it off by model.eval()")
        kept = generator(rng).random(x.shape) >= self.rate
        return x * (kept.astype(x.dtype) / (1 - self.rate))
