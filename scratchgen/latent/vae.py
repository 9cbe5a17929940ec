"""The variational autoencoder (lecture pp. 6–9; Kingma and Welling, arXiv:1312.6114).

    z ~ p(z) = N(0, I),    x ~ p_θ(x | z)                                 decoder              (1)
    q_φ(z | x) = N(z; μ_φ(x), σ²_φ(x))                                    encoder              (2)
    z_φ(x) = μ_φ(x) + σ_φ(x) η,  η ~ N(0, I)                              reparameterisation   (3)

    log p_θ(x) ≥ ELBO = E_η[log p_θ(x | z_φ(x))] − KL(q_φ(z | x) ‖ p(z))                       (4)
                      = E_η[log p_θ(x | z) + log p(z) − log q_φ(z | x)],  z = z_φ(x)           (5)
    log p_θ(x) ≥ E[log (1/K) Σ_k w_k],  w_k = p_θ(x | z_k) p(z_k) / q_φ(z_k | x), z_k ~ q_φ    (6)

θ are the decoder's parameters, φ the encoder's; q_φ approximates the posterior p_θ(z | x), which cannot be computed.
With w = p_θ(x | z) p(z) / q_φ(z | x), log p_θ(x) = log E_q[w] ≥ E_q[log w], since the logarithm is concave (Jensen's
inequality): this is the *evidence lower bound*, ELBO. One sample of η estimates it as (4), with the divergence in
closed form, or as (5), with all of it sampled: the same expectation. (6) is the same argument for the average of K
weights. For K = 1 it is (5); it grows with K, to log p(x) (Burda et al., arXiv:1509.00519).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, logsumexp, no_grad
from scratchgen.distributions import Distribution, Independent, Normal, kl_divergence
from scratchgen.latent.arguments import require_int, require_rows
from scratchgen.latent.elbo import Elbo
from scratchgen.latent.likelihoods import Likelihood
from scratchgen.nn import Module
from scratchgen.random import Rng, generator


class VAE(Module):
    """A variational autoencoder of an encoder network, a decoder network and a likelihood.

    Args:
        encoder: a Module from x to 2 × ``latent`` numbers, μ and log σ² of (2).
        decoder: a Module from z, (B, latent), to the parameters of the likelihood.
        likelihood: p(x | z) from the decoder's output, one of ``latent.likelihoods``.
        latent: the dimension of z.
        beta: the weight of the KL term in the loss; with any other than 1 the loss is not −ELBO.
        analytic_kl: (4) if true, (5) if false.

    Raises:
        TypeError: for latent that is no int.
        ValueError: for latent < 1 or beta < 0.

    >>> from scratchgen.latent.likelihoods import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([64, 32, 4], rng=0), MLP([2, 32, 64], rng=1), BernoulliLikelihood(64), latent=2)
    >>> x = np.zeros((5, 64), dtype=np.float32)
    >>> model.elbo(x, rng=0).total.shape
    (5,)
    >>> model.sample(3, rng=0).shape
    (3, 64)
    """

    def __init__(
        self,
        encoder: Module,
        decoder: Module,
        likelihood: Likelihood,
        latent: int,
        beta: float = 1.0,
        analytic_kl: bool = True,
    ) -> None:
        require_int("latent", latent)
        if not beta >= 0:
            raise ValueError(f"beta is {beta}; it must be 0 or more")
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.latent, self.beta, self.analytic_kl = latent, beta, analytic_kl

    # -- the two distributions, and the prior ----------------------------------------------------------------------

    def encode(self, x: Any) -> Independent:
        """q(z | x) (2): events of shape (latent,).

        Raises:
            ValueError: if the encoder does not give 2 × latent numbers.
        """
        output = self.encoder(self.likelihood.to_network(x, self.dtype))
        if output.shape[1:] != (2 * self.latent,):
            raise ValueError(
                f"the encoder gives shape {output.shape}; with latent={self.latent} it must be (B, {2 * self.latent}): "
                "mean and log-variance of each dimension of z"
            )
        return Independent(Normal(output[:, : self.latent], output[:, self.latent :]), 1)

    def decode(self, z: Any) -> Distribution:
        """p(x | z) (1) for z (B, latent).

        Raises:
            TypeError: for z that is neither an array nor a Tensor.
            ValueError: for z of another width.
        """
        if not isinstance(z, (np.ndarray, Tensor)):
            raise TypeError(f"z is a {type(z).__name__}; pass an array: np.asarray(z, dtype=np.{self.dtype})")
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ValueError(f"z has shape {z.shape}; the decoder wants (B, {self.latent})")
        return self.likelihood(self.decoder(z))

    def prior(self, like: Any) -> Independent:
        """p(z) = N(0, I), in the dtype of ``like``."""
        zeros = np.zeros(self.latent, like.dtype)
        return Independent(Normal(zeros, zeros), 1)

    # -- bounds on log p(x) --------------------------------------------------------------------------------------------

    def elbo(self, x: Any, rng: Rng | None = None, noise: np.ndarray | None = None) -> Elbo:
        """The terms of (4), or of (5), for each x, with one sample of z.

        Args:
            x: (B, *event_shape).
            rng: draws η.
            noise: η itself, (B, latent), instead of ``rng``.
        """
        q = self.encode(x)
        z = q.rsample((), rng, noise)
        reconstruction = self.decode(z).log_prob(x)
        p = self.prior(z)
        return Elbo(reconstruction, kl_divergence(q, p) if self.analytic_kl else q.log_prob(z) - p.log_prob(z))

    def loss(self, x: Any, rng: Rng) -> Tensor:
        """−(reconstruction − beta · KL), averaged over the batch: what training minimises, in nats per example.

        Raises:
            ValueError: for an empty batch.
        """
        require_rows(x, "a mean over the batch")
        reconstruction, kl = self.elbo(x, rng)
        return -np.mean(reconstruction - self.beta * kl)

    def log_prob(self, x: Any, rng: Rng, samples: int = 100) -> np.ndarray:
        """The importance-weighted estimate of log p(x), (B,), in nats, from K = ``samples`` weights; no gradient.

        Its expectation (6) is a lower bound, close to log p(x) for many samples.

        Raises:
            TypeError, ValueError: for samples that is no int, or less than 1.
        """
        require_int("samples", samples)
        rng = generator(rng)
        log_weights = []
        with no_grad():
            q = self.encode(x)
            for _ in range(samples):
                z = q.rsample((), rng)
                log_weights.append(self.decode(z).log_prob(x) + self.prior(z).log_prob(z) - q.log_prob(z))
            return (logsumexp(np.stack(log_weights), axis=0) - float(np.log(samples))).data

    # -- what it makes ---------------------------------------------------------------------------------------------

    def sample(self, n: int, rng: Rng) -> np.ndarray:
        """n draws of x: z from the prior, then x from p(x | z) (1).

        Raises:
            TypeError, ValueError: for n that is no int, or negative.
        """
        require_int("n", n, least=0)
        rng = generator(rng)
        with no_grad():
            z = rng.standard_normal((n, self.latent), dtype=self.dtype)
            return self.decode(z).sample((), rng)

    def reconstruct(self, x: Any) -> np.ndarray:
        """The mean of p(x | z) at z = μ(x): for pictures. Its likelihood is no bound on log p(x)."""
        with no_grad():
            return np.asarray(self.decode(self.encode(x).mean).mean.data)
