"""The radial flow (lecture p. 11): x is pushed away from a centre, or drawn to it, the more the nearer it is.

With r = ‖x − c‖ the distance from the centre c, and α > 0,

    z = x + β (x − c) / (α + r)                                                                     (1)
    log |det ∂z/∂x| = (D − 1) log(1 + β / (α + r)) + log(1 + α β / (α + r)²)                        (2)

The D − 1 directions across are stretched by the factor of x − c, and the one along the radius by the slope of the new
distance R = r + β r / (α + r). Both are above 0 everywhere if and only if β > −α. What is trained is free:

    α = e^{log α},    β = log(1 + e^{b}) − α,    so that s = α + β > 0                              (3)

Backwards, r is the positive root of r² + (s − R) r = α R, and x = c + (z − c) (α + r) / (r + s).

Source: Rezende and Mohamed, Variational Inference with Normalizing Flows, arXiv:1505.05770, equation (14) and appendix
A.2, where (1) maps noise to the variable of interest; here that is ``Inverse(Radial(…))``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, softplus
from scratchgen.distributions.distribution import values
from scratchgen.flows.arguments import require_vectors
from scratchgen.flows.transform import Mapped, Transform
from scratchgen.nn.initialisations import normal
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng


class Radial(Transform):
    """z = x + β (x − c) / (α + ‖x − c‖) (1), the identity at first.

    Args:
        dims: D.
        rng: draws the centre, standard normal.
        dtype: of the parameters.

    Attributes:
        centre: c, (D,).
        log_alpha, raw_beta: log α and b of (3), (1,).

    >>> f = Radial(2, rng=0, dtype=np.float64)
    >>> f.centre, f.raw_beta = np.zeros(2), np.log(np.expm1([3.0]))     # α = 1, s = 3, so β = 2
    >>> z, logabsdet = f(np.array([[3.0, 0.0]]))                        # r = 3: 3 + 2 · 3/4
    >>> z.data.round(4), np.exp(logabsdet.data).round(4)                # (1 + 2/4) (1 + 2/16)
    (array([[4.5, 0. ]]), array([1.6875]))
    """

    def __init__(self, dims: int, rng: Rng, dtype: Any = np.float32) -> None:
        check_sizes(dims=dims)
        self.centre = Tensor(normal((dims,), 1.0, rng, dtype), requires_grad=True)
        self.log_alpha = Tensor(np.zeros(1, dtype), requires_grad=True)
        self.raw_beta = Tensor(np.full(1, np.log(np.expm1(1.0)), dtype), requires_grad=True)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise (1)."""
        require_vectors(x, len(self.centre))
        alpha, s = np.exp(self.log_alpha), softplus(self.raw_beta)
        r = np.linalg.norm(x - self.centre, axis=1)
        stretch = (r + s) / (alpha + r)  # 1 + β / (α + r)
        return self.centre + (x - self.centre) * stretch[:, None], self.log_det(r, alpha, s)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data, by the root of a quadratic equation."""
        require_vectors(z, len(self.centre))
        alpha, s = np.exp(self.log_alpha), softplus(self.raw_beta)
        R = np.linalg.norm(z - self.centre, axis=1)
        # the two roots have the product −α R, so the smaller one follows from the larger without cancellation
        larger = 0.5 * (np.abs(R - s) + np.sqrt((R - s) ** 2 + 4 * alpha * R))
        r = np.where(values(R) >= values(s), larger, alpha * R / larger)
        stretch = (r + s) / (alpha + r)
        return self.centre + (z - self.centre) / stretch[:, None], -self.log_det(r, alpha, s)

    def log_det(self, r: Any, alpha: Any, s: Any) -> Any:
        """(2) at a distance r, with all that is multiplied written as sums of positive numbers."""
        across = np.log(r + s) - np.log(alpha + r)
        along = np.log(r * (2 * alpha + r) + alpha * s) - 2 * np.log(alpha + r)  # (α + r)² + α β, with β = s − α
        return (len(self.centre) - 1) * across + along
