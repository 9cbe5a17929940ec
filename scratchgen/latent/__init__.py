"""Latent-variable models (lecture pp. 3–9).

Read ``joint`` and ``vae``, then ``likelihoods``, ``networks``, ``diagnostics`` and ``autoencoder``.
"""

from scratchgen.latent.autoencoder import Autoencoder
from scratchgen.latent.joint import LatentVariableModel, log_joint, log_p_x_given_z
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
    "LatentVariableModel",
    "Likelihood",
    "log_joint",
    "log_p_x_given_z",
]
