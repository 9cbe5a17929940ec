"""Which dimensions of the code a VAE uses.

The divergence of a factorised posterior is a sum over the dimensions of z,

    KL(q(z | x) ‖ p(z)) = Σ_j KL(q(z_j | x) ‖ p(z_j)),                                          (1)

and a dimension that the decoder ignores is best set to the prior, at a cost of 0: it has *collapsed*. A unit is called
active if its posterior mean depends on x at all,

    Var_x( E_q[z_j | x] ) > 0.01                                                               (2)

(Burda et al., arXiv:1509.00519, §5.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.distributions import Distribution, kl_divergence
from scratchgen.latent.arguments import require_rows
from scratchgen.latent.vae import VAE


def kl_per_dimension(model: VAE, x: Any) -> np.ndarray:
    """The terms of (1), averaged over the batch: (latent,), in nats.

    Raises:
        TypeError: for a model that is no VAE.
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
        return np.mean(kl_divergence(q, model.prior(q.mean).base).data, axis=0)


def active_units(model: VAE, x: Any, threshold: float = 0.01) -> np.ndarray:
    """Which dimensions of z are active (2): (latent,) bools.

    Raises:
        TypeError: for a model that is no VAE.
        ValueError: for fewer than two rows of x, which have no variance.

    >>> from scratchgen.latent import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([6, 4], rng=0), MLP([2, 6], rng=1), BernoulliLikelihood(6), latent=2)
    >>> active_units(model, np.zeros((5, 6), dtype=np.float32))        # all x alike
    array([False, False])
    """
    require_rows(x, "a variance over the data", least=2)
    with no_grad():
        return np.var(posterior(model, x).mean.data, axis=0) > threshold


def posterior(model: VAE, x: Any) -> Distribution:
    """q(z_j | x) for each x and each dimension of z, a batch (B, latent) of them.

    Raises:
        TypeError: for a model that is no VAE, such as an Autoencoder, whose code is a point.
    """
    if not isinstance(model, VAE):
        raise TypeError(f"model is of class {type(model).__name__}; only a VAE has a distribution q(z | x) of codes")
    return model.encode(x).base
