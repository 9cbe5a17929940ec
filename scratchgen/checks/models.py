"""Cases of the models: every class with a ``loss``, by the loss that its training minimises.

All parameters are leaves. The noise is always the same, drawn from a fixed seed, so the loss is a function of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks.cases import Case, register
from scratchgen.latent.autoencoder import Autoencoder
from scratchgen.latent.likelihoods import BernoulliLikelihood, CategoricalLikelihood, GaussianLikelihood, Likelihood
from scratchgen.latent.vae import VAE
from scratchgen.nn import MLP


def of(model: Any, x: np.ndarray) -> Case:
    """The model's training loss on x."""
    return model.parameters(), lambda: model.loss(x, 0)


def networks(likelihood: Likelihood, code: int, latent: int, rng: np.random.Generator) -> tuple[MLP, MLP]:
    """A smooth encoder to ``code`` numbers and a decoder from ``latent`` numbers."""
    n = int(np.prod(likelihood.event_shape))
    encoder = MLP([n, 5, code], rng, np.tanh, dtype=np.float64)
    return encoder, MLP([latent, 5, likelihood.outputs], rng, np.tanh, dtype=np.float64)


def vae(likelihood: Likelihood, x: np.ndarray, rng: np.random.Generator, **options: Any) -> Case:
    """A VAE with two latent dimensions."""
    return of(VAE(*networks(likelihood, 4, 2, rng), likelihood, latent=2, **options), x)


@register("models", VAE, "Bernoulli")
def vae_bernoulli(rng: np.random.Generator) -> Case:
    """Binary x."""
    return vae(BernoulliLikelihood(6), rng.integers(0, 2, (3, 6)).astype(np.float64), rng)


@register("models", VAE, "Gaussian, Monte Carlo KL")
def vae_gaussian(rng: np.random.Generator) -> Case:
    """Real x, and all of the ELBO sampled."""
    return vae(GaussianLikelihood(6), rng.normal(size=(3, 6)), rng, analytic_kl=False)


@register("models", VAE, "categorical, beta 0.5")
def vae_categorical(rng: np.random.Generator) -> Case:
    """Five grey levels."""
    return vae(CategoricalLikelihood(6, levels=5), rng.integers(0, 5, (3, 6)), rng, beta=0.5)


@register("models", Autoencoder)
def autoencoder(rng: np.random.Generator) -> Case:
    """Binary x."""
    likelihood = BernoulliLikelihood(6)
    return of(Autoencoder(*networks(likelihood, 2, 2, rng), likelihood), rng.integers(0, 2, (3, 6)).astype(np.float64))
