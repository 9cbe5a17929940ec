"""The Kullback–Leibler divergence of normal distributions of vectors, q = N(m, L Lᵀ) and p = N(m_p, L_p L_pᵀ).

    KL(q ‖ p) = ½ [tr(C_p⁻¹ C) + (m − m_p)ᵀ C_p⁻¹ (m − m_p) − D + log det C_p − log det C]     (1)

With A = L_p⁻¹ L and z = L_p⁻¹ (m − m_p), the trace is ‖A‖² = Σ_ij A_ij², which is 0 above the diagonal, and A_ii is
L_ii/L_p,ii. What is on the diagonal makes divergences of numbers, and (1) is a sum of D of these and of squares:

    KL(q ‖ p) = ½ Σ_i z_i² + ½ Σ_{i>j} A_ij² + Σ_i KL(N(0, L_ii²) ‖ N(0, L_p,ii²))            (2)

No term of (2) is negative, so none is lost in another. Below the diagonal A is computed as that of L_p⁻¹ (L − L_p),
which is A − I and therefore the same there: it is exactly 0 for q = p, and keeps its digits near it.

Independent normal components are the case of a diagonal L of their standard deviations.

Source: (1) is Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, equation (A.23).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import gaussian_kl
from scratchgen.distributions.independent import Independent
from scratchgen.distributions.kl import closed_form
from scratchgen.distributions.multivariate_normal import MultivariateNormal
from scratchgen.distributions.normal import Normal


@closed_form(MultivariateNormal, MultivariateNormal)
def kl_multivariate(q: MultivariateNormal, p: MultivariateNormal) -> Any:
    """(2), of two full covariances."""
    return with_factor(q.mean, q.scale_tril, 2 * q.log_diagonal, p)


@closed_form(Independent, MultivariateNormal)
def kl_of_independent(q: Independent, p: MultivariateNormal) -> Any:
    """(2), where L is diagonal."""
    base = normal_components(q, f"KL(Independent({type(q.base).__name__}) ‖ MultivariateNormal)")
    return with_factor(base.mean, base.std[..., None] * np.eye(*2 * q.event_shape, dtype=q.dtype), base.logvar, p)


@closed_form(MultivariateNormal, Independent)
def kl_to_independent(q: MultivariateNormal, p: Independent) -> Any:
    """(2), where L_p is diagonal, and so L_p⁻¹ divides each row by a standard deviation."""
    base = normal_components(p, f"KL(MultivariateNormal ‖ Independent({type(p.base).__name__}))")
    z, A = (q.mean - base.mean) / base.std, q.scale_tril / base.std[..., None]
    return total(z, A, 2 * q.log_diagonal, base.logvar)


def with_factor(mean: Any, scale_tril: Any, logvar: Any, p: MultivariateNormal) -> Any:
    """(2), from m, L and log L_ii² of q."""
    z = p.whiten(mean - p.mean)
    columns = np.moveaxis(scale_tril - p.scale_tril, -1, 0)  # (D, …, D): each column of L − L_p a vector
    A = np.moveaxis(p.whiten(columns), 0, -1)
    return total(z, A, logvar, 2 * p.log_diagonal)


def total(z: Any, A: Any, logvar: Any, logvar_p: Any) -> Any:
    """(2), from z (…, D), from A (…, D, D) below its diagonal, and from log L_ii² and log L_p,ii²."""
    below = np.sum(np.square(np.tril(A, -1)), axis=(-2, -1))
    return 0.5 * (np.sum(np.square(z), axis=-1) + below) + np.sum(gaussian_kl(0.0, logvar, 0.0, logvar_p), axis=-1)


def normal_components(p: Independent, what: str) -> Normal:
    """The Normal of which an Independent of vectors is made.

    Raises:
        NotImplementedError: for components of another distribution.
    """
    if type(p.base) is not Normal:
        raise NotImplementedError(f"no closed form of {what}; divergence(q, p, rng) estimates it")
    return p.base
