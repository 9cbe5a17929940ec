"""How a graph comes about: compute an operation, and remember it.

``record`` is what every operator and every NumPy function ends in when it meets a Tensor. ``derivative`` and
``custom_rule`` connect functions to it: NumPy's own through its dispatch, others by a wrapper.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff.chain_rule import check_finite
from scratchgen.autodiff.modes import looking_for_anomalies, recording
from scratchgen.autodiff.operations import FUNCTIONS, Operation, operation, parameters
from scratchgen.autodiff.tensor import Tensor, clock

# Looked up once, not in every operation, since an operation on a few numbers takes less than a microsecond.
ndarray, new = np.ndarray, object.__new__
is_recording, is_watchful = recording.get, looking_for_anomalies.get
NO_OPTIONS: dict[str, Any] = {}
TAKES_ANY = 0x04  # the flag of a function with *args, inspect.CO_VARARGS

# On Linux the C library returns a freed array of 128 kB or more to the system, and the next one costs a page fault for
# every 4 kB. Once it has seen a larger one freed it keeps them: that took a third off steps on arrays of 256 kB.
np.empty(30 * 2**20, np.uint8)


def record(op: Operation, args: tuple[Any, ...], options: dict[str, Any] = NO_OPTIONS) -> Tensor:
    """Compute ``op`` on the arrays in ``args``; if one of them needs a gradient, remember how the result was made.

    Raises:
        TypeError: for an argument or option without a rule, or if the result would have another dtype than the Tensors.

    >>> x = Tensor(2.0, requires_grad=True)
    >>> y = x * 3.0                               # record(OPERATIONS["multiply"], (x, 3.0))
    >>> y.op, y.args, [parent is x for _, parent in y.parents]
    (Operation(multiply), [array(2.), 3.0], [True])
    """
    if len(args) > op.most_args or (options and not options.keys() <= op.options):
        raise TypeError(refused_arguments(op, args, options))
    arrays: list[Any] = []
    dtype, needed, mixed = None, False, False
    for a in args:
        if type(a) is Tensor:
            needed = needed or a.requires_grad
            a = a._data
            if dtype is None:
                dtype = a.dtype
            elif a.dtype is not dtype and a.dtype != dtype:
                mixed = True
        elif type(a) is not ndarray:
            a = plain_operand(a, op.rules[len(arrays)] is not None)
        arrays.append(a)
    remember = needed and is_recording()
    if remember and op.keep is not None:
        y, kept = op.keep(*arrays, **options)
        options = {**options, "kept": kept}
    else:
        y = op.forward(*arrays, **options) if options else op.forward(*arrays)
    if type(y) is not ndarray:
        y = np.asarray(y)
    if mixed or (y.dtype is not dtype and y.dtype != dtype and not op.casts):
        raise TypeError(mixed_dtypes(op, arrays))
    if is_watchful():
        check_finite(y, f"the forward pass of {op.name}", arrays)
    t = new(Tensor)
    t._data, t.grad, t.number = y, None, next(clock)
    if remember:
        t.requires_grad, t.op, t.inputs, t.args, t.options = True, op, args, arrays, options
        if op.partial:
            refuse_without_rule(t)
    else:
        t.requires_grad, t.op, t.inputs, t.args, t.options = False, None, (), None, NO_OPTIONS
    return t


def plain_operand(a: Any, differentiable: bool) -> Any:
    """What is neither Tensor nor array. NumPy's scalars become Python's, which take the dtype of what they meet.

    A list is an array where it is an operand, not an index or a shape.

    Raises:
        TypeError: for masked arrays, whose mask would be lost, and matrices, whose product is another.
    """
    if isinstance(a, np.generic):
        return a.item()
    if isinstance(a, np.matrix) or hasattr(a, "mask"):
        raise TypeError(f"{type(a).__name__} does not take part in a graph: use a plain array, for its mask np.where")
    return np.asarray(a) if type(a) is list and differentiable else a


def refuse_without_rule(t: Tensor) -> None:
    """Refuse a gradient that would have to flow through an argument without a rule."""
    for i, (rule, a) in enumerate(zip(t.op.rules, t.inputs)):
        if rule is None and type(a) is Tensor and a.requires_grad:
            raise TypeError(f"{t.op.name} has no derivative rule for argument {i}; pass it as an array, with .data")


def refused_arguments(op: Operation, args: tuple[Any, ...], options: dict[str, Any]) -> str:
    """The message for arguments that the rules of ``op`` do not know."""
    unknown = sorted(set(options) - op.options)
    what = f"the option {', '.join(unknown)}" if unknown else f"{len(args)} positional arguments"
    return f"{op.name} has no derivative rule with {what}; its rules know of {', '.join(sorted(op.options))}"


def mixed_dtypes(op: Operation, args: Sequence[Any]) -> str:
    """The message for float32 that would silently become float64."""
    kinds = [getattr(a, "dtype", type(a).__name__) for a in args]
    got = ", ".join(f"argument {i} is {kind}" for i, kind in enumerate(kinds))
    return f"{op.name}: {got}. Convert with .astype, so that all have one float dtype"


def on_tensors(op: Operation) -> Callable[..., Any]:
    """``op`` as a function for NumPy's dispatch."""

    def function(*args: Any, **options: Any) -> Tensor:
        if not options:
            return record(op, args)
        if any(type(value) is Tensor for value in options.values()):
            args, options = as_positional(op, args, options)
        return record(op, args, options)

    return function


def as_positional(
    op: Operation, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Move Tensors given by name, as in ``np.clip(a=x, …)``, to their positions, with the defaults before them."""
    import inspect

    parameters = inspect.signature(op.forward).parameters
    given = inspect.signature(op.forward).bind(*args, **options).arguments
    last = max(i for i, name in enumerate(parameters) if type(given.get(name)) is Tensor)
    leading = {name: given.get(name, parameters[name].default) for name in list(parameters)[: last + 1]}
    return tuple(leading.values()), {name: value for name, value in given.items() if name not in leading}


def derivative(function: Callable[..., Any], *rules: Any, prepare: Any = None) -> None:
    """Enter the rules of a NumPy or SciPy function into the table: one per argument, None where there is none."""
    FUNCTIONS[function] = on_tensors(operation(function, rules, prepare))


def custom_rule(
    *rules: Any, prepare: Any = None, keep: Any = None, casts: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a function of your own its own derivative rules, one per argument.

    A rule is called as ``rule(g, y, *args, **options)`` with the cotangent g = dL/dy, the output y and the function's
    arguments, and returns dL/d(argument). Write it in NumPy, and it will serve for second derivatives too. None marks
    an argument without a derivative. On plain arrays the function stays what it was. ``prepare``, if given, turns g
    into what all rules start from. ``keep``, if given, takes the function's arguments to its result and an intermediate
    one, which ``prepare`` and the rules get as ``kept``; None in the place of it says to compute it again, as for
    second derivatives. ``casts`` allows a result of another dtype.

    >>> @custom_rule(lambda g, y, x: g * 3 * x * x)
    ... def cube(x):
    ...     return x * x * x
    >>> x = Tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> float(x.grad)
    12.0
    """

    for rule in rules:
        if rule is not None and len(parameters(rule)[0]) < 3 and not rule.__code__.co_flags & TAKES_ANY:
            raise TypeError(
                f"a rule takes g, y and the arguments, as lambda g, y, x: …; this one takes {parameters(rule)[0]}. "
                "It is given as @custom_rule(rule, …)"
            )
    if not any(rules):
        raise TypeError("custom_rule needs at least one rule: @custom_rule(lambda g, y, x: …)")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        op = operation(function, rules, prepare, keep, casts)

        @functools.wraps(function)
        def wrapped(*args: Any, **options: Any) -> Any:
            if options and any(type(value) is Tensor for value in options.values()):
                return record(op, *as_positional(op, args, options))
            for a in args:
                if type(a) is Tensor:
                    return record(op, args, options)
            return function(*args, **options)

        return wrapped

    return decorate


def on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` on the values of its Tensors: for comparisons, argmax and the like, which have no derivative."""

    def plain(x: Any) -> Any:
        if type(x) is Tensor:
            return x._data
        return type(x)(plain(item) for item in x) if type(x) in (list, tuple) else x

    def wrapped(*args: Any, **options: Any) -> Any:
        return function(*plain(args), **{name: plain(value) for name, value in options.items()})

    return wrapped
