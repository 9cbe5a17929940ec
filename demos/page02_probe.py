"""Are learned codes useful for downstream processing? Page 2 of the lecture hopes so; a linear probe measures it.

A VAE learns 16 numbers for each of 1,000 digits without seeing a label. Then a linear classifier, the probe, gets the
labels of some of them, and is tested on 447 others. It reads in turn

    pixels          the 64 grey levels themselves
    PCA             16 numbers: the pixels along their 16 principal axes
    VAE code        16 numbers: the mean of q(z|x)
    VAE layer       256 numbers: the last layer of the encoder before the code
    untrained       16 numbers: the code of the same encoder before its training

All are centred and brought to mean square 1 by the 1,000 unlabelled digits, and the probe is the same for all of them.
Whatever wins, wins: the objective of a VAE is the likelihood of x, and nothing in it asks for classes.
"""

from __future__ import annotations

import numpy as np

from demos.common import Stage, main
from demos.page09_vae import load, train, wide_vae
from scratchgen.autodiff import no_grad
from scratchgen.latent import VAE, LinearProbe

TITLE = "Page 2: a linear probe on learned codes, principal axes and pixels"
SECONDS = 30
QUICK_SECONDS = 8
COUNTS = (10, 30, 100, 300, 1000)
CODE = 16

Features = tuple[np.ndarray, np.ndarray]  # of the training and of the test images


def standardised(train_set: np.ndarray, test: np.ndarray) -> Features:
    """Both centred, and divided by one number, so that the training set has mean 0 and mean square 1."""
    centre = train_set.mean(axis=0)
    size = np.sqrt(np.mean((train_set - centre) ** 2))
    return (train_set - centre) / size, (test - centre) / size


def principal(train_set: np.ndarray, test: np.ndarray) -> Features:
    """Both along the 16 principal axes of the training set."""
    centre = train_set.mean(axis=0)
    axes = np.linalg.svd(train_set - centre, full_matrices=False)[2][:CODE].T
    return (train_set - centre) @ axes, (test - centre) @ axes


def layer_and_code(model: VAE, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the encoder computes of x: its last hidden layer (n, 256), and the mean of q(z|x), (n, 16)."""
    with no_grad():
        h = model.likelihood.to_network(x, model.dtype)
        for layer in model.encoder.layers[:-1]:
            h = layer(h)
        return h.data.astype(np.float64), model.encode(x).mean.data.astype(np.float64)


def a_few_of_each(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """All rows in a random order in which every ten have one of each class, as long as there are any."""
    shuffled = rng.permutation(len(labels))
    turn = np.empty(len(labels))
    for label in np.unique(labels):
        mine = shuffled[labels[shuffled] == label]
        turn[mine] = np.arange(len(mine)) + rng.random(len(mine))
    return np.argsort(turn)


def accuracies(features: dict[str, Features], labels: np.ndarray, truth: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Test accuracy with the first 10, 30, … labels of that order: (kinds of features, counts)."""
    return np.array(
        [
            [
                # A penalty of 1/n: the same prior, N(0, 1) of each weight, for all.
                LinearProbe(h.shape[1], 10, penalty=1 / n).fit(h[order[:n]], labels[order[:n]]).accuracy(test, truth)
                for n in COUNTS
            ]
            for h, test in features.values()
        ]
    )


def draw_accuracies(stage: Stage, scores: dict[str, np.ndarray], models: int, draws: int) -> None:
    """Test accuracy against the number of labels; scores are (runs, counts)."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.5, 4.8), layout="constrained")
    for i, (name, runs) in enumerate(scores.items()):
        x = np.array(COUNTS) * 1.04 ** (i - 2)  # side by side, so that the error bars can be told apart
        ax.errorbar(x, runs.mean(axis=0), yerr=runs.std(axis=0), fmt="o-", markersize=4, capsize=2, label=name)
    ax.axhline(0.1, color="k", linestyle="--", linewidth=1, label="chance 0.1")
    ax.set(xlabel="number of labels", ylabel="accuracy on 447 test digits", xscale="log", ylim=(0, 1))
    ax.set_xticks(COUNTS, [str(n) for n in COUNTS])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(ncols=2, loc="lower right", bbox_to_anchor=(1.0, 0.12))
    stage.save(
        figure,
        "page02_probe",
        "A linear probe",
        "p(y = c | h) = softmax(h W + b)_c",
        "A linear classifier reads the pixels, their 16 principal axes, or what a VAE has learned without labels: its "
        "code of 16 numbers, or the layer before that; and the code before training. Mean and standard deviation over "
        f"{models * draws} runs: {models} VAE{'s' * (models > 1)}, and {draws} choices of the digits that are "
        "labelled; with all 1,000 there is no choice.",
    )


def run(stage: Stage, seed: int) -> None:
    """Train VAEs without labels, then probes with few and many."""
    data, held_out, test = load("train"), load("validation"), load("test")
    x, held_out_x, test_x = (part.x.reshape(-1, 64) for part in (data, held_out, test))
    labels, truth = data.labels.astype(np.int64), test.labels.astype(np.int64)
    models, draws = (1, 2) if stage.quick else (3, 4)
    results = []
    for i in range(models):
        rng = np.random.default_rng([seed, i])
        model = wide_vae(rng)
        untrained = layer_and_code(model, x)[1], layer_and_code(model, test_x)[1]
        stage.say(f"training VAE {i + 1} of {models}, without labels")
        train(model, x, held_out_x, rng, lr=2e-3, weight_decay=1.0)
        layers, codes = zip(layer_and_code(model, x), layer_and_code(model, test_x))
        pixels = x.astype(np.float64), test_x.astype(np.float64)
        features = {
            "pixels": pixels,
            "PCA": principal(*pixels),
            "VAE code": codes,
            "VAE layer": layers,
            "untrained": untrained,
        }
        features = {name: standardised(*both) for name, both in features.items()}
        stage.say(f"fitting {draws} × {len(features) * len(COUNTS)} probes")
        results += [accuracies(features, labels, truth, a_few_of_each(labels, rng)) for _ in range(draws)]
    scores = dict(zip(features, np.stack(results, axis=1)))  # each (runs, counts)
    for name, runs in scores.items():
        told = ", ".join(f"{n}: {a:.3f} ± {s:.3f}" for n, a, s in zip(COUNTS, runs.mean(axis=0), runs.std(axis=0)))
        stage.result(f"{name:10} accuracy by number of labels: {told}")
    stage.result("chance: 0.1")
    draw_accuracies(stage, scores, models, draws)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
