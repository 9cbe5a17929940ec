"""Two islands and no bridge, page 11 of the lecture: what a flow cannot do, and what a mixture for its base does.

A flow is continuous, with a continuous inverse: it stretches and bends its base, and never tears it. From one normal
distribution it cannot make two separate ones. Between them a *filament* remains, however long it is trained: thin, and
of little probability, but far more than the data have there.

The data are two normal distributions, sixteen standard deviations apart, of which everything is known. Three flows of
coupling layers are fitted to them: from a normal base, with affine maps and with splines, and from a base that is
itself a mixture of two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demos.common import Stage, main
from demos.flows import couplings_of_the_plane, standard_normal
from demos.training import fit_with_falling_lr
from scratchgen.autodiff import no_grad
from scratchgen.data import EntropyGap, Gaussians, gap_to_entropy
from scratchgen.distributions.distribution import values
from scratchgen.flows import AffineMap, Composite, Flow, ScalarMap, SplineMap
from scratchgen.latent import MixturePrior

TITLE = "Page 11: two far modes, and the filament between them"
SECONDS = 20
QUICK_SECONDS = 8
ISLANDS = Gaussians([[-4.0, 0.0], [4.0, 0.0]], std=0.5)
BETWEEN = 2.0  # the water is where |x_1| is less: four standard deviations from either centre
EDGES, CELLS = (6.5, 4.0), (260, 800)  # of the grid on which densities are summed: a filament may be thin
LAYERS = 6


class Fitted(NamedTuple):
    """A flow, and what is read from it."""

    gap: EntropyGap
    log_p: np.ndarray  # on the grid, of shape CELLS


def grid() -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """The x_1 of the midpoints, (260,), all of the midpoints, (208,000, 2), and the sides of a cell."""
    sides = (2 * EDGES[0] / CELLS[0], 2 * EDGES[1] / CELLS[1])
    x1, x2 = (side * (np.arange(n) + 0.5) - edge for side, n, edge in zip(sides, CELLS, EDGES))
    return x1, np.stack(np.meshgrid(x1, x2, indexing="ij"), axis=-1).reshape(-1, 2), sides


def two_humps(rng: np.random.Generator) -> MixturePrior:
    """A mixture of two normal distributions, all of it learned, from a start on either side of 0."""
    base = MixturePrior(components=2, latent=2, rng=rng)
    base.means.assign(np.array([[-3.0, 0.0], [3.0, 0.0]], np.float32))
    base.logvars.assign(np.full((2, 2), -1.0, np.float32))
    return base


def couplings(scalar_map: ScalarMap, rng: np.random.Generator) -> Composite:
    """Six coupling layers."""
    return Composite(couplings_of_the_plane(LAYERS, scalar_map, rng))


def fitted(flow: Flow, steps: int, rng: np.random.Generator) -> Fitted:
    """The flow after training by maximum likelihood."""
    x = ISLANDS.sample(20_000, rng).astype(np.float32)
    fit_with_falling_lr(flow, x, lr=5e-3, steps=steps, rng=rng, batch_size=200, clip=10.0)
    gap = gap_to_entropy(flow.log_prob, ISLANDS, n=20_000, rng=rng)
    with no_grad():
        log_p = values(flow.log_prob(grid()[1].astype(np.float32))).reshape(CELLS)
    return Fitted(gap, log_p.astype(np.float64))


def water(log_p: np.ndarray) -> float:
    """The probability of |x_1| < BETWEEN, summed over the grid."""
    x1, _, sides = grid()
    return float(np.exp(log_p[np.abs(x1) < BETWEEN]).sum() * sides[0] * sides[1])


def exact_water() -> float:
    """The same of the islands, from the normal distribution."""
    from scipy.special import ndtr

    far, near = (ISLANDS.centres[1, 0] + np.array([BETWEEN, -BETWEEN])) / ISLANDS.std
    return float(ndtr(-near) - ndtr(-far))


def draw(stage: Stage, flows: dict[str, Fitted]) -> None:
    """The densities on a logarithmic scale, and below them what they have along x_1."""
    import matplotlib.pyplot as plt

    x1, points, _ = grid()
    truth = ISLANDS.log_prob(points).reshape(CELLS)
    figure, axes = plt.subplots(2, 1 + len(flows), figsize=(14, 5), layout="constrained", height_ratios=[1, 1])
    for i, (name, log_p) in enumerate({"truth": truth, **{name: flow.log_p for name, flow in flows.items()}}.items()):
        shown = axes[0, i].imshow(
            np.maximum(log_p, -16).T,
            extent=(-EDGES[0], EDGES[0], -EDGES[1], EDGES[1]),
            origin="lower",
            vmin=-16,
            vmax=-1,
            cmap="Blues",
        )
        axes[0, i].set(title=name, xlabel="$x_1$")
        below = axes[1, i]
        if i:
            below.plot(x1, along(log_p), color="#3b75af", label="flow")
        below.plot(x1, along(truth), "k--", linewidth=1, label="truth")
        below.axvspan(-BETWEEN, BETWEEN, color="0.9", label="between")
        below.set(xlim=(-6.5, 6.5), ylim=(-16, 0.5), xlabel="$x_1$")
        below.grid(alpha=0.3)
    axes[0, 0].set_ylabel("$x_2$")
    axes[1, 0].set_ylabel("log p($x_1$), nats")
    figure.legend(*axes[1, 1].get_legend_handles_labels(), loc="lower right", bbox_to_anchor=(0.995, 0.2))
    figure.colorbar(shown, ax=axes[0], label="log p(x), nats")
    stage.save(
        figure,
        "page11_filament",
        "A flow does not tear its base",
        "p(x) = p_z(f(x)) |det ∂f/∂x|,  f continuous, with a continuous inverse",
        "Above: the logarithm of the density, of the truth and of three flows. Below: the density of x₁ alone, the "
        "truth dashed. From a normal base there is a way from one island to the other on which the density stays far "
        "above the truth; splines make it fainter. The base of two needs none.",
    )


def along(log_p: np.ndarray) -> np.ndarray:
    """log p(x_1): the density summed over x_2."""
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_p).sum(axis=1) * grid()[2][1])


def run(stage: Stage, seed: int) -> None:
    """Fit the three, and tell what each has between the islands."""
    rng = np.random.default_rng(seed)
    steps = 500 if stage.quick else 1500
    affine, spline = AffineMap(), SplineMap(bins=6, bound=6.0)
    kinds = {
        "normal base, affine couplings": Flow(couplings(affine, rng), standard_normal(2)),
        "normal base, spline couplings": Flow(couplings(spline, rng), standard_normal(2)),
        "base of two, affine couplings": Flow(couplings(affine, rng), two_humps(rng)),
    }
    flows = {}
    for name, flow in kinds.items():
        flows[name] = fitted(flow, steps, rng)
        stage.result(
            f"{name}: gap to the entropy {flows[name].gap}; probability between the islands "
            f"{water(flows[name].log_p):.5f}, truth {exact_water():.5f}"
        )
    draw(stage, flows)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
