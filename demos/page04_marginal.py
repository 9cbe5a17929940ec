"""Why the marginal is hard, lecture page 4: log p(x) = log ∫ p(x | z) p(z) dz by sampling z, in 1 to 20 dimensions.

The model is x = W z + b + s ε, so the true log p(x) is known: p(x) = N(b, W Wᵀ + s² I). Beside it stand three estimates
from 1,000 samples for each x: with z from the prior (naive Monte Carlo), from a factorised q(z | x), the best there is
in KL(q ‖ posterior) (mean field), and from the posterior itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from scratchgen.distributions import Independent, Normal
from scratchgen.latent import LinearGaussian, marginal_by_importance

TITLE = "Page 4: the intractable marginal"
SECONDS = 5
DIM, VARIANCE = 20, 0.5  # of x, and s²
DIMS = np.arange(1, 21)  # of z
SAMPLES, ROWS = 1_000, 200
NAMES = {"prior": "z from the prior", "mean field": "from mean-field q", "posterior": "from the posterior"}
COLOURS = {"prior": "#c44e52", "mean field": "#dd8452", "posterior": "#3b75af"}


def model_of(dim: int) -> LinearGaussian:
    """The first ``dim`` columns of one and the same W, whose entries have variance 0.09."""
    W = 0.3 * np.random.default_rng(0).standard_normal((DIM, DIM))
    return LinearGaussian(W[:, :dim], np.zeros(DIM), float(np.log(VARIANCE)))


def proposals(model: LinearGaussian) -> dict[str, Callable[[Any], Any]]:
    """The three q(z | x). The mean-field one has the posterior's mean, and the variances 1/P_jj of its precision P."""
    logvar = -np.log(np.diag(model.precision().data))

    def prior(x: np.ndarray) -> Independent:
        zeros = np.zeros((len(x), model.latent))
        return Independent(Normal(zeros, zeros), 1)

    def mean_field(x: np.ndarray) -> Independent:
        return Independent(Normal(model.posterior_mean(x).data, logvar), 1)

    return {"prior": prior, "mean field": mean_field, "posterior": model.posterior}


def log_second_moment(P: np.ndarray, m: np.ndarray, Q: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """log E_q[w²]/p(x)² = log ∫ p(z | x)²/q(z) dz for normal densities, (B,): inf where q has too narrow tails.

    With precisions P, Q and means m, μ the integrand is exp(−½ zᵀA z + hᵀz − ½ c) but for constants, where
    A = 2P − Q, h = 2P m − Q μ and c = 2 mᵀP m − μᵀQ μ.
    """
    A, h = 2 * P - Q, 2 * m @ P - mu @ Q
    if np.linalg.eigvalsh(A)[0] <= 0:
        return np.full(len(m), np.inf)
    c = 2 * np.sum(m @ P * m, axis=1) - np.sum(mu @ Q * mu, axis=1)
    log_P, log_Q, log_A = (np.linalg.slogdet(each)[1] for each in (P, Q, A))
    return log_P - 0.5 * log_Q - 0.5 * log_A + 0.5 * np.sum(h * np.linalg.solve(A, h.T).T, axis=1) - 0.5 * c


class Row(NamedTuple):
    """What one q gives in one dimension of z, for all x."""

    log_p: float  # the estimate, on average
    error: float  # its true error, the root of its mean square
    stated: float  # the same of the standard error that it states
    known: float  # the same of the exact standard deviation of p̂/p(x)
    needed: float  # samples for a standard deviation of 10 %, the median


def measure(dim: int, rng: np.random.Generator) -> tuple[float, dict[str, Row]]:
    """The exact log p, averaged over x drawn from the model, and what each q makes of it."""
    model = model_of(dim)
    x = model.sample(ROWS, rng)
    exact, P, m = model.log_prob(x).data, model.precision().data, model.posterior_mean(x).data
    normal = {"prior": (np.eye(dim), 0 * m), "mean field": (np.diag(np.diag(P)), m), "posterior": (P, m)}
    rows = {}
    for name, encode in proposals(model).items():
        log_p = marginal_by_importance(model, x, encode, SAMPLES, rng)
        variance = np.maximum(np.expm1(log_second_moment(P, m, *normal[name])), 0.0)  # of w/p(x); 0 but for rounding
        squares = (log_p.value - exact) ** 2, log_p.error**2, variance / SAMPLES
        roots = (float(np.sqrt(each.mean())) for each in squares)
        rows[name] = Row(float(log_p.value.mean()), *roots, max(1.0, float(np.median(variance)) / 0.1**2))
    return float(exact.mean()), rows


def run(stage: Stage, seed: int) -> None:
    """Estimate log p(x) in every dimension, and draw it beside what is known."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    exact, rows = zip(*(measure(int(dim), rng) for dim in DIMS))
    for dim in (1, 5, 10, 20):
        each = rows[dim - 1]
        parts = ", ".join(f"{name} {each[name].log_p:.2f}" for name in NAMES)
        stage.result(f"dim z = {dim:2}: mean log p(x) exactly {exact[dim - 1]:.2f}; {parts}")
    last, worst = rows[-1]["prior"], max(row["posterior"].error for row in rows)
    stage.result(f"naive in 20 dimensions: error {last.error:.2f} nats, stated error {last.stated:.2f}")
    stage.result(f"samples of the posterior: error {worst:.0e} nats at most, in any dimension, exactly 0")
    needed = [rows[dim - 1]["prior"].needed for dim in (1, 10, 20)]
    stage.result(
        f"naive samples for an error of 10 %, exactly: {needed[0]:,.0f} in 1 dimension, {needed[1]:,.0f} in 10, "
        f"{needed[2]:,.0f} in 20"
    )
    finite = sum(np.isfinite(row["mean field"].needed) for row in rows)
    stage.result(f"mean-field weights have a finite variance up to dim z = {finite}, and none beyond")

    figure, axes = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    for name, label in NAMES.items():
        of = {"color": COLOURS[name], "marker": "o", "markersize": 4}
        axes[0].plot(DIMS, [row[name].log_p for row in rows], label=label, **of)
        if name == "posterior":
            continue
        # In one dimension mean field is the posterior: errors of 0 are left out of a logarithmic axis.
        errors = np.array([row[name][1:4] for row in rows])
        error, stated, known = np.where(errors > 1e-6, errors, np.nan).T
        axes[1].plot(DIMS, error, label=f"true error, {label}", linewidth=0, **of)
        axes[1].plot(DIMS, stated, color=COLOURS[name], linewidth=1)
        axes[1].plot(DIMS, known, color=COLOURS[name], linestyle="--", linewidth=1)
        more = f" (infinitely many beyond {finite})" if name == "mean field" else ""
        axes[2].plot(DIMS, [row[name].needed for row in rows], linestyle="--", label=label + more, **of)
    axes[0].plot(DIMS, exact, "k--", linewidth=1, label="exact", zorder=5)
    axes[1].plot([], [], color="0.4", linewidth=1, label="error that it states")
    axes[1].plot([], [], color="0.4", linestyle="--", linewidth=1, label="exact, of p̂/p(x)")
    axes[0].set(ylabel="mean log p(x), nats", title="1,000 samples")
    axes[1].set(yscale="log", ylim=(5e-4, None), ylabel="root mean square, nats", title="How far off, and how sure")
    axes[2].set(yscale="log", ylabel="samples", title="Samples for an error of 10 %")
    for ax in axes:
        ax.set(xlabel="dimension of z", xticks=[1, 5, 10, 15, 20])
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
    stage.save(
        figure,
        "page04_marginal",
        "The intractable marginal",
        "p(x) = ∫ p(x | z) p(z) dz = E_q[w],   w = p(x | z) p(z)/q(z | x);   here p(x) = N(b, W Wᵀ + s² I)",
        "Left: the mean over 200 x of log p(x). Estimates with z from the prior fall below the exact value as z gets "
        "more dimensions; those with z from the posterior lie on it. Middle: the true error beside the one that the "
        "estimate states of itself, which cannot pass 1 and says little where no sample comes near. Dashed: the exact "
        "relative standard deviation of p̂, which for mean field is infinite in many dimensions, where its q is too "
        "narrow. Right: how many samples an error of 10 % takes for the median x, exactly: with the prior, "
        "exponentially many.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
