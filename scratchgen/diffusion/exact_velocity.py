"""The velocity of flow matching where it is known: for a mixture of normal distributions.

With x_0 from Σ_k w_k N(m_k, C_k), x_1 ~ N(0, I) independent of it and x_t = a x_0 + t x_1, a = 1 − t, all three are
normal given the component k, and x_1 − x_0 given x_t is a matter of their covariances:

    E[x_1 − x_0 | x_t = x, k] = −m_k + (t I − a C_k) (a² C_k + t² I)⁻¹ (x − a m_k)              (1)
    v(x, t) = E[x_1 − x_0 | x_t = x] = Σ_k p(k | x) E[x_1 − x_0 | x_t = x, k]                   (2)

Nothing is divided by t or by 1 − t: at t = 0 it is v = −x, and at t = 1 it is v = x − E[x_0].

For one normal distribution let λ_j be the eigenvalues of C, and ξ_j the coordinate of x_1 along the j-th axis. The ODE
is solved by standard deviations that change from √λ_j to 1. Its ends are those of optimal transport (``pairing``), but
its paths are bent unless λ_j = 0; for λ_j = 1 they end where they began, and yet move in between:

    x_t = a m + √(a² λ_j + t²) ξ_j,    x_0 = m + √λ_j ξ_j                                       (3)

The least loss at time t is the variance of x_1 − x_0 that x_t leaves open, and over all t

    ∫₀¹ Σ_j λ_j / ((1 − t)² λ_j + t²) dt = ½ π Σ_j √λ_j                                         (4)

(the substitution w = t / (1 − t) makes it ∫₀^∞ λ / (λ + w²) dw).

Rectified (``rectified``) the pairs are (x_0, ξ) of (3), their lines never cross, and the least loss is 0:

    x_t = a m + (a √λ_j + t) ξ_j,    v_j = −m + (1 − √λ_j) ξ_j                                  (5)

Sources: Lipman et al., arXiv:2210.02747, theorem 1, for (2); Liu et al., arXiv:2209.03003, for rectified flows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.autodiff import logsumexp
from scratchgen.diffusion.arguments import beside, times_of
from scratchgen.diffusion.exact import GaussianMixtureData
from scratchgen.nn import Module


class ExactVelocity(Module):
    """v(x, t) of (2): the net that flow matching would learn in the end.

    Args:
        data: the mixture.

    >>> v = ExactVelocity(GaussianMixtureData([0.5, 0.5], [[-2.0], [2.0]], 0.25))
    >>> v(np.array([[1.0], [-1.0]]), 0.5)                      # as t falls, towards the nearer mode
    array([[-1.98938367],
           [ 1.98938367]])
    """

    def __init__(self, data: GaussianMixtureData) -> None:
        self.data = data

    def forward(self, x: Any, t: Any) -> Any:
        """(B, D), for t a number or (B,).

        Raises:
            ValueError: for x that is not (B, D); for t outside [0, 1], or of another number of rows.
        """
        x, t = self.data.rows(x), times_of(t)
        log_joint, along, variances = self.data.terms(x, 1 - t, t)  # along the axes U of each C: (K, B, D)
        eigenvalues, axes = (each.astype(x.dtype) for each in (self.data.eigenvalues, self.data.eigenvectors))
        gain = (beside(t, x) - beside(1 - t, x) * eigenvalues[:, None]) / variances
        each = (gain * along) @ np.swapaxes(axes, -1, -2) - self.data.means[:, None].astype(x.dtype)  # (1)
        responsibilities = np.exp(log_joint - logsumexp(log_joint, axis=0))
        return np.sum(responsibilities[..., None] * each, axis=0)  # (2)


class RectifiedVelocity(Module):
    """The velocity (5) of the rectified flow of one normal distribution: a single step of Euler is exact.

    Args:
        data: a mixture of one component.

    Raises:
        ValueError: for a mixture of more.

    >>> v = RectifiedVelocity(GaussianMixtureData([1.0], [[3.0]], 0.25))
    >>> x1 = np.array([[1.0], [-2.0]])
    >>> x1 - v(x1, 1.0)                                        # 3 + ½ x_1
    array([[3.5],
           [2. ]])
    """

    def __init__(self, data: GaussianMixtureData) -> None:
        if len(data.weights) != 1:
            raise ValueError(f"data has {len(data.weights)} components; a rectified flow is known for one")
        self.data = data

    def forward(self, x: Any, t: Any) -> Any:
        """(B, D), for t a number or (B,).

        Raises:
            ValueError: as ``ExactVelocity``.
        """
        x, t = self.data.rows(x), times_of(t)
        mean, axes = self.data.means[0].astype(x.dtype), self.data.eigenvectors[0].astype(x.dtype)
        std = np.sqrt(self.data.eigenvalues[0]).astype(x.dtype)
        a, now = beside(1 - t, x), beside(t, x)
        noise = ((x - a * mean) @ axes) / (a * std + now)  # ξ of (5)
        return ((1 - std) * noise) @ axes.T - mean


def least_flow_loss(covariance: Any, t: float | None = None) -> float:
    """The least loss of flow matching for normal data of this covariance: at time t, or over all times (4).

    Raises:
        ValueError: for t outside [0, 1].

    >>> print(f"{least_flow_loss(np.eye(2)):.4f} {least_flow_loss(np.eye(2), 0.5):.1f}")           # π, and 1/½ for each
    3.1416 4.0
    """
    eigenvalues = np.linalg.eigvalsh(np.asarray(covariance, np.float64))
    if t is None:
        return float(0.5 * math.pi * np.sum(np.sqrt(eigenvalues)))
    now = float(times_of(t))
    return float(np.sum(eigenvalues / ((1 - now) ** 2 * eigenvalues + now**2)))
