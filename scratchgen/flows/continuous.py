"""The continuous flow (lecture p. 11): x moves along a velocity field, from data at t = 0 to noise at t = 1.

    dx/dt = v(x, t)                                                                             (1)
    d/dt log |det ∂x(t)/∂x(0)| = tr ∂v/∂x                                                       (2)

(2) is the limit of many small steps x + h v(x, t), each of log-determinant log det(I + h ∂v/∂x) = h tr ∂v/∂x + O(h²).
Two paths of (1) never meet if the slopes of v are bounded, as those of a network are. So (1) can be undone whatever the
network is, without constraints: t runs backwards.

Both are integrated together by Runge and Kutta's method of fourth order, in steps of h = 1/steps:

    y(t + h) ≈ y + h/6 (k₁ + 2 k₂ + 2 k₃ + k₄),    k₁ at t, k₂ and k₃ at t + h/2, k₄ at t + h   (3)

where y is x and the logarithm side by side, and each k their two rates (1) and (2). The error falls as h⁴: that of z,
of the log-determinant, and of the round trip, which is exact only in the limit. With twice the steps a sixteenth of it
is left; so integrate again with twice as many, and what changes is nearly all of the error.

The trace is exact by D passes backwards, or estimated by one pass for each of a few random ε, the *probes*: see
``divergence``. A probe is held fixed along the path. Then log p is right on average over ε; with any one ε it is not
the logarithm of a density.

Sources: Chen et al., Neural Ordinary Differential Equations, arXiv:1806.07366, equation (8); Grathwohl et al., FFJORD,
arXiv:1810.01367, equations (5) to (7), where t runs from noise to data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.autodiff.modes import recording
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.flows.arguments import require_rows, require_vectors
from scratchgen.flows.divergence import with_divergence
from scratchgen.flows.transform import Mapped, Transform
from scratchgen.nn import MLP, Module
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng


class Velocity(Module):
    """A velocity field: a network of x, t and the context, with tanh, since (2) asks for derivatives that are smooth.

    Args:
        dims: D.
        hidden: the widths of the hidden layers.
        rng: draws the weights.
        context: how many numbers of context it takes.
        dtype: of the weights.

    >>> Velocity(2, [16], rng=0)(np.zeros((5, 2), np.float32), 0.5).shape
    (5, 2)
    """

    def __init__(self, dims: int, hidden: list[int], rng: Rng, context: int = 0, dtype: Any = np.float32) -> None:
        check_sizes(dims=dims)
        require_int("context", context, least=0)
        self.dims, self.context = dims, context
        self.net = MLP([dims + 1 + context, *hidden, dims], rng, np.tanh, dtype=dtype)

    def forward(self, x: Any, t: float, context: Any = None) -> Any:
        """v(x, t), (B, D).

        Raises:
            ValueError: for x that is not (B, D); for a context that is missing, not wanted, or of another shape.
        """
        require_vectors(x, self.dims)
        if context is not None:
            require_rows(context, len(x))
        given = 0 if context is None else np.shape(context)[1]
        if given != self.context:
            raise ValueError(f"context has {given} numbers; this network wants {self.context}")
        parts = [x, np.full((len(x), 1), t, x.dtype)] + ([] if context is None else [context])
        return self.net(np.concatenate(parts, axis=1))


class ContinuousFlow(Transform):
    """z = x(1) for dx/dt = v(x, t) and x(0) = x, (1) to (3).

    Args:
        velocity: v, a Module called as ``velocity(x, t)``, or as ``velocity(x, t, context)`` where there is a context.
        steps: of the integration, at least 1.
        probes: ε, (K, D) or (K, B, D): the mean over K estimates is taken; None for the exact trace. In training draw
            new ones for each step, and assign them: ``flow.transform.probes = random_signs((1, B, D), rng)``.

    Raises:
        TypeError: for a velocity that is no Module.
        ValueError: for steps < 1; in both directions, for probes of another shape.

    >>> class Growth(Module):
    ...     def forward(self, x, t):
    ...         return 2.0 * x
    >>> z, logabsdet = ContinuousFlow(Growth(), steps=50)(np.array([[1.0, -0.5]]))
    >>> z.data.round(4), logabsdet.data                           # e² x, and twice the rate in two dimensions
    (array([[ 7.3891, -3.6945]]), array([4.]))
    """

    def __init__(self, velocity: Module, steps: int = 20, probes: np.ndarray | None = None) -> None:
        if not isinstance(velocity, Module):
            raise TypeError(f"velocity is a {type(velocity).__name__}; it must be a Module")
        check_sizes(steps=steps)
        self.velocity, self.steps, self.probes = velocity, steps, probes

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: from t = 0 to t = 1."""
        return self.integrate(x, context, 0.0, 1.0)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: from t = 1 back to t = 0."""
        return self.integrate(z, context, 1.0, 0.0)

    def integrate(self, x: Any, context: Any, start: float, end: float) -> Mapped:
        """x at the end of the path through x at its start, and the integral of (2) along it, by (3)."""
        # vjp gives Tensors for Tensors, with the graph to the parameters of v; and arrays, faster, for arrays
        x = (x if isinstance(x, Tensor) else Tensor(x)) if recording.get() else values(x)
        total, h = np.zeros(len(x), x.dtype), (end - start) / self.steps
        for i in range(self.steps):
            t = start + i * h
            v1, trace1 = self.rate(x, t, context)
            v2, trace2 = self.rate(x + 0.5 * h * v1, t + 0.5 * h, context)
            v3, trace3 = self.rate(x + 0.5 * h * v2, t + 0.5 * h, context)
            v4, trace4 = self.rate(x + h * v3, t + h, context)
            x = x + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
            total = total + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
        return x, total

    def rate(self, x: Any, t: float, context: Any) -> tuple[Any, Any]:
        """v (1), (B, D), and the trace of its Jacobian (2), (B,)."""
        extra = () if context is None else (context,)
        v, traces = with_divergence(lambda x: self.velocity(x, t, *extra), x, self.probes)
        return v, np.mean(traces, axis=0)
