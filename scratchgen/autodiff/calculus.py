"""Derivatives of functions: grad, vjp, jvp, jacobian, hessian, hvp.

For f: ℝⁿ → ℝᵐ with Jacobian J = ∂y/∂x, reverse mode computes one *vector–Jacobian product* wᵀJ at the cost of about one
evaluation of f, whatever n is. Everything else is made of it:

    grad f      = 1ᵀJ                     for m = 1                                                       (1)
    jacobian    = the rows e_iᵀJ                                                                           (2)
    J v         = ∂/∂w ⟨Jᵀw, v⟩           since Jᵀw is linear in w: reverse mode twice                     (3)
    H v         = ∂/∂x ⟨∇f(x), v⟩                                                                          (4)

Arrays in, arrays out. Tensors in, Tensors out: those can be differentiated again, and so can a call inside a function
that is itself being differentiated, so that ``grad(grad(f))`` is the second derivative. None of them writes ``.grad``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from scratchgen.autodiff.chain_rule import backpropagate
from scratchgen.autodiff.modes import recording, switched
from scratchgen.autodiff.record import custom_rule
from scratchgen.autodiff.tensor import Tensor

Function = Callable[..., Any]
depth: ContextVar[int] = ContextVar("depth", default=0)  # how many of the functions below are at work around this one


@custom_rule(lambda g, y, x: g)
def identity(x: Any) -> Any:
    """x itself, as a new node: the gradient with respect to it does not see other uses of x."""
    return x.view()


class Evaluation:
    """f evaluated on nodes of its own: ``inputs`` for the arguments asked for, and the ``output``.

    It is ``differentiable`` if its results shall be Tensors again: if Tensors were given or, inside another function
    that is being differentiated, even if arrays were, since f may use that function's variables.
    """

    def __init__(self, f: Function, args: Sequence[Any], argnums: Sequence[int]) -> None:
        for i in argnums:
            if not -len(args) <= i < len(args):
                raise ValueError(f"argument {i} is asked for, but {len(args)} arguments are given")
        self.differentiable = depth.get() > 0 or any(isinstance(args[i], Tensor) for i in argnums)
        args = list(args)
        with switched(recording, True):  # no_grad around a derivative does not mean the derivative itself
            for i in argnums:
                own = isinstance(args[i], Tensor) and args[i].requires_grad
                args[i] = identity(args[i]) if own else Tensor(args[i], requires_grad=True)
            self.inputs = [args[i] for i in argnums]
            token = depth.set(depth.get() + 1)
            try:
                output = f(*args)
            finally:
                depth.reset(token)
        if not isinstance(output, Tensor):
            raise TypeError(
                f"the function returned {type(output).__name__}, not a Tensor: either it does not use its input, "
                "or it left the graph on the way (through .data, .item() or float())"
            )
        self.output = output

    def pull_back(self, seed: Any, create_graph: bool = False, retain_graph: bool = False) -> list[Any]:
        """Jᵀ seed for each input; zeros for an input that the output does not depend on."""
        create_graph = create_graph or self.differentiable
        found: dict[Tensor, Any] = {}
        if self.output.requires_grad:
            if create_graph and not isinstance(seed, Tensor):
                seed = Tensor(seed)
            found = backpropagate(self.output, seed, set(self.inputs), retain_graph, create_graph)
        return [found[x] if x in found else np.zeros_like(x.data) for x in self.inputs]

    def finish(self, value: Any) -> Any:
        """``value`` as the caller wants it: a Tensor if it may be differentiated again, else an array of its own."""
        if self.differentiable:
            return value if isinstance(value, Tensor) else Tensor(value)
        return np.array(value.data if isinstance(value, Tensor) else value)


def value_and_grad(f: Function, argnum: int | Sequence[int] = 0) -> Function:
    """The function that returns a scalar f(x, …) and its gradient (1) with respect to the argument(s) ``argnum``.

    Raises:
        ValueError: if f is not scalar.
        TypeError: if f does not return a Tensor.

    >>> value, slope = value_and_grad(lambda x: x**3)(2.0)
    >>> float(value), float(slope)
    (8.0, 12.0)
    """

    def derived(*args: Any) -> tuple[Any, Any]:
        evaluation = Evaluation(f, args, [argnum] if isinstance(argnum, int) else argnum)
        y = evaluation.output
        if y.shape != ():
            raise ValueError(
                f"grad needs a scalar function, and this one returned shape {y.shape}: sum it, or use jacobian"
            )
        gradients = [evaluation.finish(g) for g in evaluation.pull_back(np.ones((), y.dtype))]
        return evaluation.finish(y), gradients[0] if isinstance(argnum, int) else tuple(gradients)

    return derived


def grad(f: Function, argnum: int | Sequence[int] = 0) -> Function:
    """The gradient (1) of a scalar function with respect to the argument(s) ``argnum``, as a function.

    >>> d2 = grad(grad(lambda x: np.sin(x)))
    >>> float(d2(1.0)), float(-np.sin(1.0))
    (-0.8414709848078965, -0.8414709848078965)
    """

    def derived(*args: Any) -> Any:
        return value_and_grad(f, argnum)(*args)[1]

    return derived


def vjp(f: Function, *args: Any) -> tuple[Any, Function]:
    """f(x, …), and the function w ↦ Jᵀw that returns one array for each argument.

    >>> y, pull_back = vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pull_back(np.array([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    evaluation = Evaluation(f, args, range(len(args)))

    def pull_back(w: Any) -> tuple[Any, ...]:
        seed = w if isinstance(w, Tensor) else np.asarray(w, evaluation.output.dtype)
        if seed.shape != evaluation.output.shape:
            raise ValueError(
                f"the cotangent has shape {seed.shape}, the output {evaluation.output.shape}; they must be equal"
            )
        gradients = evaluation.pull_back(seed, create_graph=isinstance(w, Tensor), retain_graph=True)
        return tuple(g if isinstance(g, Tensor) else evaluation.finish(g) for g in gradients)

    return evaluation.finish(evaluation.output), pull_back


def jvp(f: Function, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f(x, …), and its change Σ_k J_k v_k along the ``tangents`` v_k (3).

    >>> jvp(lambda x: x * x, [np.array([1.0, 2.0])], [np.array([1.0, 1.0])])[1]
    array([2., 4.])
    """
    evaluation = Evaluation(f, args, range(len(args)))
    y = evaluation.output
    for i, (x, v) in enumerate(zip(evaluation.inputs, tangents, strict=True)):
        if np.shape(v) != x.shape:
            raise ValueError(f"tangent {i} has shape {np.shape(v)}, its argument {x.shape}; they must be equal")
    w = Tensor(np.zeros_like(y.data), requires_grad=True)  # any w: (3) does not depend on it
    total = Tensor(np.zeros((), y.dtype))  # Σ_k ⟨J_kᵀ w, v_k⟩
    with switched(recording, True):
        for g, v, x in zip(evaluation.pull_back(w, create_graph=True), tangents, evaluation.inputs):
            total = total + np.sum(g * (v if isinstance(v, Tensor) else np.asarray(v, x.dtype)))
    if not total.requires_grad:
        return evaluation.finish(y), evaluation.finish(np.zeros_like(y.data))
    seed = np.ones((), y.dtype)
    graph = evaluation.differentiable
    change = backpropagate(total, Tensor(seed) if graph else seed, {w}, create_graph=graph)
    return evaluation.finish(y), evaluation.finish(change.get(w, np.zeros_like(y.data)))


def jacobian(f: Function, argnum: int = 0) -> Function:
    """The function x ↦ ∂y/∂x, of shape ``y.shape + x.shape``, a row (2) at a time.

    >>> jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """

    def derived(*args: Any) -> Any:
        evaluation = Evaluation(f, args, [argnum])
        y, x = evaluation.output, evaluation.inputs[0]
        rows = [
            evaluation.pull_back(row.reshape(y.shape), retain_graph=True)[0] for row in np.eye(y.size, dtype=y.dtype)
        ]
        if not rows:
            return evaluation.finish(np.zeros(y.shape + x.shape, x.dtype))
        return evaluation.finish(np.reshape(np.stack(rows), y.shape + x.shape))

    return derived


def hessian(f: Function, argnum: int = 0) -> Function:
    """The function x ↦ ∂²f/∂x∂xᵀ of a scalar f, of shape ``x.shape + x.shape``.

    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnum), argnum)


def hvp(f: Function, x: Any, v: Any) -> Any:
    """The product (4) of the Hessian of a scalar f at x with v, without the Hessian.

    >>> hvp(lambda x: x[0] ** 2 * x[1], np.array([1.0, 3.0]), np.array([1.0, 0.0]))
    array([6., 2.])
    """
    if np.shape(v) != np.shape(x):
        raise ValueError(f"v has shape {np.shape(v)}, x {np.shape(x)}; they must be equal")
    v = v if isinstance(v, Tensor) else np.asarray(v, getattr(x, "dtype", None))
    return grad(lambda x: np.sum(grad(f)(x) * v))(x)
