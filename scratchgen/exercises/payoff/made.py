"""A masked autoregressive network of the handwritten digits (MADE), from exercises 6, 7, 10, 18 and 19.

The chain rule, pixel after pixel from the top left, and one network that computes all its factors at once:

    log p(x) = Σ_j log Bernoulli(x_j; l_j),    logits l = network(x),  l_j a function of x_1 … x_{j−1} only      (1)
    network:  h ← tanh(h (W ∘ M) + b), the last layer without tanh                                               (2)

The masks M make (1) true. So log p(x) is exact, and may be set beside that of pixels which know nothing of each other.
Lecture, page 10.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from scratchgen.exercises.payoff.pieces import Optimizer, Pieces, trainable, weights
from scratchgen.exercises.payoff.stage import Stage, smooth
from scratchgen.exercises.payoff.vae import D, black_and_white, independent_pixels
from scratchgen.plotting import curves, image_grid

TITLE = "MADE: the digits, one pixel after the other"
SECONDS = 5
FUNCTIONS = {
    6: ("adam_step",),
    7: ("init_mlp", "mlp"),
    10: ("bernoulli_log_prob",),
    18: ("made_masks",),
    19: ("ancestral_sample",),
}
HIDDEN = [300]
BATCH, STEPS = 100, 2500
SAMPLES = 100


def run(pieces: Pieces, stage: Stage) -> None:
    """Train the model, say what it is worth, and draw it."""
    rng = np.random.default_rng(stage.seed)
    x, _ = black_and_white("train")
    unseen, _ = black_and_white("test")

    masks = pieces.made_masks(np.arange(1, D + 1), HIDDEN)
    layers = weights(pieces.init_mlp([D, *HIDDEN, D], rng))
    optimizer = Optimizer(pieces, [layers], lr=1e-3)
    log_prob = trainable(pieces, "bernoulli_log_prob", lambda f, p: f(np.eye(3, 2), p * np.ones((3, 2))))

    def network(x: Any) -> Any:
        return pieces.mlp([(W * mask, b) for (W, b), mask in zip(layers, masks, strict=True)], x)

    def step(i: int) -> float:
        batch = x[rng.integers(len(x), size=BATCH)]
        loss = -np.mean(log_prob(batch, network(batch)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.data)

    losses = stage.train(STEPS, step, "NLL")

    def probabilities(x: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-network(x).data)))

    nll = -float(np.mean(pieces.bernoulli_log_prob(unseen, network(unseen).data)))
    alone = -independent_pixels(pieces, x, unseen)
    samples = pieces.ancestral_sample(probabilities, rng.random((SAMPLES, D)))
    leaks = leak(network, unseen)
    stage.say(f"the NLL of {len(unseen)} unseen digits is {nll:.2f} nats; of independent pixels it is {alone:.2f}")
    stage.say(f"pixels that change a logit which must not know of them: {leaks} of {D * (D + 1) // 2} pairs")

    figure, ((data, drawn), (paths, curve)) = stage.figure(TITLE, 2, 2)
    image_grid(x[:SAMPLES].reshape(-1, 8, 8), data)
    data.set_title("digits, black and white")
    image_grid(samples.reshape(-1, 8, 8), drawn)
    drawn.set_title("drawn from the model")
    count = reduce(np.matmul, [np.asarray(mask, float) for mask in masks])  # of paths from each pixel to each logit
    image = paths.imshow(np.where(count > 0, count, np.nan).T, cmap="viridis")
    figure.colorbar(image, ax=paths, shrink=0.8, label="number of paths")
    paths.plot([-0.5, D - 0.5], [-0.5, D - 0.5], "r--", linewidth=1)
    paths.set(title="paths through the masks: allowed below the red line", xlabel="from pixel", ylabel="to logit")
    curves(
        {"NLL in training": smooth(losses)}, curve, {"NLL, unseen:": nll, "independent pixels:": alone},
        ylabel="nats per image",
    )  # fmt: skip
    curve.set_title("the negative log-likelihood")
    stage.save(figure)


def leak(network: Any, x: np.ndarray) -> int:
    """In how many pairs i ≥ j pixel i changes logit j, tried on the first 20 images by turning each pixel over."""
    found = np.zeros((D, D), bool)
    for i in range(D):
        turned = x[:20].copy()
        turned[:, i] = 1 - turned[:, i]
        found[i] = (np.asarray(network(turned).data) != np.asarray(network(x[:20]).data)).any(axis=0)
    return int(np.tril(found).sum())
