"""Probability distributions: log_prob, sample, rsample, entropy, and their divergences. Units are nats.

Read ``distribution`` for what each can do, then ``normal``, ``bernoulli``, ``categorical`` and ``independent``; then
``kl`` and ``discrete_kl``. Of vectors whose components depend on each other: ``multivariate_normal`` and
``multivariate_kl``, and ``concrete``, a categorical distribution made continuous. ``arguments``, what is refused and
why, when needed.
"""

from scratchgen.distributions import multivariate_kl as _multivariate_kl  # noqa: F401  (registers its closed forms)
from scratchgen.distributions.bernoulli import Bernoulli
from scratchgen.distributions.categorical import Categorical
from scratchgen.distributions.concrete import Concrete, straight_through
from scratchgen.distributions.distribution import Distribution
from scratchgen.distributions.independent import Independent
from scratchgen.distributions.kl import closed_form, kl_divergence
from scratchgen.distributions.multivariate_normal import MultivariateNormal, scale_tril_from
from scratchgen.distributions.normal import Normal

__all__ = [
    "Bernoulli",
    "Categorical",
    "Concrete",
    "Distribution",
    "Independent",
    "MultivariateNormal",
    "Normal",
    "closed_form",
    "kl_divergence",
    "scale_tril_from",
    "straight_through",
]
