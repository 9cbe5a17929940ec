"""Wrong rules for ``autodiff.einsum``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff.einsum import spelled_out
from scratchgen.autodiff.operations import Rule
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import on_raw_inputs


def for_another_output(change: Callable[[str], str]) -> Any:
    """The right rule for another output, where all sizes are equal, so that only the values can tell."""

    def wrong(right: Rule) -> Rule:
        def rule(g: Any, y: Any, *operands: Any, subscripts: str, optimize: Any = False) -> Any:
            terms, output = spelled_out(subscripts, operands)
            if len({*g.shape, *operands[0].shape}) == 1:
                output = change(output)
            return right(g, y, *operands, subscripts=",".join(terms) + "->" + output, optimize=optimize)

        return rule

    return wrong


def not_only_the_diagonal(right: Rule) -> Rule:
    """For a letter that stands twice, fills the whole matrix in place of its diagonal."""

    def rule(g: Any, y: Any, *operands: Any, subscripts: str, optimize: Any = False) -> Any:
        dx = right(g, y, *operands, subscripts=subscripts, optimize=optimize)
        letters = spelled_out(subscripts, operands)[0][0]
        for position, c in enumerate(letters):
            if c in letters[:position]:
                dx = np.broadcast_to(np.sum(dx, axis=position, keepdims=True), dx.shape)
        return dx

    return rule


def divided_by_summed(right: Rule) -> Rule:
    """Repeats along a letter of one operand as a mean would."""

    def rule(g: Any, y: Any, *operands: Any, subscripts: str, optimize: Any = False) -> Any:
        terms, output = spelled_out(subscripts, operands)
        dx = right(g, y, *operands, subscripts=subscripts, optimize=optimize)
        alone = [n for n, c in zip(operands[0].shape, terms[0]) if c not in "".join([output, *terms[1:]])]
        return dx / max(1, int(np.prod(alone)))

    return rule


def transposed_if_square(right: Rule) -> Rule:
    def rule(g: Any, y: Any, *operands: Any, **options: Any) -> Any:
        dx = right(g, y, *operands, **options)
        return np.transpose(dx) if dx.ndim == 2 and dx.shape[0] == dx.shape[1] else dx

    return rule


MUTANTS = [
    Mutant("einsum_flat", 0, "raw data", on_raw_inputs),
    Mutant("einsum_flat", 1, "raw data", on_raw_inputs),
    Mutant("einsum_flat", 0, "wrong permutation", for_another_output(lambda output: output[::-1])),
    Mutant("einsum_flat", 1, "wrong permutation", for_another_output(lambda output: output[::-1])),
    Mutant("einsum_flat", 0, "wrong branch", not_only_the_diagonal),
    Mutant("einsum_flat", 0, "wrong count", divided_by_summed),
    Mutant("einsum_flat", 0, "not transposed", transposed_if_square),
    Mutant("einsum_flat", 1, "not transposed", transposed_if_square),
]
