"""What the code of a VAE means, where that is known: images made from two factors, pages 2 and 9 of the lecture.

Each image is a vertical bar with a position and a brightness, and noise. A VAE with four dimensions of z sees the
images only. Does it find that there are two factors, does its code tell them, and is each factor one dimension of z?

Three truths to compare with: the number of factors; the exact log p(x), an integral over them; and how much of a factor
the image itself tells, by E[factor | x], since no code of x can tell more:

    R² = 1 − E[(factor − guess)²] / Var(factor)  ≤  that of the guess E[factor | x]               (1)

No truth says that a factor must be one dimension of z: N(0, I) turned is N(0, I), so the loss has no opinion on it.
"""

from __future__ import annotations

import numpy as np

from demos.common import Stage, main
from demos.training import fit_with_falling_lr
from scratchgen import plotting
from scratchgen.autodiff import no_grad
from scratchgen.data import Bars
from scratchgen.data.bars import FACTORS
from scratchgen.latent import VAE, GaussianLikelihood
from scratchgen.latent.diagnostics import active_units, kl_per_dimension
from scratchgen.nn import MLP

TITLE = "Page 9: two known factors, and the code that was learned"
SECONDS = 8
BARS = Bars(std=0.1)
LATENT, NEIGHBOURS = 4, 20


def bars_vae(rng: np.random.Generator) -> VAE:
    """A VAE of flat images with four dimensions of z."""
    encoder, decoder = MLP([64, 128, 128, 2 * LATENT], rng), MLP([LATENT, 128, 128, 128], rng)
    return VAE(encoder, decoder, GaussianLikelihood(64), LATENT)


def flat(images: np.ndarray) -> np.ndarray:
    """Images (n, 8, 8) as the VAE takes them."""
    return images.reshape(-1, 64).astype(np.float32)


def train(model: VAE, x: np.ndarray, steps: int, rng: np.random.Generator) -> None:
    """Adam, with an lr that falls to 0."""
    fit_with_falling_lr(
        model,
        x,
        lr=2e-3,
        batch_size=100,
        steps=steps,
        evaluate_every=steps,
        rng=rng,
    )


# -- how much a code tells -----------------------------------------------------------------------------------------


def explained(factors: np.ndarray, guesses: np.ndarray) -> np.ndarray:
    """R² (1) of each factor, (2,)."""
    return 1 - np.mean((factors - guesses) ** 2, axis=0) / np.var(factors, axis=0)


def by_a_plane(codes: np.ndarray, factors: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Guesses for new codes by linear regression on known ones."""
    with_one = np.column_stack([codes, np.ones(len(codes))])
    return np.column_stack([new, np.ones(len(new))]) @ np.linalg.lstsq(with_one, factors, rcond=None)[0]


def by_neighbours(codes: np.ndarray, factors: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Guesses for new codes by the mean over the 20 nearest of the known ones: any smooth relation will do."""
    squares = (new**2).sum(axis=1)[:, None] - 2 * new @ codes.T + (codes**2).sum(axis=1)
    nearest = np.argpartition(squares, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return factors[nearest].mean(axis=1)


def alignment(codes: np.ndarray, factors: np.ndarray) -> dict[str, np.ndarray]:
    """R² of both factors, (2,), on the second half of the codes, by what is known of the first half.

    "one dimension" is the best of the dimensions of z, each by itself.
    """
    half = len(codes) // 2
    known, told, new, truth = codes[:half], factors[:half], codes[half:], factors[half:]
    single = [explained(truth, by_neighbours(known[:, [j]], told, new[:, [j]])) for j in range(codes.shape[1])]
    return {
        "all of z, any relation": explained(truth, by_neighbours(known, told, new)),
        "all of z, linear": explained(truth, by_a_plane(known, told, new)),
        "one dimension of z": np.max(single, axis=0),
    }


# -- pictures ------------------------------------------------------------------------------------------------------


def draw_codes(stage: Stage, codes: np.ndarray, factors: np.ndarray, order: np.ndarray) -> None:
    """The two dimensions of z that say most, coloured by each factor."""
    import matplotlib.pyplot as plt

    first, second = order[:2]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for ax, name, factor in zip(axes, FACTORS, factors.T):
        dots = ax.scatter(codes[:, first], codes[:, second], c=factor, s=5, cmap="viridis", linewidths=0)
        ax.set(title=f"coloured by {name}", xlabel=f"mean of z{first + 1}", ylabel=f"mean of z{second + 1}")
        ax.set_aspect("equal", adjustable="datalim")
        figure.colorbar(dots, ax=ax)
    stage.save(
        figure,
        "page09_factors",
        "Codes and the factors behind them",
        "μ(x) of the two dimensions of z with the largest KL",
        f"{len(codes)} images that the VAE has not seen. If colours change smoothly, the code tells the factor; if "
        "they change along an axis, one dimension of z tells it alone.",
    )


def draw_alignment(stage: Stage, scores: dict[str, np.ndarray], most: np.ndarray) -> None:
    """R² of each factor by each way to read the code, and the most that is possible."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for i, (name, score) in enumerate(scores.items()):
        bars = ax.bar(np.arange(2) + 0.25 * (i - 1), score, width=0.23, label=name)
        ax.bar_label(bars, fmt="%.3f", fontsize=9, padding=5)
    for i, limit in enumerate(most):
        label = "most that x tells" if i == 0 else None
        ax.plot([i - 0.42, i + 0.42], [limit, limit], "k--", linewidth=1, label=label)
    ax.set(xticks=range(2), xticklabels=list(FACTORS), ylabel="R² on unseen images", ylim=(0, 1.35))
    ax.legend(ncols=2, loc="upper center", fontsize=9)
    stage.save(
        figure,
        "page09_alignment",
        "How much the code tells of each factor",
        "R² = 1 − E[(factor − guess)²] / Var(factor)",
        "By the 20 nearest codes of known images, by linear regression on the code, and by the 20 nearest in the best "
        "single dimension of z. Dashed: the guess E[factor | x], by quadrature, from the true model of the images.",
    )


def draw_traversals(stage: Stage, model: VAE, order: np.ndarray) -> None:
    """The mean image along each dimension of z."""
    import matplotlib.pyplot as plt

    steps = np.linspace(-2.5, 2.5, 11, dtype=np.float32)
    figure, axes = plt.subplots(LATENT, 1, figsize=(9, 4.2), layout="constrained")
    for ax, j in zip(axes, order):
        z = np.zeros((len(steps), LATENT), np.float32)
        z[:, j] = steps
        with no_grad():
            images = model.decode(z).mean.data.reshape(-1, 8, 8)
        plotting.image_grid(images, ax, columns=len(steps))
        for left in range(0, 9 * len(steps), 9):  # images of 8 pixels and a gap: a frame, since most of them is white
            ax.add_patch(
                plt.Rectangle((left - 0.5, -0.5), 8, 8, fill=False, edgecolor="0.8", linewidth=0.8, clip_on=False)
            )
        ax.set_title(f"z{j + 1}", fontsize=9, loc="left", pad=4)
    stage.save(
        figure,
        "page09_traversals",
        "Traversals",
        "mean of p(x|z) with one z_j from −2.5 to 2.5, the others 0",
        "Each row moves one dimension of z, the one with the largest KL at the top. Those that have collapsed change "
        "nothing.",
    )


def run(stage: Stage, seed: int) -> None:
    """Train the VAE, then read the factors from its code."""
    rng = np.random.default_rng(seed)
    train_set, test = BARS.sample(10_000, rng), BARS.sample(4000, rng)
    model, x = bars_vae(rng), flat(test.images)
    stage.say("training a VAE on the images")
    train(model, flat(train_set.images), 4000, rng)

    kl, active = kl_per_dimension(model, x), active_units(model, x)
    stage.result(f"{active.sum()} of {LATENT} dimensions of z are active; there are {len(FACTORS)} factors")
    gap = BARS.log_prob(test.images) - model.log_prob(x, rng, samples=100)
    exact = BARS.log_prob(test.images).mean()
    stage.result(
        f"exact log p(x) {exact:.2f} nats per image, importance-weighted bound of the VAE {exact - gap.mean():.2f}: "
        f"gap {gap.mean():.2f} ± {gap.std() / np.sqrt(len(gap)):.2f}"
    )
    with no_grad():
        codes = model.encode(x).mean.data.astype(np.float64)
    half = len(codes) // 2
    scores = alignment(codes, test.factors)
    most = explained(test.factors[half:], BARS.best_guess(test.images[half:]))
    for i, factor in enumerate(FACTORS):
        told = ", ".join(f"{name} {score[i]:.3f}" for name, score in scores.items())
        stage.result(f"R² of the {factor}: {told}; the most that x tells {most[i]:.3f}")

    order = np.argsort(-kl)
    draw_codes(stage, codes, test.factors, order)
    draw_alignment(stage, scores, most)
    draw_traversals(stage, model, order)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
