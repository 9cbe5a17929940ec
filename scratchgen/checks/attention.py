"""Samples of causal attention, and cases of the layer made of it."""

from __future__ import annotations

from functools import partial

import numpy as np

from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.sample import Sample, signed
from scratchgen.nn.attention import CausalSelfAttention, causal_attention

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {  # of q, of k and v, and the number of heads
    "primes": ((2, 3, 5), (2, 3, 5), 1),
    "square": ((2, 2), (2, 2), 1),
    "size-1 axis": ((1, 1), (1, 1), 1),
    "empty": ((0, 2, 3), (0, 2, 3), 1),
    "more keys": ((2, 3), (5, 3), 1),
    "one query": ((2, 1, 3), (2, 4, 3), 1),
    "heads": ((2, 3, 6), (2, 3, 6), 3),
    "heads, more keys": ((2, 4), (3, 4), 2),
}
SAMPLES = [
    Sample(
        "causal_attention",
        kind,
        partial(causal_attention, heads=heads),
        signed(*q),
        signed(*k),
        signed(*k),
        oracle="real",
    )
    for kind, (q, k, heads) in SHAPES.items()
]
EXEMPT = {("causal_attention", "0-d"): "q has two axes at least"}
EXEMPT |= {("causal_attention", "same twice"): "it has three arguments"}


@register("layers", CausalSelfAttention)
def attention(rng: np.random.Generator) -> Case:
    """Two heads."""
    layer, x = CausalSelfAttention(4, 2, rng, dtype=np.float64), leaf(rng, 2, 3, 4)
    return {"x": x, **layer.parameters()}, lambda: weighted(layer(x))
