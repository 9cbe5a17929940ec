"""The masks of MADE: which weight may be there, so that each output depends on the inputs before it only.

Each unit has a *degree*. An input and its output have their position in the order, 1 … D; hidden units have 1 … D − 1.

    mask of a hidden layer = degree of the unit after ≥ degree of the unit before              (1)
    mask of the output     = degree of the output   > degree of the unit before                (2)

Along a path degrees never fall, and rise at the end: so output b sees no input a ≥ b. It sees all a < b only if there
is a hidden unit of degree a in every layer, as for b = a + 1 no other will do. So degrees are dealt out, not drawn.

Source: Germain et al., MADE, arXiv:1502.03509, equations (8), (9) and (13).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np


def permutation(order: Any, dims: int) -> np.ndarray:
    """An order of D components, (D,) int64; None is 0 … D − 1.

    Raises:
        ValueError: for an order that is no permutation, with what is missing and what is there twice.

    >>> permutation([2, 0, 1], 3)
    array([2, 0, 1])
    """
    items = list(range(dims)) if order is None else np.ravel(order).tolist()
    if sorted(items) != list(range(dims)):
        missing = sorted(set(range(dims)) - set(items))
        twice = sorted({j for j in items if items.count(j) > 1})
        unknown = sorted(set(items) - set(range(dims)))
        raise ValueError(
            f"order is no permutation of 0 … {dims - 1}: missing {missing}, repeated {twice}"
            + (f", unknown {unknown}" if unknown else "")
        )
    return np.array(items, np.int64)


def degrees(order: Any, hidden: Sequence[int]) -> list[np.ndarray]:
    """The degrees of the inputs, then of each hidden layer; those of the outputs are those of the inputs.

    Args:
        order: the components in the order in which they are drawn, a permutation of 0 … D − 1.
        hidden: the widths of the hidden layers.

    Raises:
        ValueError: for an order that is no permutation, with what is missing and what is there twice.

    >>> [m.tolist() for m in degrees([2, 0, 1], [4])]
    [[2, 3, 1], [1, 2, 1, 2]]
    """
    order = permutation(order, len(order))
    most = max(len(order) - 1, 1)  # with D = 1 the hidden units serve no output, which depends on its bias only
    return [np.argsort(order) + 1, *(np.arange(width) % most + 1 for width in hidden)]


def masks(order: Any, hidden: Sequence[int]) -> list[np.ndarray]:
    """The masks (1) of each hidden layer and (2) of the output, bool (n_in, n_out).

    Raises:
        ValueError: as ``degrees``; for hidden layers too narrow for all dependencies, with the inputs that are cut off
            from some later output.

    >>> masks([0, 1, 2], [2])[1].astype(int)
    array([[0, 1, 1],
           [0, 0, 1]])
    """
    m = degrees(order, hidden)
    result = [after >= before[:, None] for before, after in pairwise(m)] + [m[0] > m[-1][:, None]]
    paths = np.linalg.multi_dot([mask.astype(float) for mask in result]) if hidden else result[0].astype(float)
    cut = (m[0] > m[0][:, None]) & (paths == 0)
    if cut.any():
        raise ValueError(
            f"hidden layers {list(hidden)} are too narrow for {len(m[0])} inputs: some later output cannot see inputs "
            f"{np.flatnonzero(cut.any(axis=1)).tolist()}; use widths of at least {len(m[0]) - 1}"
        )
    return result
