"""Integers and densities, page 11 of the lecture: noise that makes of the one what a flow can have of the other.

The data are pairs of integers from 0 to 7, drawn from a table that is known: so their entropy is, and no model of them
promises fewer nats. A flow is fitted to them in three ways.

Without noise the data are points, and a density can be as high as one likes at points: the "NLL" falls below the
entropy, and goes on falling. With uniform noise it is a bound on −log P(x), but the best density is a wall of cubes,
which a smooth map can only approach. Variational noise is a second flow, which learns to put the noise where the
density is: no walls are needed. In two dimensions the integral over each bin can be carried out, so that it can be told
how much is lost by the bound, and how much by the flow.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from demos.flows import couplings_of_the_plane, standard_normal
from demos.training import fit_with_falling_lr
from scratchgen import plotting
from scratchgen.autodiff import no_grad
from scratchgen.data.quadrature import gauss_legendre
from scratchgen.distributions.distribution import values
from scratchgen.flows import (
    AffineMap,
    Composite,
    Dequantised,
    Flow,
    FlowPosterior,
    Logit,
    SplineMap,
)
from scratchgen.nn import MLP

TITLE = "Page 11: dequantisation, and the entropy of integers"
SECONDS = 30
QUICK_SECONDS = 10
LEVELS = 8
CELLS = 40  # of the picture, for each level
CONTEXT = 16  # numbers that the noise is told of x


def wave() -> np.ndarray:
    """P(x_1, x_2), (8, 8): all x_1 are equally likely, and x_2 lies around a wave of x_1."""
    x1, x2 = np.arange(LEVELS)[:, None], np.arange(LEVELS)
    p = np.exp(-0.5 * ((x2 - 3.5 - 2.5 * np.sin(2 * np.pi * x1 / LEVELS)) / 0.7) ** 2)
    return p / p.sum(axis=1, keepdims=True) / LEVELS


def entropy(p: np.ndarray) -> float:
    """H of a table of probabilities, in nats."""
    from scipy.special import entr

    return float(entr(p).sum())


def draws(p: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n pairs (n, 2) from the table."""
    return np.stack(np.unravel_index(rng.choice(p.size, n, p=p.ravel()), p.shape), axis=1)


# -- models ------------------------------------------------------------------------------------------------------------


def density(rng: np.random.Generator) -> Flow:
    """A flow of the unit square."""
    layers = couplings_of_the_plane(4, SplineMap(bins=12, bound=5.0), rng)
    return Flow(Composite([Logit(margin=1e-3), *layers]), standard_normal(2))


def noise(rng: np.random.Generator) -> FlowPosterior:
    """A flow of the place in the bin, given x."""
    layers = couplings_of_the_plane(2, AffineMap(), rng, CONTEXT)
    encoder = MLP([2, 64, 4 + CONTEXT], rng, "tanh")
    return FlowPosterior(encoder, Composite([Logit(), *layers]), latent=2, context=CONTEXT)


class Centres(Dequantised):
    """The mistake: each x is the middle of its bin, without noise. Its "bound" is none."""

    def within_bin(self, x: np.ndarray, dtype: Any, rng: Any, noise: Any) -> tuple[Any, Any]:
        """½ in each dimension."""
        return np.full(x.shape, 0.5, dtype), np.zeros(len(x), dtype)


# -- figures -----------------------------------------------------------------------------------------------------------


class Figures(NamedTuple):
    """NLLs of a model, in nats, as expectations under the true table."""

    bound: float  # one draw of the noise
    tighter: float  # 100 draws
    exact: float  # with the integral over each bin


def every_pair() -> np.ndarray:
    """All x, (64, 2)."""
    return np.stack(np.unravel_index(np.arange(LEVELS**2), (LEVELS, LEVELS)), axis=1)


def probabilities(flow: Flow) -> np.ndarray:
    """P(x) of every pair, (64,): the density, summed over the nodes of each bin."""
    t, w = gauss_legendre(0.0, 1.0, panels=2)
    u, weights = np.stack(np.meshgrid(t, t, indexing="ij"), axis=-1).reshape(-1, 2), np.outer(w, w).ravel()
    v = (every_pair()[:, None] + u) / LEVELS
    with no_grad():
        log_p = values(flow.log_prob(v.reshape(-1, 2).astype(np.float32))).reshape(LEVELS**2, -1)
    return np.exp(log_p.astype(np.float64)) @ weights / LEVELS**2


def measured(model: Dequantised, p: np.ndarray, rng: np.random.Generator) -> Figures:
    """The figures, with 400 draws of each x for the first."""
    x, of_each = every_pair(), p.ravel()
    with no_grad():
        bound = values(model.bound(np.repeat(x, 400, axis=0), rng)).reshape(-1, 400).mean(axis=1)
    tighter = model.log_prob(x, rng, samples=100)
    nlls = (-float(of_each @ log_p) for log_p in (bound, tighter, np.log(probabilities(model.density))))
    return Figures(*nlls)


def train(model: Dequantised, x: np.ndarray, steps: int, rng: np.random.Generator) -> tuple[list[int], list[float]]:
    """The steps and the losses of a training, in nats."""
    every = max(1, steps // 40)
    history = fit_with_falling_lr(
        model, x, lr=4e-3, steps=steps, rng=rng, batch_size=200, evaluate_every=every, clip=20.0
    )
    return history.steps, history.loss


def draw(stage: Stage, p: np.ndarray, models: dict[str, Dequantised], losses: dict[str, Any]) -> None:
    """The losses beside the entropy, the table, and the densities that were learned."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(15, 3.9), layout="constrained")
    plotting.curves(losses, axes[0], limits={"entropy": entropy(p)})
    axes[0].set(ylim=(entropy(p) - 5, entropy(p) + 2), title="loss in training")
    cells = CELLS * LEVELS
    axis = (np.arange(cells) + 0.5) / cells
    v = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)
    shown = {"truth, as cubes": np.kron(p, np.ones((CELLS, CELLS))) * LEVELS**2}
    for name in ("uniform noise", "variational noise"):
        with no_grad():
            shown[name] = np.exp(values(models[name].density.log_prob(v))).reshape(cells, cells)
    top = 1.5 * float(p.max()) * LEVELS**2
    for ax, (name, of_v) in zip(axes[1:], shown.items()):
        ax.imshow(of_v.T, origin="lower", extent=(0, LEVELS, 0, LEVELS), cmap="Blues", vmin=0, vmax=top)
        ax.set(title=name, xlabel="$x_1 + u_1$", ylabel="$x_2 + u_2$")
        ax.set_xticks(range(LEVELS + 1))
        ax.set_yticks(range(LEVELS + 1))
        ax.grid(alpha=0.3)
    stage.save(
        figure,
        "page11_dequantisation",
        "Noise within the bin",
        "log P(x) ≥ E_q[log p((x + u) / L) − D log L − log q(u | x)],   u in [0, 1)^D",
        "Left: what three trainings minimise, and the entropy of the data, dashed, that no model can get below: "
        "without noise it is no bound, and falls through. Right: the true probabilities as a density, and two that "
        "were learned. With uniform noise the flow tries to build cubes; with noise of its own it need not fill bins.",
    )


def run(stage: Stage, seed: int) -> None:
    """Fit in three ways, and hold each against the entropy."""
    rng = np.random.default_rng(seed)
    p = wave()
    x, steps = draws(p, 50_000, rng), 500 if stage.quick else 1500
    models = {
        "no noise": Centres(density(rng), LEVELS),
        "uniform noise": Dequantised(density(rng), LEVELS),
        "variational noise": Dequantised(density(rng), LEVELS, noise(rng)),
    }
    losses = {}
    for name, model in models.items():
        losses[name] = train(model, x, steps, rng)
        found = measured(model, p, rng)
        if name == "no noise":
            stage.result(
                f'{name}: "NLL" {found.bound:.2f} nats, entropy {entropy(p):.3f}; of the same density, with the '
                f"integral over each bin: {found.exact:.2f}"
            )
        else:
            stage.result(
                f"{name}: bound {found.bound:.3f} nats, with 100 draws {found.tighter:.3f}, exact NLL "
                f"{found.exact:.3f}, entropy {entropy(p):.3f}"
            )
    draw(stage, p, models, losses)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
