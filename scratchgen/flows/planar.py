"""The planar flow (lecture p. 11): what lies on one side of a plane is pushed along u, by a soft step.

    z = x + û tanh(a),    a = wᵀx + b                                                          (1)
    log |det ∂z/∂x| = log(1 + wᵀû tanh′(a)),    tanh′ = 1 − tanh², from 0 to 1                 (2)

since the Jacobian is I + û vᵀ with v = tanh′(a) w, and the determinant of such a matrix is 1 + vᵀû. So (1) can be
undone for every x if and only if wᵀû > −1. The vector u that is trained is free, and only its part along w is changed,
to give

    û = u + (m − wᵀu) w / wᵀw,    so that wᵀû = m = log(1 + e^{wᵀu}) − 1                       (3)

Backwards, the part of (1) along w, a + m tanh a = wᵀz + b, increases in a: its root is found by bisection and Newton's
steps, one number for each row, and x = z − û tanh(a).

One planar layer is weak, a soft step in one direction: a flow is made of many.

Source: Rezende and Mohamed, Variational Inference with Normalizing Flows, arXiv:1505.05770, equations (10) to (13) and
appendix A.1, where (1) maps noise to the variable of interest; here that is ``Inverse(Planar(…))``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, softplus
from scratchgen.distributions.distribution import values
from scratchgen.flows.arguments import require_vectors
from scratchgen.flows.root import solve_increasing
from scratchgen.flows.transform import Mapped, Transform
from scratchgen.nn.initialisations import normal
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator


class Planar(Transform):
    """z = x + û tanh(wᵀx + b) (1).

    Args:
        dims: D.
        rng: draws w and u, each with a length of about 1.
        dtype: of the parameters.

    Attributes:
        w, u: (D,).
        b: (1,).

    Raises:
        ValueError: in both directions, for a w that is 0; in ``inverse``, for NaN or inf.

    >>> f = Planar(2, rng=0, dtype=np.float64)
    >>> x = np.array([[0.5, -1.0]])
    >>> z, there = f(x)
    >>> again, back = f.inverse(z.data)
    >>> np.allclose(again.data, x), np.allclose(there.data, -back.data)
    (True, True)
    """

    def __init__(self, dims: int, rng: Rng, dtype: Any = np.float32) -> None:
        check_sizes(dims=dims)
        rng = generator(rng)
        self.w = Tensor(normal((dims,), dims**-0.5, rng, dtype), requires_grad=True)
        self.u = Tensor(normal((dims,), dims**-0.5, rng, dtype), requires_grad=True)
        self.b = Tensor(np.zeros(1, dtype), requires_grad=True)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise (1), in closed form."""
        require_vectors(x, len(self.w))
        u, on_plane = self.direction()
        a = x @ self.w + self.b  # (B,)
        return x + np.tanh(a)[:, None] * u, np.log(slope(a, on_plane))

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data, by a root for each row.

        Raises:
            ArithmeticError: where the search does not converge, with the residual.
        """
        require_vectors(z, len(self.w))
        u, on_plane = self.direction()
        y = z @ self.w + self.b
        reach = np.abs(values(on_plane)) + 1  # above |m| = |on_plane − 1|, which is above |a − y|
        between = (values(y) - reach, values(y) + reach)
        a = solve_increasing(lambda a: (a + (on_plane - 1) * np.tanh(a), slope(a, on_plane)), y, between)
        return z - np.tanh(a)[:, None] * u, -np.log(slope(a, on_plane))

    def direction(self) -> tuple[Any, Any]:
        """û (3), and 1 + wᵀû = log(1 + e^{wᵀu}), above 0: the determinant (2) on the plane itself, where a = 0."""
        if not self.w.data.any():
            raise ValueError("w is 0, and is normal to no plane; start again from a random one")
        on_plane = softplus(self.w @ self.u)
        return self.u + (on_plane - 1 - self.w @ self.u) * self.w / (self.w @ self.w), on_plane


def slope(a: Any, on_plane: Any) -> Any:
    """1 + wᵀû tanh′(a) (2), as a sum of positive numbers: tanh² a + (1 + wᵀû) (1 − tanh² a)."""
    squared = np.tanh(a) ** 2
    return squared + on_plane * (1 - squared)
