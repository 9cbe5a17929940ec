"""The Gaussian mixture, the latent-variable model with one discrete latent (lecture p. 3).

    z ~ Categorical(π),    x | z = k ~ N(m_k, C_k)                                             (1)
    p(x) = Σ_k p(x, z = k) = Σ_k π_k N(x; m_k, C_k)                                            (2)
    p(z = k | x) = π_k N(x; m_k, C_k) / p(x)            the *responsibility* of k for x        (3)

The integral of the lecture is a sum here, of as many terms as there are components: marginal and posterior are exact.

Each p(x | z) is a normal distribution, but p(x) can have several modes, long tails and bends: a latent variable makes a
model more expressive. Which component is called 0 the data cannot tell: exchanged, they make the same p(x).

The parameters are any numbers, so that a gradient step cannot leave the model: π = softmax(logits), and C_k = L_k L_kᵀ
with the L_k of ``scale_tril_from``. ``mixture_em`` fits them by EM. (``distributions.Mixture`` has the same sum for
components of any kind; here it is a model, with a prior, a posterior and parameters to fit.)

*The likelihood has no maximum.* A component whose mean is one of the data, with its variance going to 0, makes (2)
arbitrarily large there. EM here keeps the variances above a floor; a gradient does not know of it.

Source: Bishop, Pattern Recognition and Machine Learning, 2006, sections 9.2 and 9.2.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, log_softmax, logsumexp, softmax
from scratchgen.distributions import (
    Categorical,
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    scale_tril_from,
)
from scratchgen.distributions.arguments import listed, of_one_dtype, require, unmasked
from scratchgen.distributions.distribution import values
from scratchgen.latent.arguments import require_rows, require_vectors
from scratchgen.latent.joint import Ancestral
from scratchgen.nn import Module
from scratchgen.random import Rng


class GaussianMixture(Ancestral, Module):
    """A mixture (1) of K normal distributions of D-dimensional x, by unconstrained parameters.

    Args:
        logits: (K,), an array; π is their softmax.
        means: (K, D), the m_k.
        raw: (K, D, D) for full covariances, of which ``scale_tril_from`` makes the L_k, by the exponential of the
            diagonal; or (K, D) for diagonal ones, the logarithms of the standard deviations.

    Attributes:
        logits, means, raw: the same, as parameters.

    Raises:
        TypeError: for arrays that are not float32 or float64, or some of each.
        ValueError: for shapes that do not fit; for NaN or inf.

    >>> model = GaussianMixture.of([0.5, 0.5], [[-2.0], [2.0]], [[[1.0]], [[1.0]]])
    >>> model.log_prob(np.array([[0.0], [2.0]])).data.round(4)
    array([-2.9189, -1.6118])
    >>> model.responsibilities(np.array([[0.0], [2.0]])).data.round(4)
    array([[5.000e-01, 5.000e-01],
           [3.000e-04, 9.997e-01]])
    """

    def __init__(self, logits: Any, means: Any, raw: Any) -> None:
        arrays = of_one_dtype(logits=logits, means=means, raw=raw)
        shapes = {name: a.shape for name, a in zip(("logits", "means", "raw"), arrays)}
        K, D = shapes["means"] if len(shapes["means"]) == 2 else (0, 0)
        if not (K and D) or shapes["logits"] != (K,) or shapes["raw"] not in ((K, D, D), (K, D)):
            raise ValueError(f"{listed(shapes)}; they must be (K,), (K, D) and (K, D, D) or (K, D), of 1 or more")
        self.logits, self.means, self.raw = (Tensor(values(a), requires_grad=True) for a in arrays)

    @classmethod
    def of(cls, weights: Any, means: Any, covariances: Any) -> GaussianMixture:
        """The mixture with these weights, means and covariances.

        Args:
            weights: (K,), positive, with sum 1.
            means: (K, D).
            covariances: (K, D, D), or the variances (K, D) of diagonal ones.

        Raises:
            TypeError: for masked arrays.
            ValueError: for weights that are no probabilities; for what is no covariance, with its index.
        """
        given = {"weights": weights, "means": means, "covariances": covariances}
        weights, means, covariances = (np.asarray(values(unmasked(name, a))) for name, a in given.items())
        require("weights", weights, lambda p: p > 0, "they must be positive; leave the component out")
        if abs(np.sum(weights) - 1) > 1e-4:
            raise ValueError(f"the weights have the sum {np.sum(weights):.6g}; it must be 1: weights / weights.sum()")
        if covariances.ndim == 2:
            require("variances", covariances, lambda v: v > 0, "they must be positive")
            return cls(np.log(weights), means, 0.5 * np.log(covariances))
        L = MultivariateNormal.from_covariance(means, covariances).scale_tril
        log_scale = np.log(np.diagonal(L, axis1=-2, axis2=-1))
        return cls(np.log(weights), means, np.tril(L, -1) + log_scale[..., None] * np.eye(L.shape[-1]))

    @property
    def diagonal(self) -> bool:
        """Whether the covariances are diagonal."""
        return self.raw.ndim == 2

    @property
    def weights(self) -> Tensor:
        """π, (K,), with sum 1."""
        return softmax(self.logits)

    def covariances(self) -> Tensor:
        """The C_k, (K, D, D)."""
        if self.diagonal:
            return np.exp(2 * self.raw)[..., None] * np.eye(self.raw.shape[1], dtype=self.dtype)
        return MultivariateNormal(self.means, scale_tril_from(self.raw)).covariance

    # -- the joint: prior and p(x | z) ---------------------------------------------------------------------------------

    def prior(self, like: Any = None) -> Categorical:
        """p(z), of the numbers 0 … K − 1."""
        return Categorical(self.logits)

    def decode(self, z: Any) -> Distribution:
        """p(x | z) for integers z (N,).

        Raises:
            TypeError: for z that are not integers.
            ValueError: for z outside 0 … K − 1, with value and index; for another shape.
        """
        z, K = np.asarray(z), len(self.logits)
        if z.dtype.kind not in "iu":
            raise TypeError(f"z is {z.dtype}; it must be integers from 0 to {K - 1}")
        if z.ndim != 1:
            raise ValueError(f"z has shape {z.shape}; it must be (N,)")
        require("z", z, lambda k: (k >= 0) & (k < K), f"it must be integers from 0 to {K - 1}")
        return normals(self.means[z], self.raw[z])

    # -- the marginal and the posterior --------------------------------------------------------------------------------

    def log_joints(self, x: Any) -> Tensor:
        """log p(x, z = k) = log π_k + log N(x; m_k, C_k) for x (B, D) and all k: (B, K)."""
        x = require_vectors(x, self.means.shape[1], self.dtype)
        with_each = np.broadcast_to(x[:, None], (len(x), *self.means.shape))  # (B, K, D)
        return log_softmax(self.logits) + normals(self.means, self.raw).log_prob(with_each)

    def log_prob(self, x: Any) -> Tensor:
        """The exact log p(x) (2) in nats, (B,).

        Args:
            x: (B, D), float32 or float64 as the parameters are.

        Raises:
            TypeError: for another dtype.
            ValueError: for another shape; for NaN or inf.
        """
        return logsumexp(self.log_joints(x), axis=1)

    def posterior(self, x: Any) -> Categorical:
        """p(z | x) (3), exact, for x (B, D): a batch of B; errors as ``log_prob``."""
        return Categorical(self.log_joints(x))

    def responsibilities(self, x: Any) -> Tensor:
        """p(z = k | x) (3), (B, K): each row sums to 1; errors as ``log_prob``."""
        return softmax(self.log_joints(x))

    def loss(self, x: Any, rng: Rng | None = None) -> Tensor:
        """−log p(x), exact, averaged over the batch: nats per example; it needs no ``rng``.

        Raises:
            TypeError, ValueError: as ``log_prob``; for an empty batch.
        """
        require_rows(x, "a mean over the batch")
        return -self.log_prob(x).mean()


def normals(means: Any, raw: Any) -> Distribution:
    """N(m, C) for each of (…, D) means, from the raw parameters of full or diagonal covariances."""
    if raw.ndim > means.ndim:
        return MultivariateNormal(means, scale_tril_from(raw))
    return Independent(Normal(means, 2 * raw), 1)  # the log-variance is twice the log of the standard deviation
