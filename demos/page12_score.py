"""Score matching in three ways, and the same score; then a score at all times (lecture page 12).

What is to be learned is ∇ log p(x), from draws of x alone. Three objectives do it, and differ by numbers that do not
depend on the network: the explicit one with the trace of the Jacobian, the sliced one with a random product instead,
and the denoising one without any derivative, which compares with the noise that was added. The data are a mixture of
three normal distributions with noise on them: density, score and the least value of each objective are known.

The fourth network is an energy, whose gradient is the score; up to a constant, minus the energy is log p. The fifth is
told the time, and learns the scores of a whole SDE at once; its loss is compared with that of the exact score.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import no_grad
from scratchgen.diffusion import (
    VP,
    DenoisingScoreMatching,
    EnergyScore,
    ExplicitScoreMatching,
    GaussianMixtureData,
    Marginals,
    ResidualNet,
    ScoreMatching,
    ScoreModel,
    SlicedScoreMatching,
)
from scratchgen.distributions.distribution import values
from scratchgen.nn import MLP, Linear, Module
from scratchgen.optim import Adam, cosine

TITLE = "Page 12: score matching, three ways, same score"
SECONDS, QUICK_SECONDS = 20, 6
STD, HIDDEN = 0.5, 64
STEPS, TIME_STEPS, QUICK, BATCH, LR = 3000, 6000, 0.2, 256, 3e-3
EVERY, HELD_OUT = 100, 10_000
TIMES = (0.05, 0.2, 0.5)
DATA = GaussianMixtureData(
    [0.3, 0.4, 0.3],
    [[-1.6, -0.6], [0.0, 0.9], [1.6, -0.6]],
    [[[0.15, 0.12], [0.12, 0.35]], [[0.5, 0.0], [0.0, 0.06]], [[0.15, -0.12], [-0.12, 0.35]]],
)
NOISY = GaussianMixtureData(DATA.weights, DATA.means, DATA.covariances + STD**2 * np.eye(2))
SPAN = 5.5


def grid(n: int, span: float = SPAN) -> np.ndarray:
    """n × n points of the square [−span, span]²."""
    axis = np.linspace(-span, span, n)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def average(data: GaussianMixtureData, f: np.ndarray) -> float:
    """E f(x), by summing over ``grid(121)``, of f there."""
    points = grid(121)
    return float(np.exp(data.log_prob(points)) @ f * (2 * SPAN / 120) ** 2)


def score_norm() -> float:
    """E |∇ log p(x)|² of the noisy data."""
    return average(NOISY, np.sum(NOISY.score(grid(121)) ** 2, axis=1))


def distance(score: Module) -> float:
    """½ E |s(x) − ∇ log p(x)|², in float64."""
    with no_grad():
        difference = values(score.astype(np.float64)(grid(121))) - NOISY.score(grid(121))
    return 0.5 * average(NOISY, np.sum(difference**2, axis=1))


class Energy(Module):
    """A network of one output without a bias: a constant has no part in the score, and no gradient."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.body, self.last = MLP([2, HIDDEN, HIDDEN], rng, np.tanh), Linear(HIDDEN, 1, rng, bias=False)

    def forward(self, x: Any) -> Any:
        """(B, 2) → (B, 1)."""
        return self.last(np.tanh(self.body(x)))


def ways(rng: np.random.Generator) -> dict[str, tuple[ScoreMatching, float]]:
    """Name → what is trained, and the least value of its objective."""

    def net() -> MLP:
        return MLP([2, HIDDEN, HIDDEN, 2], rng, np.tanh)

    norm = score_norm()
    of_noise = 0.5 * (2 / STD**2 - norm)  # E |ε/σ|² less that of its best guess, which is the score
    return {
        "explicit": (ExplicitScoreMatching(net()), -0.5 * norm),
        "sliced": (SlicedScoreMatching(net()), -0.5 * norm),
        "denoising": (DenoisingScoreMatching(net(), STD), of_noise),
        "denoising, an energy": (DenoisingScoreMatching(EnergyScore(Energy(rng)), STD), of_noise),
    }


def draws(matching: ScoreMatching, n: int, rng: np.random.Generator) -> np.ndarray:
    """x for its loss: of the noisy data; of the clean ones, if it adds the noise itself."""
    data = DATA if isinstance(matching, DenoisingScoreMatching) else NOISY
    return data.sample(n, rng).astype(np.float32)


def train(matching: ScoreMatching, steps: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Steps of Adam on fresh draws.

    Returns:
        steps, the objective after each of them on held-out draws, and what the true score has on the same.
    """
    optimizer, schedule = Adam(matching.parameters(), LR), cosine(LR, steps, warm_up=steps // 20)
    held_out, noise = draws(matching, HELD_OUT, rng), int(rng.integers(2**31))
    at, objectives = [], []
    for step in range(steps + 1):
        if step % EVERY == 0 or step == steps:
            at.append(step)
            objectives.append(float(matching.loss(held_out, noise)))
        if step < steps:
            optimizer.lr = schedule(step)
            optimizer.zero_grad()
            matching.loss(draws(matching, BATCH, rng), rng).backward()
            optimizer.step()
    mine, matching.score = matching.score, Exact()
    exact = float(matching.loss(held_out, noise))
    matching.score = mine
    return np.array(at), np.array(objectives), exact


def train_in_time(model: ScoreModel, steps: int, rng: np.random.Generator) -> None:
    """The same for the score at all times."""
    optimizer, schedule = Adam(model.parameters(), LR), cosine(LR, steps, warm_up=steps // 20)
    for step in range(steps):
        optimizer.lr = schedule(step)
        optimizer.zero_grad()
        model.loss(DATA.sample(BATCH, rng).astype(np.float32), rng).backward()
        optimizer.step()


class Exact(Module):
    """The true score of the noisy data."""

    def forward(self, x: Any) -> Any:
        """(B, 2) → (B, 2)."""
        return NOISY.score(x)


class ExactNoise(Module):
    """What the network of a ``ScoreModel`` should say: −s(t) ∇ log p_t(x)."""

    def __init__(self, p: Marginals) -> None:
        self.p = p

    def forward(self, x: Any, t: Any) -> Any:
        """Of the shape of x."""
        return -self.p.sde.marginal(t)[1][:, None] * self.p.score(x, t)


def run(stage: Stage, seed: int) -> None:
    """Train the four and the one in time, and draw their scores on the true one."""
    rng = np.random.default_rng(seed)
    steps, time_steps = (int(n * QUICK) if stage.quick else n for n in (STEPS, TIME_STEPS))
    norm, trained, history = score_norm(), ways(rng), {}
    stage.result(f"E|∇ log p|² of the noisy data {norm:.4f}: the distance ½ E|s − ∇ log p|² of s = 0 is {norm / 2:.4f}")
    for name, (matching, least) in trained.items():
        history[name] = train(matching, steps, rng)
        _, objectives, exact = history[name]
        stage.result(
            f"{name}: objective {objectives[-1]:.3f} on {HELD_OUT} draws, {exact:.3f} with the true score on the same, "
            f"least value {least:.3f}; distance to the true score {distance(matching.score):.4f}, least 0"
        )
    energy = trained["denoising, an energy"][0].score.energy.astype(np.float64)
    with no_grad():
        free = -values(energy(grid(121)))[:, 0] - NOISY.log_prob(grid(121))
    mean = average(NOISY, free)
    spread = average(NOISY, (free - mean) ** 2) ** 0.5
    stage.result(f"the energy: −E(x) − log p(x) is {mean:.2f} ± {spread:.3f} over the data, in theory a constant")
    draw_ways(stage, trained, history)

    p = DATA.diffused(VP())
    model = ScoreModel(ResidualNet(2, rng, width=HIDDEN, blocks=2), p.sde)
    train_in_time(model, time_steps, rng)
    x, noise = np.repeat(DATA.sample(5000, rng), 4, axis=0), int(rng.integers(2**31))
    model = model.astype(np.float64)
    with no_grad():
        found, best = (float(m.loss(x, noise)) for m in (model, ScoreModel(ExactNoise(p), p.sde)))
    stage.result(
        f"in time: E|net − ε|² {found:.4f} on {len(x)} draws, {best:.4f} with the exact score on the same, "
        f"{100 * (found / best - 1):.1f} % above"
    )
    draw_times(stage, model, p)


def arrows(ax: Any, true: np.ndarray, learned: np.ndarray, places: np.ndarray) -> None:
    """The true score in grey, wide, and the learned one in red on it, thin; long ones shortened alike."""
    for score, colour, width in ((true, "0.7", 0.012), (learned, "tab:red", 0.004)):
        length = np.linalg.norm(score, axis=1, keepdims=True)
        shown = 0.5 * score / (1 + length)
        ax.quiver(
            *places.T, *shown.T, color=colour, width=width, angles="xy", scale_units="xy", scale=1, headwidth=2.5,
            headlength=3, headaxislength=3,
        )  # fmt: skip


def hills(ax: Any, data: GaussianMixtureData, span: float, a: float = 1.0, s: float = 0.0) -> None:
    """The true density, as dashed lines."""
    axis = np.linspace(-span, span, 121)
    density = np.exp(data.log_prob(grid(121, span), a, s)).reshape(121, 121)
    levels = density.max() * np.array([0.05, 0.4])
    ax.contour(axis, axis, density, levels=levels, colors="k", linestyles="--", linewidths=0.7)
    ax.set(xlim=(-span, span), ylim=(-span, span), aspect="equal", xticks=[], yticks=[])


def draw_ways(stage: Stage, trained: dict[str, Any], history: dict[str, Any]) -> None:
    """Four scores as arrows, and the objectives."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 5, figsize=(17, 4), layout="constrained", width_ratios=(3, 3, 3, 3, 4))
    places = grid(13, 3.2)
    for ax, (name, (matching, _)) in zip(axes, trained.items()):
        with no_grad():
            learned = values(matching.score.astype(np.float64)(places))
        hills(ax, NOISY, 3.5)
        arrows(ax, NOISY.score(places), learned, places)
        ax.set_title(name)
    for (name, (at, objective, _)), colour in zip(history.items(), ("tab:blue", "tab:orange", "tab:green", "tab:red")):
        axes[4].plot(at, objective, color=colour, lw=1.2, label=name)
    for least in sorted({round(least, 9) for _, least in trained.values()}):
        axes[4].axhline(least, color="k", ls="--", lw=1, label=f"least value {least:.2f}".replace("-", "−"))
    low = min(least for _, least in trained.values())
    axes[4].set(xlabel="step", title="objectives on held-out draws", ylim=(low - 0.5, None))
    axes[4].legend(fontsize="small", loc="center right")
    axes[4].grid(alpha=0.3)
    stage.save(
        figure,
        "page12_score",
        "Score matching, three ways, same score",
        "E[½|s|² + tr ∂s/∂x],   E[½|s|² + εᵀ(∂s/∂x)ε],   ½ E|s(x + σε) + ε/σ|²",
        "Grey and wide: the true score. Red and thin: what was learned. Arrows of length l are drawn as l / (1 + l). "
        "Dashed: the true density of the noisy data, and on the right the least values of the objectives, at which two "
        "curves each end.",
    )


def draw_times(stage: Stage, model: ScoreModel, p: Marginals) -> None:
    """The learned score at three times, on the true one."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(TIMES), figsize=(11, 4), layout="constrained")
    places = grid(13, 3.2)
    for ax, t in zip(axes, TIMES):
        a, s = (float(each) for each in p.sde.marginal(t))
        with no_grad():
            learned = values(model(places, t))
        hills(ax, DATA, 3.5, a, s)
        arrows(ax, p.score(places, t), learned, places)
        ax.set_title(f"t = {t:g}")
    stage.save(
        figure,
        "page12_score_times",
        "One network for all times",
        "E_t E|net(x_t, t) − ε|²,   ∇ log p_t(x) ≈ −net(x, t) / s(t)",
        "Grey and wide: the true score of p_t. Red and thin: that of a network which guesses noise; lengths as before. "
        "Dashed: p_t. Far from all data there was nothing to learn from.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
