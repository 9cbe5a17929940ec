"""What the code of a VAE carries, over all of its dimensions together, and how well q fits.

With x from N data, and z from q(z | x), the ELBO is the sum of two costs, in nats per example:

    R = E_data KL(q(z | x) ‖ p(z)),    D = −E_data E_q[log p(x | z)],    E_data[ELBO] = −(R + D)   (1)

The *rate* R is what it takes to send z, the *distortion* D what it then takes to send x. A loss D + beta R trades one
for the other: models with the same ELBO can lie anywhere on the line R + D = const, and one with R = 0 does not use z.

With q̄(z) = (1/N) Σ_n q(z | x_n), the aggregate posterior over the data,

    R = I + KL(q̄ ‖ p),    I = E_data E_q[log q(z | x) − log q̄(z)],    0 ≤ I ≤ log N             (2)

I is the mutual information of z and the index n of its x: what z tells. KL(q̄ ‖ p) is what a better prior would save,
and 0 where draws from the prior are like codes of data. Since I ≤ log N, it is of use for N well above e^R only.

The *effective sample size* of K importance weights, (Σ w)² / Σ w², is K where q is the posterior, and near 1 where q
misses it: then log p(x) is estimated by a single weight, and too low.

Source: Alemi et al., Fixing a broken ELBO, arXiv:1711.00464, section 2; Hoffman and Johnson, ELBO surgery, 2016; Owen,
Monte Carlo theory, methods and examples, 2013, section 9.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import logsumexp, no_grad
from scratchgen.distributions.distribution import values
from scratchgen.latent.arguments import require_rows
from scratchgen.latent.importance import marginal_by_importance
from scratchgen.latent.joint import log_p_x_given_z
from scratchgen.latent.marginal import PAIRS, slices
from scratchgen.latent.points import Points
from scratchgen.latent.vae import VAE
from scratchgen.random import Rng


class RateDistortion(NamedTuple):
    """R and D of (1), in nats per example."""

    rate: float
    distortion: float

    @property
    def elbo(self) -> float:
        """−(R + D) (1)."""
        return -(self.rate + self.distortion)


def rate_distortion(model: VAE, x: Any, points: Points) -> RateDistortion:
    """R and D (1) of a VAE on x; R is in closed form where there is one, else from the points.

    Args:
        model: a VAE.
        x: (B, *event_shape).
        points: stand for q(z | x), such as ``sampled(model.encode(x), samples=10, rng=0)``.

    Raises:
        ValueError: for an empty batch; if x and q are not as many.

    >>> from scratchgen.latent import BernoulliLikelihood, sampled
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([6, 4], rng=0), MLP([2, 6], rng=1), BernoulliLikelihood(6), latent=2)
    >>> x = np.zeros((5, 6), dtype=np.float32)
    >>> found = rate_distortion(model, x, sampled(model.encode(x), samples=10, rng=0))
    >>> found.rate > 0, found.distortion > 0
    (True, True)
    """
    require_rows(x, "a mean over the batch")
    with no_grad():
        rate = points.mean(model.kl(points.q, points.z))
        distortion = -points.mean(log_p_x_given_z(model, x, points.z))
        return RateDistortion(*(float(np.mean(values(each), dtype=np.float64)) for each in (rate, distortion)))


def mutual_information(points: Points) -> float:
    """I (2), in nats: what z tells of which x it came from.

    With sampled points it is an estimate, unbiased for these x. The work grows as N² times the number of points.

    Args:
        points: stand for q(z | x_n) of N data, such as ``sampled(model.encode(x), samples=1, rng=0)``.

    Raises:
        ValueError: for q of no data, or that is no batch.

    >>> from scratchgen.distributions import Independent, Normal
    >>> from scratchgen.latent import sampled
    >>> q = Independent(Normal(np.array([[-50.0], [0.0], [50.0]]), 0.0), 1)        # z tells all: log 3
    >>> round(mutual_information(sampled(q, samples=1, rng=0)), 4)
    1.0986
    """
    q, z = points.q, values(points.z)
    if len(q.batch_shape) != 1:
        raise ValueError(f"q is {q}; its batch_shape must be (N,), a posterior for each of N data")
    (N,) = q.batch_shape
    require_rows(z[0], "a mean over the data")
    each = z.reshape(-1, 1, *q.event_shape)  # (K N, 1, latent): every z will meet every q
    with no_grad():
        log_aggregate = np.concatenate(
            [
                values(logsumexp(q.log_prob(np.broadcast_to(some, (len(some), N, *q.event_shape))), axis=-1))
                for some in (each[rows] for rows in slices(len(each), PAIRS // N))
            ]
        ) - np.log(N)
        log_ratio = values(q.log_prob(z)) - log_aggregate.reshape(-1, N)
        return float(np.mean(values(points.mean(log_ratio)), dtype=np.float64))


def effective_sample_size(model: VAE, x: Any, samples: int, rng: Rng) -> np.ndarray:
    """(Σ w)² / Σ w² of ``samples`` importance weights with z from q(z | x), for each x: (B,), from 1 to ``samples``.

    Raises:
        TypeError, ValueError: for samples that is no int, or less than 1; for an empty batch.

    >>> from scratchgen.latent import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([6, 4], rng=0), MLP([2, 6], rng=1), BernoulliLikelihood(6), latent=2)
    >>> effective_sample_size(model, np.zeros((5, 6), dtype=np.float32), samples=100, rng=0).shape
    (5,)
    """
    return marginal_by_importance(model, x, model.encode, samples, rng).effective
