"""Diffusion of handwritten digits: a bound in nats beside other models' figures, samples, and guidance (page 12).

A small U-Net learns, for each pixel of a noisy 8 × 8 digit, how likely each of its 17 grey levels is. What is trained
is the bound on log p(x), all T = 100 terms of it: one is what the levels cost given x_1, the others are divergences of
Gaussians. So the figure is one of nats per image, and compares with a VAE's, and with those of models that know
log p(x) itself.

The signal-to-noise ratio falls from e³ to e^−7, in equal steps of its logarithm. At e³ a pixel is blurred over a few
levels, between which the last step decides.

Three labels in ten are taken away in training, so that the same network has learned the digits of a class and digits as
such. (A label is worth log 10 = 2.3 nats at most; where the two bounds differ by more, digits as such were learned less
well, having had less of the training.) Guidance goes beyond the class, and the pictures show what it gains, and what it
loses: variety.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demos.common import Stage, main
from demos.training import fit_or_stop
from scratchgen import plotting
from scratchgen.data import digits
from scratchgen.diffusion import LevelDDPM, Trajectory, UNet, ancestral, even_log_snr, guided, terms
from scratchgen.flows import bits_per_dim
from scratchgen.optim import AdamW, Average, cosine
from scratchgen.training import History

TITLE = "Page 12: diffusion of digits, and its bound in nats"
SECONDS, QUICK_SECONDS = 90, 20
SHAPE, LEVELS, T = (8, 8, 1), 17, 100
HIGH, LOW = 3.0, -7.0  # log SNR at t = 1 and t = T
PUBLISHED_VAE = 100.5
SCALES = (0.0, 1.0, 2.0, 4.0)
SHOWN = (100, 80, 60, 50, 40, 30, 20, 10, 5, 0)


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 8, 8, 1) and labels (n,), integers."""
    images, labels = digits(split)
    return images.reshape(-1, *SHAPE).astype(np.int64), labels.astype(np.int64)


def train(steps: int, rng: np.random.Generator) -> tuple[LevelDDPM, History]:
    """AdamW and averaged weights, which the model then has; the best of them by the bound of the validation set."""
    net, schedule = UNet(1, rng, channels=16, classes=10, outputs=LEVELS), even_log_snr(T, HIGH, LOW)
    model = LevelDDPM(net, schedule, SHAPE, LEVELS, first=0.5, drop=0.3)
    history = fit_or_stop(
        model,
        load("train"),
        optimizer=AdamW(model.parameters(), lr=6e-3, weight_decay=0.3, matrices_only=True),
        average=Average(model.parameters(), decay=0.98),
        batch_size=100,
        steps=steps,
        schedule=cosine(6e-3, steps, warm_up=30),
        validation=load("validation"),
        evaluate_every=max(1, steps // 10),
        patience=steps,
        clip=100.0,
        rng=rng,
    )
    return model, history


def bound(model: LevelDDPM, split: str, seed: int, labelled: bool = False, most: int = 1000) -> tuple[str, np.ndarray]:
    """The negative bound of a part of the data, mean and standard error; and the mean of each term, (T,)."""
    images, labels = (part[:most] for part in load(split))
    found = terms(model, images, rng=seed, context=labels if labelled else None)
    total = found.total
    return f"{total.mean():.2f} ± {total.std() / np.sqrt(len(total)):.2f}", found.steps.mean(axis=1)


# -- pictures ------------------------------------------------------------------------------------------------------


def draw_bound(stage: Stage, history: History, each: np.ndarray) -> None:
    """The bound while training, and its terms."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    lines = {"training": (history.steps, history.loss), "validation": (history.steps, history.validation)}
    plotting.curves(lines, axes[0], {"published VAE": PUBLISHED_VAE}, ylabel="negative bound, nats per image")
    axes[0].set_ylim(65, 125)
    axes[1].bar(np.arange(2, T + 1), each[1:], color="C0", width=1.0)
    axes[1].set(xlabel="t", ylabel="nats per image", title=f"the term of each step; at t = 1: {each[0]:.1f} nats")
    caption = (
        "Left: the bound given the label (three in ten taken away in training), averaged weights; dashed, a published "
        "VAE, which has no labels. Right: what each step contributes for the test set, without labels."
    )
    stage.save(figure, "page12_digits_bound", "The bound", "−log p(x) ≤ L_T + Σ_t L_{t−1} + L_0", caption)


def sheet(
    stage: Stage,
    images: np.ndarray,
    name: str,
    columns: int,
    texts: list[str],
    title: str,
    caption: str,
    heads: Sequence[str] = (),
) -> None:
    """Rows of digits with a text beside each, and heads above the columns, if there are any."""
    import matplotlib.pyplot as plt

    rows = len(images) // columns
    figure, axes = plt.subplots(rows, 1, figsize=(0.62 * columns + 1.4, 0.66 * rows), layout="constrained")
    for k, head in enumerate(heads):
        place = (k + 0.5) / columns, 1.05
        axes[0].text(*place, head, transform=axes[0].transAxes, ha="center", va="bottom", fontsize=9)
    for ax, row, text in zip(np.atleast_1d(axes), images.reshape(rows, columns, 8, 8), texts):
        plotting.image_grid(row, ax, columns=columns, vmax=LEVELS - 1)
        ax.text(-0.01, 0.5, text, transform=ax.transAxes, ha="right", va="center", fontsize=9)
    stage.save(figure, name, title, "p(x_{t−1} | x_t) = N(c_t x̂_0 + d_t x_t, β̃_t I)", caption)


def draw_samples(stage: Stage, model: LevelDDPM, rng: np.random.Generator) -> None:
    """Data, samples without a label, and a row for each class."""
    images, labels = load("train")
    data = images[[np.flatnonzero(labels == k)[0] for k in range(10)]]
    free = model.sample(20, rng)
    classes = model.sample(20, rng, np.tile(np.arange(10), 2))
    texts = ["data", "samples", "samples", "by class", "by class"]
    caption = "Ten training digits; twenty draws without a label; and draws for the classes 0 to 9."
    sheet(stage, np.concatenate([data, free, classes]), "page12_digits_samples", 10, texts, "Samples", caption)


def draw_guidance(stage: Stage, model: LevelDDPM, rng: np.random.Generator, n: int) -> None:
    """The classes at several scales of guidance, and how various the samples are."""
    labels = np.tile(np.arange(10), n // 10)
    shown, texts = [], []
    images, given = load("train")
    spread_of_data = within(images, given)
    seed = int(rng.integers(2**31))
    for scale in SCALES:
        x = guided(model, scale).sample(len(labels), seed, labels)
        shown.append(x[:10])
        texts.append(f"w = {scale:g}")
        right = share_right(x, labels)
        stage.result(
            f"guidance {scale:g}: nearest class mean is that of the label in {100 * right:.0f} % of {n} samples "
            f"(of training digits {100 * share_right(images, given):.0f} %); standard deviation within a class "
            f"{within(x, labels):.2f} levels (of training digits {spread_of_data:.2f})"
        )
    caption = "The same noise for the classes 0 to 9, at four scales: 0 ignores the label, 1 is the model of the class."
    sheet(stage, np.concatenate(shown), "page12_digits_guidance", 10, texts, "Guidance", caption)


def share_right(x: np.ndarray, labels: np.ndarray) -> float:
    """How many images are nearest to the mean of their own class, of the training digits."""
    images, given = load("train")
    means = np.stack([images[given == k].mean(axis=0).ravel() for k in range(10)])
    distances = np.square(x.reshape(len(x), 1, -1) - means).sum(axis=-1)
    return float(np.mean(distances.argmin(axis=1) == labels))


def within(x: np.ndarray, labels: np.ndarray) -> float:
    """The root of the variance of a pixel within its class, averaged over pixels and classes."""
    return float(np.sqrt(np.mean([x[labels == k].var(axis=0).mean() for k in range(10)])))


def draw_trajectory(stage: Stage, model: LevelDDPM, rng: np.random.Generator) -> None:
    """x_t and x̂_0 on the way from noise to three digits."""
    path = Trajectory()
    labels = np.array([3, 5, 8])
    ancestral(model, model.start(3, rng), rng, context=labels, watch=path)
    at = [T - t for t in SHOWN]
    rows = [np.stack([kept[i][k] for i in at]) for k in range(3) for kept in (path.x, path.x0)]
    images = (LEVELS - 1) * (1 + np.concatenate(rows)[..., 0].clip(-1, 1)) / 2
    texts = [text for k in labels for text in (f"{k}: x_t", "x̂_0")]
    caption = "A 3, a 5 and an 8 from noise: x_t at falling t, and the guess x̂_0 that the network makes at each."
    heads = [f"t = {t}" for t in SHOWN]
    sheet(stage, images, "page12_digits_trajectory", len(SHOWN), texts, "Denoising", caption, heads)


def run(stage: Stage, seed: int) -> None:
    """Train, print the bounds, draw."""
    rng = np.random.default_rng(seed)
    model, history = train(200 if stage.quick else 700, rng)
    most, drawn = (100, 50) if stage.quick else (1000, 200)  # images for the bound, if there are so many, and samples
    validation, _ = bound(model, "validation", seed, most=most)
    text, each = bound(model, "test", seed, most=most)
    nats = float(text.split()[0])
    stage.result(
        f"validation set: −log p(x) is at most {validation} nats per image; published VAE {PUBLISHED_VAE}, T = {T}"
    )
    stage.result(f"test set: at most {text} nats per image, {bits_per_dim(nats, 64):.3f} bits per dimension")
    if not stage.quick:
        given, _ = bound(model, "test", seed, labelled=True)
        stage.result(f"test set, given the label: at most {given} nats per image")
    draw_bound(stage, history, each)
    draw_samples(stage, model, rng)
    draw_guidance(stage, model, rng, drawn)
    draw_trajectory(stage, model, rng)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
