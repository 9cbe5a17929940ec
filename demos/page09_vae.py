"""The variational autoencoder on handwritten digits, pages 6 to 9 of the lecture: every picture of a trained VAE.

Three models of the 8 × 8 digits. A categorical likelihood scores their 17 grey levels. The ELBO and the
importance-weighted log p(x) are lower bounds on log-likelihoods, in nats per image; E[log p(x|z)] alone bounds nothing.

    plane         a convolutional VAE with a code of two numbers, of which everything can be drawn
    autoencoder   the same networks without noise and prior, for comparison
    wide          a VAE of layers 64-256-256-16, the size of a teaching model whose published figure is 100.5 nats

The settings of the wide VAE (activation, learning rate, weight decay, averaging) were chosen by about 45 trial runs on
the validation set, and so are the weights within a run; its validation figure is flattered by both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from demos.training import fit_or_stop
from scratchgen import plotting
from scratchgen.autodiff import no_grad
from scratchgen.data import digits
from scratchgen.latent import VAE, Autoencoder, CategoricalLikelihood, ConvDecoder, ConvEncoder
from scratchgen.latent.diagnostics import active_units, kl_per_dimension
from scratchgen.latent.importance import marginal_by_importance
from scratchgen.nn import MLP
from scratchgen.optim import AdamW, Average
from scratchgen.training import History

TITLE = "Pages 6 to 9: the variational autoencoder"
SECONDS, QUICK_SECONDS = 40, 20
LEVELS, PUBLISHED, MANY = 17, 100.5, 5000
ELBO = "log p(x) ≥ ELBO = E[log p(x|z)] − KL(q(z|x) ‖ p(z)),   z = μ(x) + σ(x) η"


class Split(NamedTuple):
    """The grey levels of one part of the data, as (n, 8, 8, 1) integers, and their labels."""

    x: np.ndarray
    labels: np.ndarray


def load(split: str) -> Split:
    """One part of the digits."""
    images, labels = digits(split)
    return Split(images.astype(np.int64)[..., None], labels)


# -- the three models ----------------------------------------------------------------------------------------------


def plane_vae(rng: np.random.Generator) -> VAE:
    """A convolutional VAE with a two-dimensional code."""
    encoder = ConvEncoder(8, 2, rng, channels=16)
    decoder = ConvDecoder(8, 2, rng, channels=16, numbers=LEVELS)
    return VAE(encoder, decoder, CategoricalLikelihood((8, 8, 1), LEVELS), latent=2)


def plane_autoencoder(rng: np.random.Generator) -> Autoencoder:
    """The same networks; the encoder gives a point only."""
    encoder = ConvEncoder(8, 1, rng, channels=16)  # two numbers: the code itself, no variance
    decoder = ConvDecoder(8, 2, rng, channels=16, numbers=LEVELS)
    return Autoencoder(encoder, decoder, CategoricalLikelihood((8, 8, 1), LEVELS))


def wide_vae(rng: np.random.Generator) -> VAE:
    """The 64-256-256-16 VAE, on flat images."""
    likelihood = CategoricalLikelihood(64, LEVELS)
    encoder, decoder = MLP([64, 256, 256, 32], rng, "tanh"), MLP([16, 256, 256, likelihood.outputs], rng, "tanh")
    return VAE(encoder, decoder, likelihood, latent=16)


def train(
    model: Any, x: np.ndarray, held_out: np.ndarray, rng: np.random.Generator, lr: float, weight_decay: float
) -> History:
    """AdamW with averaged weights, for 120 epochs or until the validation loss has risen; keeps the best weights."""
    optimizer = AdamW(model.parameters(), lr=lr, weight_decay=weight_decay, matrices_only=True)
    average = Average(model.parameters(), decay=0.99)
    return fit_or_stop(
        model,
        x,
        optimizer=optimizer,
        average=average,
        batch_size=100,
        epochs=120,
        validation=held_out,
        evaluate_every=50,
        patience=8,
        rng=rng,
    )


def bounds(model: VAE, x: np.ndarray, rng: np.random.Generator, samples: int = 200) -> str:
    """The stochastic ELBO and the importance-weighted bound, with their standard errors over the images."""
    with no_grad():
        elbo = np.mean([model.elbo(x, rng).total.data for _ in range(20)], axis=0)
    tighter = marginal_by_importance(model, x, model.encode, samples, rng)
    error = elbo.std() / np.sqrt(len(x)), tighter.value.std() / np.sqrt(len(x))
    return (
        f"ELBO {elbo.mean():.2f} ± {error[0]:.2f}, importance-weighted log p(x) {tighter.value.mean():.2f} ± "
        f"{error[1]:.2f} (K = {samples}, median effective sample size {np.median(tighter.effective):.0f})"
    )


# -- pictures ------------------------------------------------------------------------------------------------------


def draw_curves(stage: Stage, histories: dict[str, History]) -> None:
    """Training and validation loss against the published figure."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(histories), figsize=(11, 4), layout="constrained", sharey=True)
    for ax, (name, history) in zip(axes, histories.items()):
        lines = {"training": (history.steps, history.loss), "validation": (history.steps, history.validation)}
        limits = {"published:": PUBLISHED} if name.startswith("wide") else None
        plotting.curves(lines, ax, limits, ylabel="−ELBO, nats per image")
        ax.set(title=name, ylim=(60, 165))
    caption = (
        "−ELBO while training: the mean of the last 50 steps on the training set, and the averaged weights on the "
        "validation set. The weights are taken from the lowest point of the validation curve."
    )
    stage.save(figure, "page09_loss", "Loss curves", ELBO, caption)


def draw_manifold(stage: Stage, model: VAE) -> None:
    """The 20 × 20 grid of codes at the quantiles of the prior, decoded."""
    import matplotlib.pyplot as plt
    from scipy.stats import norm

    quantiles = norm.ppf((np.arange(20) + 0.5) / 20)
    first, second = np.meshgrid(quantiles, quantiles[::-1])
    z = np.stack([first.ravel(), second.ravel()], axis=1).astype(np.float32)
    figure, ax = plt.subplots(figsize=(7, 7), layout="constrained")
    plotting.image_grid(decoded(model, z), ax, columns=20)
    stage.save(
        figure,
        "page09_manifold",
        "The learned manifold",
        "z = Φ⁻¹(u) on a grid of u;  the mean of p(x|z)",
        "20 × 20 codes of the VAE in the plane, equally spaced in probability through the inverse Gaussian "
        "distribution function, decoded: z₁ grows to the right, z₂ upwards.",
    )


def draw_codes(stage: Stage, model: VAE, autoencoder: Autoencoder, test: Split) -> None:
    """The test set in the plane of codes, by the VAE and by the autoencoder."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(12, 5.2), layout="constrained")
    with no_grad():
        codes = {"VAE: means of q(z|x)": model.encode(test.x).mean.data, "autoencoder": autoencoder.encode(test.x).data}
    for ax, (name, points) in zip(axes, codes.items()):
        plotting.labelled_scatter(points, test.labels, ax)
        ax.set(title=name, xlabel="z₁", ylabel="z₂")
    caption = (
        "The 447 test digits as codes. The VAE fills the region of the prior; nothing tells the autoencoder where."
    )
    stage.save(figure, "page09_codes", "Encoded test set", "q(z|x) = N(z; μ(x), σ²(x))", caption)


def draw_reconstructions(stage: Stage, models: dict[str, Any], test: Split) -> None:
    """Originals above what each model makes of them."""
    import matplotlib.pyplot as plt

    x = test.x[:20]
    rows = {"original": x / (LEVELS - 1)}
    for name, model in models.items():
        rows[name] = model.reconstruct(x if name != "wide" else x.reshape(-1, 64)) / (LEVELS - 1)
    figure, axes = plt.subplots(len(rows), 1, figsize=(10, 2.7), layout="constrained")
    for ax, (name, images) in zip(axes, rows.items()):
        plotting.image_grid(images.reshape(-1, 8, 8), ax, columns=20)
        ax.set_title(name, fontsize=9, loc="left", pad=2)
    caption = (
        "Test digits, and the mean of p(x|z) at z = μ(x). The models in the plane have two numbers for each image."
    )
    stage.save(figure, "page09_reconstructions", "Reconstructions", "x → μ(x) → mean of p(x|z)", caption)


def draw_interpolations(stage: Stage, model: VAE, test: Split) -> None:
    """Straight lines between the codes of two digits."""
    import matplotlib.pyplot as plt

    pairs = [(0, 1), (3, 8), (4, 9), (2, 7), (5, 6)]
    index = {label: int(np.argmax(test.labels == label)) for label in range(10)}
    with no_grad():
        codes = model.encode(test.x.reshape(-1, 64)).mean.data
    t = np.linspace(0, 1, 12, dtype=np.float32)[:, None]
    z = np.concatenate([(1 - t) * codes[index[a]] + t * codes[index[b]] for a, b in pairs])
    figure, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
    plotting.image_grid(decoded(model, z), ax, columns=12)
    caption = "Each row decodes the straight line between the codes of two test digits, 16 latent dimensions."
    stage.save(figure, "page09_interpolation", "Interpolation", "z = (1 − t) z_a + t z_b", caption)


def draw_samples(stage: Stage, models: dict[str, VAE], autoencoder: Autoencoder, train: Split, rng: Any) -> None:
    """Draws from the prior, beside data, and beside an autoencoder fed with the same prior."""
    import matplotlib.pyplot as plt

    z = rng.standard_normal((50, 2)).astype(np.float32)
    with no_grad():
        fed = autoencoder.likelihood(autoencoder.decoder(z)).sample((), rng)
    sheets = {"data": train.x[:50], **{name: model.sample(50, rng) for name, model in models.items()}}
    sheets["autoencoder, fed N(0, I)"] = fed
    figure, axes = plt.subplots(1, len(sheets), figsize=(13, 2.0), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)
    for ax, (name, images) in zip(axes, sheets.items()):
        plotting.image_grid(images.reshape(-1, 8, 8) / (LEVELS - 1), ax)
        ax.set_title(name, fontsize=10)
    caption = (
        "50 draws of each, grey levels drawn from p(x|z) too. Nothing told the autoencoder to put its codes where "
        "N(0, I) is."
    )
    stage.save(figure, "page09_samples", "Samples from the prior", "z ~ N(0, I),  x ~ p(x|z)", caption)


def draw_units(stage: Stage, model: VAE, test: Split) -> None:
    """The divergence of each latent dimension."""
    import matplotlib.pyplot as plt

    x = test.x.reshape(-1, 64)
    kl, active = kl_per_dimension(model, x), active_units(model, x)
    stage.result(f"wide: {active.sum()} of {len(active)} latent dimensions are active, KL {kl.sum():.2f} nats in all")
    order = np.argsort(-kl)
    figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
    plotting.bars(kl[order], ax, pale=~active[order], xlabel="latent dimension, by size", ylabel="KL, nats")
    caption = "What each of the 16 dimensions costs, averaged over the test set. A pale or missing bar is not active."
    stage.save(figure, "page09_units", "Active units", "active: Var_x(μ_j(x)) > 0.01;  KL = Σ_j KL_j", caption)


def decoded(model: VAE, z: np.ndarray) -> np.ndarray:
    """The mean images (n, 8, 8) of codes, in [0, 1]."""
    with no_grad():
        return model.decode(z).mean.data.reshape(-1, 8, 8) / (LEVELS - 1)


def run(stage: Stage, seed: int) -> None:
    """Train the three models, print their figures, draw the pictures."""
    rng = np.random.default_rng(seed)
    data, held_out, test = load("train"), load("validation"), load("test")

    stage.say("training the VAE with a code in the plane")
    plane = plane_vae(rng)
    history = train(plane, data.x, held_out.x, rng, lr=3e-3, weight_decay=0.1)
    draw_manifold(stage, plane)
    stage.result(f"plane, test set: {bounds(plane, test.x, rng)}")

    stage.say("training the autoencoder")
    autoencoder = plane_autoencoder(rng)
    train(autoencoder, data.x, held_out.x, rng, lr=1e-2, weight_decay=0.0)
    draw_codes(stage, plane, autoencoder, test)

    reconstructions = {
        "VAE": plane.elbo(test.x, rng).reconstruction.data.mean(),
        "autoencoder": -autoencoder.loss(test.x).item(),
    }
    stage.result("plane, test set, E[log p(x|z)]: " + ", ".join(f"{k} {v:.2f}" for k, v in reconstructions.items()))

    stage.say("training the 64-256-256-16 VAE")
    wide = wide_vae(rng)
    wide_history = train(wide, data.x.reshape(-1, 64), held_out.x.reshape(-1, 64), rng, lr=2e-3, weight_decay=1.0)
    stage.result(f"wide, validation set: {bounds(wide, held_out.x.reshape(-1, 64), rng)}; published ELBO −{PUBLISHED}")

    draw_curves(stage, {"plane, 2 latent dimensions": history, "wide, 16 latent dimensions": wide_history})
    draw_reconstructions(stage, {"plane": plane, "autoencoder": autoencoder, "wide": wide}, test)
    draw_interpolations(stage, wide, test)
    draw_samples(stage, {"VAE, plane": plane, "VAE, wide": wide}, autoencoder, data, rng)
    draw_units(stage, wide, test)

    samples = 200 if stage.quick else MANY
    stage.say(f"weighing {samples:,} codes for each image of the test set")
    stage.result(f"wide, test set: {bounds(wide, test.x.reshape(-1, 64), rng, samples)}")


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
