"""Probability distributions: log_prob, sample, rsample, entropy, and their divergences. Units are nats.

Read ``distribution`` and ``reparameterised`` for what each can do, then ``normal``, ``bernoulli``, ``categorical`` and
``independent``; then ``kl`` and ``discrete_kl``. ``arguments``, what is refused and why, when needed. Further:

    numbers with other densities                 inverse_transform, uniform, location_scale, laplace, logistic, and
                                                 continuous_kl
    divergences without a closed form            estimated_kl
    vectors with dependent components            cholesky, multivariate_normal, multivariate_kl
    a categorical distribution made continuous   concrete
    one of several distributions, at random      mixture
    densities cut into grey levels               log1mexp, discretised, discretised_normal, discretised_kl
"""

from scratchgen.distributions import continuous_kl as _continuous_kl  # noqa: F401  (registers its closed forms)
from scratchgen.distributions import discretised_kl as _discretised_kl  # noqa: F401  (registers its closed forms)
from scratchgen.distributions import multivariate_kl as _multivariate_kl  # noqa: F401  (registers its closed forms)
from scratchgen.distributions.bernoulli import Bernoulli
from scratchgen.distributions.categorical import Categorical
from scratchgen.distributions.cholesky import scale_tril_from
from scratchgen.distributions.concrete import Concrete, straight_through
from scratchgen.distributions.discretised import DiscretisedLogistic
from scratchgen.distributions.discretised_normal import DiscretisedNormal
from scratchgen.distributions.distribution import Distribution
from scratchgen.distributions.estimated_kl import Divergence, divergence
from scratchgen.distributions.independent import Independent
from scratchgen.distributions.kl import closed_form, kl_divergence
from scratchgen.distributions.laplace import Laplace
from scratchgen.distributions.logistic import Logistic
from scratchgen.distributions.mixture import Mixture
from scratchgen.distributions.multivariate_normal import MultivariateNormal
from scratchgen.distributions.normal import Normal
from scratchgen.distributions.uniform import Uniform

__all__ = [
    "Bernoulli",
    "Categorical",
    "Concrete",
    "DiscretisedLogistic",
    "DiscretisedNormal",
    "Distribution",
    "Divergence",
    "Independent",
    "Laplace",
    "Logistic",
    "Mixture",
    "MultivariateNormal",
    "Normal",
    "Uniform",
    "closed_form",
    "divergence",
    "kl_divergence",
    "scale_tril_from",
    "straight_through",
]
