"""Latent-variable models (lecture pp. 6–9).

Read ``vae``, then ``likelihoods``, ``networks``, ``diagnostics`` and ``autoencoder``.
"""

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
