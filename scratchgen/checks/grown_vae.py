"""Cases of what a VAE may have besides its plain form: other bounds, posteriors, priors and likelihoods.

The doubly reparameterised gradient to φ is no derivative of the loss for given noise, so that differences cannot check
it; that it is right on average is tested by nodes. Its gradient to θ is a derivative, and is checked here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.models import networks, of
from scratchgen.distributions import Distribution
from scratchgen.latent.diagnostics import kl_per_dimension
from scratchgen.latent.free_bits import FreeBitsVAE
from scratchgen.latent.iwae import IWAE
from scratchgen.latent.likelihoods import BernoulliLikelihood, ConstantVarianceLikelihood, Likelihood
from scratchgen.latent.linear_vae import LinearEncoder, linear_vae
from scratchgen.latent.posteriors import GaussianPosterior
from scratchgen.latent.priors import MixturePrior, VampPrior
from scratchgen.latent.vae import VAE
from scratchgen.nn import MLP, Module

BITS = BernoulliLikelihood(6)


def bits(rng: np.random.Generator) -> np.ndarray:
    """Three binary x."""
    return rng.integers(0, 2, (3, 6)).astype(np.float64)


@register("models", IWAE, "K = 4")
def iwae(rng: np.random.Generator) -> Case:
    """In all parameters."""
    return of(IWAE(*networks(BITS, 4, 2, rng), BITS, latent=2, samples=4), bits(rng))


@register("models", IWAE, "DReG, decoder and prior")
def dreg(rng: np.random.Generator) -> Case:
    """In θ, a learned prior included."""
    prior = MixturePrior(3, 2, rng, np.float64)
    model = IWAE(*networks(BITS, 4, 2, rng), BITS, latent=2, samples=4, dreg=True, learned_prior=prior)
    leaves, loss = of(model, bits(rng))
    return {name: t for name, t in leaves.items() if not name.startswith("encoder")}, loss


@register("models", FreeBitsVAE)
def free_bits(rng: np.random.Generator) -> Case:
    """With a λ between the divergences of the two dimensions, so that one is free and one is paid for."""
    model, x = FreeBitsVAE(*networks(BITS, 4, 2, rng), BITS, latent=2, free=0.0), bits(rng)
    model.free = float(np.mean(kl_per_dimension(model, x)))
    return of(model, x)


def with_posterior(likelihood: Likelihood, x: np.ndarray, rng: np.random.Generator, full: bool, prior: Any) -> Case:
    """A VAE whose encoder gives distributions; ``prior`` makes its prior from the encoder."""
    encoder, decoder = networks(likelihood, 6 if full else 4, 2, rng)
    posterior = GaussianPosterior(encoder, latent=2, full=full)
    return of(VAE(posterior, decoder, likelihood, latent=2, learned_prior=prior(posterior)), x)


@register("models", VAE, "full covariance")
def full_covariance(rng: np.random.Generator) -> Case:
    """Its divergence in closed form."""
    return with_posterior(BITS, bits(rng), rng, True, lambda posterior: None)


@register("models", VAE, "mixture prior")
def mixture_prior(rng: np.random.Generator) -> Case:
    """Its divergence sampled."""
    return with_posterior(BITS, bits(rng), rng, True, lambda posterior: MixturePrior(3, 2, rng, np.float64))


@register("models", VAE, "VampPrior")
def vamp_prior(rng: np.random.Generator) -> Case:
    """The encoder is trained through the prior, too."""
    return with_posterior(BITS, bits(rng), rng, False, lambda posterior: VampPrior(posterior, rng.normal(size=(3, 6))))


@register("models", VAE, "linear, one variance")
def linear(rng: np.random.Generator) -> Case:
    """Real x."""
    return of(linear_vae(4, 2, rng, np.float64), rng.normal(size=(3, 4)))


@register("layers", MixturePrior)
def mixture(rng: np.random.Generator) -> Case:
    """Its density at some z, which is a leaf as well."""
    return density(MixturePrior(3, 2, rng, np.float64), rng)


@register("layers", VampPrior)
def vamp(rng: np.random.Generator) -> Case:
    """Of a full covariance."""
    encoder = MLP([4, 5, 6], rng, np.tanh, dtype=np.float64)
    return density(VampPrior(GaussianPosterior(encoder, latent=2, full=True), rng.normal(size=(3, 4))), rng)


def density(prior: Module, rng: np.random.Generator) -> Case:
    """log p(z) at five z."""
    z = leaf(rng, 5, 2)

    def loss() -> Any:
        p: Distribution = prior()
        return weighted(p.log_prob(z))

    return {"z": z, **prior.parameters()}, loss


@register("layers", LinearEncoder)
def linear_encoder(rng: np.random.Generator) -> Case:
    """Mean and log-variance."""
    encoder, x = LinearEncoder(4, 2, rng, np.float64), leaf(rng, 5, 4)
    return {"x": x, **encoder.parameters()}, lambda: weighted(encoder(x))


@register("layers", ConstantVarianceLikelihood)
def constant_variance(rng: np.random.Generator) -> Case:
    """log p(x | z), with the variance a leaf."""
    likelihood, mean, x = ConstantVarianceLikelihood(3, dtype=np.float64), leaf(rng, 5, 3), leaf(rng, 5, 3)
    return {"mean": mean, "x": x, **likelihood.parameters()}, lambda: weighted(likelihood(mean).log_prob(x))
