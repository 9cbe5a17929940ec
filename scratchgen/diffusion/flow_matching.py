"""Flow matching: a flow is learned by regression on straight lines from data to noise (lecture pp. 11 and 12).

Time is as everywhere in this package: data x_0 at t = 0, noise x_1 ~ N(0, I) at t = 1. (Lipman et al. and most papers
after them run it from noise, 0, to data, 1: their velocity at 1 − t is minus this one at t.) Between a pair, a line:

    x_t = (1 − t) x_0 + t x_1,    dx_t/dt = x_1 − x_0                                           (1)

Many lines pass through a place x at time t. What is there moves, on average, with

    v(x, t) = E[x_1 − x_0 | x_t = x]                                                            (2)

By the continuity equation ∂p_t/∂t = −∇·(p_t v), dx/dt = v(x, t) has the same p_t as the lines, if not the same paths:
it takes noise to data when t falls, and data to noise when it rises. A conditional mean is the best guess by squared
error. So neither v nor p_t has to be known in order to learn v:

    loss = E_t E |net(x_t, t) − (x_1 − x_0)|²,    t uniform on [0, 1],                          (3)
         = E_t E |net(x_t, t) − v(x_t, t)|²  +  E_t E |x_1 − x_0 − v(x_t, t)|²                  (4)

The second term of (4) does not depend on the network: (3) has the gradient of the first, and its least value, the
second term, is not 0 (``exact_velocity``). No ODE is solved in training, which is what a ``ContinuousFlow`` trained by
its likelihood needs at each step. Once trained it *is* one: log p(x) comes from the divergence of v along the path.

Which x_1 goes with which x_0 is free: ``pairing``. ``rectified`` pairs each noise with its own sample.

Sources: Lipman et al., Flow Matching for Generative Modeling, arXiv:2210.02747, equations (5) to (9) and theorem 2;
Liu et al., Flow Straight and Fast, arXiv:2209.03003, equation (1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.diffusion.arguments import batch_of_floats, beside, require_rows, times_of
from scratchgen.diffusion.embeddings import without_some
from scratchgen.diffusion.integrators import euler_maruyama, heun
from scratchgen.diffusion.pairing import PAIRINGS
from scratchgen.diffusion.runge_kutta import rk4
from scratchgen.distributions import Distribution, Independent, Normal
from scratchgen.distributions.arguments import require_noise
from scratchgen.distributions.numbers import require_int
from scratchgen.flows import ContinuousFlow, Flow
from scratchgen.nn import Module
from scratchgen.random import Rng, generator

METHODS: dict[str, Callable[..., np.ndarray]] = {"euler": euler_maruyama, "heun": heun, "rk4": rk4}


class FlowMatching(Module):
    """A velocity from data to noise, learned by (3).

    Args:
        net: from (x, t), or (x, t, labels), to the velocity, of the shape of x; t is (B,), from 0 to 1.
        event_shape: of one x.
        pairing: of data and noise in a batch: "independent" or "optimal".
        drop: the share of labels that training takes away, for guidance: ``Guided(model.net, scale)`` is a net too.

    Raises:
        ValueError: for an unknown pairing; for drop outside [0, 1].

    >>> from scratchgen.diffusion import ResidualNet
    >>> model = FlowMatching(ResidualNet(2, rng=0), (2,))
    >>> x = np.ones((1, 2), np.float32)
    >>> float(model.losses(x, 0.5, noise=-x).data[0])          # the net says 0, and x_1 − x_0 is (−2, −2)
    8.0
    >>> model.sample(3, rng=0).shape, model.flow(steps=10).log_prob(x).shape
    ((3, 2), (1,))
    """

    def __init__(
        self,
        net: Callable[..., Any],
        event_shape: tuple[int, ...],
        pairing: str = "independent",
        drop: float = 0.1,
    ) -> None:
        if pairing not in PAIRINGS:
            raise ValueError(f"pairing is {pairing!r}; it must be one of {', '.join(PAIRINGS)}")
        if not 0 <= drop <= 1:
            raise ValueError(f"drop is {drop}; it must be from 0 to 1")
        self.net, self.event_shape, self.pairing, self.drop = net, tuple(event_shape), pairing, drop
        self.couples_rows = pairing != "independent"  # whose noise a row gets is then a matter of the other rows

    @property
    def dtype(self) -> np.dtype:
        """That of the parameters; float64 for a net without any, such as one that is exact."""
        return super().dtype if self.parameters() else np.dtype(np.float64)

    @property
    def prior(self) -> Distribution:
        """p_1 = N(0, I), of one event."""
        zeros = np.zeros(self.event_shape, self.dtype)
        return Independent(Normal(zeros, zeros), len(self.event_shape))

    def forward(self, x: Any, t: Any, context: Any = None) -> Any:
        """The velocity v(x, t), of the shape of x, for t a number or (B,).

        The context is the labels, (B,), or (B, 1), as ``flow().log_prob(x, context)`` has them.

        Raises:
            ValueError: for t outside [0, 1], or of another number of rows; for a net that gives another shape.
        """
        t = np.broadcast_to(times_of(t).astype(x.dtype), (len(x),))
        v = self.net(x, t) if context is None else self.net(x, t, np.reshape(context, len(x)))
        if v.shape != x.shape:
            raise ValueError(f"the net gives shape {v.shape} for x of shape {x.shape}; they must be equal")
        return v

    # -- the loss ------------------------------------------------------------------------------------------------------

    def loss(self, x: Any, *context_and_rng: Any) -> Tensor:
        """(3), summed over dimensions and averaged over the batch: ``loss(x, rng)`` or ``loss(x, labels, rng)``.

        Noise is drawn, and paired with x by ``pairing``; labels stay with their x. The t of a batch are spread evenly
        over [0, 1] from a common random start, t_i = (u + i/B) mod 1, which makes the loss less noisy.

        Raises:
            TypeError: without rng; for x that are no floats, or of another dtype than the net.
            ValueError: for an empty batch; for NaN or inf; for labels that ``pairing`` refuses.
        """
        if not context_and_rng:
            raise TypeError("loss needs rng")
        *contexts, rng = context_and_rng
        x, rng, labels = batch_of_floats(x), generator(rng), contexts[0] if contexts else None
        require_rows(x)
        noise = rng.standard_normal(x.shape, x.dtype)
        noise = noise[PAIRINGS[self.pairing](x, noise, labels)]
        t = (rng.random() + np.arange(len(x)) / len(x)) % 1.0
        if labels is not None:
            labels = without_some(labels, self.drop if self.training else 0.0, rng)
        return np.mean(self.losses(x, t, noise, labels))

    def losses(self, x: Any, t: Any, noise: Any, context: Any = None) -> Any:
        """|net(x_t, t) − (x_1 − x_0)|² of each row, (B,), for pairs of x_0 = x and x_1 = noise that are given.

        The noise may come from anywhere: from another pairing, or from ``own_pairs`` of a model.

        Raises:
            TypeError: for x of another dtype than the net, or noise of another than x.
            ValueError: for noise of another shape than x; for t outside [0, 1], or of another number of rows.
        """
        if x.dtype != self.dtype:
            raise TypeError(f"x is {x.dtype} and the net {self.dtype}; convert with .astype, so that both have one")
        noise = require_noise(noise, (), x.shape, x.dtype)
        now = beside(times_of(t), x)
        miss = self((1 - now) * x + now * noise, t, context) - (noise - x)  # (1), (3)
        return np.sum(miss * miss, axis=tuple(range(1, x.ndim)))

    # -- along the flow ------------------------------------------------------------------------------------------------

    def follow(self, x: Any, times: Any, method: str = "heun", context: Any = None, path: bool = False) -> np.ndarray:
        """x at the last of the times, from x at the first, along dx/dt = v (2): falling times make data of noise.

        Args:
            x: (B, …).
            times: t₀, …, t_N, from 0 to 1.
            method: "euler", "heun" or "rk4": of order 1, 2 or 4, for 1, 2 or 4 evaluations of the net a step.
            context: the labels, where the net takes some.
            path: whether to return x at all the times, (N + 1) + x.shape.

        Raises:
            ValueError: for an unknown method; for times outside [0, 1], or that do not rise or fall throughout.
        """
        if method not in METHODS:
            raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
        return METHODS[method](lambda x, t: (self(x, t, context), 0.0), x, times, path=path)

    def sample(self, n: int, rng: Rng, context: Any = None, steps: int = 50, method: str = "heun") -> np.ndarray:
        """n draws, (n, *event_shape): noise, and its way back from t = 1 to t = 0 in equal steps.

        Raises:
            TypeError, ValueError: for n or steps that are no int, or too small; otherwise as ``follow``.
        """
        require_int("n", n, least=0)
        require_int("steps", steps)
        return self.follow(self.prior.sample(n, rng), np.linspace(1, 0, steps + 1), method, context)

    def flow(self, steps: int = 50, probes: np.ndarray | None = None) -> Flow:
        """The same model as a ``Flow``, by Runge and Kutta's steps: log_prob, sample_and_log_prob, dequantisation.

        Args:
            steps: of the integration; twice as many show whether there are enough.
            probes: for Hutchinson's estimate of the divergence; None for the exact one (``ContinuousFlow``).
        """
        return Flow(ContinuousFlow(self, steps, probes), self.prior)
