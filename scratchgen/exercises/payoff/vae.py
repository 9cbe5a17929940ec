"""A variational autoencoder of the handwritten digits, from exercises 6, 7, 8, 10, 11, 12, 15 and 17.

An image x of 64 black and white pixels has a latent z in the plane:

    p(z) = N(0, I),    p(x|z) = Bernoulli(x; decoder(z)),    q(z|x) = N(z; encoder(x))           (1)
    log p(x) ≥ E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)),    the ELBO                                  (2)
    log p(x) ≥ E[log 1/K Σ_k p(x|z_k) p(z_k) / q(z_k|x)],    the importance-weighted bound       (3)

Training climbs (2) by ``vae_step``. On images that were not trained on, both bounds are put together from their parts.
Lecture, pages 7 to 9.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.data import digits
from scratchgen.exercises.payoff.pieces import Optimizer, Pieces, weights
from scratchgen.exercises.payoff.stage import Stage, smooth
from scratchgen.plotting import curves, image_grid, labelled_scatter

TITLE = "A variational autoencoder of the digits"
SECONDS = 10
FUNCTIONS = {  # by exercise
    6: ("adam_step",),
    7: ("init_mlp", "mlp"),
    8: ("gaussian_log_density",),
    10: ("bernoulli_log_prob",),
    11: ("kl_gaussians",),
    12: ("reparameterise",),
    15: ("iwae_bound",),
    17: ("vae_step",),
}
D, L, HIDDEN = 64, 2, 200
BATCH, STEPS = 100, 6000
K = 100  # draws for each image


def black_and_white(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 64) of 0 and 1, and their classes (n,)."""
    images, labels = digits(split)
    return (images >= 8).reshape(-1, D).astype(np.float64), labels


def run(pieces: Pieces, stage: Stage) -> None:
    """Train the model, say what it is worth, and draw it."""
    rng = np.random.default_rng(stage.seed)
    x, _ = black_and_white("train")
    unseen, unseen_labels = black_and_white("test")

    encode = weights(pieces.init_mlp([D, HIDDEN, 2 * L], rng))
    decode = weights(pieces.init_mlp([L, HIDDEN, D], rng))
    optimizer = Optimizer(pieces, [encode, decode], lr=2e-3)

    def encoder(x: Any) -> Any:
        return pieces.mlp(encode, x)

    def decoder(z: Any) -> Any:
        return pieces.mlp(decode, z)

    def step(i: int) -> float:
        batch = x[rng.integers(len(x), size=BATCH)]
        elbo: float = pieces.vae_step(encoder, decoder, batch, rng.standard_normal((BATCH, L)), optimizer)
        return elbo

    elbos = stage.train(STEPS, step, "ELBO")

    fit, kl, tighter = bounds(pieces, encoder, decoder, unseen, rng.standard_normal((K, len(unseen), L)))
    alone = independent_pixels(pieces, x, unseen)
    stage.say(f"of {len(unseen)} unseen digits, the ELBO is {fit - kl:.2f} nats: {fit:.2f} − KL {kl:.2f}")
    stage.say(f"the importance-weighted bound of {K} draws is {tighter:.2f}, nearer to log p(x)")
    stage.say(f"without a latent, log p(x) of independent pixels is {alone:.2f}")

    figure, ((data, manifold), (plane, curve)) = stage.figure(TITLE, 2, 2)
    image_grid(x[:100].reshape(-1, 8, 8), data)
    data.set_title("digits, black and white")
    image_grid(decoded_plane(decoder), manifold, columns=12)
    manifold.set_title("decoder(z) over the plane of z")
    labelled_scatter(encoder(unseen).data[:, :L], unseen_labels, plane)
    plane.set(title="encoder means of unseen digits", xlabel="z₁", ylabel="z₂")
    curves(
        {"ELBO in training": smooth(elbos)},
        curve,
        {"ELBO, unseen:": fit - kl, "100 draws, unseen:": tighter, "independent pixels:": alone},
        ylabel="nats per image",
    )
    curve.set_title("the bound")
    stage.save(figure)


def bounds(pieces: Pieces, encoder: Any, decoder: Any, x: np.ndarray, eps: np.ndarray) -> tuple[float, float, float]:
    """The two terms of the ELBO (2), and the bound (3), averaged over images x (B, D), by noise eps (K, B, L)."""
    k, b, _ = eps.shape
    h = encoder(x).data
    mean, logvar = h[:, :L], h[:, L:]
    prior = np.zeros_like(mean), np.zeros_like(logvar)
    z = pieces.reparameterise(mean, logvar, eps).reshape(k * b, L)

    def repeated(a: np.ndarray) -> np.ndarray:
        """The rows of ``a``, K times one after the other, as those of z are."""
        return np.tile(a, (k, 1))

    log_likelihood = pieces.bernoulli_log_prob(repeated(x), decoder(z).data)
    log_prior = pieces.gaussian_log_density(z, *map(repeated, prior))
    log_posterior = pieces.gaussian_log_density(z, repeated(mean), repeated(logvar))
    log_w = (log_likelihood + log_prior - log_posterior).reshape(k, b)
    kl = pieces.kl_gaussians(mean, logvar, *prior)
    return float(np.mean(log_likelihood)), float(np.mean(kl)), float(np.mean(pieces.iwae_bound(log_w)))


def independent_pixels(pieces: Pieces, x: np.ndarray, unseen: np.ndarray) -> float:
    """log p of unseen images, if each pixel is black as often as in x and in one more image, half grey."""
    p = (x.sum(axis=0) + 0.5) / (len(x) + 1)
    logits = np.log(p) - np.log1p(-p)
    return float(np.mean(pieces.bernoulli_log_prob(unseen, np.tile(logits, (len(unseen), 1)))))


def decoded_plane(decoder: Any, side: int = 12) -> np.ndarray:
    """The probabilities of black (side², 8, 8) for z at the quantiles of the prior, from top left to bottom right."""
    from scipy.special import expit, ndtri

    quantiles = ndtri((np.arange(side) + 0.5) / side)
    z = np.stack(np.meshgrid(quantiles, quantiles[::-1]), axis=-1).reshape(-1, L)
    return np.asarray(expit(decoder(z).data)).reshape(-1, 8, 8)
