"""What the models of diffusion are given, checked where it is given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.distributions.arguments import array_of, require, require_noise, unmasked
from scratchgen.distributions.distribution import values
from scratchgen.random import Rng, generator

ROUNDING = 1e-9  # by which a time may miss an end of [0, 1]: the sum of many steps does


def times_of(t: Any) -> np.ndarray:
    """The times t as float64, a number or (B,), if they are between 0 (data) and 1 (noise).

    Raises:
        ValueError: for another time, with its index; for NaN; for more than one axis.

    >>> times_of(50)
    Traceback (most recent call last):
    ValueError: t is 50; the time of an SDE goes from 0, data, to 1, noise: step / steps?
    """
    t = np.asarray(values(t), np.float64)
    if t.ndim > 1:
        raise ValueError(f"t has shape {t.shape}; it must be a number, or (B,), one for each row of x")
    good = (t >= -ROUNDING) & (t <= 1 + ROUNDING)
    if not good.all():
        i = int(np.argmin(good))
        which, value = (f"t[{i}]", t[i]) if t.ndim else ("t", t)
        raise ValueError(f"{which} is {value:g}; the time of an SDE goes from 0, data, to 1, noise: step / steps?")
    return np.clip(t, 0.0, 1.0)


def beside(value: Any, x: Any) -> np.ndarray:
    """A number for all x, or one for each row, (B,), in the dtype of x and with axes to be multiplied with it.

    Raises:
        ValueError: for another number of rows.

    >>> beside(np.array([1.0, 2.0]), np.zeros((2, 3), np.float32))
    array([[1.],
           [2.]], dtype=float32)
    """
    value = np.asarray(value, x.dtype)
    if value.ndim == 0:
        return value
    if value.shape != x.shape[:1]:
        raise ValueError(f"t has shape {value.shape} and x {x.shape}; there must be one t, or one for each row of x")
    return value.reshape(-1, *(1,) * (x.ndim - 1))


def batch_of_floats(x: Any) -> np.ndarray:
    """x as a plain array, if it is a batch (B, …) of finite floats.

    Raises:
        TypeError: for another dtype than float32 and float64; for a masked array.
        ValueError: for a single number; for NaN or inf, with the index.

    >>> batch_of_floats(1.0)
    Traceback (most recent call last):
    ValueError: x has shape (); it must be a batch, with one row for each example
    """
    x = array_of("x", values(unmasked("x", x)))
    if not x.ndim:
        raise ValueError("x has shape (); it must be a batch, with one row for each example")
    require("x", x, np.isfinite, "it must be finite")
    return x


def noise_for(x: Any, rng: Rng | None, noise: Any) -> Any:
    """ε of the shape of x: what was given, once it is known to fit, or else drawn.

    Raises:
        TypeError: without either; for noise of another dtype.
        ValueError: for noise of another shape; for NaN or inf in it.
    """
    if noise is not None:
        return require_noise(noise, (), x.shape, x.dtype)
    if rng is None:
        raise TypeError("give rng, or the noise itself")
    return generator(rng).standard_normal(x.shape, dtype=x.dtype)


def require_rows(x: Any) -> None:
    """Refuses an empty batch, of which there is no mean.

    Raises:
        ValueError: for 0 rows.

    >>> require_rows([])
    Traceback (most recent call last):
    ValueError: x has 0 rows; a mean over the batch needs at least 1
    """
    if len(x) == 0:
        raise ValueError("x has 0 rows; a mean over the batch needs at least 1")


def require_between(name: str, value: Any, low: float, high: float = math.inf, least: bool = False) -> float:
    """``value`` as a float, if it is a number above ``low``, or ``low`` itself with ``least``, and below ``high``.

    Raises:
        TypeError, ValueError: with the value.

    >>> require_between("snr", 0.0, 0, 1)
    Traceback (most recent call last):
    ValueError: snr is 0.0; it must be above 0 and below 1
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} is {value!r}; it must be a number")
    if not (low < value < high or (least and value == low)):
        bound = f"below {high:g}" if high < math.inf else "finite"
        raise ValueError(f"{name} is {value}; it must be {'at least' if least else 'above'} {low:g} and {bound}")
    return float(value)


def steps_of(t: Any, rows: int, T: int) -> np.ndarray:
    """The step of each row, (B,), of one int for all of them or of B.

    Raises:
        TypeError: for what are no integers.
        ValueError: for another number of them; for a step that is not from 1 to T, with its index.

    >>> steps_of(3, 2, T=10), steps_of(np.array([1, 10]), 2, T=10)
    (array([3, 3]), array([ 1, 10]))
    >>> steps_of(0, 2, T=10)
    Traceback (most recent call last):
    ValueError: t has 0 at (); 1 of 1 values: steps are 1 to 10
    """
    t = np.asarray(unmasked("t", t))
    if t.dtype.kind not in "iu":
        raise TypeError(f"t is {t.dtype}; steps are integers from 1 to {T}")
    if t.shape not in ((), (rows,)):
        raise ValueError(f"t has shape {t.shape}; it must be one step, or ({rows},), one for each row")
    require("t", t, lambda step: (step >= 1) & (step <= T), f"steps are 1 to {T}")
    return np.broadcast_to(t, (rows,))
