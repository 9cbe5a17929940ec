"""Wrong rules for causal attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.nn.attention import exponentials, merged, split
from tests.autodiff.mutants import Mutant
from tests.autodiff.mutants.changes import Change, instead, on_raw_inputs, raw


def by_heads(wrong: Any) -> Change:
    """A wrong rule from g over t, e and h, and the queries and keys, each by heads."""
    return instead(
        lambda common, y, q, k, v, heads=1, *, kept=None: merged(wrong(common, split(q, heads), split(k, heads)))
    )


def from_kept(wrong: Any) -> Change:
    """The right common part, from other exponentials and sums than those kept."""

    def change(right: Any) -> Any:
        def prepare(g: Any, y: Any, q: Any, k: Any, v: Any, heads: int = 1, *, kept: Any = None) -> Any:
            kept = exponentials(split(q, heads), split(k, heads)) if kept is None else kept
            return right(g, y, q, k, v, heads, kept=wrong(*kept))

        return prepare

    return change


MUTANTS = [
    Mutant("causal_attention", 0, "factor", by_heads(lambda c, q, k: c[2] @ k * q.shape[-1] ** 0.5)),
    Mutant(
        "causal_attention",
        1,
        "swapped operands",
        by_heads(lambda c, q, k: np.swapaxes(c[2], -1, -2) @ k[..., -q.shape[-2] :, :]),
    ),
    Mutant("causal_attention", 0, "raw data", by_heads(lambda c, q, k: raw(c[2]) @ k)),
    Mutant("causal_attention", 2, "not transposed", by_heads(lambda c, q, k: c[1] @ c[0])),
    Mutant("causal_attention", "prepare", "missing term", from_kept(lambda e, t: (e, t / t))),
    Mutant("causal_attention", "prepare", "raw data", from_kept(lambda e, t: (e, raw(t)))),
    Mutant("causal_attention", "prepare", "raw data", on_raw_inputs),
    Mutant(
        "causal_attention",
        "prepare",
        "wrong",  # all heads as one
        lambda right: lambda g, y, q, k, v, heads=1, *, kept=None: right(g, y, q, k, v),
    ),
]
