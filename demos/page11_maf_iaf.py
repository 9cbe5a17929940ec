"""Two autoregressive flows of one density, with opposite costs (lecture page 11).

A masked autoregressive flow (MAF) makes each z from the x before it, an inverse autoregressive flow (IAF) each x from
the z before it. For a normal distribution with the covariance L Lᵀ both can be written down, z = L⁻¹x and x = Lz, with
networks that are linear: so here are two flows of one density, known exactly. They differ in what they cost. The
density takes MAF one pass of its network, and IAF D of them, one for each dimension; samples take it the other way
round.

Then the passes are timed, with larger networks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from demos.common import Stage, main
from demos.flows import standard_normal
from scratchgen.autodiff import no_grad
from scratchgen.distributions import MultivariateNormal
from scratchgen.flows import AffineMap, Flow, Inverse, MaskedAutoregressive, MaskedNet

TITLE = "Page 11: MAF and IAF, one density and opposite costs"
SECONDS = 3
MOST = 3.0  # the bound of log-scales
DIMS, RHO, DRAWS = 16, 0.8, 20_000
SIZES, HIDDEN, BATCH, REPEATS = (2, 4, 8, 16, 32, 64), (128, 128), 256, 10
COLOURS = {"MAF": "#3b75af", "IAF": "#c44e52"}


def covariance(dims: int) -> np.ndarray:
    """That of a Markov chain: Cov(x_i, x_j) = ρ^|i − j|."""
    steps = np.arange(dims)
    return RHO ** np.abs(steps[:, None] - steps)


def normal_flow(factor: np.ndarray) -> MaskedAutoregressive:
    """The layer z = (diagonal of factor)(x − strictly lower part …) that is z = factor · x, for a lower triangle."""
    dims, diagonal = len(factor), np.diag(factor)
    net = MaskedNet(dims, 2, (), rng=0, dtype=np.float64)
    (linear,) = net.layers  # without hidden layers
    weights, bias = np.zeros((dims, dims, 2)), np.zeros((dims, 2))
    # z_j = (x_j − b_j) F_jj with b_j = −Σ_{i<j} F_ji x_i / F_jj, and so F_jj = e^{−a_j}, through the bound of AffineMap
    weights[..., 0] = (np.eye(dims) - factor / diagonal[:, None]).T
    bias[:, 1] = MOST * np.arctanh(-np.log(diagonal) / MOST)
    linear.W, linear.b = weights.reshape(dims, -1), bias.ravel()
    return MaskedAutoregressive(net, AffineMap(MOST))


def both(dims: int) -> dict[str, Flow]:
    """MAF and IAF of N(0, LLᵀ)."""
    L = np.linalg.cholesky(covariance(dims))
    return {
        "MAF": Flow(normal_flow(np.linalg.inv(L)), standard_normal(dims, np.float64)),  # z = L⁻¹ x
        "IAF": Flow(Inverse(normal_flow(L)), standard_normal(dims, np.float64)),  # x = L z
    }


def seconds_of(call: Callable[[], Any]) -> float:
    """The shortest of several times."""
    best = np.inf
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return float(best)


def costs(dims: int) -> dict[tuple[str, str], float]:
    """Seconds for a batch of densities and of samples, of MAF and IAF with the same network."""
    layer = MaskedAutoregressive(MaskedNet(dims, 2, HIDDEN, rng=0), AffineMap())
    x, found = standard_normal(dims).sample(BATCH, 0), {}
    for name, transform in (("MAF", layer), ("IAF", Inverse(layer))):
        flow = Flow(transform, standard_normal(dims))

        def density(flow: Flow = flow) -> None:
            with no_grad():
                flow.log_prob(x)

        def samples(flow: Flow = flow) -> None:
            flow.sample(BATCH, 0)

        found[name, "density"], found[name, "samples"] = seconds_of(density), seconds_of(samples)
    return found


def draw(stage: Stage, times: dict[int, dict[tuple[str, str], float]]) -> None:
    """Seconds against D, of both directions of both."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
    for ax, what in zip(axes, ("density", "samples")):
        for name, colour in COLOURS.items():
            ax.plot(SIZES, [1e3 * times[d][name, what] for d in SIZES], "o-", color=colour, label=name)
        quick = "MAF" if what == "density" else "IAF"
        ax.plot(SIZES, [1e3 * d * times[d][quick, what] for d in SIZES], "k--", linewidth=1.2, label=f"D × {quick}")
        ax.set(xscale="log", yscale="log", xlabel="D", title=f"{what} of {BATCH} x")
        ax.set_xticks(SIZES, [str(d) for d in SIZES])
        ax.minorticks_off()
        ax.legend(fontsize="small")
    axes[0].set_ylabel("milliseconds")
    stage.save(
        figure,
        "page11_maf_iaf",
        "Opposite costs",
        "MAF: z_j = (x_j − b(x_<j)) e^{−a(x_<j)};   IAF: the same with x and z exchanged",
        f"One autoregressive layer, with a network of {HIDDEN} hidden units. One direction takes one pass of it, the "
        "other one pass, and some more work, for each dimension. Dashed: D times the cost of the quick direction.",
    )


def run(stage: Stage, seed: int) -> None:
    """Compare the densities with the truth and each other, then the times."""
    rng = np.random.default_rng(seed)
    truth, flows = MultivariateNormal.from_covariance(np.zeros(DIMS), covariance(DIMS)), both(DIMS)
    x = truth.sample(1000, rng)
    expected = truth.log_prob(x)
    for name, flow in flows.items():
        with no_grad():
            off = np.abs(np.asarray(flow.log_prob(x).data) - expected).max()
        draws = flow.sample(DRAWS, rng)
        spread = np.abs(draws.T @ draws / DRAWS - covariance(DIMS)).max()
        stage.result(
            f"{name}, D = {DIMS}: log p(x) at most {off:.1e} nats from that of the normal distribution; covariance of "
            f"samples at most {spread:.3f} off, expected within {3 * np.sqrt(2 / DRAWS):.3f}"
        )
    times = {}
    for dims in SIZES:
        stage.say(f"timing D = {dims}")
        times[dims] = costs(dims)
    for dims in (SIZES[0], SIZES[-1]):
        t = times[dims]
        stage.result(
            f"D = {dims}: density MAF {1e3 * t['MAF', 'density']:.2f} ms, IAF {1e3 * t['IAF', 'density']:.2f} ms, "
            f"{t['IAF', 'density'] / t['MAF', 'density']:.0f} times; samples MAF {1e3 * t['MAF', 'samples']:.2f} ms, "
            f"IAF {1e3 * t['IAF', 'samples']:.2f} ms, {t['MAF', 'samples'] / t['IAF', 'samples']:.0f} times"
        )
    draw(stage, times)


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
