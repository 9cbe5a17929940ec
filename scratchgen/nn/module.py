"""A Module is a function with parameters: an object that knows its Tensors by name.

A subclass assigns Tensors and other Modules to attributes and writes ``forward``; there is nothing to declare. What it
holds is found by walking its attributes, through lists, tuples and dicts, in the order of assignment:

    a Tensor that requires a gradient     a parameter: trained, and part of the state
    a Tensor that requires none           a buffer, or a frozen parameter: part of the state only
    anything else                         not touched

The result of an operation is no leaf, so a Tensor kept from a forward pass is neither. A Tensor that can be reached by
two names (*tied* weights) goes by the first.

    >>> import numpy as np
    >>> class Scale(Module):
    ...     def __init__(self, n):
    ...         self.factor = Tensor(np.ones(n), requires_grad=True)
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> class Twice(Module):
    ...     def __init__(self, n):
    ...         self.scales = [Scale(n), Scale(n)]
    ...     def forward(self, x):
    ...         return self.scales[1](self.scales[0](x))
    >>> model = Twice(3)
    >>> model
    Twice()
      scales.0: Scale(factor=(3,))
      scales.1: Scale(factor=(3,))
    >>> list(model.parameters())
    ['scales.0.factor', 'scales.1.factor']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from scratchgen.autodiff import Tensor

M = TypeVar("M", bound="Module")


class Module:
    """A function with parameters. Subclasses write ``forward``; see the example above.

    Attributes:
        training: whether layers such as Dropout behave as in training; see ``train`` and ``eval``.
        couples_rows: whether what a row contributes to the loss depends on the other rows of its batch, in training.
            A subclass that does so says so: its gradient cannot be put together from those of parts of a batch.
    """

    training: bool = True
    couples_rows: bool = False

    def forward(self, *args: Any, **options: Any) -> Any:
        """What the Module computes; call the Module itself.

        Raises:
            NotImplementedError: where a subclass does not say.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.forward(*args, **options)

    def __setattr__(self, name: str, value: Any) -> None:
        """An array assigned to a parameter goes into it: the Tensor stays the one that an optimiser knows.

        Another leaf, a Module or None takes its place.

        Raises:
            TypeError: for anything else in the place of a parameter, which would be trained no more.
        """
        old: Any = vars(self).get(name)
        if not is_leaf(old):
            object.__setattr__(self, name, value)
        elif isinstance(value, (np.ndarray, np.generic)):
            old.assign(value)
        elif value is None or is_leaf(value) or isinstance(value, Module):
            object.__setattr__(self, name, value)
        else:
            got = f"the result of {value.op.name}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise TypeError(
                f"{type(self).__name__}.{name} is a parameter or buffer, and would be lost for {got}; "
                "assign an array, such as t.data, to give it new values"
            )

    # -- what it holds -------------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Its Tensors by dotted name, parameters and buffers.

        Raises:
            ValueError: if two have the same name, as with the keys 1 and "1" of a dict.
        """
        found: dict[str, Tensor] = {}
        for name, item in walk(self):
            if isinstance(item, Tensor):
                if name in found:
                    raise ValueError(f"two tensors are called {name}; rename one")
                found[name] = item
        return found

    def modules(self) -> dict[str, Module]:
        """Itself, under the name "", and all Modules in it, by dotted name."""
        return {name: item for name, item in walk(self) if isinstance(item, Module)}

    def parameters(self) -> dict[str, Tensor]:
        """Its Tensors that require a gradient, by dotted name: what an optimiser takes."""
        return {name: t for name, t in self.tensors().items() if t.requires_grad}

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64: the dtype of its first parameter; raises ValueError where there is none."""
        for _, item in walk(self):
            if isinstance(item, Tensor) and item.requires_grad:
                return item.dtype
        raise ValueError(f"{type(self).__name__} has no parameters, and so no dtype")

    def count_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(t.size for t in self.parameters().values())

    # -- its state -----------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers, by dotted name: what a checkpoint keeps."""
        return {name: np.array(t.data) for name, t in self.tensors().items()}

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the values of all parameters and buffers from ``arrays``.

        Raises:
            ValueError: listing all entries that are missing, unknown, or of another shape or dtype; nothing is changed.

        >>> model = Module()
        >>> model.b = Tensor([1.0, 2.0], requires_grad=True)
        >>> model.load_state({"b": np.zeros(3), "c": np.zeros(2)})
        Traceback (most recent call last):
            ...
        ValueError: the state does not fit, nothing was loaded:
          c is unknown to the model
          b has shape (3,), the model wants (2,)
        """
        own = self.tensors()
        wrong = [f"{name} is missing" for name in own if name not in arrays]
        wrong += [f"{name} is unknown to the model" for name in arrays if name not in own]
        for name, t in own.items():
            if name in arrays and np.shape(arrays[name]) != t.shape:
                wrong.append(f"{name} has shape {np.shape(arrays[name])}, the model wants {t.shape}")
            elif name in arrays and np.asarray(arrays[name]).dtype != t.dtype:
                wrong.append(f"{name} is {np.asarray(arrays[name]).dtype}, the model {t.dtype}")
        if wrong:
            raise ValueError("the state does not fit, nothing was loaded:\n  " + "\n  ".join(wrong))
        for name, t in own.items():
            t.assign(arrays[name])

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for t in self.parameters().values():
            t.grad = None

    def train(self: M) -> M:
        """Switch to training, and return itself."""
        return self._switch(True)

    def eval(self: M) -> M:
        """Switch to evaluation, and return itself."""
        return self._switch(False)

    def _switch(self: M, training: bool) -> M:
        for module in self.modules().values():
            module.training = training
        return self

    def astype(self: M, dtype: Any) -> M:
        """Convert all parameters and buffers in place, and return itself. Make the optimiser afterwards.

        Raises:
            TypeError: unless dtype is float32 or float64.
        """
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise TypeError(f"dtype is {np.dtype(dtype)}; a model is float32 or float64")
        for t in self.tensors().values():
            t.move_to(np.empty(t.shape, dtype))
            t.grad = None
        return self

    def __repr__(self) -> str:
        return "\n".join(f"  {name}: {describe(m)}" if name else describe(m) for name, m in self.modules().items())


def is_leaf(item: Any) -> bool:
    """Whether it is a Tensor that was not computed from others."""
    return isinstance(item, Tensor) and item.op is None


def walk(item: Any, name: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Tensor | Module]]:
    """All leaf Tensors and all Modules within ``item``, itself included, each once, by the first name that is found."""
    seen = set() if seen is None else seen
    if id(item) in seen:
        return
    if isinstance(item, (Module, dict, list, tuple)) or is_leaf(item):
        seen.add(id(item))
    if isinstance(item, Module) or is_leaf(item):
        yield name, item
    parts: Mapping[Any, Any] = {}
    if isinstance(item, Module):
        parts = vars(item)
    elif isinstance(item, dict):
        parts = item
    elif isinstance(item, (list, tuple)):
        parts = dict(enumerate(item))
    for key, part in parts.items():
        yield from walk(part, f"{name}.{key}" if name else str(key), seen)


def describe(module: Module) -> str:
    """One line: the type, the shapes of its own Tensors, and its settings."""
    parts = []
    for name, value in vars(module).items():
        if is_leaf(value):
            parts.append(f"{name}={value.shape}")
        elif isinstance(value, (int, float, str)) and name not in ("training", "couples_rows"):
            parts.append(f"{name}={value!r}")
        elif callable(value) and not isinstance(value, Module) and hasattr(value, "__name__"):
            parts.append(f"{name}={value.__name__}")
    return f"{type(module).__name__}({', '.join(parts)})"
