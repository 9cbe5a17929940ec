"""What all optimisers share: the parameters in one buffer, the step through it in blocks, the state.

An update such as Adam's is ten short operations on every weight. Written with one array a parameter and one temporary
an operation, it waits for memory: each operation streams all weights through the processor again, and each temporary
is fetched from the system anew. So the weights of all parameters lie end to end in one buffer, beside equally long
buffers for the optimiser's running sums, and the update runs block by block, in place: a block of all of them stays
in the processor's cache until its operations are done. Each parameter becomes a view of its part of the buffer:

    buffer    │ W1 ........................ │ b1 . │ W2 ................. │ b2 │
    blocks    │ 0            │ 1            │ 2             │ 3               │

An optimiser says what happens to a block, in ``_update``; it never sees where one parameter ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.optim.parameters import Parameters, checked_gradients, named

BLOCK = 2**17  # elements; with 2¹³ the overhead of the calls shows, with the whole buffer at once the cache overflows


class Block(NamedTuple):
    """A stretch of the buffers, and where its gradient is to be found."""

    p: np.ndarray  # (k,) the weights
    sums: list[np.ndarray]  # (k,) each: the running sums of the optimiser
    scratch: np.ndarray  # (k,) to compute in
    sources: list[tuple[str, slice]]  # the parameters that lie in it, and which elements of them


class Optimizer:
    """The base of SGD, Adam and AdamW; a subclass says by ``SUMS`` what it keeps per weight, and writes ``_update``.

    Args:
        parameters: ``model.parameters()``, or any Tensors that require a gradient. They keep their values, but move
            into the buffer; so convert a model by ``astype`` first, and have one optimiser for a parameter.
        lr: the learning rate, also an attribute that can be set at any time.

    Raises:
        ValueError, TypeError: for lr ≤ 0 or not finite, and for parameters that ``named`` refuses.
    """

    SUMS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parameters: Parameters, lr: float) -> None:
        self.parameters = named(parameters)
        self.lr = lr
        self.steps = 0  # taken so far
        self._make_buffers()

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        """Give a copy buffers of its own: its arrays are copied, or unpickled, one by one, and no views any more."""
        vars(self).update(attributes)
        state = self.state()
        self._make_buffers()
        self.load_state(state)

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._check_lr(value)
        self._lr = float(value)

    def _check_lr(self, value: float) -> None:
        """Refuse a learning rate out of range; a subclass may refuse more."""
        if not 0 < value < math.inf:
            raise ValueError(f"lr is {value}; it must be above 0 and finite")

    def step(self) -> None:
        """Change the parameters in place by one step, given the gradients in ``.grad``, which stay as they are.

        Raises:
            ValueError, TypeError: for a missing gradient, or one of another shape or dtype.
            FloatingPointError: for a gradient with a NaN or inf, naming the parameter.
            RuntimeError: if a parameter does not lie in the buffer any more.
            In each case nothing is changed.
        """
        gradients = checked_gradients(self.parameters)
        self._check_owner()
        self.steps += 1
        with np.errstate(all="warn", under="ignore"):  # where a user's seterr says "raise", half a step would be left
            self._apply(gradients)
        for parameter in self.parameters.values():
            parameter.touch()

    def zero_grad(self) -> None:
        """Forget the gradients; without it, the next backward adds to them."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the steps so far have left behind: with it and the parameters, training goes on exactly.

        "steps" and "lr", and by parameter the running sums, such as "m.encoder.0.W".
        """
        state = {"steps": np.array(self.steps), "lr": np.array(self.lr)}
        for i, kind in enumerate(self.SUMS, start=1):
            state |= {f"{kind}.{name}": views[i].copy() for name, views in self._views.items()}
        return state

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over a state, lr included.

        Raises:
            ValueError: listing all entries that are missing, unknown, or of another shape or dtype, and for steps or lr
                out of range; nothing is changed.
        """
        refuse_other_entries(arrays, self.state(), "the optimiser")
        self.lr = float(arrays["lr"])  # first, since it may be refused
        self.steps = int(arrays["steps"])
        for i, kind in enumerate(self.SUMS, start=1):
            for name, views in self._views.items():
                views[i][...] = arrays[f"{kind}.{name}"]

    # -- the buffers -----------------------------------------------------------------------------------------------

    def _make_buffers(self) -> None:
        self._views: dict[str, list[np.ndarray]] = {}  # by parameter: its values and sums, in its shape
        self._blocks = [
            block
            for dtype in dict.fromkeys(p.dtype for p in self.parameters.values())
            for block in self._lay_out({name: p for name, p in self.parameters.items() if p.dtype == dtype}, dtype)
        ]

    def _lay_out(self, parameters: dict[str, Tensor], dtype: np.dtype) -> Iterator[Block]:
        """Move parameters of one dtype into new buffers, and cut these into blocks."""
        total = sum(p.size for p in parameters.values())
        buffers = [np.zeros(total, dtype) for _ in ("p", *self.SUMS)]
        places: dict[str, tuple[int, int]] = {}
        start = 0
        for name, parameter in parameters.items():
            stop = start + parameter.size
            places[name] = start, stop
            self._views[name] = [b[start:stop].reshape(parameter.shape) for b in buffers]
            parameter.move_to(self._views[name][0])
            start = stop
        scratch = np.empty(min(BLOCK, total), dtype)
        for lo in range(0, total, BLOCK):
            hi = min(lo + BLOCK, total)
            sources = [
                (name, slice(max(lo, start) - start, min(hi, stop) - start))
                for name, (start, stop) in places.items()
                if start < hi and lo < stop
            ]
            p, *sums = (b[lo:hi] for b in buffers)
            yield Block(p, sums, scratch[: hi - lo], sources)

    def _apply(self, gradients: dict[str, np.ndarray]) -> None:
        for block in self._blocks:
            parts = [gradients[name][elements] for name, elements in block.sources]
            g = parts[0] if len(parts) == 1 else np.concatenate(parts, out=block.scratch)
            self._update(block.p, g, block.scratch, *block.sums)

    def _update(self, p: np.ndarray, g: np.ndarray, scratch: np.ndarray, *sums: np.ndarray) -> None:
        """Change p and the sums in place. The gradient g may lie in scratch; elsewhere it must not be changed."""
        raise NotImplementedError(f"{type(self).__name__} has no _update")

    def _check_owner(self) -> None:
        for name, parameter in self.parameters.items():
            if parameter.data.base is not self._views[name][0].base:
                raise RuntimeError(
                    f"parameter {name} has left the buffer of this optimiser, by model.astype or for another "
                    "optimiser; make one optimiser for it, after astype"
                )


def refuse_other_entries(got: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray], owner: str) -> None:
    """Raise ValueError listing all entries of a state that are missing, unknown, or of another shape or dtype.

    A negative number of "steps" is refused too.
    """
    wrong = [f"{name} is missing" for name in wanted if name not in got]
    wrong += [f"{name} is unknown to {owner}" for name in got if name not in wanted]
    for name in wanted:
        if name in got and (np.shape(got[name]), np.asarray(got[name]).dtype) != (
            wanted[name].shape,
            wanted[name].dtype,
        ):
            wrong.append(
                f"{name} is {np.asarray(got[name]).dtype} {np.shape(got[name])}, "
                f"{owner} wants {wanted[name].dtype} {wanted[name].shape}"
            )
    if not wrong and got["steps"] < 0:
        wrong = [f"steps is {got['steps']}, it must be at least 0"]
    if wrong:
        raise ValueError("the state does not fit, nothing was loaded:\n  " + "\n  ".join(wrong))
