"""Ways to make a right rule wrong, which fit any operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff.operations import Rule

Change = Callable[[Rule], Rule]


def raw(x: Any) -> Any:
    """The values alone: a constant to the second derivative."""
    return getattr(x, "_data", x)


def instead(rule: Rule) -> Change:
    """A wrong rule that ignores the right one."""
    return lambda right: rule


def of_result(change: Callable[[Any], Any]) -> Change:
    """The right gradient, changed."""
    return lambda right: lambda g, y, *args, **options: change(right(g, y, *args, **options))


def of_g(change: Callable[[Any], Any]) -> Change:
    """The right rule, of a changed cotangent."""
    return lambda right: lambda g, y, *args, **options: right(change(g), y, *args, **options)


def on_raw_y(right: Rule) -> Rule:
    """The right rule, with the output taken as a constant."""
    return lambda g, y, *args, **options: right(g, raw(y), *args, **options)


def on_raw_inputs(right: Rule) -> Rule:
    """The right rule, with the inputs taken as constants."""
    return lambda g, y, *args, **options: right(g, y, *map(raw, args), **options)


def on_raw_data(right: Rule) -> Rule:
    """The right rule, with the output and the inputs taken as constants."""
    return on_raw_y(on_raw_inputs(right))


def times(factor: float) -> Change:
    """The right gradient times a number."""
    return of_result(lambda dx: dx * factor)


def ones(g: Any) -> Any:
    """A cotangent that is 1 everywhere, and depends on g for its shape and dtype only."""
    return g * 0.0 + 1.0


def in_float32(dx: Any) -> Any:
    """Rounded to float32 on the way."""
    if not isinstance(dx, np.ndarray | np.generic) or np.iscomplexobj(dx):
        return dx
    return np.asarray(dx).astype(np.float32).astype(dx.dtype)


def last_zeroed(dx: Any) -> Any:
    """The last element lost."""
    mask = np.ones(dx.shape, raw(dx).dtype)
    mask[(-1,) * dx.ndim] = 0.0
    return dx * mask


def rolled(dx: Any) -> Any:
    """Every element one place further."""
    return np.roll(dx, 1)


def mean_for_sum(shape_of: int) -> Change:
    """Unbroadcasts by the mean over the axes along which argument ``shape_of`` was repeated."""
    return lambda right: (
        lambda g, y, *args, **options: collapsed(right(g, y, *args, **options), args[shape_of], np.mean)
    )


def first_for_sum(shape_of: int) -> Change:
    """Unbroadcasts by taking the first of what was repeated."""

    def first(dx: Any, axis: int, keepdims: bool) -> Any:
        return (
            np.moveaxis(dx, axis, 0)[:1] if keepdims and axis == 0 else np.take(dx, [0] if keepdims else 0, axis=axis)
        )

    return lambda right: lambda g, y, *args, **options: collapsed(right(g, y, *args, **options), args[shape_of], first)


def collapsed(dx: Any, x: Any, collapse: Callable[..., Any]) -> Any:
    """dx in the shape of x, each repeated axis collapsed."""
    while dx.ndim > np.ndim(x):
        dx = collapse(dx, axis=0, keepdims=False)
    for axis, n in enumerate(np.shape(x)):
        if n == 1 and dx.shape[axis] > 1:
            dx = collapse(dx, axis=axis, keepdims=True)
    return dx
