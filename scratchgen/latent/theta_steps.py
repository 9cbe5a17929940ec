"""The θ step of generalised EM to its optimum, argmax_θ E_q[log p_θ(x, z)], for any q: where it has a closed form.

*Linear-Gaussian model*, x = W z + b + ε with ε ~ N(0, Ψ). With A = (W, b) and u = (z, 1) it reads x = A u + ε, and
E_q[log p(x | z)] is that of a regression of x on u, of which only the moments under q are known:

    A' = [Σ_n x_n E[u_n]ᵀ] [Σ_n E[u_n u_nᵀ]]⁻¹,   E[u uᵀ] = Cov[u] + E[u] E[u]ᵀ                 (1)
    Ψ'_jj = mean_n E[(x_nj − a'_jᵀ u_n)²] = mean_n (x_nj − a'_jᵀ E[u_n])² + a'_jᵀ Cov[u_n] a'_j  (2)

with a_j the j-th row of A; where the noise is one s², it is the mean of (2) over j. At the posterior, and with b at the
mean of x, this is the M-step of ``ppca.em_step``.

*Gaussian mixture*, z in {0 … K − 1}. The M-step of ``mixture_em`` for the r of any q:

    r_nk = q(z_n = k | x_n)  in the place of  p(z_n = k | x_n)                                  (3)

Source: Bishop, Pattern Recognition and Machine Learning, 2006, equations (12.53), (12.56) and (12.57), with the moments
of q in the place of those of the posterior, and b among the weights; for mixtures (9.24)–(9.27).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions import Categorical, Distribution, MultivariateNormal
from scratchgen.distributions.distribution import values
from scratchgen.latent.arguments import log_noise, require_rows, require_vectors
from scratchgen.latent.linear_gaussian import LinearGaussian
from scratchgen.latent.mixture import GaussianMixture
from scratchgen.latent.mixture_em import m_step


def fit_linear_gaussian(model: LinearGaussian, x: Any, q: Distribution) -> None:
    """Change W, b and the noise of ``model`` so that E_q[log p(x, z)] is largest: (1) and (2).

    Args:
        model: changed in place.
        x: (B, D), in the dtype of the model.
        q: a batch of B distributions of z (M,), of which only the moments count; it stays as it is.

    Raises:
        TypeError, ValueError: for x that the model refuses, or an empty batch; if x and q are not as many; where the
            noise would be 0.

    >>> from scratchgen.distributions import Independent, Normal
    >>> z = np.array([[-1.0], [0.0], [1.0]])
    >>> q = Independent(Normal(z, np.full_like(z, -700.0)), 1)             # as good as certain
    >>> model = LinearGaussian(np.ones((2, 1)), np.zeros(2), 0.0)
    >>> fit_linear_gaussian(model, z * [2.0, -3.0] + [5.0, 7.0] + 0.1 * z**2, q)
    >>> model.W.data.round(4)
    array([[ 2.],
           [-3.]])
    """
    x = np.asarray(require_vectors(x, len(model.b), model.dtype))
    require_rows(x, "a mean over the data")
    M = model.latent
    if q.batch_shape != (len(x),) or q.event_shape != (M,):
        raise ValueError(f"q is {q}; for x of shape {x.shape} it must be a batch of {len(x)}, of events ({M},)")
    mean = np.insert(values(q.mean), M, 1, axis=1)  # E[u]: (B, M + 1)
    covariance = np.zeros((len(x), M + 1, M + 1))  # Cov[u]: the 1 has none
    covariance[:, :M, :M] = covariance_of(q)
    A = np.linalg.solve(np.sum(covariance, axis=0) + mean.T @ mean, mean.T @ x).T  # (1): (D, M + 1)
    uncertainty = np.sum(A @ np.mean(covariance, axis=0) * A, axis=1)
    noise = np.mean(np.square(x - mean @ A.T), axis=0) + uncertainty  # (2)
    logvar = log_noise(noise if model.logvar.ndim else np.mean(noise))
    model.W.assign(A[:, :-1])
    model.b.assign(A[:, -1])
    model.logvar.assign(logvar)


def covariance_of(q: Distribution) -> np.ndarray:
    """The covariance of each q, (B, M, M); a diagonal one of all but a MultivariateNormal."""
    if isinstance(q, MultivariateNormal):
        return values(q.covariance)
    return values(q.variance)[..., None] * np.eye(q.event_shape[0])


def fit_gaussian_mixture(model: GaussianMixture, x: Any, q: Categorical) -> None:
    """Change the weights, means and covariances of ``model`` so that E_q[log p(x, z)] is largest (3).

    Args:
        model: changed in place.
        x: (B, D), in the dtype of the model.
        q: a batch of B distributions of z; it stays as it is.

    Raises:
        TypeError, ValueError: for x that the model refuses, or an empty batch; for a q that is no Categorical; if x
            and q are not as many.

    >>> x = np.array([[-3.0], [-1.0], [1.0], [3.0]])
    >>> model = GaussianMixture.of([0.5, 0.5], [[-1.0], [1.0]], [[1.0], [1.0]])
    >>> fit_gaussian_mixture(model, x, Categorical(np.log([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.25, 0.75]])))
    >>> np.round(model.weights.data, 4)
    array([0.4375, 0.5625])
    """
    x, K = require_vectors(x, model.means.shape[1], model.dtype), len(model.logits)
    require_rows(x, "a mean over the data")
    if not isinstance(q, Categorical):
        raise TypeError(f"q is a {type(q).__name__}; it must be a Categorical, of the component of each row")
    if np.shape(q.logits) != (len(x), K):
        raise ValueError(f"q has logits of shape {np.shape(q.logits)}; here it must be ({len(x)}, {K})")
    model.load_state(m_step(model, x, values(q.probabilities)).state())
