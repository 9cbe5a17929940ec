"""Flow matching beside diffusion: how straight the paths are, and how many steps they take (lecture page 12).

Both turn noise into data along an ODE. Flow matching learns from straight lines; but lines that cross are averaged, and
paths that follow the average are bent: at first all of them make for the mean of the data. Two remedies: pairs of data
and noise by optimal transport within each batch, and rectifying, which is training again on the model's own pairs.

The data are six normal distributions on a ring. Score and velocity are known: diffusion and plain flow matching are
followed without learning, so that errors of few steps are errors of steps alone. With the two remedies the flow is
learned. What networks of one size lack, with remedies, without, and as a diffusion that guesses noise, is told by
likelihoods beside the entropy, and for plain flow matching by its loss beside that of the exact velocity on the same
draws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import no_grad
from scratchgen.diffusion import (
    VP,
    ExactVelocity,
    FlowMatching,
    GaussianMixtureData,
    ResidualNet,
    ScoreModel,
    euler_maruyama,
    heun,
    log_likelihood,
    own_pairs,
    straightness,
)
from scratchgen.nn import Module
from scratchgen.optim import Adam, cosine

TITLE = "Page 12: flow matching and diffusion, straight and bent"
SECONDS, QUICK_SECONDS = 50, 18
STEPS, PAIRS, TESTED, QUICK = 2000, 10_000, 1500, 0.3
BATCH, WIDTH, BLOCKS, LR = 256, 64, 2, 3e-3
PATHS, ENDS, FINE = 40, 1000, 200
NUMBERS = (1, 2, 4, 8, 16, 32)
ANGLES = 2 * np.pi * np.arange(6) / 6
DATA = GaussianMixtureData(np.full(6, 1 / 6), 1.4 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1), 0.04)
SDE = VP()
COLOURS = {"diffusion": "tab:red", "flow matching": "tab:blue", "optimal pairs": "tab:green", "rectified": "tab:purple"}
Walk = Callable[[np.ndarray, int, str, bool], np.ndarray]  # (noise, steps, method, path) ↦ where they lead


def entropy_of(data: GaussianMixtureData) -> float:
    """−∫ p log p in nats, by summing over a grid that is fine beside the modes."""
    axis = np.linspace(-4, 4, 401)
    log_prob = data.log_prob(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    return float(-np.sum(np.exp(log_prob) * log_prob) * (axis[1] - axis[0]) ** 2)


def train(model: Module, loss: Callable[[], Any], steps: int) -> Any:
    """Steps of Adam; the model in float64, for what is measured on it."""
    optimizer, schedule = Adam(model.parameters(), LR), cosine(LR, steps, warm_up=steps // 20)
    for step in range(steps):
        optimizer.lr = schedule(step)
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    return model.astype(np.float64)


def net(rng: np.random.Generator) -> ResidualNet:
    """The same network for all."""
    return ResidualNet(2, rng, width=WIDTH, blocks=BLOCKS)


def flow_matching(data: GaussianMixtureData, pairing: str, steps: int, rng: np.random.Generator) -> FlowMatching:
    """A flow that is trained on fresh draws."""
    model = FlowMatching(net(rng), (2,), pairing)
    trained: FlowMatching = train(model, lambda: model.loss(data.sample(BATCH, rng).astype(np.float32), rng), steps)
    return trained


def rectified(first: FlowMatching, pairs: int, steps: int, rng: np.random.Generator) -> FlowMatching:
    """A flow that is trained on the pairs of the first."""
    x0, x1 = (each.astype(np.float32) for each in own_pairs(first, pairs, rng, steps=30))
    model = FlowMatching(net(rng), (2,))

    def loss() -> Any:
        rows = rng.integers(0, pairs, BATCH)
        return np.mean(model.losses(x0[rows], rng.random(BATCH), x1[rows]))

    trained: FlowMatching = train(model, loss, steps)
    return trained


def along(model: FlowMatching) -> Walk:
    """The way of a flow, in equal steps."""
    return lambda x, n, method, path: model.follow(x, np.linspace(1, 0, n + 1), method, path=path)


def along_diffusion(score: Any) -> Walk:
    """The way of the probability flow, in steps that are shorter near the data: t = u²."""
    flow, methods = SDE.reverse(score, probability_flow=True), {"euler": euler_maruyama, "heun": heun}
    return lambda x, n, method, path: methods[method](flow, x, np.linspace(1, 0, n + 1) ** 2, path=path)


class Studied(NamedTuple):
    """Its ends, and straightness; by method and evaluations, how far it misses the ends, and E[−log p_0] there."""

    ends: np.ndarray
    straight: float
    missed: dict[str, list[tuple[int, float]]]
    costs: dict[str, list[tuple[int, float]]]


def studied(walk: Walk, noise: np.ndarray, data: GaussianMixtureData) -> Studied:
    """Fewer steps against ``FINE`` of them."""
    path = walk(noise, FINE, "heun", True)
    missed: dict[str, list[tuple[int, float]]] = {"euler": [], "heun": []}
    costs: dict[str, list[tuple[int, float]]] = {"euler": [], "heun": []}
    for method, each in (("euler", 1), ("heun", 2)):
        for n in NUMBERS:
            end = walk(noise, n, method, False)
            missed[method].append((each * n, float(np.mean(np.sum((end - path[-1]) ** 2, axis=1)) ** 0.5)))
            costs[method].append((each * n, float(-np.mean(data.log_prob(end)))))
    return Studied(path[-1], float(straightness(path, np.linspace(1, 0, FINE + 1)).mean()), missed, costs)


def run(stage: Stage, seed: int) -> None:
    """Train, follow, and compare with what is known."""
    rng, data, entropy = np.random.default_rng(seed), DATA, entropy_of(DATA)
    steps, pairs, tested = (int(n * QUICK) if stage.quick else n for n in (STEPS, PAIRS, TESTED))
    score = ScoreModel(net(rng), SDE)
    train(score, lambda: score.loss(data.sample(BATCH, rng).astype(np.float32), rng), steps)
    plain, optimal = (flow_matching(data, pairing, steps, rng) for pairing in ("independent", "optimal"))
    straighter = rectified(plain, pairs, steps, rng)
    exact = FlowMatching(ExactVelocity(data), (2,))

    x, noise = data.sample(20_000, rng), rng.standard_normal((20_000, 2))
    t = rng.random(len(x))
    with no_grad():
        found, least = (float(np.mean(model.losses(x, t, noise))) for model in (plain, exact))
    stage.result(
        f"flow matching: loss {found:.4f} on {len(x)} draws, {least:.4f} with the exact velocity on the same, "
        f"{100 * (found / least - 1):.1f} % above"
    )
    x = data.sample(tested, rng)
    truth = data.log_prob(x)
    likelihoods = {"diffusion": log_likelihood(SDE, score, x, start=1e-3, tolerance=1e-5).log_prob}
    with no_grad():
        for name, model in {"flow matching": plain, "optimal pairs": optimal, "rectified": straighter}.items():
            likelihoods[name] = model.flow(25).log_prob(x)
    for name, log_prob in likelihoods.items():
        gap = truth - log_prob
        stage.result(
            f"{name}, learned: NLL {entropy + gap.mean():.3f} nats, entropy {entropy:.3f}, "
            f"gap {gap.mean():.3f} ± {gap.std() / len(x) ** 0.5:.3f}"
        )

    noise = rng.standard_normal((ENDS, 2))
    ways = {
        "diffusion": along_diffusion(data.diffused(SDE).score),
        "flow matching": along(exact),
        "optimal pairs": along(optimal),
        "rectified": along(straighter),
    }
    found_of = {name: studied(walk, noise, data) for name, walk in ways.items()}
    for name, each in found_of.items():
        (_, one), *_, (few, eight) = each.missed["euler"][:4]
        length = "exact" if name in ("diffusion", "flow matching") else "learned"
        stage.result(
            f"{name}, {length}: straightness {each.straight:.3f}; Euler misses the end by {one:.3f} in 1 step, by "
            f"{eight:.3f} in {few}"
        )
    apart = found_of["diffusion"].ends - found_of["flow matching"].ends
    stage.result(
        f"from the same noise the exact flows of diffusion and flow matching end {np.mean(apart**2) ** 0.5:.1e} apart "
        "(root mean square): they are one map, walked by two clocks"
    )
    draw_paths(stage, ways, found_of, data, noise)
    draw_steps(stage, found_of, entropy)


def draw_paths(
    stage: Stage, ways: dict[str, Walk], found: dict[str, Studied], data: GaussianMixtureData, noise: np.ndarray
) -> None:
    """Paths from the same noise, by each way."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(15, 3.9), layout="constrained", sharex=True, sharey=True)
    axis = np.linspace(-3, 3, 121)
    places = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    density = np.exp(data.log_prob(places)).reshape(121, 121)
    for ax, (name, walk) in zip(axes, ways.items()):
        path = walk(noise[:PATHS], 200, "heun", True)
        ax.plot(path[..., 0], path[..., 1], color=COLOURS[name], lw=0.8)
        ax.scatter(*path[0].T, s=10, color="0.4", zorder=3)
        ax.scatter(*path[-1].T, s=10, color="k", zorder=3)
        ax.contour(axis, axis, density, levels=[0.1 * density.max()], colors="k", linestyles="--", linewidths=0.8)
        learned = "" if name in ("diffusion", "flow matching") else ", learned"
        ax.set(title=f"{name}{learned}: straightness {found[name].straight:.3f}")
        ax.set(xlim=(-2.7, 2.7), ylim=(-2.4, 2.4), aspect="equal", xticks=[], yticks=[])
    stage.save(
        figure,
        "page12_flow_matching",
        "Paths from noise to data, bent and straight",
        "dx/dt = f − ½ g² ∇ log p_t(x),   dx/dt = E[x_1 − x_0 | x_t = x],   ∫|dx/dt|² dt − |x_1 − x_0|²",
        "From the same noise, grey, to data, black; dashed, where the data are. The first two are exact: the "
        "probability flow of VP, and flow matching with independent pairs, which leads to nearly the same ends. Then "
        "two that are learned: with the pairs of optimal transport, and rectified. Straightness, the mean of "
        f"{len(noise)} paths, is 0 for straight ones of constant speed, by the clock in which steps are equal.",
    )


def draw_steps(stage: Stage, found: dict[str, Studied], entropy: float) -> None:
    """On the left how far the end is missed, on the right what the draws are worth, against evaluations."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(15, 4.4), layout="constrained")
    for ax, method, order in ((axes[0], "euler", 1), (axes[1], "heun", 2)):
        for name, each in found.items():
            n, error = np.array(each.missed[method]).T
            ax.loglog(n, error, "o-", ms=4, color=COLOURS[name], label=name)
        n = np.array([8.0, n[-1]])
        ax.loglog(n, 0.25 * (8 / n) ** order, "k--", lw=1, label=f"slope −{order}")
        ax.set(xlabel="evaluations of the network", title=f"{method.capitalize()}: root mean square miss of the end")
        ax.grid(alpha=0.3, which="both")
    for name, each in found.items():
        axes[2].plot(*np.array(each.costs["euler"]).T, "o-", ms=4, color=COLOURS[name], label=name)
    axes[2].axhline(entropy, color="k", ls="--", lw=1, label="entropy")
    axes[2].set(xlabel="evaluations of the network", title="Euler: E[−log p_0] of the draws, nats", xscale="log")
    axes[2].set_ylim(entropy - 1.0, entropy + 8.0)
    axes[2].grid(alpha=0.3)
    ticks = [1, 2, 4, 8, 16, 32, 64]
    for ax in axes:
        ax.legend(fontsize="small")
        ax.set_xticks(ticks, map(str, ticks))
        ax.set_xticks([], minor=True)
    stage.save(
        figure,
        "page12_flow_matching_steps",
        "How many steps",
        "x_{t+h} = x_t + h v(x_t, t)",
        f"Left and middle: how far few steps lead from where {FINE} of Heun's do, for diffusion and flow matching with "
        "exact velocities, for the others with learned ones. Dashed: the slopes of first and second order; Heun's "
        "steps along learned velocities do not reach theirs. Right: what the draws of Euler cost by the true density; "
        "it has to be the entropy, dashed.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
