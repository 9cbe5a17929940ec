"""A latent variable makes a model more expressive: lecture page 3, on data from a known mixture of five normals.

One normal distribution, and mixtures of up to eight, are fitted to 1,000 points and judged on 20,000 fresh ones. No
model can beat the negative entropy of the truth, which is computed by quadrature. EM and gradient ascent climb the same
likelihood from the same starts, to the same top. Last, the model is run forwards, z and then x, and backwards, x to z.
"""

from __future__ import annotations

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import no_grad
from scratchgen.latent import GaussianMixture
from scratchgen.latent.exact_em import climb
from scratchgen.latent.mixture_em import em_step, start
from scratchgen.optim import Adam, cosine
from scratchgen.plotting import curves, labelled_scatter

TITLE = "Page 3: a latent variable makes a model more expressive"
SECONDS = 7
ROWS, FRESH = 1000, 20_000
COMPONENTS = 5  # of the truth
MOST = 8  # components of a model
TRIED, STARTS = 24, 4  # random starts, and how many of them are followed
EM_STEPS, GRADIENT_STEPS = 400, 400
SQUARE = 9.0  # half the side of the square that holds all of the truth's probability


def truth() -> GaussianMixture:
    """Five oblong normals on a ring, each turned against it, with different weights."""
    angle = 2 * np.pi * np.arange(COMPONENTS) / COMPONENTS
    along = np.stack([np.cos(angle + 0.9), np.sin(angle + 0.9)], axis=1)
    means = 2.2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return GaussianMixture.of(
        [0.3, 0.1, 0.25, 0.15, 0.2], means, 0.08 * np.eye(2) + 0.8 * along[:, :, None] * along[:, None]
    )


def log_prob(model: GaussianMixture, x: np.ndarray) -> np.ndarray:
    """log p(x) as a plain array."""
    with no_grad():
        return model.log_prob(x).data


def midpoints(half: float, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Those of the cells of a square around 0: along one side, (cells,), and in the plane, (cells², 2)."""
    side = half * (2 * np.arange(cells) + 1 - cells) / cells
    return side, np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def entropy(model: GaussianMixture, cells: int = 400) -> float:
    """−∫ p log p, by the midpoint rule on the square, in nats."""
    log_p = log_prob(model, midpoints(SQUARE, cells)[1])
    return float(-np.sum(np.exp(log_p) * log_p) * (2 * SQUARE / cells) ** 2)


def starts(x: np.ndarray, components: int, rng: np.random.Generator) -> list[GaussianMixture]:
    """The most likely of many random starts."""
    tried = [start(x, components, rng) for _ in range(TRIED)]
    return sorted(tried, key=lambda model: -np.mean(log_prob(model, x)))[:STARTS]


def best_fit(x: np.ndarray, components: int, rng: np.random.Generator) -> GaussianMixture:
    """The most likely of the mixtures that EM finds from several starts."""
    fits = [climb(em_step, model, x, EM_STEPS, tolerance=1e-6) for model in starts(x, components, rng)]
    return max(fits, key=lambda fit: fit.log_likelihoods[-1]).model


def ascend(model: GaussianMixture, x: np.ndarray, steps: int = GRADIENT_STEPS) -> np.ndarray:
    """Adam on the exact log-likelihood; its mean before each step and at the end, (steps + 1,)."""
    optimizer, schedule, path = Adam(model.parameters()), cosine(0.1, steps), []
    for step in range(steps):
        optimizer.lr = schedule(step)
        optimizer.zero_grad()
        loss = model.loss(x)
        loss.backward()
        optimizer.step()
        path.append(-float(loss.data))
    return np.array([*path, np.mean(log_prob(model, x))])


def run(stage: Stage, seed: int) -> None:
    """Fit, climb, and sample."""
    rng = np.random.default_rng(seed)
    true = truth()
    x, fresh = true.sample(ROWS, rng), true.sample(FRESH, rng)
    best = -entropy(true)
    stage.say(f"no model's mean log-likelihood exceeds {best:.4f}, minus the entropy")
    models = {k: best_fit(x, k, rng) for k in range(1, MOST + 1)}
    show_models(stage, models, x, fresh, best)
    show_climb(stage, x, rng)
    show_ancestry(stage, models[COMPONENTS], true, rng)


def show_models(
    stage: Stage, models: dict[int, GaussianMixture], x: np.ndarray, fresh: np.ndarray, best: float
) -> None:
    """The densities of one component and of five beside the true one, and all log-likelihoods against −entropy.

    E[log p_model] is −entropy − KL(truth ‖ model), and the KL is estimated from fresh data. Their mean log p_model by
    itself has the same expectation, but moves up and down with the data drawn, by more than what is to be seen.
    """
    import matplotlib.pyplot as plt

    of_truth = log_prob(truth(), fresh)
    lacks = {k: of_truth - log_prob(model, fresh) for k, model in models.items()}
    scores = {k: best - float(np.mean(lack)) for k, lack in lacks.items()}
    for k, name in ((1, "one normal"), (COMPONENTS, f"a mixture of {COMPONENTS}")):
        error = np.std(lacks[k]) / np.sqrt(FRESH)
        stage.result(f"{name}: {scores[k]:.4f} ± {error:.4f} nats for fresh data; the limit, −entropy, is {best:.4f}")
    parameters = COMPONENTS * 6 - 1
    stage.result(
        f"the mixture's KL from the truth: {np.mean(lacks[COMPONENTS]):.4f} nats; {parameters} parameters fitted to "
        f"{ROWS:,} data are expected to cost about {parameters} / {2 * ROWS:,} = {parameters / 2 / ROWS}"
    )
    side, points = midpoints(5.0, 200)
    drawn = {
        f"one normal: {scores[1]:.2f} nats": models[1],
        f"mixture of {COMPONENTS}: {scores[COMPONENTS]:.2f} nats": models[COMPONENTS],
        f"truth: −entropy = {best:.2f} nats": truth(),
    }
    levels = np.linspace(0, np.exp(log_prob(truth(), points)).max(), 12)[1:]
    figure, panels = plt.subplots(1, 3, figsize=(12, 4.5), layout="constrained", sharex=True, sharey=True)
    for ax, (title, model) in zip(panels, drawn.items()):
        ax.plot(*x[:400].T, ".", color="0.75", markersize=2)
        shade = np.exp(log_prob(model, points)).reshape(len(side), -1)
        ax.contour(side, side, shade, levels, cmap="viridis", linewidths=1)
        ax.set(title=title, aspect="equal", xlim=(-5, 5), ylim=(-5, 5))
    stage.save(
        figure,
        "page03_densities",
        "One normal distribution, and a mixture of them",
        "p(x) = Σ_z p(z) p(x | z)",
        "Contours of p(x), at the same heights in each picture, over some of the data. Each p(x | z) of the mixture "
        "is a normal distribution too; their sum is not. In the titles the log-likelihood to expect of fresh data.",
    )

    figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    seen = [float(np.mean(log_prob(model, x))) for model in models.values()]
    lines = {"fresh data, expected": (list(models), list(scores.values())), "the data fitted to": (list(models), seen)}
    curves(lines, ax, {"−entropy": best}, xlabel="components", ylabel="mean log p(x), nats")
    stage.save(
        figure,
        "page03_components",
        "How many components?",
        "E[log p_model(x)] ≤ −H(x)",
        f"The best of {STARTS} fits for each number of components. The more components, the likelier are the {ROWS:,} "
        "data that they were fitted to; but the likelihood to expect of fresh data has a limit, that of the truth.",
    )


def show_climb(stage: Stage, x: np.ndarray, rng: np.random.Generator) -> None:
    """EM and gradient ascent from the same starts."""
    import matplotlib.pyplot as plt

    models = starts(x, COMPONENTS, rng)
    by_em = [climb(em_step, model, x, EM_STEPS, tolerance=1e-12).log_likelihoods for model in models]
    by_gradient = [ascend(model, x) for model in models]
    ends = {"EM": [path[-1] for path in by_em], "gradient ascent": [path[-1] for path in by_gradient]}
    top = float(max(max(end) for end in ends.values()))
    for name, end in ends.items():
        there = sum(value > top - 1e-6 for value in end)
        stage.result(f"{name}: highest log-likelihood {max(end):.8f} nats, reached from {there} of {STARTS} starts")
    stage.result(f"EM: the largest fall in any step was {max(0.0, *(-np.diff(path).min() for path in by_em)):.1e} nats")

    figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for paths, colour in ((by_em, "#3b75af"), (by_gradient, "#d1495b")):
        for path in paths:
            ax.plot(path, color=colour, linewidth=1.2)
    for name, colour in zip(ends, ("#3b75af", "#d1495b")):
        ax.plot([], [], color=colour, label=name)
    curves({}, ax, {"the highest end": top}, xlabel="step (logarithmic)", ylabel="mean log p(x), nats")
    ax.set_xscale("symlog", linthresh=1)  # logarithmic, and yet with step 0: the start
    ax.set_xlim(0, None)
    ax.set_xticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    stage.save(
        figure,
        "page03_climb",
        "EM and gradient ascent reach the same top",
        "EM: r = p(z | x) and then p(z), p(x | z) from the data weighted by r;    gradient: ∇ log Σ_z p(x, z)",
        f"A mixture of {COMPONENTS} from {STARTS} starts by k-means++. EM needs no step size and never falls; gradient "
        "ascent, by Adam, needs only log p(x). A path can end on a lower top, short of the dashed line: hence several.",
    )


def show_ancestry(stage: Stage, model: GaussianMixture, true: GaussianMixture, rng: np.random.Generator) -> None:
    """Ancestral sampling: z, then x given z; then z given x."""
    import matplotlib
    import matplotlib.pyplot as plt

    order = matched(model, true)
    with no_grad():
        z = model.prior().sample(ROWS, rng)
        x = model.decode(z).sample((), rng)
        r = model.responsibilities(x).data
    expected = float(np.mean(np.max(model.responsibilities(model.sample(FRESH, rng)).data, axis=1)))
    guessed = float(np.mean(np.argmax(r, axis=1) == z))
    stage.result(f"the most probable z given x is right for {guessed:.3f} of the draws, expected {expected:.3f}")

    widths = [1, 1.4, 1.2]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", width_ratios=widths)
    share = np.bincount(z, minlength=COMPONENTS)[order] / ROWS
    colours = matplotlib.colormaps["tab10"](np.arange(COMPONENTS))
    left.bar(range(COMPONENTS), share, color=colours, alpha=0.7)
    for k, (fitted, weight) in enumerate(zip(model.weights.data[order], true.weights.data)):
        left.hlines([fitted], k - 0.4, k + 0.4, "k", linewidth=1, label="p(z) of the model" if k == 0 else None)
        left.hlines([weight], k - 0.4, k + 0.4, "k", "--", linewidth=1, label="of the truth" if k == 0 else None)
    left.set(title="1. z ~ p(z)", xlabel="z", ylabel="share of the draws", ylim=(0, 0.42))
    left.legend(fontsize="small")
    labelled_scatter(x, np.argsort(order)[z], middle, size=7)
    middle.get_legend().set_title("z")
    middle.set_title("2. x ~ p(x | z)")
    right.scatter(*x.T, s=7, color=np.clip(r[:, order] @ colours[:, :3], 0, 1), linewidths=0)
    right.set(title="backwards: p(z | x)", aspect="equal")
    stage.save(
        figure,
        "page03_ancestry",
        "Ancestral sampling, and the way back",
        "z ~ p(z),  x ~ p(x | z);    p(z | x) = p(z) p(x | z) / p(x)",
        "Left and middle: draws from the fitted mixture, first z, then x. Right: the same x without their z; the "
        "colours are mixed by the responsibilities p(z | x). Where components overlap, x does not tell z for certain.",
    )


def matched(model: GaussianMixture, true: GaussianMixture) -> np.ndarray:
    """For each component of the truth, the one of the model that is nearest to it: names can be exchanged."""
    from scipy.optimize import linear_sum_assignment

    distance = np.linalg.norm(true.means.data[:, None] - model.means.data, axis=-1)
    return linear_sum_assignment(distance)[1]


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
