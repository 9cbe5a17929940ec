"""What a step needs of a model: the loss of a batch, and the gradients that it leaves in the parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.optim.parameters import non_finite
from scratchgen.training.minibatches import Arrays


class Trainable(Protocol):
    """What ``fit`` needs of a model: an ``nn.Module`` with a loss."""

    @property
    def loss(self) -> Callable[..., Tensor]:
        """``loss(*batch, rng)``: one number in nats, summed over dimensions, averaged over the batch.

        A property to the type checker, so that each model may have as many arrays in its batch as it needs.
        """

    def parameters(self) -> dict[str, Tensor]:
        """The trained Tensors by name."""

    def state(self) -> dict[str, np.ndarray]:
        """Copies of parameters and buffers."""

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take them over."""

    def train(self) -> Any:
        """Switch to training."""

    def eval(self) -> Any:
        """Switch to evaluation."""


def loss_and_gradients(
    model: Trainable, tensors: Mapping[str, Tensor], batch: Arrays, rng: np.random.Generator
) -> float:
    """The loss of a batch; its gradients are then in ``.grad`` of the parameters, in the place of any old ones.

    Args:
        model: whose loss it is.
        tensors: its parameters.
        batch: what the loss takes.
        rng: and what it draws from.

    Raises:
        FloatingPointError: for a loss that is NaN or inf, naming the parameters that it passes this on to.
    """
    for tensor in tensors.values():
        tensor.grad = None
    loss = checked_loss(model.loss(*batch, rng))
    if not math.isfinite(loss.item()):
        raise FloatingPointError(f"the loss is {loss.item()}, and {where_not_finite(loss, tensors)}")
    loss.backward()
    return loss.item()


def where_not_finite(loss: Tensor, tensors: Mapping[str, Tensor]) -> str:
    """Which parameters a loss that is not finite passes on to."""
    with np.errstate(all="ignore"):
        loss.backward()
    bad = [name for name, t in tensors.items() if t.grad is not None and non_finite(t.grad)]
    return f"not finite are the gradients of {', '.join(bad)}" if bad else "all gradients are finite"


def checked_loss(loss: Any) -> Tensor:
    """The loss, if it is one number of the graph; raises TypeError or ValueError."""
    if not isinstance(loss, Tensor):
        raise TypeError(f"model.loss returned a {type(loss).__name__}, expected a Tensor of shape ()")
    if loss.shape:
        raise ValueError(
            f"model.loss returned shape {loss.shape}, expected one number: sum over dimensions, average over the batch"
        )
    return loss
