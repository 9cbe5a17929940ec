"""Cases of what flows serve for: the posterior and the prior of a VAE, models of integers, and fits to a density."""

from __future__ import annotations

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.grown_vae import BITS, bits
from scratchgen.checks.models import networks, of
from scratchgen.checks.transforms import normal
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import (
    Affine,
    Composite,
    Dequantised,
    Flow,
    FlowPosterior,
    Inverse,
    Logit,
    ReverseKL,
    Softplus,
    Transform,
)
from scratchgen.latent import VAE
from scratchgen.nn import MLP


def moved(transform: Transform, rng: np.random.Generator) -> Transform:
    """With parameters that are not 0."""
    for t in transform.parameters().values():
        t.assign(0.3 * rng.standard_normal(t.shape))
    return transform


def positive(rng: np.random.Generator, dims: int) -> Transform:
    """From numbers above 0 to noise."""
    return moved(Composite([Inverse(Softplus()), Affine(dims, np.float64)]), rng)


def flow(transform: Transform, dims: int) -> Flow:
    """With the standard normal base."""
    return Flow(transform, Independent(Normal(np.zeros(dims), np.zeros(dims)), 1))


@register("layers", FlowPosterior)
def posterior(rng: np.random.Generator) -> Case:
    """Samples and their density, by the numbers of x and those of the transform."""
    q = FlowPosterior(MLP([4, 5, 6], rng, np.tanh, dtype=np.float64), positive(rng, 3), latent=3)
    x, noise = leaf(rng, 2, 4), normal(rng, (2, 3))

    def loss() -> Tensor:
        z, log_q = q(x).rsample_and_log_prob((), noise=noise)
        return weighted(z) + weighted(log_q)

    return {"x": x, **q.parameters()}, loss


@register("models", VAE, "flow posterior, flow prior")
def vae(rng: np.random.Generator) -> Case:
    """z above 0; the divergence sampled, with log q as it comes with z."""
    encoder, decoder = networks(BITS, 4, 2, rng)
    q = FlowPosterior(encoder, positive(rng, 2), latent=2)
    return of(VAE(q, decoder, BITS, latent=2, learned_prior=flow(positive(rng, 2), 2)), bits(rng))


def dequantised(rng: np.random.Generator, noise: FlowPosterior | None) -> Case:
    """Five levels in three dimensions."""
    transform = moved(Composite([Logit(margin=0.05), Affine(3, np.float64)]), rng)
    return of(Dequantised(flow(transform, 3), levels=5, noise=noise), rng.integers(0, 5, (4, 3)))


@register("models", Dequantised, "uniform noise")
def uniform(rng: np.random.Generator) -> Case:
    """In the parameters of the density."""
    return dequantised(rng, None)


@register("models", Dequantised, "variational noise")
def variational(rng: np.random.Generator) -> Case:
    """In those of the noise as well."""
    encoder = MLP([3, 5, 6], rng, np.tanh, dtype=np.float64)
    return dequantised(rng, FlowPosterior(encoder, Logit(), latent=3))


@register("models", ReverseKL)
def reverse_kl(rng: np.random.Generator) -> Case:
    """Towards a density of numbers above 0, in no closed form."""
    model = ReverseKL(flow(positive(rng, 3), 3), lambda x: np.sum(np.cos(x) - x * x, axis=1))
    return of(model, np.zeros((4, 1)))
