"""What the bound loses: log p(x) = ELBO + gap, and the gap is KL(q ‖ posterior) (lecture page 4).

In probabilistic PCA, x = W z + b + noise, all three are known. Two q(z | x) are trained by gradient ascent on the ELBO:
one with independent dimensions (mean-field), one with a full covariance. The ELBO of the first ends below log p(x) by
½ (Σ log P_ii − log det P), where P = I + WᵀW/s² is the inverse of the posterior's covariance. That of the second ends
at log p(x).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import no_grad
from scratchgen.distributions import Distribution
from scratchgen.distributions.distribution import values
from scratchgen.latent import GaussianPosterior, LinearGaussian, PerExample, quadrature
from scratchgen.latent.em import Bound, Record, ascend_jointly, gradient_steps
from scratchgen.latent.theta_steps import covariance_of
from scratchgen.optim import Adam

TITLE = "Page 4: the bound and its gap"
SECONDS = 3
N, DIM, LATENT, LOGVAR = 50, 5, 2, -0.5
STEPS, LR = 80, 0.1
KINDS = {"mean-field": False, "full covariance": True}
COLOURS = {"mean-field": "#c44e52", "full covariance": "#3b75af"}


def model_with(angle: float, rng: np.random.Generator) -> LinearGaussian:
    """A model of which the two columns of W, each of length √3, have this angle between them."""
    plane = np.linalg.qr(rng.standard_normal((DIM, LATENT)))[0]
    columns = np.array([[1.0, np.cos(angle)], [0.0, np.sin(angle)]])
    return LinearGaussian(np.sqrt(3) * plane @ columns, np.zeros(DIM), np.array(LOGVAR))


def mean_field_gap(model: LinearGaussian) -> float:
    """½ (Σ log P_ii − log det P)."""
    P = np.eye(LATENT) + model.W.data.T @ model.W.data / np.exp(LOGVAR)
    return float(0.5 * (np.sum(np.log(np.diag(P))) - np.linalg.slogdet(P)[1]))


def bound_on(model: LinearGaussian, full: bool, x: np.ndarray) -> Bound:
    """The ELBO with a q(z | x) for each x, all of them N(0, I) at first."""
    q = GaussianPosterior(PerExample(len(x), LATENT * (1 + LATENT if full else 2)), LATENT, full)
    return Bound(model, q, x, lambda q: quadrature(q, order=2))


def train(bound: Bound, steps: int) -> list[Record]:
    """Gradient ascent in φ alone, since the optimiser has no other parameters, and a record of each step."""
    return ascend_jointly(bound, gradient_steps(bound, Adam(bound.q.parameters(), LR), 1), steps)


def stack(ax: Any, records: list[Record], limit: float, title: str) -> None:
    """ELBO and gap on top of each other: their sum is log p(x)."""
    steps, elbo = np.arange(len(records)), np.array([record.elbo for record in records])
    log_p = records[0].log_p
    floor = log_p - 5.0
    ax.fill_between(steps, floor, elbo, color="#a9c4e0", label="ELBO")
    ax.fill_between(steps, elbo, log_p, color="#efb3a2", label="gap = KL(q ‖ posterior)")
    ax.axhline(log_p, color="k", linestyle="--", linewidth=1.2, label=f"exact log p(x) {log_p:.3f}")
    if limit:
        ax.axhline(log_p - limit, color="k", linestyle=":", linewidth=1.2, label=f"log p(x) − exact gap {limit:.3f}")
    ax.set(title=title, xlabel="gradient step on φ", ylabel="nats per example", xlim=(0, len(records) - 1))
    ax.set_ylim(floor, log_p + 0.6)
    ax.legend(loc="lower right", fontsize="small")


def ellipse(q: Distribution, row: int) -> np.ndarray:
    """The line of two standard deviations of a Gaussian in the plane, (100, 2)."""
    around = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(around), np.sin(around)], axis=1)
    return values(q.mean)[row] + 2 * circle @ np.linalg.cholesky(covariance_of(q)[row]).T


def run(stage: Stage, seed: int) -> None:
    """Train both q, stack ELBO and gap, and compare the gap with its closed form for several models."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    model = model_with(np.pi / 5, rng)
    x = model.sample(N, rng)
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    bounds = {}
    for (kind, full), ax in zip(KINDS.items(), axes[0]):
        bounds[kind] = bound_on(model, full, x)
        records, limit = train(bounds[kind], STEPS), 0.0 if full else mean_field_gap(model)
        stack(ax, records, limit, f"q with {'a full covariance' if full else 'independent dimensions'}")
        last = records[-1]
        stage.result(
            f"{kind}: ELBO {last.elbo:.4f} + gap {last.gap:.4f} = log p(x) {last.log_p:.4f} nats; "
            f"the least gap is exactly {limit:.4f}"
        )

    ax = axes[1, 0]
    with no_grad():
        lines = {kind: ellipse(bound.q(x), 0) for kind, bound in bounds.items()}
        ax.plot(*ellipse(model.posterior(x), 0).T, "k--", linewidth=2.5, label="exact posterior")
    for kind, line in lines.items():
        ax.plot(*line.T, color=COLOURS[kind], label=f"q, {kind}")
    ax.set(title="One x: two standard deviations of z", xlabel="$z_1$", ylabel="$z_2$")
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend(fontsize="small")

    ax, angles = axes[1, 1], np.deg2rad([20, 30, 40, 50, 60, 70, 80, 90])
    largest = 0.0
    for kind, full in KINDS.items():
        gaps = []
        for angle in angles:
            bound = bound_on(model_with(angle, rng), full, x)
            with no_grad():
                bound.q.move_to(bound.model.posterior(x))
            gaps.append(bound.measure("phi").gap)
            largest = max(largest, abs(gaps[-1] - (0.0 if full else mean_field_gap(bound.model))))
        ax.plot(np.rad2deg(angles), gaps, "o", color=COLOURS[kind], label=f"log p(x) − ELBO, {kind}")
    fine = np.linspace(angles[0], angles[-1], 100)
    exact = [mean_field_gap(model_with(angle, rng)) for angle in fine]
    ax.plot(np.rad2deg(fine), exact, "k--", linewidth=1.2, label="½ (Σ log P_ii − log det P)")
    ax.axhline(0.0, color="k", linestyle="--", linewidth=1.2)
    ax.set(title="The gap at the best q", xlabel="angle between the columns of W (degrees)", ylabel="nats")
    ax.legend(fontsize="small")
    stage.result(f"at the best q of {len(angles)} models the gap is its closed form, give or take {largest:.0e}")
    stage.save(
        figure,
        "page04_gap",
        "What the bound loses",
        "log p(x) = ELBO + KL(q ‖ posterior);   mean-field: ½ (Σ log P_ii − log det P),  P = I + WᵀW/s²",
        "Above: q is trained, and what the ELBO gains the gap loses; log p(x) does not move. Below left: a q with "
        "independent dimensions cannot lie askew, and is narrower than the posterior. Below right: the more alike the "
        "columns of W, the more z₁ and z₂ depend on each other given x, and the more a mean-field q loses.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
