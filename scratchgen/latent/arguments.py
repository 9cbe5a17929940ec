"""What a latent-variable model is given, checked where it is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Distribution
from scratchgen.distributions.arguments import floats, require, unmasked
from scratchgen.distributions.numbers import require_int

Shape = tuple[int, ...]


def shape_of_event(event_shape: int | Shape) -> Shape:
    """The shape of one x; 64 is (64,).

    Raises:
        TypeError: for sizes that are no ints.
        ValueError: for sizes less than 1, or none.

    >>> shape_of_event(64), shape_of_event((8, 8, 1))
    ((64,), (8, 8, 1))
    """
    sizes = tuple(event_shape) if isinstance(event_shape, (tuple, list)) else (event_shape,)
    if not sizes:
        raise ValueError("event_shape is (); x needs at least one axis: (1,) for a number")
    for axis, size in enumerate(sizes):
        require_int(f"event_shape[{axis}]", size)
    return tuple(int(size) for size in sizes)


def require_rows(x: Any, what: str, least: int = 1) -> None:
    """Refuse a batch with too few rows for what is computed from it: a mean over no rows is NaN.

    Raises:
        ValueError: with the number of rows; for a single number.

    >>> require_rows(np.zeros((0, 3)), "a mean over the batch")
    Traceback (most recent call last):
    ValueError: x has 0 rows; a mean over the batch needs at least 1
    """
    if not np.shape(x):
        raise ValueError("x has shape (); it must be a batch, with one row for each example")
    if len(x) < least:
        raise ValueError(f"x has {len(x)} rows; {what} needs at least {least}")


def batch_of(x: Any, event_shape: Shape) -> Any:
    """x as a Tensor or array, if it is a batch (B, *event_shape), of any dtype.

    Raises:
        TypeError: for a masked array.
        ValueError: with both shapes.

    >>> batch_of(np.zeros(3), (3,))
    Traceback (most recent call last):
    ValueError: x has shape (3,); it must be (B, 3); one x is x[None]
    """
    if not isinstance(x, Tensor):
        x = np.asarray(unmasked("x", x))
    if x.ndim == 0 or x.shape[1:] != event_shape:
        expected = f"({', '.join(['B', *map(str, event_shape)])}{'' if event_shape else ','})"
        hint = "; one x is x[None]" if x.shape == event_shape else ""
        raise ValueError(f"x has shape {x.shape}; it must be {expected}{hint}")
    return x


def log_noise(noise: np.ndarray) -> np.ndarray:
    """The logarithm of variances of noise that were fitted, if all are above 0.

    Raises:
        ValueError: where the noise is 0, and the likelihood infinite.

    >>> log_noise(np.array(0.0))
    Traceback (most recent call last):
    ValueError: the noise that fits x best is 0, and the likelihood infinite: take more rows of x, or a smaller latent
    """
    if not np.all(noise > 0):
        raise ValueError(
            "the noise that fits x best is 0, and the likelihood infinite: take more rows of x, or a smaller latent"
        )
    return np.log(noise)


def require_vectors(x: Any, size: int, dtype: np.dtype) -> Any:
    """x, if it is a batch (B, size) of finite vectors of that dtype.

    Raises:
        TypeError: for another dtype; for a masked array.
        ValueError: for another shape; for NaN or inf in a plain array.

    >>> require_vectors(np.zeros(3), 3, np.dtype(np.float64))
    Traceback (most recent call last):
    ValueError: x has shape (3,); it must be (B, 3); one x is x[None]
    """
    x = floats("x", x, dtype)
    if x.ndim != 2 or x.shape[1] != size:
        hint = ""
        if x.ndim == 1:
            hint = "; did you mean x[:, None]?" if size == 1 else "; one x is x[None]" if len(x) == size else ""
        raise ValueError(f"x has shape {x.shape}; it must be (B, {size}){hint}")
    require("x", x, np.isfinite, "it must be finite")
    return x


def require_codes(what: str, p: Distribution, batch_shape: Shape, latent: int) -> Distribution:
    """p, if it is a batch of this shape of distributions of z, vectors of length ``latent``.

    Raises:
        ValueError: with both shapes.

    >>> from scratchgen.distributions import Normal
    >>> require_codes("q", Normal(np.zeros((5, 2)), 0.0), (5,), 2)
    Traceback (most recent call last):
    ValueError: q gives Normal(batch_shape=(5, 2), event_shape=()); here batch_shape must be (5,) and event_shape (2,)
    """
    if p.batch_shape != batch_shape or p.event_shape != (latent,):
        raise ValueError(f"{what} gives {p}; here batch_shape must be {batch_shape} and event_shape ({latent},)")
    return p


def require_for_each(q: Distribution, x: Any) -> None:
    """Refuse a q that is not one distribution for each row of x.

    Raises:
        ValueError: with both.
    """
    if q.batch_shape != (len(x),):
        raise ValueError(f"q is {q}; for {len(x)} rows of x its batch shape must be ({len(x)},)")


def require_variance(x: np.ndarray) -> None:
    """Refuse columns that are constant, where a variance that is fitted to each would become 0.

    Raises:
        ValueError: with their numbers.

    >>> require_variance(np.array([[1.0, 2.0], [1.0, 3.0]]))
    Traceback (most recent call last):
    ValueError: columns [0] of x have zero variance: the density there would be infinite; leave them out
    """
    constant = np.flatnonzero(np.ptp(x, axis=0) == 0)
    if constant.size:
        raise ValueError(
            f"columns {constant.tolist()} of x have zero variance: the density there would be infinite; leave them out"
        )
