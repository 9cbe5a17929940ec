"""Cholesky factors of covariances: a covariance C = L Lᵀ by its lower triangular L with a positive diagonal.

Every such L is the factor of one covariance, and every covariance has one such L. So where C itself would have to be
kept positive definite, L has only to keep its diagonal positive, and the exponential of any number is positive:

    L_ij = r_ij below the diagonal,   L_ii = exp(r_ii),   0 above                              (1)

makes a factor of any matrix r. The diagonal of L has standard deviations: L_ii is that of x_i given x_1 … x_{i−1}.

Source of (1): Pinheiro and Bates, Unconstrained parametrizations for variance-covariance matrices, Statistics and
Computing 6, 1996, section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from scratchgen.distributions.arguments import Shape, array_of, ends_with, require


def scale_tril_from(raw: Any) -> Any:
    """A factor L (1) of any matrix.

    Args:
        raw: (…, D, D), a Tensor or array of any numbers, such as the output of a network; 0 gives L = I.

    Raises:
        TypeError: for a dtype that is not float32 or float64.
        ValueError: for what is no square matrix.

    >>> scale_tril_from(np.array([[0.0, 7.0], [3.0, np.log(2.0)]]))
    array([[1., 0.],
           [3., 2.]])
    """
    raw = array_of("raw", raw)
    require_square("raw", np.shape(raw))
    scale = np.exp(np.diagonal(raw, axis1=-2, axis2=-1))
    return np.tril(raw, -1) + scale[..., None] * np.eye(raw.shape[-1], dtype=raw.dtype)


def on_vectors(f: Callable[[Any, Any], Any], L: Any, d: Any) -> Any:
    """``f(L, columns)`` with the vectors d (…, D) as columns: all vectors that meet the same L go in one matrix.

    Args:
        L: (D, D), or (…, D, D) with leading axes that are the last ones of d before D, or broadcast to those of d.
    """
    if not ends_with(d.shape[:-1], L.shape[:-2]):
        L = np.broadcast_to(L, d.shape[:-1] + L.shape[-2:])
    own = L.shape[:-2] + d.shape[-1:]
    together = prod(d.shape[: d.ndim - len(own)])
    columns = np.moveaxis(np.reshape(d, (together, *own)), 0, -1)  # (…, D, together)
    return np.reshape(np.moveaxis(f(L, columns), -1, 0), d.shape)


# -- what is refused -----------------------------------------------------------------------------------------------


def require_square(name: str, shape: Shape) -> None:
    """Refuse a shape that is no (…, D, D)."""
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"{name} has shape {shape}; it must be (…, D, D)")


def require_scale_tril(scale_tril: np.ndarray) -> None:
    """Refuse a plain array that is no Cholesky factor."""
    diagonal = np.diagonal(scale_tril, axis1=-2, axis2=-1)
    require("the diagonal of scale_tril", diagonal, lambda x: x > 0, "it must be positive")
    expected = "above the diagonal it must be 0; a covariance goes into MultivariateNormal.from_covariance"
    require("scale_tril", np.triu(scale_tril, 1), lambda x: x == 0, expected)


def require_symmetric(covariance: np.ndarray) -> None:
    """Refuse what is no stack of finite symmetric matrices; rounding is allowed for."""
    require_square("covariance", covariance.shape)
    require("covariance", covariance, np.isfinite, "it must be finite")
    difference = covariance - np.swapaxes(covariance, -1, -2)
    std = np.sqrt(np.abs(np.diagonal(covariance, axis1=-2, axis2=-1)))  # what is small beside one C_ij may not be so
    allowed = 100 * np.finfo(covariance.dtype).eps * std[..., :, None] * std[..., None, :]  # beside another
    require("covariance − covarianceᵀ", difference, lambda x: np.abs(x) <= allowed, "it must be symmetric")


def not_positive_definite(covariance: np.ndarray) -> str:
    """What is wrong with a covariance that has no Cholesky factor: which, its smallest eigenvalue, and what to do."""
    smallest = np.linalg.eigvalsh(covariance)[..., 0]
    worst = np.unravel_index(np.argmin(smallest), smallest.shape)
    which = f" at {tuple(int(i) for i in worst)}" if worst else ""
    return (
        f"covariance{which} is not positive definite: its smallest eigenvalue is {smallest[worst]:.3g}; "
        "add to its diagonal, or leave out what the other components determine"
    )
