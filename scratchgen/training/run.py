"""A training run: one step of it, one evaluation, and all that the next step depends on, saved and loaded.

That a resumed training goes on bit for bit as if it had never stopped is a matter of leaving nothing out:

    the parameters and buffers          the optimiser's running sums, its number of steps, its lr
    the state of the random generator   the order of the rows in this epoch, and how far they are used up
    the average of the weights          the best weights so far, the losses since the last evaluation

It is promised for the same machine, NumPy and number of threads: others add in another order.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from scratchgen import checkpoint
from scratchgen.autodiff import no_grad
from scratchgen.checkpoint import CheckpointError
from scratchgen.optim import Average, Optimizer, clip_by_norm
from scratchgen.optim.optimizer import refuse_other_entries
from scratchgen.training.gradients import Trainable, checked_loss, loss_and_gradients
from scratchgen.training.history import History
from scratchgen.training.minibatches import Arrays, Minibatches
from scratchgen.training.sharded import Sharded

Path = str | os.PathLike[str]


class Run:
    """The state of a training after ``step`` steps; see ``fit`` for the arguments."""

    def __init__(
        self,
        model: Trainable,
        optimizer: Optimizer,
        average: Average | None,
        batches: Minibatches,
        validation: Arrays | None,
        evaluate_every: int,
        keep_best: bool,
        note: Mapping[str, Any] | None = None,
        sharded: Sharded | None = None,
    ) -> None:
        self.model, self.optimizer, self.average = model, optimizer, average
        self.batches, self.validation = batches, validation
        self.evaluate_every, self.keep_best = evaluate_every, keep_best
        self.note, self.sharded = dict(note or {}), sharded
        self.tensors = model.parameters()
        self.step = 0
        self.history = History()
        self.recent = [0.0, 0]  # the sum and the number of the losses since the last evaluation
        self.best: dict[str, np.ndarray] = {}
        self.whole = True  # False in the middle of a change, of which nothing must be saved
        # Drawn with or without validation data, so that having them does not change the training; shards use it too.
        self.validation_seed = int(batches.rng.integers(2**63))

    # -- one step, one evaluation ----------------------------------------------------------------------------------

    def train_step(self, clip: float | None) -> None:
        """One step of the optimiser on the next minibatch.

        Raises:
            FloatingPointError: for a loss or gradient with a NaN or inf, naming the parameters. After this error and
                any other before the optimiser's step, the weights, the running sums and the random state are as before.
        """
        before, taken = self._randomness(), self.optimizer.steps
        self.whole = False
        try:
            problem = self.model, self.tensors, self.batches.draw(), self.batches.rng
            if self.sharded is None:
                loss = loss_and_gradients(*problem)
            else:
                loss = self.sharded(*problem, self.validation_seed, self.step)
            if clip is not None:
                clip_by_norm(self.optimizer.parameters, clip)
            self.optimizer.step()
        except BaseException:
            if self.optimizer.steps == taken:
                self._set_randomness(before)
                self.whole = True
            raise
        if self.average is not None:
            self.average.update()
        self.step += 1
        self.recent = [self.recent[0] + loss, self.recent[1] + 1]
        self.whole = True

    def evaluate(self) -> None:
        """Add an evaluation to the history, and keep the weights if they are the best so far.

        Raises:
            FloatingPointError: for a validation loss that is NaN or inf.
        """
        loss, count = self.recent
        with nullcontext() if self.average is None else self.average.applied():
            if self.validation is not None:
                value = mean_loss(self.model, self.validation, self.batches.size, self.validation_seed)
                if not math.isfinite(value):
                    raise FloatingPointError(f"the validation loss is {value}")
            self.whole = False
            if self.validation is not None:
                self.history.validation.append(value)
            self.history.steps.append(self.step)
            self.history.loss.append(loss / count)
            self.recent = [0.0, 0]
            if self.keep_best and self.history.best_step == self.step:
                self.best = self.model.state()
        self.whole = True

    def latest(self) -> tuple[float, float | None]:
        """The mean loss since the last evaluation, or of the last one, and the last validation loss."""
        loss, count = self.recent
        validation = self.history.validation[-1] if self.history.validation else None
        return loss / count if count else self.history.loss[-1], validation

    # -- what a checkpoint holds -----------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write all of it; raises ``CheckpointError``."""
        arrays = {
            **prefixed("model", self.model.state()),
            **prefixed("optimizer", self.optimizer.state()),
            **prefixed("average", {} if self.average is None else self.average.state()),
            **prefixed("best", self.best),
            "order": self.batches.order,
            "history.steps": np.array(self.history.steps, np.int64),
            "history.loss": np.array(self.history.loss, np.float64),
            "history.validation": np.array(self.history.validation, np.float64),
        }
        meta = {
            "step": self.step,
            "position": self.batches.position,
            "rng": plain(self.batches.rng.bit_generator.state),
            "validation_seed": self.validation_seed,
            "recent": self.recent,
            "settings": self._settings(),
            "note": self.note,
        }
        checkpoint.save(path, arrays, meta)

    def load(self, path: Path) -> None:
        """Go on from what ``save`` wrote.

        Raises:
            CheckpointError: if the file cannot be read, or comes from a run with other settings.
            ValueError: listing all that does not fit this model or optimiser. In each case nothing is changed.
        """
        arrays, meta = checkpoint.load(path)
        if "settings" not in meta or "order" not in arrays:
            raise CheckpointError(path, "meta", f"the entries {sorted(meta)}", "what training.fit saves")
        for name, now in self._settings().items():
            if meta["settings"].get(name) != now:
                advice = "Resume with the arguments of the first run."
                raise CheckpointError(path, name, f"{meta['settings'].get(name)} in the saved run", now, advice)
        refuse_other_entries(part("optimizer", arrays), self.optimizer.state(), "the optimiser")
        if self.average is not None:
            refuse_other_entries(part("average", arrays), self.average.state(), "the average")
        self.model.load_state(part("model", arrays))
        self.optimizer.load_state(part("optimizer", arrays))
        if self.average is not None:
            self.average.load_state(part("average", arrays))
        self.best = part("best", arrays)
        self.history.steps = arrays["history.steps"].tolist()
        self.history.loss = arrays["history.loss"].tolist()
        self.history.validation = arrays["history.validation"].tolist()
        self.step, self.validation_seed, self.recent = meta["step"], meta["validation_seed"], meta["recent"]
        self._set_randomness((meta["rng"], arrays["order"], meta["position"]))

    def _settings(self) -> dict[str, Any]:
        """What has to be the same for a run to be resumed."""
        return {
            "batch_size": self.batches.size,
            "rows of data": len(self.batches.order),
            "rows of validation": 0 if self.validation is None else len(self.validation[0]),
            "evaluate_every": self.evaluate_every,
            "average": self.average is not None,
            "early stopping": self.keep_best,
            "shards": 1 if self.sharded is None else self.sharded.shards,
            "kind of rng": type(self.batches.rng.bit_generator).__name__,
        }

    def _randomness(self) -> tuple[Any, np.ndarray, int]:
        return self.batches.rng.bit_generator.state, self.batches.order, self.batches.position

    def _set_randomness(self, state: tuple[Any, np.ndarray, int]) -> None:
        self.batches.rng.bit_generator.state, self.batches.order, self.batches.position = state


def mean_loss(model: Trainable, arrays: Arrays, batch_size: int, seed: int) -> float:
    """The mean loss per row in evaluation mode, without a graph, with the same noise for the same seed."""
    rng = np.random.default_rng(seed)
    total = 0.0
    model.eval()
    try:
        with no_grad():
            for start in range(0, len(arrays[0]), batch_size):
                batch = tuple(array[start : start + batch_size] for array in arrays)
                total += checked_loss(model.loss(*batch, rng)).item() * len(batch[0])
    finally:
        model.train()
    return total / len(arrays[0])


def plain(state: Any) -> Any:
    """The state of a bit generator for JSON: some hold arrays."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, (np.ndarray, np.generic)) else state


def prefixed(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays under "prefix.name"; ``part`` finds them again."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def part(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays that ``prefixed`` has named."""
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(prefix + ".")}
