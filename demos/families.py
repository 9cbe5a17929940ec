"""The four families of the lecture on the same data: the picture at the top of the README, where it has fewer colours.

Above, the two moons, whose density is known: a VAE, a mixture of Gaussians for each number given those before, a flow
and a diffusion model, with how many nats each loses to the entropy. Below, the 8 × 8 digits, and what the same four
kinds of model draw once they have learned them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from demos import page09_vae, page10_pixels, page11_couplings, page11_digits, page12_ddpm, page12_digits
from demos.common import Stage, main
from demos.training import fit_with_falling_lr
from scratchgen import plotting
from scratchgen.autoregressive import MADE, CausalConvNet, GaussianMixtureOutput
from scratchgen.data import EntropyGap, TwoMoons, digits, gap_to_entropy
from scratchgen.flows import Dequantised, SplineMap
from scratchgen.latent import IWAE, GaussianLikelihood
from scratchgen.nn import MLP

TITLE = "Four families, the same data"
SECONDS, QUICK_SECONDS = 120, 50
TOY = TwoMoons(std=0.1)
POINTS, IMAGES, TEST = 2000, 25, 4000
DENSITIES = (0.02, 0.1, 0.3, 0.6)  # of the true density, whose contours are drawn


class Learned(NamedTuple):
    """What a model draws, and its gap to the entropy: of log p(x), or of a lower bound."""

    draws: np.ndarray
    gap: EntropyGap
    bound: bool = False

    @property
    def title(self) -> str:
        """The gap, with its error."""
        return f"{'≤ ' if self.bound else ''}{self.gap.value:.3f} ± {self.gap.error:.3f} nats"


# -- two moons ---------------------------------------------------------------------------------------------------------


def moons_by_vae(steps: int, rng: np.random.Generator) -> Learned:
    """Trained on the bound of ten weights; the gap is that of the bound of 300, and so at most what it says."""
    encoder, decoder = MLP([2, 128, 128, 4], rng, "tanh"), MLP([2, 128, 128, 4], rng, "tanh")
    model = IWAE(encoder, decoder, GaussianLikelihood(2), latent=2, samples=10)
    fit_with_falling_lr(model, drawn(rng), lr=3e-3, steps=steps, rng=rng, batch_size=256, clip=10.0)
    gap = gap_to_entropy(lambda x: model.log_prob(x, rng, samples=300), TOY, TEST, rng)
    return Learned(model.sample(POINTS, rng), gap, bound=True)


def moons_by_made(steps: int, rng: np.random.Generator) -> Learned:
    """p(x[1]), and p(x[2] | x[1]), are mixtures of 20 normal distributions."""
    model = MADE(2, GaussianMixtureOutput(20), hidden=[128, 128], rng=rng, activation="tanh")
    fit_with_falling_lr(model, drawn(rng), lr=1e-2, steps=steps, rng=rng, batch_size=256, clip=10.0)
    return Learned(model.sample(POINTS, rng), gap_to_entropy(model.log_prob, TOY, TEST, rng))


def moons_by_flow(steps: int, rng: np.random.Generator) -> Learned:
    """Couplings of splines, as in ``page11_couplings``."""
    flow = page11_couplings.flow_of(4, SplineMap(12, 3.0), (64, 64), rng)
    page11_couplings.train(flow, TOY, steps, rng)
    return Learned(flow.sample(POINTS, rng), gap_to_entropy(flow.log_prob, TOY, TEST, rng))


def moons_by_diffusion(steps: int, rng: np.random.Generator) -> Learned:
    """DDPM, as in ``page12_ddpm``; its density is that of the probability flow."""
    data = page12_ddpm.Standard(TOY, rng)
    model, average = page12_ddpm.train(data, steps, rng)
    with average.applied():
        gap = data.gap(page12_ddpm.flow_log_prob(model), 1000, rng)
        return Learned(data.back(model.sample(POINTS, rng)), gap)


def drawn(rng: np.random.Generator) -> np.ndarray:
    """Points of the toy to learn from."""
    return TOY.sample(50_000, rng).astype(np.float32)


# -- digits ------------------------------------------------------------------------------------------------------------


def digits_by_vae(quick: bool, rng: np.random.Generator) -> np.ndarray:
    """The VAE with sixteen latent dimensions of ``page09_vae``."""
    model = page09_vae.wide_vae(rng)
    train, held_out = (page09_vae.load(split).x.reshape(-1, 64) for split in ("train", "validation"))
    page09_vae.train(model, train, held_out, rng, lr=1e-3, weight_decay=0.1)
    return model.sample(IMAGES, rng)


def digits_by_pixels(quick: bool, rng: np.random.Generator) -> np.ndarray:
    """The causal convolutions of ``page10_pixels``."""
    model = CausalConvNet(64, page10_pixels.LEVELS, rng)
    train, held_out = (page10_pixels.load(split) for split in ("train", "validation"))
    page10_pixels.train(model, train, held_out, rng, epochs=5 if quick else 16)
    return model.sample(IMAGES, rng)


def digits_by_flow(quick: bool, rng: np.random.Generator) -> np.ndarray:
    """The couplings of splines of ``page11_digits``."""
    model = Dequantised(
        page11_digits.density(SplineMap(bins=6, bound=4.0), rng), page11_digits.LEVELS, page11_digits.noise(rng)
    )
    page11_digits.train(model, 150 if quick else 400, rng)
    return model.sample(IMAGES, rng)


def digits_by_diffusion(quick: bool, rng: np.random.Generator) -> np.ndarray:
    """The U-Net of ``page12_digits``, without a label."""
    model, _ = page12_digits.train(200 if quick else 700, rng)
    return model.sample(IMAGES, rng)


# -- the picture -------------------------------------------------------------------------------------------------------

FAMILIES: dict[str, tuple[Callable[[int, Any], Learned], Callable[[bool, Any], np.ndarray], int]] = {
    "VAE": (moons_by_vae, digits_by_vae, 2500),
    "autoregressive": (moons_by_made, digits_by_pixels, 2000),
    "flow": (moons_by_flow, digits_by_flow, 1500),
    "diffusion": (moons_by_diffusion, digits_by_diffusion, 2000),
}


def draw(stage: Stage, moons: dict[str, Learned], sheets: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """The data in the first column, then a column for each family."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 1 + len(moons), figsize=(12, 4.9), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)
    across, up = np.linspace(-1.8, 2.8, 230), np.linspace(-1.3, 1.8, 155)
    density = np.exp(TOY.log_prob(np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2))).reshape(155, 230)
    points = {"data": TOY.sample(POINTS, rng), **{name: learned.draws for name, learned in moons.items()}}
    for ax, (name, x) in zip(axes[0], points.items()):
        ax.plot(*x.T, ".", color="0.4" if name == "data" else "C0", markersize=2, markeredgewidth=0)
        ax.contour(across, up, density, DENSITIES, colors="k", linewidths=0.6, linestyles="dashed")
        ax.set(xlim=(-1.8, 2.8), ylim=(-1.3, 1.8), xticks=[], yticks=[], aspect="equal")
        ax.set_title(name, fontsize=14, weight="bold")
        below = f"entropy {TOY.entropy():.3f} nats" if name == "data" else f"loses {moons[name].title}"
        ax.set_xlabel(below, fontsize=11)
    data = digits("train").images
    some = data[rng.permutation(len(data))[:IMAGES]]
    for ax, images in zip(axes[1], [some, *sheets.values()]):
        plotting.image_grid(images.reshape(-1, 8, 8), ax, columns=5, vmax=16)
    caption = (
        "Two moons and digits: the data, and draws of a VAE, an autoregressive model, a flow and a diffusion model. "
        "Dashed, contours of the true density of the moons; below, how far E[−log p(x)] is above the entropy."
    )
    stage.save(figure, "families", "Four families, the same data", "E[−log p_model(x)] = H + KL(p ‖ p_model)", caption)


def run(stage: Stage, seed: int) -> None:
    """Train the eight models, print the gaps, draw."""
    rng = np.random.default_rng(seed)
    moons, sheets = {}, {}
    for name, (on_moons, on_digits, steps) in FAMILIES.items():
        moons[name] = on_moons(steps // 4 if stage.quick else steps, rng)
        stage.result(f"{name}, two moons: loses {moons[name].title}; entropy {TOY.entropy():.4f}")
        sheets[name] = on_digits(stage.quick, rng)
        stage.say(f"{name}: {IMAGES} digits drawn")
    draw(stage, moons, sheets, rng)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
