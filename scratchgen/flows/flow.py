"""The distribution that a flow makes of its base (lecture p. 11): the change of variables.

    z ~ p_z,    x = f⁻¹(z)                                                sampling               (1)
    log p(x) = log p_z(f(x)) + log |det ∂f/∂x|                            density                (2)

(2) in one dimension: the probability of a small interval dx is that of the interval dz which it becomes,
p(x) |dx| = p_z(z) |dz|. So where f stretches, x is dense. A density, unlike a probability, may exceed 1: log p(x) is
positive where data crowd, and a negative NLL is no error.

    log p(x) = log p_z(z) − log |det ∂x/∂z|,    z as drawn                for what was sampled   (3)

(3) needs no forward pass: it costs nothing beside the sample, which is what variational inference is made of.

Source: Rezende and Mohamed, Variational Inference with Normalizing Flows, arXiv:1505.05770, equations (5) and (7).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.distributions import Distribution
from scratchgen.distributions.arguments import Shape, ends_with, floats, require, shape_of, unmasked
from scratchgen.distributions.distribution import require_distribution, values
from scratchgen.distributions.numbers import require_int
from scratchgen.flows.transform import Transform, require_transform
from scratchgen.nn import Module
from scratchgen.random import Rng


class Transformed(Distribution):
    """The distribution of x = f⁻¹(z) for z from a base distribution.

    Args:
        base: p_z; its events are what f maps: ``Independent(Normal(…), 1)`` for vectors.
        transform: f, data → noise.
        context: (B, C), what f may depend on: each row makes a distribution of its own, so this is a batch of B. The
            base is one for all of them, or a batch of B too.

    Raises:
        TypeError: for a base that is no distribution, or a transform that is none; for a context of other
            floats.
        ValueError: for a base whose events are plain numbers; for a context of another batch shape, or with NaN or inf.

    >>> from scratchgen.distributions import Independent, Normal
    >>> from scratchgen.flows import Exp, Inverse
    >>> base = Independent(Normal(np.zeros(2), np.zeros(2)), 1)      # N(0, I): of mean 0, and of log-variance 0
    >>> log_normal = Transformed(base, Inverse(Exp()))              # x = exp(z): the log-normal distribution
    >>> log_normal.log_prob(np.ones((1, 2))).round(4)               # −log 2π
    array([-1.8379])
    """

    def __init__(self, base: Distribution, transform: Transform, context: Any = None) -> None:
        require_distribution("base", base)
        require_transform("transform", transform)
        if not base.event_shape:
            raise ValueError(f"base is {base}, of single numbers; make vectors of it with Independent(base, 1)")
        if context is not None:
            context = context if isinstance(context, Tensor) else np.asarray(unmasked("context", context))
            if context.dtype.kind == "f":  # else labels, in integers
                context = floats("context", context, base.dtype)
                require("context", context, np.isfinite, "it must be finite")
        self.base, self.transform, self.context = base, transform, context
        self.batch_shape, self.event_shape, self.dtype = base.batch_shape, base.event_shape, base.dtype
        self.draws: Shape = ()  # the draws of one base that make one draw of each distribution of the batch: (B,)
        if context is not None and context.shape[:-1] != base.batch_shape:
            if context.ndim != 2 or base.batch_shape:
                raise ValueError(f"context has shape {context.shape}; it must be (B, C), with B that of {base}")
            self.batch_shape = self.draws = context.shape[:1]

    @property
    def mean(self) -> Any:
        """No closed form: raises NotImplementedError."""
        raise NotImplementedError("the mean of a flow has no closed form; average samples")

    @property
    def variance(self) -> Any:
        """No closed form: raises NotImplementedError."""
        raise NotImplementedError("the variance of a flow has no closed form; estimate it from samples")

    def entropy(self) -> Any:
        """No closed form: raises NotImplementedError."""
        raise NotImplementedError("the entropy of a flow has no closed form; average −log p of rsample_and_log_prob")

    def log_prob(self, x: Any) -> Any:
        """log p(x) (2) in nats, one for each event.

        Raises:
            TypeError: for an x of another dtype than the base; for a masked array.
            ValueError: for an x of another event shape; for a context without a row for each x; for NaN or inf in a
                plain array, with its index.
        """
        x = floats("x", x, self.dtype)
        require("x", x, np.isfinite, "it must be finite")
        events = len(self.event_shape)
        if x.shape[x.ndim - events :] != self.event_shape:
            raise ValueError(f"x has shape {x.shape}; it must end in the event shape {self.event_shape}")
        z, logabsdet = self.mapped(self.transform.forward, x)
        return self.base.log_prob(z) + logabsdet

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws (1), outside any graph."""
        with no_grad():
            x, _ = self.mapped(self.transform.inverse, self.base.sample(shape_of(n) + self.draws, rng))
        return values(x)

    def rsample(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> Any:
        """n draws (1) as a differentiable function of the parameters of f and of the base."""
        return self.rsample_and_log_prob(n, rng, noise)[0]

    def rsample_and_log_prob(self, n: int | Shape, rng: Rng | None = None, noise: Any = None) -> tuple[Any, Any]:
        """n draws and their log p(x) by (3), both differentiable; ``noise`` is that of the base's ``rsample``."""
        z = self.base.rsample(shape_of(n) + self.draws, rng, noise)
        x, logabsdet = self.mapped(self.transform.inverse, z)
        return x, self.base.log_prob(z) - logabsdet

    def mapped(self, apply: Any, h: Any) -> tuple[Any, Any]:
        """One direction of f on an array with any sample and batch axes, which f sees as one batch axis."""
        leading = h.shape[: h.ndim - len(self.event_shape)]
        context = self.context
        if context is not None:
            if context.shape[:-1] != (1,) and not ends_with(leading, context.shape[:-1]):
                raise ValueError(f"context has shape {context.shape}; it must have a row for each of {leading} events")
            context = np.broadcast_to(context, (*leading, context.shape[-1])).reshape(-1, context.shape[-1])
        image, logabsdet = apply(h.reshape(-1, *self.event_shape), context)
        return image.reshape(h.shape), np.broadcast_to(logabsdet, (len(image),)).reshape(leading)


class Flow(Module):
    """A model of data: a transform with parameters, and a base distribution that may have some too.

    Args:
        transform: f, data → noise.
        base: a Distribution of single events, or a Module that gives one when it is called, one with parameters.

    Raises:
        TypeError: for a transform that is none; for a base that is neither.

    >>> from scratchgen.distributions import Independent, Normal
    >>> from scratchgen.flows import Affine
    >>> flow = Flow(Affine(2, dtype=np.float64), Independent(Normal(np.zeros(2), np.zeros(2)), 1))
    >>> x, log_prob = flow.sample_and_log_prob(3, rng=0)
    >>> x.shape, np.allclose(flow.log_prob(x), log_prob)
    ((3, 2), True)
    """

    def __init__(self, transform: Transform, base: Distribution | Module) -> None:
        require_transform("transform", transform)
        if not isinstance(base, (Distribution, Module)):
            raise TypeError(f"base is a {type(base).__name__}; it must be a Distribution, or a Module that gives one")
        self.transform, self.base = transform, base

    def forward(self, context: Any = None) -> Transformed:
        """p(x), or p(x | context) for each row of the context (B, C), as a Distribution.

        So a Flow can be the learned prior of a VAE.
        """
        return Transformed(self.base() if isinstance(self.base, Module) else self.base, self.transform, context)

    def log_prob(self, x: Any, context: Any = None) -> Any:
        """log p(x) (2) in nats, (B,) for x (B, …)."""
        return self.forward(context).log_prob(x)

    def loss(self, x: Any, *context_and_rng: Any) -> Tensor:
        """−log p(x), averaged over the batch, in nats per example: ``loss(x, rng)`` or ``loss(x, context, rng)``.

        So ``fit`` calls every loss, of data of one array or of two. Here the rng is not used.

        Its expectation is the *forward* divergence KL(data ‖ p) plus the entropy of the data.

        Raises:
            ValueError: for an empty batch.
        """
        if len(x) == 0:
            raise ValueError("x has 0 rows; a mean over the batch needs at least 1")
        context = context_and_rng[0] if len(context_and_rng) > 1 else None
        return -np.mean(self.log_prob(x, context))

    def sample(self, n: int, rng: Rng, context: Any = None) -> np.ndarray:
        """n draws (1), (n, …), each for its row of the context (n, C) where there is one.

        Raises:
            TypeError, ValueError: as ``sample_and_log_prob``.
        """
        return self.sample_and_log_prob(n, rng, context)[0]

    def sample_and_log_prob(self, n: int, rng: Rng, context: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """n draws and their log p(x) (3), (n, …) and (n,), outside any graph.

        Raises:
            TypeError: for n that is no int.
            ValueError: for a negative n; for a context of another number of rows.
        """
        require_int("n", n, 0)
        if context is not None and len(context) != n:
            raise ValueError(f"context has {len(context)} rows; it must have n={n}, one for each draw")
        with no_grad():
            p = self.forward(context)
            z = p.base.sample((n,), rng)  # not by rsample: a mixture, for one, has none
            x, logabsdet = p.mapped(p.transform.inverse, z)
            return values(x), values(p.base.log_prob(z) - logabsdet)
