"""Learned priors p(z), in the place of N(0, I) (lecture p. 8).

Averaged over the data, the ELBO holds the prior against the *aggregate posterior* q̄(z) = (1/N) Σ_n q(z | x_n):

    E_data[KL(q(z | x) ‖ p(z))] = I_q(x; z) + KL(q̄ ‖ p)                                         (1)

The first term, what z tells of x, does not depend on the prior. The second is waste; it is 0 at p = q̄. But q̄ itself
has a component for each of the data: it is slow, and it fits the data too well. Mixtures of fewer come near it:

    mixture of Gaussians   p(z) = Σ_k π_k N(z; m_k, diag(e^{v_k})), all of them parameters       (2)
    VampPrior              p(z) = (1/K) Σ_k q_φ(z | u_k), with *pseudo-inputs* u_k as parameters (3)

(3) is q̄ of K data that are learnt. It has no parameters of z, and keeps up with the encoder.

Neither has a divergence from q in closed form: the VAE takes log q(z | x) − log p(z) at its sample of z.

Source: Hoffman and Johnson, ELBO surgery, 2016, for (1); Tomczak and Welling, VAE with a VampPrior, arXiv:1705.07120,
equations (8) and (9).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Distribution, Independent, Mixture, Normal
from scratchgen.distributions.arguments import array_of, require
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Module
from scratchgen.random import Rng, generator


class MixturePrior(Module):
    """The mixture of Gaussians (2), with equal weights and unit variances at first, and means drawn from N(0, I).

    Args:
        components: K.
        latent: the dimension of z.
        rng: draws the means: were they alike, they would stay so.
        dtype: of the parameters.

    Attributes:
        logits: (K,), π = softmax(logits).
        means, logvars: (K, latent).

    Raises:
        TypeError, ValueError: for components or latent that is no int, or less than 1.

    >>> MixturePrior(components=10, latent=2, rng=0)()
    Mixture(batch_shape=(), event_shape=(2,))
    """

    def __init__(self, components: int, latent: int, rng: Rng, dtype: Any = np.float32) -> None:
        require_int("components", components)
        require_int("latent", latent)
        rng = generator(rng)
        self.logits = Tensor(np.zeros(components, dtype), requires_grad=True)
        self.means = Tensor(rng.standard_normal((components, latent)).astype(dtype), requires_grad=True)
        self.logvars = Tensor(np.zeros((components, latent), dtype), requires_grad=True)

    def forward(self) -> Mixture:
        """p(z) (2), a single distribution of events (latent,)."""
        return Mixture(self.logits, Independent(Normal(self.means, self.logvars), 1))


class VampPrior(Module):
    """The variational mixture of posteriors (3).

    Args:
        encoder: gives q(z | u), and is the encoder of the VAE: one that gives distributions, a ``GaussianPosterior``
            for example. Its parameters are trained through both.
        pseudo_inputs: (K, …), an array: where the u_k start, as the encoder takes them. Some of the data, for example;
            of images with grey levels ``likelihood.to_network`` of them.

    Attributes:
        encoder: the same Module.
        pseudo_inputs: a parameter.

    Raises:
        TypeError: for pseudo-inputs that are not float32 or float64; in ``forward``, for an encoder that gives no
            distribution.
        ValueError: for no pseudo-inputs; for NaN or inf in them.

    >>> from scratchgen.latent import GaussianPosterior
    >>> from scratchgen.nn import MLP
    >>> posterior = GaussianPosterior(MLP([64, 4], rng=0), latent=2)
    >>> VampPrior(posterior, np.zeros((10, 64), np.float32))()
    Mixture(batch_shape=(), event_shape=(2,))
    """

    def __init__(self, encoder: Module, pseudo_inputs: Any) -> None:
        array = values(array_of("pseudo_inputs", pseudo_inputs))
        if array.ndim < 2 or not len(array):
            raise ValueError(f"pseudo_inputs has shape {array.shape}; it must be (K, …), with K of 1 or more")
        require("pseudo_inputs", array, np.isfinite, "it must be finite")
        self.encoder = encoder
        self.pseudo_inputs = Tensor(array.copy(), requires_grad=True)

    def forward(self) -> Mixture:
        """p(z) (3), a single distribution of events (latent,)."""
        q = self.encoder(self.pseudo_inputs)
        if not isinstance(q, Distribution):
            raise TypeError(
                f"the encoder gives a {type(q).__name__}; a VampPrior needs distributions: "
                "GaussianPosterior(encoder, latent), for the VAE too"
            )
        return Mixture(np.zeros(len(self.pseudo_inputs), self.pseudo_inputs.dtype), q)
