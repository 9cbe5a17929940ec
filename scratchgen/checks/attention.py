"""Samples of causal attention, and cases of the layer made of it."""

from __future__ import annotations

import numpy as np

from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.sample import Sample, signed
from scratchgen.nn.attention import CausalSelfAttention, causal_attention

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {  # of q, and of k and v
    "primes": ((2, 3, 5), (2, 3, 5)),
    "square": ((2, 2), (2, 2)),
    "size-1 axis": ((1, 1), (1, 1)),
    "empty": ((0, 2, 3), (0, 2, 3)),
    "more keys": ((2, 3), (5, 3)),
    "one query": ((2, 1, 3), (2, 4, 3)),
}
SAMPLES = [
    Sample("causal_attention", kind, causal_attention, signed(*q), signed(*k), signed(*k), oracle="real")
    for kind, (q, k) in SHAPES.items()
]
EXEMPT = {("causal_attention", "0-d"): "q has two axes at least"}
EXEMPT |= {("causal_attention", "same twice"): "it has three arguments"}


@register("layers", CausalSelfAttention)
def attention(rng: np.random.Generator) -> Case:
    """Two heads."""
    layer, x = CausalSelfAttention(4, 2, rng, dtype=np.float64), leaf(rng, 2, 3, 4)
    return {"x": x, **layer.parameters()}, lambda: weighted(layer(x))
