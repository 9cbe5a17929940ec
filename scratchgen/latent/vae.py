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

That is all of the plain VAE. Two of its parts can be others: q, of (2), where the encoder gives a distribution and not
its numbers (``posteriors``); and p(z), of (1), where there is a learned prior (``priors``). What changes the loss is in
files of its own: ``iwae``, ``free_bits`` and ``annealing``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.distributions import Distribution, Independent, Normal, kl_divergence
from scratchgen.distributions.numbers import require_int, require_number
from scratchgen.latent.arguments import require_codes, require_rows
from scratchgen.latent.elbo import Elbo
from scratchgen.latent.importance import marginal_by_importance
from scratchgen.latent.joint import Ancestral
from scratchgen.latent.likelihoods import Likelihood
from scratchgen.nn import Module
from scratchgen.random import Rng


class VAE(Ancestral, Module):
    """A variational autoencoder of an encoder network, a decoder network and a likelihood.

    Args:
        encoder: a Module from x to 2 × ``latent`` numbers, μ and log σ² of (2); or to the distribution q(z | x) itself,
            any that has ``rsample`` and ``log_prob``: a ``GaussianPosterior``, for example.
        decoder: a Module from z, (B, latent), to the parameters of the likelihood.
        likelihood: p(x | z) from the decoder's output, one of ``latent.likelihoods``.
        latent: the dimension of z.
        beta: the weight of the KL term in the loss; with any other than 1 the loss is not −ELBO.
        analytic_kl: (4) if true and the divergence has a closed form, else (5).
        learned_prior: a Module that gives p(z) when it is called, in the place of N(0, I): one of ``priors``.

    Raises:
        TypeError: for latent that is no int, or a likelihood that is none; for beta that is no number.
        ValueError: for latent < 1; for beta that is negative, NaN or inf.

    >>> from scratchgen.latent.likelihoods import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([64, 32, 4], rng=0), MLP([2, 32, 64], rng=1), BernoulliLikelihood(64), latent=2)
    >>> x = np.zeros((5, 64), dtype=np.float32)
    >>> model.elbo(x, rng=0).total.shape
    (5,)
    >>> model.sample(3, rng=0).shape
    (3, 64)
    """

    beta: float | Tensor  # a Tensor where a schedule moves it (``annealing``)

    def __init__(
        self,
        encoder: Module,
        decoder: Module,
        likelihood: Likelihood,
        latent: int,
        beta: float = 1.0,
        analytic_kl: bool = True,
        learned_prior: Module | None = None,
    ) -> None:
        require_int("latent", latent)
        require_number("beta", beta, least=0)
        if not isinstance(likelihood, Likelihood):
            raise TypeError(
                f"likelihood is {likelihood!r}; it must be one of latent.likelihoods, made for the shape of x"
            )
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.latent, self.beta, self.analytic_kl, self.learned_prior = latent, beta, analytic_kl, learned_prior

    # -- the two distributions, and the prior ----------------------------------------------------------------------

    def encode(self, x: Any) -> Any:
        """q(z | x) (2): events of shape (latent,).

        Raises:
            ValueError: if the encoder does not give 2 × latent numbers, or a distribution of z.
        """
        output = self.encoder(self.likelihood.to_network(x, self.dtype))
        if isinstance(output, Distribution):
            return require_codes("the encoder", output, (len(x),), self.latent)
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

    def prior(self, like: Any) -> Distribution:
        """p(z): N(0, I), in the dtype of ``like``, or the learned prior.

        Raises:
            ValueError: for a learned prior of another z.
        """
        if self.learned_prior is not None:
            return require_codes("the learned prior", self.learned_prior(), (), self.latent)
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
        exact = self.exact_kl(q)
        if exact is not None:
            z = q.rsample((), rng, noise)
            return Elbo(self.decode(z).log_prob(x), exact)
        z, log_q = q.rsample_and_log_prob((), rng, noise)  # of a flow, log q comes with z
        return Elbo(self.decode(z).log_prob(x), log_q - self.prior(z).log_prob(z))

    def exact_kl(self, q: Any) -> Any:
        """KL(q ‖ p(z)) for each q (4); None if that has no closed form, or is not wanted."""
        if self.analytic_kl:
            try:
                return kl_divergence(q, self.prior(q))
            except NotImplementedError:
                pass
        return None

    def kl(self, q: Any, z: Any) -> Any:
        """KL(q ‖ p(z)) for each q (4), or, if that has no closed form or is not wanted, its estimate (5) by the z."""
        exact = self.exact_kl(q)
        return q.log_prob(z) - self.prior(z).log_prob(z) if exact is None else exact

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

        Its expectation (6) is a lower bound, close to log p(x) for many samples. ``importance`` tells how close: its
        ``marginal_by_importance`` gives standard errors and effective sample sizes too. Memory does not grow with K.

        Raises:
            TypeError, ValueError: for samples that is no int, or less than 1; for an empty batch.
        """
        return marginal_by_importance(self, x, self.encode, samples, rng).value.astype(self.dtype)

    # -- what it makes; ``sample`` is that of ``joint`` --------------------------------------------------------------

    def reconstruct(self, x: Any) -> np.ndarray:
        """The mean of p(x | z) at z = μ(x): for pictures. Its likelihood is no bound on log p(x)."""
        with no_grad():
            return np.asarray(self.decode(self.encode(x).mean).mean.data)
