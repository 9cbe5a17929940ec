"""Ways from noise to data with one and the same network: as drawn, or without noise, or with fewer and better steps.

    ancestral    x_{t−1} ~ p(x_{t−1} | x_t), the model itself                                        (1)
    DDIM         x_s = √ᾱ_s x̂_0 + √(1 − ᾱ_s − σ²) ε̂ + σ z,    z ~ N(0, I)                            (2)
                 σ² = η² (1 − ᾱ_s)/(1 − ᾱ_t) (1 − ᾱ_t/ᾱ_s)

s is the step after t on the way down. η = 1 is (1) with the variance β̃. η = 0, no noise at all, is a map from x_T to
x_0: near-by noise gives near-by data, and few steps will do. In both, σ = 0 at s = 0, and x_0 = x̂_0.

DDIM with η = 0 solves an ordinary differential equation. With √ᾱ = cos φ and √(1 − ᾱ) = sin φ,

    dx/dφ = v̂ = cos φ ε̂ − sin φ x̂_0                                                               (3)
    DDIM:   x_s = cos δ x_t − sin δ v̂_t,    δ = φ_t − φ_s                                           (4)
    Heun:   x_s = cos δ x_t − sin δ ½ (v̂_t + v̂_s'),    v̂_s' = cos φ_t ε̂_s − sin φ_t x̂_0s            (5)

(4) is (2) in other words, and would be exact if x̂_0 and ε̂ did not change on the way. (5) makes the step (4), asks again
there, and takes the mean of the two answers. Twice as many steps halve the error of (4), which is of first order, and
divide that of (5) by four, for two passes of the network a step. The last step is (4), as there is no ε̂ at t = 0.

Fewer steps are a matter of the model: ``model.part(spaced(1000, 20))`` has 20.

Sources: Song et al., DDIM, arXiv:2010.02502, equations (12), (14), (16) and appendix D.2 (quadratic spacing); Salimans
and Ho, arXiv:2202.00512, appendix D, for the angle; Karras et al., arXiv:2206.00364, algorithm 1, for a second answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.diffusion.arguments import beside, noise_for
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng, generator

if TYPE_CHECKING:
    from scratchgen.diffusion.reverse_chain import Prediction, ReverseChain

Watch = Callable[[int, np.ndarray, np.ndarray], None]  # (t, x_t, x̂_0), before each step and at the end


class Trajectory:
    """Keeps what a sampler passes on its way: give it as ``watch``.

    Attributes:
        times: t, from T to 0.
        x: x_t at each of them, a list of arrays.
        x0: x̂_0 at each of them; at 0, the sample itself.

    >>> from scratchgen.diffusion import DDPM, BestNetwork, GaussianMixtureData, cosine
    >>> data, schedule = GaussianMixtureData([0.5, 0.5], [[-2.0], [2.0]], 0.1), cosine(50)
    >>> model, path = DDPM(BestNetwork(data, schedule), schedule, (1,), "x0"), Trajectory()
    >>> x = ddim(model.part(spaced(50, 5)), model.start(100, rng=0), watch=path)
    >>> path.times, np.array_equal(path.x[-1], x)
    ([5, 4, 3, 2, 1, 0], True)
    """

    def __init__(self) -> None:
        self.times: list[int] = []
        self.x: list[np.ndarray] = []
        self.x0: list[np.ndarray] = []

    def __call__(self, t: int, x: np.ndarray, x0: np.ndarray) -> None:
        self.times.append(t)
        self.x.append(x)
        self.x0.append(x0)


def spaced(T: int, steps: int, spacing: str = "uniform") -> np.ndarray:
    """``steps`` of the steps 1 … T, increasing, the last of them T.

    Args:
        T: how many there are.
        steps: how many to take, at most T.
        spacing: "uniform", or "quadratic": closer, the nearer to the data. Where steps would fall together, they are
            moved apart.

    Raises:
        TypeError, ValueError: for steps that is no int, less than 1, or more than T; for another spacing.

    >>> spaced(100, 5), spaced(100, 5, "quadratic")
    (array([ 20,  40,  60,  80, 100]), array([  4,  16,  36,  64, 100]))
    """
    require_int("T", T)
    require_int("steps", steps)
    if steps > T:
        raise ValueError(f"steps is {steps}; the model has T={T}, and no sampler can take more")
    if spacing not in ("uniform", "quadratic"):
        raise ValueError(f"spacing is {spacing!r}; it must be uniform or quadratic")
    places = np.arange(1, steps + 1) / steps
    times = np.rint(T * (places if spacing == "uniform" else np.square(places))).astype(np.int64)
    return np.maximum.accumulate(np.maximum(times, 1) - np.arange(steps)) + np.arange(steps)


def ancestral(
    model: ReverseChain,
    x: np.ndarray,
    rng: Rng | None = None,
    noise: Any = None,
    context: Any = None,
    watch: Watch | None = None,
) -> np.ndarray:
    """x_0 from x_T = x by all steps of the model (1), (n, …), on the scale of the network.

    Args:
        model: a DDPM.
        x: x_T, (n, *event_shape): ``model.start(n, rng)``.
        rng: draws the noise of each step.
        noise: the noise itself, (T, n, …), the last step's first, instead of ``rng``.
        context: (n,), the labels, where the network takes some.
        watch: is called with (t, x_t, x̂_0) on the way, such as a ``Trajectory``.

    Raises:
        TypeError: without rng and noise.
        ValueError: for noise of another shape.
    """
    rng = None if rng is None else generator(rng)

    def step(t: int, x: np.ndarray, prediction: Prediction) -> np.ndarray:
        return model.p_sample(x, t, rng, None if noise is None else noise[t - 1], context, prediction)

    return downwards(model, x, step, context, watch)


def ddim(
    model: ReverseChain,
    x: np.ndarray,
    eta: float = 0.0,
    rng: Rng | None = None,
    noise: Any = None,
    context: Any = None,
    watch: Watch | None = None,
) -> np.ndarray:
    """x_0 from x_T = x by DDIM (2), (n, …), on the scale of the network; arguments as of ``ancestral``.

    Args:
        eta: η, from 0, no noise, for which neither rng nor noise is needed, to 1, ancestral sampling.

    Raises:
        TypeError: for η > 0 without rng and noise.
        ValueError: for η outside [0, 1]; for noise of another shape.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta is {eta}; it must be from 0, no noise, to 1, ancestral sampling")
    rng, schedule = None if rng is None else generator(rng), model.schedule
    signal, variance = schedule.alphas_cumprod, schedule.noise_variance

    def step(t: int, x: np.ndarray, prediction: Prediction) -> np.ndarray:
        x0, eps = values(prediction.x0), values(prediction.eps)
        added = eta**2 * variance[t - 1] / variance[t] * schedule.betas[t]  # σ² of (2): s is t − 1, and β 1 − ᾱ_t/ᾱ_s
        x = beside(np.sqrt(signal[t - 1]), x) * x0 + beside(np.sqrt(variance[t - 1] - added), x) * eps
        if added > 0:
            x = x + beside(np.sqrt(added), x) * noise_for(x, rng, None if noise is None else noise[t - 1])
        return x

    return downwards(model, x, step, context, watch)


def ddim_heun(model: ReverseChain, x: np.ndarray, context: Any = None, watch: Watch | None = None) -> np.ndarray:
    """x_0 from x_T = x by (5), (n, …), on the scale of the network; arguments as of ``ancestral``."""
    a, b = np.sqrt(model.schedule.alphas_cumprod), np.sqrt(model.schedule.noise_variance)
    angle = np.arctan2(b, a)  # φ

    def step(t: int, x: np.ndarray, prediction: Prediction) -> np.ndarray:
        x0, eps = values(prediction.x0), values(prediction.eps)
        there = beside(a[t - 1], x) * x0 + beside(b[t - 1], x) * eps  # (4), in the form (2)
        if t == 1:
            return there
        then = model.predict(there, t - 1, context)
        x0, eps = 0.5 * (x0 + values(then.x0)), 0.5 * (eps + values(then.eps))
        turn = angle[t] - angle[t - 1]  # δ
        v = beside(a[t], x) * eps - beside(b[t], x) * x0
        return beside(np.cos(turn), x) * x - beside(np.sin(turn), x) * v  # (5)

    return downwards(model, x, step, context, watch)


def downwards(
    model: ReverseChain,
    x: np.ndarray,
    step: Callable[[int, np.ndarray, Prediction], np.ndarray],
    context: Any = None,
    watch: Watch | None = None,
) -> np.ndarray:
    """x_0 from x_T = x: what all samplers have in common, but for the ``step``, (t, x_t, prediction) ↦ x_{t−1}."""
    with no_grad():
        for t in range(model.schedule.T, 0, -1):
            prediction = model.predict(x, t, context)
            if watch is not None:
                watch(t, x, values(prediction.x0))
            x = step(t, x, prediction)
    if watch is not None:
        watch(0, x, x)
    return x
