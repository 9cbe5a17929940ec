"""Variational posteriors q_φ(z | x): from numbers, φ or computed with φ, to distributions of z.

    amortised        one network gives the numbers of every x, as in a VAE                      (1)
    per example      each x_i has numbers of its own: a table                                   (2)

    mean-field       q = N(m, diag(e^v)), v log-variances: the dimensions of z are independent  (3)
    full             q = N(m, L Lᵀ)                                                             (4)

The divergence KL(q ‖ p) from a Gaussian posterior p = N(μ, Λ⁻¹), of precision Λ, is least at m = μ, and then

    full             L Lᵀ = Λ⁻¹,        KL = 0                                                  (5)
    mean-field       e^{v_j} = 1/Λ_jj,  KL = ½ (Σ_j log Λ_jj − log det Λ)                       (6)

since KL = ½ (Σ_j (Λ_jj e^{v_j} − v_j − 1) − log det Λ) for a diagonal covariance. 1/Λ_jj is the variance of z_j *given*
the other dimensions, at most that of z_j itself: a mean-field q is too sure of itself.

Source: Bishop, Pattern Recognition and Machine Learning, 2006, section 10.1.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Distribution, Independent, MultivariateNormal, Normal, scale_tril_from
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Module


class PerExample(Module):
    """Numbers of its own for each of n data (2), in the place of a network that computes them from x.

    Args:
        n: how many data.
        numbers: for each of them; all are 0 at first.
        dtype: of the numbers.

    Raises:
        TypeError, ValueError: for n or numbers that is no int, or less than 1.

    >>> PerExample(100, 4)(np.zeros((100, 7))).shape
    (100, 4)
    """

    def __init__(self, n: int, numbers: int, dtype: Any = np.float64) -> None:
        require_int("n", n)
        require_int("numbers", numbers)
        self.values = Tensor(np.zeros((n, numbers), dtype), requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        """All rows of the table: (n, …) → (n, numbers). What x is does not matter, but all of them must be there.

        Raises:
            ValueError: for another number of data.
        """
        if len(x) != len(self.values):
            raise ValueError(f"x has {len(x)} rows; the table has {len(self.values)}, one for each of its data")
        return self.values


class GaussianPosterior(Module):
    """q(z | x) = N(m, diag(e^v)) or N(m, L Lᵀ), from numbers that an encoder or a table gives.

    Args:
        encoder: a Module from x to the numbers of each q: m and v, 2 × ``latent``; if ``full`` m and any square matrix,
            ``latent`` + ``latent``², of which ``scale_tril_from`` makes L.
        latent: the dimension of z.
        full: (4) if true, (3) if false.

    Raises:
        TypeError, ValueError: for latent that is no int, or less than 1.

    >>> q = GaussianPosterior(PerExample(100, 6), latent=2, full=True)
    >>> q(np.zeros((100, 7))).covariance.shape
    (100, 2, 2)
    """

    def __init__(self, encoder: Module, latent: int, full: bool = False) -> None:
        require_int("latent", latent)
        self.encoder, self.latent, self.full = encoder, latent, full

    def forward(self, x: Any) -> Distribution:
        """q(z | x) for each x, events of shape (latent,).

        Raises:
            ValueError: if the encoder gives another number of numbers.
        """
        numbers, d = self.encoder(x), self.latent
        wanted = d + d * d if self.full else 2 * d
        if numbers.shape[1:] != (wanted,):
            raise ValueError(f"the encoder gives shape {numbers.shape}; with latent={d} it must be (B, {wanted})")
        mean, rest = numbers[:, :d], numbers[:, d:]
        if self.full:
            return MultivariateNormal(mean, scale_tril_from(rest.reshape(-1, d, d)))
        return Independent(Normal(mean, rest), 1)

    def move_to(self, posterior: MultivariateNormal) -> None:
        """Change the table so that KL(q ‖ posterior) is least: (5), or (6).

        Raises:
            TypeError: where a network gives the numbers: there is no closed form; take gradient steps. For a posterior
                that is no MultivariateNormal.
            ValueError: for another number of posteriors, or of dimensions.
        """
        if not isinstance(self.encoder, PerExample):
            got = type(self.encoder).__name__
            raise TypeError(f"the encoder is a {got}; only a PerExample can be set: take gradient steps")
        if not isinstance(posterior, MultivariateNormal):
            raise TypeError(f"posterior is a {type(posterior).__name__}; it must be a MultivariateNormal")
        n = len(self.encoder.values)
        if posterior.batch_shape != (n,) or posterior.event_shape != (self.latent,):
            raise ValueError(
                f"posterior is {posterior}; here its batch_shape must be ({n},), its event_shape ({self.latent},)"
            )
        mean, covariance = values(posterior.mean), values(posterior.covariance)
        if self.full:
            L = np.linalg.cholesky(covariance)
            log_scale = np.log(np.diagonal(L, axis1=-2, axis2=-1))
            rest = np.tril(L, -1) + log_scale[..., None] * np.eye(self.latent)  # of which scale_tril_from makes L again
        else:
            rest = -np.log(np.diagonal(np.linalg.inv(covariance), axis1=-2, axis2=-1))  # (6)
        self.encoder.values.assign(np.concatenate([mean, rest.reshape(len(mean), -1)], axis=1))
