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
from scratchgen.distributions import kl_divergence
from scratchgen.latent.vae import VAE


def kl_per_dimension(model: VAE, x: Any) -> np.ndarray:
    """The terms of (1), averaged over the batch: (latent,), in nats.

    >>> from scratchgen.latent import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([6, 4], rng=0), MLP([2, 6], rng=1), BernoulliLikelihood(6), latent=2)
    >>> kl_per_dimension(model, np.zeros((5, 6), dtype=np.float32)).shape
    (2,)
    """
    with no_grad():
        q = model.encode(x)
        return np.mean(kl_divergence(q.base, model.prior(q.mean).base).data, axis=0)


def active_units(model: VAE, x: Any, threshold: float = 0.01) -> np.ndarray:
    """Which dimensions of z are active (2): (latent,) bools.

    Raises:
        ValueError: for fewer than two rows of x, which have no variance.

    >>> from scratchgen.latent import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([6, 4], rng=0), MLP([2, 6], rng=1), BernoulliLikelihood(6), latent=2)
    >>> active_units(model, np.zeros((5, 6), dtype=np.float32))        # all x alike
    array([False, False])
    """
    if len(x) < 2:
        raise ValueError(f"x has {len(x)} rows; a variance over the data needs at least 2")
    with no_grad():
        return np.var(model.encode(x).mean.data, axis=0) > threshold
