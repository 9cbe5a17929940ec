"""The Kullback–Leibler divergence of any two distributions: exact where it can be, else estimated, and it says which.

Where there is no closed form, the mean over samples of q is an unbiased estimate:

    KL(q ‖ p) = E_q[log q(x) − log p(x)] ≈ (1/n) Σ_i r_i,  r_i = log q(x_i) − log p(x_i)        (1)
    standard error = std(r)/√n                                                                 (2)

It may be negative, though what it estimates is not; then its error is as large. As q comes near p, both r and the error
go to 0. But where q has little mass and p far less, r is large and samples are few or none: then (1) is mostly too
small, and (2) as well.

With x_i from ``rsample``, a differentiable function of q's parameters, the gradient of (1) is an unbiased estimate of
that of the divergence. Other samples are constants to it: how q's parameters move them would be left out, and the
gradient would be wrong. So there it is refused.

Source: Kingma and Welling, arXiv:1312.6114, section 2.3: its estimator A samples the same kind of difference.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions.distribution import Distribution, values
from scratchgen.distributions.kl import kl_divergence, require_alike
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng


class Divergence(NamedTuple):
    """A divergence, and how it was come by.

    Attributes:
        value: in nats, of the broadcast batch shape; differentiable.
        error: the standard error of each value; 0 for a closed form.
        method: "closed form", or "Monte Carlo, 1000 samples".
    """

    value: Any
    error: np.ndarray
    method: str


def divergence(q: Distribution, p: Distribution, rng: Rng, samples: int = 1000) -> Divergence:
    """KL(q ‖ p): ``kl_divergence`` where it has a closed form, else the estimate (1) with its error (2).

    Args:
        q, p: distributions over the same events, whose batch shapes broadcast. For an estimate that of p has to be the
            last axes of what they broadcast to.
        rng: draws the samples, if any are needed.
        samples: n, how many; memory for n times the batch is needed.

    Raises:
        TypeError: for samples that is no int; for float32 beside float64.
        ValueError: for fewer than two samples; for distributions that do not belong together, as ``kl_divergence``.
        NotImplementedError: if q needs a gradient but has no reparameterised samples.

    >>> from scratchgen.distributions import Laplace, Logistic, Normal
    >>> q = Normal(np.array([0.0, 1.0]), 0.0)
    >>> divergence(q, Laplace(np.zeros(2), 0.0), rng=0).method
    'closed form'
    >>> value, error, method = divergence(q, Logistic(np.zeros(2), 0.0), rng=0)
    >>> print(value.round(2), error.round(2), method)                   # the truth: 0.193 and 0.395
    [0.18 0.4 ] [0.01 0.02] Monte Carlo, 1000 samples
    """
    require_int("samples", samples, least=2)  # one has no standard error
    require_alike(q, p)
    try:
        exact = kl_divergence(q, p)
    except NotImplementedError:
        return monte_carlo(q, p, rng, int(samples))
    return Divergence(exact, np.zeros_like(values(exact)), "closed form")


def monte_carlo(q: Distribution, p: Distribution, rng: Rng, n: int) -> Divergence:
    """The estimate (1) with its error (2)."""
    ratio = log_ratio(q, p, rng, n)
    mean = np.mean(ratio, axis=0)
    with np.errstate(invalid="ignore"):  # one sample where p is 0, and KL is ∞, for certain
        error = np.std(values(ratio), axis=0, ddof=1) / n**0.5
    return Divergence(mean, np.where(np.isposinf(values(mean)), 0, error).astype(q.dtype), f"Monte Carlo, {n} samples")


def log_ratio(q: Distribution, p: Distribution, rng: Rng, n: int) -> Any:
    """r = log q(x) − log p(x) of n samples of q, (n, *batch_shape)."""
    batch = np.broadcast_shapes(q.batch_shape, p.batch_shape)
    if batch[len(batch) - len(p.batch_shape) :] != p.batch_shape:
        raise ValueError(
            f"p has the batch shape {p.batch_shape}, and with that of q {batch}; an estimate needs p's to be its last "
            "axes: give p parameters of that shape, with np.broadcast_to"
        )
    x = draw(q, rng, n)
    log_q = q.log_prob(x)
    if q.batch_shape != batch:  # the same samples for every p
        new = (n, *[1] * (len(batch) - len(q.batch_shape)), *q.batch_shape)
        log_q = np.reshape(log_q, new)
        x = np.broadcast_to(np.reshape(x, (*new, *q.event_shape)), (n, *batch, *q.event_shape))
    return log_q - p.log_prob(x)


def draw(q: Distribution, rng: Rng, n: int) -> Any:
    """n samples of q: reparameterised, or without gradient if no gradient is needed.

    Raises:
        NotImplementedError: if q needs a gradient but has no reparameterised samples.
    """
    try:
        return q.rsample(n, rng)
    except NotImplementedError:
        x = q.sample(n, rng)
        if isinstance(log_q := q.log_prob(x), Tensor) and log_q.requires_grad:
            raise NotImplementedError(
                f"{type(q).__name__} has no reparameterised samples, so the estimate has no gradient with respect to "
                "q: for its value alone, compute it within no_grad()"
            ) from None
        return x
