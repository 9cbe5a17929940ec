"""Latent-variable models (lecture pp. 2–9)."""

from scratchgen.latent.autoencoder import Autoencoder
from scratchgen.latent.likelihoods import BernoulliLikelihood, CategoricalLikelihood, GaussianLikelihood, Likelihood
from scratchgen.latent.networks import ConvDecoder, ConvEncoder
from scratchgen.latent.vae import VAE, Elbo

__all__ = [
    "VAE",
    "Autoencoder",
    "BernoulliLikelihood",
    "CategoricalLikelihood",
    "ConvDecoder",
    "ConvEncoder",
    "Elbo",
    "GaussianLikelihood",
    "Likelihood",
]
