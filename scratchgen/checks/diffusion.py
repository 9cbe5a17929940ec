"""Cases of the diffusion models and of the networks that they use."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.diffusion.ddpm import DDPM
from scratchgen.diffusion.decoders import LevelDecoder
from scratchgen.diffusion.embeddings import FourierFeatures, LabelEmbedding
from scratchgen.diffusion.guidance import Guided
from scratchgen.diffusion.levels import LevelDDPM
from scratchgen.diffusion.networks import Condition, ResidualBlock, ResidualNet
from scratchgen.diffusion.schedules import Schedule
from scratchgen.diffusion.unet import UNet, UNetBlock
from scratchgen.nn import MLP, Module

TIMES = np.array([0.2, 0.9, 0.5])
LABELS = np.array([1, -1, 0])


def moved(model: Module, rng: np.random.Generator) -> dict[str, Any]:
    """The parameters, none of them where it starts: what starts at 0 would hide what comes before it."""
    parameters = model.parameters()
    for t in parameters.values():
        t.assign(0.4 * rng.normal(size=t.shape))
    return parameters


@register("layers", FourierFeatures)
def fourier(rng: np.random.Generator) -> Case:
    """Frequencies are not trained; what comes after them is."""
    layer, W = FourierFeatures(4, rng, dtype=np.float64), leaf(rng, 4, 2)
    return {"W": W}, lambda: weighted(layer(TIMES) @ W)


@register("layers", LabelEmbedding)
def label(rng: np.random.Generator) -> Case:
    """With a label that is taken away."""
    layer = LabelEmbedding(2, 3, rng, np.float64)
    return layer.parameters(), lambda: weighted(np.tanh(layer(LABELS)))


@register("layers", Condition)
def condition(rng: np.random.Generator) -> Case:
    """Time and class."""
    layer = Condition(3, rng, classes=2, waves=4, dtype=np.float64)
    return layer.parameters(), lambda: weighted(layer(TIMES, LABELS))


@register("layers", ResidualBlock)
def block(rng: np.random.Generator) -> Case:
    """A block that does something."""
    layer, h, e = ResidualBlock(4, 3, rng, np.float64), leaf(rng, 5, 4), leaf(rng, 5, 3)
    return {"h": h, "e": e, **moved(layer, rng)}, lambda: weighted(layer(h, e))


@register("layers", ResidualNet)
def net(rng: np.random.Generator) -> Case:
    """A block, and classes."""
    layer, x = ResidualNet(2, rng, width=3, blocks=1, classes=2, dtype=np.float64), leaf(rng, 3, 2)
    return {"x": x, **moved(layer, rng)}, lambda: weighted(layer(x, TIMES, LABELS))


class Small(Module):
    """A network with few parameters, as each is changed on its own: (x, time, label) → ``outputs`` numbers."""

    def __init__(self, outputs: int, rng: np.random.Generator) -> None:
        self.net = MLP([4, 3, outputs], rng, np.tanh, dtype=np.float64)

    def forward(self, x: Any, time: Any, labels: Any) -> Tensor:
        """(B, 2), (B,), (B,) → (B, outputs)."""
        return self.net(np.concatenate([x, time[:, None], 1.0 * labels[:, None]], axis=1))


def ddpm(rng: np.random.Generator, x: np.ndarray, outputs: int = 2, **options: Any) -> Case:
    """A model of two components in three steps, on data with a label each."""
    model = DDPM(Small(outputs, rng), Schedule([0.1, 0.4, 0.6]), (2,), **options)
    return model.parameters(), lambda: model.loss(x, np.arange(len(x)) % 2, 0)


@register("models", DDPM, "eps, simple")
def eps(rng: np.random.Generator) -> Case:
    """As Ho et al. train."""
    return ddpm(rng, rng.normal(size=(4, 2)))


@register("models", DDPM, "v, bound, levels")
def bound(rng: np.random.Generator) -> Case:
    """The bound itself, with all of its terms."""
    return ddpm(rng, rng.integers(0, 5, (4, 2)), target="v", weighting="bound", decoder=LevelDecoder(5))


@register("models", DDPM, "eps, bound, learned variance")
def learned(rng: np.random.Generator) -> Case:
    """Mean and variance by the bound. In the loss with λ the mean counts as given, which differences cannot know."""
    return ddpm(rng, rng.normal(size=(4, 2)), outputs=4, weighting="bound", variance="learned")


@register("models", LevelDDPM)
def levels(rng: np.random.Generator) -> Case:
    """Four levels, by their logits; labels that are taken away, some of them."""
    model = LevelDDPM(Small(8, rng), Schedule([0.3, 0.5, 0.6]), (2,), levels=4, drop=0.5)
    return model.parameters(), lambda: model.loss(np.arange(10).reshape(5, 2) * 3 % 4, np.arange(5) % 2, 0)


@register("layers", Guided)
def guidance(rng: np.random.Generator) -> Case:
    """Beyond the model of the class."""
    layer, x = Guided(Small(2, rng), 2.5), leaf(rng, 3, 2)
    return {"x": x, **layer.parameters()}, lambda: weighted(layer(x, TIMES, np.array([1, 2, 0])))


@register("layers", UNetBlock)
def unet_block(rng: np.random.Generator) -> Case:
    """Two channels."""
    layer, h, e = UNetBlock(2, 2, rng, np.float64), leaf(rng, 1, 2, 2, 2), leaf(rng, 1, 2)
    return {"h": h, "e": e, **moved(layer, rng)}, lambda: weighted(layer(h, e))


@register("layers", UNet)
def unet(rng: np.random.Generator) -> Case:
    """One channel; the weights of the blocks are not leaves here, as blocks have a case of their own."""
    layer, x = UNet(1, rng, channels=1, classes=2, waves=2, dtype=np.float64), leaf(rng, 2, 2, 2, 1)
    inside = ("fine", "coarse", "merged", "condition")
    own = {name: t for name, t in moved(layer, rng).items() if name.split(".")[0] not in inside}
    return {"x": x, **own}, lambda: weighted(layer(x, TIMES[:2], LABELS[:2]))
