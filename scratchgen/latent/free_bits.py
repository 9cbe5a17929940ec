"""Free bits: a VAE that pays for no dimension of z before it carries λ nats (lecture p. 8).

    L_λ = mean_b E_q[log p(x_b | z)] − Σ_j max(λ, mean_b KL_bj),   KL_bj = KL(q(z_j | x_b) ‖ p(z_j))  (1)

b runs over the minibatch, j over the dimensions of z. The maximum is taken of the *average over the batch*, for each
dimension on its own: dimensions may carry different amounts, and examples, too. A dimension below λ costs λ whatever it
does, so nothing pulls it to the prior: it does not collapse before the decoder has learnt to use it.

    L_λ ≤ ELBO, the mean over the batch, with equality where no dimension is below λ            (2)

so L_λ is a lower bound on log p(x) as well; λ = 0 is the plain VAE.

λ is in nats: 1 bit is log 2 = 0.69 nats. Where the paper has groups of dimensions, a group is one dimension here.

Source: Kingma et al., Improved variational inference with inverse autoregressive flow, arXiv:1606.04934, equation (15).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions.numbers import require_number
from scratchgen.latent.arguments import require_rows
from scratchgen.latent.diagnostics import divergences
from scratchgen.latent.likelihoods import Likelihood
from scratchgen.latent.vae import VAE
from scratchgen.nn import Module
from scratchgen.random import Rng


class FreeBitsVAE(VAE):
    """A VAE whose loss is −L_λ (1), without a beta; the dimensions of its posterior have to be independent.

    Args:
        encoder, decoder, likelihood, latent: as of a ``VAE``.
        free: λ, in nats for each dimension.

    Raises:
        TypeError, ValueError: for latent that is no int, or less than 1; for ``free`` that is no number, negative, NaN
            or inf.

    >>> from scratchgen.latent import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = FreeBitsVAE(MLP([64, 4], rng=0), MLP([2, 64], rng=1), BernoulliLikelihood(64), latent=2, free=0.5)
    >>> model.loss(np.zeros((5, 64), dtype=np.float32), rng=0).shape
    ()
    """

    couples_rows = True  # by the mean over the batch within (1)

    def __init__(self, encoder: Module, decoder: Module, likelihood: Likelihood, latent: int, free: float) -> None:
        require_number("free", free, least=0)
        super().__init__(encoder, decoder, likelihood, latent)
        self.free = free

    def loss(self, x: Any, rng: Rng) -> Tensor:
        """−L_λ (1): what training minimises, in nats per example.

        Raises:
            TypeError: for a posterior whose dimensions are not independent.
            ValueError: for an empty batch.
        """
        require_rows(x, "a mean over the batch")
        q = self.encode(x)
        z = q.rsample((), rng)
        carried = np.mean(divergences(q, self.prior(z)), axis=0)  # (latent,)
        return np.sum(np.maximum(carried, self.free)) - np.mean(self.decode(z).log_prob(x))
