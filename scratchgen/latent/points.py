"""Expectations under q(z | x): the points z_k and weights w_k that stand for it.

    E_q[f(z)] ≈ Σ_k w_k f(z_k),    Σ_k w_k = 1                                                   (1)

    sampled            z_k ~ q, w_k = 1/K: unbiased. The points are plain numbers: no gradient passes through them
    reparameterised    z_k = m + L η_k with η_k ~ N(0, I) where q = N(m, L Lᵀ), w_k = 1/K: unbiased, and a function of
                       m and L; for any other q what its ``rsample`` gives
    quadrature         η_k at the Gauss–Hermite nodes, with their weights: exact for polynomials in z of degree up to
                       2 order − 1, where q is Gaussian
    enumerated         all values of a discrete z, w_k = q(k | x): exact, and a function of q

All that is computed of q can be computed with any of them, so a test can put the exact ones for the sampled.

Source of the nodes: Golub and Welsch, Calculation of Gauss quadrature rules, Math. Comp. 23, 1969.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from scratchgen.distributions import Categorical, Distribution, Independent, MultivariateNormal, Normal
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng

MOST_NODES = 1_000_000
HIGHEST_ORDER = 256  # beyond, the weights of the outermost nodes come near the smallest float, and at last are NaN


class Points(NamedTuple):
    """Points that stand for a batch of B distributions q(z | x), each with an expectation (1)."""

    q: Distribution
    z: Any  # (K, B, *event_shape)
    weights: Any  # (K, 1), or (K, B) where each q has its own

    def mean(self, f: Any) -> Any:
        """E_q[f(z)] (1) from the values at the points: (K, B), or (B,) where all points have the same, → (B,).

        Raises:
            ValueError: for another shape; for a q that is no batch of B.
        """
        batch = self.q.batch_shape
        if len(batch) != 1 or np.shape(f) not in (batch, (len(self.z), *batch)):
            raise ValueError(f"f has shape {np.shape(f)}, and q is {self.q}; f must be (K, B), and q a batch of B")
        return np.sum(self.weights * f, axis=0)


def sampled(q: Distribution, samples: int, rng: Rng) -> Points:
    """Draws from q, as plain numbers: right for gradients in θ, wrong in φ, since they do not say how q moves them.

    Raises:
        TypeError, ValueError: for samples that is no int, or less than 1.

    >>> sampled(Categorical(np.zeros((5, 3))), 100, rng=0).z.shape
    (100, 5)
    """
    require_int("samples", samples)
    return equally_weighted(q, q.sample(samples, rng))


def reparameterised(q: Distribution, samples: int = 1, rng: Rng | None = None, noise: Any = None) -> Points:
    """Draws from q as a differentiable function of its parameters.

    Args:
        q: a batch of distributions that have ``rsample``.
        samples: K.
        rng: draws η.
        noise: η itself, (K, B, *event_shape), instead of ``rng``.

    Raises:
        TypeError, ValueError: for samples that is no int, or less than 1; as ``rsample`` for rng and noise.
        NotImplementedError: for a discrete q.

    >>> q = Independent(Normal(np.array([[1.0, 3.0]]), np.zeros((1, 2))), 1)
    >>> reparameterised(q, noise=np.array([[[1.0, -1.0]]])).z
    array([[[2., 2.]]])
    """
    require_int("samples", samples)
    return equally_weighted(q, q.rsample(samples, rng, noise))


def equally_weighted(q: Distribution, z: Any) -> Points:
    """K points with the weight 1/K each."""
    return Points(q, z, np.full((len(z), 1), 1 / len(z), q.dtype))


def quadrature(q: Distribution, order: int) -> Points:
    """Gauss–Hermite nodes for a Gaussian q: order^d points in d dimensions, so for few dimensions only.

    Exact where f is a polynomial in z of degree up to 2 order − 1: with order 2, for the log-densities of a
    linear-Gaussian model.

    Raises:
        TypeError: for a q that is not Gaussian; for an order that is no int.
        ValueError: for an order less than 1, or above 256; for too many nodes.

    >>> q = Independent(Normal(np.array([[1.0, 3.0]]), np.log([[4.0, 9.0]])), 1)
    >>> points = quadrature(q, order=3)
    >>> np.round(points.mean(points.z[..., 0] ** 2 * points.z[..., 1] ** 2), 12)     # (1² + 4)(3² + 9)
    array([90.])
    """
    base = q.base if isinstance(q, Independent) else q
    if not isinstance(base, (Normal, MultivariateNormal)):
        raise TypeError(f"q is made of {type(base).__name__}, and the nodes are those of Gaussians: take samples")
    nodes, weights = gauss_hermite(prod(q.event_shape), order)
    eta = np.broadcast_to(
        nodes.reshape(len(nodes), *[1] * len(q.batch_shape), *q.event_shape),
        (len(nodes), *q.batch_shape, *q.event_shape),
    )
    return Points(q, q.rsample(len(nodes), noise=eta.astype(q.dtype)), weights[:, None].astype(q.dtype))


def gauss_hermite(dim: int, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (order^dim, dim) and weights (order^dim,) of expectations under N(0, I).

    Raises:
        TypeError, ValueError: for dim or order that is no int, or less than 1; for an order above 256; for more than a
            million nodes.

    >>> nodes, weights = gauss_hermite(dim=2, order=3)
    >>> nodes.shape, round(float(weights.sum()), 12), round(float(weights @ nodes[:, 0] ** 4), 12)
    ((9, 2), 1.0, 3.0)
    """
    require_int("dim", dim)
    require_int("order", order)
    if order > HIGHEST_ORDER:
        raise ValueError(f"order is {order}; it must be at most {HIGHEST_ORDER}")
    if order**dim > MOST_NODES:
        raise ValueError(f"order {order} in {dim} dimensions is {order**dim} nodes; use samples in so many dimensions")
    line, weights = np.polynomial.hermite_e.hermegauss(order)
    grid = np.stack(np.meshgrid(*[line] * dim, indexing="ij"), axis=-1)
    of_grid = np.stack(np.meshgrid(*[weights / weights.sum()] * dim, indexing="ij"), axis=-1)
    return grid.reshape(-1, dim), of_grid.reshape(-1, dim).prod(axis=1)


def enumerated(q: Categorical) -> Points:
    """All values of a discrete z, weighted by q.

    Raises:
        TypeError: for a q that is not Categorical.

    >>> q = Categorical(np.log([[0.5, 0.3, 0.2]]))
    >>> enumerated(q).mean(np.array([[10.0], [20.0], [30.0]]))
    array([17.])
    """
    if not isinstance(q, Categorical):
        raise TypeError(f"q is a {type(q).__name__}; only the values of a Categorical can be enumerated")
    sides = q.logits.shape[-1]
    z = np.broadcast_to(np.arange(sides).reshape(-1, *[1] * len(q.batch_shape)), (sides, *q.batch_shape))
    return Points(q, z, np.moveaxis(q.probabilities, -1, 0))
