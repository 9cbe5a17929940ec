"""Training: ``fit`` minimises the loss of any model, and loses no work.

Read ``loop`` first; then ``gradients`` and ``run`` (one step, and what makes resuming exact), ``minibatches``,
``history``, ``interrupt`` and ``progress``. With ``sharded``, processes or machines share a step, each a ``worker``.
"""

from scratchgen.training.gradients import Trainable
from scratchgen.training.history import History, TrainingError, WorkerError
from scratchgen.training.interrupt import ignore_interrupts
from scratchgen.training.loop import fit

__all__ = ["History", "Trainable", "TrainingError", "WorkerError", "fit", "ignore_interrupts"]
