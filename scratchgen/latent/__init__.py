"""Latent-variable models (lecture pp. 3–9).

Read in this order:

    what such a model is              joint
    models of which all is known      mixture, linear_gaussian, exact_em, mixture_em, ppca
    the marginal p(x), and its cost   marginal, integrals, importance
    the bound, and how it is raised   points, elbo, posteriors, em, theta_steps
    gradients through samples         estimators, discrete_estimators, path_estimators
    the VAE                           vae, likelihoods, networks, diagnostics, autoencoder, discrete_vae

What a VAE may have besides:

    another bound, or parts of one    iwae, free_bits, annealing
    another prior                     priors
    a measure of what z carries       rate_distortion, probe
    an optimum that is known          linear_vae
"""

from scratchgen.latent.annealing import annealed, cyclical
from scratchgen.latent.autoencoder import Autoencoder
from scratchgen.latent.discrete_estimators import enumeration, gumbel_softmax
from scratchgen.latent.discrete_vae import DiscreteVAE
from scratchgen.latent.elbo import Elbo, ThreeTerms, three_terms, two_terms
from scratchgen.latent.estimators import leave_one_out, pathwise, score_function
from scratchgen.latent.free_bits import FreeBitsVAE
from scratchgen.latent.importance import (
    SampledEstimate,
    log_weights,
    marginal_by_importance,
    marginal_by_monte_carlo,
)
from scratchgen.latent.integrals import marginal_by_gauss_hermite, marginal_by_grid
from scratchgen.latent.iwae import IWAE
from scratchgen.latent.joint import LatentVariableModel, log_joint, log_p_x_given_z
from scratchgen.latent.likelihoods import (
    BernoulliLikelihood,
    CategoricalLikelihood,
    ConstantVarianceLikelihood,
    GaussianLikelihood,
    Likelihood,
)
from scratchgen.latent.linear_gaussian import LinearGaussian
from scratchgen.latent.linear_vae import linear_vae
from scratchgen.latent.marginal import Estimate, marginal_by_sum
from scratchgen.latent.mixture import GaussianMixture
from scratchgen.latent.mixture_em import fit_mixture
from scratchgen.latent.networks import ConvDecoder, ConvEncoder
from scratchgen.latent.path_estimators import (
    doubly_reparameterised,
    importance_weighted,
    path_log_weights,
    sticking_the_landing,
)
from scratchgen.latent.points import Points, enumerated, gauss_hermite, quadrature, reparameterised, sampled
from scratchgen.latent.posteriors import GaussianPosterior, PerExample
from scratchgen.latent.ppca import fit_factor_analysis, fit_ppca, principal_angles
from scratchgen.latent.priors import MixturePrior, VampPrior
from scratchgen.latent.probe import LinearProbe
from scratchgen.latent.vae import VAE

__all__ = [
    "IWAE",
    "VAE",
    "Autoencoder",
    "BernoulliLikelihood",
    "CategoricalLikelihood",
    "ConstantVarianceLikelihood",
    "ConvDecoder",
    "ConvEncoder",
    "DiscreteVAE",
    "Elbo",
    "Estimate",
    "FreeBitsVAE",
    "GaussianLikelihood",
    "GaussianMixture",
    "GaussianPosterior",
    "LatentVariableModel",
    "Likelihood",
    "LinearGaussian",
    "LinearProbe",
    "MixturePrior",
    "PerExample",
    "Points",
    "SampledEstimate",
    "ThreeTerms",
    "VampPrior",
    "annealed",
    "cyclical",
    "doubly_reparameterised",
    "enumerated",
    "enumeration",
    "fit_factor_analysis",
    "fit_mixture",
    "fit_ppca",
    "gauss_hermite",
    "gumbel_softmax",
    "importance_weighted",
    "leave_one_out",
    "linear_vae",
    "log_joint",
    "log_p_x_given_z",
    "log_weights",
    "marginal_by_gauss_hermite",
    "marginal_by_grid",
    "marginal_by_importance",
    "marginal_by_monte_carlo",
    "marginal_by_sum",
    "path_log_weights",
    "pathwise",
    "principal_angles",
    "quadrature",
    "reparameterised",
    "sampled",
    "score_function",
    "sticking_the_landing",
    "three_terms",
    "two_terms",
]
