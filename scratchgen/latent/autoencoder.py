"""The plain autoencoder, to set beside the VAE: the same networks, but a code instead of a distribution of codes.

    maximise  E_data[log p_θ(x | z)]  at  z = f_φ(x)                                            (1)

There is no prior and no noise, so nothing says where the codes lie and nothing fills the space between them: what is
decoded from elsewhere need not look like data. It is no model of x: (1) bounds nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.latent.arguments import require_rows
from scratchgen.latent.likelihoods import Likelihood
from scratchgen.nn import Module
from scratchgen.random import Rng


class Autoencoder(Module):
    """An encoder to a point, and a decoder from it.

    Args:
        encoder: a Module from x to the code, (B, latent).
        decoder: a Module from the code to the parameters of the likelihood.
        likelihood: scores the reconstruction.

    >>> from scratchgen.latent.likelihoods import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = Autoencoder(MLP([64, 2], rng=0), MLP([2, 64], rng=1), BernoulliLikelihood(64))
    >>> model.encode(np.zeros((5, 64), dtype=np.float32)).shape
    (5, 2)
    """

    def __init__(self, encoder: Module, decoder: Module, likelihood: Likelihood) -> None:
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood

    def encode(self, x: Any) -> Tensor:
        """The code f_φ(x), (B, latent)."""
        return self.encoder(self.likelihood.to_network(x, self.dtype))

    def loss(self, x: Any, rng: Rng | None = None) -> Tensor:
        """−log p(x | z) at the code (1), averaged over the batch, nats per example; it needs no ``rng``.

        Raises:
            ValueError: for an empty batch.
        """
        require_rows(x, "a mean over the batch")
        return -np.mean(self.likelihood(self.decoder(self.encode(x))).log_prob(x))

    def reconstruct(self, x: Any) -> np.ndarray:
        """The mean of p(x | z) at the code."""
        with no_grad():
            return np.asarray(self.likelihood(self.decoder(self.encode(x))).mean.data)
