"""What a gradient owes its user beside its values: shape, dtype, an array of its own, the same bits again, float32.

The inputs are read-only while f runs, and must be the same bit by bit afterwards. Training is in float32, where a
difference quotient has no digits left; so the float32 gradient is compared with the float64 one at the same inputs,
which has been checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.checking.subjects import Direct

FLOAT32_ROUNDING = 64 * float(np.finfo(np.float32).eps)


def keeps_contract(f: Callable[..., Any], inputs: Sequence[np.ndarray], w: np.ndarray) -> None:
    """Run f forward and backward twice, with the cotangent w, and look at everything but the values.

    Raises:
        GradientError: for the first thing that is broken.
    """
    before = [x.tobytes() for x in inputs]
    w.flags.writeable = False
    outputs, results = [], []
    for _ in range(2):
        y, pull = Direct(f).pull_back(inputs)
        outputs.append(y)
        results.append(pull(w))
    if outputs[0].tobytes() != outputs[1].tobytes():
        raise GradientError(
            "the second call gave another value: if f draws random numbers, give it the noise as an input"
        )
    for i, (x, g, again) in enumerate(zip(inputs, *results)):
        if type(g) is not np.ndarray or g.shape != x.shape or g.dtype != x.dtype:
            got = f"{type(g).__name__} {np.shape(g)} {getattr(g, 'dtype', '')}"
            raise GradientError(f"the gradient of argument {i} is {got}, the argument {x.shape} {x.dtype}", argument=i)
        if g.tobytes() != again.tobytes():
            raise GradientError(f"the second call gave another gradient of argument {i}", argument=i)
        if not owns_memory(g, [*results[0][:i], *results[1], *inputs, outputs[0], w]):
            raise GradientError(f"the gradient of argument {i} shares its memory with another array", argument=i)
        if x.tobytes() != before[i]:
            raise GradientError(f"argument {i} was changed by the check", argument=i)


def owns_memory(g: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Whether writing to one element of g would change nothing else, in g or in the others.

    >>> owns_memory(np.ones((2, 3)), [np.ones(3)]), owns_memory(np.broadcast_to(1.0, (2, 3)), [])
    (True, False)
    """
    stands_for_many = any(stride == 0 for stride, n in zip(g.strides, g.shape) if n > 1)
    return g.size == 0 or not (stands_for_many or any(np.shares_memory(g, other) for other in others))


def float32_error(f: Callable[..., Any], inputs: Sequence[np.ndarray], w: np.ndarray, scale: float) -> float:
    """The largest difference of the float32 gradient of ⟨w, f⟩ from the float64 one, at inputs rounded to float32.

    Args:
        scale: of the gradient: how much it is, or changes for a change of an input by its own size. The difference is
            relative to it, since an ill-conditioned gradient has fewer digits.

    Raises:
        GradientError: if a float32 gradient is of another dtype or too far off.
        TypeError: if f does not take float32, because it uses a float64 array of its own, say.
    """
    rounded, w = [x.astype(np.float32) for x in inputs], w.astype(np.float32)
    y, pull = Direct(f).pull_back(rounded)
    if y.dtype != np.float32:
        raise GradientError(f"the output is {y.dtype} for float32 inputs")
    single = pull(w)
    double = Direct(f).pull_back([x.astype(np.float64) for x in rounded])[1](w.astype(np.float64))
    worst = 0.0
    for i, (g, reference) in enumerate(zip(single, double)):
        if g.dtype != np.float32:
            raise GradientError(f"the gradient of argument {i} is {g.dtype} for float32 inputs", argument=i)
        error = float(np.max(np.abs(g - reference), initial=0.0)) / scale
        if not error <= FLOAT32_ROUNDING:
            raise GradientError(f"the float32 gradient of argument {i} is off by {error:.1g} of its scale", argument=i)
        worst = max(worst, error)
    return worst
