"""The chain rule: from the gradient of an output to the gradients of everything that it was computed from.

A Tensor is a node. It remembers the operation that made it (``op``; None for a *leaf*, made by hand), what it was made
from (``inputs``; ``args`` are the same as plain arrays) and when (``number``). Inputs that need a gradient are its
*parents*. If y was used by several later nodes u_1, u_2, …, its cotangent is the sum of what each of them sends back,

    dL/dy = Σ_k (du_k/dy)ᵀ dL/du_k,          (1)

and only when the sum is complete may y send anything to its own parents.

Why the order of visits matters. In ``b = a + a; c = b + b`` both uses of b send a 1, so dL/db = 2, and then a gets
2 + 2 = 4. Had b passed its first 1 on before the second came, a would have got 1 + 1 for it, and then 2 + 2 more: 6.
A node is always made after its inputs, so in *falling order of creation* everything that used y is visited before y
is, and (1) is complete when its turn comes. No recursion: a chain of 100,000 operations is no deeper than one of 3.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen.autodiff.modes import looking_for_anomalies, recording, switched

if TYPE_CHECKING:
    from scratchgen.autodiff.tensor import Tensor


def backpropagate(
    output: Tensor, seed: Any, wanted: set[Tensor] | None = None, retain_graph: bool = False, create_graph: bool = False
) -> dict[Tensor, Any]:
    """The gradients of ⟨seed, output⟩ with respect to ``wanted`` (by default: every leaf that requires a gradient).

    With ``create_graph`` the rules run on Tensors, so the gradients can be differentiated again. Otherwise they run on
    plain arrays, and each node lets go of its inputs as soon as it has been visited, unless ``retain_graph``.
    """
    if create_graph and not recording.get():  # within no_grad the gradients would lose their graph
        with switched(recording, True):
            return backpropagate(output, seed, wanted, create_graph=True)
    order = reachable(output, wanted)
    on_the_way = None if wanted is None else set(order)
    Node, keep = type(output), retain_graph or create_graph  # importing Tensor here would make a circle
    cotangents: dict[Tensor, Any] = {output: seed}
    watchful = looking_for_anomalies.get()
    gradients: dict[Tensor, Any] = {}
    while order:
        node = order.pop()
        g = cotangents.pop(node)
        if node.op is None or (wanted is not None and node in wanted):
            gradients[node] = g
            continue
        op, args, options = node.op, node.args, node.options
        y: Any = node._data
        if create_graph:  # the same rules, on Tensors; what was kept is an array, and would count as a constant
            y, args, options = node, args.copy(), {**options, "kept": None} if "kept" in options else options
            for i, parent in node.parents:
                args[i] = parent
        passed = g if op.prepare is None else op.prepare(g, y, *args, **options)
        for i, parent in enumerate(node.inputs):
            if type(parent) is not Node or not parent.requires_grad:
                continue
            if on_the_way is not None and parent not in on_the_way:
                continue
            contribution = op.rules[i](passed, y, *args, **options)
            data = parent._data
            if contribution.shape != data.shape:
                contribution = unbroadcast(contribution, data.shape, op.name, i)
            if contribution.dtype is not data.dtype and contribution.dtype != data.dtype:
                raise TypeError(
                    f"the rule of {op.name} for argument {i} gave {contribution.dtype} where the input is {data.dtype}"
                )
            if watchful:
                check_finite(contribution, f"the backward rule of {op.name} for argument {i}", args)
            if parent in cotangents:
                contribution = cotangents[parent] + contribution
            elif parent.op is None and not create_graph and (contribution is passed or contribution.base is not None):
                contribution = np.array(contribution)  # a leaf's gradient is its own array, no view of another
            cotangents[parent] = contribution
        if not keep:
            node.inputs, node.args, node.options = (), None, {}
    return gradients


def reachable(output: Tensor, wanted: set[Tensor] | None) -> list[Tensor]:
    """The nodes below ``output`` that need a gradient, oldest first; with ``wanted``, only those on a way to it.

    Raises:
        RuntimeError: where the graph was freed by an earlier backward pass, or a leaf was changed after it was used.
    """
    Node = type(output)
    seen, stack, found, broken = {output}, [output], [], {}
    while stack:
        node = stack.pop()
        found.append(node)
        if node.op is None or (wanted is not None and node in wanted):
            continue
        if node.args is None:
            broken[node] = freed(node)
        for parent in node.inputs:
            if type(parent) is not Node:
                continue
            if parent.number > node.number:
                broken[node] = changed(parent, node)
            if parent.requires_grad and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    order = sorted(found, key=attrgetter("number"))  # nearly in order already, which sorts fast
    if wanted is not None:
        leading = set(wanted)  # oldest first, so a node's parents have been decided when its turn comes
        for node in order:
            if any(parent in leading for _, parent in node.parents):
                leading.add(node)
        order = [node for node in order if node in leading]
    for node in order if broken else ():
        if node in broken:
            raise RuntimeError(broken[node])
    return order


def freed(node: Tensor) -> str:
    """The message for a second pass through a graph that the first one has freed."""
    return (
        f"backward a second time: the graph below {node.op.name} was freed by the first pass; "
        "pass retain_graph=True to the first, or compute the output again"
    )


def changed(leaf: Tensor, node: Tensor) -> str:
    """The message for a leaf that no longer has the values of which the graph was made."""
    return (
        f"a tensor of shape {leaf.shape} was changed in place after {node.op.name} had saved it for its backward pass; "
        "call backward before the change, or compute the output again"
    )


def unbroadcast(g: Any, shape: tuple[int, ...], operation: str = "", argument: int = 0) -> Any:
    """Sum ``g`` over the axes along which broadcasting repeated a value: the adjoint of ``np.broadcast_to``.

    Broadcasting reads one element of x several times; by (1) its cotangent is the sum over those uses.

    >>> unbroadcast(np.ones((5, 2, 3)), (2, 1))
    array([[15.],
           [15.]])
    """
    extra = g.ndim - len(shape)
    if extra > 0:
        g = np.sum(g, axis=tuple(range(extra)))
    repeated = tuple(axis for axis, (n, m) in enumerate(zip(shape, g.shape)) if n == 1 and m != 1)
    if repeated:
        g = np.sum(g, axis=repeated, keepdims=True)
    if g.shape != shape:
        raise ValueError(
            f"the rule of {operation} for argument {argument} gave shape {g.shape} where the input has shape {shape}"
        )
    return g


def check_finite(array: Any, where: str, args: Any) -> None:
    """Raise FloatingPointError if ``array`` has a NaN or inf, naming where it was born and the shapes of its inputs."""
    array = getattr(array, "_data", array)
    if not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        shapes = ", ".join(
            str(np.shape(getattr(a, "_data", a)))
            for a in args
            if isinstance(a, (np.ndarray, float)) or hasattr(a, "_data")
        )
        raise FloatingPointError(f"{where} gave {array[index]} at {index}; the shapes of its inputs are {shapes}")
