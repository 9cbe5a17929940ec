"""A diffusion model of points in the plane: learned, drawn from in many steps and in few, and measured (page 12).

x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε, T = 1000, of two toys whose densities are known. A network learns v, which says both ε
and x_0; on these toys it learns that much sooner than ε. Averaged weights are used for all that follows. What it has
learned is measured in two ways, as a gap to the entropy:

    probability flow    log p of what the ODE draws, exactly, by the divergence of its velocity along the path
    bound               of the chain of 1000 steps: the sum of a divergence for each step

and by asking whether its samples, of all 1000 steps, can be told from data by their nearest neighbours: ½ is guessing.

Then draws. With many steps ancestral sampling is the model itself. DDIM, without noise, makes do with few, Heun's rule
with fewer; the same network, asked less often. Of the samples it is known how likely they are: −log p of the data's
own density, averaged, is the entropy for perfect samples.

Last, what happens where T is too small for its βs: with the published ones in 100 steps, x_T still knows x_0, and noise
is not where the way back may start. No training is needed for that: the best network is known for a mixture. Noise on
the way makes good what the start was wrong in, for the most part; DDIM, which adds none, keeps it.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.training import fit_or_stop
from scratchgen.data import EightGaussians, Toy, TwoMoons, gap_to_entropy
from scratchgen.data.entropy_gap import EntropyGap
from scratchgen.diffusion import (
    DDPM,
    VP,
    BestNetwork,
    GaussianMixtureData,
    PriorGap,
    ResidualNet,
    Trajectory,
    ancestral,
    ddim,
    ddim_heun,
    linear,
    log_likelihood,
    spaced,
    terms,
)
from scratchgen.diffusion.targets import TARGETS
from scratchgen.metrics import classifier_two_sample
from scratchgen.optim import Adam, Average, cosine

TITLE = "Page 12: DDPM on toys, with many steps and few"
SECONDS, QUICK_SECONDS = 60, 18
T = 1000
TOYS: dict[str, Toy] = {"two moons": TwoMoons(std=0.1), "eight Gaussians": EightGaussians(variance=0.1)}
STEPS = (5, 10, 20, 50, 100)
SHOWN = (1000, 500, 300, 200, 100, 0)
SHORT = (1000, 200, 100)


class Standard:
    """A toy, moved and scaled to mean 0 and variance 1 on average over both coordinates.

    Args:
        toy: the toy.
        rng: for the draws by which both are estimated.
    """

    def __init__(self, toy: Toy, rng: np.random.Generator) -> None:
        x = toy.sample(20_000, rng)
        self.toy, self.mean, self.std = toy, x.mean(axis=0), float(np.sqrt(x.var(axis=0).mean()))
        self.entropy = toy.entropy()

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n points, (n, 2) float32."""
        return ((self.toy.sample(n, rng) - self.mean) / self.std).astype(np.float32)

    def surprise(self, z: np.ndarray) -> float:
        """The mean of −log p(x) of the toy, in its own scale, above its entropy."""
        return float(-self.toy.log_prob(self.back(z)).mean() - self.entropy)

    def back(self, z: np.ndarray) -> np.ndarray:
        """On the scale of the toy."""
        return np.asarray(z, np.float64) * self.std + self.mean

    def gap(self, log_prob: Any, n: int, rng: np.random.Generator) -> EntropyGap:
        """The gap to the entropy of a log-density of scaled points."""

        def of_toy(x: np.ndarray) -> np.ndarray:
            z = ((x - self.mean) / self.std).astype(np.float32)
            return np.asarray(log_prob(z), np.float64) - 2 * np.log(self.std)

        return gap_to_entropy(of_toy, self.toy, n, rng, dtype=np.float64)


def train(data: Standard, steps: int, rng: np.random.Generator) -> tuple[DDPM, Average]:
    """A network of v, by Adam with a rate that falls; and its averaged weights."""
    model = DDPM(ResidualNet(2, rng), linear(T), (2,), target="v")
    average = Average(model.parameters(), decay=0.99)
    fit_or_stop(
        model,
        data.sample(50_000, rng),
        optimizer=Adam(model.parameters(), lr=4e-3),
        average=average,
        batch_size=512,
        steps=steps,
        schedule=cosine(4e-3, steps, warm_up=50, lowest=2e-5),
        clip=1.0,
        unit="",  # the loss is the squared error of v
        rng=rng,
    )
    return model, average


def flow_log_prob(model: DDPM) -> Any:
    """log p of the probability flow: the linear schedule is the VP SDE in T steps, and −ε̂/s its score."""
    sde = VP(0.1, 20.0)

    def score(x: Any, t: Any) -> Any:
        a, s = (np.float32(value) for value in sde.marginal(float(t)))
        output = model.network(x, np.full(len(x), t, np.float32))
        return -TARGETS[model.target].to_eps(output, x, a, s) / s

    return lambda z: log_likelihood(sde, score, z, start=1 / T, tolerance=1e-4).log_prob


def with_right_variance(model: DDPM, x: np.ndarray, rng: np.random.Generator) -> DDPM:
    """The model with Var[x_0 | x_t] as it is measured: the mean square error of x̂_0."""
    errors = np.zeros(model.schedule.T + 1)
    for t in range(1, model.schedule.T + 1):
        noise = rng.standard_normal(x.shape, dtype=x.dtype)
        a, b = model.signal_and_noise(np.full(len(x), t), x)
        guess = model.predict(a * x + b * noise, t).x0.data
        errors[t] = np.square(x - guess).mean()
    return DDPM(model.network, model.schedule, (2,), model.target, variance=errors)


# -- pictures ------------------------------------------------------------------------------------------------------


def draw_paths(stage: Stage, found: dict[str, tuple[Standard, DDPM]], rng: np.random.Generator, n: int) -> None:
    """Samples on their way from noise to data, beside data."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(found), len(SHOWN) + 1, figsize=(14, 2.3 * len(found)), layout="constrained")
    for row, (name, (data, model)) in zip(np.atleast_2d(axes), found.items()):
        path = Trajectory()
        ancestral(model, model.start(n, rng), rng, watch=path)
        for ax, t in zip(row, SHOWN):
            ax.scatter(*path.x[T - t].T, s=2, linewidths=0, color="C0")
            ax.set_title("sample, t = 0" if t == 0 else f"t = {t}", fontsize=10)
        row[-1].scatter(*data.sample(n, rng).T, s=2, linewidths=0, color="0.3")
        row[-1].set_title("data", fontsize=10)
        for ax in row:
            ax.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[], aspect="equal")
        row[0].set_ylabel(name)
    caption = f"{n} draws of noise, and what 1000 steps of the learned chain make of them; data for comparison, right."
    stage.save(
        figure, "page12_ddpm_paths", "From noise to data", "p(x_{t−1} | x_t) = N(c_t x̂_0 + d_t x_t, σ_t² I)", caption
    )


def draw_steps(stage: Stage, found: dict[str, tuple[Standard, DDPM]], rng: np.random.Generator, n: int) -> None:
    """Samples of DDIM with few steps, and how unlikely the samples of each sampler are."""
    import matplotlib.pyplot as plt

    widths = [1.0] * len(STEPS) + [1.6]
    figure, axes = plt.subplots(1, len(widths), figsize=(15, 3.0), layout="constrained", width_ratios=widths)
    name, (data, model) = next(iter(found.items()))
    start = model.start(n, rng)
    excess: dict[str, list[float]] = {"ancestral": [], "DDIM": [], "Heun": []}
    for ax, steps in zip(axes, STEPS):
        part = model.part(spaced(T, steps, "quadratic"))
        points = ddim(part, start)
        excess["ancestral"].append(data.surprise(ancestral(part, start, rng)))
        excess["DDIM"].append(data.surprise(points))
        half = model.part(spaced(T, (steps + 1) // 2, "quadratic"))
        excess["Heun"].append(data.surprise(ddim_heun(half, start)))
        ax.scatter(*data.back(points)[:1000].T, s=2, linewidths=0)
        ax.set(title=f"DDIM, {steps} steps", xticks=[], yticks=[], xlim=(-1.7, 2.7), ylim=(-1.2, 1.7), aspect="equal")
        values = ", ".join(f"{sampler} {each[-1]:.3f}" for sampler, each in excess.items())
        stage.result(f"{name}, {steps} passes of the network: −log p of samples, above the entropy: {values}")
    for sampler, each in excess.items():
        axes[-1].plot(STEPS, each, "o-", markersize=3, label=sampler)
    axes[-1].axhline(0, color="0.2", linestyle="--", linewidth=1, label="perfect samples")
    axes[-1].set(xscale="log", xlabel="passes of the network", ylabel="nats above the entropy", ylim=(-0.5, 3))
    axes[-1].legend(fontsize="small")
    axes[-1].grid(alpha=0.3)
    caption = (
        "Left: the same noise, by DDIM with few steps. Right: −log p of samples by the true density, less the entropy "
        "(dashed: perfect samples); Heun has half as many steps, of two passes each but for the last."
    )
    stage.save(figure, "page12_ddpm_steps", "Few steps", "x_s = √ᾱ_s x̂_0 + √(1 − ᾱ_s) ε̂", caption)


def ring() -> GaussianMixtureData:
    """The eight Gaussians, on their own scale: their variance is 12.6."""
    angles = np.arange(8) * np.pi / 4
    return GaussianMixtureData(np.full(8, 1 / 8), 5.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.1)


def draw_short(stage: Stage, rng: np.random.Generator, n: int) -> None:
    """Samples from N(0, I), where that is x_T and where it is not, by the best network."""
    import matplotlib.pyplot as plt

    data = ring()
    x, entropy = data.sample(n, rng), TOYS["eight Gaussians"].entropy()
    figure, axes = plt.subplots(1, len(SHORT) + 1, figsize=(14, 3.4), layout="constrained")
    for i, (ax, steps) in enumerate(zip(axes, SHORT)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PriorGap)  # that is what is shown here
            schedule = linear(steps, 1e-4, 0.02)
        model = DDPM(BestNetwork(data, schedule), schedule, (2,), "x0").part(spaced(steps, 100, "quadratic"))
        start, distance = model.start(n, rng), float(schedule.prior_kl(x).mean())
        drawn = {"DDIM": ddim(model, start), "ancestral": ancestral(model, start, rng)}
        off = [f"{float(-data.log_prob(points).mean() - entropy):.2f} nats by {name}" for name, points in drawn.items()]
        points = drawn["DDIM"]
        ax.scatter(*x[:1000].T, s=3, linewidths=0, color="0.75")
        ax.scatter(*points[:1000].T, s=2, linewidths=0, color=f"C{i}")
        ax.set(title=f"T = {steps}: L_T = {distance:.2g} nats", xticks=[], yticks=[], aspect="equal")
        ax.set(xlim=(-6.5, 6.5), ylim=(-6.5, 6.5))
        histogram(axes[-1], points, color=f"C{i}", label=f"T = {steps}")
        stage.result(
            f"T = {steps}, published βs: KL(q(x_T | x_0) ‖ N(0, I)) is {distance:.2g} nats; −log p of samples is above "
            f"the entropy by {off[0]}, {off[1]}"
        )
    histogram(axes[-1], x, color="k", linestyle="--", label="data")
    axes[-1].set(xlabel="distance from the middle", ylabel="density", ylim=(0, 2.2))  # room for the legend
    axes[-1].legend(fontsize="small", loc="upper left", ncols=2)
    caption = (
        "Eight Gaussians (grey) and draws of DDIM with the best network, β from 0.0001 to 0.02 in T steps. With few, "
        "x_T is not N(0, I): it is wider, and samples that start at N(0, I) end too far within. Right: their distances "
        "from the middle; dashed, those of data."
    )
    stage.save(figure, "page12_ddpm_short", "T too small", "KL(q(x_T | x_0) ‖ N(0, I)) ≈ 0, or else …", caption)


def histogram(ax: Any, points: np.ndarray, **style: Any) -> None:
    """The distances of points from the middle."""
    ax.hist(np.linalg.norm(points, axis=1), np.linspace(3.0, 6.5, 36), histtype="step", density=True, **style)


def run(stage: Stage, seed: int) -> None:
    """Train on both toys, measure, draw."""
    rng = np.random.default_rng(seed)
    steps, n = (800, 300) if stage.quick else (2000, 2000)
    found = {}
    for name, toy in list(TOYS.items())[: 1 if stage.quick else 2]:
        stage.say(f"training on {name}")
        data = Standard(toy, rng)
        model, average = train(data, steps, rng)
        with average.applied():
            averaged = model.state()
        model.load_state(averaged)
        found[name] = data, model
        by_flow = data.gap(flow_log_prob(model), n, rng)
        right = with_right_variance(model, data.sample(500, rng), rng)
        by_bound = data.gap(lambda z, right=right: -terms(right, z, rng).total, n // 2, rng)
        stage.result(
            f"{name}: entropy {data.entropy:.4f} nats; above it, by probability flow {by_flow}, by bound {by_bound}"
        )
        told = classifier_two_sample(model.sample(n, rng), data.sample(n, rng), rng)
        stage.result(f"{name}: samples told from data by their nearest neighbours: {told}, where 0.5 is guessing")
    draw_paths(stage, found, rng, min(n, 800))
    draw_steps(stage, found, rng, n)
    draw_short(stage, rng, 2000)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
