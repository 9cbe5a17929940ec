"""The derivative of np.einsum, which is an einsum again.

In ``y = np.einsum("ij,jk->ik", a, b)``, which is y_ik = Σ_j a_ij b_jk, each letter is an index, and those that the
output lacks are summed over. The gradient of a collects g from all the terms in which a_ij stands,

    dL/da_ij = Σ_k g_ik b_jk = np.einsum("ik,jk->ij", g, b),          (1)

so the output's letters and a's have changed places. Two things remain. A letter that only a has, as in "ij->i", is not
in (1): dL/da does not depend on it, and is repeated along it. A letter that a has twice, as in "ii->", took a diagonal:
dL/da is 0 off it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from scratchgen.autodiff.operations import FUNCTIONS, Each, operation
from scratchgen.autodiff.record import record


def spelled_out(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """The letters of each operand and of the output, with letters for the axes behind an ellipsis too.

    An ellipsis stands for the axes that have no letter. They broadcast, so they are counted from the last one.

    >>> spelled_out("...ij,jk", [np.ones((7, 5, 2, 3)), np.ones((3, 4))])
    (['abij', 'jk'], 'abik')
    """
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    if not arrow:
        output = "..." + "".join(c for c in sorted(inputs) if c in ascii_letters and inputs.count(c) == 1)
    terms = inputs.split(",")
    hidden = [np.ndim(x) - len(term.replace("...", "")) for term, x in zip(terms, operands)]
    names = [c for c in ascii_letters if c not in subscripts][: max(hidden)]
    terms = [term.replace("...", "".join(names[len(names) - n :])) for term, n in zip(terms, hidden)]
    return terms, output.replace("...", "".join(names))


def einsum_rule(i: int) -> Callable[..., Any]:
    """The rule of the i-th operand."""

    def rule(g: Any, y: Any, *operands: Any, subscripts: str, optimize: Any = False) -> Any:
        terms, output = spelled_out(subscripts, operands)
        x, letters = operands[i], terms[i]
        others = [output, *terms[:i], *terms[i + 1 :]]
        found = "".join(c for c in dict.fromkeys(letters) if c in "".join(others))
        swapped = ",".join(others) + "->" + found
        dx = np.einsum(swapped, g, *operands[:i], *operands[i + 1 :], optimize=optimize)  # (1)
        return dx if found == letters and dx.shape == x.shape else spread(dx, found, letters, x)

    return rule


def spread(dx: Any, found: str, letters: str, x: Any) -> Any:
    """``dx``, with axes named by ``found``, repeated along the other axes of x, and put on the diagonals of x."""
    sizes = dict(zip(found, dx.shape))
    first = [position == letters.index(c) for position, c in enumerate(letters)]
    dx = np.reshape(dx, [sizes.get(c, 1) if is_first else 1 for c, is_first in zip(letters, first)])
    index = np.ogrid[tuple(slice(n) for n in x.shape)]
    read = np.ones(x.shape, x.dtype)
    for position, c in enumerate(letters):
        read = read * (index[position] == index[letters.index(c)]).astype(x.dtype)
    return dx * read


def einsum_flat(*operands: Any, subscripts: str, optimize: Any = False) -> Any:
    """np.einsum with its subscripts named."""
    return np.einsum(subscripts, *operands, optimize=optimize)


EINSUM = operation(einsum_flat, Each(einsum_rule))


def einsum(subscripts: str, *operands: Any, **options: Any) -> Any:
    """np.einsum. Its other form, with lists of numbers in place of letters, is refused."""
    if not isinstance(subscripts, str):
        raise TypeError("einsum with a Tensor takes a string of subscripts first: np.einsum('ij,jk->ik', a, b)")
    return record(EINSUM, operands, {"subscripts": subscripts, **options})


FUNCTIONS[np.einsum] = einsum
