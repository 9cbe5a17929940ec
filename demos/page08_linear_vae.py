"""A VAE of one linear layer each way finds what probabilistic PCA finds in closed form (lecture page 8).

x = W z + b + noise of variance s², one number for all of x; q(z | x) is linear too. The VAE is trained as any other, on
minibatches, with one sample of z each. Of this model everything is known: log p(x), its maximum by Tipping and Bishop,
and that the bound has the same maximum. There W spans the plane of the first principal axes, and its columns are
orthogonal: squared lengths λ_j − s², where λ_j are the eigenvalues of the covariance of the data.

Then s² is held fixed, at several values. A z_j of which λ_j is below s² collapses: its column of W goes to 0. The
likelihood itself is largest there, so the bound is not to blame.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import no_grad
from scratchgen.latent import VAE, LinearGaussian, fit_ppca, linear_vae, principal_angles, quadrature, two_terms
from scratchgen.latent.linear_vae import as_linear_gaussian
from scratchgen.latent.ppca import best_log_likelihood, spectrum
from scratchgen.optim import Adam, cosine
from scratchgen.training import fit

TITLE = "Page 8: the linear VAE is probabilistic PCA"
SECONDS = 12
N, DIM, LATENT, NOISE = 1000, 10, 3, 0.5
VARIANCES = np.array([6.0, 3.0, 1.5])  # of the data along the columns of W, without the noise
STEPS, LR, BATCH, EVERY = 4000, 0.02, 200, 25
FIXED = [0.7, 1.0, 1.5, 2.5, 3.2, 4.0, 5.0]  # values of s² that is not trained


class Moment(NamedTuple):
    """Where the training stands before a step."""

    step: int
    log_likelihood: float  # mean log p(x), exact, nats per example
    elbo: float  # mean ELBO, exact: its terms are quadratic in z
    angles: np.ndarray  # between the plane of W and that of PCA, in degrees, the largest first


def data(rng: np.random.Generator) -> np.ndarray:
    """Draws of a model whose columns of W are as long as VARIANCES says, in a random plane."""
    axes = np.linalg.qr(rng.standard_normal((DIM, LATENT)))[0]
    turn = np.linalg.qr(rng.standard_normal((LATENT, LATENT)))[0]
    model = LinearGaussian(axes * np.sqrt(VARIANCES) @ turn, rng.standard_normal(DIM), np.log(NOISE))
    return model.sample(N, rng)


def moment(model: VAE, x: np.ndarray, plane: np.ndarray, step: int) -> Moment:
    """The exact likelihood of the model as it is, its ELBO, and how far its plane is from that of PCA."""
    exact = as_linear_gaussian(model)
    with no_grad():
        likelihood = np.mean(exact.log_prob(x).data)
        elbo = np.mean(two_terms(model, x, quadrature(model.encode(x), order=2)).total.data)
    return Moment(step, float(likelihood), float(elbo), np.rad2deg(principal_angles(exact.W.data, plane)))


def train(x: np.ndarray, rng: np.random.Generator, fixed: float | None = None) -> tuple[VAE, list[Moment]]:
    """A linear VAE trained on x, with s² learnt or fixed, and its way there."""
    model, plane = linear_vae(DIM, LATENT, rng, np.float64, fixed), fit_ppca(x, LATENT).W.data
    moments: list[Moment] = []

    def on_step(step: int) -> None:
        if fixed is None and step % EVERY == 0:
            moments.append(moment(model, x, plane, step))

    fit(
        model,
        x,
        optimizer=Adam(model.parameters(), lr=LR),
        batch_size=BATCH,
        steps=STEPS,
        schedule=cosine(LR, STEPS),
        rng=rng,
        on_step=on_step,
        progress=fixed is None,
    )
    return model, [*moments, moment(model, x, plane, STEPS)]


def squared_lengths(model: VAE) -> np.ndarray:
    """‖w_j‖² of W turned so that its columns are orthogonal, the largest first: its squared singular values."""
    return np.linalg.svd(as_linear_gaussian(model).W.data, compute_uv=False) ** 2


def draw_training(stage: Stage, moments: list[Moment], best: float) -> None:
    """Likelihood and bound against the closed form, and the angles."""
    import matplotlib.pyplot as plt

    steps = [m.step for m in moments]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    left.plot(steps, [m.log_likelihood for m in moments], color="#3b75af", label="log p(x), exact")
    left.plot(steps, [m.elbo for m in moments], color="#c44e52", linewidth=1, label="ELBO, exact")
    left.axhline(best, color="k", linestyle="--", linewidth=1.2, label=f"closed-form maximum {best:.3f}")
    left.set(xlabel="step", ylabel="nats per example", ylim=(best - 3.0, best + 0.3), title="Likelihood and bound")
    left.legend(loc="lower right", fontsize="small")
    for j, angles in enumerate(np.transpose([m.angles for m in moments])):
        right.plot(steps, angles, label=f"angle {j + 1}")
    right.axhline(0.0, color="k", linestyle="--", linewidth=1.2, label="at the optimum: 0")
    right.set(xlabel="step", ylabel="degrees", title="Principal angles between the planes of W and of PCA")
    right.legend(fontsize="small")
    stage.save(
        figure,
        "page08_linear_vae",
        "A linear VAE while it is trained",
        "x = W z + b + s ε;   max ELBO = max log p(x),  at W = U (Λ − s² I)^½",
        "Left: the likelihood of the model at each step comes up to that of the closed form, and the ELBO with it: at "
        "the optimum q is the posterior. Right: the plane turns to that of the principal axes.",
    )


def draw_collapse(stage: Stage, lengths: dict[float, np.ndarray], values: np.ndarray, learnt: VAE) -> None:
    """The squared lengths of the columns of W against s², fixed or learnt, on their closed form."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
    fine = np.linspace(0.1, max(FIXED) * 1.05, 300)
    for j, colour in enumerate(("#3b75af", "#c44e52", "#55a868")):
        exact = "max($\\lambda_j$ − s², 0), exact" if j == 2 else None
        ax.plot(
            list(lengths), [each[j] for each in lengths.values()], "o", color=colour, label=f"$w_{j + 1}$, s² fixed"
        )
        ax.plot(fine, np.maximum(values[j] - fine, 0.0), "k--", linewidth=1, label=exact)
    s2 = np.full(LATENT, np.exp(as_linear_gaussian(learnt).logvar.item()))
    ax.plot(s2, squared_lengths(learnt), "k*", markersize=11, label="s² learnt")
    ax.set(
        xlabel="s², the variance of the decoder", ylabel=r"$\|w_j\|^2$", title="How far each $z_j$ moves the mean of x"
    )
    ax.legend(fontsize="small")
    stage.save(
        figure,
        "page08_collapse",
        "Collapse by the likelihood",
        "for a fixed s²:  ‖w_j‖² = max(λ_j − s², 0)",
        "Each point is a column of W of a VAE that was trained with this s². Where s² is above λ_j the column is 0 and "
        "z_j is not used: so says the maximum of the likelihood, dashed. With s² learnt (stars) all three are used. "
        "(The columns are those of W turned within its plane so that they are orthogonal.)",
    )


def run(stage: Stage, seed: int) -> None:
    """Train with s² learnt, then with it fixed, and compare with the closed form."""
    rng = np.random.default_rng(seed)
    x = data(rng)
    best, closed, (values, _) = best_log_likelihood(x, LATENT), fit_ppca(x, LATENT), spectrum(x, LATENT)
    stage.say("training with s² learnt")
    model, moments = train(x, rng)
    last = moments[-1]
    draw_training(stage, moments, best)
    stage.result(f"average log p(x) of the VAE {last.log_likelihood:.4f}, closed form {best:.4f} nats")
    stage.result(f"largest principal angle {last.angles[0]:.3f} degrees, 0 at the optimum")
    variance = np.exp(as_linear_gaussian(model).logvar.item())
    stage.result(f"s² {variance:.4f}, closed form {np.exp(closed.logvar.item()):.4f}")
    lengths = {}
    for s2 in FIXED[::3] if stage.quick else FIXED:
        stage.say(f"training with s² fixed at {s2}")
        lengths[s2] = squared_lengths(train(x, rng, s2)[0])
    off = max(np.abs(each - np.maximum(values[:LATENT] - s2, 0.0)).max() for s2, each in lengths.items())
    stage.result(f"s² fixed: the ‖w_j‖² of {len(lengths)} VAEs are max(λ_j − s², 0), give or take {off:.2f}")
    draw_collapse(stage, lengths, values, model)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
