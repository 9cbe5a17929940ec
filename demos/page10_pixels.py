"""Two convolutional models of the pixels of handwritten digits, each given those before it: lecture page 10.

log p(x) = Σ_j log p(x[j] | x[1..j−1]) over the 64 pixels of an 8 × 8 digit, row by row, each with one of 17 grey
levels. What the models say is log p(x) itself, no bound. They compute all 64 conditionals at once, and differ in how:

    PixelCNN        convolutions on the plane, in two stacks: the rows above, and what is to the left in the row
    CausalConvNet   the pixels as one sequence, and dilated convolutions over it

Both are held against pixels that are independent of each other, which are a matter of counting, and against 88.7 nats,
what a published teaching model with causal convolutions reports for these data.

The settings (learning rate, decay of the average, dropout, length) were chosen by about 20 trial runs on the validation
set, and so are the weights within a run; the validation figures are flattered by both, the test figures are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.training import fit_or_stop
from scratchgen import plotting
from scratchgen.autodiff import Tensor, no_grad
from scratchgen.autoregressive import Autoregressive, CausalConvNet, PixelCNN
from scratchgen.autoregressive.pixels import PixelModel, level_code
from scratchgen.data import digits
from scratchgen.distributions import Categorical
from scratchgen.nn import CausalConv, past_2d
from scratchgen.optim import AdamW, Average
from scratchgen.training import History

TITLE = "Page 10: pixels given the pixels before, by convolutions"
SECONDS, QUICK_SECONDS = 40, 15
SIZE, LEVELS, PUBLISHED = (8, 8), 17, 88.7
HALF = 32  # pixels of the upper half
SEEN_FROM = (5, 1)  # the pixel whose past is drawn
CHAIN = "log p(x) = Σ_j log p(x[j] | x[1..j−1])"


def load(split: str) -> np.ndarray:
    """The digits of one part of the data, (n, 64) integers."""
    return digits(split).images.reshape(-1, 64).astype(np.int64)


class OneStack(PixelModel):
    """A single stack of masked convolutions, which has a blind spot: for its picture only, it is not trained."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.dims, self.levels = 64, LEVELS
        self.first = CausalConv(2 * LEVELS - 1, LEVELS, past_2d(3, present=False), rng)
        self.layers = [CausalConv(LEVELS, LEVELS, past_2d(1, present=True), rng) for _ in range(5)]

    def network(self, code: Any, rng: Any = None) -> Tensor:
        """Logits (B, D, levels)."""
        h = self.first(code.reshape(-1, *SIZE, code.shape[-1]))
        for layer in self.layers:
            h = h + np.tanh(layer(h))
        return h.reshape(-1, self.dims, LEVELS)


def train(model: PixelModel, x: np.ndarray, held_out: np.ndarray, rng: np.random.Generator, epochs: int) -> History:
    """AdamW with averaged weights; keeps those with the best validation loss."""
    return fit_or_stop(
        model,
        x,
        optimizer=AdamW(model.parameters(), lr=6e-3, weight_decay=0.3, matrices_only=True),
        average=Average(model.parameters(), decay=0.97),
        batch_size=50,
        epochs=epochs,
        validation=held_out,
        patience=epochs,
        clip=10.0,
        rng=rng,
    )


def independent(x: np.ndarray) -> Categorical:
    """The 64 pixels as independent categoricals: the counts of each level, and one more of each, for what is rare."""
    counts = 1 + (x[..., None] == np.arange(LEVELS)).sum(axis=0)  # (64, 17)
    return Categorical(np.log(counts / counts.sum(axis=-1, keepdims=True)))


def per_pixel(model: Autoregressive, x: np.ndarray) -> np.ndarray:
    """−log p(x[j] | x[<j]), (n, 64)."""
    with no_grad():
        return -model.conditionals(x).log_prob(x).data


def mean_and_error(nats: np.ndarray) -> str:
    """The mean over images of the sum over pixels, with its standard error."""
    total = nats.sum(axis=-1)
    return f"{total.mean():.2f} ± {total.std() / np.sqrt(len(total)):.2f}"


def influence(model: PixelModel, x: np.ndarray, j: int) -> np.ndarray:
    """How log p(x[j] | x[<j]) changes with each pixel's code: |derivative|, summed over images, (8, 8)."""
    code = Tensor(level_code(x, LEVELS, model.dtype), requires_grad=True)
    np.sum(Categorical(model.network(code)[:, j]).log_prob(x[:, j])).backward()
    return np.abs(code.grad).sum(axis=(0, 2)).reshape(SIZE)


# -- pictures ------------------------------------------------------------------------------------------------------


def draw_loss(stage: Stage, histories: dict[str, History], baseline: float) -> None:
    """The validation loss of both, between the baseline and the published figure."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
    lines = {name: (history.steps, history.validation) for name, history in histories.items()}
    limits = {"independent pixels": baseline, "published": PUBLISHED}
    plotting.curves(lines, ax, limits, ylabel="validation −log p(x), nats per image")
    caption = (
        "−log p(x) of the validation set while training, with the averaged weights. Dashed: what independent pixels "
        "cost, and the published causal convolutions."
    )
    stage.save(figure, "page10_pixels_loss", "Convolutions learn pixels", CHAIN, caption)


def draw_samples(stage: Stage, models: Mapping[str, Autoregressive], x: np.ndarray, rng: Any, name: str) -> None:
    """Data beside draws of independent pixels, and of each model; ``name`` is that of the picture."""
    import matplotlib.pyplot as plt

    sheets = {"data": x[:50], "independent pixels": independent(x).sample((50,), rng)}
    sheets |= {title: model.sample(50, rng) for title, model in models.items()}
    figure, axes = plt.subplots(1, len(sheets), figsize=(13, 1.9), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr]
    for ax, (title, images) in zip(axes, sheets.items()):
        plotting.image_grid(images.reshape(-1, *SIZE), ax, vmax=LEVELS - 1)
        ax.set_title(title, fontsize=10)
    caption = "50 training digits, and 50 draws of each model, pixel after pixel from the upper left."
    stage.save(figure, name, "Samples", "x[j] ~ p(x[j] | x[1..j−1]),  j = 1 … 64", caption)


def draw_completions(stage: Stage, models: dict[str, PixelModel], x: np.ndarray, rng: np.random.Generator) -> None:
    """Ten digits, their upper halves, and three lower halves that each model draws to them."""
    import matplotlib.pyplot as plt

    rows = {"digit": x, "given": np.where(np.arange(64) < HALF, x, 0)}
    for name, model in models.items():
        drawn = model.sample(3 * len(x), rng, given=np.tile(x[:, :HALF], (3, 1)))
        rows |= {name if i == 0 else " " * i + name: part for i, part in enumerate(np.split(drawn, 3))}
    figure, axes = plt.subplots(len(rows), 1, figsize=(7.5, 6.2), layout="constrained")
    for ax, (name, images) in zip(axes, rows.items()):
        plotting.image_grid(images.reshape(-1, *SIZE), ax, vmax=LEVELS - 1)
        if not name.startswith(" "):
            ax.set_title(name, fontsize=9, loc="left", pad=2)
        ax.axhline(SIZE[0] / 2 - 0.5, color="tab:red", linewidth=0.6, linestyle="--")
    caption = "The first test digit of each class; its upper half; and three draws of the lower half by each model."
    equation = "x[33..64] ~ p(x[33..64] | x[1..32])"
    stage.save(figure, "page10_pixels_completion", "Half an image given", equation, caption)


def draw_influence(stage: Stage, models: dict[str, PixelModel], x: np.ndarray) -> None:
    """What one pixel depends on, by the Jacobian."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    row, column = SEEN_FROM
    j = row * SIZE[1] + column
    figure, axes = plt.subplots(1, len(models), figsize=(10, 3.6), layout="constrained")
    for ax, (name, model) in zip(axes, models.items()):
        seen = influence(model, x, j)
        before, after = np.count_nonzero(seen.ravel()[:j]), np.count_nonzero(seen.ravel()[j:])
        stage.result(f"{name}: pixel {j} depends on {before} of the {j} before it, and on {after} of the others")
        seen = np.ma.masked_equal(seen / seen.max(), 0)
        image = ax.imshow(seen, norm=LogNorm(1e-4, 1), cmap="viridis")
        edge = ([-0.5, column - 0.5, column - 0.5, 7.5], [row + 0.5, row + 0.5, row - 0.5, row - 0.5])
        ax.plot(*edge, color="tab:red", linestyle="--")
        ax.plot(column, row, "x", color="tab:red")
        ax.set_title(name, fontsize=10)
        ax.set(xticks=[], yticks=[])
    figure.colorbar(image, ax=axes, shrink=0.85, label="|derivative|, relative to the largest")
    caption = (
        "How log p of the pixel at the cross changes with every other one, summed over 100 test digits; white is "
        "exactly 0. Above the dashed line is what comes before it. One stack of masked convolutions is blind to a part."
    )
    stage.save(
        figure, "page10_pixels_influence", "What a pixel depends on", "∂ log p(x[j] | x[<j]) / ∂ code of x[i]", caption
    )


def run(stage: Stage, seed: int) -> None:
    """Train both, print their figures, draw the pictures."""
    rng = np.random.default_rng(seed)
    x, held_out, test = (load(split) for split in ("train", "validation", "test"))
    counted = independent(x)
    baseline = float(-counted.log_prob(held_out).sum(axis=-1).mean())
    models: dict[str, PixelModel] = {
        "PixelCNN": PixelCNN(SIZE, LEVELS, rng),
        "CausalConvNet": CausalConvNet(64, LEVELS, rng),
    }
    histories = {}
    for name, model in models.items():
        stage.say(f"training {name}")
        histories[name] = train(model, x, held_out, rng, epochs=5 if stage.quick else 16)
        stage.result(
            f"{name}: {min(histories[name].validation):.2f} nats per image of the validation set; published "
            f"{PUBLISHED}, independent pixels {baseline:.2f}"
        )
    draw_loss(stage, histories, baseline)
    costs = {name: per_pixel(model, test) for name, model in models.items()}
    for name, nats in {"independent pixels": -counted.log_prob(test), **costs}.items():
        stage.result(
            f"{name}, test set: {mean_and_error(nats)} nats per image, of which the lower half, given the upper, "
            f"{mean_and_error(nats[:, HALF:])}"
        )
    stage.say("drawing pixel after pixel")
    draw_samples(stage, models, x, rng, "page10_pixels_samples")
    first = [int(np.argmax(digits("test").labels == label)) for label in range(10)]
    draw_completions(stage, models, test[first], rng)
    draw_influence(stage, {"one stack, untrained": OneStack(rng), **models}, test[:100])


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
