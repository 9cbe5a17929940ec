"""Rectified flow: trained again on its own pairs of noise and sample, a flow becomes straighter.

Lines from data to noise cross, and the velocity is a mean over those that do; so the paths of the flow are bent, and
each needs many steps. But the pairs that its paths connect,

    x_1 ~ N(0, I),    x_0 = where the flow takes x_1                                            (1)

are distributed as before, each on its own, and are as many as one likes. Flow matching on (1) gives a flow whose
transport cost E|x_1 − x_0|² is no higher, and that can be done again. In the limit no two lines cross, the velocity
along a path is constant, and one step of Euler is exact. How far from it a path is:

    straightness = ∫₀¹ |dx_t/dt − (x_1 − x_0)|² dt = ∫₀¹ |dx_t/dt|² dt − |x_1 − x_0|²           (2)

The name is the paper's; the number is 0 for a straight path walked at constant speed, and grows as it bends.

The price: errors of the first flow are learned by the second.

Source: Liu et al., Flow Straight and Fast, arXiv:2209.03003, algorithm 1, and theorems 3.5 and 3.7.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.diffusion.flow_matching import FlowMatching
from scratchgen.diffusion.integrators import require_times
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng


def own_pairs(
    model: FlowMatching, n: int, rng: Rng, context: Any = None, steps: int = 50, method: str = "heun"
) -> tuple[np.ndarray, np.ndarray]:
    """n pairs (1) of a trained model: samples x_0 and the noise x_1 that each came from, (n, *event_shape) both.

    ``model.losses(x0, t, noise=x1)`` is the loss of the next one.

    Raises:
        TypeError, ValueError: as ``FlowMatching.sample``.

    >>> from scratchgen.diffusion import ExactVelocity, GaussianMixtureData
    >>> model = FlowMatching(ExactVelocity(GaussianMixtureData([1.0], [[3.0]], 0.25)), (1,))
    >>> x0, x1 = own_pairs(model, 2, rng=0)
    >>> np.abs(x0 - (3.0 + 0.5 * x1)).max() < 1e-3
    np.True_
    """
    require_int("n", n, least=0)
    require_int("steps", steps)
    noise = model.prior.sample(n, rng)
    return model.follow(noise, np.linspace(1, 0, steps + 1), method, context), noise


def straightness(path: np.ndarray, times: Any) -> np.ndarray:
    """(2) of each path, (B,), as if it were straight between the times: 0 for a straight one of constant speed.

    Args:
        path: (N + 1, B, …), as ``follow(…, path=True)`` returns it.
        times: t₀, …, t_N, from 0 to 1 or from 1 to 0.

    Raises:
        ValueError: for another number of times than places; for times that do not rise or fall throughout.

    >>> straightness(np.array([[[0.0]], [[0.0]], [[1.0]]]), [0, 0.5, 1])       # ½ · 2² − 1²
    array([1.])
    """
    times = require_times(times)
    if len(path) != len(times):
        raise ValueError(f"path has {len(path)} places for {len(times)} times; there must be one for each")
    h = np.diff(times).reshape(-1, *(1,) * (path.ndim - 1))
    excess = np.diff(path, axis=0) / h - (path[-1] - path[0]) / (times[-1] - times[0])
    return np.asarray(np.sum(np.abs(h) * excess * excess, axis=(0, *range(2, path.ndim))))
