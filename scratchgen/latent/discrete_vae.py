"""A variational autoencoder with discrete latents, of which everything can be computed exactly.

    z = (z_1, …, z_M),  each z_m uniform over 0 … K − 1                        prior            (1)
    x ~ p_θ(x | v),  v the one-hot vectors of z, (M, K)                        decoder          (2)
    q_φ(z | x) = Π_m q_φ(z_m | x), from logits (M, K)                          encoder          (3)

    log p_θ(x) = log Σ_z p_θ(x | z) K^{−M}                                                      (4)
    ELBO = Σ_z q_φ(z | x) log p_θ(x | z) − KL(q_φ(z | x) ‖ p(z))                                (5)

The sums have K^M terms, which is why M is small here. The divergence is a closed form. What training must estimate,
where z has too many values for the sum, is the first term of (5) and its gradient. It can do so by

    "enumeration"        the sum itself: exact
    "score function"     log p_θ(x | z_k) at samples, times ∇log q_φ
    "leave one out"      the same, less the mean of the other samples
    "Gumbel-softmax"     log p_θ(x | v) at relaxed one-hot vectors: biased
    "straight-through"   log p_θ(x | z_k), with the gradient of the relaxed: biased

All of them train the same model, and ``elbo`` and ``log_prob`` are exact for all: their curves can be compared.

Source: Jang, Gu and Poole, arXiv:1611.01144, section 4.2; ``estimators`` and ``discrete_estimators`` have the equations
and the sources of each.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, logsumexp
from scratchgen.distributions import Categorical, Concrete, Distribution, Independent, kl_divergence
from scratchgen.distributions.arguments import unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.arguments import require_rows
from scratchgen.latent.discrete_estimators import enumeration, gumbel_softmax
from scratchgen.latent.elbo import Elbo
from scratchgen.latent.estimators import leave_one_out, score_function
from scratchgen.latent.joint import Ancestral, log_p_x_given_z
from scratchgen.latent.likelihoods import Likelihood
from scratchgen.latent.marginal import all_values
from scratchgen.nn import Module
from scratchgen.random import Rng

ESTIMATORS = ("enumeration", "score function", "leave one out", "Gumbel-softmax", "straight-through")


class DiscreteVAE(Ancestral, Module):
    """A VAE whose code is M numbers from 0 to K − 1.

    Args:
        encoder: a Module from x to M × K logits (3).
        decoder: a Module from one-hot vectors, flattened to (B, M × K), to the parameters of the likelihood.
        likelihood: p(x | z) from the decoder's output, one of ``latent.likelihoods``.
        variables: M.
        sides: K.
        estimator: of the gradient of the first term of (5), one of ``ESTIMATORS``.
        samples: how many z the loss draws for each x; not for "enumeration".
        temperature: τ of the relaxed ones; an attribute, so that training may lower it.

    Raises:
        TypeError: for numbers that are no ints; for a temperature that is no number.
        ValueError: for numbers less than 1, or sides less than 2; for an estimator that there is not; for one sample to
            leave out; for a temperature that is not above 0.

    >>> from scratchgen.latent.likelihoods import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> encoder, decoder = MLP([16, 32, 8], rng=0), MLP([8, 32, 16], rng=1)
    >>> model = DiscreteVAE(encoder, decoder, BernoulliLikelihood(16), variables=2, sides=4)
    >>> x = np.zeros((5, 16), np.float32)
    >>> elbo, log_p = model.elbo(x), model.log_prob(x)
    >>> bool(np.all(elbo.total.data < log_p.data))
    True
    """

    def __init__(
        self,
        encoder: Module,
        decoder: Module,
        likelihood: Likelihood,
        variables: int,
        sides: int,
        estimator: str = "enumeration",
        samples: int = 2,
        temperature: float = 0.5,
    ) -> None:
        require_int("variables", variables)
        require_int("sides", sides, least=2)
        if estimator not in ESTIMATORS:
            raise ValueError(f"estimator is {estimator!r}; it must be one of {', '.join(ESTIMATORS)}")
        require_int("samples", samples, least=2 if estimator == "leave one out" else 1)
        Concrete(np.zeros(sides), temperature)  # refuses a temperature here, before the first step of training
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.variables, self.sides = variables, sides
        self.estimator, self.samples, self.temperature = estimator, samples, temperature

    # -- the two distributions, and the prior ----------------------------------------------------------------------

    def encode(self, x: Any) -> Independent:
        """q(z | x) (3): events of shape (M,), integers.

        Raises:
            ValueError: if the encoder does not give M × K numbers.
        """
        output, wanted = self.encoder(self.likelihood.to_network(x, self.dtype)), self.variables * self.sides
        if output.shape[1:] != (wanted,):
            raise ValueError(
                f"the encoder gives shape {output.shape}; with variables={self.variables} and sides={self.sides} it "
                f"must be (B, {wanted}): a logit for each side of each variable"
            )
        return Independent(Categorical(output.reshape(len(output), self.variables, self.sides)), 1)

    def decode(self, z: Any) -> Distribution:
        """p(x | z) (2) for integers z (N, M).

        Raises:
            TypeError: for z that are no integers.
            ValueError: for z of another width, or outside 0 … K − 1.
        """
        z = np.asarray(unmasked("z", z))
        if z.dtype.kind not in "iu":
            raise TypeError(f"z is {z.dtype}; it must be integers from 0 to {self.sides - 1}")
        if z.ndim != 2 or z.shape[1] != self.variables:
            raise ValueError(f"z has shape {z.shape}; the decoder wants (N, {self.variables})")
        if z.size and not (z.min() >= 0 and z.max() < self.sides):
            raise ValueError(f"z has values from {z.min()} to {z.max()}; they must be from 0 to {self.sides - 1}")
        return self.decode_vectors(np.eye(self.sides, dtype=self.dtype)[z])

    def decode_vectors(self, v: Any) -> Distribution:
        """p(x | v) (2) for one-hot vectors, or relaxed ones, (N, M, K).

        Raises:
            ValueError: for v of another shape.
        """
        if v.shape[1:] != (self.variables, self.sides):
            raise ValueError(f"v has shape {v.shape}; the decoder wants (N, {self.variables}, {self.sides})")
        return self.likelihood(self.decoder(v.reshape(len(v), self.variables * self.sides)))

    def prior(self, like: Any = None) -> Independent:
        """p(z) (1), uniform."""
        return Independent(Categorical(np.zeros((self.variables, self.sides), self.dtype)), 1)

    # -- exactly -------------------------------------------------------------------------------------------------------

    def log_likelihoods(self, x: Any) -> Any:
        """log p(x | z) for every z, in the order of ``all_values``: (K^M, B), in nats."""
        z = all_values(self.prior())
        x = np.asarray(unmasked("x", x))[:, None]  # (B, 1, *event_shape): each z is decoded once, for all x
        return self.decode(z).log_prob(np.broadcast_to(x, (len(x), len(z), *x.shape[2:]))).T

    def elbo(self, x: Any) -> Elbo:
        """The terms of the ELBO (5), exact, for each x, whatever estimator is used in training."""
        q = self.encode(x)
        return Elbo(enumeration(q, lambda z: self.log_likelihoods(x)), kl_divergence(q, self.prior()))

    def log_prob(self, x: Any) -> Any:
        """log p(x) (4), exact, (B,), in nats."""
        return logsumexp(self.log_likelihoods(x), axis=0) - self.variables * float(np.log(self.sides))

    # -- training ------------------------------------------------------------------------------------------------------

    def reconstruction(self, x: Any, q: Independent, rng: Rng | None = None, noise: Any = None) -> Any:
        """The first term of (5) for each x, (B,), with the estimate of its gradient that ``estimator`` names.

        Args:
            x: (B, *event_shape).
            q: q(z | x), as ``encode`` gives it.
            rng: draws the samples.
            noise: what is drawn instead of ``rng``: z itself, (samples, B, M), or the Gumbel noise of the relaxed,
                (samples, B, M, K).

        Raises:
            TypeError: without either, unless it is a sum.
        """
        if self.estimator == "enumeration":
            return enumeration(q, lambda z: self.log_likelihoods(x))
        if self.estimator in ("Gumbel-softmax", "straight-through"):
            f, hard = partial(self.of_vectors, x), self.estimator == "straight-through"
            return gumbel_softmax(q, f, self.temperature, self.samples, rng, noise, hard)
        if noise is None:
            if rng is None:
                raise TypeError("reconstruction needs rng, or the noise itself")
            noise = q.sample(self.samples, rng)
        estimate = leave_one_out if self.estimator == "leave one out" else score_function
        return estimate(q, lambda z: log_p_x_given_z(self, x, z), noise)

    def of_vectors(self, x: Any, v: Any) -> Any:
        """log p(x | v) for vectors (samples, B, M, K), each with its own x: (samples, B)."""
        x = np.asarray(x)
        each_x = np.broadcast_to(x, (len(v), *x.shape)).reshape(-1, *x.shape[1:])
        return self.decode_vectors(v.reshape(-1, *v.shape[2:])).log_prob(each_x).reshape(v.shape[:2])

    def loss(self, x: Any, rng: Rng) -> Tensor:
        """−ELBO, averaged over the batch, in nats per example, its first term by the estimator.

        The values of the relaxed estimators are those of another model, so report ``elbo``.

        Raises:
            ValueError: for an empty batch.
        """
        require_rows(x, "a mean over the batch")
        q = self.encode(x)
        return np.mean(kl_divergence(q, self.prior()) - self.reconstruction(x, q, rng))
