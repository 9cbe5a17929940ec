"""Schedules: plain functions from the number of a step, counted from 0, to its learning rate.

    lr ┤  ╭──╮                  warm-up: the first steps are small, while Adam's averages are still rough
       │ ╱    ╲
       │╱      ╲__              cosine: the last steps are small, to average out the noise of the minibatches
       └───────────→ step

Use one by ``optimizer.lr = schedule(step)`` before each step, or as ``training.fit(..., schedule=...)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """The same lr at every step.

    Raises ValueError for lr ≤ 0.

    >>> constant(0.1)(1000)
    0.1
    """
    return linear_warm_up(lr, 0)


def linear_warm_up(lr: float, warm_up: int) -> Schedule:
    """lr (step + 1) / warm_up in the first ``warm_up`` steps, and lr from then on.

    Source: Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, 2017, §2.2.
    Raises ValueError for lr ≤ 0 or warm_up < 0.

    >>> schedule = linear_warm_up(1.0, warm_up=4)
    >>> [schedule(step) for step in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    check(lr, warm_up)
    return lambda step: lr * min(1.0, (step + 1) / warm_up) if warm_up else lr


def cosine(lr: float, steps: int, warm_up: int = 0, lowest: float = 0.0) -> Schedule:
    """A linear warm-up, then half a cosine from lr down to ``lowest``, which it reaches after ``steps`` steps:

        lowest + (lr − lowest) ½ (1 + cos(π (step − warm_up) / (steps − warm_up)))

    The last step of the training, steps − 1, is still above ``lowest``; from ``steps`` on it stays there.
    Source: Loshchilov & Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017, equation (5).
    Raises ValueError for lr ≤ 0, warm_up < 0, steps ≤ warm_up, or lowest outside 0 … lr.

    >>> schedule = cosine(1.0, steps=6, warm_up=2)
    >>> [round(schedule(step), 3) for step in range(8)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    warming = linear_warm_up(lr, warm_up)
    if steps <= warm_up:
        raise ValueError(f"steps is {steps}; it must be above warm_up, which is {warm_up}")
    if not 0 <= lowest <= lr:
        raise ValueError(f"lowest is {lowest}; it must be from 0 to lr, which is {lr}")

    def schedule(step: int) -> float:
        if step < warm_up:
            return warming(step)
        done = min(1.0, (step - warm_up) / (steps - warm_up))
        return lowest + (lr - lowest) * 0.5 * (1 + math.cos(math.pi * done))

    return schedule


def check(lr: float, warm_up: int) -> None:
    """Refuse what no schedule can use."""
    if not 0 < lr < math.inf:
        raise ValueError(f"lr is {lr}; it must be above 0 and finite")
    if warm_up < 0:
        raise ValueError(f"warm_up is {warm_up}; it must be at least 0")
