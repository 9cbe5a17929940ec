"""Data for which diffusion is known exactly: a mixture of normal distributions stays one (lecture p. 12).

    p_0(x) = Σ_k w_k N(x; m_k, C_k)                                                                (1)

In x = a x₀ + s ε, which is (4) of ``sde``, a component is scaled by a, and noise of variance s² is added to it:

    p(x) = Σ_k w_k N(x; a m_k, a² C_k + s² I)                                                      (2)
    ∇ log p(x) = −Σ_k p(k | x) (a² C_k + s² I)⁻¹ (x − a m_k)                                       (3)
    p(k | x) = w_k N(x; a m_k, a² C_k + s² I) / p(x)                                               (4)

Each C_k = U Λ Uᵀ is taken apart once; then a² C_k + s² I = U (a² Λ + s²) Uᵀ is a diagonal matrix for all a and s.

The score is what denoising needs, by Tweedie's formula:

    E[ε | x] = −s ∇ log p(x),    E[x₀ | x] = (x + s² ∇ log p(x)) / a                               (5)

(5) minimises the mean square error in guessing ε, but the least error is not 0: the noise cannot be told from the data.
Of one normal distribution, K = 1, it is

    E |ε − E[ε | x]|² = tr(a² C (a² C + s² I)⁻¹)                                                   (6)

Sources: Song et al., arXiv:2011.13456, section 3; Efron, Tweedie's formula and selection bias, Journal of the American
Statistical Association 106 (2011), for (5).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, logsumexp
from scratchgen.diffusion.arguments import beside
from scratchgen.diffusion.sde import SDE
from scratchgen.distributions import Mixture, MultivariateNormal
from scratchgen.distributions.arguments import Shape, require, unmasked
from scratchgen.distributions.distribution import values
from scratchgen.distributions.normal import LOG_2PI
from scratchgen.random import Rng


class GaussianMixtureData:
    """The mixture (1) as data, and (2) to (5) for any a and s, numbers or (B,), one for each row of x.

    Args:
        weights: w_k, (K,), above 0 and with sum 1.
        means: m_k, (K, D).
        covariances: C_k, (K, D, D); or a number, the variance of every coordinate in every component.

    Raises:
        TypeError: for masked arrays.
        ValueError: for other shapes; for weights that are no probabilities; for what is no covariance, with its index.

    >>> data = GaussianMixtureData([0.5, 0.5], [[-2.0], [2.0]], 1.0)
    >>> data.score(np.array([[-1.0], [5.0]])).round(3)         # towards the nearer mode, mostly
    array([[-0.928],
           [-3.   ]])
    """

    def __init__(self, weights: Any, means: Any, covariances: Any) -> None:
        given = {"weights": weights, "means": means, "covariances": covariances}
        w, m, C = (np.asarray(values(unmasked(name, value)), np.float64) for name, value in given.items())
        K, D = m.shape if m.ndim == 2 else (0, 0)
        C = C * np.broadcast_to(np.eye(D), (K, D, D)) if C.ndim == 0 else C
        if not (K and D) or w.shape != (K,) or C.shape != (K, D, D):
            raise ValueError(
                f"weights, means and covariances have shapes {w.shape}, {m.shape} and {C.shape}; they must be "
                "(K,), (K, D) and (K, D, D), of 1 or more"
            )
        require("weights", w, lambda value: value > 0, "they must be above 0")
        if abs(w.sum() - 1) > 1e-9:
            raise ValueError(f"weights sum to {w.sum()}; they must sum to 1")
        MultivariateNormal.from_covariance(m, C)  # refuses what is no covariance
        self.weights, self.means, self.covariances = w, m, C
        self.eigenvalues, self.eigenvectors = np.linalg.eigh(C)  # Λ, (K, D), and U, (K, D, D)

    @property
    def dims(self) -> int:
        """D."""
        return self.means.shape[1]

    def rows(self, x: Any) -> Any:
        """x as a Tensor or array, if it is (B, D); else the ValueError of ``log_prob``."""
        x = x if isinstance(x, Tensor) else np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.dims:
            hint = "; one x is x[None]" if x.shape == (self.dims,) else ""
            raise ValueError(f"x has shape {x.shape}; it must be (B, {self.dims}){hint}")
        return x

    def terms(self, x: Any, a: Any, s: Any) -> tuple[Any, Any, Any]:
        """log w_k N(x; …) of (2), (K, B); U_kᵀ (x − a m_k), (K, B, D); and the variances a² Λ + s², (K, B or 1, D)."""
        a, s = beside(a, x), beside(s, x)
        means, eigenvalues = (each[:, None].astype(x.dtype) for each in (self.means, self.eigenvalues))  # (K, 1, D)
        along = (x - a * means) @ self.eigenvectors.astype(x.dtype)  # rows times U: (K, B, D)
        variances = a * a * eigenvalues + s * s
        log_normal = -0.5 * (np.sum(along * along / variances + np.log(variances), axis=-1) + self.dims * LOG_2PI)
        return log_normal + np.log(self.weights).astype(x.dtype)[:, None], along, variances

    def log_prob(self, x: Any, a: Any = 1.0, s: Any = 0.0) -> Any:
        """log p(x) (2) in nats, (B,).

        Raises:
            ValueError: for x that is not (B, D); for a or s of another number of rows.
        """
        return logsumexp(self.terms(self.rows(x), a, s)[0], axis=0)

    def score(self, x: Any, a: Any = 1.0, s: Any = 0.0) -> Any:
        """∇ log p(x) (3), (B, D).

        Raises:
            ValueError: as ``log_prob``.
        """
        x = self.rows(x)
        log_joint, along, variances = self.terms(x, a, s)
        responsibilities = np.exp(log_joint - logsumexp(log_joint, axis=0))  # (4), (K, B)
        pulls = (along / variances) @ np.swapaxes(self.eigenvectors, -1, -2).astype(x.dtype)  # (K, B, D)
        return -np.sum(responsibilities[..., None] * pulls, axis=0)

    def denoised(self, x: Any, a: Any = 1.0, s: Any = 0.0) -> Any:
        """E[x₀ | x] (5), (B, D): the best guess of the data behind x.

        Raises:
            ValueError: as ``log_prob``.
        """
        x = self.rows(x)
        return (x + beside(np.square(s), x) * self.score(x, a, s)) / beside(a, x)

    def distribution(self, a: float = 1.0, s: float = 0.0) -> Mixture:
        """(2) as a Distribution, to draw from and to compare with."""
        covariances = a * a * self.covariances + s * s * np.eye(self.dims)
        return Mixture(np.log(self.weights), MultivariateNormal.from_covariance(a * self.means, covariances))

    def sample(self, n: int | Shape, rng: Rng) -> np.ndarray:
        """n draws of x₀, n + (D,)."""
        return self.distribution().sample(n, rng)

    def diffused(self, sde: SDE) -> Marginals:
        """Its densities and scores at the times of an SDE."""
        return Marginals(self, sde)


class Marginals:
    """p_t of an SDE that starts at a mixture of normal distributions: everything known at every t in [0, 1].

    Args:
        data: p_0.
        sde: which gives a(t) and s(t).

    >>> from scratchgen.diffusion import VE
    >>> data = GaussianMixtureData([1.0], [[0.0, 0.0]], 1.0)
    >>> p = Marginals(data, VE(std_min=0.01, std_max=2.0))           # variance 1 grows to 1 + 4
    >>> p.score(np.array([[5.0, -5.0]]), 1.0).round(3)
    array([[-1.,  1.]])
    """

    def __init__(self, data: GaussianMixtureData, sde: SDE) -> None:
        self.data, self.sde = data, sde

    def log_prob(self, x: Any, t: Any) -> Any:
        """log p_t(x) in nats, (B,), for x (B, D) and t a number or (B,).

        Raises:
            ValueError: for x of another shape; for t outside [0, 1], or of another number of rows.
        """
        return self.data.log_prob(x, *self.sde.marginal(t))

    def score(self, x: Any, t: Any) -> Any:
        """∇ log p_t(x), (B, D); otherwise as ``log_prob``."""
        return self.data.score(x, *self.sde.marginal(t))

    def denoised(self, x: Any, t: Any) -> Any:
        """E[x₀ | x_t = x], (B, D); otherwise as ``log_prob``."""
        return self.data.denoised(x, *self.sde.marginal(t))

    def at(self, t: float) -> Mixture:
        """p_t as a Distribution."""
        a, s = self.sde.marginal(t)
        return self.data.distribution(float(a), float(s))


def least_noise_loss(covariance: Any, a: float, s: float) -> float:
    """The least E|ε − guess(x)|² (6) for normal data with this covariance, summed over the dimensions.

    >>> least_noise_loss(np.eye(2), a=0.6, s=0.8)              # a² of the variance of x is from the data, in each
    0.72
    """
    eigenvalues = np.linalg.eigvalsh(np.asarray(covariance, np.float64))
    signal = a * a * eigenvalues
    return float(np.sum(signal / (signal + s * s)))
