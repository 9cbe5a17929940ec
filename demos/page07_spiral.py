"""A Gaussian decoder with a learned variance, page 7 of the lecture, on a noisy spiral of which everything is known.

One number z makes a point in the plane: x ~ N(μ(z), σ²(z)), with a mean and a variance for each coordinate that both
depend on z. The data are a spiral whose noise grows from 0.1 at its centre to 0.25 at its end. So there are three
truths: the entropy H, since no model's log p(x) is above −H on average; the spiral, for μ(z); its noise, for σ(z).

Then the warning. Without noise the likelihood of a point on the curve has no upper bound: the thinner the decoder, the
higher the density. Only the least variance that the decoder may have stops it, and the figure measures that alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demos.common import Stage, main
from demos.training import fit_with_falling_lr
from scratchgen import plotting
from scratchgen.autodiff import no_grad
from scratchgen.data import NoisySpiral
from scratchgen.latent import IWAE, VAE, GaussianLikelihood
from scratchgen.nn import MLP

TITLE = "Page 7: a decoder with a learned variance, and the entropy of a spiral"
SECONDS = 25
QUICK_SECONDS = 10
SPIRAL = NoisySpiral(std=0.1, end_std=0.25, turns=1.0)
FLOORS = (-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.5)  # least log-variances, the last a σ of 0.024
BLUE = "#3b75af"
WEIGHTS = 16  # importance weights in the training
BOUND = "log p(x) ≥ E[log (1/K) Σ_k w_k],   w_k = p(x|z_k) p(z_k) / q(z_k|x),   p(x|z) = N(x; μ(z), σ²(z))"


def spiral_vae(rng: np.random.Generator) -> IWAE:
    """A VAE of the plane with a code of one number, to be trained on the importance-weighted bound."""
    encoder, decoder = MLP([2, 64, 64, 2], rng, "tanh"), MLP([1, 64, 64, 4], rng, "tanh")
    return IWAE(encoder, decoder, GaussianLikelihood(2), latent=1, samples=WEIGHTS)


def train(model: VAE, x: np.ndarray, steps: int, lr: float, rng: np.random.Generator) -> None:
    """Adam, with an lr that falls to 0."""
    fit_with_falling_lr(
        model,
        x,
        lr=lr,
        batch_size=100,
        steps=steps,
        evaluate_every=steps,
        clip=10.0,
        rng=rng,
    )


# -- the bound and the entropy -------------------------------------------------------------------------------------


def draw_ladder(stage: Stage, model: VAE, test: np.ndarray, rng: np.random.Generator) -> None:
    """The importance-weighted bound for more and more weights, beside −H."""
    import matplotlib.pyplot as plt

    exact = SPIRAL.log_prob(test)
    counts = [1, 2, 5, 10, 30, 100, 300]
    bounds = [model.log_prob(test, rng, samples=k) for k in counts]
    gap = exact - bounds[-1]  # for the same points, so that what they have in common does not blur it
    stage.result(
        f"importance-weighted bound, K = {counts[-1]}: {bounds[-1].mean():.3f} on {len(test)} points; "
        f"exact log p(x) of the same {exact.mean():.3f}, −H = {-SPIRAL.entropy():.3f}"
    )
    stage.result(f"gap to the exact log p(x): {gap.mean():.3f} ± {gap.std() / np.sqrt(len(gap)):.3f} nats")
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    plotting.curves(
        {"bound of the VAE": (counts, [bound.mean() for bound in bounds])},
        axes[0],
        limits={"−H, by quadrature:": -SPIRAL.entropy()},
        xlabel="K, number of importance weights",
        ylabel="log p(x) per point, nats",
    )
    axes[1].plot(counts, [(exact - bound).mean() for bound in bounds], "o-", markersize=4)
    axes[1].set(xlabel="K, number of importance weights", ylabel="exact log p(x) − bound, nats", yscale="log")
    axes[1].grid(alpha=0.3)
    for ax in axes:
        ax.set_xscale("log")
    stage.save(
        figure,
        "page07_bound",
        "The bound approaches minus the entropy",
        BOUND + ";   E[log p(x)] ≤ −H",
        f"The same VAE on {len(test)} fresh points, with K weights for each. It was trained with K = {WEIGHTS}, which "
        "asks less of its encoder, and the ELBO, K = 1, is far below. No model is above the dashed line on average. "
        "Right: how far the bound is below the exact log p(x) of the same points.",
    )


# -- the curve and its noise ---------------------------------------------------------------------------------------


class Curve(NamedTuple):
    """What the decoder has learned, at the quantiles of the prior."""

    mean: np.ndarray  # μ(z), (n, 2)
    std: np.ndarray  # σ(z), (n, 2)
    u: np.ndarray  # the place on the true spiral that is nearest to μ(z), (n,)
    thickness: np.ndarray  # the standard deviation at right angles to the spiral, (n,)


def learned_curve(model: VAE) -> Curve:
    """The decoder at 400 values of z, from the 0.5 % to the 99.5 % quantile of the prior."""
    from scipy.special import ndtri

    z = ndtri(np.linspace(0.005, 0.995, 400))[:, None].astype(np.float32)
    with no_grad():
        p = model.decode(z)
        mean, std = p.mean.data.astype(np.float64), np.sqrt(p.variance.data).astype(np.float64)
    u = np.linspace(0, 1, 2001)
    tangents = np.gradient(SPIRAL.curve(u), axis=0)
    normals = tangents[:, ::-1] * [1.0, -1.0] / np.linalg.norm(tangents, axis=1, keepdims=True)
    nearest = ((mean[:, None] - SPIRAL.curve(u)) ** 2).sum(axis=-1).argmin(axis=1)
    # The variance of a direction n is Σ_j n_j² σ_j². Along the spiral it is left open: z spreads x there too.
    return Curve(mean, std, u[nearest], np.sqrt((normals[nearest] ** 2 * std**2).sum(axis=1)))


def draw_curve(stage: Stage, model: VAE, data: np.ndarray, rng: np.random.Generator) -> None:
    """Data beside samples, and the learned curve on the true one."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Ellipse

    curve = learned_curve(model)
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    for ax, (name, points) in zip(axes, {"data": data[:2000], "samples of the VAE": model.sample(2000, rng)}.items()):
        ax.scatter(*points.T, s=4, linewidths=0, color=BLUE)
        ax.set_title(name)
    axes[2].plot(*curve.mean.T, color=BLUE, label="μ(z)")
    for centre, std in zip(curve.mean[::8], curve.std[::8]):
        axes[2].add_patch(Ellipse(centre, *(2 * std), color=BLUE, alpha=0.12, linewidth=0))
    axes[2].plot(*SPIRAL.curve(np.linspace(0, 1, 300)).T, "k--", linewidth=1, label="the spiral")
    axes[2].set_title("decoder: μ(z) ± σ(z)")
    axes[2].legend()
    for ax in axes:
        ax.set(xlim=(-2.6, 4.0), ylim=(-3.3, 1.9), aspect="equal")
    stage.save(
        figure,
        "page07_spiral",
        "A curve with thickness",
        "z ~ N(0, 1),   x ~ N(μ(z), σ²(z))",
        "2,000 points of the data, 2,000 of the VAE, and its decoder: μ(z) from the 0.5 % to the 99.5 % quantile of "
        "the prior, with an ellipse of one σ(z) at every eighth of 400 values. Dashed: the spiral of the data.",
    )


def draw_thickness(stage: Stage, model: VAE) -> None:
    """The learned standard deviation across the spiral, on the true one."""
    import matplotlib.pyplot as plt

    curve = learned_curve(model)
    away = np.linalg.norm(curve.mean - SPIRAL.curve(curve.u), axis=1)
    ratio = curve.thickness / SPIRAL.noise(curve.u)
    low, high = np.quantile(ratio, [0.05, 0.95])
    stage.result(
        f"learned curve: {np.median(away):.3f} from the spiral (median over z); "
        f"learned over true noise across it: {np.median(ratio):.3f} (truth 1), 90 % from {low:.2f} to {high:.2f}"
    )
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.plot(curve.u, curve.thickness, ".", markersize=4, color=BLUE, label="learned, across the spiral")
    ax.plot([0, 1], SPIRAL.noise([0, 1]), "k--", linewidth=1, label="true noise s(u)")
    ax.set(xlabel="place along the spiral, u", ylabel="standard deviation", xlim=(0, 1), ylim=(0, 0.4))
    ax.legend()
    ax.grid(alpha=0.3)
    stage.save(
        figure,
        "page07_variance",
        "The learned variance along the curve",
        "√(n₁² σ₁²(z) + n₂² σ₂²(z)),  n at right angles to the spiral",
        "Each dot is one of 400 values of z, equally spaced in probability, at the place of the spiral nearest to "
        "μ(z). The decoder was told neither the curve nor that the noise grows along it. Where μ(z) cuts across from "
        "one part of the spiral to another, σ(z) is too wide; few z lie there.",
    )


# -- no noise ------------------------------------------------------------------------------------------------------


def draw_floors(
    stage: Stage, model: VAE, noisy: np.ndarray, test: np.ndarray, steps: int, rng: np.random.Generator
) -> None:
    """The bound on noisy and on noise-free data, for decoders that may be thinner and thinner."""
    import matplotlib.pyplot as plt

    clean = SPIRAL.curve(SPIRAL.sample_latent(len(noisy), rng)).astype(np.float32)
    held_out = {"noisy data": test, "noise-free data": clean[: len(test)]}
    start, stds = model.state(), np.exp(np.array(FLOORS) / 2)
    bounds: dict[str, list[float]] = {name: [] for name in held_out}
    learned: dict[str, list[float]] = {name: [] for name in held_out}
    for name, x in {"noisy data": noisy, "noise-free data": clean[len(test) :]}.items():
        model.load_state(start)
        for floor in FLOORS:
            model.likelihood.least = floor
            train(model, x, steps, 2e-3, rng)
            bounds[name].append(model.log_prob(held_out[name], rng, samples=100).mean())
            learned[name].append(float(np.median(learned_curve(model).std.min(axis=1))))
    perfect = [NoisySpiral(std, turns=1.0).log_prob(held_out["noise-free data"]).mean() for std in stds]
    exact = SPIRAL.log_prob(held_out["noisy data"]).mean()
    stage.result(
        f"least σ {stds[-1]:.3f}: bound {bounds['noisy data'][-1]:.2f} with noise, exact log p(x) {exact:.2f}; "
        f"{bounds['noise-free data'][-1]:.2f} without, a perfect decoder with that σ {perfect[-1]:.2f}, −H = ∞"
    )
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name in bounds:
        axes[0].plot(stds, bounds[name], "o-", markersize=4, label=name)
        axes[1].plot(stds, learned[name], "o-", markersize=4, label=name)
    axes[0].axhline(exact, color="k", linestyle="--", linewidth=1, label="exact, with noise")
    axes[0].plot(stds[2:], perfect[2:], "k:", linewidth=1.5, label="no noise, perfect decoder of the least σ")
    axes[1].plot(stds, stds, "k:", linewidth=1.5, label="the least σ")
    axes[0].set_ylabel("importance-weighted bound, nats")
    axes[1].set(ylabel="learned σ(z), the smaller of two, median", yscale="log")
    axes[1].set_yticks(stds, [f"{std:.2f}" for std in stds], minor=False)
    for ax in axes:
        ax.set(xlabel="least σ that the decoder may have", xscale="log")
        ax.set_xticks(stds, [f"{std:.2f}" for std in stds])
        ax.minorticks_off()
        ax.invert_xaxis()
        ax.grid(alpha=0.3)
        ax.legend()
    stage.save(
        figure,
        "page07_noise_free",
        "A likelihood without bound",
        "log σ²(z) = least + softplus(v(z) − least)",
        "The VAE trained on with a lower and lower least variance, on the same spiral with and without its noise. With "
        "noise the bound stops at the truth, and σ at the noise. Without, σ is always the least one allowed, and the "
        "figure grows by about one nat whenever that is divided by e: it says how thin the decoder may be, no more.",
    )


def run(stage: Stage, seed: int) -> None:
    """Train on the noisy spiral, compare with the truth, then take the noise away."""
    rng = np.random.default_rng(seed)
    data = SPIRAL.sample(20_000, rng).astype(np.float32)
    test = SPIRAL.sample(4000, rng).astype(np.float32)
    model = spiral_vae(rng)
    stage.say("training a VAE on the noisy spiral")
    train(model, data, 2500 if stage.quick else 4000, 1e-2, rng)
    draw_curve(stage, model, data, rng)
    draw_thickness(stage, model)
    draw_ladder(stage, model, test, rng)
    stage.say("training on, with a lower and lower least variance, with and without noise")
    draw_floors(stage, model, data, test[:2000], 150 if stage.quick else 500, rng)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
