"""Cases of the convolutional models of pixels, in training, always with the same dropout."""

from __future__ import annotations

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.autoregressive.causal_conv import CausalConvNet, GatedBlock
from scratchgen.autoregressive.pixelcnn import PixelCNN, TwoStacks
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.models import of


@register("layers", GatedBlock)
def gated_block(rng: np.random.Generator) -> Case:
    """Dilated."""
    layer, x = GatedBlock(2, 2, 2, 0.3, rng, np.float64), leaf(rng, 2, 5, 2)
    return {"x": x, **layer.parameters()}, lambda: weighted(layer(x, 0))


@register("layers", TwoStacks)
def two_stacks(rng: np.random.Generator) -> Case:
    """Both outputs."""
    layer, v, h = TwoStacks(2, 1, 0.3, rng, np.float64), leaf(rng, 2, 3, 2, 2), leaf(rng, 2, 3, 2, 2)

    def loss() -> Tensor:
        above, before = layer(v, h, 0)
        return weighted(above) + weighted(np.square(before))

    return {"v": v, "h": h, **layer.parameters()}, loss


@register("models", CausalConvNet)
def causal_conv_net(rng: np.random.Generator) -> Case:
    """Six pixels of three levels."""
    return of(CausalConvNet(6, 3, rng, 3, 2, 2, (1, 2), dtype=np.float64), rng.integers(0, 3, (3, 6)))


@register("models", PixelCNN)
def pixel_cnn(rng: np.random.Generator) -> Case:
    """2 × 3 pixels of three levels."""
    return of(PixelCNN((2, 3), 3, rng, width=3, layers=1, first=1, dtype=np.float64), rng.integers(0, 3, (3, 6)))
