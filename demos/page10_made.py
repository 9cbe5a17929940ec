"""MADE on handwritten digits: one masked network, and two ways to say what a pixel may be: lecture page 10.

log p(x) = Σ_j log p(x[j] | x[1..j−1]) over the 64 pixels of an 8 × 8 digit, each with one of 17 grey levels. A MADE is
an ordinary network with one hidden layer, whose masks let the output for a pixel see the pixels before it only: nothing
of it is made for images. What its outputs mean is free, and matters more than one might think:

    categorical               17 numbers a pixel, a probability for each level
    mixture of logistics      15 numbers a pixel: five bell-shaped densities, cut into the 17 levels

The second knows from the start that 7 lies beside 8, and has less to learn from 1,000 images. Both are held against
pixels that are independent of each other, and against two published teaching models of these data: a VAE, 100.5 nats
(a bound), and causal convolutions, 88.7. What is printed here is log p(x) itself. The settings were chosen by some 50
trial runs on the validation set, and so are the weights within a run: validation figures are flattered by both, test
figures are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.page10_pixels import (
    CHAIN,
    HALF,
    LEVELS,
    PUBLISHED,
    SIZE,
    draw_samples,
    independent,
    load,
    mean_and_error,
    per_pixel,
)
from demos.training import fit_or_stop
from scratchgen import plotting
from scratchgen.autodiff import no_grad
from scratchgen.autoregressive import MADE, CategoricalOutput, LogisticMixtureOutput, Output
from scratchgen.data import digits
from scratchgen.optim import AdamW, Average
from scratchgen.training import History

TITLE = "Page 10: MADE, a masked network over the pixels of digits"
SECONDS, QUICK_SECONDS = 25, 8
VAE = 100.5  # published beside the causal convolutions
OUTPUTS: dict[str, tuple[Output, float]] = {  # and the weight decay of each
    "categorical": (CategoricalOutput(LEVELS), 1.0),
    "mixture of logistics": (LogisticMixtureOutput(5, LEVELS), 0.1),
}
PIXELS = ((1, 3), (3, 3), (4, 4), (6, 2))  # row and column of those whose conditionals are drawn


def make(output: Output, rng: np.random.Generator) -> MADE:
    """One hidden layer, in raster order."""
    return MADE(64, output, [512], rng, activation="tanh", dropout=0.5)


def train(
    model: MADE, decay: float, x: np.ndarray, held_out: np.ndarray, rng: np.random.Generator, epochs: int
) -> History:
    """AdamW with averaged weights; keeps those with the best validation loss."""
    return fit_or_stop(
        model,
        x,
        optimizer=AdamW(model.parameters(), lr=3e-3, weight_decay=decay, matrices_only=True),
        average=Average(model.parameters(), decay=0.99),
        batch_size=25,
        epochs=epochs,
        validation=held_out,
        evaluate_every=80,
        patience=epochs,
        clip=10.0,
        rng=rng,
    )


def level_probabilities(model: MADE, x: np.ndarray) -> np.ndarray:
    """p(x[j] = k | x[<j]) for one digit (64,), all j and all levels k, (64, 17)."""
    each = np.arange(LEVELS)[:, None]  # only x[j] itself is replaced: what the conditionals are given stays
    with no_grad():
        return np.exp(model.conditionals(x[None]).log_prob(np.tile(each, (1, 64))[:, None]).data[:, 0].T)


# -- pictures ------------------------------------------------------------------------------------------------------


def draw_loss(stage: Stage, histories: dict[str, History], baseline: float) -> None:
    """The validation loss of both, and what it is held against."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
    lines = {name: (history.steps, history.validation) for name, history in histories.items()}
    limits = {"independent pixels": baseline, "published VAE": VAE, "published convolutions": PUBLISHED}
    plotting.curves(lines, ax, limits, ylabel="validation −log p(x), nats per image")
    ax.set_ylim(top=baseline + 12)
    caption = (
        "−log p(x) of the validation set while training, with the averaged weights. The two networks differ in what "
        "their outputs mean. Dashed: independent pixels, and two published models."
    )
    stage.save(figure, "page10_made_loss", "A masked network on digits", CHAIN, caption)


def draw_completions(stage: Stage, model: MADE, x: np.ndarray, rng: np.random.Generator) -> None:
    """Ten digits, their upper halves, and four lower halves that the model draws to them."""
    import matplotlib.pyplot as plt

    drawn = model.sample(4 * len(x), rng, given=np.tile(x[:, :HALF], (4, 1)))
    rows = {"digit": x, "given": np.where(np.arange(64) < HALF, x, 0)}
    rows |= {f"draw {i + 1}": part for i, part in enumerate(np.split(drawn, 4))}
    figure, axes = plt.subplots(len(rows), 1, figsize=(7.5, 5.2), layout="constrained")
    for ax, (name, images) in zip(axes, rows.items()):
        plotting.image_grid(images.reshape(-1, *SIZE), ax, vmax=LEVELS - 1)
        ax.set_title(name, fontsize=9, loc="left", pad=2)
        ax.axhline(SIZE[0] / 2 - 0.5, color="tab:red", linewidth=0.6, linestyle="--")
    caption = (
        "The first test digit of each class; its upper half; and four draws of the lower half by the mixture of "
        "logistics."
    )
    equation = "x[33..64] ~ p(x[33..64] | x[1..32])"
    stage.save(figure, "page10_made_completion", "Half an image given", equation, caption)


def draw_conditionals(stage: Stage, models: dict[str, MADE], x: np.ndarray) -> None:
    """What each model says of a few pixels of one digit, given those before."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(PIXELS) + 1, figsize=(13, 2.9), layout="constrained")
    plotting.image_grid(x.reshape(1, *SIZE), axes[0], columns=1, gap=0, vmax=LEVELS - 1)
    for number, (ax, (row, column)) in enumerate(zip(axes[1:], PIXELS), start=1):
        j = row * SIZE[1] + column
        axes[0].text(column, row, str(number), color="tab:red", ha="center", va="center", weight="bold")
        for i, (name, model) in enumerate(models.items()):
            ax.bar(np.arange(LEVELS) + 0.4 * i - 0.2, level_probabilities(model, x)[j], width=0.4, label=name)
        ax.axvline(x[j], color="black", linestyle="--", linewidth=1, label="what it is")
        ax.set_title(f"pixel {number}", fontsize=10)
        ax.set(xlabel="level", ylim=(0, None))
    axes[1].set_ylabel("p(x[j] = level | x[<j])")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    caption = (
        "A test digit, and what both models say of four of its pixels, given the pixels before. The categorical has a "
        "probability of its own for each level; the bells of the mixture join neighbours, and its ends take the tails."
    )
    stage.save(figure, "page10_made_conditionals", "What a pixel may be", "p(x[j] | x[1..j−1])", caption)


def run(stage: Stage, seed: int) -> None:
    """Train both, print their figures, draw the pictures."""
    rng = np.random.default_rng(seed)
    x, held_out, test = (load(split) for split in ("train", "validation", "test"))
    counted = independent(x)
    baseline = float(-counted.log_prob(held_out).sum(axis=-1).mean())
    models, histories = {}, {}
    for name, (output, decay) in OUTPUTS.items():
        models[name] = make(output, rng)
        stage.say(f"training MADE, {name}: {models[name].count_parameters():,} weights, about half of them masked")
        histories[name] = train(models[name], decay, x, held_out, rng, epochs=10 if stage.quick else 60)
        stage.result(
            f"MADE, {name}: {min(histories[name].validation):.2f} nats per image of the validation set; published "
            f"convolutions {PUBLISHED}, VAE {VAE}, independent pixels {baseline:.2f}"
        )
    draw_loss(stage, histories, baseline)
    costs: dict[str, Any] = {name: per_pixel(model, test) for name, model in models.items()}
    for name, nats in {"independent pixels": -counted.log_prob(test), **costs}.items():
        stage.result(
            f"{name}, test set: {mean_and_error(nats)} nats per image, of which the lower half, given the upper, "
            f"{mean_and_error(nats[:, HALF:])}"
        )
    first = [int(np.argmax(digits("test").labels == label)) for label in range(10)]
    draw_samples(stage, models, x, rng, "page10_made_samples")
    draw_completions(stage, models["mixture of logistics"], test[first], rng)
    draw_conditionals(stage, models, test[first[8]])


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
