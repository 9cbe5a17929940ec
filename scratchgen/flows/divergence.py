"""The divergence of a velocity field: how fast the flow along it stretches volume.

    ∇·v = tr ∂v/∂x = Σ_j ∂v_j/∂x_j        exactly, by D passes backwards                        (1)
                   = E[εᵀ (∂v/∂x) ε]      for E[ε εᵀ] = I, by one pass for each ε               (2)

(2) is Hutchinson's estimator: E[εᵀ J ε] = E[tr J ε εᵀ] = tr J. It is unbiased whatever D is, and its ε, the *probes*,
have to have mean square 1 and be uncorrelated. With ε_j = ±1 its variance is that of what J has beside its diagonal.

Source: Grathwohl et al., FFJORD, arXiv:1810.01367, section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import vjp
from scratchgen.distributions.arguments import require, unmasked
from scratchgen.random import Rng, generator


def with_divergence(v: Callable[[Any], Any], x: Any, probes: np.ndarray | None = None) -> tuple[Any, Any]:
    """v(x), of the shape of x, (B, …), and ∇·v at each row: (1, B) exactly (1), or (K, B), one for each probe (2).

    Args:
        v: from a batch to one of the same shape, each row of which depends on the same row of x alone.
        x: a Tensor, for results that can be differentiated again, or an array.
        probes: the ε, (K, …) for all rows, or (K, B, …); None for the exact divergence.

    Raises:
        TypeError: for a masked array of probes.
        ValueError: for probes of another shape, or none of them; for NaN or inf in them.

    >>> rotate = np.array([[1.0, 2.0], [0.0, 3.0]])
    >>> with_divergence(lambda x: x @ rotate, np.ones((1, 2)))
    (array([[1., 5.]]), array([[4.]]))
    >>> with_divergence(lambda x: x @ rotate, np.ones((1, 2)), np.array([[1.0, 1.0], [1.0, -1.0]]))[1]
    array([[6.],
           [2.]])
    """
    image, pull_back = vjp(v, x)
    event = x.shape[1:]
    if probes is None:
        units = np.eye(int(np.prod(event)), dtype=x.dtype).reshape(-1, *event)
        places = [(slice(None), *index) for index in np.ndindex(event)]
        terms = [pull_back(np.broadcast_to(unit, x.shape))[0][place] for unit, place in zip(units, places)]
        return image, sum(terms)[None]
    probes = np.asarray(unmasked("probes", probes), x.dtype)
    if not probes.size or probes.shape[1:] not in (event, x.shape):
        sizes = ", ".join(map(str, event))
        raise ValueError(f"probes have shape {probes.shape}; they must be (K, {sizes}) or (K, {len(x)}, …)")
    require("probes", probes, np.isfinite, "they must be finite")
    axes = tuple(range(1, x.ndim))
    return image, np.stack([np.sum(pull_back(np.broadcast_to(e, x.shape))[0] * e, axis=axes) for e in probes])


def random_signs(shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    """±1, each with probability ½: of all ε with E[ε εᵀ] = I and independent parts, (2) is the least noisy with these.

    >>> random_signs((1, 4), rng=0)
    array([[ 1.,  1.,  1., -1.]])
    """
    return 2.0 * generator(rng).integers(0, 2, shape) - 1
