"""The evidence lower bound of any latent-variable model and any q(z | x) (lecture pp. 4–5).

    log p(x) = log ∫ p(x | z) p(z) dz = log E_q[p(x | z) p(z) / q(z | x)]                       (1)
             ≥ E_q[log p(x | z) + log p(z) − log q(z | x)] = ELBO                three terms    (2)
             = E_q[log p(x | z)] − KL(q(z | x) ‖ p(z))                  reconstruction − KL     (3)

The bound is Jensen's inequality: the logarithm is concave. What it loses is known. With p(x, z) = p(z | x) p(x),

    ELBO = E_q[log p(x) + log p(z | x) − log q(z | x)] = log p(x) − KL(q(z | x) ‖ p(z | x))     (4)

so the gap is a divergence: never negative, and 0 only where q is the posterior.

The expectations E_q are those of ``points``: sampled or exact. K values of z stand for each q, and ``points.mean`` is
their weighted mean.

Source: lecture pp. 4–5, and p. 8 for (3); Jordan et al., An introduction to variational methods for graphical models,
1999; Kingma and Welling, arXiv:1312.6114, equations (1)–(3).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from scratchgen.distributions import Distribution, kl_divergence
from scratchgen.latent.arguments import require_for_each
from scratchgen.latent.joint import LatentVariableModel, log_p_x_given_z
from scratchgen.latent.points import Points


class Elbo(NamedTuple):
    """The terms of the ELBO for each x, (B,), in nats."""

    reconstruction: Any  # E_q[log p(x | z)], or its mean over sampled z
    kl: Any  # KL(q(z | x) ‖ p(z)), or the mean of log q(z | x) − log p(z) over sampled z

    @property
    def total(self) -> Any:
        """The ELBO: reconstruction − KL."""
        return self.reconstruction - self.kl


class ThreeTerms(NamedTuple):
    """The terms of (2) for each x, (B,), in nats."""

    log_likelihood: Any  # E_q[log p(x | z)]
    log_prior: Any  # E_q[log p(z)]
    log_q: Any  # E_q[log q(z | x)], minus the entropy of q

    @property
    def total(self) -> Any:
        """The ELBO (2)."""
        return self.log_likelihood + self.log_prior - self.log_q


def three_terms(model: LatentVariableModel, x: Any, points: Points) -> ThreeTerms:
    """The ELBO with every term from the points (2).

    Args:
        model: with ``prior`` and ``decode``.
        x: (B, *event_shape).
        points: stand for q(z | x), a batch of B.

    Raises:
        ValueError: if x and q are not as many.

    >>> import numpy as np
    >>> from scratchgen.latent import VAE, BernoulliLikelihood, quadrature, reparameterised
    >>> from scratchgen.nn import MLP
    >>> encoder, decoder = MLP([6, 4], rng=0, dtype=np.float64), MLP([2, 6], rng=1, dtype=np.float64)
    >>> model, x = VAE(encoder, decoder, BernoulliLikelihood(6), latent=2), np.zeros((5, 6))
    >>> three_terms(model, x, reparameterised(model.encode(x), samples=10, rng=0)).total.shape
    (5,)
    >>> exact = three_terms(model, x, quadrature(model.encode(x), order=2))
    >>> np.allclose(-exact.log_q.data, model.encode(x).entropy().data, rtol=0, atol=1e-12)
    True
    """
    require_for_each(points.q, x)
    z = points.z  # (K, B, *event_shape)
    log_likelihood = points.mean(log_p_x_given_z(model, x, z))
    return ThreeTerms(log_likelihood, points.mean(model.prior(z).log_prob(z)), points.mean(points.q.log_prob(z)))


def two_terms(model: LatentVariableModel, x: Any, points: Points) -> Elbo:
    """The ELBO with the divergence in closed form (3); only the reconstruction is taken from the points.

    Args:
        model, x, points: as for ``three_terms``.

    Raises:
        ValueError: if x and q are not as many.
        NotImplementedError: where KL(q(z | x) ‖ p(z)) has no closed form.

    >>> import numpy as np
    >>> from scratchgen.latent import LinearGaussian, quadrature
    >>> model, x = LinearGaussian(np.ones((3, 1)), np.zeros(3), 0.0), np.zeros((5, 3))
    >>> points = quadrature(model.posterior(x), order=2)
    >>> np.allclose(two_terms(model, x, points).total.data, model.log_prob(x).data, rtol=0, atol=1e-12)
    True
    """
    require_for_each(points.q, x)
    kl = kl_divergence(points.q, model.prior(points.z))
    return Elbo(points.mean(log_p_x_given_z(model, x, points.z)), kl)


def gap(model: Any, x: Any, q: Distribution) -> Any:
    """log p(x) − ELBO as a divergence, KL(q(z | x) ‖ p(z | x)) (4), (B,), in nats.

    Args:
        model: one that knows its posterior: ``posterior(x)`` is the distribution p(z | x).
        x: (B, *event_shape).
        q: a batch of B.

    Raises:
        NotImplementedError: where the divergence has no closed form.

    >>> import numpy as np
    >>> from scratchgen.latent import LinearGaussian
    >>> model, x = LinearGaussian(np.ones((3, 1)), np.zeros(3), 0.0), np.zeros((2, 3))
    >>> gap(model, x, model.posterior(np.ones((2, 3)))).data.round(4)          # the posterior of another x
    array([1.125, 1.125])
    """
    return kl_divergence(q, model.posterior(x))
