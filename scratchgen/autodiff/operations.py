"""What the engine knows of a function: how to compute it, and one derivative rule per argument.

For y = f(x_0, x_1, …) and a scalar L further on, the *cotangent* of y is g = dL/dy, an array of the shape of y.
The rule of argument i turns it into the cotangent of x_i:

    rule_i(g, y, x_0, x_1, …) = (dy/dx_i)ᵀ g          (1)

In words: the rule is the *adjoint* of the derivative. With ⟨a, b⟩ = Σ a_i b_i, the adjoint of a linear map A is the
map Aᵀ for which ⟨A x, g⟩ = ⟨x, Aᵀ g⟩ for all x and g; for a matrix it is the transpose.

A rule is written in NumPy. Handed plain arrays it computes at NumPy's speed; handed Tensors its operations are recorded
in turn, which is how derivatives of any order come from one set of rules. So a rule never looks inside a Tensor.

The rules themselves stand in the tables beside this file: ``elementwise``, ``shapes``, ``reductions`` and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

Rule = Callable[..., Any]


class Each:
    """The rules of a function of any number of arrays, such as ``np.concatenate``: ``Each(make)[i]`` is ``make(i)``."""

    def __init__(self, make: Callable[[int], Rule]) -> None:
        self.make = make

    def __getitem__(self, argument: int) -> Rule:
        return self.make(argument)


class Operation:
    """A function on arrays, and the rule (1) of each of its arguments.

    ``rules[i]`` belongs to positional argument i; None means that no derivative is defined there. With ``prepare``,
    every rule gets ``prepare(g, y, x_0, …)`` as its first argument in the place of g: what they share is computed
    once. ``keep`` stands in for ``forward`` where a gradient is needed: it gives y *and* an intermediate result, such
    as the σ(x) of silu, which ``prepare`` and the rules then find in their option ``kept``. Where that is None, as for
    second derivatives, they compute it again. ``casts`` allows a result of another dtype than the input.
    """

    __slots__ = ("casts", "forward", "keep", "most_args", "name", "options", "partial", "prepare", "rules")

    rules: Sequence[Rule | None] | Each

    def __init__(
        self,
        forward: Callable[..., Any],
        rules: Sequence[Rule | None] | Each,
        prepare: Rule | None = None,
        keep: Callable[..., tuple[Any, Any]] | None = None,
        casts: bool = False,
        name: str | None = None,
    ) -> None:
        self.name, self.forward, self.casts = name or forward.__name__, forward, casts
        self.prepare, self.keep = prepare, keep
        # What a rule does not know of must not be given, or NumPy's where= and dtype= would slip past it.
        known = rules[0] if isinstance(rules, Each) else next(rule for rule in rules if rule is not None)
        positional, by_name = parameters(known)
        self.options = {*positional[2:], *by_name} - {"kept"}  # without g and y
        if isinstance(rules, Each):
            self.rules, self.most_args, self.partial = rules, 1_000_000, False
        else:
            self.most_args = len(positional) - 2
            self.rules = [*rules, *[None] * (self.most_args - len(rules))]
            self.partial = None in self.rules  # some argument has no rule

    def __repr__(self) -> str:
        return f"Operation({self.name})"


def parameters(rule: Rule) -> tuple[Sequence[str], Sequence[str]]:
    """The names of a rule's positional and its keyword-only parameters, much faster than by ``inspect``.

    Raises:
        TypeError: for anything but a function written in Python.
    """
    if not isinstance(rule, FunctionType):
        raise TypeError(f"a rule is a {type(rule).__name__}; it must be a function: wrap it in lambda g, y, x: …")
    code = rule.__code__
    end = code.co_argcount + code.co_kwonlyargcount
    return code.co_varnames[: code.co_argcount], code.co_varnames[code.co_argcount : end]


# Every differentiable operation of the package by name. The gradient-check suite walks it, and fails on one unchecked.
OPERATIONS: dict[str, Operation] = {}

# What NumPy's dispatch calls when a function meets a Tensor: the same function, on Tensors.
FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}


def operation(
    forward: Callable[..., Any],
    rules: Sequence[Rule | None] | Each,
    prepare: Rule | None = None,
    keep: Callable[..., tuple[Any, Any]] | None = None,
    casts: bool = False,
) -> Operation:
    """The one door: every operation is made here, and those of the package itself are entered in ``OPERATIONS``."""
    module = getattr(forward, "__module__", None) or "numpy"  # a NumPy ufunc has no module
    name = f"linalg.{forward.__name__}" if module.startswith("numpy.linalg") else forward.__name__
    made = Operation(forward, rules, prepare, keep, casts, name)
    if module.split(".")[0] in ("numpy", "scipy", "scratchgen"):
        if name in OPERATIONS and OPERATIONS[name].forward is not forward:
            raise ValueError(f"there already is an operation called {name}")
        OPERATIONS[name] = made
    return made
