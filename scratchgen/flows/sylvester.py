"""The Sylvester flow (lecture p. 11): a planar flow with M soft steps at once, whose determinant is still a product.

    z = x + Q R tanh(a),    a = R̃ Qᵀx + b                                                       (1)

with orthonormal columns Q (D × M), and triangular R and R̃ (M × M), 0 below the diagonal. By Sylvester's identity
det(I_D + A B) = det(I_M + B A), and as R̃ Qᵀ Q R = R̃ R is triangular,

    log |det ∂z/∂x| = Σ_i log(1 + tanh′(a_i) r_ii r̃_ii)                                          (2)

With r_ii and r̃_ii between −1 and 1 each factor is above 0, and (1) can be undone: they are the tanh of what is trained.

Backwards, the parts v = Qᵀx of x along Q come first, the last one first. Once v_j is known for all j > i,

    v_i + r_ii tanh(r̃_ii v_i + k_i) = (Qᵀz)_i − Σ_{j>i} r_ij tanh(a_j),    k_i = b_i + Σ_{j>i} r̃_ij v_j      (3)

increases in v_i. Across Q nothing moves.

Source: van den Berg, Hasenclever, Tomczak and Welling, Sylvester Normalizing Flows for Variational Inference,
arXiv:1803.05649, section 3, where (1) maps noise to the variable of interest; here that is ``Inverse(Sylvester(…))``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions.distribution import values
from scratchgen.flows.arguments import require_vectors
from scratchgen.flows.householder import Orthogonal
from scratchgen.flows.root import solve_increasing
from scratchgen.flows.transform import Mapped, Transform
from scratchgen.nn.initialisations import normal
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator


class Sylvester(Transform):
    """z = x + Q R tanh(R̃ Qᵀx + b) (1).

    Args:
        dims: D.
        rng: draws Q, R and R̃.
        width: M, at most D, which is the default.
        dtype: of the parameters.

    Attributes:
        basis: an ``Orthogonal``, of whose matrix Q are the first M columns.
        R, R_in: (M, M), of which R and R̃ are made by ``matrices``: the entries above the diagonal as they are, the tanh
            of those on it, and 0 below.
        b: (M,).

    Raises:
        ValueError: for M > D; in ``inverse``, for NaN or inf.

    >>> f = Sylvester(3, rng=0, width=2, dtype=np.float64)
    >>> x = np.array([[0.5, -1.0, 2.0]])
    >>> z, there = f(x)
    >>> again, back = f.inverse(z.data)
    >>> np.allclose(again.data, x), np.allclose(there.data, -back.data)
    (True, True)
    """

    def __init__(self, dims: int, rng: Rng, width: int | None = None, dtype: Any = np.float32) -> None:
        width = dims if width is None else width
        check_sizes(dims=dims, width=width)
        if width > dims:
            raise ValueError(f"width is {width}; there are only dims={dims} orthogonal directions")
        rng = generator(rng)
        self.basis = Orthogonal(dims, rng, dtype=dtype)
        self.R = Tensor(normal((width, width), width**-0.5, rng, dtype), requires_grad=True)
        self.R_in = Tensor(normal((width, width), width**-0.5, rng, dtype), requires_grad=True)
        self.b = Tensor(np.zeros(width, dtype), requires_grad=True)

    def matrices(self) -> tuple[Any, Any, Any]:
        """Q, (D, M), and R and R̃, (M, M)."""
        Q, _ = self.basis(np.eye(len(self.basis.V), dtype=self.b.dtype))
        R, R_in = (np.triu(T, 1) + np.diag(np.tanh(np.diagonal(T))) for T in (self.R, self.R_in))
        return Q[:, : len(self.b)], R, R_in

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise (1), in closed form."""
        Q, R, R_in = self.matrices()
        require_vectors(x, len(Q))
        a = x @ Q @ R_in.T + self.b  # (B, M), as each row is a transposed vector
        return x + np.tanh(a) @ R.T @ Q.T, log_det(a, R, R_in)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: M roots for each row (3), and then all of x.

        Raises:
            ArithmeticError: where the search does not converge, with the residual.
        """
        Q, R, R_in = self.matrices()
        require_vectors(z, len(Q))
        along = z @ Q
        v: dict[int, Any] = {}
        a: dict[int, Any] = {}
        for i in reversed(range(len(self.b))):
            known = range(i + 1, len(self.b))
            y = along[:, i] - sum(R[i, j] * np.tanh(a[j]) for j in known)
            k = self.b[i] + sum(R_in[i, j] * v[j] for j in known)
            v[i] = root_of_step(y, R[i, i], R_in[i, i], k)
            a[i] = R_in[i, i] * v[i] + k
        all_a = np.stack([a[i] for i in range(len(self.b))], axis=1)
        return z - np.tanh(all_a) @ R.T @ Q.T, -log_det(all_a, R, R_in)


def root_of_step(y: Any, r: Any, r_in: Any, k: Any) -> Any:
    """v with v + r tanh(r̃ v + k) = y, (B,)."""

    def step(v: Any) -> tuple[Any, Any]:
        t = np.tanh(r_in * v + k)
        return v + r * t, 1 + r * r_in * (1 - t * t)

    return solve_increasing(step, y, (values(y) - 2, values(y) + 2))  # as |v − y| = |r tanh| < 1


def log_det(a: Any, R: Any, R_in: Any) -> Any:
    """(2), (B,)."""
    return np.sum(np.log1p((1 - np.tanh(a) ** 2) * np.diagonal(R) * np.diagonal(R_in)), axis=1)
