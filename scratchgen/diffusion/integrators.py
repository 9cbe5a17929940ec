"""Following an equation in steps: Euler–Maruyama for SDEs, Heun and RK45 for the probability flow (lecture p. 12).

Over times t₀, t₁, …, t_N, rising or falling, with h = t_{i+1} − t_i, which is negative on the way back:

    Euler–Maruyama   x' = x + f(x, t) h + g(t) √|h| ε,    ε ~ N(0, I)                              (1)
    Heun             x̃ = x + v(x, t) h,    x' = x + ½ [v(x, t) + v(x̃, t + h)] h                     (2)

(1) is first order: N times as many steps, an N-th of the error in what is expected of x (its *weak* error). Without
noise it is Euler's method. (2) is second order, for two evaluations of the score a step. RK45, SciPy's, is fifth order
and chooses its own steps, so that each keeps to a tolerance.

All take what ``SDE`` and ``Reverse`` are, a function (x, t) ↦ (drift, g), and record no graph.

Source: Song et al., arXiv:2011.13456, sections 4.1 and 4.3; Karras et al., arXiv:2206.00364, algorithm 1, for (2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.diffusion.arguments import batch_of_floats, require_between
from scratchgen.distributions.arguments import require_noise
from scratchgen.distributions.distribution import values
from scratchgen.random import Rng, generator

Equation = Callable[[np.ndarray, float], tuple[Any, Any]]
Times = np.ndarray | Sequence[float]


def euler_maruyama(
    sde: Equation, x: np.ndarray, times: Times, rng: Rng | None = None, noise: Any = None, path: bool = False
) -> np.ndarray:
    """x at the last of the times, from x at the first (1).

    Args:
        sde: (x, t) ↦ (drift, g): an ``SDE``, forwards, or a ``Reverse``, backwards.
        x: (B, …).
        times: t₀, …, t_N: ``np.linspace(1, 0, 501)``, say.
        rng: draws the ε; not needed where g is 0.
        noise: the ε themselves, N + x.shape, instead of ``rng``.
        path: whether to return x at all the times, (N + 1) + x.shape.

    Raises:
        TypeError: where noise is needed, without either; for noise of another dtype than x.
        ValueError: for noise of another shape; for times that do not rise or fall throughout.

    >>> from scratchgen.diffusion import VP
    >>> noise = np.array([[[1.0]], [[-1.0]]])
    >>> euler_maruyama(VP(1.0, 2.0), np.array([[4.0]]), [0.0, 0.25, 0.5], noise=noise, path=True)[:, 0, 0]
    array([4.        , 4.        , 2.81598301])
    """
    x, times = batch_of_floats(x), require_times(times)
    noises = steps_of_noise(noise, rng, (len(times) - 1, *x.shape), x.dtype)
    return walked(lambda x, t, h: euler_maruyama_step(sde, x, t, h, next(noises)), x, times, path)


def euler_maruyama_step(sde: Equation, x: np.ndarray, t: float, h: float, noise: Any) -> np.ndarray:
    """One step (1) with ε = ``noise``, or None where g is 0.

    Raises:
        TypeError: for None where g is not 0.
    """
    drift, g = evaluated(sde, x, t)
    if noise is None:
        if np.any(g):
            raise TypeError("there is noise in this equation: give rng, or the noise itself")
        return x + h * drift
    return x + h * drift + g * abs(h) ** 0.5 * noise


def heun(ode: Equation, x: np.ndarray, times: Times, path: bool = False) -> np.ndarray:
    """x at the last of the times, from x at the first (2).

    Args:
        ode: (x, t) ↦ (velocity, 0): ``sde.reverse(score, probability_flow=True)``.
        x, times, path: as for ``euler_maruyama``.

    Raises:
        ValueError: where g is not 0; for times that do not rise or fall throughout.

    >>> heun(lambda x, t: (-x, 0.0), np.array([[1.0]]), np.linspace(0, 1, 11))       # e^{−1} is 0.3679
    array([[0.36854098]])
    """
    x, times = batch_of_floats(x), require_times(times)
    velocity = velocity_of(ode)

    def step(x: np.ndarray, t: float, h: float) -> np.ndarray:
        v = velocity(x, t)
        return np.asarray(x + 0.5 * h * (v + velocity(x + h * v, t + h)))

    return walked(step, x, times, path)


def rk45(ode: Equation, x: np.ndarray, times: Times, tolerance: float = 1e-6, path: bool = False) -> np.ndarray:
    """x at the last of the times, from x at the first, by steps that are chosen so that each keeps to the tolerance.

    Args:
        ode, x: as for ``heun``.
        times: the first and the last; with ``path``, those at which x is wanted.
        tolerance: of a step, absolute and relative to x, on average over all numbers in x.
        path: whether to return x at all the times.

    Raises:
        ValueError: where g is not 0; for times that do not rise or fall throughout; for a tolerance not in (0, 1).
        RuntimeError: where the steps become too small, as before a point where the velocity is infinite.

    >>> rk45(lambda x, t: (-x, 0.0), np.array([[1.0]]), [0.0, 1.0], tolerance=1e-10).round(8)
    array([[0.36787944]])
    """
    from scipy.integrate import solve_ivp  # a slow import: only who needs it shall wait for it

    x, times = batch_of_floats(x), require_times(times)
    tolerance, velocity = require_between("tolerance", tolerance, 0, 1), velocity_of(ode)
    solution = solve_ivp(
        lambda t, flat: velocity(flat.reshape(x.shape).astype(x.dtype), float(t)).ravel(),
        (times[0], times[-1]),
        x.ravel(),
        "RK45",
        times if path else times[-1:],
        rtol=tolerance,
        atol=tolerance,
    )
    if not solution.success:
        raise RuntimeError(f"RK45 stopped at t = {solution.t[-1:]}: {solution.message} Begin or end nearer to 1?")
    visited = solution.y.T.reshape(-1, *x.shape).astype(x.dtype)
    return visited if path else visited[-1]


def walked(
    step: Callable[[np.ndarray, float, float], np.ndarray], x: np.ndarray, times: np.ndarray, path: bool
) -> np.ndarray:
    """x after the steps (x, t, h) ↦ x' between the times; with ``path`` x at all of them, (N + 1) + x.shape."""
    visited = [x]
    for t, h in zip(times[:-1].tolist(), np.diff(times).tolist()):
        x = step(x, t, h)
        if path:
            visited.append(x)
    return np.stack(visited) if path else x


def evaluated(equation: Equation, x: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Drift and g as plain arrays, outside any graph: that of hundreds of steps would fill the memory."""
    with no_grad():
        drift, g = equation(x, t)
    return values(drift), values(g)


def velocity_of(ode: Equation) -> Callable[[np.ndarray, float], Any]:
    """The drift alone, if there is no noise; the error of ``heun`` if there is."""

    def velocity(x: np.ndarray, t: float) -> Any:
        v, g = evaluated(ode, x, t)
        if np.any(g):
            raise ValueError(f"g is {np.max(g):.4g} at t = {t:.4g}; an ODE has no noise: reverse(…, True) gives one")
        return v

    return velocity


def require_times(times: Times) -> np.ndarray:
    """The times as an array, if they rise or fall throughout.

    Raises:
        ValueError: with the first that does not.

    >>> require_times([1.0, 0.5, 0.5])
    Traceback (most recent call last):
    ValueError: times[2] is 0.5 after 0.5; they must fall, or rise, at every step
    """
    times = np.asarray(times, np.float64)
    if times.ndim != 1 or len(times) < 2:
        raise ValueError(f"times has shape {times.shape}; it must be (N + 1,), for N of 1 or more steps")
    steps = np.diff(times)
    good = steps * np.sign(times[-1] - times[0]) > 0
    if not good.all():
        i = int(np.argmin(good))
        raise ValueError(
            f"times[{i + 1}] is {times[i + 1]:g} after {times[i]:g}; they must fall, or rise, at every step"
        )
    return times


def steps_of_noise(noise: Any, rng: Rng | None, shape: tuple[int, ...], dtype: Any) -> Iterator[Any]:
    """The noise of each of shape[0] steps: what was given, once it is checked; or draws; or None."""
    if noise is not None:
        yield from require_noise(noise, (), shape, dtype)
    elif rng is None:
        yield from [None] * shape[0]
    else:
        rng = generator(rng)
        for _ in range(shape[0]):
            yield rng.standard_normal(shape[1:], dtype)
