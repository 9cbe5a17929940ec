"""The Tensor: a NumPy array that remembers how it was computed.

A Tensor takes part in NumPy's own dispatch: ``np.tanh(x @ W + b)`` calls back here when one of x, W, b is a Tensor,
and ``record`` computes the result *and* keeps the operation and its inputs. That is all a graph is: each Tensor is a
node, and its ``parents`` are the edges. ``chain_rule`` walks them backwards.

    >>> x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    >>> y = np.sum(x * np.exp(x))
    >>> y.backward()
    >>> x.grad                                   # (1 + x) eˣ
    array([ 5.43656366, 22.1671683 ])
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen.autodiff.chain_rule import backpropagate, check_finite, looking_for_anomalies
from scratchgen.autodiff.operations import FUNCTIONS, Operation, operation

recording: ContextVar[bool] = ContextVar("recording", default=True)
clock = itertools.count()  # numbers the Tensors in order of creation


class Tensor:
    """A float32 or float64 array, and the operation that made it.

    Args:
        data: an array, or numbers that make one; it is copied. A leaf's array changes only through ``assign``.
        requires_grad: whether ``backward`` shall fill ``grad``, dL/d(this), an array of the same shape and dtype.

    Raises:
        TypeError: for any other dtype; integers have no derivative.

    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> loss = (w * w).sum()
    >>> loss.backward()
    >>> w.grad
    array([ 2., -4.])
    """

    __slots__ = ("__weakref__", "_data", "args", "grad", "number", "op", "options", "parents", "requires_grad")

    _data: np.ndarray
    grad: Any
    requires_grad: bool
    op: Any  # the Operation that made it; None for a leaf
    args: Any  # the list of arrays it was made from; None for a leaf, or once the graph is freed
    parents: Any  # (argument number, Tensor) for each input that needs a gradient
    options: Mapping[str, Any]
    number: int  # when it was made or, for a leaf, last changed

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        array = np.array(data._data if isinstance(data, Tensor) else data)
        if array.dtype not in (np.float32, np.float64):
            raise TypeError(
                f"{array.dtype} is not differentiable; use float64 (or float32), "
                "for example Tensor(np.asarray(x, dtype=np.float64))"
            )
        array.flags.writeable = False
        self._data, self.requires_grad, self.number = array, requires_grad, next(clock)
        self.grad = self.op = self.args = None
        self.parents, self.options = (), {}

    # -- what it holds ---------------------------------------------------------------------------------------------

    @property
    def data(self) -> np.ndarray:
        """The values, as a read-only array outside the graph."""
        return self._data

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of values."""
        return self._data.size

    @property
    def T(self) -> Tensor:
        """The Tensor with its axes reversed."""
        return np.transpose(self)  # type: ignore[return-value]

    def item(self) -> float:
        """The one value as a Python float."""
        return self._data.item()

    def __float__(self) -> float:
        return float(self._data)

    def __bool__(self) -> bool:
        return bool(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __format__(self, spec: str) -> str:
        return format(self._data.item() if spec else self, spec) if spec else repr(self)

    def __repr__(self) -> str:
        body = repr(self._data).replace("array(", "Tensor(", 1).replace("\n", "\n ")
        return body[:-1] + (", requires_grad=True)" if self.requires_grad else ")")

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return Tensor(self._data, self.requires_grad)  # a copy is a new leaf

    # -- gradients -------------------------------------------------------------------------------------------------

    def backward(self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add dL/dx to ``x.grad`` for every leaf x that requires a gradient, where L = ⟨gradient, self⟩.

        Args:
            gradient: dL/d(self), of the same shape; may be left out for a scalar, which then is L itself.
            retain_graph: keep the graph, so that backward can be called again. By default it is freed on the way.
            create_graph: make the gradients Tensors with a graph of their own, to be differentiated again.

        Raises:
            ValueError: for a non-scalar without a gradient, or a gradient of another shape.
            RuntimeError: where nothing requires a gradient, the graph was freed, or a leaf was changed since.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "nothing that this depends on requires a gradient: make a leaf by Tensor(x, requires_grad=True)"
            )
        seed = self._seed(gradient, create_graph)
        gradients = backpropagate(self, seed, retain_graph=retain_graph, create_graph=create_graph)
        for leaf, g in gradients.items():
            if not create_graph:
                g = np.asarray(g)
            leaf.grad = g if leaf.grad is None else leaf.grad + g

    def _seed(self, gradient: Any, create_graph: bool) -> Any:
        if gradient is None:
            if self._data.ndim:
                raise ValueError(
                    f"backward from shape {self.shape}: pass a gradient of that shape, or reduce with .sum()"
                )
            gradient = np.ones((), self.dtype)
        if isinstance(gradient, Tensor) and create_graph:
            seed: Any = gradient
        else:
            seed = np.array(gradient._data if isinstance(gradient, Tensor) else gradient, dtype=self.dtype)
        if seed.shape != self.shape:
            raise ValueError(f"the gradient has shape {seed.shape}, the tensor {self.shape}; they must be equal")
        return Tensor(seed) if create_graph and not isinstance(seed, Tensor) else seed

    def detach(self) -> Tensor:
        """The same values as a new leaf outside the graph: no gradient flows through it."""
        return leaf_of(self._data)

    def free(self) -> None:
        """Let go of the inputs, so that their memory can be used again."""
        self.args, self.parents = None, ()

    # -- changing a leaf -------------------------------------------------------------------------------------------

    def assign(self, values: Any) -> None:
        """Overwrite a leaf's values in place. A graph that still needs the old ones will refuse its backward pass.

        Raises:
            RuntimeError: for the result of an operation.
            ValueError: for another shape.
        """
        if self.op is not None:
            raise RuntimeError(f"this is the result of {self.op.name}; only a leaf can be assigned to")
        values = np.asarray(values._data if isinstance(values, Tensor) else values)
        if values.shape != self.shape:
            raise ValueError(f"the new values have shape {values.shape}, the tensor {self.shape}; they must be equal")
        self._data.flags.writeable = True
        np.copyto(self._data, values, casting="same_kind")
        self._data.flags.writeable = False
        self.touch()

    def touch(self) -> None:
        """Note that the values have changed in place, by an optimiser's step, say; see ``assign``."""
        self.number = next(clock)

    def move_to(self, buffer: np.ndarray) -> None:
        """Keep the values in ``buffer`` from now on, a slice of an array that an optimiser changes in place."""
        np.copyto(buffer, self._data)
        self._data = buffer.view()
        self._data.flags.writeable = False
        self.touch()

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "a Tensor cannot be assigned into, since the graph needs its values: "
            "build a new one with np.where, np.concatenate or np.stack"
        )

    # -- NumPy's dispatch ------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **options: Any) -> Any:
        name = ufunc.__name__
        if method != "__call__":
            raise TypeError(f"np.{name}.{method} has no derivative rule; np.sum, np.prod, np.max, np.cumsum … have one")
        if "out" in options:
            raise TypeError(
                f"{name} into out=, or an in-place {name} on an array: "
                "build a new array by a = a + b, np.where, np.concatenate or np.stack"
            )
        function = FUNCTIONS.get(ufunc) or special_function(ufunc)
        if function is None:
            raise TypeError(no_rule(name))
        return function(*args, **options)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
        if options.get("out") is not None:
            raise TypeError(f"np.{func.__name__} into out=: a Tensor is not changed in place; use the result")
        function = FUNCTIONS.get(func)
        if function is None:
            raise TypeError(no_rule(f"np.{func.__name__}"))
        return function(*args, **options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(
            "a function without a derivative rule asked for this Tensor as an array, which would drop the graph: "
            "pass t.data if no gradient is wanted, or give the function a rule with custom_rule"
        )

    # Operators, and the methods that arrays have, are added in methods.py, where their functions are known.

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __lt__(self, other: Any) -> np.ndarray: ...
        def __gt__(self, other: Any) -> np.ndarray: ...


def special_function(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """The rules of a ufunc of SciPy, whose table is only loaded once a user has loaded SciPy."""
    if "scipy.special" in sys.modules:
        import scratchgen.autodiff.special  # noqa: F401
    return FUNCTIONS.get(ufunc)


def no_rule(name: str) -> str:
    """The message for a function without a derivative rule."""
    return (
        f"{name} has no derivative rule. Without a gradient: call it on t.data. "
        "With one: wrap it with scratchgen.autodiff.custom_rule, or write it in functions that have rules"
    )


def leaf_of(array: np.ndarray) -> Tensor:
    """A leaf that holds ``array`` itself, without a copy."""
    t = Tensor.__new__(Tensor)
    t._data, t.requires_grad, t.number = array, False, next(clock)
    t.grad = t.op = t.args = None
    t.parents, t.options = (), {}
    return t


NO_OPTIONS: dict[str, Any] = {}


def record(op: Operation, args: tuple[Any, ...], options: dict[str, Any] = NO_OPTIONS) -> Tensor:
    """Compute ``op`` on the arrays in ``args``; if one of them needs a gradient, remember how the result was made.

    Raises:
        TypeError: for an argument or option without a rule, or if the result would have another dtype than the Tensors.
    """
    if len(args) > op.most_args or (options and not options.keys() <= op.options):
        raise TypeError(refused_arguments(op, args, options))
    arrays, parents, dtype = [], [], None
    for i, a in enumerate(args):
        kind = type(a)
        if kind is Tensor:
            if a.requires_grad:
                if op.rules[i] is None:
                    raise TypeError(
                        f"{op.name} has no derivative rule for argument {i}; pass it as an array, with .data"
                    )
                parents.append((i, a))
            a = a._data
            dtype = a.dtype
        elif kind is np.float64:  # like a Python float, it takes the dtype of the arrays that it meets
            a = float(a)
        arrays.append(a)
    y = op.forward(*arrays, **options)
    if type(y) is not np.ndarray:
        y = np.asarray(y)
    if y.dtype is not dtype and y.dtype != dtype and not op.casts:
        raise TypeError(mixed_dtypes(op, arrays, y))
    if looking_for_anomalies.get():
        check_finite(y, f"the forward pass of {op.name}", arrays)
    y.setflags(write=False)
    t = Tensor.__new__(Tensor)
    t._data, t.grad, t.number = y, None, next(clock)
    if parents and recording.get():
        t.requires_grad, t.op, t.args, t.parents, t.options = True, op, arrays, parents, options
    else:
        t.requires_grad, t.op, t.args, t.parents, t.options = False, None, None, (), NO_OPTIONS
    return t


def refused_arguments(op: Operation, args: tuple[Any, ...], options: dict[str, Any]) -> str:
    """The message for arguments that the rules of ``op`` do not know."""
    unknown = sorted(set(options) - op.options)
    what = f"the option {', '.join(unknown)}" if unknown else f"{len(args)} positional arguments"
    return f"{op.name} has no derivative rule with {what}; its rules know of {', '.join(sorted(op.options))}"


def mixed_dtypes(op: Operation, arrays: list[Any], y: np.ndarray) -> str:
    """The message for float32 that would silently become float64."""
    got = ", ".join(f"argument {i} is {a.dtype}" for i, a in enumerate(arrays) if isinstance(a, np.ndarray))
    return f"{op.name}: {got}; the result would be {y.dtype}. Convert with .astype, so that all have one float dtype"


def on_tensors(op: Operation) -> Callable[..., Any]:
    """``op`` as a function for NumPy's dispatch."""

    def function(*args: Any, **options: Any) -> Tensor:
        if options and any(type(value) is Tensor for value in options.values()):
            args, options = as_positional(op, args, options)
        return record(op, args, options)

    return function


def as_positional(
    op: Operation, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Move Tensors given by name, as in ``np.clip(a=x, …)``, to their positions."""
    import inspect

    bound = inspect.signature(op.forward).bind(*args, **options)
    return bound.args, bound.kwargs


def derivative(function: Callable[..., Any], *rules: Any, prepare: Any = None) -> None:
    """Enter the rules of a NumPy or SciPy function into the table: one per argument, None where there is none."""
    each = rules[0] if len(rules) == 1 and not callable(rules[0]) else rules
    FUNCTIONS[function] = on_tensors(operation(function, each, prepare))


def custom_rule(
    *rules: Any, prepare: Any = None, casts: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a function of your own its own derivative rules, one per argument.

    A rule is called as ``rule(g, y, *args, **options)`` with the cotangent g = dL/dy, the output y and the function's
    arguments, and returns dL/d(argument). Write it in NumPy, and it will serve for second derivatives too. None marks
    an argument without a derivative. On plain arrays the function stays what it was. ``prepare``, if given, turns g
    into what all rules start from; ``casts`` allows a result of another dtype.

    >>> @custom_rule(lambda g, y, x: g * 3 * x * x)
    ... def cube(x):
    ...     return x * x * x
    >>> x = Tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> float(x.grad)
    12.0
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        import functools

        op = operation(function, rules, prepare, casts)

        @functools.wraps(function)
        def wrapped(*args: Any, **options: Any) -> Any:
            for a in args:
                if type(a) is Tensor:
                    return record(op, args, options)
            if options and any(type(value) is Tensor for value in options.values()):
                return record(op, *as_positional(op, args, options))
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
