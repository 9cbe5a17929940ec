"""Flow matching and diffusion are one model: a velocity gives a score, at all times of any SDE.

An SDE has x_t = a x_0 + s ε, flow matching y_u = (1 − u) x_0 + u ε. Divided by a + s the first is the second, with
another clock:

    x_t = (a + s) y_u,    u = s / (a + s)                                                       (1)

Of y_u the velocity says what is expected: v(y, u) = E[ε | y] − E[x_0 | y], and y = (1 − u) E[x_0 | y] + u E[ε | y],
so that E[ε | y] = y + (1 − u) v. By Tweedie's formula the score of x_t is −E[ε | x_t] / s. Together:

    ∇ log p_t(x) = −[x + a v(x / (a + s), u)] / (s (a + s))                                     (2)

With (2) a flow-matching model can be sampled by any reverse SDE. And the probability flow of the SDE is the ODE of flow
matching, walked by the clock u(t) and scaled by a + s: the same map from noise to data, the same likelihood. What
differs is how straight the paths are, and so how many steps they take.

It holds for independent pairs of data and noise. With others, x_1 given y is not what Tweedie's formula supposes.

Source: Lipman et al., arXiv:2210.02747, section 4.1; Albergo et al., Stochastic Interpolants, arXiv:2303.08797.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.diffusion.arguments import beside
from scratchgen.diffusion.sde import SDE
from scratchgen.nn import Module


class FlowScore(Module):
    """The score (2) that a velocity of flow matching makes, for the times of an SDE.

    Args:
        velocity: (x, t) ↦ v, a ``FlowMatching`` or an ``ExactVelocity``; a Module, if it shall be trained.
        sde: whose p_t is meant.

    >>> from scratchgen.diffusion import VP, ExactVelocity, GaussianMixtureData
    >>> data = GaussianMixtureData([0.5, 0.5], [[-2.0], [2.0]], 0.25)
    >>> x, p = np.array([[0.5], [-3.0]]), data.diffused(VP())
    >>> FlowScore(ExactVelocity(data), p.sde)(x, 0.3).round(12) == p.score(x, 0.3).round(12)
    array([[ True],
           [ True]])
    """

    def __init__(self, velocity: Callable[[Any, Any], Any], sde: SDE) -> None:
        self.velocity, self.sde = velocity, sde

    def forward(self, x: Any, t: Any) -> Any:
        """∇ log p_t(x), of the shape of x, for t a number or (B,), above 0.

        Raises:
            ValueError: for t outside (0, 1], or of another number of rows.
        """
        a, s = self.sde.marginal(t)
        if not np.all(s > 0):
            raise ValueError("t is 0, where there is no noise, and a velocity says nothing of the score")
        v = self.velocity(x / beside(a + s, x), s / (a + s))
        return -(x + beside(a, x) * v) / beside(s * (a + s), x)
