"""Generalised EM: alternate between optimising φ and optimising θ (lecture page 5).

After each half step: log p(x), the ELBO, and the gap between them. A φ step moves the ELBO alone, a θ step both. With
an exact φ step the gap closes, and the likelihood never falls. With a restricted q only the ELBO never falls: at the
top of the likelihood of probabilistic PCA, but with axes that a mean-field q cannot follow, the θ step goes down. The
top is known: it is Tipping and Bishop's closed form. Then full steps, partial steps and joint ascent are compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import no_grad
from scratchgen.distributions import Categorical
from scratchgen.distributions.distribution import values
from scratchgen.latent import (
    GaussianMixture,
    GaussianPosterior,
    LinearGaussian,
    PerExample,
    enumerated,
    fit_ppca,
    quadrature,
    reparameterised,
)
from scratchgen.latent.em import Bound, Record, alternate, ascend_jointly, gradient_steps
from scratchgen.latent.mixture_em import fit_mixture
from scratchgen.latent.ppca import best_log_likelihood
from scratchgen.latent.theta_steps import fit_gaussian_mixture, fit_linear_gaussian
from scratchgen.nn import Linear
from scratchgen.optim import Adam

TITLE = "Page 5: generalised EM, half step by half step"
SECONDS = 6
N, DIM, LATENT, COMPONENTS = 100, 5, 2, 2
VARIANCES = [8.0, 3.0, 1.0, 1.0, 1.0]  # the spectrum of the data; probabilistic PCA sees the first two and the rest
TURN = np.pi / 9  # 20°
PARTIAL, LR = 5, 0.05


def ppca_data(rng: np.random.Generator) -> np.ndarray:
    """N points whose covariance has exactly the spectrum VARIANCES."""
    x = rng.standard_normal((N, DIM))
    axes, _, others = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return np.sqrt(N * np.array(VARIANCES)) * axes @ others


def turned_optimum(x: np.ndarray) -> LinearGaussian:
    """The closed-form optimum with its axes turned: the same likelihood, but z₁ and z₂ depend on each other given x."""
    best, turn = fit_ppca(x, LATENT), np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    return LinearGaussian(best.W.data @ turn, best.b.data, best.logvar.data)


def q_table(full: bool) -> GaussianPosterior:
    """A q(z | x) for each x, with numbers of its own."""
    return GaussianPosterior(PerExample(N, LATENT * (1 + LATENT if full else 2)), LATENT, full)


def ppca_bound(model: LinearGaussian, q: GaussianPosterior, x: np.ndarray) -> Bound:
    """The exact ELBO of probabilistic PCA."""
    return Bound(model, q, x, lambda q: quadrature(q, order=2))


def full_steps(bound: Bound, rounds: int) -> list[Record]:
    """Each half step to its optimum: the q of its family that is nearest to the posterior; the regression of x on z."""
    model, q, x = bound.model, bound.q, bound.x

    def phi_step() -> None:
        with no_grad():
            q.move_to(model.posterior(x))

    def theta_step() -> None:
        with no_grad():
            fit_linear_gaussian(model, x, q(x))

    return alternate(bound, phi_step, theta_step, rounds)


def partial_steps(bound: Bound, rounds: int) -> list[Record]:
    """Each half step a few gradient steps."""
    phi, theta = Adam(bound.q.parameters(), LR), Adam(bound.model.parameters(), LR)
    return alternate(bound, gradient_steps(bound, phi, PARTIAL), gradient_steps(bound, theta, PARTIAL), rounds)


def joint_steps(bound: Bound, rounds: int, rng: np.random.Generator | None = None) -> list[Record]:
    """As many gradient steps, each in θ and φ at once; with ``rng`` the bound is sampled, one z for each x."""
    both = Adam([*bound.model.parameters().values(), *bound.q.parameters().values()], LR)
    climbed = bound if rng is None else Bound(bound.model, bound.q, bound.x, lambda q: reparameterised(q, 1, rng))
    return ascend_jointly(bound, gradient_steps(climbed, both, PARTIAL), 2 * rounds)


def mixture_steps(x: np.ndarray, model: GaussianMixture, hard: bool, rounds: int) -> list[Record]:
    """EM of a mixture; with ``hard``, q is restricted to be certain, as in k-means."""
    logits = PerExample(len(x), COMPONENTS)
    bound = Bound(model, lambda x: Categorical(logits(x)), x, enumerated)

    def phi_step() -> None:
        with no_grad():
            joint = values(model.log_joints(x))
        certain = np.where(joint == joint.max(axis=1, keepdims=True), 0.0, -100.0)  # 1, and e⁻¹⁰⁰, whose log is finite
        logits.values.assign(certain if hard else joint)

    def theta_step() -> None:
        with no_grad():
            fit_gaussian_mixture(model, x, Categorical(logits(x)))

    return alternate(bound, phi_step, theta_step, rounds)


def mixture_data(rng: np.random.Generator) -> np.ndarray:
    """Two overlapping clusters on a line, 100 points of each: N(−2, 1) and N(2, 1)."""
    return np.concatenate([centre + rng.standard_normal((100, 1)) for centre in (-2.0, 2.0)])


def alike(x: np.ndarray) -> GaussianMixture:
    """A bad start: two components nearly the same."""
    return GaussianMixture.of([0.5, 0.5], np.add(x.mean(axis=0), [[-0.3], [0.3]]), np.ones((2, 1)))


def staircase(ax: Any, records: list[Record], first: int, top: float, title: str, label: str) -> Any:
    """log p(x) and the ELBO after each half step from ``first``, the gap between them, and the known top."""
    at, shown = np.arange(first, len(records)), records[first:]
    log_p, elbo = (np.array([getattr(record, name) for record in shown]) for name in ("log_p", "elbo"))
    ax.fill_between(at, elbo, log_p, color="#efb3a2", label="gap")
    ax.plot(at, log_p, color="k", linewidth=1.2, label="log p(x)")
    ax.plot(at, elbo, color="#3b75af", linewidth=1.2, label="ELBO")
    for step, marker, name in (("phi", "o", "φ"), ("theta", "s", "θ")):
        own = np.array([record.step == step for record in shown])
        ax.plot(at[own], elbo[own], marker, color="#3b75af", markersize=4, label=f"after a {name} step")
    ax.axhline(top, color="k", linestyle="--", linewidth=1, label=f"{label} {top:.4f}")
    ax.set(title=title, xlabel="half steps", ylabel="nats per example")
    ax.legend(fontsize="small", loc="center right")
    return ax


def largest_fall(records: list[Record], name: str) -> float:
    """By how much log p or the ELBO fell in the worst half step."""
    return max(0.0, -float(np.min(np.diff([getattr(record, name) for record in records]))))


def run(stage: Stage, seed: int) -> None:
    """Draw the staircases; then compare full steps, partial steps and joint ascent."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    x, line = ppca_data(rng), mixture_data(rng)
    W, optimum = rng.standard_normal((DIM, LATENT)), best_log_likelihood(x, LATENT)
    fit = fit_mixture(line, COMPONENTS, rng)

    def fresh() -> LinearGaussian:
        return LinearGaussian(W, np.zeros(DIM), np.array(0.0))

    # -- the staircases
    runs = {
        "probabilistic PCA, q with a full covariance": full_steps(ppca_bound(fresh(), q_table(True), x), 12),
        "probabilistic PCA, mean-field q": full_steps(ppca_bound(turned_optimum(x), q_table(False), x), 40),
        "mixture, q any probabilities": mixture_steps(line, alike(line), hard=False, rounds=12),
        "mixture, q certain": mixture_steps(line, fit.model, hard=True, rounds=6),
    }
    figure, axes = plt.subplots(2, 2, figsize=(12, 8), layout="constrained")
    for ax, (name, records) in zip(axes.flat, runs.items()):
        pca, from_top = name.startswith("probabilistic PCA"), ax in axes[:, 1]
        top, label = (optimum, "closed form") if pca else (fit.log_likelihoods[-1], "converged fit")
        first = 1 if pca or from_top else 2  # the first φ step; of the mixture the first θ step is far above it
        staircase(ax, records, first, top, name + (", from the top" if from_top else ""), label)
        stage.result(
            f"{name}: in any half step the ELBO falls by {largest_fall(records, 'elbo'):.4f} at most, log p(x) by "
            f"{largest_fall(records, 'log_p'):.4f}; log p(x) ends at {records[-1].log_p:.4f}, {label} {top:.4f}"
        )
    stage.save(
        figure,
        "page05_em",
        "Generalised EM, half step by half step",
        "φ ← argmax ELBO(θ, φ),   θ ← argmax ELBO(θ, φ),   log p(x) = ELBO + gap",
        "Left: a φ step (circles) closes the gap, and log p(x) never falls. Right: q is restricted, and the start is "
        "at the top. Only the ELBO is sure to rise; log p(x) pays for a smaller gap. The mean-field q comes back, as "
        "the axes turn until z₁ and z₂ are independent given x; a q that has to be certain does not.",
    )

    # -- against joint ascent
    rounds = 90
    encoder = Linear(DIM, 2 * LATENT, rng, dtype=np.float64)
    ways = {
        "full half steps": full_steps(ppca_bound(fresh(), q_table(False), x), rounds),
        f"half steps of {PARTIAL} gradient steps": partial_steps(ppca_bound(fresh(), q_table(False), x), rounds),
        "joint ascent": joint_steps(ppca_bound(fresh(), q_table(False), x), rounds),
        "joint ascent, q by an encoder, one draw of z": joint_steps(
            ppca_bound(fresh(), GaussianPosterior(encoder, LATENT), x), rounds, rng
        ),
    }
    figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, records in ways.items():
        ax.plot([record.elbo for record in records], label=name)
        stage.result(f"{name}: after {2 * rounds} half steps ELBO {records[-1].elbo:.4f}, closed form {optimum:.4f}")
    ax.axhline(optimum, color="k", linestyle="--", linewidth=1, label=f"closed-form optimum {optimum:.4f}")
    ax.set(xlabel=f"half steps; of joint ascent, {PARTIAL} gradient steps each", ylabel="ELBO, nats per example")
    ax.set_ylim(optimum - 3, optimum + 0.3)
    ax.legend(fontsize="small")
    stage.save(
        figure,
        "page05_joint",
        "Alternating steps, and joint ascent",
        "ELBO(θ, φ) of probabilistic PCA with a mean-field q",
        "All ways lead to the closed-form optimum of Tipping and Bishop; with one draw of z for each x, to near it, "
        "since the steps do not get smaller.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
