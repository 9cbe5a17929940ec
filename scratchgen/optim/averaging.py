"""An exponential moving average of the weights, often better than the weights themselves.

The minibatches' noise keeps the weights p wandering about the optimum; their average over the last 1 / (1 − decay)
steps lies closer to it:

    a ← decay a + (1 − decay) p,    â = a / (1 − decayᵗ)                (1)

with the division that Adam has for its own start from zero. Put into one line for â, which is what the code keeps:

    â ← â + w (p − â),    w = (1 − decay) / (1 − decayᵗ)                (2)

The first w is 1: the average starts at the weights of the first step and forgets its start as it should.

Source: Polyak & Juditsky, Acceleration of stochastic approximation by averaging, 1992, for the plain average; Kingma
& Ba, Adam, ICLR 2015, §7.2, for (1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from scratchgen.optim.optimizer import refuse_other_entries
from scratchgen.optim.parameters import Parameters, named


class Average:
    """The exponential moving average of parameters, to be swapped in for evaluation.

    Only parameters are averaged: buffers that a model keeps otherwise stay as they are.

    Args:
        parameters: ``model.parameters()``, or any Tensors.
        decay: 0 ≤ decay < 1; the average reaches back over about 1 / (1 − decay) steps.

    Raises:
        ValueError: for another decay, and as an optimiser for the parameters.

    >>> from scratchgen.autodiff import Tensor
    >>> w = Tensor([0.0], requires_grad=True)
    >>> average = Average([w], decay=0.5)
    >>> for value in (1.0, 4.0):
    ...     w.assign([value])                    # stands for optimizer.step()
    ...     average.update()
    >>> with average.applied():
    ...     w.item()                             # (½ · 1 + 4) / (½ + 1)
    3.0
    >>> w.item()
    4.0
    """

    def __init__(self, parameters: Parameters, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}; it must be at least 0 and below 1")
        self.parameters = named(parameters)
        self.decay = decay
        self.steps = 0  # averaged so far
        self._averages = {name: np.zeros_like(p.data) for name, p in self.parameters.items()}
        self._scratch = {name: np.empty_like(average) for name, average in self._averages.items()}
        self._applied = False

    def update(self) -> None:
        """Take the present weights into the average; call it after each step of the optimiser.

        Raises RuntimeError while the average itself is applied.
        """
        if self._applied:
            raise RuntimeError("the weights are the average itself at the moment: update it outside of applied()")
        self.steps += 1
        w = (1 - self.decay) / (1 - self.decay**self.steps)
        for name, average in self._averages.items():
            difference = np.subtract(self.parameters[name].data, average, out=self._scratch[name])
            np.multiply(difference, w, out=difference)
            np.add(average, difference, out=average)  # (2)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within this block the parameters have their averages; afterwards, what they had before.

        Raises RuntimeError before the first update, or if it is applied already; and at the end, if the parameters were
        changed within, by a step of the optimiser or by load_state: they still get back what they had before.
        """
        if not self.steps:
            raise RuntimeError("there is no average yet: call update() after a step of the optimiser")
        if self._applied:
            raise RuntimeError("the average is applied already")
        own = {name: parameter.data.copy() for name, parameter in self.parameters.items()}
        self._applied = True
        try:
            for name, parameter in self.parameters.items():
                parameter.assign(self._averages[name])
            numbers = {name: parameter.number for name, parameter in self.parameters.items()}
            yield
            changed = [name for name, parameter in self.parameters.items() if parameter.number != numbers[name]]
        finally:
            for name, parameter in self.parameters.items():
                parameter.assign(own[name])
            self._applied = False
        if changed:
            raise RuntimeError(
                f"changed within applied(): {', '.join(changed)}; the change is undone, since they have their own "
                "values again: train and load outside of it"
            )

    def state(self) -> dict[str, np.ndarray]:
        """Copies of the number of steps and the averages, "steps" and "average.<name>"."""
        averages = {f"average.{name}": average.copy() for name, average in self._averages.items()}
        return {"steps": np.array(self.steps), **averages}

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over a state.

        Raises:
            ValueError: listing all entries that are missing, unknown, or of another shape or dtype; nothing is changed.
        """
        refuse_other_entries(arrays, self.state(), "the average")
        self.steps = int(arrays["steps"])
        for name, average in self._averages.items():
            average[...] = arrays[f"average.{name}"]
