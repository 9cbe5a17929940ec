"""Following an ODE by Runge and Kutta's method of fourth order; those of ``integrators`` are of first and second.

    x' = x + h/6 (k_1 + 2 k_2 + 2 k_3 + k_4)                                                    (1)
    k_1 = v(x, t),  k_2 = v(x + h/2 k_1, t + h/2),  k_3 = v(x + h/2 k_2, t + h/2),  k_4 = v(x + h k_3, t + h)

Four evaluations of the velocity a step, for an error that falls as h⁴.
"""

from __future__ import annotations

import numpy as np

from scratchgen.diffusion.arguments import batch_of_floats
from scratchgen.diffusion.integrators import Equation, Times, require_times, velocity_of, walked


def rk4(ode: Equation, x: np.ndarray, times: Times, path: bool = False) -> np.ndarray:
    """x at the last of the times, from x at the first (1).

    Args:
        ode, x, times, path: as for ``heun``.

    Raises:
        ValueError: where g is not 0; for times that do not rise or fall throughout.

    >>> rk4(lambda x, t: (-x, 0.0), np.array([[1.0]]), np.linspace(0, 1, 11))        # e^{−1} is 0.36787944
    array([[0.36787977]])
    """
    x, times = batch_of_floats(x), require_times(times)
    velocity = velocity_of(ode)

    def step(x: np.ndarray, t: float, h: float) -> np.ndarray:
        k1 = velocity(x, t)
        k2 = velocity(x + 0.5 * h * k1, t + 0.5 * h)
        k3 = velocity(x + 0.5 * h * k2, t + 0.5 * h)
        k4 = velocity(x + h * k3, t + h)
        return np.asarray(x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))

    return walked(step, x, times, path)
