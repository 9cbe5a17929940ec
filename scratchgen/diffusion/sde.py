"""Stochastic differential equations (SDEs) that turn data into noise, and the way back (lecture p. 12).

    dx = f(x, t) dt + g(t) dw                  forward: from t = 0, data, to t = 1, noise          (1)
    dx = [f − g² ∇ log p_t(x)] dt + g dw̄       in reverse: from t = 1 to t = 0, dt < 0             (2)
    dx = [f − ½ g² ∇ log p_t(x)] dt            the probability flow, an ODE, in either direction   (3)

dw is noise of variance |dt|, and dw̄ the same on the way back. p_t is the density of x at time t, and its gradient
∇ log p_t(x) the *score*: the only thing that the way back needs, and so the only thing that has to be learned.

(2) and (3) have the same p_t as (1). There the drift carries probability along, and the noise spreads it like heat:
∂p/∂t = −∇·(f p) + ½ g² ∇·∇p. Since ∇p = p ∇ log p, the right side is −∇·([f − ½ g² ∇ log p] p), which is what the
drift of (3) does on its own. And (2) is (3) with a step of ``langevin`` at every moment, which leaves p_t as it is.

Here f(x, t) = −½ β(t) x pulls towards 0, or is 0. Then x at time t is a multiple of x at time 0 plus normal noise, and
no path has to be simulated in order to learn:

    x_t = a(t) x₀ + s(t) ε,    ε ~ N(0, I)                                                         (4)
    da/dt = −½ β a,    ds²/dt = −β s² + g²,    a(0) = 1, s(0) = 0                                  (5)

This holds for any β and g; those of ``families`` have an a and an s in closed form.

Source: Song et al., Score-Based Generative Modeling through Stochastic Differential Equations, arXiv:2011.13456,
sections 3.1, 3.2 and 4.3 and appendix D.1; Anderson, Reverse-time diffusion equation models, Stochastic Processes and
their Applications 12 (1982), for (2).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.diffusion.arguments import beside, noise_for
from scratchgen.distributions import Distribution, Independent, Normal
from scratchgen.random import Rng

Coefficients = tuple[Any, Any]
Score = Callable[[Any, Any], Any]  # (x, t) ↦ ∇ log p_t(x), of the shape of x


class SDE(ABC):
    """A forward SDE (1) whose drift is −½ β(t) x. Every t is a number, or (B,), one for each row of x."""

    @abstractmethod
    def rate(self, t: Any) -> np.ndarray:
        """β(t), of the shape of t."""

    @abstractmethod
    def diffusion(self, t: Any) -> np.ndarray:
        """g(t), not its square; of the shape of t."""

    @abstractmethod
    def marginal(self, t: Any) -> Coefficients:
        """a(t) and s(t) of (4), each of the shape of t.

        Raises:
            ValueError: for t outside [0, 1].
        """

    def __call__(self, x: Any, t: Any) -> Coefficients:
        """f(x, t), of the shape of x, and g(t), in a shape that multiplies noise of that of x (1).

        Raises:
            ValueError: for t outside [0, 1], or of another number of rows than x.
        """
        return beside(-0.5 * self.rate(t), x) * x, beside(self.diffusion(t), x)

    def perturb(self, x: Any, t: Any, rng: Rng | None = None, noise: Any = None) -> Any:
        """x_t (4) from x₀ = x in one step, given the noise ε or an rng that draws it.

        Raises:
            TypeError: without either; for noise of another dtype.
            ValueError: for noise of another shape than x; for t as above.
        """
        noise, (a, s) = noise_for(x, rng, noise), self.marginal(t)
        return beside(a, x) * x + beside(s, x) * noise

    def prior(self, shape: int | tuple[int, ...], dtype: Any = np.float64) -> Distribution:
        """The normal distribution that is taken for p_1: mean 0, and the variance that (5) approaches.

        Args:
            shape: of one x, such as 2 or (1, 8, 8).
            dtype: of its draws.
        """
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        logvar = np.full(shape, math.log(self.prior_variance()), dtype)
        return Independent(Normal(np.zeros(shape, dtype), logvar), len(shape))

    def prior_variance(self) -> float:
        """Of each number of x at t = 1, as the prior has it."""
        return 1.0

    def reverse(self, score: Score, probability_flow: bool = False) -> Reverse:
        """The way back with this score: (2), or (3)."""
        return Reverse(self, score, probability_flow)


class Reverse:
    """The way back from noise to data: (2), or the probability flow (3).

    Args:
        forward: the SDE that made the noise.
        score: (x, t) ↦ ∇ log p_t(x), of the shape of x; p_t is the density of x at time t, not of the data.
        probability_flow: (3) instead of (2).

    >>> from scratchgen.diffusion import VP
    >>> score = lambda x, t: -x                                # of N(0, I), which VP keeps at all times
    >>> sde, x = VP(), np.array([[2.0, -1.0]])
    >>> drift, g = sde.reverse(score)(x, 0.5)                  # (2): f is −½ β x, and −g² ∇ log p is +β x
    >>> drift, (0.5 * g * g * x == drift).all()
    (array([[10.05 , -5.025]]), np.True_)
    >>> sde.reverse(score, probability_flow=True)(x, 0.5)      # nothing has to move
    (array([[0., 0.]]), array(0.))
    """

    def __init__(self, forward: SDE, score: Score, probability_flow: bool = False) -> None:
        self.forward, self.score, self.probability_flow = forward, score, probability_flow

    def __call__(self, x: Any, t: Any) -> Coefficients:
        """Drift, of the shape of x, and g: a step of dt < 0 is x + drift dt + g √|dt| ε.

        Raises:
            ValueError: for a score of another shape than x.
        """
        f, g = self.forward(x, t)
        score = self.score(x, t)
        if score.shape != x.shape:
            raise ValueError(f"the score has shape {score.shape} for x of shape {x.shape}; they must be equal")
        if self.probability_flow:
            return f - 0.5 * g * g * score, np.zeros_like(g)  # (3)
        return f - g * g * score, g  # (2)
