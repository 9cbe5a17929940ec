"""Derivatives of matrix products and of linear algebra, for single matrices and stacks (…, n, m) of them.

A differential dy is first written in terms of the input's, and then moved across with ⟨A, B C⟩ = ⟨Bᵀ A, C⟩ = ⟨A Cᵀ, B⟩,
where ⟨A, B⟩ = Σ_ij A_ij B_ij. For the inverse Y = X⁻¹, differentiating X Y = I gives dX Y + X dY = 0, hence

    dY = −Y dX Y   and   ⟨G, dY⟩ = ⟨−Yᵀ G Yᵀ, dX⟩,   so that   dL/dX = −Yᵀ G Yᵀ.

Source: M. B. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation
(2008); for Cholesky I. Murray, Differentiation of the Cholesky decomposition (2016), arXiv:1602.07527.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

import scratchgen.autodiff.einsum  # noqa: F401  (its table)
from scratchgen.autodiff.operations import FUNCTIONS
from scratchgen.autodiff.record import custom_rule, derivative
from scratchgen.autodiff.reductions import divide_or_zero, restore


def transposed(A: Any) -> Any:
    """Aᵀ, of each matrix in a stack."""
    return np.swapaxes(A, -1, -2)


def spread_out(g: Any) -> Any:
    """Numbers (…) as matrices (…, 1, 1)."""
    return g[..., None, None]


# -- products ------------------------------------------------------------------------------------------------------


def matmul_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    """dL/da = g bᵀ. A vector is a matrix of one row (a) or one column (b), which is not in g."""
    if a.ndim == b.ndim == 2:
        return g @ b.T
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (b @ g[..., None])[..., 0]
    return g @ transposed(b)


def matmul_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    """dL/db = aᵀ g, where a stack of a that meets a single b is one tall matrix."""
    if a.ndim == b.ndim == 2:
        return a.T @ g
    if b.ndim <= 2:
        rows = prod(a.shape[:-1])
        return np.reshape(a, (rows, a.shape[-1])).T @ np.reshape(g, (rows, *b.shape[1:]))
    if a.ndim == 1:
        return a[:, None] * g[..., None, :]
    return transposed(a) @ g


derivative(np.matmul, matmul_left, matmul_right)
derivative(
    np.outer,
    lambda g, y, a, b: np.reshape(g @ np.ravel(b), a.shape),
    lambda g, y, a, b: np.reshape(np.ravel(a) @ g, b.shape),
)


def dot(a: Any, b: Any) -> Any:
    """np.dot of numbers, vectors and matrices."""
    if np.ndim(a) > 2 or np.ndim(b) > 2:
        raise TypeError(f"np.dot of shapes {a.shape} and {b.shape} has no derivative rule: use np.matmul or np.einsum")
    return np.multiply(a, b) if np.ndim(a) == 0 or np.ndim(b) == 0 else np.matmul(a, b)


FUNCTIONS[np.dot] = dot


def trace_rule(g: Any, y: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """g on the diagonal that was summed, 0 elsewhere."""
    diagonal = np.eye(x.shape[axis1], x.shape[axis2], offset, dtype=x.dtype)
    diagonal = np.reshape(diagonal, (*diagonal.shape, *[1] * (x.ndim - 2)))
    return np.expand_dims(g, (axis1, axis2)) * np.moveaxis(diagonal, (0, 1), (axis1, axis2))


derivative(np.trace, trace_rule)

# The Euclidean norm of a vector, or Frobenius norm of a matrix: ‖x‖² = Σ x², hence d‖x‖ = x·dx / ‖x‖. At x = 0, the tip
# of a cone, the gradient is set to 0. Other norms (ord=) have no rule.
derivative(
    np.linalg.norm,
    lambda g, y, x, *, axis=None, keepdims=False: restore(g, x, axis) * divide_or_zero(x, restore(y, x, axis)),
)

# -- determinants and inverses -------------------------------------------------------------------------------------

# d det X = det X · tr(X⁻¹ dX) = ⟨det X · X⁻ᵀ, dX⟩. A singular matrix has no inverse, and is refused by NumPy's inv.
derivative(np.linalg.det, lambda g, y, x: spread_out(g * y) * transposed(np.linalg.inv(x)))
derivative(np.linalg.inv, lambda g, y, x: -transposed(y) @ g @ transposed(y))


@custom_rule(lambda g, y, x: spread_out(g[1]) * transposed(np.linalg.inv(x)))
def sign_and_logabsdet(x: Any) -> Any:
    """The sign of det X, and log |det X|, stacked: (2, …). For either sign d log |det X| = ⟨X⁻ᵀ, dX⟩.

    >>> sign_and_logabsdet(np.array([[0.0, 1.0], [1.0, 0.0]]))
    array([-1.,  0.])
    """
    return np.stack(np.linalg.slogdet(x))


SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))


def slogdet(a: Any) -> Any:
    """np.linalg.slogdet: (sign, logabsdet), of which the sign is a plain array."""
    both = sign_and_logabsdet(a)
    return SlogdetResult(both.data[0], both[1])


FUNCTIONS[np.linalg.slogdet] = slogdet

# -- linear systems ------------------------------------------------------------------------------------------------
# From A x = b follows dx = A⁻¹ (db − dA x). With w = A⁻ᵀ g, which both rules start from: dL/db = w, dL/dA = −w xᵀ.


def columns(x: Any, b: Any) -> Any:
    """``x`` as a matrix of columns, also where b and so x is a vector: NumPy takes b of one axis as a vector."""
    return x[..., None] if b.ndim == 1 else x


def like(w: Any, b: Any) -> Any:
    """The matrix of columns ``w`` as a vector again, where b is one."""
    return w[..., 0] if b.ndim == 1 else w


derivative(
    np.linalg.solve,
    lambda w, y, a, b: -w @ transposed(columns(y, b)),
    lambda w, y, a, b: like(w, b),
    prepare=lambda g, y, a, b: np.linalg.solve(transposed(a), columns(g, b)),
)


def triangular_rule_of_matrix(w: Any, y: Any, a: Any, b: Any, lower: bool = True, transpose: bool = False) -> Any:
    """dL/dA = −w xᵀ where A is a or aᵀ, in the triangle that was read."""
    product = -columns(y, b) @ transposed(w) if transpose else -w @ transposed(columns(y, b))
    return np.tril(product) if lower else np.triu(product)


@custom_rule(
    triangular_rule_of_matrix,
    lambda w, y, a, b, lower=True, transpose=False: like(w, b),
    prepare=lambda g, y, a, b, lower=True, transpose=False: solve_triangular(a, columns(g, b), lower, not transpose),
)
def solve_triangular(a: Any, b: Any, lower: bool = True, transpose: bool = False) -> Any:
    """Solve A x = b, where A is a triangular matrix ``a`` or its transpose, by substitution.

    Args:
        a: (…, n, n); only the triangle given by ``lower`` is read, and its gradient is 0 elsewhere.
        b: (n,), or (…, n, m); the leading axes broadcast.
        lower: whether the triangle below the diagonal is read, or the one above.
        transpose: solve aᵀ x = b.

    Returns:
        x, (…, n) for a vector b, (…, n, m) otherwise.

    Raises:
        LinAlgError: for a zero on the diagonal.

    >>> solve_triangular(np.array([[2.0, 0.0], [1.0, 4.0]]), np.array([2.0, 5.0]))
    array([1., 1.])
    """
    rhs = columns(b, b)
    stack = np.broadcast_shapes(a.shape[:-2], rhs.shape[:-2])
    a, rhs = np.broadcast_to(a, stack + a.shape[-2:]), np.broadcast_to(rhs, stack + rhs.shape[-2:])
    x = np.empty(rhs.shape, np.result_type(a, b))
    if prod(stack) > a.shape[-1]:  # then a loop over the rows is shorter than one over the matrices
        substitute(transposed(a) if transpose else a, rhs, x, lower != transpose)
        return like(x, b)
    from scipy.linalg import solve_triangular as solve_one  # a slow import: only who needs it shall wait for it

    for i in np.ndindex(stack):
        x[i] = solve_one(a[i], rhs[i], trans=int(transpose), lower=lower, check_finite=False)
    return like(x, b)


def substitute(a: np.ndarray, b: np.ndarray, x: np.ndarray, lower: bool) -> None:
    """Fill x with a⁻¹ b for a stack of triangular matrices: x_i = (b_i − Σ_j a_ij x_j) / a_ii, over the known x_j.

    Args:
        a: (…, n, n).
        b, x: (…, n, m).
        lower: whether the triangle below the diagonal is read; then row 0 is known first.

    Raises:
        LinAlgError: for a zero on the diagonal.
    """
    n = a.shape[-1]
    if not np.diagonal(a, axis1=-2, axis2=-1).all():
        raise np.linalg.LinAlgError("singular matrix: there is a zero on the diagonal of a triangular matrix")
    for i in range(n) if lower else reversed(range(n)):
        known = slice(0, i) if lower else slice(i + 1, n)
        from_known = a[..., i, None, known] @ x[..., known, :]  # (…, 1, m)
        x[..., i, :] = (b[..., i, :] - from_known[..., 0, :]) / a[..., i, i, None]


def cholesky_rule(g: Any, C: Any, a: Any) -> Any:
    """For A = C Cᵀ: dC = C Φ(C⁻¹ dA C⁻ᵀ), so the gradient is C⁻ᵀ Φ(Cᵀ g) C⁻¹; Φ: lower triangle, its diagonal halved.

    A is symmetric, so a_ij and a_ji are one number: half its gradient is given to each, and the result is symmetric.
    """
    n = a.shape[-1]
    phi = transposed(C) @ g * (np.tri(n, dtype=a.dtype) - 0.5 * np.eye(n, dtype=a.dtype))
    left = solve_triangular(C, phi, transpose=True)
    S = transposed(solve_triangular(C, transposed(left), transpose=True))
    return 0.5 * (S + transposed(S))


derivative(np.linalg.cholesky, cholesky_rule)
