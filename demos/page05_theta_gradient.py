"""The easy gradient: that of the ELBO in θ, from draws z ~ q (lecture page 5).

    dELBO/dθ = E_q[∇_θ log p(x | z) + ∇_θ log p(z)]

q does not depend on θ, so the gradient of log p(x, z) at a draw of z is an unbiased estimate of it. In a
linear-Gaussian model the expectation is known exactly, and so is the variance of one estimate. The mean of n estimates
converges to that expectation, with an error of √(variance/n). The gradient at the mean of q has no variance, and is
wrong.
"""

from __future__ import annotations

import numpy as np

from demos.common import Stage, main
from scratchgen.distributions import Independent, Normal
from scratchgen.latent import LinearGaussian, gauss_hermite, log_joint

TITLE = "Page 5: the gradient in θ, from samples"
SECONDS = 3
SAMPLES = 10_000
X = np.array([[2.0, -0.4, 0.9]])
MEAN, STD = np.array([[0.8, -0.5]]), np.array([[0.7, 0.5]])  # of q, which is not the posterior


def model() -> LinearGaussian:
    """Three dimensions of x, two of z."""
    return LinearGaussian(np.array([[1.0, 0.4], [-0.3, 0.8], [0.5, -0.6]]), np.zeros(3), np.array(np.log(0.5)))


def gradient_at(p: LinearGaussian, z: np.ndarray) -> float:
    """∂ log p(x, z) / ∂W₁₁ at one z, (1, 2)."""
    p.W.grad = None
    log_joint(p, X, z).sum().backward()
    return float(p.W.grad[0, 0])


def exact_gradient(p: LinearGaussian) -> tuple[float, float]:
    """E_q[∂ log p(x, z)/∂W₁₁] and the standard deviation of one estimate of it.

    The derivative is z₁ (x₁ − b₁ − w₁ᵀ z)/s², of second degree in z: so three nodes in each dimension are exact for its
    square too.
    """
    nodes, weights = gauss_hermite(dim=2, order=3)
    z = MEAN + STD * nodes
    values = z[:, 0] * (X[0, 0] - p.b.data[0] - z @ p.W.data[0]) / np.exp(p.logvar.data)
    mean = weights @ values
    return float(mean), float(np.sqrt(weights @ (values - mean) ** 2))


def run(stage: Stage, seed: int) -> None:
    """Draw the running mean with its band, and the error against the number of samples."""
    import matplotlib.pyplot as plt

    p, q = model(), Independent(Normal(MEAN, 2 * np.log(STD)), 1)
    exact, std = exact_gradient(p)
    estimates = np.array([gradient_at(p, z) for z in q.sample(SAMPLES, np.random.default_rng(seed))])
    at_mean = gradient_at(p, MEAN)

    counts = np.arange(1, SAMPLES + 1)
    means = np.cumsum(estimates) / counts
    spread = np.sqrt(np.maximum(np.cumsum(estimates**2) / counts - means**2, 0) * counts / np.maximum(counts - 1, 1))
    band = 2 * spread / np.sqrt(counts)
    for n in (10, 100, 1000, SAMPLES):
        stage.result(f"{n:,} samples: {means[n - 1]:.4f} ± {band[n - 1] / 2:.4f}, exactly {exact:.4f}")
    stage.result(f"standard deviation of one estimate: {estimates.std():.4f}, exactly {std:.4f}")
    stage.result(f"the gradient at the mean of q, no unbiased estimate: {at_mean:.4f}, exactly {exact:.4f}")

    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    ax, shown = axes[0], slice(9, None)  # a band from fewer than ten numbers says little
    ax.fill_between(
        counts[shown], (means - band)[shown], (means + band)[shown], color="#a9c4e0", label="± 2 standard errors"
    )
    ax.plot(counts, means, color="#3b75af", label="mean of n estimates, z ~ q")
    ax.axhline(at_mean, color="#c44e52", linestyle=":", label=f"z at the mean of q: {at_mean:.3f}, biased")
    ax.axhline(exact, color="k", linestyle="--", linewidth=1.2, label=f"exact gradient {exact:.3f}")
    ax.set(xscale="log", xlabel="samples n", ylabel="dELBO/d$W_{11}$", title="Unbiased")
    ax.set_ylim(exact - 1.5 * std, exact + 1.5 * std)
    ax.legend(fontsize="small", loc="lower right")

    ax, sizes = axes[1], np.array([1, 10, 100, 1000])
    errors = np.array([np.sqrt(np.mean((estimates.reshape(-1, n).mean(axis=1) - exact) ** 2)) for n in sizes])
    two_errors = 2 * errors / np.sqrt(2 * SAMPLES / sizes)  # of a root mean square over so many groups
    label = f"root mean square of {SAMPLES:,}/n means, ± 2 standard errors"
    ax.errorbar(sizes, errors, two_errors, fmt="o", capsize=3, color="#3b75af", label=label)
    ax.plot(sizes, std / np.sqrt(sizes), "k--", linewidth=1.2, label=f"exact: {std:.3f}/√n")
    ax.axhline(abs(at_mean - exact), color="#c44e52", linestyle=":", label="bias at the mean of q")
    ax.set(xscale="log", yscale="log", xlabel="samples n", ylabel="error of the mean of n")
    ax.set_title("A hundred times the samples, a tenth of the error")
    ax.legend(fontsize="small")
    stage.save(
        figure,
        "page05_theta_gradient",
        "The gradient in θ needs only samples",
        "dELBO/dθ = E_q[∇ log p(x | z) + ∇ log p(z)]",
        "Left: the mean of n single-sample gradients converges to the exact value, in a band that narrows as 1/√n. "
        "Right: its error is that which the exact variance says. The gradient at the mean of q has no such error, and "
        "is wrong by a bias that no samples remove.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
