"""Noise schedules: how fast a diffusion in T steps turns data into noise (lecture p. 12).

    q(x_t | x_{t−1}) = N(√α_t x_{t−1}, β_t I),    α_t = 1 − β_t                one step         (1)
    q(x_t | x_0) = N(√ᾱ_t x_0, (1 − ᾱ_t) I),      ᾱ_t = α_1 ⋯ α_t             all at once      (2)

The steps are counted t = 1 … T, and t = 0 is the data: ᾱ_0 = 1. Every array of a ``Schedule`` has T + 1 entries and is
indexed by t itself, so that what comes before ᾱ_t is ᾱ[t − 1], and there is nothing to be padded.

1 − ᾱ_t is computed as −expm1(Σ log1p(−β)) in float64. As a difference it would lose, where ᾱ_t is close to 1, the
digits that decide about the last steps of sampling.

β_t is what a step adds; in an SDE β(t) is that per unit of time, so that (5) with many steps is VP from 0.1 to 20.

How the steps are numbered matters only where a sampler takes them one by one. What matters is how much of x_t is data,
the signal-to-noise ratio,

    SNR_t = ᾱ_t / (1 − ᾱ_t),      log SNR_t falls from ∞ at t = 0                              (3)

A sample starts from N(0, I), so x_T has to be that, nearly. How nearly, for one x_0, in nats:

    KL(q(x_T | x_0) ‖ N(0, I)) = ½ Σ_d [ᾱ_T (x_0d² − 1) − log(1 − ᾱ_T)]                        (4)

    linear     β from 0.0001 to 0.02 for T = 1000; for another T both times 1000/T, which keeps SNR_T    (5)
    cosine     ᾱ_t = f(t)/f(0),  f(t) = cos²(½π (t/T + s)/(1 + s)),  β_t at most 0.999                    (6)
    sigmoid    ᾱ_t = (f(t) − f(T))/(f(0) − f(T)),  f(t) = 1/(1 + e^{6t/T − 3}),  β_t at most 0.999        (7)
    even       log SNR_t from ``high`` to ``low`` in equal steps, so ᾱ_t = 1/(1 + 1/SNR_t)                (8)

(5) cannot be rescaled to any T: at T = 20 the last β would be 1. It is refused there.

Sources: Ho et al., arXiv:2006.11239, section 2 and 4; Nichol and Dhariwal, arXiv:2102.09672, equation (17); Jabri et
al., arXiv:2212.11972, algorithm 2; Kingma et al., Variational Diffusion Models, arXiv:2107.00630, for (3).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.numbers import require_int

NEAR = 0.01  # nats a dimension: what (4) may be, for x_0² = 1, before x_T counts as far from the prior


class PriorGap(UserWarning):
    """x_T is far from N(0, I), from which samples start."""


class Schedule:
    """β_1 … β_T, and what follows from them; all arrays are float64, of length T + 1, indexed by t.

    Args:
        betas: β_1 … β_T, (T,); T = 1 will do.

    Attributes:
        T: the number of steps.
        betas: β_t; 0 at t = 0, to which no step leads.
        alphas_cumprod: ᾱ_t (2).
        noise_variance: 1 − ᾱ_t.
        log_snr: log SNR_t (3); inf at t = 0.

    Raises:
        TypeError: for betas that are no numbers.
        ValueError: for another shape, or none of them; for a β that is not between 0 and 1, with its t.

    >>> Schedule([0.1, 0.5]).alphas_cumprod
    array([1.  , 0.9 , 0.45])
    """

    def __init__(self, betas: Any) -> None:
        betas = np.asarray(unmasked("betas", betas))
        if betas.dtype.kind not in "iuf":
            raise TypeError(f"betas is {betas.dtype}; it must be numbers between 0 and 1")
        if betas.ndim != 1 or not betas.size:
            raise ValueError(f"betas has shape {betas.shape}; it must be (T,), with at least one step")
        betas = betas.astype(np.float64)
        require("betas", betas, lambda beta: (beta > 0) & (beta < 1), "0 < beta < 1, where index i is step t = i + 1")
        log_alphas_cumprod = np.cumsum(np.log1p(-betas))
        self.T = len(betas)
        self.betas = np.concatenate([[0.0], betas])
        self.alphas_cumprod = np.concatenate([[1.0], np.exp(log_alphas_cumprod)])
        self.noise_variance = np.concatenate([[0.0], -np.expm1(log_alphas_cumprod)])
        self.log_snr = np.concatenate([[np.inf], log_alphas_cumprod - np.log(self.noise_variance[1:])])

    def prior_kl(self, x0: Any) -> np.ndarray:
        """KL(q(x_T | x_0) ‖ N(0, I)) (4) in nats, (B,) for x_0 (B, …).

        >>> Schedule([0.5, 0.5]).prior_kl(np.array([[1.0, 1.0], [3.0, 0.0]])).round(4)
        array([0.2877, 1.1627])
        """
        squares = np.square(np.asarray(x0, np.float64)).reshape(len(x0), -1) - 1.0
        signal = self.alphas_cumprod[-1]
        return 0.5 * np.sum(signal * squares - np.log1p(-signal), axis=1)

    def part(self, times: Sequence[int] | np.ndarray) -> Schedule:
        """The schedule that has only these of the steps: from each, s, it jumps to the next, t, by β_t = 1 − ᾱ_t / ᾱ_s.

        Args:
            times: the steps that stay, increasing, from 1 to T. A network has to be told these, and not their numbers.

        Raises:
            TypeError, ValueError: as ``require_steps``.

        >>> Schedule([0.1, 0.5, 0.5]).part([1, 3]).betas
        array([0.  , 0.1 , 0.75])
        """
        log_signal = np.log(self.alphas_cumprod[np.concatenate([[0], require_steps(times, self.T)])])
        return Schedule(-np.expm1(np.diff(log_signal)))

    def __repr__(self) -> str:
        nats = self.prior_kl(np.ones((1, 1)))[0]
        return (
            f"Schedule(T={self.T}, log SNR from {self.log_snr[1]:.2f} to {self.log_snr[-1]:.2f}, "
            f"x_T from the prior: {nats:.2g} nats a dimension)"
        )


def require_steps(times: Any, T: int) -> np.ndarray:
    """The steps of a sampler as an array, if they are some of 1 … T in increasing order.

    Raises:
        TypeError: for what are no integers.
        ValueError: for none, more than T, others than 1 … T, or in another order; with index and value.

    >>> require_steps([1, 5], 4)
    Traceback (most recent call last):
    ValueError: times has 5 at (1,); 1 of 2 values: steps are 1 to 4
    """
    times = np.asarray(unmasked("times", times))
    if times.dtype.kind not in "iu":
        raise TypeError(f"times is {times.dtype}; steps are integers from 1 to {T}")
    if times.ndim != 1 or not 0 < len(times) <= T:
        raise ValueError(f"times has shape {times.shape}; there must be at least 1 and at most T={T} of them")
    require("times", times, lambda t: (t >= 1) & (t <= T), f"steps are 1 to {T}")
    falls = np.flatnonzero(np.diff(times) <= 0)
    if len(falls):
        i = int(falls[0])
        raise ValueError(f"times has {times[i]} at {i} and {times[i + 1]} after it; they must increase")
    return times


def linear(T: int, first: float | None = None, last: float | None = None) -> Schedule:
    """β from ``first`` to ``last`` in equal steps (5).

    Args:
        T: the number of steps.
        first, last: β_1 and β_T; by default those of Ho et al., times 1000/T.

    Raises:
        TypeError, ValueError: for T that is no int, or less than 1; where the rescaled β_T would be 1 or more.

    Warns:
        PriorGap: where x_T is far from N(0, I), as with the unscaled numbers and a small T.

    >>> linear(1000)
    Schedule(T=1000, log SNR from 9.21 to -10.12, x_T from the prior: 2e-05 nats a dimension)
    >>> linear(20)
    Traceback (most recent call last):
    ValueError: T is 20: the last beta, 0.02 · 1000/T, would be 1; take T > 20, another schedule, or give first and last
    """
    require_int("T", T)
    scale = 1000.0 / T
    if last is None and 0.02 * scale >= 1.0:
        raise ValueError(
            f"T is {T}: the last beta, 0.02 · 1000/T, would be {0.02 * scale:.3g}; "
            "take T > 20, another schedule, or give first and last"
        )
    first, last = (1e-4 * scale if first is None else first), (0.02 * scale if last is None else last)
    return near_prior(Schedule(np.linspace(first, last, T)))


def cosine(T: int, offset: float = 0.008, most: float = 0.999) -> Schedule:
    """The cosine schedule (6): ᾱ_t falls almost linearly in the middle, and little at both ends.

    At the end 1/√ᾱ_T is about 20,000 for T = 1000: what a network gets wrong in ε becomes that many times as wrong in
    x_0. A network that predicts v has no such factor.

    Args:
        T: the number of steps.
        offset: s, which keeps the first steps from being too small.
        most: the largest β.

    Raises:
        TypeError, ValueError: for T that is no int, or less than 1; for most or offset out of range.

    >>> cosine(4).alphas_cumprod.round(3)
    array([1.   , 0.847, 0.494, 0.144, 0.   ])
    """
    require_int("T", T)
    if not offset >= 0:
        raise ValueError(f"offset is {offset}; it must be at least 0")
    u = (np.arange(T + 1) / T + offset) / (1 + offset)
    return near_prior(from_signal(np.square(np.cos(0.5 * np.pi * u)), most))


def sigmoid(T: int, start: float = -3.0, end: float = 3.0, most: float = 0.999) -> Schedule:
    """The sigmoid schedule (7): steps are smallest at both ends.

    Args:
        T: the number of steps.
        start, end: of the exponent in f, −3 and 3 in (7); the further apart, the longer the flat ends.
        most: the largest β.

    Raises:
        TypeError, ValueError: for T that is no int, or less than 1; for start ≥ end; for most out of range.

    >>> sigmoid(4).alphas_cumprod.round(3)
    array([1.   , 0.851, 0.5  , 0.149, 0.   ])
    """
    from scipy.special import expit

    require_int("T", T)
    if not start < end:
        raise ValueError(f"start is {start} and end {end}; start must be less")
    fall = expit(-(start + (end - start) * np.arange(T + 1) / T))
    return near_prior(from_signal((fall - fall[-1]) / (fall[0] - fall[-1]), most))


def even_log_snr(T: int, high: float, low: float = -7.0) -> Schedule:
    """The schedule (8), whose ends are chosen: at t = 1 the noise has to be below the finest structure of the data.

    Args:
        T: the number of steps.
        high, low: log SNR at t = 1 and at t = T.

    Raises:
        TypeError, ValueError: for T that is no int, or less than 1; for high that is not above low.

    >>> even_log_snr(3, 2.0, -6.0).log_snr[1:].round(6)
    array([ 2., -2., -6.])
    """
    require_int("T", T)
    if not high > low:
        raise ValueError(f"high is {high} and low {low}; high must be more")
    signal = 1.0 / (1.0 + np.exp(-np.linspace(high, low, T)))
    return near_prior(Schedule(1.0 - signal / np.concatenate([[1.0], signal[:-1]])))


def from_signal(signal: np.ndarray, most: float) -> Schedule:
    """The schedule whose ᾱ_t falls as ``signal`` does, (T + 1,), with no β above ``most``."""
    if not 0 < most < 1:
        raise ValueError(f"most is {most}; it must be above 0 and below 1")
    return Schedule(np.minimum(1.0 - signal[1:] / signal[:-1], most))


def near_prior(schedule: Schedule) -> Schedule:
    """The schedule, with a warning if (4) is above 0.01 nats a dimension for x_0² = 1."""
    nats = float(schedule.prior_kl(np.ones((1, 1)))[0])
    if nats > NEAR:
        warnings.warn(
            f"x_T is {nats:.3g} nats a dimension from N(0, I), from which samples start: take more steps, or larger "
            "betas",
            PriorGap,
            stacklevel=3,
        )
    return schedule
