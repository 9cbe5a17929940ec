"""What a gradient check looks at: a function, or the derivative of a function as a function in its turn.

    subject       value at x               pull_back at x, of a cotangent w
    Direct(f)     f(x)                     Jᵀw, by the backward pass
    Gradient(f)   Jᵀv, for a fixed v       ∂⟨Jᵀv, w⟩/∂x, by the backward pass through the backward pass

An oracle differentiates the value, and the pull-back has to agree. So one comparison checks the first derivative and
the second: there the function is the first-order rules, which run on plain arrays, complex ones too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff.chain_rule import backpropagate
from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.checking.oracles import largest
from scratchgen.autodiff.tensor import Tensor, clock

PullBack = Callable[[np.ndarray], list[np.ndarray]]
Arrays = Sequence[np.ndarray]


class Direct:
    """The function f itself."""

    order = 1

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f

    def value(self, arrays: Arrays) -> np.ndarray:
        """f(x), without a graph."""
        return self.output([protected(a) for a in arrays]).data

    def pull_back(self, arrays: Arrays) -> tuple[np.ndarray, PullBack]:
        """f(x), and the function w ↦ Jᵀw."""
        leaves = [protected(a, requires_grad=True) for a in arrays]
        y = self.output(leaves)
        return y.data, lambda w: gradients(y, w, leaves)

    def output(self, leaves: Sequence[Tensor]) -> Tensor:
        """f of those Tensors.

        Raises:
            TypeError: if it is no Tensor.
        """
        y = self.f(*leaves)
        if not isinstance(y, Tensor):
            raise TypeError(
                f"the function returned {type(y).__name__}, not a Tensor: return one Tensor, and do not leave the "
                "graph by .data, .item() or float()"
            )
        return y

    def magnitude(self, arrays: Arrays, y: np.ndarray) -> float:
        """How large the value is, or its parts may be that cancelled."""
        return max([largest(y), *(1e-3 * min(size_of(a), 1.0) for a in arrays)])

    def describe(self, k: int, arrays: Arrays, y: np.ndarray) -> str:
        """The k-th element of the value, in words."""
        return f"output {place(k, y.shape)}"


class Gradient(Direct):
    """The gradients of ⟨v, f⟩ with respect to all inputs, raveled and joined to one vector."""

    order = 2

    def __init__(self, f: Callable[..., Any], v: np.ndarray) -> None:
        super().__init__(f)
        self.v = v

    def value(self, arrays: Arrays) -> np.ndarray:
        """Jᵀv, by the rules on plain arrays."""
        y, pull = super().pull_back(arrays)
        return joined(pull(self.v.astype(y.dtype)))

    def pull_back(self, arrays: Arrays) -> tuple[np.ndarray, PullBack]:
        """Jᵀv, by the rules on Tensors, and the function w ↦ ∂⟨Jᵀv, w⟩/∂x."""
        leaves = [protected(a, requires_grad=True) for a in arrays]
        y = self.output(leaves)
        first = gradients(y, leaf_of(self.v.astype(y.dtype)), leaves, create_graph=True)

        def pull(w: np.ndarray) -> list[np.ndarray]:
            total = [np.zeros_like(a) for a in arrays]
            ends = np.cumsum([a.size for a in arrays])
            for g, part in zip(first, np.split(w, ends[:-1])):
                if isinstance(g, Tensor) and g.requires_grad:
                    second = gradients(g, part.reshape(g.shape), leaves)
                    total = [a + b for a, b in zip(total, second)]
            return total

        return joined([g.data if isinstance(g, Tensor) else g for g in first]), pull

    def magnitude(self, arrays: Arrays, y: np.ndarray) -> float:
        """How large the gradient is, or would be if its parts did not cancel, as those of x / x do: |f| / |x|."""
        f = super().magnitude(arrays, super().value(arrays))
        return max([largest(y), *(f / size_of(a) for a in arrays)])

    def describe(self, k: int, arrays: Arrays, y: np.ndarray) -> str:
        """The k-th element of the joined gradients, in words."""
        for i, a in enumerate(arrays):
            if k < a.size:
                return f"the gradient of argument {i} at index {place(k, a.shape)}"
            k -= a.size
        raise IndexError(k)


def place(k: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the k-th element in an array of that shape."""
    return tuple(int(i) for i in np.unravel_index(k, shape))


def size_of(x: np.ndarray) -> float:
    """The root mean square of the values, 1 for zeros: steps are taken relative to it."""
    return float(np.sqrt(np.mean(np.square(x)))) or 1.0 if x.size else 1.0


def protected(array: np.ndarray, requires_grad: bool = False) -> Tensor:
    """A leaf that looks at ``array`` as it lies in memory, and cannot write to it."""
    view = array.view()
    view.flags.writeable = False
    leaf = leaf_of(view)
    leaf.requires_grad = requires_grad
    return leaf


def gradients(y: Tensor, w: Any, leaves: Sequence[Tensor], create_graph: bool = False) -> list[Any]:
    """Jᵀw for every leaf; zeros for one that y does not depend on. The graph is kept, and w cannot be written to.

    Raises:
        GradientError: where a rule raises.
    """
    found: dict[Tensor, Any] = {}
    if isinstance(w, np.ndarray):
        w = np.array(w)
        w.flags.writeable = False
    try:
        if y.requires_grad:
            found = backpropagate(y, w, set(leaves), retain_graph=True, create_graph=create_graph)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise GradientError(f"the backward pass raised {type(error).__name__}: {error}") from error
    found = {leaf: g if isinstance(g, Tensor) else np.asarray(g) for leaf, g in found.items()}  # no NumPy scalars
    return [found[leaf] if leaf in found else np.zeros_like(leaf.data) for leaf in leaves]


def joined(arrays: Arrays) -> np.ndarray:
    """All values as one vector."""
    return np.concatenate([np.ravel(a) for a in arrays])


def leaf_of(array: np.ndarray) -> Tensor:
    """A leaf that holds ``array`` itself, without a copy."""
    t = Tensor.__new__(Tensor)
    t._data, t.requires_grad, t.number = array, False, next(clock)
    t.grad = t.op = t.args = None
    t.inputs, t.options = (), {}
    return t
