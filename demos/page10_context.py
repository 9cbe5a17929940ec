"""MADE with a context: digits of a class that one asks for, and the class of a digit by Bayes' rule: lecture page 10.

A context c is what all conditionals may depend on: log p(x | c) = Σ_j log p(x[j] | x[1..j−1], c). Here it is the class
y of a digit, 0 to 9, as ten numbers of which one is 1. The same model then does three things:

    draw digits of a class          x ~ p(x | y)
    tell the class of a digit       p(y | x) = p(x | y) p(y) / Σ_y' p(x | y') p(y'),   p(y) = 1/10
    do so while it is uncovered     p(y | x[1..j]) likewise, from the first j terms of log p(x | y)

Before any pixel is seen, −log p(y) = log 10 = 2.303 nats. As more are seen, −log p(y | x[1..j]) falls on average. With
p(x) = Σ_y p(x | y) p(y), Bayes' rule says log p(x | y) − log p(x) = log p(y | x) − log p(y), which is at most log 10:
so to be told the class saves at most log 10 nats of any image.

The settings are those of page10_made, chosen on the validation set; the figures printed are those of the test set.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.page10_made import OUTPUTS, train
from demos.page10_pixels import HALF, LEVELS, SIZE, mean_and_error
from scratchgen import plotting
from scratchgen.autodiff import logsumexp, no_grad
from scratchgen.autoregressive import MADE
from scratchgen.data import digits

TITLE = "Page 10: digits given their class, and the class given a digit"
SECONDS = 14
CLASSES, LOG_10 = 10, float(np.log(10))


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The digits (n, 64), and their classes as contexts, (n, 10)."""
    images, labels = digits(split)
    return images.reshape(-1, 64).astype(np.int64), one_hot(labels)


def one_hot(labels: np.ndarray) -> np.ndarray:
    """(n,) → (n, 10)."""
    return np.eye(CLASSES, dtype=np.float32)[labels]


def log_terms(model: MADE, x: np.ndarray) -> np.ndarray:
    """log p(x[j] | x[<j], y) for all classes y, (10, n, 64), float64."""
    with no_grad():
        contexts = [np.tile(c, (len(x), 1)) for c in one_hot(np.arange(CLASSES))]
        return np.stack([model.conditionals(x, c).log_prob(x).data for c in contexts]).astype(np.float64)


def log_posterior(terms: np.ndarray) -> np.ndarray:
    """log p(y | x[1..j]) for j = 0 … 64, by Bayes' rule with p(y) = 1/10, (10, n, 65)."""
    log_joint = np.concatenate([np.zeros_like(terms[..., :1]), np.cumsum(terms, axis=-1)], axis=-1) - LOG_10
    return log_joint - logsumexp(log_joint, axis=0, keepdims=True)


# -- pictures ------------------------------------------------------------------------------------------------------


def draw_samples(stage: Stage, model: MADE, x: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> None:
    """Five training digits of each class, and five draws of each."""
    import matplotlib.pyplot as plt

    asked = np.tile(np.arange(CLASSES), 5)
    rows = np.array([np.flatnonzero(labels == y)[:5] for y in range(CLASSES)]).T.ravel()
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.4), layout="constrained")
    sheets = {"data": x[rows], "draws, by class": model.sample(len(asked), rng, context=one_hot(asked))}
    for ax, (name, images) in zip(axes, sheets.items()):
        plotting.image_grid(images.reshape(-1, *SIZE), ax, vmax=LEVELS - 1)
        ax.set_title(name, fontsize=10)
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr]
    caption = "Five training digits of each class, 0 to 9 from left to right, and five draws of each by one model."
    stage.save(figure, "page10_context_samples", "Digits of a class", "x[j] ~ p(x[j] | x[1..j−1], y)", caption)


def draw_posteriors(stage: Stage, log_p: np.ndarray, x: np.ndarray, labels: np.ndarray) -> None:
    """What is left to be known of the class after so many pixels, on average and for three digits with a surprise."""
    import matplotlib.pyplot as plt

    right = log_p.argmax(axis=0) == labels[:, None]  # (n, 65)
    shown = np.flatnonzero(~right[:, HALF] & right[:, -1])[:3]
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), width_ratios=[1.5, 1, 1, 1], layout="constrained")
    seen = list(range(65))
    left = -log_p[labels, np.arange(len(labels))].mean(axis=0)
    plotting.curves(
        {"left to be known": (seen, left.tolist())}, axes[0], {"log 10": LOG_10}, "pixels seen", "nats; share"
    )
    axes[0].plot(seen, 1 - right.mean(axis=0), color="tab:red", label="share of wrong guesses")
    axes[0].legend(fontsize=8)
    for ax, i in zip(axes[1:], shown):
        image = ax.imshow(np.exp(log_p[:, i]), aspect="auto", vmin=0, vmax=1, cmap="Greys", interpolation="nearest")
        ax.axhline(labels[i], color="tab:red", linestyle="--", linewidth=1)
        ax.set(xlabel="pixels seen", yticks=range(CLASSES), title=f"a digit of class {labels[i]}")
        inset = ax.inset_axes((0.03, 0.03 if labels[i] < 5 else 0.61, 0.24, 0.36))  # away from the true class
        plotting.image_grid(x[i].reshape(1, *SIZE), inset, columns=1, gap=0, vmax=LEVELS - 1)
    axes[1].set_ylabel("class")
    figure.colorbar(image, ax=axes[1:], label="p(y | x[1..j])", shrink=0.9)
    caption = (
        "Left: −log p(y | x[1..j]) of the true class, mean over the test set, which begins at log 10, dashed; and how "
        "often the most probable class is wrong. Right: p(y | x[1..j]) of all classes, for three test digits whose "
        "upper half misleads, as they are uncovered pixel by pixel; dashed is the true class."
    )
    stage.save(
        figure, "page10_context_posterior", "The class, pixel by pixel", "p(y | x[1..j]) ∝ p(x[1..j] | y)", caption
    )


def run(stage: Stage, seed: int) -> None:
    """Train, classify, draw."""
    rng = np.random.default_rng(seed)
    train_set, held_out, (x, c) = (load(split) for split in ("train", "validation", "test"))
    output, decay = OUTPUTS["mixture of logistics"]
    model = MADE(64, output, [512], rng, context=CLASSES, activation="tanh", dropout=0.5)
    history = train(model, decay, train_set, held_out, rng, epochs=60)
    stage.result(f"validation set: {min(history.validation):.2f} nats per image, given its class")
    labels: Any = c.argmax(axis=1)
    terms = log_terms(model, x)
    log_p = log_posterior(terms)
    given = terms[labels, np.arange(len(x))]  # (n, 64)
    worth = LOG_10 + log_p[labels, np.arange(len(x)), -1]  # log p(x | y) − log p(x)
    without = worth - given.sum(axis=-1)
    stage.result(
        f"test set: {mean_and_error(-given)} nats per image given its class, {mean_and_error(without[:, None])} "
        f"without; so the class is worth {worth.mean():.3f}, at most {worth.max():.3f} for one image; log 10 is "
        f"{LOG_10:.3f}"
    )
    right = np.mean(log_p.argmax(axis=0) == labels[:, None], axis=0)
    stage.result(
        f"the most probable class is right for {right[-1]:.1%} of the test digits, and for {right[HALF]:.1%} after the "
        "upper half"
    )
    draw_samples(stage, model, train_set[0], train_set[1].argmax(axis=1), rng)
    draw_posteriors(stage, log_p, x, labels)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
