"""Which dimensions of the code a VAE uses.

The divergence of a factorised posterior is a sum over the dimensions of z,

    KL(q(z | x) ‖ p(z)) = Σ_j KL(q(z_j | x) ‖ p(z_j)),                                          (1)

and a dimension that the decoder ignores is best set to the prior, at a cost of 0: it has *collapsed*. A z_j is called
an active unit if its posterior mean depends on x at all,

    Var_x( E_q[z_j | x] ) > 0.01                                                               (2)

(Burda et al., arXiv:1509.00519, §5.2). What all dimensions carry together is in ``rate_distortion``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.distributions import Distribution, Independent, kl_divergence
from scratchgen.distributions.arguments import require
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_number
from scratchgen.latent.arguments import require_rows
from scratchgen.latent.vae import VAE


def kl_per_dimension(model: VAE, x: Any) -> np.ndarray:
    """The terms of (1), averaged over the batch: (latent,), in nats.

    Raises:
        TypeError: for a model that is no VAE; for a posterior or prior whose dimensions are not independent.
        ValueError: for an empty batch.

    >>> from scratchgen.latent import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([6, 4], rng=0), MLP([2, 6], rng=1), BernoulliLikelihood(6), latent=2)
    >>> kl_per_dimension(model, np.zeros((5, 6), dtype=np.float32)).shape
    (2,)
    """
    require_rows(x, "a mean over the batch")
    with no_grad():
        q = posterior(model, x)
        return np.mean(values(divergences(q, model.prior(q.mean))), axis=0)


def active_units(model: VAE, x: Any, threshold: float = 0.01) -> np.ndarray:
    """Which dimensions of z are active (2): (latent,) bools.

    Raises:
        TypeError: for a model that is no VAE.
        ValueError: for fewer than two rows of x, which have no variance; for a negative or NaN threshold.

    >>> from scratchgen.latent import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([6, 4], rng=0), MLP([2, 6], rng=1), BernoulliLikelihood(6), latent=2)
    >>> active_units(model, np.zeros((5, 6), dtype=np.float32))        # all x alike
    array([False, False])
    """
    require_number("threshold", threshold, least=0)
    require_rows(x, "a variance over the data", least=2)
    with no_grad():
        return np.var(values(posterior(model, x).mean), axis=0) > threshold


def divergences(q: Distribution, p: Distribution) -> Any:
    """The terms of (1) for each x: (B, latent), in nats; differentiable.

    Args:
        q: q(z | x), a batch of B, of independent dimensions.
        p: p(z), of independent dimensions.

    Raises:
        TypeError: for others, such as a full covariance or a mixture, of which the divergence is no sum.
    """
    if not (isinstance(q, Independent) and isinstance(p, Independent)):
        raise TypeError(f"q is {q} and the prior {p}; a KL of each dimension needs independent dimensions in both")
    return kl_divergence(q.base, p.base)


def posterior(model: VAE, x: Any) -> Distribution:
    """q(z | x) for each x.

    Raises:
        ValueError: for a posterior mean that is NaN or inf, as that of such x.
        TypeError: for a model that is no VAE, such as an Autoencoder, whose code is a point.
    """
    if not isinstance(model, VAE):
        raise TypeError(f"model is of class {type(model).__name__}; only a VAE has a distribution q(z | x) of codes")
    q = model.encode(x)
    require("the mean of q(z | x)", values(q.mean), np.isfinite, "it must be finite")  # or a unit would seem inactive
    return q
