"""Tighter bounds from K samples: the importance-weighted autoencoder (lecture page 9).

z ~ N(0, 1) and x = z² + noise. The sign of z is lost, so the posterior p(z | x) has two modes, near ±√x, and no
Gaussian q(z | x) can be it. The decoder is the true one and only q is trained, with K samples of z: with one, which is
the ELBO of a VAE, and with ten. z is one number, so log p(x) is known, by quadrature.

The bound rises with K. With the q of the ELBO, which has settled on one of the two modes, it all but stops at
log p(x) − log 2: the other half of p(x) is never hit. The q of ten samples covers both.

Then single draws of the gradient of the bound to q. The larger K, the more of it is noise; not so, if it is doubly
reparameterised.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import no_grad
from scratchgen.latent import IWAE, ConstantVarianceLikelihood, PerExample, log_weights, marginal_by_grid
from scratchgen.nn import MLP, Module
from scratchgen.optim import Adam, cosine
from scratchgen.training import fit

TITLE = "Page 9: tighter bounds from K samples"
SECONDS = 8
VARIANCE = 0.1  # of the noise
TRAINED_WITH = {1: "#c44e52", 10: "#3b75af"}  # K in the training of q, and its colour
LADDER = [1, 2, 10, 50, 100, 500, 1000]  # each is a multiple of the one before: the same weights make all bounds
GRADIENTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
STEPS, LR, N, TEST = 3000, 5e-3, 5000, 300
ONE, NODES, DRAWS, REPEATS = np.array([[1.5]]), 2001, 1_000_000, 3000


class Square(Module):
    """The decoder: the mean of x is z²."""

    def forward(self, z: Any) -> Any:
        """(B, 1) → (B, 1)."""
        return z * z


def model_with(encoder: Module, samples: int, dreg: bool = False) -> IWAE:
    """The model z ~ N(0, 1), x = z² + noise, with the q of this encoder. Nothing but q is trained."""
    likelihood = ConstantVarianceLikelihood(1, VARIANCE, learned=False, dtype=np.float64)
    return IWAE(encoder, Square(), likelihood, latent=1, samples=samples, dreg=dreg)


def train(samples: int, x: np.ndarray, rng: np.random.Generator, steps: int) -> IWAE:
    """Fit q by the bound with this K."""
    model = model_with(MLP([1, 32, 32, 2], rng, "tanh", dtype=np.float64), samples, dreg=samples > 1)
    optimizer, schedule = Adam(model.parameters(), lr=LR), cosine(LR, steps)
    fit(model, x, optimizer=optimizer, batch_size=100, steps=steps, schedule=schedule, rng=rng)
    return model


# -- the ladder ----------------------------------------------------------------------------------------------------


def ladder(model: IWAE, x: np.ndarray, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The bound for each K of LADDER, averaged over x, and its standard error from the draws: (len(LADDER),) each.

    The weights of each x are cut into groups of K, whose bounds are averaged.
    """
    with no_grad():
        q = model.encode(x)
        log_w = log_weights(model, x, q, q.sample(draws, rng)).data  # (draws, B)
    means, errors = [], []
    for k in LADDER:
        groups = np.logaddexp.reduce(log_w.reshape(draws // k, k, -1), axis=1) - np.log(k)  # (groups, B)
        means.append(groups.mean())
        errors.append(np.sqrt(np.mean(groups.var(axis=0, ddof=1)) / groups.size))
    return np.array(means), np.array(errors)


def listed(bounds: np.ndarray) -> str:
    """The bounds with their K."""
    return ", ".join(f"{bound:.4f} ({k})" for k, bound in zip(LADDER, bounds))


def point_below(ax: Any, text: str, bottom: float, colour: str) -> None:
    """An arrow at K = 1, down to the lower edge of the picture, for a dot that is below it."""
    arrow = {"arrowstyle": "->", "color": colour}
    ax.annotate(text, (1, bottom), (1, bottom + 0.6), arrowprops=arrow, color=colour, fontsize="small", ha="center")


def draw_ladder(stage: Stage, models: dict[int, IWAE], rng: np.random.Generator) -> None:
    """The bounds of one x against quadrature; and both q beside its posterior."""
    import matplotlib.pyplot as plt

    z, prior = np.linspace(-2.5, 2.5, 501)[:, None], models[1].prior(ONE)
    truth = float(marginal_by_grid(models[1], ONE, NODES).value[0])
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for k, model in models.items():
        bounds, errors = ladder(model, ONE, DRAWS, rng)
        left.errorbar(LADDER, bounds, 3 * errors, color=TRAINED_WITH[k], marker="o", label=f"q trained with K = {k}")
        if bounds[0] < truth - 4.5:
            point_below(left, f"{bounds[0]:.1f}", truth - 4.4, TRAINED_WITH[k])
        stage.result(
            f"x = {ONE.item()}, q trained with K = {k}: L_K {listed(bounds)} ± {errors[-1]:.4f}; "
            f"log p(x) {truth:.4f} nats"
        )
        with no_grad():
            density = np.exp(model.encode(ONE).log_prob(z[:, None]).data[:, 0])
        right.plot(z[:, 0], density, color=TRAINED_WITH[k], label=f"q trained with K = {k}")
    left.axhline(truth, color="k", linestyle="--", linewidth=1.2, label="log p(x), by quadrature")
    left.axhline(truth - np.log(2), color="0.5", linestyle=":", linewidth=1.2, label="log p(x) − log 2")
    left.set(xscale="log", xlabel="K", ylabel="nats", title=f"The bound with K weights, x = {ONE.item()}")
    left.set_ylim(truth - 4.5, truth + 0.4)  # the ELBO of the wide q is far below
    left.legend(fontsize="small", loc="lower right")
    with no_grad():
        log_joint = models[1].decode(z).log_prob(np.full_like(z, ONE.item())) + prior.log_prob(z)
    right.plot(z[:, 0], np.exp(log_joint.data - truth), "k--", linewidth=1.2, label="p(z | x), exact")
    right.set(xlabel="z", ylabel="density", title=f"q(z | x) and the posterior, x = {ONE.item()}")
    right.legend(fontsize="small")
    stage.save(
        figure,
        "page09_iwae",
        "The ladder of bounds",
        "log p(x) ≥ L_K = E[log (1/K) Σ_k w_k],   w_k = p(x|z_k) p(z_k) / q(z_k|x);   L_1 = ELBO",
        "Left: the bound rises with K. Bars: three standard errors, mostly smaller than the dots. Right: the q of the "
        "ELBO sits on one of two modes, and none of its samples hits the other: however many, half of p(x) is missing. "
        "The q of ten samples lies over both. Its ELBO (arrow: far below the picture) is worse, its bound with many "
        "samples tight.",
    )


# -- the gradient --------------------------------------------------------------------------------------------------


def gradients(samples: int, dreg: bool, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """REPEATS independent gradients of the bound at each x to the mean and log-variance of its q, (REPEATS, len(x), 2).

    Each is that of a q of its own, N(0.3, 1), in a table with a row for each repeat.
    """
    found = []
    for _ in range(REPEATS // 100):  # a hundred at once, to bound the memory
        each_x = np.repeat(x, 100, axis=0)
        table = PerExample(len(each_x), 2)
        table.values.assign(np.tile([0.3, 0.0], (len(each_x), 1)))
        np.sum(model_with(table, samples, dreg).bound(each_x, rng)).backward()
        found.append(table.values.grad.reshape(len(x), 100, 2).swapaxes(0, 1))
    return np.concatenate(found)


def draw_gradients(stage: Stage, x: np.ndarray, rng: np.random.Generator) -> None:
    """The ratio of mean and standard deviation of the gradient, against K."""
    import matplotlib.pyplot as plt

    each = {dreg: [gradients(k, dreg, x, rng) for k in GRADIENTS] for dreg in (False, True)}
    error = [np.sqrt((a.var(axis=0) + b.var(axis=0)) / REPEATS) for a, b in zip(*each.values())]
    apart = [np.abs(a.mean(axis=0) - b.mean(axis=0)) / e for a, b, e in zip(*each.values(), error)]
    stage.result(
        f"the means of both gradients: at most {np.max(apart):.1f} standard errors apart in {np.size(apart)} cases"
    )

    figure, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
    means = [g.mean(axis=0) for g in each[True]]  # of the less noisy ones, for both: they estimate the same
    last = np.array(GRADIENTS[-4:])
    for dreg, name, colour, power in (
        (False, "plain", "#c44e52", -0.5),
        (True, "doubly reparameterised", "#3b75af", 0.5),
    ):
        ratios = np.array([np.median(np.abs(mean) / g.std(axis=0)) for mean, g in zip(means, each[dreg])])
        slope = np.polyfit(np.log(last), np.log(ratios[-4:]), 1)[0]
        ax.plot(GRADIENTS, ratios, "o-", color=colour, label=name)
        theory = np.exp(np.mean(np.log(ratios[-4:]) + power * (np.log(last)[:, None] - np.log(last)), axis=1))
        ax.plot(last, theory, "k--", linewidth=1.2, label=None if dreg else "exact slopes for large K: −½ and ½")
        stage.result(
            f"{name}: mean/std {ratios[0]:.3f} at K = 1, {ratios[-1]:.4f} at K = {last[-1]}; slope from K = {last[0]} "
            f"on {slope:.2f}, for large K exactly {power}"
        )
    ax.set(xscale="log", yscale="log", xlabel="K", ylabel="|mean| / standard deviation", title="The gradient to q")
    ax.legend(fontsize="small")
    stage.save(
        figure,
        "page09_gradients",
        "How much of the gradient is noise",
        "plain: Σ_k w̃_k ∇ log w_k;   doubly reparameterised: Σ_k w̃_k² (∂log w_k/∂z_k)(∂z_k/∂φ)",
        "Of single gradients of the bound with K samples to the mean and log-variance of q: the median ratio of mean "
        "and standard deviation. Both have the same mean. The tighter the bound, the less the plain one says of q.",
    )


def run(stage: Stage, seed: int) -> None:
    """Train both q, draw the ladder, and compare the gradients."""
    rng = np.random.default_rng(seed)
    true = model_with(PerExample(1, 2), 1)
    x, test = true.sample(N, rng), true.sample(TEST, rng)
    models = {}
    for k in TRAINED_WITH:
        stage.say(f"training q with K = {k}")
        models[k] = train(k, x, rng, STEPS)
    draw_ladder(stage, models, rng)
    truth = np.mean(marginal_by_grid(models[1], test, NODES).value)
    for k, model in models.items():
        bounds, _ = ladder(model, test, 4000, rng)
        stage.result(f"{TEST} x, q trained with K = {k}: L_K {listed(bounds)}; log p(x) {truth:.4f} nats")
    stage.say("comparing the gradients")
    draw_gradients(stage, np.linspace(0.5, 2.0, 4)[:, None], rng)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
