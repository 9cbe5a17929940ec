"""The gradient check: does the backward pass compute the derivative?

For y = f(x_0, x_1, …) with the Jacobians J_i = ∂y/∂x_i, at the inputs given:

    J_iᵀw is that of an oracle, which does not use the chain rule        first order                           (1)
    the same holds for the function x ↦ Jᵀv                              second order                          (2)
    Jᵀ(a w₁ + b w₂) = a Jᵀw₁ + b Jᵀw₂                                    linear in the cotangent               (3)
    ⟨w, J u⟩ = ⟨Jᵀw, u⟩                                                  forward and reverse mode are adjoint  (4)
    ⟨u, H w⟩ = ⟨w, H u⟩                                                  the second derivative is symmetric    (5)

and shapes, dtypes and memory are as they should be (``checking/contract.py``).

A Jacobian of at most 400 entries is compared entry by entry, a larger one along random directions and one coordinate.
All cotangents and directions have random values of both signs: ones would hide a transposed or permuted gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from scratchgen.autodiff.calculus import jvp
from scratchgen.autodiff.checking.blame import culprit
from scratchgen.autodiff.checking.comparison import ROUNDING, Comparison, compare, random_unit
from scratchgen.autodiff.checking.contract import float32_error, keeps_contract
from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.checking.subjects import Direct, Gradient, joined, size_of
from scratchgen.autodiff.tensor import Tensor

Inputs = list[np.ndarray]

METHODS = {"real": "extrapolated differences", "complex": "complex steps"}


class Report:
    """What a passed check has compared, and how well it agreed; ``print`` shows it.

    Attributes:
        compared: for each order and argument, how many numbers were compared with the oracle and how well they agreed.
        float32: the largest error of the float32 gradient against the float64 one, relative to its scale; None where
            f does not take float32.
    """

    def __init__(self, name: str, shapes: list[tuple[int, ...]], oracle: str) -> None:
        self.name, self.shapes, self.oracle = name, shapes, oracle
        self.compared: list[tuple[int, Comparison]] = []
        self.float32: float | None = None
        self.notes: list[str] = []

    @property
    def error(self) -> float:
        """The largest difference from the oracle, relative to the scale of the derivative."""
        return max((c.error for _, c in self.compared), default=0.0)

    @property
    def entries(self) -> int:
        """How many numbers were compared with the oracle."""
        return sum(c.entries for _, c in self.compared)

    def __str__(self) -> str:
        lines = [f"{self.name}({', '.join(map(str, self.shapes))}): right, by {METHODS[self.oracle]}"]
        for order, c in self.compared:
            what = "whole Jacobian" if c.full else "random directions"
            lines.append(
                f"  order {order}, argument {c.argument}: {what}, {c.entries} numbers, "
                f"largest error {c.error:.1e} of {c.allowed:.1e} allowed"
            )
        return "\n".join(lines + [f"  {note}" for note in self.notes])


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 2,
    oracle: Literal["real", "complex"] = "real",
    rng: np.random.Generator | int = 0,
    certainty: float = 1e-6,
) -> Report:
    """Check the derivatives of f at the inputs by everything above.

    Args:
        f: a function of Tensors that returns one Tensor, the same one whenever it is called with the same values.
        inputs: float64 arrays or numbers, at which f has no kink.
        order: 2 to check (2), (4) and (5) as well, for which the rules have to work on Tensors; else 1.
        oracle: "real", an extrapolated difference, right for any smooth f; or "complex", exact to the last digits, for
            an f all of whose parts are analytic and compute with complex numbers.
        rng: for the cotangents and directions; an int is a seed.
        certainty: an oracle less certain than this, relative to the scale of the derivative, fails the check.

    Returns:
        a report to print.

    Raises:
        GradientError: naming the function, the argument, the index, both values, the oracle's estimate of its own
            error, and the operation whose rule is to blame.
        TypeError: for inputs that are not float64, or a function that does not return a Tensor.

    >>> print(gradcheck(lambda x, y: np.sum(x * np.exp(y)), np.array([1.0, 2.0]), 0.5, order=1))
    <lambda>((2,), ()): right, by extrapolated differences
      order 1, argument 0: whole Jacobian, 4 numbers, largest error ... allowed
      order 1, argument 1: whole Jacobian, 2 numbers, largest error ... allowed
      ...
    """
    name = getattr(f, "__name__", type(f).__name__)
    rng = np.random.default_rng(rng)
    arrays = [as_input(i, x) for i, x in enumerate(inputs)]
    if order not in (1, 2):
        raise ValueError(f"order {order}: 1 checks the gradient, 2 the second derivative as well")
    if oracle not in METHODS:
        raise ValueError(f"oracle is {oracle!r}; there are 'real' and 'complex'")
    if not arrays:
        raise TypeError("gradcheck needs an input to differentiate with respect to")
    report = Report(name, [x.shape for x in arrays], oracle)
    try:
        v = random_unit(Direct(f).value(arrays), rng)
        keeps_contract(f, arrays, v)
        for subject in [Direct(f), Gradient(f, v)][:order]:
            compared = compare(subject, arrays, oracle, rng, certainty)
            report.compared += [(subject.order, c) for c in compared]
            scale = max(c.scale for c in compared)
            check_linear(subject, arrays, scale, rng)
            if order == 2:
                check_symmetric(subject, arrays, scale, rng)
        report.notes.append("linear in the cotangent" + "; adjoint to jvp; symmetric second derivative" * (order == 2))
        if order == 1:  # that of y for a change of the inputs by their size, not yet that of the gradient
            scale /= min(size_of(x) for x in arrays)
        check_float32(report, f, arrays, v, scale)
    except GradientError as error:
        raise explained(error, name, f, arrays) from error.__cause__
    return report


def as_input(i: int, x: Any) -> np.ndarray:
    """The values of an input, which stay as they lie in memory."""
    array = np.asarray(x.data if isinstance(x, Tensor) else x)
    if array.dtype != np.float64:
        raise TypeError(f"argument {i} is {array.dtype}; a gradient is checked at float64: pass x.astype(np.float64)")
    return array


def check_linear(subject: Direct, inputs: Inputs, scale: float, rng: np.random.Generator) -> None:
    """Check (3)."""
    y, pull = subject.pull_back(inputs)
    w1, w2 = random_unit(y, rng), random_unit(y, rng)
    for i, (both, one, other) in enumerate(zip(pull(0.6 * w1 - 1.7 * w2), pull(w1), pull(w2))):
        error = np.max(np.abs(both - (0.6 * one - 1.7 * other)), initial=0.0) * size_of(inputs[i])
        if not error <= ROUNDING * scale:
            message = f"the gradient of argument {i} is not linear in the cotangent: Jᵀ(a w₁ + b w₂) ≠ a Jᵀw₁ + b Jᵀw₂"
            raise GradientError(message, subject.order, i)


def check_symmetric(subject: Direct, inputs: Inputs, scale: float, rng: np.random.Generator) -> None:
    """Check (4) for a function and (5) for a gradient, each side of which is computed in another way."""
    y, pull = subject.pull_back(inputs)
    sizes = [size_of(x) for x in inputs]
    u, v = ([size * random_unit(x, rng) for size, x in zip(sizes, inputs)] for _ in range(2))
    if isinstance(subject, Gradient):
        left, right = inner(pull(joined(u)), v), inner(pull(joined(v)), u)
        identity, scale = "the second derivative is not symmetric: ⟨v, H u⟩ ≠ ⟨u, H v⟩", scale * max(sizes)
    else:
        w = random_unit(y, rng)
        left, right = inner([jvp(subject.f, inputs, u)[1]], [w]), inner(pull(w), u)
        identity = "forward and reverse mode are not adjoint: ⟨w, J u⟩ ≠ ⟨Jᵀw, u⟩"
    if not abs(left - right) <= ROUNDING * scale * len(u):
        raise GradientError(f"{identity}\n  left      {left:.15g}\n  right     {right:.15g}", subject.order)


def check_float32(report: Report, f: Callable[..., Any], inputs: Inputs, v: np.ndarray, scale: float) -> None:
    """Compare the gradients in float32 and float64, if f takes both, and note it."""
    try:
        report.float32 = float32_error(f, inputs, v, scale)
    except TypeError as error:
        report.notes.append(f"float32: not checked, since f does not take it ({error})")
    else:
        report.notes.append(f"float32: largest error {report.float32:.1e}")


def inner(a: Inputs, b: Inputs) -> float:
    """⟨a, b⟩ over all arrays."""
    return sum(float(np.sum(x * y)) for x, y in zip(a, b))


def explained(error: GradientError, name: str, f: Callable[..., Any], arrays: Inputs) -> GradientError:
    """The error, with the name of the function and of the operation to blame for a wrong value, or for raising."""
    error.operation = name
    error.message = f"gradcheck of {name}, order {error.order}: {error.message}"
    if (error.argument is not None and not np.isnan(error.numeric)) or error.__cause__:
        operation, sentence = culprit(f, arrays, error.order)
        error.operation, error.message = operation or name, f"{error.message}\n  {sentence}"
    return error
