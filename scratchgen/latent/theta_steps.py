"""The θ step of generalised EM to its optimum, where there is a closed form, for any q: θ' = argmax_θ E_q[log p_θ(x, z)].

*Linear-Gaussian model*, x = W z + b + ε with ε ~ N(0, Ψ). E_q[log p(x | z)] is the log-density of a regression of x on
z̃ = (z, 1) whose inputs are uncertain. With W̃ = (W, b), and q known by E[z̃] and E[z̃ z̃ᵀ] = Cov[z̃] + E[z̃] E[z̃]ᵀ,

    W̃' = [Σ_n x_n E[z̃_n]ᵀ] [Σ_n E[z̃_n z̃_nᵀ]]⁻¹                                                 (1)
    Ψ'_jj = mean_n E[(x_nj − w̃'_jᵀ z̃_n)²] = mean_n (x_nj − w̃'_jᵀ E[z̃_n])² + w̃'_jᵀ Cov[z̃_n] w̃'_j    (2)

with w̃_j the j-th row of W̃; where the noise is one s², it is the mean of (2) over j. At the posterior this is the M-step
of ``ppca.em_step``, but for b, which is there at its best for any q: the mean of x.

*Mixture*, z in {0 … K − 1} with r_nk = q(z_n = k | x_n): see ``mixture``, whose M-step takes any r.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions import Distribution, MultivariateNormal
from scratchgen.distributions.distribution import values
from scratchgen.latent.linear_gaussian import LinearGaussian


def fit_linear_gaussian(model: LinearGaussian, x: Any, q: Distribution) -> None:
    """Change W, b and the noise of ``model`` so that E_q[log p(x, z)] is largest: (1) and (2).

    Args:
        model: changed in place.
        x: (B, D), in the dtype of the model.
        q: a batch of B distributions of z (M,), of which only the moments count; it stays as it is.

    Raises:
        TypeError, ValueError: for x that the model refuses; if x and q are not as many.
    """
    x = np.asarray(model.data(x))
    if q.batch_shape != (len(x),) or q.event_shape != (model.latent,):
        raise ValueError(f"q is {q}; for x of shape {x.shape} it must be a batch of {len(x)} of ({model.latent},)")
    mean, covariance = np.insert(values(q.mean), model.latent, 1, axis=1), np.zeros((len(x), *2 * [model.latent + 1]))
    covariance[:, :-1, :-1] = covariance_of(q)  # that of the 1 in z̃ is 0
    second_moment = np.sum(covariance, axis=0) + mean.T @ mean
    weights = np.linalg.solve(second_moment, mean.T @ x).T  # (1): (D, M + 1)
    uncertainty = np.sum(weights @ np.mean(covariance, axis=0) * weights, axis=1)
    noise = np.mean(np.square(x - mean @ weights.T), axis=0) + uncertainty  # (2)
    model.W.assign(weights[:, :-1])
    model.b.assign(weights[:, -1])
    model.logvar.assign(np.log(noise if model.logvar.ndim else np.mean(noise)))


def covariance_of(q: Distribution) -> np.ndarray:
    """The covariance of each q, (B, M, M); a diagonal one of all but a MultivariateNormal."""
    if isinstance(q, MultivariateNormal):
        return values(q.covariance)
    return values(q.variance)[..., None] * np.eye(*2 * q.event_shape)
