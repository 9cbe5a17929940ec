"""The marginal p(x) of a latent-variable model (lecture pp. 3–4), and its exact value where z is discrete.

    p(x) = ∫ p(x | z) p(z) dz ≈ Σ_i ω_i p(x | z_i)                                             (1)
    p(x) = Σ_z p(x | z) p(z)                                                                   (2)

with nodes z_i, and weights ω_i that say how much of p(z) each stands for. Three ways of finding log p(x), for any model
that has ``prior`` and ``decode``:

    here          all values of a discrete z: (2), exact
    integrals     nodes in one or two dimensions: (1), to as many digits as one likes
    importance    samples, in any dimension: (1) with z_i drawn, ω_i = 1/K if from p(z); and a standard error

The first two are the truth that bounds and estimates are compared with. Both take a number of terms that grows as nᵈ
with the dimension d of z: that is why p(x) is called intractable. The third does no better, unless its samples lie
where the posterior is.

All of it is computed by logarithms: the p(x | z) of an image is below the smallest float.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import logsumexp, no_grad
from scratchgen.distributions import Bernoulli, Categorical, Distribution, Independent
from scratchgen.distributions.arguments import unmasked
from scratchgen.distributions.distribution import values
from scratchgen.latent.arguments import batch_of
from scratchgen.latent.joint import LatentVariableModel, prior_of
from scratchgen.latent.points import MOST_NODES

PAIRS = 4096  # (x, z) that are looked at together: what bounds the memory


class Estimate(NamedTuple):
    """log p(x) for each x, (B,), in nats, and how far off it may be."""

    value: np.ndarray
    error: np.ndarray


def marginal_by_sum(model: LatentVariableModel, x: Any) -> np.ndarray:
    """log p(x) by the sum over all values of a discrete z (2): exact, (B,) float64, in nats.

    Args:
        model: whose prior ``all_values`` can list.
        x: (B, *event_shape).

    Raises:
        TypeError: for a prior that is not discrete; for x that is a masked array.
        ValueError: for a z with more than a million values; for x of another shape.

    >>> class TwoCoins:
    ...     def prior(self, like):
    ...         return Categorical(np.log([0.25, 0.75]))
    ...     def decode(self, z):
    ...         return Bernoulli(np.log([1.0, 3.0])[z])              # heads: 1/2 or 3/4
    >>> np.exp(marginal_by_sum(TwoCoins(), np.array([0.0, 1.0])))    # 5/16 and 11/16
    array([0.3125, 0.6875])
    """
    prior = prior_of(model)
    z = all_values(prior)
    return log_sums(model, x, z, np.asarray(values(prior.log_prob(z)), np.float64)[None])[0]


def all_values(prior: Distribution) -> np.ndarray:
    """All values of a discrete z: (N,), or (N, latent) for vectors of independent components.

    Raises:
        TypeError: for a distribution that is not Categorical, Bernoulli, or Independent components of these.
        ValueError: for more than a million values.

    >>> all_values(Categorical(np.zeros(3)))
    array([0, 1, 2])
    >>> all_values(Independent(Bernoulli(np.zeros(2)), 1)).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    one = prior.base if isinstance(prior, Independent) else prior
    if not isinstance(one, (Categorical, Bernoulli)):
        raise TypeError(f"z has the distribution {prior}, whose values cannot be listed: integrate, or sample z")
    sides = one.logits.shape[-1] if isinstance(one, Categorical) else 2
    dims = prod(prior.event_shape)
    if sides**dims > MOST_NODES:
        raise ValueError(f"z has {sides}^{dims} values, too many to sum over: sample z, by marginal_by_importance")
    z = np.indices((sides,) * dims).reshape(dims, -1).T.reshape(-1, *prior.event_shape)
    return z if isinstance(one, Categorical) else z.astype(one.dtype)


def log_sums(model: LatentVariableModel, x: Any, z: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """log Σ_i ω_i p(x | z_i) (1) for each x, for several sets of weights at once; no gradient.

    All x share the nodes, so each node is decoded once. So do the sets: a grid and every other node of it, for example.

    Args:
        model: with ``decode``.
        x: (B, *event_shape).
        z: (N, latent), or (N,) where z is discrete.
        log_weights: (M, N) float64, each row a set of log ω.

    Returns:
        (M, B) float64.
    """
    x = np.asarray(unmasked("x", x))
    totals = np.full((len(log_weights), *x.shape[:1]), -np.inf)
    with no_grad():
        for nodes in slices(len(z), PAIRS):
            p, n = model.decode(z[nodes]), len(z[nodes])
            batch_of(x, p.event_shape)
            for rows in slices(len(x), PAIRS // n):
                each_x = x[rows, None]  # (b, 1, *event_shape)
                log_p = p.log_prob(np.broadcast_to(each_x, (len(each_x), n, *x.shape[1:])))
                terms = log_weights[:, None, nodes] + values(log_p)  # (M, b, n)
                totals[:, rows] = np.logaddexp(totals[:, rows], logsumexp(terms, axis=-1))
    return totals


def slices(length: int, step: int) -> Iterator[slice]:
    """0 … length in pieces of ``step``, or of 1 if that is less.

    >>> list(slices(5, 3))
    [slice(0, 3, None), slice(3, 6, None)]
    """
    step = max(1, step)
    return (slice(start, start + step) for start in range(0, length, step))
