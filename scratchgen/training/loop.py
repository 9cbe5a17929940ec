"""The training loop: ``fit`` minimises a model's loss on data, and loses no work.

Without the care for evaluation, interruption and resuming it is

    for step in range(steps):
        batch = next minibatch                      in a new random order each epoch
        loss = model.loss(batch, rng)               nats: the sum over dimensions, the mean over the batch
        loss.backward()                             after forgetting the gradients of the step before
        optimizer.step()

``minibatches`` checks and deals out the data, ``run`` holds what the next step depends on, ``interrupt`` makes Ctrl-C
wait for the end of a step, ``sharded`` has other processes compute the gradients, ``progress`` prints.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from scratchgen.autodiff import Tensor
from scratchgen.checkpoint import CheckpointError
from scratchgen.optim import Average, Optimizer, Schedule
from scratchgen.optim.parameters import non_finite
from scratchgen.random import Rng, generator
from scratchgen.training.gradients import Trainable
from scratchgen.training.history import History, TrainingError, WorkerError
from scratchgen.training.interrupt import deferred_interrupt
from scratchgen.training.minibatches import Minibatches, checked_data, whole_number
from scratchgen.training.progress import Progress
from scratchgen.training.run import Path, Run
from scratchgen.training.sharded import Sharded
from scratchgen.training.worker import ShardFailed


def fit(
    model: Trainable,
    data: Any,
    *,
    optimizer: Optimizer,
    batch_size: int,
    rng: Rng,
    steps: int | None = None,
    epochs: int | None = None,
    validation: Any = None,
    evaluate_every: int | None = None,
    patience: int | None = None,
    schedule: Schedule | None = None,
    clip: float | None = None,
    average: Average | None = None,
    checkpoint: Path | None = None,
    note: Mapping[str, Any] | None = None,
    resume: bool = False,
    progress: bool = True,
    unit: str = "nats",
    on_step: Callable[[int], None] | None = None,
    executor: Executor | None = None,
    shards: int | None = None,
) -> History:
    """Minimise ``model.loss(batch, rng)``; afterwards the model is in evaluation mode.

    Ctrl-C finishes the step, saves, and returns what there is, with ``history.interrupted``; a second one raises at
    once. An error saves too, unless it comes in the middle of an optimiser's step. With ``checkpoint`` and ``resume`` a
    training goes on where it stopped, mid-epoch too, and ends bit for bit as if it had never stopped (on one machine,
    with one NumPy and number of threads).

    Args:
        model: an ``nn.Module`` with ``loss(x, rng)``, or any ``Trainable``.
        data: an array whose rows are the examples, or a tuple of such arrays: the loss gets a batch of each.
        optimizer: of parameters of this model.
        batch_size: rows per step; the last batch of an epoch may be smaller.
        rng: shuffles the data, and goes on to the loss.
        steps, epochs: how long to train, one of the two.
        validation: like data; its loss is evaluated in evaluation mode, each time with the same noise, which is not
            taken from ``rng``.
        evaluate_every: the number of steps between two entries of the history; also when the checkpoint is written.
            By default one epoch. What is left at the end makes a shorter last one.
        patience: stop after so many evaluations without a better validation loss; whenever fit returns, the model
            then has its best weights.
        schedule: from the number of a step, counted from 0, to its lr.
        clip: the longest gradient, see ``optim.clip_by_norm``.
        average: is updated after each step, and applied for the evaluations and in the best weights.
        checkpoint: the file to save to, at the start, at each evaluation, and whenever the training ends.
        note: JSON to keep in the checkpoint, as ``meta["note"]``: how the model was made, for one.
        resume: go on from ``checkpoint``, to the number of steps or epochs counted from the very start; the state of
            ``rng`` and the optimiser's lr are taken from it too. Without ``resume``, the file must not exist yet.
        progress: whether to print on stderr.
        unit: of the loss, to be printed after it; "" for a squared error, which is no nats.
        on_step: called before each step with its number, for example to raise the weight of a KL term.
        executor: whose workers compute the gradients, processes here or on other machines: see ``sharded`` for how to
            start it, what stays the same, and when it pays. Evaluations are made in this process.
        shards: in how many parts a batch goes to them; by default one for each worker of a pool of this machine.

    Raises:
        ValueError, TypeError: before the training starts, for data with NaN or of another dtype than the parameters,
            no data, an optimiser of other parameters, settings out of range, or an executor that cannot be used.
        TrainingError: for a loss or gradient with NaN or inf, with the step and the parameter.
        WorkerError: for any other error in a worker, or one that is lost.
        CheckpointError: if the checkpoint cannot be written, read, or resumed with these arguments.

    >>> import numpy as np
    >>> from scratchgen.nn import Module
    >>> from scratchgen.optim import Adam
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope = Tensor(0.0, requires_grad=True)
    ...     def loss(self, x, y, rng):
    ...         return np.mean(np.square(self.slope * x - y))
    >>> model, x = Line(), np.linspace(-1, 1, 20)
    >>> optimizer = Adam(model.parameters(), lr=0.1)
    >>> history = fit(model, (x, 3 * x), optimizer=optimizer, batch_size=10, rng=0, epochs=100, progress=False)
    >>> round(model.slope.item(), 3)
    3.0
    """
    tensors = model.parameters()
    arrays = checked_data(data, "data", tensors)
    held_out = None if validation is None else checked_data(validation, "validation", tensors)
    if held_out is not None and len(held_out) != len(arrays):
        raise ValueError(f"validation has {len(held_out)} arrays, data {len(arrays)}; the loss takes the same of both")
    check_model(model, optimizer, average)
    batches = Minibatches(arrays, batch_size, generator(rng))
    epoch = math.ceil(len(arrays[0]) / batch_size)
    steps = number_of_steps(steps, epochs, epoch)
    every = epoch if evaluate_every is None else whole_number("evaluate_every", evaluate_every)
    check_settings(steps, patience, validation, schedule, clip)
    if executor is None and shards is not None:
        raise ValueError(f"shards is {shards}, but there is no executor for them")
    sharded = None if executor is None else Sharded(executor, shards, model)

    keep_best = patience is not None
    run = Run(model, optimizer, average, batches, held_out, every, keep_best, note=note, sharded=sharded)
    begin(run, steps, checkpoint, resume)
    history = run.history
    bar = Progress(steps, run.step, progress, unit)
    try:
        model.train()
        with deferred_interrupt() as interrupted:
            if run.step % every == 0 and run.recent[1]:  # an error had broken this evaluation off
                run.evaluate()
            while run.step < steps and not interrupted() and not out_of(patience, history):
                if on_step is not None:
                    on_step(run.step)
                if schedule is not None:
                    optimizer.lr = schedule(run.step)
                run.train_step(clip)
                if run.step % every == 0:
                    run.evaluate()
                    if checkpoint is not None:
                        run.save(checkpoint)
                bar.show(run.step, *run.latest())
            if checkpoint is not None and run.recent[1]:  # otherwise it is saved already
                run.save(checkpoint)
            history.interrupted = interrupted()
            history.stopped_early = run.step < steps and not history.interrupted
            if run.step == steps and run.recent[1]:
                run.evaluate()  # after saving: a training that goes on from here has no entry in the middle of nowhere
        if run.best:
            model.load_state(run.best)
    except BaseException as error:
        if checkpoint is not None and run.whole and not isinstance(error, CheckpointError):
            run.save(checkpoint)
        if isinstance(error, FloatingPointError):
            raise TrainingError(run.step, str(error), history) from error
        if isinstance(error, ShardFailed):
            raise WorkerError(run.step, str(error), history) from error
        raise
    finally:
        model.eval()
        bar.close(history)
    return history


def out_of(patience: int | None, history: History) -> bool:
    """Whether early stopping applies."""
    return patience is not None and history.evaluations_since_best >= patience


def begin(run: Run, steps: int, path: Path | None, resume: bool) -> None:
    """Load the checkpoint, or write the first one now: a path that cannot be written is found out before the work.

    Raises:
        ValueError: if there is no path to resume from, too many steps are behind, or a parameter has a NaN or inf.
        CheckpointError: if the file cannot be read or written, or would be lost.
    """
    if resume and path is None:
        raise ValueError("resume needs checkpoint, the file to go on from")
    if path is not None and resume:
        run.load(path)
        if run.step > steps:
            raise ValueError(f"{path} is at step {run.step} already, beyond the {steps} wanted; give more steps")
    for name, tensor in run.tensors.items():
        if found := non_finite(tensor.data):
            raise ValueError(f"parameter {name} has {found}")
    if path is not None and not resume:
        if os.path.exists(path):
            advice = "Pass resume=True to go on from it, or delete it."
            raise CheckpointError(path, "checkpoint", "a file that exists", "a new one", advice)
        run.save(path)


def check_model(model: Trainable, optimizer: Optimizer, average: Average | None) -> None:
    """Refuse an optimiser or an average of Tensors that are not this model's: nothing would be trained."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is {optimizer!r}; make one from the parameters: Adam(model.parameters())")
    own = {id(tensor) for tensor in model.parameters().values()}
    held: list[tuple[str, Mapping[str, Tensor]]] = [("optimizer", optimizer.parameters)]
    if average is not None:
        held.append(("average", average.parameters))
    for argument, parameters in held:
        for name, tensor in parameters.items():
            if id(tensor) not in own:
                raise ValueError(
                    f"{argument} has a parameter {name} that is not the model's; make it from model.parameters()"
                )


def number_of_steps(steps: int | None, epochs: int | None, epoch: int) -> int:
    """The length of the training in steps; ``epoch`` is that of one epoch."""
    if (steps is None) == (epochs is None):
        raise ValueError(f"steps is {steps} and epochs {epochs}; give one of the two")
    return whole_number("steps", steps) if epochs is None else whole_number("epochs", epochs) * epoch


def check_settings(
    steps: int, patience: int | None, validation: Any, schedule: Schedule | None, clip: float | None
) -> None:
    """Refuse now what would fail, or never take effect, later on."""
    if patience is not None:
        whole_number("patience", patience)
        if validation is None:
            raise ValueError("patience needs validation data to judge by")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip is {clip}; it must be above 0")
    if schedule is not None and not 0 < schedule(steps - 1) < math.inf:
        raise ValueError(
            f"schedule gives {schedule(steps - 1)} for step {steps - 1}, the last; it must be above 0: "
            "is it made for fewer steps?"
        )
