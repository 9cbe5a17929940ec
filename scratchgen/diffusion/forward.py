"""From data to noise, and the exact way back of a single x_0.

    x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε,   ε ~ N(0, I)                                               (1)

is one draw of what t small steps do, without the steps. Backwards, if x_0 is known, each step is Gaussian as well, by
Bayes' rule q(x_{t−1} | x_t, x_0) ∝ q(x_t | x_{t−1}) q(x_{t−1} | x_0):

    q(x_{t−1} | x_t, x_0) = N(c_t x_0 + d_t x_t, β̃_t I)                                        (2)
    c_t = √ᾱ_{t−1} β_t / (1 − ᾱ_t),   d_t = √α_t (1 − ᾱ_{t−1}) / (1 − ᾱ_t)                     (3)
    β̃_t = β_t (1 − ᾱ_{t−1}) / (1 − ᾱ_t)                                                        (4)

β̃_t is less than β_t, the variance of the step forwards, as x_0 says something about x_{t−1}. At t = 1 it says
everything: c_1 = 1, d_1 = 0 and β̃_1 = 0.

Source: Ho et al., arXiv:2006.11239, equations (4), (6) and (7).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.diffusion.arguments import beside, noise_for, steps_of
from scratchgen.diffusion.schedules import Schedule
from scratchgen.random import Rng


def q_sample(schedule: Schedule, x0: Any, t: Any, rng: Rng | None = None, noise: Any = None) -> Any:
    """A draw of q(x_t | x_0) (1), of the shape of x_0.

    Args:
        schedule: β_1 … β_T.
        x0: (B, …), float32 or float64.
        t: the step of each row, (B,), or one for all.
        rng: draws ε.
        noise: ε itself, of the shape of x_0, instead of ``rng``.

    Raises:
        TypeError: without rng and noise; for t that is no integer.
        ValueError: for t outside 1 … T; for noise of another shape.

    >>> q_sample(Schedule([0.75]), np.array([[2.0]]), 1, noise=np.array([[1.0]])).round(4)    # ½ · 2 + √¾ · 1
    array([[1.866]])
    """
    t = steps_of(t, len(x0), schedule.T)
    signal, noise_std = np.sqrt(schedule.alphas_cumprod[t]), np.sqrt(schedule.noise_variance[t])
    return beside(signal, x0) * x0 + beside(noise_std, x0) * noise_for(x0, rng, noise)


def posterior_coefficients(schedule: Schedule, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """c_t and d_t (3) and β̃_t (4), each of the shape of t, float64.

    >>> [c.round(4) for c in posterior_coefficients(Schedule([0.1, 0.5]), np.array([1, 2]))]
    [array([1.    , 0.8624]), array([0.    , 0.1286]), array([0.    , 0.0909])]
    """
    beta, noise, noise_before = schedule.betas[t], schedule.noise_variance[t], schedule.noise_variance[t - 1]
    c = np.sqrt(schedule.alphas_cumprod[t - 1]) * beta / noise
    d = np.sqrt(1.0 - beta) * noise_before / noise
    return c, d, beta * noise_before / noise


def q_posterior(schedule: Schedule, x0: Any, x_t: Any, t: Any) -> tuple[Any, np.ndarray]:
    """Mean and variance of q(x_{t−1} | x_t, x_0) (2): (B, …), and (B, 1, …) with the same for all of a row.

    Args:
        schedule: β_1 … β_T.
        x0, x_t: (B, …), of one shape and dtype.
        t: the step of each row, (B,), or one for all.

    Raises:
        TypeError: for t that is no integer.
        ValueError: for t outside 1 … T; for x_0 and x_t of two shapes.
    """
    if np.shape(x0) != np.shape(x_t):
        raise ValueError(f"x0 has shape {np.shape(x0)} and x_t {np.shape(x_t)}; they must be the same")
    c, d, variance = posterior_coefficients(schedule, steps_of(t, len(x0), schedule.T))
    return beside(c, x_t) * x0 + beside(d, x_t) * x_t, beside(variance, x_t)
