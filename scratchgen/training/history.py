"""What a training leaves to look at: the curves, or the error that ended it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass
class History:
    """The losses at each evaluation, in nats, and how the training ended.

    Attributes:
        steps: after how many steps.
        loss: the mean training loss of the steps since the evaluation before.
        validation: the loss of the validation data after these steps; empty if there are none.
        interrupted: Ctrl-C ended it.
        stopped_early: patience ended it.

    >>> history = History(steps=[10, 20, 30], loss=[3.0, 2.0, 1.0], validation=[3.5, 2.5, 2.75])
    >>> history.best_step
    20
    """

    steps: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    interrupted: bool = False
    stopped_early: bool = False

    @property
    def best_step(self) -> int | None:
        """The step of the lowest validation loss, the first of equals; None if there is none."""
        return self.steps[self.validation.index(min(self.validation))] if self.validation else None

    @property
    def evaluations_since_best(self) -> int:
        """How many evaluations have brought nothing better since the best."""
        return len(self.validation) - 1 - self.validation.index(min(self.validation)) if self.validation else 0


class TrainingError(RuntimeError):
    """A loss or a gradient was NaN or inf. The model has the weights from before that step, and so has the checkpoint.

    Attributes: step (its number, counted from 0), reason, history (up to there).
    """

    advice: ClassVar[str] = (
        "Try a lower lr, or clip; within scratchgen.autodiff.detect_anomaly() the error names the operation"
    )

    def __init__(self, step: int, reason: str, history: History) -> None:
        super().__init__(step, reason, history)
        self.step, self.reason, self.history = step, reason, history

    def __str__(self) -> str:
        return f"step {self.step}: {self.reason}. The weights are those from before this step. {self.advice}"


class WorkerError(TrainingError):
    """A worker of the executor raised an error, or was lost; otherwise as ``TrainingError``."""

    advice = "With a checkpoint, resume=True goes on from here; an executor that has lost a worker may need replacing"
