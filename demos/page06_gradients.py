"""A gradient, and the graph that it flows through: the reparameterisation trick of lecture page 6.

For z = μ + σ η with η ~ N(0, 1), the gradient of E[z²] = μ² + σ² with respect to μ is 2μ. Each single sample of η
gives an unbiased estimate of it, 2z, whose variance is 4σ².
"""

from __future__ import annotations

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import Tensor, draw

TITLE = "Page 6: a gradient through a random number"
SECONDS = 3
MEAN, STD = 1.5, 0.8


def objective(mean: Tensor, log_std: Tensor, noise: np.ndarray) -> Tensor:
    """f = z² at z = μ + σ η, averaged over the noise."""
    z = mean + np.exp(log_std) * noise
    return np.mean(z * z)


def run(stage: Stage, seed: int) -> None:
    """Draw the graph of one estimate, and the histogram of many."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    mean, log_std = Tensor(MEAN, requires_grad=True), Tensor(np.log(STD), requires_grad=True)

    figure, ax = plt.subplots(figsize=(10, 2.6), layout="constrained")
    draw(objective(mean, log_std, rng.standard_normal(5)), ax, names={"μ": mean, "log σ": log_std})
    stage.save(
        figure,
        "page06_graph",
        "The graph of one estimate",
        "z = μ + σ η,  η ~ N(0, 1);   f = mean of z² over five η",
        "What a Tensor remembers: each box is a node, with the shape of its value; leaves are blue. Backward visits "
        "them from right to left. The noise η is plain data, so no gradient needs to pass through the random number.",
    )

    estimates = []
    for noise in rng.standard_normal((20_000, 1)):
        mean.grad = None
        objective(mean, log_std, noise).backward()
        estimates.append(float(mean.grad))
    error = np.std(estimates) / np.sqrt(len(estimates))
    stage.result(f"dE[z²]/dμ: {np.mean(estimates):.4f} ± {error:.4f} from 20,000 samples, exactly {2 * MEAN:.4f}")
    stage.result(f"variance of one estimate: {np.var(estimates):.4f}, exactly {4 * STD**2:.4f}")

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.hist(estimates, bins=80, density=True, color="#a9c4e0", label="one sample each: 2z")
    grid = np.linspace(2 * MEAN - 8 * STD, 2 * MEAN + 8 * STD, 300)
    density = np.exp(-(((grid - 2 * MEAN) / (2 * STD)) ** 2) / 2) / (2 * STD * np.sqrt(2 * np.pi))
    ax.plot(grid, density, "k--", linewidth=1, label="exact: N(2μ, 4σ²)")
    ax.axvline(2 * MEAN, color="k", linewidth=1, label=f"true gradient {2 * MEAN}")
    ax.set(xlabel="estimate of dE[z²]/dμ", ylabel="density")
    ax.legend()
    stage.save(
        figure,
        "page06_estimates",
        "Unbiased, with a known variance",
        "d/dμ E[z²] = 2μ,   Var(2z) = 4σ²",
        "20,000 single-sample gradients through z = μ + σ η, against their exact distribution.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
