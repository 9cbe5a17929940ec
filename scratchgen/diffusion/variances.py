"""The variance of a step backwards, p(x_{t−1} | x_t), where x_0 is not known: three answers and the right one.

    beta          β_t      right for data that are N(0, I)                                     (1)
    beta_tilde    β̃_t      right for data that are one point: q(x_{t−1} | x_t, x_0)            (2)
    learned       exp(u log β_t + (1 − u) log β̃_t), u from 0 to 1 by the network               (3)
    optimal       β̃_t + c_t² Var[x_0 | x_t]                                                    (4)

For data of variance 1 or less the right one is between (2) and (1). (4) is the law of total variance: x_{t−1}
is c_t x_0 + d_t x_t and noise of variance β̃_t; once x_0 is guessed by its mean given x_t, its own variance is left.
It can be measured, as the mean squared error of x̂_0 at t.

β̃_1 = 0, and a Gaussian of variance 0 says of nearly every x_0 that it is impossible. As in Ho et al.'s programs, (2)
takes β̃_2 there, and β_1 where T = 1.

Sources: Ho et al., arXiv:2006.11239, section 3.2; Nichol and Dhariwal, arXiv:2102.09672, equation (15); Bao et al.,
Analytic-DPM, arXiv:2201.06503, theorem 1.
"""

from __future__ import annotations

import numpy as np

from scratchgen.diffusion.forward import posterior_coefficients
from scratchgen.diffusion.schedules import Schedule
from scratchgen.distributions.arguments import require


def log_beta(schedule: Schedule) -> np.ndarray:
    """log β_t (1), (T + 1,); 0 at t = 0, where there is no step.

    >>> log_beta(Schedule([0.1, 0.5])).round(4)
    array([ 0.    , -2.3026, -0.6931])
    """
    return np.concatenate([[0.0], np.log(schedule.betas[1:])])


def log_beta_tilde(schedule: Schedule) -> np.ndarray:
    """log β̃_t (2), (T + 1,), with β̃_2 at t = 1; 0 at t = 0.

    >>> log_beta_tilde(Schedule([0.1, 0.5])).round(4)
    array([ 0.    , -2.3979, -2.3979])
    """
    if schedule.T == 1:
        return log_beta(schedule)
    _, _, variance = posterior_coefficients(schedule, np.arange(2, schedule.T + 1))
    return np.concatenate([[0.0], np.log(variance[:1]), np.log(variance)])


def log_optimal(schedule: Schedule, x0_variance: np.ndarray) -> np.ndarray:
    """The logarithm of (4), of the shape of ``x0_variance``; 0 at t = 0.

    Args:
        schedule: β_1 … β_T.
        x0_variance: Var[x_0 | x_t], (T + 1,), or (T + 1, …) with one for each component; that at t = 0 is not used.

    Raises:
        ValueError: for another length; for a negative variance, or one that is 0 at t = 1.

    >>> log_optimal(Schedule([0.1, 0.5]), np.array([0.0, 0.1, 0.2])).round(4)
    array([ 0.    , -2.3026, -1.4285])
    """
    x0_variance = np.asarray(x0_variance, np.float64)
    if len(x0_variance) != schedule.T + 1:
        raise ValueError(
            f"x0_variance has {len(x0_variance)} rows; it must have T + 1 = {schedule.T + 1}, one for each t"
        )
    require("x0_variance", x0_variance, lambda v: (v >= 0) & (v < np.inf), "it must be 0 or more")
    require("x0_variance[1]", x0_variance[1], lambda v: v > 0, "it must be more than 0, or the density is infinite")
    c, _, variance = posterior_coefficients(schedule, np.arange(1, schedule.T + 1))
    shape = (schedule.T,) + (1,) * (x0_variance.ndim - 1)
    optimal = variance.reshape(shape) + np.square(c).reshape(shape) * x0_variance[1:]
    return np.concatenate([np.zeros_like(optimal[:1]), np.log(optimal)])


LOG_VARIANCES = {"beta": log_beta, "beta_tilde": log_beta_tilde}
