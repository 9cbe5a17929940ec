"""Two ways to fit a flow, page 11 of the lecture: to data, or to a density that can only be evaluated.

Maximum likelihood minimises the forward divergence KL(p ‖ q), by draws of p. Variational inference minimises the
reverse one, KL(q ‖ p), by draws of q, and needs log p only up to a constant: log p̃ = log p + log Z. Its loss bounds
log Z, and importance weights estimate log Z and say how far they can be trusted, by the effective sample size.

The forward divergence is large for a q that is small where p is not: q covers all of p, and what lies between. The
reverse one is large for a q that is large where p is not: q stays inside. On a banana it may leave out the end of an
arm, and of two islands one. Then nearly every weight is about Z/2, the effective sample size is splendid, and log Z is
too low by log 2: the weights know nothing of where q has never been. If a single draw strays to the other island,
though, it outweighs all others, and the effective sample size falls to a few: the weights give the alarm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from demos.flows import couplings_of_the_plane, standard_normal
from demos.training import fit_with_falling_lr
from scratchgen.autodiff import logsumexp, no_grad
from scratchgen.data import Banana, EntropyGap, Gaussians, Toy, gap_to_entropy
from scratchgen.distributions.distribution import values
from scratchgen.flows import AffineMap, Composite, Flow, ReverseKL
from scratchgen.flows.reverse_kl import Evidence

TITLE = "Page 11: reverse and forward KL, and what weights know"
SECONDS = 15
QUICK_SECONDS = 10
BANANA, ISLANDS = Banana(long_std=2.0, short_std=0.5, bend=0.25), Gaussians([[-3.0, 0.0], [3.0, 0.0]], std=0.6)
LOG_Z = {  # of the exponents below, whose densities have 1/Z in front
    "banana": np.log(2 * np.pi * BANANA.long_std * BANANA.short_std),
    "islands": np.log(2 * 2 * np.pi * ISLANDS.std**2),
}
DRAWS = 20_000  # for the figures


def log_banana(x: Any) -> Any:
    """log p̃ of the banana: the exponent of its density, without what normalises it."""
    x1, x2 = x[:, 0], x[:, 1]
    return -0.5 * (np.square(x1 / BANANA.long_std) + np.square((x2 - BANANA.middle(x1)) / BANANA.short_std))


def log_islands(x: Any) -> Any:
    """log p̃ of the islands: two bells of height 1."""
    (x1, x2), s = (x[:, 0], x[:, 1]), ISLANDS.std
    bells = [-0.5 * (np.square((x1 - c1) / s) + np.square((x2 - c2) / s)) for c1, c2 in ISLANDS.centres.tolist()]
    return logsumexp(np.stack(bells, axis=1), axis=1)


class Fitted(NamedTuple):
    """A flow, and how far it is from p either way."""

    flow: Flow
    evidence: Evidence  # from draws of q
    gap: EntropyGap  # KL(p ‖ q), from draws of p


def small_flow(rng: np.random.Generator) -> Flow:
    """Six affine couplings of a standard normal base."""
    return Flow(Composite(couplings_of_the_plane(6, AffineMap(), rng)), standard_normal(2))


def fitted(toy: Toy, log_density: Callable[[Any], Any], reverse: bool, steps: int, rng: np.random.Generator) -> Fitted:
    """A flow trained by draws of its own on log p̃, or by draws of p."""
    flow = small_flow(rng)
    by_density = ReverseKL(flow, log_density)
    x = np.zeros((256, 1), np.float32) if reverse else toy.sample(50_000, rng).astype(np.float32)
    model = by_density if reverse else flow
    fit_with_falling_lr(model, x, lr=5e-3, steps=steps, rng=rng, batch_size=256, evaluate_every=steps, clip=10.0)
    return Fitted(flow, by_density.evidence(DRAWS, rng), gap_to_entropy(flow.log_prob, toy, DRAWS, rng))


def report(stage: Stage, name: str, way: str, found: Fitted) -> None:
    """Both divergences, and what the weights say, beside the truth."""
    evidence, log_z = found.evidence, LOG_Z[name]
    stage.result(
        f"{name}, {way} KL: KL(q ‖ p) {log_z - evidence.bound:.3f}, KL(p ‖ q) {found.gap}; log Z by weights "
        f"{evidence.log_z:.3f} ± {evidence.error:.3f}, truth {log_z:.3f}; effective {evidence.effective:.0f} of {DRAWS}"
    )


def draw(stage: Stage, models: dict[str, dict[str, Fitted]]) -> None:
    """The true densities, and those of the flows."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(11.5, 6), layout="constrained")
    windows = {"banana": (-6.5, 6.5, -3.5, 8.0), "islands": (-5.5, 5.5, -3.0, 3.0)}
    for row, (name, toy) in zip(axes, {"banana": BANANA, "islands": ISLANDS}.items()):
        left, right, low, high = windows[name]
        x = np.stack(np.meshgrid(np.linspace(left, right, 240), np.linspace(low, high, 200)), axis=-1)
        densities = {"truth": toy.log_prob(x)}
        for way, found in models[name].items():
            with no_grad():
                log_q = values(found.flow.log_prob(x.reshape(-1, 2).astype(np.float32)))
            densities[f"by {way} KL"] = log_q.reshape(x.shape[:2])
        top = float(densities["truth"].max())
        for ax, (title, log_p) in zip(row, densities.items()):
            shown = ax.imshow(
                np.maximum(log_p, -14),
                origin="lower",
                extent=windows[name],
                cmap="Blues",
                vmin=-14,
                vmax=0,
            )
            levels = [top - 6, top - 3, top - 1]
            ax.contour(x[..., 0], x[..., 1], densities["truth"], levels, colors="k", linestyles="--", linewidths=0.8)
            ax.set(title=f"{name}, {title}" if title == "truth" else title, xlabel="$x_1$")
        row[0].set_ylabel("$x_2$")
    figure.colorbar(shown, ax=axes, label="log density, nats")
    stage.save(
        figure,
        "page11_reverse_kl",
        "Two divergences",
        "reverse: E_q[log q(x) − log p̃(x)] = KL(q ‖ p) − log Z     forward: E_p[−log q(x)] = KL(p ‖ q) + H(p)",
        "The logarithms of the densities, of the truth and of flows of the same kind, with contours of the truth, "
        "dashed, 1, 3 and 6 nats below its top. By reverse KL the banana may lack the end of an arm, and of the two "
        "islands one may be left out or poorly covered. By forward KL there are both, and a bridge.",
    )


def run(stage: Stage, seed: int) -> None:
    """Fit both densities in both ways."""
    rng = np.random.default_rng(seed)
    steps = 800 if stage.quick else 1500  # with 400, stray draws decide the weights
    models: dict[str, dict[str, Fitted]] = {}
    for name, toy, log_density in (("banana", BANANA, log_banana), ("islands", ISLANDS, log_islands)):
        models[name] = {}
        for way in ("reverse", "forward"):
            models[name][way] = fitted(toy, log_density, way == "reverse", steps, rng)
            report(stage, name, way, models[name][way])
    draw(stage, models)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
