"""A VAE with discrete latents, trained in five ways on the same data (lecture pages 5 to 7).

Each image of 4 × 4 pixels has one row and one column of ink, and every pixel is flipped with probability 0.05. The
model is not told: its code is two numbers from 0 to 3. With 16 codes the ELBO is a sum, so its gradient can be exact;
or it is estimated by the score function, with or without a baseline, or by relaxing the codes. Whatever the training
sees, the curves are the exact ELBO of 2,000 other images. Their best value is known: log p(x) of the process that drew
them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.training import fit_with_falling_lr
from scratchgen import plotting
from scratchgen.autodiff import logsumexp, no_grad
from scratchgen.distributions.distribution import values
from scratchgen.latent import BernoulliLikelihood, DiscreteVAE
from scratchgen.latent.discrete_vae import ESTIMATORS
from scratchgen.latent.marginal import all_values
from scratchgen.nn import MLP

TITLE = "Page 6: discrete latents, trained in five ways"
SECONDS, QUICK_SECONDS = 35, 12
SIDE, FLIP, HIDDEN = 4, 0.05, 128
STARTS, QUICK_STARTS = 4, 2
STEPS, QUICK_STEPS = 1500, 1000
BATCH, LR, EVERY = 100, 0.02, 50
SAMPLES, TEMPERATURE = 4, 0.5
COLOURS = dict(zip(ESTIMATORS, ("k", "#c44e52", "#dd8452", "#55a868", "0.6")))


# -- the data, of which all is known -----------------------------------------------------------------------------------


def ink() -> np.ndarray:
    """P(ink) of each pixel for each row and column of ink, (SIDE², SIDE²)."""
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    has_ink = (row[:, None] == row) | (column[:, None] == column)
    return np.where(has_ink, 1 - FLIP, FLIP)


def draw_images(n: int, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, SIDE²)."""
    p = ink()[rng.integers(0, SIDE * SIDE, n)]
    return (rng.random(p.shape) < p).astype(np.float32)


def best(x: np.ndarray) -> np.ndarray:
    """log p(x) of the process itself, (n,), in nats."""
    p = ink()
    return logsumexp(x @ np.log(p).T + (1 - x) @ np.log1p(-p).T, axis=1) - 2 * np.log(SIDE)


# -- training and what to look at --------------------------------------------------------------------------------------


def new_model(estimator: str, rng: np.random.Generator) -> DiscreteVAE:
    """Two latents of four sides."""
    encoder, decoder = MLP([SIDE**2, HIDDEN, 2 * SIDE], rng, "tanh"), MLP([2 * SIDE, HIDDEN, SIDE**2], rng, "tanh")
    likelihood = BernoulliLikelihood(SIDE**2)
    return DiscreteVAE(encoder, decoder, likelihood, 2, SIDE, estimator, SAMPLES, TEMPERATURE)


def train(model: DiscreteVAE, x: np.ndarray, held_out: np.ndarray, rng: np.random.Generator, steps: int) -> np.ndarray:
    """The exact ELBO of the held-out images every 50 steps."""
    curve = []

    def look(step: int) -> None:
        if step % EVERY == 0:
            curve.append(mean_elbo(model, held_out))

    fit_with_falling_lr(model, x, lr=LR, steps=steps, rng=rng, batch_size=BATCH, on_step=look)
    return np.array([*curve, mean_elbo(model, held_out)])


def mean_elbo(model: DiscreteVAE, x: np.ndarray) -> float:
    """The exact ELBO, in nats per image."""
    with no_grad():
        return float(np.mean(values(model.elbo(x).total)))


def gradient(model: DiscreteVAE, x: np.ndarray, seed: int) -> np.ndarray:
    """The gradient of the loss to the encoder's parameters, as one vector."""
    parameters = model.encoder.parameters().values()
    for t in parameters:
        t.grad = None
    model.loss(x, seed).backward()
    return np.concatenate([t.grad.ravel() for t in parameters])


def noise_and_bias(model: DiscreteVAE, x: np.ndarray, draws: int) -> dict[str, tuple[float, float, float]]:
    """Of each estimator at the same model: its noise, its bias, and how much bias the noise of the mean would feign.

    All are lengths of vectors, divided by the length of the true gradient.
    """
    trained_by, found = model.estimator, {}
    model.estimator = "enumeration"
    exact = gradient(model, x, 0)
    length = np.linalg.norm(exact)
    for model.estimator in ESTIMATORS[1:]:
        g = np.array([gradient(model, x, seed) for seed in range(draws)])
        noise = float(np.sqrt(np.sum(g.var(axis=0))) / length)
        bias = float(np.linalg.norm(g.mean(axis=0) - exact) / length)
        found[model.estimator] = noise, bias, noise / np.sqrt(draws)
    model.estimator = trained_by
    return found


def decoded(model: DiscreteVAE) -> np.ndarray:
    """P(ink) for each of the 16 codes, z₁ downwards and z₂ to the right."""
    with no_grad():
        return np.asarray(model.decode(all_values(model.prior())).mean.data).reshape(-1, SIDE, SIDE)


# -- pictures ----------------------------------------------------------------------------------------------------------


def draw_curves(ax: Any, curves: dict[str, list[np.ndarray]], limit: float) -> None:
    """Every start as a thin line, and the best of them as a thick one."""
    for name, several in curves.items():
        top = max(several, key=lambda curve: curve[-1])
        for curve in several:
            ax.plot(
                np.arange(len(curve)) * EVERY,
                curve - limit,
                color=COLOURS[name],
                linewidth=2.0 if curve is top else 0.6,
            )
        ax.plot([], [], color=COLOURS[name], linewidth=2.0, label=name)
    ax.axhline(0.0, color="k", linestyle="--", linewidth=1.2, label="log p(x) of the process itself")
    ax.set(title="Exact ELBO of other images", xlabel="step", ylabel="ELBO − log p(x), nats", ylim=(-1.6, 0.1))
    ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3)


def draw_noise(ax: Any, found: dict[str, tuple[float, float, float]]) -> None:
    """Noise and bias side by side, relative to the true gradient."""
    for i, (name, (noise, bias, feigned)) in enumerate(found.items()):
        ax.bar(i - 0.2, noise, 0.4, color=COLOURS[name], alpha=0.45)
        ax.bar(i + 0.2, bias, 0.4, color=COLOURS[name])
        ax.plot([i, i + 0.4], [feigned, feigned], "k--", linewidth=1.2)
    ax.plot([], [], "k--", linewidth=1.2, label="bias that the noise alone would show")
    ax.set_xticks(range(len(found)), [f"{name}\nnoise | bias" for name in found], fontsize="x-small")
    ax.set(title="Gradients to φ, beside the exact one", ylabel="length / length of the true gradient", yscale="log")
    ax.legend(fontsize="small")


def run(stage: Stage, seed: int) -> None:
    """Train from several starts by each estimator; compare the estimates at one model; decode every code."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    x, held_out = draw_images(20_000, rng), draw_images(2_000, rng)
    limit = float(np.mean(best(held_out)))
    curves: dict[str, list[np.ndarray]] = {name: [] for name in ESTIMATORS}
    models: list[tuple[float, DiscreteVAE]] = []
    starts, steps = (QUICK_STARTS, QUICK_STEPS) if stage.quick else (STARTS, STEPS)
    for name in ESTIMATORS:
        for start in range(starts):
            own = np.random.default_rng([seed, start])  # the same start and the same batches for each estimator
            model = new_model(name, own)
            curves[name].append(train(model, x, held_out, own, steps))
            models.append((curves[name][-1][-1], model))
        ends = [float(curve[-1] - limit) for curve in curves[name]]
        stage.result(
            f"{name}: exact ELBO {max(ends) + limit:.3f} at the best of {len(ends)} starts, true log p(x) {limit:.3f}; "
            f"ends of all starts: {', '.join(f'{end:.3f}' for end in ends)}"
        )

    early = np.random.default_rng([seed, 0])
    model = new_model("enumeration", early)
    train(model, x, held_out, early, steps=2 * EVERY)
    found = noise_and_bias(model, x[:BATCH], draws=100 if stage.quick else 400)
    for name, (noise, bias, feigned) in found.items():
        stage.result(f"{name}: noise {noise:.2f}, bias {bias:.2f} of the true gradient ({feigned:.2f} by noise alone)")

    figure = plt.figure(figsize=(14, 4.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.2, 1.1, 0.8])
    draw_curves(left, curves, limit)
    draw_noise(middle, found)
    plotting.image_grid(decoded(max(models, key=lambda pair: pair[0])[1]), right, columns=SIDE)
    right.set_title("Every code, decoded")
    stage.save(
        figure,
        "page06_discrete",
        "Discrete latents, in five ways",
        "ELBO = Σ_z q(z | x) log p(x | z) − KL(q(z | x) ‖ p(z))",
        "Left: thin lines are single starts, thick ones the best of each estimator. A start may end lower, with the "
        "exact gradient too, where codes share an image or blur two. Middle: at one model early in training, the score "
        "function is the noisiest; leaving one of four samples out makes it several times quieter, at no cost. Both "
        "are unbiased: the bias shown is of the size that noise alone gives the mean of so many estimates. The relaxed "
        "gradients (τ = 0.5) are biased, and learn nevertheless. Right: the best model; which code stands for which "
        "image is arbitrary.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
