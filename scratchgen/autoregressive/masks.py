"""The masks of MADE: which weight may be there, so that each output depends on the inputs before it only.

Each unit has a *degree*: how many components of x, the first in the order, it may know. The input x[j], and the output
for it, have the position of j in the order, 1 … D. Hidden units have 1 … D − 1: to know all D would serve no output.
A weight may stay where its mask is 1:

    mask of a hidden layer = degree of the unit after ≥ degree of the unit before              (1)
    mask of the output     = degree of the output   > degree of the unit before                (2)

Along a path degrees never fall, and rise at the end: so an output of degree b sees no input of degree a ≥ b. It sees
all a < b only if there is a hidden unit of degree a in every layer, as for b = a + 1 no other will do. So degrees are
not drawn at random, as in the source, but dealt out, evenly, and in rising order: then the masks of the order 1 … D
are staircases.

A *context*, which all outputs may depend on, is made of more inputs, of degree 0, before the others. By (1) every
hidden unit sees it. The first output sees by (2) only hidden units of degree 0, which know nothing else: so with a
context hidden degrees begin at 0.

*Direct* connections from the inputs to the outputs, by (2), miss nothing out, however few the hidden units.

Source: Germain et al., MADE, arXiv:1502.03509, equations (8), (9) and (13), and §4.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scratchgen.distributions.arguments import unmasked
from scratchgen.random import Rng, generator


def permutation(order: Any, dims: int) -> np.ndarray:
    """An order of D components, (D,) int64; None is 0 … D − 1.

    Raises:
        TypeError: for a Tensor or a masked array.
        ValueError: for an order that is no permutation, with what is missing and what is there twice.

    >>> permutation([2, 0, 1], 3)
    array([2, 0, 1])
    """
    items = list(range(dims)) if order is None else np.ravel(np.asarray(unmasked("order", order))).tolist()
    if sorted(items) != list(range(dims)):
        missing = sorted(set(range(dims)) - set(items))
        twice = sorted({j for j in items if items.count(j) > 1})
        unknown = sorted(set(items) - set(range(dims)))
        raise ValueError(
            f"order is no permutation of 0 … {dims - 1}: missing {missing}, repeated {twice}"
            + (f", unknown {unknown}" if unknown else "")
        )
    return np.array(items, np.int64)


def degrees(order: Any, hidden: Sequence[int], context: int = 0, rng: Rng | None = None) -> list[np.ndarray]:
    """The degrees of the inputs, of each hidden layer, and of the outputs.

    Args:
        order: the components in the order in which they are drawn, a permutation of 0 … D − 1.
        hidden: the widths of the hidden layers.
        context: how many inputs of degree 0 come before the D components.
        rng: shuffles the degrees within each hidden layer, so that other units get them (*connectivity-agnostic*
            training); None leaves them sorted.

    Raises:
        ValueError: for an order that is no permutation, with what is missing and what is there twice.

    >>> [m.tolist() for m in degrees([2, 0, 1], [4])]
    [[2, 3, 1], [1, 1, 2, 2], [2, 3, 1]]
    >>> [m.tolist() for m in degrees([0, 1], [4], context=1)]
    [[0, 1, 2], [0, 0, 1, 1], [1, 2]]
    """
    outputs = np.argsort(permutation(order, len(order))) + 1
    least = 0 if context else 1
    kinds = max(len(outputs) - least, 1)  # with D = 1 and no context, hidden units of degree 1 serve no output
    between = [np.arange(width) * kinds // width + least for width in hidden]
    if rng is not None:
        rng = generator(rng)
        between = [rng.permutation(m) for m in between]
    return [np.concatenate([np.zeros(context, int), outputs]), *between, outputs]


def masks(
    order: Any, hidden: Sequence[int], context: int = 0, complete: bool = True, rng: Rng | None = None
) -> list[np.ndarray]:
    """The masks (1) of each hidden layer and (2) of the output, bool (n_in, n_out).

    Without hidden layers, that is the mask (2) of direct connections.

    Args:
        complete: whether to refuse hidden layers that are too narrow for all dependencies.
        order, hidden, context, rng: as of ``degrees``.

    Raises:
        ValueError: as ``degrees``; with ``complete``, with the inputs that are cut off from some later output.

    >>> masks([0, 1, 2], [2])[1].astype(int)
    array([[0, 1, 1],
           [0, 0, 1]])
    """
    *before, outputs = degrees(order, hidden, context, rng)
    result = [n >= m[:, None] for m, n in pairwise(before)] + [outputs > before[-1][:, None]]
    cut = (outputs > before[0][:, None]) & ~paths(result)
    if complete and cut.any():
        unseen = np.flatnonzero(cut.any(axis=1)) - context
        more = f" and {len(unseen) - 5} more" if len(unseen) > 5 else ""
        raise ValueError(
            f"hidden layers {list(hidden)} are too narrow for {len(outputs)} inputs: some later output cannot see "
            f"inputs {unseen[:5].tolist()}{more}; use widths of at least "
            f"{len(outputs) - (0 if context else 1)}, or direct connections, or accept it by complete=False"
        )
    return result


def paths(layers: Sequence[np.ndarray]) -> np.ndarray:
    """Whether any path leads from input i to output j: the product of the masks, bool (n_in, n_out).

    >>> paths(masks([1, 0], [3])).astype(int)
    array([[0, 0],
           [1, 0]])
    """
    reached = layers[0]
    for mask in layers[1:]:
        reached = reached.astype(np.float32) @ mask.astype(np.float32) > 0  # of bools, the product is slow
    return reached
