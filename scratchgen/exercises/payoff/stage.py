"""Where a payoff trains, says what it finds, and draws: the same for all four."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.exercises.kit.failure import Failure


class Stage:
    """What a payoff is given besides its pieces.

    Args:
        name: of the payoff, and of its picture.
        out: the folder for the picture.
        seed: of all random numbers.
        effort: how much of the training is done, a fraction of the whole: 1, or less for a short form.
        notes: what is written below the picture: whose functions it shows, and what the checks said of them.
    """

    def __init__(self, name: str, out: Path, seed: int = 0, effort: float = 1.0, notes: tuple[str, ...] = ()) -> None:
        self.name, self.out, self.seed, self.effort, self.notes = name, out, seed, effort, notes
        self.start = time.perf_counter()

    def say(self, text: str) -> None:
        """Print a line, with the seconds since the start."""
        print(f"[{time.perf_counter() - self.start:5.1f} s] {text}", flush=True)

    def steps(self, whole: int) -> int:
        """How many of so many steps are to be done."""
        return max(2, round(whole * self.effort))

    def train(self, whole: int, step: Callable[[int], float], what: str) -> np.ndarray:
        """Call ``step(i)`` for i = 0, 1, …, and return what it returns each time; say so ten times on the way.

        Args:
            whole: the number of steps of the full form.
            step: one step of the training, which returns the value that is plotted.
            what: the name of that value.

        Raises:
            Failure: as soon as the value is no finite number.

        >>> Stage("nothing", Path(), effort=0.03).train(100, lambda i: 0.5 * i, "loss")
        [... s] step 1 of 3: loss 0.00
        [... s] step 2 of 3: loss 0.50
        [... s] step 3 of 3: loss 1.00
        array([0. , 0.5, 1. ])
        """
        steps, values = self.steps(whole), []
        for i in range(steps):
            value = np.asarray(step(i))
            if value.shape or not np.isfinite(value):
                raise Failure(f"After step {i + 1} of the training the {what} is {value}: it cannot go on.")
            values.append(float(value))
            if (i + 1) % max(1, steps // 10) == 0:
                recent = np.mean(values[-max(1, steps // 10) :])
                self.say(f"step {i + 1} of {steps}: {what} {recent:.2f}")
        return np.array(values)

    def figure(self, title: str, rows: int, columns: int) -> tuple[Any, Any]:
        """A figure with the title and the notes, and its (rows, columns) axes."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.6 * columns, 4.3 * rows + 0.8), layout="constrained")
        figure.suptitle(title, fontsize="x-large", fontweight="bold")
        lines = [line for note in self.notes for line in textwrap.wrap(note, 42 * columns)]
        figure.supxlabel("\n".join(lines), fontsize=9, ha="left", x=0.01)
        return figure, figure.subplots(rows, columns, squeeze=False)

    def save(self, figure: Any) -> None:
        """Write the picture, and say where it is.

        Raises:
            Failure: if it cannot be written.
        """
        path = self.out / f"{self.name}.png"
        try:
            figure.savefig(path, dpi=110)
        except OSError as error:
            raise Failure(f"{path} cannot be written: {error.strerror or error}") from None
        self.say(f"the picture is {path}")


def smooth(values: np.ndarray) -> tuple[list[float], list[float]]:
    """Means of at most 100 stretches of a curve, and the steps at their middles: both to be drawn.

    >>> smooth(np.arange(300.0))[1][:3]
    [1.0, 4.0, 7.0]
    """
    parts = np.array_split(values, min(100, len(values)))
    lengths = np.array([len(part) for part in parts])
    return (np.cumsum(lengths) - lengths / 2).tolist(), [float(part.mean()) for part in parts]
