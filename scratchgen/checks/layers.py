"""Cases of the layers: every ``Module`` of the package that is no model."""

from __future__ import annotations

import numpy as np

from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.latent.networks import ConvDecoder, ConvEncoder
from scratchgen.nn import MLP, Conv2d, ConvTranspose2d, Dropout, Embedding, LayerNorm, Linear, Module


def on(layer: Module, rng: np.random.Generator, *shape: int) -> Case:
    """The layer on an input of that shape, which is a leaf as its parameters are."""
    x = leaf(rng, *shape)
    return {"x": x, **layer.parameters()}, lambda: weighted(layer(x))


@register("layers", Linear)
def linear(rng: np.random.Generator) -> Case:
    """With an activation and a bias."""
    return on(Linear(3, 2, rng, np.tanh, dtype=np.float64), rng, 5, 3)


@register("layers", MLP)
def mlp(rng: np.random.Generator) -> Case:
    """Two hidden layers."""
    return on(MLP([3, 5, 4, 2], rng, np.tanh, dtype=np.float64), rng, 7, 3)


@register("layers", LayerNorm)
def layer_norm(rng: np.random.Generator) -> Case:
    """Gain and bias moved from where they start."""
    layer = LayerNorm(5, dtype=np.float64)
    layer.gain, layer.bias = leaf(rng, 5), leaf(rng, 5)
    return on(layer, rng, 3, 5)


@register("layers", Dropout)
def dropout(rng: np.random.Generator) -> Case:
    """In training, always with the same mask."""
    layer, x = Dropout(0.4), leaf(rng, 5, 3)
    return {"x": x}, lambda: weighted(layer(x, 0))


@register("layers", Embedding)
def embedding(rng: np.random.Generator) -> Case:
    """With a token that occurs twice."""
    layer = Embedding(5, 3, rng, dtype=np.float64)
    return layer.parameters(), lambda: weighted(np.tanh(layer(np.array([[1, 4, 1], [0, 2, 2]]))))


@register("layers", Conv2d)
def conv2d(rng: np.random.Generator) -> Case:
    """With stride and padding."""
    return on(Conv2d(2, 3, (3, 2), rng, stride=2, padding=1, dtype=np.float64), rng, 2, 5, 4, 2)


@register("layers", ConvTranspose2d)
def conv_transpose2d(rng: np.random.Generator) -> Case:
    """With stride and padding."""
    return on(ConvTranspose2d(3, 2, (3, 2), rng, stride=2, padding=1, dtype=np.float64), rng, 2, 3, 2, 3)


@register("layers", ConvEncoder)
def conv_encoder(rng: np.random.Generator) -> Case:
    """The VAE's encoder for images of 4 × 4."""
    return on(ConvEncoder(4, latent=2, rng=rng, channels=3, dtype=np.float64), rng, 2, 4, 4, 1)


@register("layers", ConvDecoder)
def conv_decoder(rng: np.random.Generator) -> Case:
    """The VAE's decoder to images of 4 × 4."""
    return on(ConvDecoder(4, latent=2, rng=rng, channels=3, dtype=np.float64), rng, 2, 2)
