"""A continuous latent variable: lecture page 3, with probabilistic PCA and factor analysis, whose p(x) is known.

One latent number moves six measured ones: x = w z + noise. First all columns have the same noise: probabilistic PCA
finds the direction w in closed form. Then one column, that z does not move at all, is measured with a large noise.
Probabilistic PCA, which knows of one noise only, takes it for the direction; factor analysis, by EM, does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.latent import LinearGaussian, fit_factor_analysis, fit_ppca
from scratchgen.latent.exact_em import climb
from scratchgen.latent.ppca import best_log_likelihood, em_step, principal_angles, random_start
from scratchgen.plotting import curves

TITLE = "Page 3: a plane in the data, probabilistic PCA and factor analysis"
SECONDS = 2
ROWS = 2000
W = np.array([[1.0], [-0.8], [0.6], [0.9], [-0.5], [0.0]])
STARTS, EM_STEPS, SHOWN = 4, 500, 25  # of the last picture, and how many of its steps are drawn
NOISE, LARGE = 0.5, 3.0  # standard deviations; the large one is that of the last column


def entropy(model: LinearGaussian) -> float:
    """½ log det(2πe C), in nats."""
    return float(0.5 * np.linalg.slogdet(2 * np.pi * np.e * model.covariance().data)[1])


def divergence(true: LinearGaussian, model: LinearGaussian) -> float:
    """KL(truth ‖ model) of two normal distributions, so that −entropy − KL is what to expect of fresh data."""
    C, inverse = true.covariance().data, np.linalg.inv(model.covariance().data)
    d = model.b.data - true.b.data
    return float(0.5 * (np.trace(inverse @ C) - len(d) - np.linalg.slogdet(inverse @ C)[1] + d @ inverse @ d))


def degrees(model: LinearGaussian) -> float:
    """The angle between the direction that the model has found and the true one."""
    return float(np.degrees(principal_angles(model.W.data, W)[0]))


def run(stage: Stage, seed: int) -> None:
    """Fit both models to data with equal noise, and to data with one noisy column; then climb to the closed form."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    D = len(W)
    stds = {"equal noise": np.full(D, NOISE), "one noisy column": np.r_[np.full(D - 1, NOISE), LARGE]}
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", sharey=True)
    for ax, (name, std) in zip(panels, stds.items()):
        true = LinearGaussian(W, np.zeros(D), 2 * np.log(std))
        x = true.sample(ROWS, rng)
        models = {"probabilistic PCA": fit_ppca(x, 1), "factor analysis": fit_factor_analysis(x, 1, rng).model}
        for kind, model in models.items():
            expected = -entropy(true) - divergence(true, model)
            stage.result(
                f"{name}, {kind}: {degrees(model):.1f}° from the true direction, exactly 0; {expected:.4f} nats for "
                f"fresh data, at most −entropy = {-entropy(true):.4f}"
            )
        draw_directions(ax, models)
        ax.set_title(name)
        ax.legend(loc="upper left")
    panels[0].set_ylabel("direction found, of length 1")
    stage.save(
        figure,
        "page03_directions",
        "The direction in which z moves x",
        "x = W z + b + ε,   ε ~ N(0, s² I)  or  N(0, Ψ) with Ψ diagonal",
        "Dashed: the truth. With the same noise in each column both models find it. With more in the last column, "
        "probabilistic PCA takes that noise for z: it has one variance for all columns, factor analysis one for each.",
    )
    show_climb(stage, LinearGaussian(W, np.zeros(D), 2 * np.log(NOISE)).sample(ROWS, rng), rng)


def draw_directions(ax: Any, models: dict[str, LinearGaussian]) -> None:
    """The directions as bars, column by column, over the true one, dashed. z and −z are alike, so the sign is free."""
    columns, true = np.arange(1, len(W) + 1), W[:, 0] / np.linalg.norm(W)
    for shift, colour, (kind, model) in zip((-0.2, 0.2), ("#d1495b", "#3b75af"), models.items()):
        found = model.W.data[:, 0] / np.linalg.norm(model.W.data)
        sign = 1 if found @ W[:, 0] > 0 else -1
        ax.bar(columns + shift, sign * found, 0.38, color=colour, label=f"{kind}, off by {degrees(model):.0f}°")
    ax.hlines(true, columns - 0.45, columns + 0.45, "k", "--", linewidth=1.5, label="truth")
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.set(xlabel="column of x", ylim=(-1.1, 1.8))  # room for the legend


def show_climb(stage: Stage, x: np.ndarray, rng: np.random.Generator) -> None:
    """EM for probabilistic PCA from random starts, up to the likelihood of the closed form."""
    import matplotlib.pyplot as plt

    best = best_log_likelihood(x, 1)
    paths = [climb(em_step, random_start(x, 1, rng), x, EM_STEPS).log_likelihoods for _ in range(STARTS)]
    lowest = min(float(path[-1]) for path in paths)
    stage.result(f"probabilistic PCA by EM: at least {lowest:.8f} nats from {STARTS} starts, closed form {best:.8f}")
    figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    curves({f"EM, start {i}": (np.arange(len(p)), p) for i, p in enumerate(paths, 1)}, ax, {"closed form": best})
    ax.set(ylabel="mean log p(x), nats", xlim=(0, SHOWN))
    stage.save(
        figure,
        "page03_closed_form",
        "EM climbs to the closed form",
        "s² = mean of λ_{M+1} … λ_D,   W = U (Λ − s² I)^½",
        "The likelihood of probabilistic PCA after each step of EM, from random directions, and its largest value from "
        "the eigenvalues of the data's covariance. With one latent dimension every start leads there.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
