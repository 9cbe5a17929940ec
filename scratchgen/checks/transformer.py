"""Cases of the transformer: its block, and its loss with tied weights and dropout."""

from __future__ import annotations

import numpy as np

from scratchgen.autoregressive.transformer import Transformer
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.models import of
from scratchgen.nn.transformer_block import TransformerBlock


@register("layers", TransformerBlock)
def block(rng: np.random.Generator) -> Case:
    """In training, always with the same dropout."""
    layer, x = TransformerBlock(4, 2, rng, dropout=0.2, dtype=np.float64), leaf(rng, 2, 3, 4)
    return {"x": x, **layer.parameters()}, lambda: weighted(layer(x, np.random.default_rng(0)))


def transformer(rng: np.random.Generator, tied: bool, dropout: float) -> Case:
    """Two sequences of three symbols, with embeddings that are not small."""
    model = Transformer(3, 3, 4, 2, 1, rng, dropout, tied, dtype=np.float64)
    model.embedding.W.assign(rng.normal(size=(4, 4)))
    model.places.W.assign(rng.normal(size=(3, 4)))
    return of(model, np.array([[0, 2, 1], [1, 1, 0]]))


@register("models", Transformer)
def plain(rng: np.random.Generator) -> Case:
    """Weights of its own for the output."""
    return transformer(rng, False, 0.0)


@register("models", Transformer, "tied, dropout")
def tied(rng: np.random.Generator) -> Case:
    """The embedding gets the gradients of both its uses."""
    return transformer(rng, True, 0.2)
