"""Posterior collapse and beta, on data of which everything is known: pages 8 and 9 of the lecture.

The loss D + beta · R has two parts: the distortion D = −E[log p(x|z)], and the rate R = E[KL(q(z|x) ‖ p(z))]. Their sum
is −ELBO, so R + D ≥ H, the entropy of the data, for any model: a line in the plane of R and D that nothing gets below.
A greater beta buys less rate for more distortion, until dimensions of z collapse to the prior, one after the other.

The data are 16 normal numbers, with four strong directions: eigenvalues 8, 4, 2 and 1, and twelve of ¼. For linear
networks and one decoder variance the least D + beta · R is known in closed form, at each beta:

    t = S_k / (16 / beta − k),  S_k = sum of all eigenvalues but the k largest                    (1)
    the k directions with λ_i > t are kept;   R = ½ Σ_{i ≤ k} log(λ_i / t)                        (2)
    D = 8 log(2π t / beta) + beta (k t + S_k) / (2 t)                                             (3)

And collapse can be right. The same numbers, turned so that the 16 components are independent, have the same entropy,
and a decoder with a variance for each component needs no z at all: R = 0 and D = H.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from demos.training import fit_with_falling_lr
from scratchgen.autodiff import Tensor
from scratchgen.distributions import MultivariateNormal
from scratchgen.latent import VAE, GaussianLikelihood
from scratchgen.latent.diagnostics import active_units, kl_per_dimension
from scratchgen.latent.linear_vae import LinearEncoder, linear_vae
from scratchgen.nn import Linear, Module

TITLE = "Page 9: posterior collapse, beta, and the line of the entropy"
SECONDS = 15
EIGENVALUES = np.array([8.0, 4.0, 2.0, 1.0] + 12 * [0.25])
DIM, LATENT = len(EIGENVALUES), 4
BETAS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
BLUE, ORANGE = "#3b75af", "#d9822b"


# -- data and models -----------------------------------------------------------------------------------------------


def mixed() -> np.ndarray:
    """The covariance of components that all depend on each other, and all have the same variance."""
    from scipy.linalg import hadamard

    directions = hadamard(DIM) / np.sqrt(DIM)  # orthonormal columns of ±¼
    return (directions * EIGENVALUES) @ directions.T


def independent() -> np.ndarray:
    """The covariance of independent components, with the same eigenvalues."""
    return np.diag(EIGENVALUES)


def data_of(covariance: np.ndarray) -> MultivariateNormal:
    """The normal distribution of the data."""
    return MultivariateNormal(np.zeros(DIM), np.linalg.cholesky(covariance))


class LinearDecoder(Module):
    """z to a mean that is linear in z, and to a log-variance for each component that is the same for all z."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.mean = Linear(LATENT, DIM, rng)
        self.logvar = Tensor(np.zeros(DIM, np.float32), requires_grad=True)

    def forward(self, z: Any) -> Tensor:
        """(B, 4) → (B, 16, 2)."""
        mean = self.mean(z)
        return np.stack([mean, np.broadcast_to(self.logvar, mean.shape)], axis=-1)


def one_variance(rng: np.random.Generator) -> VAE:
    """A linear VAE whose decoder has one variance."""
    return linear_vae(DIM, LATENT, rng)


def a_variance_for_each(rng: np.random.Generator) -> VAE:
    """A linear VAE whose decoder has a variance for each component."""
    return VAE(LinearEncoder(DIM, LATENT, rng), LinearDecoder(rng), GaussianLikelihood(DIM), LATENT)


def train(model: VAE, covariance: np.ndarray, beta: float, steps: int, rng: np.random.Generator) -> VAE:
    """The model, trained on 20,000 draws of the data with that weight of its KL."""
    model.beta = beta
    x = data_of(covariance).sample(20_000, rng).astype(np.float32)
    fit_with_falling_lr(
        model,
        x,
        lr=0.02,
        batch_size=200,
        steps=steps,
        evaluate_every=steps,
        rng=rng,
    )
    return model


# -- rate and distortion, measured and in theory -------------------------------------------------------------------


class Point(NamedTuple):
    """A point of the plane, in nats."""

    rate: float
    distortion: float


def design(covariance: np.ndarray, extra: int = 0) -> np.ndarray:
    """A few points whose mean and covariance are exactly 0 and ``covariance``, with ``extra`` columns of variance 1.

    The average of any quadratic function over these 2 (16 + extra) points is its expectation: cubature of degree 3.
    """
    n = DIM + extra
    root = np.eye(n)
    root[:DIM, :DIM] = np.linalg.cholesky(covariance)
    points = np.sqrt(n) * root.T
    return np.concatenate([points, -points])


def measured(model: VAE, covariance: np.ndarray) -> Point:
    """R and D of a linear VAE, exactly: log p(x|z) is quadratic in x and in the noise η of z, and so is the KL in x."""
    points = design(covariance, LATENT).astype(np.float32)
    reconstruction, kl = model.elbo(points[:, :DIM], noise=points[:, DIM:])
    return Point(float(kl.data.mean(dtype=np.float64)), -float(reconstruction.data.mean(dtype=np.float64)))


def best(beta: float) -> tuple[Point, int]:
    """The optimum (1–3) for one decoder variance, and k, how many dimensions of z it uses.

    With p(x|z)^(1/beta) for p(x|z) the loss is that of probabilistic PCA whose noise t is fixed; and t is where its
    derivative is 0.
    """
    for k in range(LATENT, -1, -1):
        rest = EIGENVALUES[k:].sum()
        if DIM / beta > k:
            t = rest / (DIM / beta - k)  # (1)
            if k == 0 or EIGENVALUES[k - 1] > t:
                rate = 0.5 * np.log(EIGENVALUES[:k] / t).sum()  # (2)
                distortion = 0.5 * DIM * np.log(2 * np.pi * t / beta) + beta * (k * t + rest) / (2 * t)  # (3)
                return Point(float(rate), float(distortion)), k
    raise AssertionError("k = 0 always fits")


# -- pictures ------------------------------------------------------------------------------------------------------


def draw_plane(stage: Stage, points: dict[float, Point], apart: dict[float, Point], entropy: float) -> None:
    """Rate and distortion of both data, the optimum, and the line R + D = H."""
    import matplotlib.pyplot as plt

    theory = [best(beta)[0] for beta in np.geomspace(0.2, 9, 400)]
    figure, ax = plt.subplots(figsize=(7.5, 5), layout="constrained")
    ax.plot([0, entropy], [entropy, 0], "k--", linewidth=1, label=f"R + D = H = {entropy:.2f}")
    ax.fill_between([0, entropy], [entropy, 0], color="0.93")
    ax.text(1.2, 10.5, "no model is here", color="0.4")
    ax.plot(*zip(*theory), color=BLUE, linewidth=1, label="least D + beta · R, in theory")
    ax.plot(*zip(*points.values()), "o", color=BLUE, label="trained, dependent components")
    ax.plot(*zip(*apart.values()), "s", color=ORANGE, markersize=7, label="trained, independent components")
    for beta, point in points.items():
        ax.annotate(f"{beta:g}", point, xytext=(5, 5), textcoords="offset points", fontsize=9, color=BLUE)
    for beta, point in apart.items():
        if beta == 1:
            ax.annotate("1", point, xytext=(-1, -16), textcoords="offset points", fontsize=9, color=ORANGE)
    ax.set(xlabel="rate R, nats", ylabel="distortion D, nats", xlim=(-0.4, 9), ylim=(8, 25))
    ax.legend()
    ax.grid(alpha=0.3)
    stage.save(
        figure,
        "page09_rate_distortion",
        "Rate and distortion",
        "R + D = −ELBO ≥ H;   R = E[KL(q(z|x) ‖ p(z))],  D = −E[log p(x|z)]",
        "Each point is a linear VAE, its beta written beside it; R and D are exact expectations. The blue curve "
        "touches the line of the entropy at beta = 1 only. The squares, all on that line, are for the data with "
        "independent components, and a decoder with a variance for each. At beta = 1 the loss is the same anywhere on "
        "the line; at 1.5, 2 and 4, which lie on each other, z has collapsed, and nothing is lost by it.",
    )


def draw_dimensions(stage: Stage, rates: dict[float, np.ndarray], active: dict[float, int]) -> None:
    """The rate of each dimension of z, and how many are active, against beta."""
    import matplotlib.pyplot as plt

    betas = np.geomspace(0.2, 9, 600)
    theory = np.zeros((len(betas), LATENT))
    for row, beta in zip(theory, betas):
        k = best(beta)[1]
        t = EIGENVALUES[k:].sum() / (DIM / beta - k)
        row[:k] = 0.5 * np.log(EIGENVALUES[:k] / t)
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    axes[0].plot(betas, theory, "k--", linewidth=1, label=["in theory"] + [None] * (LATENT - 1))
    for i in range(LATENT):
        axes[0].plot(BETAS, [rates[beta][i] for beta in BETAS], "o", label=f"λ = {EIGENVALUES[i]:g}")
    axes[0].set_ylabel("KL of a dimension of z, nats")
    axes[1].plot(betas, (theory > 0).sum(axis=1), "k--", linewidth=1, label="in theory")
    axes[1].plot(BETAS, [active[beta] for beta in BETAS], "o", color=BLUE, label="trained: Var(E[z_j|x]) > 0.01")
    axes[1].set(ylabel="active dimensions", yticks=range(LATENT + 1))
    for ax in axes:
        ax.set(xlabel="beta", xscale="log")
        ax.set_xticks(BETAS, [f"{beta:g}" for beta in BETAS])
        ax.minorticks_off()
        ax.legend()
        ax.grid(alpha=0.3)
    stage.save(
        figure,
        "page09_collapse",
        "One dimension after the other",
        "KL_i = ½ log(λ_i / t) where λ_i > t, else 0",
        "The rate of each dimension of z, the largest first, beside that of the direction of the data that it should "
        "carry; and how many are active. A dimension collapses when the t of the optimum passes its λ. Dots between "
        "lines are dimensions that share two directions; at a low beta, turning them apart gains next to nothing.",
    )


def run(stage: Stage, seed: int) -> None:
    """Train a VAE at each beta, on both data, and compare with the theory."""
    rng = np.random.default_rng(seed)
    steps = 3000
    entropy = float(data_of(mixed()).entropy())
    stage.result(f"entropy: {entropy:.4f} nats, and {float(data_of(independent()).entropy()):.4f} of the other data")

    points, rates, active, excess = {}, {}, {}, {}
    for beta in BETAS:
        model = train(one_variance(rng), mixed(), beta, steps, rng)
        points[beta], (optimum, k) = measured(model, mixed()), best(beta)
        x = design(mixed()).astype(np.float32)
        rates[beta], active[beta] = np.sort(kl_per_dimension(model, x))[::-1], int(active_units(model, x).sum())
        excess[beta] = points[beta].distortion - optimum.distortion + beta * (points[beta].rate - optimum.rate)
        stage.result(
            f"beta {beta:<4g} R {points[beta].rate:6.3f} (optimum {optimum.rate:6.3f})  "
            f"D {points[beta].distortion:6.3f} ({optimum.distortion:6.3f})  "
            f"R + D − H {sum(points[beta]) - entropy:6.3f}  active {active[beta]} ({k})"
        )
    stage.result(f"largest excess of D + beta · R over the optimum: {max(excess.values()):.4f} nats")

    apart = {}
    for beta in (1.0, 1.5, 2.0, 4.0):
        model = train(a_variance_for_each(rng), independent(), beta, steps, rng)
        apart[beta] = measured(model, independent())
        above = sum(apart[beta]) - entropy
        stage.result(f"independent components, beta {beta:g}: R {apart[beta].rate:.3f}, R + D − H {above:.4f}")
    draw_plane(stage, points, apart, entropy)
    draw_dimensions(stage, rates, active)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
