"""Training: ``fit`` minimises the loss of any model, and loses no work.

Read ``loop`` first; then ``run`` (one step, and what makes resuming exact), ``minibatches``, ``history``, ``interrupt``
and ``progress``.
"""

from scratchgen.training.history import History, TrainingError
from scratchgen.training.loop import fit
from scratchgen.training.run import Trainable

__all__ = ["History", "Trainable", "TrainingError", "fit"]
