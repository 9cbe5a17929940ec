"""The Tensor: a NumPy array that remembers how it was computed.

A Tensor takes part in NumPy's own dispatch: ``np.tanh(x @ W + b)`` calls back here when one of x, W, b is a Tensor,
and ``record`` computes the result *and* keeps the operation and its inputs. That is all a graph is: each Tensor is a
node, and its ``inputs`` are the edges. ``chain_rule`` walks them backwards. (NumPy asks an argument that is no array
whether it has ``__array_ufunc__`` or ``__array_function__``, and if so calls that instead: NEP 13 and NEP 18.)

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
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen.autodiff.chain_rule import backpropagate
from scratchgen.autodiff.operations import FUNCTIONS

clock = itertools.count()  # numbers the Tensors in order of creation


class Tensor:
    """A float32 or float64 array, and the operation that made it; a *leaf* is one that was made by hand.

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

    __slots__ = ("__weakref__", "_data", "args", "grad", "inputs", "number", "op", "options", "requires_grad")

    _data: np.ndarray
    grad: Any
    requires_grad: bool
    op: Any  # the Operation that made it; None for a leaf
    inputs: tuple[Any, ...]  # what it was made from: the edges of the graph; empty for a leaf, or once they are freed
    args: (
        Any  # the same as plain arrays, so that a backward pass runs at NumPy's speed; not copied, so leave them alone
    )
    options: Mapping[str, Any]
    number: int  # when it was made or, for a leaf, last changed

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        if isinstance(data, np.matrix) or hasattr(data, "mask"):
            raise TypeError(f"a {type(data).__name__} would lose what makes it one: give a plain array")
        array = np.array(data._data if isinstance(data, Tensor) else data)
        if array.dtype not in (np.float32, np.float64):
            raise TypeError(
                f"{array.dtype} is not differentiable; use float64 (or float32), "
                "for example Tensor(np.asarray(x, dtype=np.float64))"
            )
        array.flags.writeable = False
        self._data, self.requires_grad, self.number = array, requires_grad, next(clock)
        self.grad = self.op = self.args = None
        self.inputs, self.options = (), {}

    # -- what it holds ---------------------------------------------------------------------------------------------

    @property
    def data(self) -> np.ndarray:
        """The values, as a read-only view outside the graph. It changes with the Tensor; np.array(t.data) does not."""
        if not self._data.flags.writeable:
            return self._data
        view = self._data.view()
        view.flags.writeable = False
        return view

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

    @property
    def parents(self) -> list[tuple[int, Tensor]]:
        """The inputs that need a gradient, with the number of the argument that each was."""
        return [(i, x) for i, x in enumerate(self.inputs) if type(x) is Tensor and x.requires_grad]

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
        return format(self.item(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        body = repr(self._data).replace("array(", "Tensor(", 1).replace("\n", "\n ")
        return body[:-1] + (", requires_grad=True)" if self.requires_grad else ")")

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return Tensor(self._data, self.requires_grad)  # a copy is a new leaf

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: the values as a new leaf, since creation numbers mean nothing in another process."""
        if self.op is not None:
            raise TypeError(f"the result of {self.op.name} cannot be pickled, only a leaf: pickle t.detach()")
        return Tensor, (np.array(self._data), self.requires_grad)

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
        """A copy of the values as a new leaf outside the graph: no gradient flows through it."""
        return Tensor(self._data)

    # -- changing a leaf -------------------------------------------------------------------------------------------

    def assign(self, values: Any) -> None:
        """Overwrite a leaf's values in place, in its dtype, as ``array[...] = values`` does.

        A graph that still needs the old ones will refuse its backward pass.

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
        function = FUNCTIONS.get(ufunc)
        if function is not None and method == "__call__" and not options:
            return function(*args)
        name = ufunc.__name__
        if method != "__call__":
            raise TypeError(f"np.{name}.{method} has no derivative rule; np.sum, np.prod, np.max, np.cumsum … have one")
        if "out" in options:
            raise TypeError(
                f"{name} into out=, or an in-place {name} on an array: "
                "build a new array by a = a + b, np.where, np.concatenate or np.stack"
            )
        function = function or special_function(ufunc)
        if function is None:
            raise TypeError(no_rule(name))
        return function(*args, **options)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
        if options.get("out") is not None:
            raise TypeError(f"np.{func.__name__} into out=: a Tensor is not changed in place; use the result")
        function = FUNCTIONS.get(func)
        if function is None:
            raise TypeError(no_rule(f"{func.__module__.replace('numpy', 'np', 1)}.{func.__name__}"))
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
