"""The linear VAE: one layer each way, whose optimum is probabilistic PCA (lecture pp. 7–8).

    p(x | z) = N(x; W z + b, s² I)             decoder: a linear layer and one learned variance      (1)
    q(z | x) = N(z; V x + c, diag(e^v))        encoder: a linear layer, and v alike for all x        (2)

(1) with p(z) = N(0, I) is probabilistic PCA, so everything of it is known: log p(x) exactly (``linear_gaussian``), and
the W and s² of largest likelihood in closed form (``ppca``). Its posterior has the covariance (I + WᵀW/s²)⁻¹ and a mean
that is linear in x. Where the columns of W are orthogonal that is diagonal, and a q of (2); so there

    max_φ ELBO = log p(x),    else    max_φ ELBO < log p(x)                                          (3)

The likelihood determines the plane of W, not the axes within. The ELBO determines the axes as well: by (3) it is
largest where W spans the plane of PCA *and* its columns lie along its axes, at the maximum of the likelihood. Nor has
it local maxima that the likelihood has not: where a linear VAE leaves a part of z unused, the bound is not to blame.

So s² has to be learnt. For an s² that is fixed, and above the variance λ_j of the data along an axis, the W of largest
likelihood has a column of 0 there, and that z_j has collapsed: the likelihood itself wants it, not the bound.

Source: Lucas, Tucker, Grosse and Norouzi, Don't blame the ELBO! A linear VAE perspective on posterior collapse,
arXiv:1911.02469, sections 3 and 4; Tipping and Bishop, J. R. Stat. Soc. B 61, 1999.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.likelihoods import ConstantVarianceLikelihood
from scratchgen.latent.linear_gaussian import LinearGaussian
from scratchgen.latent.vae import VAE
from scratchgen.nn import Linear, Module
from scratchgen.random import Rng, generator


class LinearEncoder(Module):
    """The numbers of (2): a mean that is linear in x, and a log-variance that is the same for every x.

    Args:
        dim: of x.
        latent: the dimension of z.
        rng: draws the weights.
        dtype: of the parameters.

    Attributes:
        mean: the layer with V and c.
        logvar: v, (latent,), 0 at first.

    >>> LinearEncoder(5, latent=2, rng=0)(np.zeros((3, 5), np.float32)).shape
    (3, 4)
    """

    def __init__(self, dim: int, latent: int, rng: Rng, dtype: Any = np.float32) -> None:
        self.mean = Linear(dim, latent, rng, dtype=dtype)
        self.logvar = Tensor(np.zeros(latent, dtype), requires_grad=True)

    def forward(self, x: Any) -> Any:
        """(B, dim) → (B, 2 × latent)."""
        mean = self.mean(x)
        return np.concatenate([mean, np.broadcast_to(self.logvar, mean.shape)], axis=1)


def linear_vae(dim: int, latent: int, rng: Rng, dtype: Any = np.float32, fixed: float | None = None) -> VAE:
    """A VAE of (1) and (2), to be trained as any other.

    Args:
        dim: of x.
        latent: the dimension of z.
        rng: draws the weights.
        dtype: of the parameters.
        fixed: an s² that is not trained.

    Raises:
        TypeError, ValueError: for dim or latent that is no int, or less than 1; for an s² that is not positive.

    >>> linear_vae(5, latent=2, rng=0).sample(3, rng=0).shape
    (3, 5)
    """
    require_int("dim", dim)
    require_int("latent", latent)
    rng = generator(rng)
    encoder, decoder = LinearEncoder(dim, latent, rng, dtype), Linear(latent, dim, rng, dtype=dtype)
    likelihood = ConstantVarianceLikelihood(dim, 1.0 if fixed is None else fixed, learned=fixed is None, dtype=dtype)
    return VAE(encoder, decoder, likelihood, latent)


def as_linear_gaussian(model: VAE) -> LinearGaussian:
    """The model (1) with the parameters that a linear VAE has now, copied: it knows log p(x) and the posterior.

    Raises:
        TypeError: for another VAE, such as one with a learned prior.

    >>> as_linear_gaussian(linear_vae(5, latent=2, rng=0)).log_prob(np.zeros((3, 5), np.float32)).shape
    (3,)
    """
    decoder, likelihood = model.decoder, model.likelihood
    if model.learned_prior is not None:
        raise TypeError(f"the prior is a {type(model.learned_prior).__name__}; that of (1) is N(0, I)")
    if not (
        isinstance(decoder, Linear) and decoder.b is not None and isinstance(likelihood, ConstantVarianceLikelihood)
    ):
        raise TypeError(
            f"the decoder is a {type(decoder).__name__} and the likelihood a {type(likelihood).__name__}; "
            "only a VAE of linear_vae is a linear-Gaussian model"
        )
    return LinearGaussian(decoder.W.data.T.copy(), decoder.b.data.copy(), likelihood.logvar.data.copy())
