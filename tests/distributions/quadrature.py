"""Expectations under densities on the line, to about 1e-13, by Gauss–Legendre quadrature between the kinks."""

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.distributions import Distribution, Uniform

STEPS = np.array([0.0, 1.0, 3.0, 10.0, 30.0, 60.0])  # in scales; beyond the last no density here is above 1e-26


def landmarks(p: Distribution) -> np.ndarray:
    """Points (K, *batch_shape) between which the log-density of p is smooth: its kinks, and around its bend."""
    if isinstance(p, Uniform):
        return np.stack([p.low, p.high])
    steps = np.concatenate([-STEPS[:0:-1], STEPS]).reshape(-1, *[1] * len(p.batch_shape))
    return p.mean + steps * np.sqrt(p.variance)


def expectation_on_the_line(
    q: Distribution, f: Callable[[np.ndarray], Any], beside: Distribution | None = None
) -> np.ndarray:
    """E_q[f(x)] for each element of the batch; f takes (N, *batch_shape) to (N, *batch_shape).

    Args:
        beside: a distribution whose density f has in it; its kinks are met as well.
    """
    edges = landmarks(q)
    if beside is not None:
        inner = np.clip(landmarks(beside), edges[0], edges[-1])
        edges = np.sort(np.concatenate([edges, inner]), axis=0)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    panels = np.arange(8)[:, None]
    place = ((panels + 0.5 * (1 + nodes)) / 8).ravel()  # of 8 panels of 20 nodes in each interval, as fractions of it
    width = edges[1:] - edges[:-1]  # (K − 1, *batch_shape)
    x = edges[:-1, None] + width[:, None] * place.reshape(-1, *[1] * len(q.batch_shape))
    x = x.reshape(-1, *q.batch_shape)
    weight = np.multiply.outer(np.tile(weights / 16, 8), width).swapaxes(0, 1).reshape(-1, *q.batch_shape)
    density = np.exp(q.log_prob(x))
    return np.sum(weight * density * np.where(density > 0, f(x), 0), axis=0)
