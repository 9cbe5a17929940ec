"""How far the training is: one line on stderr that is written over, or a line every 10 % where that is no terminal."""

from __future__ import annotations

import shutil
import sys
import time
from datetime import timedelta

from scratchgen.training.history import History


class Progress:
    """step, loss, steps per second, and the time left.

    Args:
        steps: of the whole training; the rate and the time left count from ``start``, where this run of it began.
        wanted: False to print nothing.
        unit: of the loss.

    >>> bar = Progress(steps=1000, start=0, wanted=True)
    >>> bar.line(250, loss=101.5, validation=103.25, seconds=10.0)
    'step 250/1000  loss 101.5 nats  validation 103.2 nats  25.0 steps/s  0:00:30 left'
    """

    def __init__(self, steps: int, start: int, wanted: bool, unit: str = "nats") -> None:
        self.steps, self.start, self.unit = steps, start, f" {unit}" if unit else ""
        self.stream = sys.stderr if wanted else None  # which is None, too, under pythonw
        self.on_terminal = self.stream is not None and self.stream.isatty()
        self.began = time.perf_counter()
        self.shown, self.tenths = -1.0, start * 10 // steps
        self.open = False  # whether the line on the terminal still needs its end

    def line(self, step: int, loss: float, validation: float | None, seconds: float) -> str:
        """What is shown after ``step`` steps, ``seconds`` after the start."""
        rate = (step - self.start) / max(seconds, 1e-9)  # of this run; the steps before a resume are not in it
        left = timedelta(seconds=round((self.steps - step) / rate))
        evaluated = "" if validation is None else f"  validation {validation:.4g}{self.unit}"
        return f"step {step}/{self.steps}  loss {loss:.4g}{self.unit}{evaluated}  {rate:.1f} steps/s  {left} left"

    def show(self, step: int, loss: float, validation: float | None) -> None:
        """Report a step; on a terminal at most ten times a second, and the last one."""
        if self.stream is None:
            return
        seconds = time.perf_counter() - self.began
        if self.on_terminal:
            if seconds - self.shown < 0.1 and step < self.steps:
                return
            self.shown, self.open = seconds, True
            width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be written over
            self.stream.write(f"\r{self.line(step, loss, validation, seconds)[:width]}\x1b[K")  # and clear its rest
        elif step * 10 // self.steps > self.tenths:
            self.tenths = step * 10 // self.steps
            self.stream.write(self.line(step, loss, validation, seconds) + "\n")
        self.stream.flush()

    def close(self, history: History) -> None:
        """End the line, and say why the training ended, if it ended early."""
        if self.stream is None:
            return
        if self.open:
            self.stream.write("\n")
        if history.interrupted:
            self.stream.write("stopped by Ctrl-C\n")
        if history.stopped_early:
            self.stream.write(f"stopped early: the best validation loss was that of step {history.best_step}\n")
        self.stream.flush()
