"""Optimisers: how the gradient changes the weights.

Read ``sgd`` and ``adam`` for the update rules, ``optimizer`` for how they run over all weights at once, then
``schedules``, ``clipping`` and ``averaging``. A training loop by hand is

    for step in range(steps):
        optimizer.lr = schedule(step)
        optimizer.zero_grad()
        loss = model.loss(x, rng)
        loss.backward()
        clip_by_norm(model.parameters(), 10.0)
        optimizer.step()
        average.update()
"""

from scratchgen.optim.adam import Adam, AdamW
from scratchgen.optim.averaging import Average
from scratchgen.optim.clipping import clip_by_norm
from scratchgen.optim.optimizer import Optimizer
from scratchgen.optim.schedules import Schedule, constant, cosine, linear_warm_up
from scratchgen.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Average",
    "Optimizer",
    "Schedule",
    "clip_by_norm",
    "constant",
    "cosine",
    "linear_warm_up",
]
