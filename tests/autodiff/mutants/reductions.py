"""Wrong rules for ``autodiff.reductions``."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.operations import Rule
from scratchgen.autodiff.reductions import centred, product_before, product_of_others, reduced, restore
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import instead, on_raw_y, raw


def scaled(factor: Any) -> Any:
    """The right rule times ``factor(g, y, x, **options)``."""
    return lambda right: lambda g, y, x, *axis, **options: right(g, y, x, *axis, **options) * factor(y, x)


def on_raw_x(right: Rule) -> Rule:
    """The right rule, with x taken as a constant."""
    return lambda g, y, x, *axis, **options: right(g, y, raw(x), *axis, **options)


def with_options(**changed: Any) -> Any:
    """The right rule, with other options than were given."""
    return lambda right: lambda g, y, x, *axis, **options: right(g, y, x, *axis, **{**options, **changed})


def without_the_mean_of_axis(
    g: Any, y: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False
) -> Any:
    return restore(g, x, axis) * (x - np.mean(x)) * 2.0 / (reduced(x, y) - ddof)


def detached_mean(g: Any, y: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return restore(g, x, axis) * (x - np.mean(raw(x), axis=axis, keepdims=True)) * 2.0 / (reduced(x, y) - ddof)


def uncentred(g: Any, y: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return restore(g, x, axis) * x * 2.0 / (reduced(x, y) - ddof)


def std_with_epsilon(g: Any, y: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return restore(g / (y + 1e-6), x, axis) * centred(x, axis) / (reduced(x, y) - ddof)


def as_if_it_were_var(g: Any, y: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return restore(g, x, axis) * centred(x, axis) * 2.0 / (reduced(x, y) - ddof)


def misplaced_axis(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Puts the reduced axis back at the end, wherever it was."""
    return np.broadcast_to(g if g.ndim in (0, x.ndim) else g[..., None], x.shape)


def extreme_of_all(extreme: Any) -> Rule:
    """Finds the largest of the whole array."""
    return lambda g, y, x, axis=None, *, keepdims=False: restore(g, x, axis) * (x == extreme(raw(x))).astype(x.dtype)


def other_extreme(extreme: Any) -> Rule:
    def rule(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        return restore(g, x, axis) * (x == extreme(raw(x), axis=axis, keepdims=True)).astype(x.dtype)

    return rule


def smooth_extreme(sign: float) -> Rule:
    def rule(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        p = np.exp(sign * 10.0 * (x - restore(y, x, axis)))
        return restore(g, x, axis) * p / np.sum(p, axis=axis, keepdims=True)

    return rule


def normalised_over_all(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    p = np.exp(x - np.max(raw(x)))
    return restore(g, x, axis) * p / np.sum(p)


def softmax_with_epsilon(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    p = np.exp(x - np.max(raw(x), axis=axis, keepdims=True))
    return restore(g, x, axis) * p / (np.sum(p, axis=axis, keepdims=True) + 1e-8)


def unnormalised(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return restore(g, x, axis) * np.exp(np.minimum(x, 100.0))


def exclusive_cumsum(right: Rule) -> Rule:
    return lambda g, y, x, axis=None: right(g, y, x, axis=axis) - np.reshape(g, x.shape)


def divided_by_x(epsilon: float) -> Rule:
    """y / x is the product of the others, but at x = 0."""

    def rule(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        with np.errstate(all="ignore"):
            return restore(g * y, x, axis) / (x + epsilon)

    return rule


def zero_at_zero(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return restore(g * y, x, axis) / np.where(x == 0, 1.0, x)


def only_the_first_axis(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    first = 0 if axis is None else int(np.ravel(axis)[0]) if np.size(axis) else None
    return restore(g, x, axis) * (product_of_others(x, first) if x.ndim and first is not None else 1.0)


def cumprod_divided_by_x(epsilon: float) -> Rule:
    """Σ_{k≥i} g_k y_k / x_i, the textbook form, which fails at x_i = 0."""

    def rule(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
        with np.errstate(all="ignore"):
            return np.reshape(np.flip(np.cumsum(np.flip(g * y, axis), axis), axis), x.shape) / (x + epsilon)

    return rule


def cumprod_not_reversed(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    return np.reshape(np.cumsum(g * y, axis), x.shape) / np.where(x == 0, 1.0, x)


def only_what_came_before(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.reshape(only_what_came_before(g, y, np.ravel(x), 0), x.shape)
    return g * np.moveaxis(product_before(np.moveaxis(x, axis, -1)), -1, axis)


def accumulated_along_another_axis(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    g, axis = np.reshape(g, x.shape), 0 if axis is None else (axis + 1) % max(x.ndim, 1)
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis) if x.ndim else g


MUTANTS = [
    Mutant("sum", 0, "wrong count", scaled(lambda y, x: 1 / reduced(x, y))),
    Mutant("sum", 0, "wrong index", instead(misplaced_axis)),
    Mutant("mean", 0, "wrong count", scaled(lambda y, x: reduced(x, y))),
    Mutant("mean", 0, "wrong count", scaled(lambda y, x: reduced(x, y) / (x.shape or (1,))[0])),
    Mutant("mean", 0, "wrong count", scaled(lambda y, x: reduced(x, y) / max(x.size, 1))),
    Mutant("var", 0, "wrong count", with_options(ddof=0)),
    Mutant("var", 0, "wrong count", scaled(lambda y, x: reduced(x, y) / (reduced(x, y) + 1))),
    Mutant("var", 0, "missing term", instead(uncentred)),
    Mutant("var", 0, "wrong index", instead(without_the_mean_of_axis)),
    Mutant("var", 0, "detached", instead(detached_mean)),
    Mutant("std", 0, "wrong count", with_options(ddof=0)),
    Mutant("std", 0, "epsilon", instead(std_with_epsilon)),
    Mutant("std", 0, "missing term", instead(as_if_it_were_var)),
    Mutant("std", 0, "detached", on_raw_y),
    Mutant("max", 0, "wrong branch", instead(other_extreme(np.min))),
    Mutant("max", 0, "wrong index", instead(extreme_of_all(np.max))),
    Mutant("max", 0, "wrong", instead(smooth_extreme(1.0))),
    Mutant("min", 0, "wrong branch", instead(other_extreme(np.max))),
    Mutant("min", 0, "wrong index", instead(extreme_of_all(np.min))),
    Mutant("min", 0, "wrong", instead(smooth_extreme(-1.0))),
    Mutant("logsumexp", 0, "missing term", instead(unnormalised)),
    Mutant("logsumexp", 0, "epsilon", instead(softmax_with_epsilon)),
    Mutant("logsumexp", 0, "wrong index", instead(normalised_over_all)),
    Mutant("logsumexp", 0, "raw data", on_raw_x),
    Mutant("cumsum", 0, "not reversed", instead(lambda g, y, x, axis=None: np.reshape(np.cumsum(g, axis), x.shape))),
    Mutant("cumsum", 0, "missing term", exclusive_cumsum),
    Mutant("cumsum", 0, "wrong index", instead(accumulated_along_another_axis)),
    Mutant("prod", 0, "NaN", instead(divided_by_x(0.0))),
    Mutant("prod", 0, "epsilon", instead(divided_by_x(1e-9))),
    Mutant("prod", 0, "wrong branch", instead(zero_at_zero)),
    Mutant("prod", 0, "missing term", instead(only_the_first_axis)),
    Mutant("prod", 0, "raw data", on_raw_x),
    Mutant("cumprod", 0, "NaN", instead(cumprod_divided_by_x(0.0))),
    Mutant("cumprod", 0, "epsilon", instead(cumprod_divided_by_x(1e-9))),
    Mutant("cumprod", 0, "not reversed", instead(cumprod_not_reversed)),
    Mutant("cumprod", 0, "missing term", instead(only_what_came_before)),
    Mutant("cumprod", 0, "raw data", on_raw_x),
]
