"""Cases of the gradient estimators, and of the VAE with discrete latents.

A score function's value is not what its gradient is the gradient of: only their expectations belong together. So here
every outcome of the random numbers is taken, weighted with its probability: the value is the ELBO itself, exactly, and
what ``backward`` gives is the expectation of the estimate. That these agree is unbiasedness.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, leaf, register
from scratchgen.distributions import Independent, Normal
from scratchgen.distributions.distribution import values
from scratchgen.latent.discrete_vae import DiscreteVAE
from scratchgen.latent.likelihoods import BernoulliLikelihood
from scratchgen.latent.linear_gaussian import LinearGaussian
from scratchgen.latent.marginal import all_values
from scratchgen.latent.path_estimators import path_log_weights
from scratchgen.latent.points import gauss_hermite
from scratchgen.nn import MLP


def discrete(rng: np.random.Generator, estimator: str) -> DiscreteVAE:
    """Two latents of three sides, and four binary pixels."""
    encoder, decoder = (MLP(sizes, rng, np.tanh, dtype=np.float64) for sizes in ([4, 3, 6], [6, 3, 4]))
    return DiscreteVAE(encoder, decoder, BernoulliLikelihood(4), 2, 3, estimator, temperature=0.7)


def of_loss(rng: np.random.Generator, estimator: str) -> Case:
    """Its training loss, with the same noise each time."""
    model, x = discrete(rng, estimator), rng.integers(0, 2, (3, 4)).astype(np.float64)
    return model.parameters(), lambda: model.loss(x, 0)


def of_all_outcomes(rng: np.random.Generator, estimator: str, samples: int) -> Case:
    """The first term of the ELBO for one x: every combination of samples is a row of the batch."""
    model, x = discrete(rng, estimator), rng.integers(0, 2, (1, 4)).astype(np.float64)
    z = all_values(model.prior())
    chosen = np.indices((len(z),) * samples).reshape(samples, -1)  # (samples, rows)

    def loss() -> Any:
        q = model.encode(np.repeat(x, chosen.shape[1], axis=0))
        p = np.exp(np.sum(values(q.log_prob(z[chosen])), axis=0))
        return np.sum(p * model.reconstruction(np.repeat(x, len(p), axis=0), q, noise=z[chosen]))

    return model.parameters(), loss


@register("models", DiscreteVAE, "enumeration")
def by_enumeration(rng: np.random.Generator) -> Case:
    """Exact."""
    return of_loss(rng, "enumeration")


@register("models", DiscreteVAE, "Gumbel-softmax")
def by_gumbel_softmax(rng: np.random.Generator) -> Case:
    """The relaxed loss is what its gradient is of; that of the straight-through estimator is of no loss."""
    return of_loss(rng, "Gumbel-softmax")


@register("models", DiscreteVAE, "score function, all outcomes")
def by_score_function(rng: np.random.Generator) -> Case:
    """Nine outcomes."""
    return of_all_outcomes(rng, "score function", 1)


@register("models", DiscreteVAE, "leave one out, all outcomes")
def by_leave_one_out(rng: np.random.Generator) -> Case:
    """81 pairs."""
    return of_all_outcomes(rng, "leave one out", 2)


@register("models", LinearGaussian, "ELBO without the score, at all nodes")
def without_the_score(rng: np.random.Generator) -> Case:
    """Sticking the landing: the path alone has the gradient of the ELBO, whose integrand is a polynomial in z."""
    model = LinearGaussian(rng.normal(size=(3, 1)), rng.normal(size=3), np.array(0.3))
    phi = {"phi.mean": leaf(rng, 5, 1), "phi.logvar": leaf(rng, 5, 1)}
    x, (nodes, weights) = rng.normal(size=(5, 3)), gauss_hermite(1, 3)

    def loss() -> Tensor:
        q = Independent(Normal(phi["phi.mean"], phi["phi.logvar"]), 1)
        z = q.rsample(3, noise=np.broadcast_to(nodes[:, None], (3, 5, 1)))
        return np.sum(weights[:, None] * path_log_weights(model, x, q, z))

    return {**{f"theta.{name}": t for name, t in model.parameters().items()}, **phi}, loss
