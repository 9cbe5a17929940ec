"""Draws by the inverse of distribution functions F, each by one uniform number; and parts of a batch of distributions.

    numbers:  x = F⁻¹(u),  u uniform on [0, 1)                                                 (1)
    levels:   x = the number of levels k with F(k) ≤ u                                         (2)
    mixture:  k by (2) from its weights, then x = F_k⁻¹(u'),  u' = (u − Σ_{i<k} w_i)/w_k       (3)

(3) uses one number twice. Given that u fell into the interval of k, which is w_k wide, where it lies in that interval
is uniform again, whatever k is. So no F of a mixture has to be inverted numerically. The price: x no longer grows with
u, as it does in (1).
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from scratchgen.distributions import (
    Bernoulli,
    Categorical,
    DiscretisedLogistic,
    DiscretisedNormal,
    Distribution,
    Laplace,
    Logistic,
    Mixture,
    Normal,
)
from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.discretised import Discretised
from scratchgen.distributions.distribution import values
from scratchgen.distributions.inverse_transform import held


@singledispatch
def part(p: Distribution, index: Any) -> Distribution:
    """``p[index]``, if p were an array: some distributions of a batch; their parameters become plain arrays.

    Raises:
        NotImplementedError: for a kind of distribution that is not known here.

    >>> part(Bernoulli(np.zeros((5, 3))), (slice(None), 2))
    Bernoulli(batch_shape=(5,), event_shape=())
    """
    raise NotImplementedError(f"no parts of {type(p).__name__} here; add them with @part.register")


@part.register(Bernoulli)
@part.register(Categorical)
def _(p: Any, index: Any) -> Distribution:
    return type(p)(values(p.logits)[index])


@part.register
def _(p: Normal, index: Any) -> Distribution:
    return Normal(values(p.mean)[index], values(p.logvar)[index])


@part.register(Laplace)
@part.register(Logistic)
def _(p: Any, index: Any) -> Distribution:
    return type(p)(values(p.loc)[index], values(p.log_scale)[index])


@part.register
def _(p: DiscretisedLogistic, index: Any) -> Distribution:
    return DiscretisedLogistic(values(p.loc)[index], values(p.log_scale)[index], p.levels)


@part.register
def _(p: DiscretisedNormal, index: Any) -> Distribution:
    return DiscretisedNormal(values(p.loc)[index], 2 * values(p.log_scale)[index], p.levels)  # log σ² = 2 log σ


@part.register
def _(p: Mixture, index: Any) -> Distribution:
    if p.logits.shape != p.components.batch_shape:
        raise NotImplementedError("no parts of a mixture whose logits or components are shared; broadcast them")
    return Mixture(values(p.logits)[index], part(p.components, index))


def inverse(p: Distribution, u: Any) -> np.ndarray:
    """x drawn from each distribution of a batch by a uniform number of its own, equations (1) to (3).

    Args:
        p: a batch (B,) of distributions of numbers.
        u: (B,), in [0, 1).

    Raises:
        TypeError: for a masked array.
        ValueError: for u that are not one for each distribution, or outside [0, 1), with value and index.
        NotImplementedError: for a distribution without an inverse here.

    >>> inverse(Categorical(np.log([[0.5, 0.25, 0.25]])), np.array([0.6]))
    array([1])
    """
    u = np.asarray(unmasked("u", u), np.float64)
    if u.shape != p.batch_shape:
        raise ValueError(f"u has shape {u.shape}; it must be {p.batch_shape}, a number for each distribution")
    require("u", u, lambda value: (value >= 0) & (value < 1), "it must be in [0, 1)")
    return inverse_at(p, u)


@singledispatch
def inverse_at(p: Distribution, u: np.ndarray) -> np.ndarray:
    """``inverse`` for u that are known to fit; they may have been rounded to 1."""
    u = held(u.astype(p.dtype), p.dtype)  # above 0, and below 1, to which float32 may have rounded it: x is finite
    return np.asarray(values(p.icdf(u)))


@inverse_at.register
def _(p: Bernoulli, u: np.ndarray) -> np.ndarray:
    return np.asarray(u < values(p.mean), p.dtype)  # 1 comes first, as in Bernoulli.sample


@inverse_at.register
def _(p: Categorical, u: np.ndarray) -> np.ndarray:
    return interval(values(p.probabilities), u)[0]


@inverse_at.register
def _(p: Discretised, u: np.ndarray) -> np.ndarray:
    return inverse_at(p.categorical, u).astype(p.dtype)


@inverse_at.register
def _(p: Mixture, u: np.ndarray) -> np.ndarray:
    k, rest = interval(values(p.weights), u)
    return inverse_at(part(p.components, (np.arange(len(u)), k)), rest)


def interval(weights: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """k of (2) and u' of (3), for weights (B, K) and u (B,)."""
    ends = np.cumsum(weights, axis=-1, dtype=np.float64)
    scaled = u[:, None] * ends[:, -1:]  # below the last end, even if that was rounded
    k = np.sum(scaled >= ends, axis=-1)
    starts = np.concatenate([np.zeros_like(ends[:, :1]), ends], axis=-1)
    left, right = (np.take_along_axis(starts, (k + i)[:, None], -1)[:, 0] for i in (0, 1))
    return k, (scaled[:, 0] - left) / (right - left)
