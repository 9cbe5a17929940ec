"""Langevin steps, which need nothing but the score, and the predictor–corrector sampler (lecture p. 12).

    x' = x + δ ∇ log p(x) + √(2δ) ε,    ε ~ N(0, I)                                                (1)

Many small steps (1) end in draws from p, wherever they start. If they are not small, the end is too wide: of N(0, v)
the variance becomes

    v / (1 − δ / 2v)    for δ < 2v; beyond that, x grows without bound                             (2)

And where modes are far apart, (1) hardly ever passes from one to the other. So draws come down the times of a
diffusion: a *predictor*, a step of the reverse SDE, goes from t to the next time, and *corrector* steps (1), with the
score of that time, mend what it got wrong. Each has to be small beside the noise that is in x there:

    δ = 2 (r s)²                                                                                   (3)

r is the *signal-to-noise ratio* of the step, of δ |∇ log p| to √(2δ) |ε|, where ∇ log p is about ε / s. Since p_t is
nowhere narrower than s, (2) is safe for r < 1.

Source: Song et al., arXiv:2011.13456, section 4.2 and algorithms 1 to 5. There (3) has the norms themselves, averaged
over the batch, δ = 2 (r |ε| / |∇ log p|)²: the same where ∇ log p is of size |ε| / s; but then no draw is independent
of the others in its batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.diffusion.arguments import batch_of_floats, require_between
from scratchgen.diffusion.integrators import (
    Times,
    euler_maruyama_step,
    require_times,
    steps_of_noise,
)
from scratchgen.diffusion.sde import SDE, Score
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng


def langevin(
    score: Callable[[Any], Any],
    x: np.ndarray,
    step: float,
    steps: int,
    rng: Rng | None = None,
    noise: Any = None,
    path: bool = False,
) -> np.ndarray:
    """x after steps of (1).

    Args:
        score: x ↦ ∇ log p(x), of the shape of x.
        x: (B, …), where to start.
        step: δ.
        steps: how many.
        rng: draws the ε.
        noise: the ε themselves, (steps,) + x.shape, instead of ``rng``.
        path: whether to return x after every step and at the start, (steps + 1,) + x.shape.

    Raises:
        TypeError: without rng and noise; for steps that is no int, a step that is no number.
        ValueError: for a step that is not above 0, fewer than 1 steps, or noise of another shape.

    >>> x = langevin(lambda x: -x, np.full((4000, 1), 10.0), step=0.1, steps=200, rng=0)       # p is N(0, 1)
    >>> print(f"{x.mean():.2f} {x.var():.2f}")                 # (2): 1.05, give or take 0.02
    -0.00 1.07
    """
    x, step = batch_of_floats(x), require_between("step", step, 0)
    require_int("steps", steps)
    visited = [x]
    for e in steps_of_noise(noise, rng, (steps, *x.shape), x.dtype):
        x = langevin_step(score, x, step, e)
        if path:
            visited.append(x)
    return np.stack(visited) if path else x


def langevin_step(score: Callable[[Any], Any], x: np.ndarray, step: float, noise: Any) -> np.ndarray:
    """One step (1), given x ↦ ∇ log p(x) and ε, outside any graph.

    Raises:
        TypeError: for no noise.
    """
    if noise is None:
        raise TypeError("Langevin steps are noisy: give rng, or the noise itself")
    with no_grad():
        return x + step * values(score(x)) + (2 * step) ** 0.5 * noise


def predictor_corrector(
    sde: SDE,
    score: Score,
    x: np.ndarray,
    times: Times,
    corrections: int = 1,
    snr: float = 0.16,
    rng: Rng | None = None,
    noise: Any = None,
    path: bool = False,
) -> np.ndarray:
    """x at the last of the times: at each a step of the reverse SDE from the one before, then Langevin steps.

    Args:
        sde: the forward SDE.
        score: (x, t) ↦ ∇ log p_t(x).
        x: (B, …) at the first of the times; draws from the prior, if that is 1.
        times: t₀ > t₁ > … > t_N.
        corrections: Langevin steps at each time but the first.
        snr: r of (3).
        rng: draws the ε.
        noise: the ε themselves, (N, 1 + corrections) + x.shape, the predictor's first, instead of ``rng``.
        path: whether to return x at all the times, (N + 1) + x.shape.

    Raises:
        TypeError: without rng and noise; for corrections that is no int, an snr that is no number.
        ValueError: for corrections < 0, an snr outside (0, 1), noise of another shape; for times that do not fall.

    >>> from scratchgen.diffusion import VP, GaussianMixtureData
    >>> p = GaussianMixtureData([0.5, 0.5], [[-2.0], [2.0]], 0.25).diffused(VP())
    >>> x = predictor_corrector(p.sde, p.score, p.sde.prior(1).sample(2000, 0), np.linspace(1, 0, 201), rng=1)
    >>> print(f"{np.abs(x).mean():.2f} {np.abs(x).std():.2f}")                 # 2.00 and 0.50 of the data
    2.01 0.50
    """
    x, times, snr = batch_of_floats(x), require_times(times), require_between("snr", snr, 0, 1)
    require_int("corrections", corrections, least=0)
    if times[-1] > times[0]:
        raise ValueError(f"times rise from {times[0]:g} to {times[-1]:g}; draws come down from noise to data")
    reverse, visited = sde.reverse(score), [x]
    every = (len(times) - 1, 1 + corrections, *x.shape)
    for t, after, e in zip(times[:-1].tolist(), times[1:].tolist(), steps_of_noise(noise, rng, every, x.dtype)):
        x = euler_maruyama_step(reverse, x, t, after - t, None if e is None else e[0])
        step = 2 * (snr * float(sde.marginal(after)[1])) ** 2  # (3)
        for correction in range(corrections):
            x = langevin_step(at_time(score, after), x, step, e[1 + correction])
        if path:
            visited.append(x)
    return np.stack(visited) if path else x


def at_time(score: Score, t: float) -> Callable[[Any], Any]:
    """x ↦ score(x, t)."""
    return lambda x: score(x, t)
