"""Gradient checks of whole layers, distributions and models: what is to be registered, and how it is checked.

The rules of the operations are checked on their own (``suite``). What can still go wrong above them is a graph that is
cut on the way, by ``.data`` or a copy, or a loss that changes from call to call. So a *case* has leaves, the Tensors
that are trained or fed in, and a loss; its gradients are those of ``loss().backward()``.

A new class is registered by a function that makes a small case of it, in float64 and with smooth activations:

    @register("layers", Linear)
    def linear(rng):
        layer, x = Linear(3, 2, rng, dtype=np.float64), leaf(rng, 5, 3)
        return {"x": x, **layer.parameters()}, lambda: weighted(layer(x))

For a model the *Taylor remainder* is looked at as well. Along a direction u,

    |L(θ + h u) − L(θ) − h ⟨∇L(θ), u⟩|  falls as h²                                             (1)

if ∇L is right, and as h if it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.autodiff.checking.comparison import compare, random_unit
from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.checking.subjects import Arrays, Direct, PullBack, size_of

Case = tuple[Mapping[str, Tensor], Callable[[], Any]]
Factory = Callable[[np.random.Generator], Case]

SECTIONS = ("layers", "distributions", "models")
REGISTERED: dict[str, dict[tuple[type, str], Factory]] = {section: {} for section in SECTIONS}

CERTAINTY = 1e-8  # of the difference of a whole loss, relative to it


def register(section: str, cls: type, kind: str = "") -> Callable[[Factory], Factory]:
    """Enter the decorated factory as a case of ``cls``; ``kind`` tells several of one class apart.

    Raises:
        ValueError: for a section that is not in ``SECTIONS``, or the same case twice.
    """
    if section not in REGISTERED:
        raise ValueError(f"there is no section {section}; there are {', '.join(SECTIONS)}")
    if (cls, kind) in REGISTERED[section]:
        raise ValueError(f"{cls.__name__} {kind} is registered already")

    def enter(factory: Factory) -> Factory:
        REGISTERED[section][cls, kind] = factory
        return factory

    return enter


def leaf(rng: np.random.Generator, *shape: int) -> Tensor:
    """A float64 leaf with values of both signs and magnitudes from 0.3 to 1.2."""
    return Tensor(rng.choice([-1.0, 1.0], shape) * rng.uniform(0.3, 1.2, shape), requires_grad=True)


def weighted(y: Tensor) -> Tensor:
    """Σ w y, with weights w of both signs that differ from each other: any error in the gradient of y shows."""
    return np.sum(y * np.cos(1.0 + 2.0 * np.arange(y.size)).reshape(y.shape))


class Result(NamedTuple):
    """How well the gradients of a case agreed.

    Attributes:
        numbers: how many there are in all leaves.
        error: the largest difference from the oracle, relative to the scale of the loss.
        slope: the power of h with which the remainder (1) falls; None except for models.
    """

    numbers: int
    error: float
    slope: float | None


class Loss(Direct):
    """A case as a function of the values of its leaves, which are put into it one after the other."""

    def __init__(self, leaves: Mapping[str, Tensor], loss: Callable[[], Any]) -> None:
        super().__init__(loss)
        self.leaves = leaves

    def put(self, arrays: Arrays) -> None:
        """Give the leaves these values."""
        for t, array in zip(self.leaves.values(), arrays):
            t.assign(array)

    def value(self, arrays: Arrays) -> np.ndarray:
        """The loss at these values."""
        self.put(arrays)
        return self.output([]).data

    def pull_back(self, arrays: Arrays) -> tuple[np.ndarray, PullBack]:
        """The loss, and its gradients times a number, by ``backward``."""
        self.put(arrays)
        y = self.output([])
        for t in self.leaves.values():
            t.grad = None
        try:
            y.backward(np.ones_like(y.data))
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise GradientError(f"backward raised {type(error).__name__}: {error}") from error
        gradients = [np.zeros_like(t.data) if t.grad is None else t.grad for t in self.leaves.values()]
        return y.data, lambda w: [w * g for g in gradients]


def check_case(factory: Factory, seed: int = 0, taylor: bool = False) -> Result:
    """Check the gradients of a case.

    Raises:
        GradientError: naming the leaf.
        TypeError: for leaves that are not float64.
    """
    rng = np.random.default_rng(seed)
    leaves, loss = factory(rng)
    for name, t in leaves.items():
        if t.dtype != np.float64 or not t.requires_grad:
            raise TypeError(f"{name} is {t.dtype}, requires_grad={t.requires_grad}; a case has float64 leaves")
    subject, values = Loss(leaves, loss), [np.array(t.data) for t in leaves.values()]
    try:
        compared = compare(subject, values, "real", rng, CERTAINTY)
        slope = taylor_slope(subject, values, rng) if taylor else None
    except GradientError as error:
        if error.argument is not None:
            error.message += f"\n  Argument {error.argument} is {list(leaves)[error.argument]}."
        raise
    finally:
        subject.put(values)
    return Result(sum(x.size for x in values), max(c.error for c in compared), slope)


def taylor_slope(subject: Loss, values: Sequence[np.ndarray], rng: np.random.Generator) -> float:
    """The power of h with which the remainder (1) falls along a random direction in all leaves at once.

    Raises:
        GradientError: if it is not 2, give or take 0.1.
    """
    u = [size_of(x) * random_unit(x, rng) for x in values]
    y, pull = subject.pull_back(values)
    along = sum(float(np.sum(g * d)) for g, d in zip(pull(np.ones_like(y)), u))
    steps = 0.04 / 2.0 ** np.arange(4)
    moved = [float(subject.value([x + h * d for x, d in zip(values, u)])) for h in steps]
    remainders = np.abs(np.array(moved) - float(y) - steps * along)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = float(np.polyfit(np.log(steps), np.log(remainders), 1)[0])
    if not abs(slope - 2) < 0.1:
        raise GradientError(f"the Taylor remainder of the loss falls as h to the {slope:.3f}, not 2")
    return slope
