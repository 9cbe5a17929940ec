"""What a worker does for ``sharded``, and whether it can: the model comes as pickled bytes, and errors go as text.

The bytes are made once a step and not once a shard. That a worker cannot read them, because it lacks the class of the
model, is then an error like any other: an executor that has to unpickle the model itself would lose its worker by it.
"""

from __future__ import annotations

import pickle
from concurrent.futures import Executor
from contextlib import nullcontext
from typing import Any

import numpy as np

from scratchgen.autodiff import detect_anomaly
from scratchgen.nn import Module
from scratchgen.training.gradients import Trainable, loss_and_gradients
from scratchgen.training.minibatches import Arrays

Gradients = list[np.ndarray | None]  # of the parameters, in their order; None where the loss does not depend on one


class ShardFailed(Exception):
    """Why a shard has no gradient; ``fit`` adds the step to it, and raises ``WorkerError``."""


def told(error: BaseException) -> str:
    """The kind and the text of an error, to stand within a sentence."""
    return f"{type(error).__name__}: {error}".rstrip(" .:")


def work(sent: bytes, rows: Arrays, rng: np.random.Generator, watched: bool) -> tuple[float, Gradients, Any]:
    """The loss and gradients of one shard, and the state in which that leaves its generator.

    Args:
        sent: the model, pickled.
        rows: of the shard.
        rng: for the loss.
        watched: whether to look for anomalies, a switch that holds for its own process only.

    Raises:
        FloatingPointError: for a loss that is NaN or inf, or an anomaly.
        ShardFailed: with the text of any other error: a pickled text arrives, where an exception may not.
    """
    try:
        model = pickle.loads(sent)
        tensors = model.parameters()
        before = last_changes(model)
        with detect_anomaly() if watched else nullcontext():
            loss = loss_and_gradients(model, tensors, rows, rng)
        after = last_changes(model)
        if changed := [name for name in {**before, **after} if before.get(name) != after.get(name)]:
            raise RuntimeError(
                f"the loss has changed {', '.join(changed)}, in a copy of the model that is thrown away: "
                "train this model without executor"
            )
    except FloatingPointError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        raise ShardFailed(told(error)) from error
    return loss, [tensor.grad for tensor in tensors.values()], rng.bit_generator.state


def last_changes(model: Trainable) -> dict[str, int]:
    """When each parameter and buffer was last changed, on the clock of the Tensors."""
    tensors = model.tensors() if isinstance(model, Module) else model.parameters()
    return {name: tensor.number for name, tensor in tensors.items()}


# -- before the training -----------------------------------------------------------------------------------------------


def pickled(model: Trainable) -> bytes:
    """The model as it is sent; raises TypeError naming the attributes that cannot be pickled."""
    try:
        return pickle.dumps(model)
    except Exception as error:
        modules = model.modules() if isinstance(model, Module) else {"": model}
        bad = [
            f"{name}.{attribute}".lstrip(".")
            for name, module in modules.items()
            for attribute, value in vars(module).items()
            if not isinstance(value, Module) and not can_be_pickled(value)
        ]
        raise TypeError(
            f"the model cannot be pickled, to be sent to a worker, because of {', '.join(bad) or 'its class'}: {error}"
            ". Use functions and classes of a module, no lambdas and nothing that is defined inside a function"
        ) from error


def can_be_pickled(value: Any) -> bool:
    """Whether pickle takes it."""
    try:
        pickle.dumps(value)
    except Exception:
        return False
    return True


def check_worker(executor: Executor, sent: bytes) -> None:
    """Let one worker unpickle the model; raises ValueError if it cannot, or if there is no worker."""
    try:
        executor.submit(arrive, sent).result()
    except ShardFailed as error:
        raise ValueError(
            f"a worker cannot unpickle the model: {error}. Define its class in a module that the workers can import"
        ) from error
    except Exception as error:
        raise ValueError(
            f"executor runs nothing, {told(error)}. Make a new one; "
            'in a script, below if __name__ == "__main__": if its workers are spawned'
        ) from error


def arrive(sent: bytes) -> None:
    """Unpickle a model in the worker; raises ShardFailed."""
    try:
        pickle.loads(sent)
    except Exception as error:
        raise ShardFailed(told(error)) from error
