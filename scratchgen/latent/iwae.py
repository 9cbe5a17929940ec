"""The importance-weighted autoencoder: a VAE that is trained with K samples of z (lecture p. 9).

    L_K(x) = E[log (1/K) Σ_k w_k],   w_k = p_θ(x | z_k) p(z_k) / q_φ(z_k | x),   z_k ~ q_φ(z | x)  (1)

    ELBO = L_1 ≤ L_2 ≤ … ≤ L_K → log p(x)                                                       (2)

(1/K) Σ_k w_k is an unbiased estimate of p(x), and by Jensen's inequality its logarithm is too low on average: by about
½ Var(w) / (K p(x)²), since an average of K weights varies less than one of them. That (2) never falls is Jensen's
inequality once more: the average of K weights is an average of averages of fewer, over all ways of leaving some out.

*What it is good for.* The ELBO favours models whose posterior is of the form of q. L_K does so less: it is enough
that some samples of q lie where the posterior is. *What it costs*: K passes through the decoder. And the less the bound
depends on q, the more of its gradient to φ is noise: for large K, the ratio of its mean to its standard deviation falls
as 1/√K (Rainforth et al.). That of the doubly reparameterised gradient (``path_estimators``), which has the same mean,
rises as √K.

All K samples are decoded as one batch, and the weights only exist as logarithms: of an image they are below the
smallest float.

Source: Burda, Grosse and Salakhutdinov, arXiv:1509.00519, equation (8) and theorem 1; Rainforth et al.,
arXiv:1802.04537, theorem 1; Tucker et al., arXiv:1810.04152.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.arguments import require_rows
from scratchgen.latent.importance import log_weights
from scratchgen.latent.likelihoods import Likelihood
from scratchgen.latent.path_estimators import doubly_reparameterised, importance_weighted
from scratchgen.latent.vae import VAE
from scratchgen.nn import Module
from scratchgen.random import Rng


class IWAE(VAE):
    """A VAE whose loss is −L_K (1). There is no KL in it, and so no beta.

    Args:
        encoder, decoder, likelihood, latent, learned_prior: as of a ``VAE``.
        samples: K.
        dreg: train φ by the doubly reparameterised gradient: it has the same expectation, and less noise. The loss has
            the same value, but its gradient is then no derivative of that value for the same noise.

    Raises:
        TypeError, ValueError: for latent or samples that is no int, or less than 1.

    >>> from scratchgen.latent import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = IWAE(MLP([64, 4], rng=0), MLP([2, 64], rng=1), BernoulliLikelihood(64), latent=2, samples=50)
    >>> model.bound(np.zeros((5, 64), dtype=np.float32), rng=0).shape
    (5,)
    """

    def __init__(
        self,
        encoder: Module,
        decoder: Module,
        likelihood: Likelihood,
        latent: int,
        samples: int,
        dreg: bool = False,
        learned_prior: Module | None = None,
    ) -> None:
        require_int("samples", samples)
        super().__init__(encoder, decoder, likelihood, latent, analytic_kl=False, learned_prior=learned_prior)
        self.samples, self.dreg = samples, dreg

    def bound(self, x: Any, rng: Rng | None = None, noise: np.ndarray | None = None) -> Any:
        """log (1/K) Σ_k w_k (1) for each x, (B,), in nats.

        Args:
            x: (B, *event_shape).
            rng: draws the noise of z.
            noise: the noise itself, (K, B, latent), instead of ``rng``.
        """
        q = self.encode(x)
        z = q.rsample(self.samples, rng, noise)  # (K, B, latent)
        if self.dreg:
            return doubly_reparameterised(self, x, q, z)
        return importance_weighted(log_weights(self, x, q, z))

    def loss(self, x: Any, rng: Rng) -> Tensor:
        """−log (1/K) Σ_k w_k (1), averaged over the batch: what training minimises, in nats per example.

        Raises:
            ValueError: for an empty batch.
        """
        require_rows(x, "a mean over the batch")
        return -np.mean(self.bound(x, rng))
