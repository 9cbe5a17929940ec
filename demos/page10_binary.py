"""MADE on black and white digits, the data for which it was made: lecture page 10.

A pixel of the 8 × 8 digits counts as 1 from level 8 of 0 … 16 on. Each conditional is a coin, one number a pixel:

    p(x[j] = 1 | x[<j]) = σ(l_j),   l_j of a network with masks, which sees the pixels before j only

log p(x) = Σ_j log p(x[j] | x[<j]) is exact, for each x of 2^64. It is held against pixels that are independent of each
other, by their counts. No better figure is known of these data: what the digits cost whoever knows their distribution,
their entropy, nobody has. Fair coins, which know nothing, cost 64 log 2 = 44.36 nats. The settings are those of
``page10_made``.
"""

from __future__ import annotations

import numpy as np

from demos.common import Stage, main
from demos.page10_made import train
from demos.page10_pixels import CHAIN, HALF, SIZE, load, mean_and_error, per_pixel
from scratchgen import plotting
from scratchgen.autoregressive import MADE, BinaryOutput
from scratchgen.data import digits
from scratchgen.distributions import Bernoulli

TITLE = "Page 10: MADE on black and white digits"
SECONDS, QUICK_SECONDS = 8, 5
WHITE = 8  # the first level that counts as 1
DRAWS = 4


def binary(split: str) -> np.ndarray:
    """The digits of one part of the data, (n, 64) float32 of 0 and 1."""
    return (load(split) >= WHITE).astype(np.float32)


def coins(x: np.ndarray) -> Bernoulli:
    """The 64 pixels as independent coins: the counts of both sides, and one more of each, for what is rare."""
    ones = 1 + x.sum(axis=0)  # (64,)
    return Bernoulli(np.log(ones / (len(x) + 2 - ones)))


def make(rng: np.random.Generator) -> MADE:
    """One hidden layer, in raster order."""
    return MADE(64, BinaryOutput(), [512], rng, activation="tanh", dropout=0.5)


def draw_pictures(stage: Stage, model: MADE, x: np.ndarray, test: np.ndarray, rng: np.random.Generator) -> None:
    """Data beside draws, and below, test digits with four lower halves that the model draws to them."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(10, 7), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr]
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.6))
    sheets = {"data": x[:50], "independent pixels": coins(x).sample((50,), rng), "MADE": model.sample(50, rng)}
    for ax, (name, images) in zip(above.subplots(1, 3), sheets.items()):
        plotting.image_grid(images.reshape(-1, *SIZE), ax, vmax=1)
        ax.set_title(name, fontsize=10)
    drawn = model.sample(DRAWS * len(test), rng, given=np.tile(test[:, :HALF], (DRAWS, 1)))
    rows = {"digit": test} | {f"draw {i + 1}": part for i, part in enumerate(np.split(drawn, DRAWS))}
    for ax, (name, images) in zip(below.subplots(len(rows), 1), rows.items()):
        plotting.image_grid(images.reshape(-1, *SIZE), ax, vmax=1)
        ax.set_title(name, fontsize=9, loc="left", pad=2)
        ax.axhline(SIZE[0] / 2 - 0.5, color="tab:red", linewidth=0.8, linestyle="--")
    caption = (
        "Above: 50 training digits, and 50 draws of each model. Below: the first test digit of each class, and four "
        "draws of its lower half, below the dashed line, given its upper half."
    )
    stage.save(figure, "page10_binary", "Black and white digits", CHAIN, caption)


def run(stage: Stage, seed: int) -> None:
    """Train, print the figures, draw the picture."""
    rng = np.random.default_rng(seed)
    x, held_out, test = (binary(split) for split in ("train", "validation", "test"))
    model = make(rng)
    train(model, 0.1, x, held_out, rng, epochs=10 if stage.quick else 30)
    for name, nats in {"independent pixels": -coins(x).log_prob(test), "MADE": per_pixel(model, test)}.items():
        stage.result(
            f"{name}, test set: {mean_and_error(nats)} nats per image, of which the lower half, given the upper, "
            f"{mean_and_error(nats[:, HALF:])}; fair coins {64 * np.log(2):.2f} and {HALF * np.log(2):.2f}"
        )
    first = [int(np.argmax(digits("test").labels == label)) for label in range(10)]
    draw_pictures(stage, model, x, test[first], rng)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
