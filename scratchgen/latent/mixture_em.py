"""A Gaussian mixture by expectation maximisation, from a k-means++ start.

With the responsibilities r_nk = p(z_n = k | x_n) of the present parameters (E-step; equation (3) of ``mixture``), and
N_k = Σ_n r_nk, the rows that k answers for, the M-step is

    π_k = N_k / N                                                                              (1)
    m_k = Σ_n r_nk x_n / N_k                                                                   (2)
    C_k = S_k = Σ_n r_nk (x_n − m_k)(x_n − m_k)ᵀ / N_k      with the m_k of (2), the new ones  (3)

or the diagonal of S_k, where C_k is diagonal.

A component that answers for few rows can *collapse*: S_k becomes singular, and its density infinite. So C_k is kept
above a floor: C_k − ε V is positive semi-definite, where V is the diagonal matrix of the variances of x and ε is
``floor``. Among such C_k the best one is (3) with eigenvalues raised to ε where they are less:

    V^{−½} S_k V^{−½} = Q diag(λ) Qᵀ,    C_k = V^½ Q diag(max(λ, ε)) Qᵀ V^½                    (4)

In units where V = I, the M-step minimises log det C + tr C⁻¹ S. tr C⁻¹ S is least where both have the same eigenvectors
(von Neumann); what remains, Σ_i (log c_i + λ_i / c_i) of the eigenvalues c_i of C, is least over c_i ≥ ε at
c_i = max(λ_i, ε). So the M-step stays exact: with the floor, too, the likelihood never falls. Nor does the fit depend
on the units of the columns.

*The start.* EM climbs to the nearest top. k-means++ spreads the first means: each next one is a row of x, chosen with a
probability proportional to its squared distance from the nearest of those before,

    P(x_n) ∝ min_j ‖x_n − m_j‖²                                                                (5)

Several starts, and the one with the highest likelihood, are better than one.

Source: Bishop, 2006, equations (9.23)–(9.27); Arthur and Vassilvitskii, k-means++: the advantages of careful seeding,
2007.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.distributions.arguments import array_of, require
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.arguments import require_rows, require_variance
from scratchgen.latent.exact_em import Climb, climb
from scratchgen.latent.mixture import GaussianMixture
from scratchgen.random import Rng, generator

FLOOR = 1e-6  # ε: a standard deviation of a thousandth of that of x
EMPTY = 1e-10  # a component that answers for fewer rows has no mean of its own


def fit_mixture(
    x: Any,
    components: int,
    rng: Rng,
    diagonal: bool = False,
    steps: int = 1000,
    tolerance: float = 1e-10,
    floor: float = FLOOR,
) -> Climb:
    """A mixture by EM from a k-means++ start, and the likelihood at each step; a collapsed component gets a warning.

    Args:
        x: (N, D), float32 or float64; the model has the same dtype.
        components: K.
        rng: draws the start (5).
        diagonal: whether the covariances are diagonal.
        steps, tolerance: when to end, see ``climb``.
        floor: ε of (4), a fraction of the variance of x.

    Raises:
        TypeError, ValueError: as ``start``; for steps that are no int, or less than 1.

    Warns:
        RuntimeWarning: naming the components that collapsed, and what to do.

    >>> x = np.concatenate([np.random.default_rng(0).normal(c, 1.0, (200, 2)) for c in (-4.0, 4.0)])
    >>> model, log_likelihoods = fit_mixture(x, components=2, rng=0)
    >>> np.sort(model.means.data[:, 0]).round()
    array([-4.,  4.])
    """
    model = start(x, components, rng, diagonal, floor)
    found = climb(partial(em_step, floor=floor), model, x, steps, tolerance)
    report = collapse_of(found.model, x, floor)
    if report:
        warnings.warn(report, RuntimeWarning, stacklevel=2)
    return found


def em_step(model: GaussianMixture, x: Any, floor: float = FLOOR) -> GaussianMixture:
    """One EM step: the responsibilities (E), then (1), (2) and (4) (M).

    A component that answers for no rows at all, to rounding, keeps its mean and covariance.

    Args:
        model: the parameters before; it stays as it is.
        x: (N, D), in the dtype of the model.
        floor: ε of (4).

    Returns:
        a model with a likelihood that is higher, or as high at the top, if ``model`` was above the floor.

    Raises:
        TypeError, ValueError: as ``log_prob``; for an empty batch; for columns of x with zero variance; for a floor
            that is not above 0 and finite.

    >>> x = np.array([[-3.0], [-1.0], [1.0], [3.0]])
    >>> model = GaussianMixture.of([0.5, 0.5], [[-1.0], [1.0]], [[[1.0]], [[1.0]]])
    >>> float(model.loss(x).data.round(4)), float(em_step(model, x).loss(x).data.round(4))
    (2.5474, 2.1133)
    """
    require_rows(x, "a mean over the data")
    with no_grad():
        return m_step(model, x, model.responsibilities(x).data, floor)


def m_step(model: GaussianMixture, x: Any, r: np.ndarray, floor: float = FLOOR) -> GaussianMixture:
    """(1), (2) and (4) for any r, (N, K), whose rows sum to 1: the responsibilities, or what stands for them.

    Raises:
        ValueError: for r of another shape.
    """
    if np.shape(r) != (len(x), len(model.logits)):
        raise ValueError(f"r has shape {np.shape(r)}; it must be ({len(x)}, {len(model.logits)}), rows by components")
    r, old = np.asarray(r, np.float64), (model.means.data, values(model.covariances()))
    x = np.asarray(x, np.float64)
    answers_for = np.sum(r, axis=0)  # N_k
    means, covariances = weighted_moments(x, r / np.maximum(answers_for, EMPTY))
    if model.diagonal:
        covariances = covariances * np.eye(x.shape[1])
    covariances = raised(covariances, x, floor)
    empty = answers_for < EMPTY
    means = np.where(empty[:, None], old[0], means)
    covariances = np.where(empty[:, None, None], old[1], covariances)
    weights = np.maximum(answers_for, np.finfo(np.float64).tiny) / len(x)  # (1), above 0: log π must be finite
    return mixture(weights, means, covariances, model.diagonal, model.dtype)


def weighted_moments(x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2) and (3) for weights w = r / N_k, (N, K), whose columns sum to 1: (K, D) and (K, D, D)."""
    means = w.T @ x
    centred = x - means[:, None]  # (K, N, D)
    return means, np.swapaxes(w.T[..., None] * centred, 1, 2) @ centred


def raised(covariances: np.ndarray, x: np.ndarray, floor: float) -> np.ndarray:
    """(4), for (K, D, D): each eigenvalue below ``floor``, in units of the variances of x, is raised to it.

    >>> x = np.array([[-1.0, -10.0], [1.0, 10.0]])                     # variances 1 and 100
    >>> raised(np.array([[[1.0, 0.0], [0.0, 1e-9]]]), x, floor=0.01)
    array([[[1., 0.],
            [0., 1.]]])
    """
    if not 0 < floor < np.inf:
        raise ValueError(f"floor is {floor}; it must be above 0 and finite, a fraction of the variance of x")
    std = standard_deviations(x)
    scale = np.outer(std, std)
    eigenvalues, Q = np.linalg.eigh(covariances / scale)
    return (Q * np.maximum(eigenvalues, floor)[:, None]) @ np.swapaxes(Q, 1, 2) * scale


def mixture(weights: Any, means: Any, covariances: Any, diagonal: bool, dtype: Any) -> GaussianMixture:
    """The mixture of these float64 arrays, in ``dtype``; of the covariances (K, D, D) their diagonals, if so wanted."""
    if diagonal:
        covariances = np.diagonal(covariances, axis1=1, axis2=2)
    return GaussianMixture.of(weights, means, covariances).astype(dtype)


# -- where it starts, and how it may end ---------------------------------------------------------------------------


def start(x: Any, components: int, rng: Rng, diagonal: bool = False, floor: float = FLOOR) -> GaussianMixture:
    """Equal weights, means by k-means++ (5), and round components as wide as the rows are away from their means.

    Args:
        x: (N, D), float32 or float64.
        components: K.
        rng: draws the means.
        diagonal: whether the covariances are diagonal.
        floor: the least variance, as a fraction of that of x.

    Raises:
        TypeError: for components that is no int; for another dtype.
        ValueError: for components < 1; for a shape or values that will not do; for fewer than K different rows; for
            columns of zero variance.

    >>> start(np.array([[0.0], [1.0], [5.0]]), components=2, rng=0)
    GaussianMixture(logits=(2,), means=(2, 1), raw=(2, 1, 1))
    """
    require_int("components", components)
    x = np.asarray(array_of("x", x))
    if x.ndim != 2:
        raise ValueError(f"x has shape {x.shape}; it must be (N, D): x[:, None] for numbers")
    require_rows(x, "a variance", least=2)
    require("x", x, np.isfinite, "it must be finite")
    dtype, x = x.dtype, x.astype(np.float64)
    std = standard_deviations(x)
    centres = kmeans_plus_plus(x / std, components, rng)
    width = np.mean(squared_distance(x / std, centres)) / x.shape[1]
    covariance = np.diag(max(width, floor) * std**2)
    weights = np.full(components, 1 / components)
    return mixture(weights, centres * std, np.stack([covariance] * components), diagonal, dtype)


def kmeans_plus_plus(x: np.ndarray, k: int, rng: Rng) -> np.ndarray:
    """k rows of x, (k, D), far from each other: the first at random, the others by (5).

    Raises:
        ValueError: for fewer than k different rows.

    >>> np.sort(kmeans_plus_plus(np.array([[0.0], [0.0], [9.0]]), 2, rng=0), axis=0)
    array([[0.],
           [9.]])
    """
    rng = generator(rng)
    chosen = [x[rng.integers(len(x))]]
    nearest = squared_distance(x, np.array(chosen))
    while len(chosen) < k:
        total = np.sum(nearest)
        if total == 0:
            raise ValueError(f"x has {len(chosen)} different rows; {k} components need at least {k}")
        chosen.append(x[rng.choice(len(x), p=nearest / total)])
        nearest = np.minimum(nearest, squared_distance(x, np.array(chosen[-1:])))
    return np.array(chosen)


def squared_distance(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """min_j ‖x_n − c_j‖², (N,)."""
    return np.min(np.sum(np.square(x[:, None] - centres), axis=-1), axis=1)


def collapse_of(model: GaussianMixture, x: Any, floor: float = FLOOR) -> str:
    """What is to be said of the components that are at the floor in some direction, or empty; "" if there are none.

    >>> x = np.array([[-3.0], [-1.0], [1.0], [9.0]])
    >>> model = GaussianMixture.of([0.75, 0.25], [[-1.0], [9.0]], [[[1.0]], [[1e-9]]])
    >>> print(collapse_of(model, x)[:69])
    component 1 collapsed: it answers for 1.0 of 4 rows, and its variance
    """
    std = standard_deviations(np.asarray(x, np.float64))
    with no_grad():
        answers_for = np.sum(model.responsibilities(x).data, axis=0)
        least = np.linalg.eigvalsh(model.covariances().data / np.outer(std, std))[:, 0]
    said = []
    for k in np.flatnonzero((least <= 1.01 * floor) | (answers_for < EMPTY)):  # 1.01: at the floor, but for rounding
        said.append(
            f"component {k} collapsed: it answers for {answers_for[k]:.1f} of {len(x)} rows, and its variance in some "
            f"direction is {least[k]:.1e} of that of x, where the floor is {floor:.1e}"
        )
    advice = "try another rng, fewer components, diagonal=True or a higher floor"
    return "; ".join([*said, advice]) if said else ""


def standard_deviations(x: np.ndarray) -> np.ndarray:
    """Those of the columns, (D,); raises ValueError for columns of zero variance."""
    require_variance(x)
    return np.std(x, axis=0)
