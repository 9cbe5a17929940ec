"""Which operation is to blame when the gradient of a whole function is wrong?

By the chain rule the backward pass is right if every operation's own rule is right at its own inputs. So each operation
of the graph is checked alone, at the arrays that reached it, oldest first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff.chain_rule import reachable
from scratchgen.autodiff.checking.comparison import compare
from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.checking.subjects import Direct, Gradient, protected
from scratchgen.autodiff.record import record
from scratchgen.autodiff.tensor import Tensor

CERTAINTY = 1e-6


def culprit(f: Callable[..., Any], inputs: Sequence[np.ndarray], order: int) -> tuple[str, str]:
    """The operation in the graph of f whose own rule is wrong, "" if there is none; and a sentence about it."""
    output = Direct(f).output([protected(x, requires_grad=True) for x in inputs])
    nodes = [node for node in reachable(output, None) if node.op is not None] if output.requires_grad else []
    seen = set()
    for node in nodes:
        places = [i for i, _ in node.parents]
        arrays = [node.args[i] for i in places]
        signature = (node.op.name, *(a.shape for a in arrays))
        if signature in seen:
            continue
        seen.add(signature)
        try:
            check_alone(node, places, arrays, order)
        except GradientError as error:
            argument = "" if error.argument is None else f", argument {places[error.argument]}"
            shapes = ", ".join(str(a.shape) for a in arrays)
            return (
                node.op.name,
                f"The same happens to {node.op.name} alone{argument}, at inputs of shape {shapes}.",
            )
    return "", (
        "Each operation's own rule is right at these inputs, so something leaves the graph: look for .data, detach(), "
        ".item() and float()."
    )


def check_alone(node: Tensor, places: list[int], arrays: list[np.ndarray], order: int) -> None:
    """Compare the rules of one node with the real difference."""
    assert node.op is not None and node.args is not None
    op, saved = node.op, node.args
    options = {name: value for name, value in node.options.items() if name != "kept"}

    def alone(*tensors: Tensor) -> Tensor:
        args = list(saved)
        for i, t in zip(places, tensors):
            args[i] = t
        return record(op, tuple(args), options)

    rng = np.random.default_rng(0)
    doubles = [np.asarray(a, np.float64) for a in arrays]
    v = rng.uniform(0.5, 1.5, node.shape) * rng.choice([-1.0, 1.0], node.shape)
    subject = Direct(alone) if order == 1 else Gradient(alone, v)
    compare(subject, doubles, "real", rng, CERTAINTY)
