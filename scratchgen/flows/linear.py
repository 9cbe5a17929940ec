"""Linear transforms (lecture p. 11): z = x W for an invertible matrix W, so log |det ∂z/∂x| = log |det W| everywhere.

What differs is how W is given, and so what its determinant and its inverse cost:

                    W                                  log |det W|           inverse
    FullLinear      any invertible matrix              slogdet, O(D³)        solve, O(D³)                (1)
    Triangular      T = U + diag(e^a)                  Σ_j a_j               substitution, O(D²)         (2)
    LULinear        P L (U + diag(s e^a))              Σ_j a_j               two substitutions, O(D²)    (3)

where U has entries above its diagonal only, L below it and ones on it, P is a permutation and s = ± 1. (2) is never
singular. (3) is (1) after Gaussian elimination: every invertible W is of this form, P and s are kept as they are at
first, and L, U and a are trained. All three factors are kept in one matrix, U above the diagonal, a on it and L below.

There is no b: follow with ``Affine`` or ``ActNorm`` for a shift.

Source: Kingma and Dhariwal, Glow, arXiv:1807.03039, section 3.2 and equations (9) to (11).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, solve_triangular
from scratchgen.distributions.distribution import values
from scratchgen.flows.arguments import require_vectors
from scratchgen.flows.transform import Mapped, Transform
from scratchgen.nn.initialisations import orthogonal
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng


class FullLinear(Transform):
    """z = x W (1), with an orthogonal W at first.

    Args:
        dims: D.
        rng: draws W among all orthogonal matrices.
        dtype: of W.

    Attributes:
        W: (D, D).

    Raises:
        ValueError: in both directions, for a W that is singular, with its condition number.

    >>> f = FullLinear(2, rng=0, dtype=np.float64)
    >>> f.W = np.array([[2.0, 1.0], [0.0, 4.0]])
    >>> z, logabsdet = f(np.array([[1.0, 1.0]]))
    >>> z.data, logabsdet.data.round(4)                             # log 8
    (array([[2., 5.]]), array([2.0794]))
    """

    def __init__(self, dims: int, rng: Rng, dtype: Any = np.float32) -> None:
        check_sizes(dims=dims)
        self.W = Tensor(orthogonal((dims, dims), rng, dtype=dtype), requires_grad=True)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: x W."""
        require_vectors(x, len(self.W))
        require_invertible(self.W.data)
        return x @ self.W, for_each_row(np.linalg.slogdet(self.W)[1], x)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: x with x W = z, so Wᵀ xᵀ = zᵀ."""
        require_vectors(z, len(self.W))
        require_invertible(self.W.data)
        return np.linalg.solve(self.W.T, z.T).T, for_each_row(-np.linalg.slogdet(self.W)[1], z)


class Triangular(Transform):
    """z = x T (2) with a positive diagonal: z_j depends on x_1 … x_j. The identity at first.

    Args:
        dims: D.
        dtype: of the entries.

    Attributes:
        entries: (D, D): U above the diagonal and a on it; what is below is not used.

    >>> f = Triangular(2, dtype=np.float64)
    >>> f.entries = np.array([[np.log(2.0), 1.0], [0.0, np.log(4.0)]])
    >>> z, logabsdet = f(np.array([[1.0, 1.0]]))
    >>> z.data.round(4), logabsdet.data.round(4)                    # log 8
    (array([[2., 5.]]), array([2.0794]))
    """

    def __init__(self, dims: int, dtype: Any = np.float32) -> None:
        check_sizes(dims=dims)
        self.entries = Tensor(np.zeros((dims, dims), dtype), requires_grad=True)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: x T."""
        require_vectors(x, len(self.entries))
        return x @ upper(self.entries), for_each_row(np.trace(self.entries), x)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: x_1 first, from z_1 = x_1 T_11; then x_2 …"""
        require_vectors(z, len(self.entries))
        return solve_right(z, upper(self.entries), lower=False), for_each_row(-np.trace(self.entries), z)


class LULinear(Transform):
    """z = x P L (U + diag(s e^a)) (3), orthogonal at first.

    Args:
        dims: D.
        rng: draws W among all orthogonal matrices.
        dtype: of the factors.

    Attributes:
        factors: (D, D): U above the diagonal, a on it, and L below it.
        signs: s, a buffer, (D,).
        P: a buffer, (D, D).

    >>> f = LULinear(3, rng=0, dtype=np.float64)
    >>> W = f.matrix().data
    >>> np.allclose(W.T @ W, np.eye(3))
    True
    """

    def __init__(self, dims: int, rng: Rng, dtype: Any = np.float32) -> None:
        from scipy.linalg import lu  # a slow import: only who needs it shall wait for it

        check_sizes(dims=dims)
        P, L, U = lu(orthogonal((dims, dims), rng, dtype=np.float64))
        s = np.diagonal(U)
        self.factors = Tensor((np.tril(L, -1) + np.triu(U, 1) + np.diag(np.log(np.abs(s)))).astype(dtype), True)
        self.signs, self.P = Tensor(np.sign(s).astype(dtype)), Tensor(P.astype(dtype))

    def lower(self) -> Any:
        """L, (D, D)."""
        return np.tril(self.factors, -1) + np.eye(len(self.factors), dtype=self.factors.dtype)

    def matrix(self) -> Any:
        """W, (D, D)."""
        return self.P @ self.lower() @ upper(self.factors, self.signs)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: x W."""
        require_vectors(x, len(self.factors))
        return x @ self.matrix(), for_each_row(np.trace(self.factors), x)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: first x P L, then x P, then x, as P⁻¹ = Pᵀ."""
        require_vectors(z, len(self.factors))
        x = solve_right(solve_right(z, upper(self.factors, self.signs), lower=False), self.lower(), lower=True)
        return x @ self.P.T, for_each_row(-np.trace(self.factors), z)


def upper(entries: Any, signs: Any = 1.0) -> Any:
    """U + diag(s e^a), of a matrix with U above its diagonal and a on it."""
    return np.triu(entries, 1) + np.diag(signs * np.exp(np.diagonal(entries)))


def solve_right(z: Any, T: Any, lower: bool) -> Any:
    """x with x T = z for a triangular T, so Tᵀ xᵀ = zᵀ.

    Raises:
        ValueError: where the diagonal of T has underflowed to 0, with the condition number.
    """
    if not np.diagonal(values(T)).all():
        require_invertible(values(T))
    return solve_triangular(T, z.T, lower=lower, transpose=True).T


def for_each_row(logabsdet: Any, x: Any) -> Any:
    """One number as (B,)."""
    return np.broadcast_to(logabsdet, (len(x),))


def require_invertible(W: np.ndarray) -> None:
    """Refuse a matrix that cannot be told from a singular one.

    Raises:
        ValueError: with its condition number.

    >>> require_invertible(np.diag([1.0, 0.0]))
    Traceback (most recent call last):
    ValueError: W is singular: its condition number is inf, and from 4.5e+15 on its inverse has no right digit
    """
    worst = 1 / float(np.finfo(W.dtype).eps)
    with np.errstate(divide="ignore"):
        condition = float(np.linalg.cond(W)) if np.isfinite(W).all() else np.nan
    if not condition < worst:
        raise ValueError(
            f"W is singular: its condition number is {condition:.2g}, "
            f"and from {worst:.1e} on its inverse has no right digit"
        )
