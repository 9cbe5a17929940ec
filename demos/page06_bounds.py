"""Less noise without the score: gradients of bounds of K samples (beyond lecture page 6).

The bound L_K = log (1/K) Σ w_k is tighter with every sample, and its gradient to φ grows small; but its noise does not
fall as fast, and the more samples there are, the less of the gradient is seen. *Sticking the landing* leaves out the
score, which is noise where K is 1 and not where K is more: then it is biased. The *doubly reparameterised* gradient is
unbiased, and clearer with every sample. Here z is one number, and p(x, z) is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import Tensor
from scratchgen.distributions import Independent, Normal
from scratchgen.latent import (
    LinearGaussian,
    doubly_reparameterised,
    gauss_hermite,
    importance_weighted,
    log_weights,
    sticking_the_landing,
)

TITLE = "Page 6: bounds of many samples"
SECONDS = 4
SAMPLES, ROWS = (1, 2, 3, 6, 12, 25, 50, 100), 20_000
X, NOISE_VARIANCE = 1.0, 0.5  # z ~ N(0, 1), x ~ N(z, ½): the posterior is N(⅔, ⅓)
POSTERIOR_MEAN, POSTERIOR_VARIANCE = X / (1 + NOISE_VARIANCE), NOISE_VARIANCE / (1 + NOISE_VARIANCE)
MEAN, VARIANCE = 1.0, 0.5  # of q


def total(model: Any, x: Any, q: Any, z: Any) -> Any:
    """L_K with the gradient of both the path and the score."""
    return importance_weighted(log_weights(model, x, q, z))


ESTIMATORS: dict[str, tuple[Callable[..., Any], str]] = {
    "path and score": (total, "#dd8452"),
    "sticking the landing": (sticking_the_landing, "#c44e52"),
    "doubly reparameterised": (doubly_reparameterised, "#3b75af"),
}


def estimates(estimator: Callable[..., Any], eta: np.ndarray) -> np.ndarray:
    """The gradient of L_K to the mean of q that each column of the noise gives: (n,) from (K, n)."""
    model = LinearGaussian(np.ones((1, 1)), np.zeros(1), np.array(np.log(NOISE_VARIANCE)))
    n = eta.shape[1]
    mean = Tensor(np.full((n, 1), MEAN), requires_grad=True)
    q = Independent(Normal(mean, np.log(VARIANCE)), 1)
    np.sum(estimator(model, np.full((n, 1), X), q, q.rsample(len(eta), noise=eta[..., None]))).backward()
    return mean.grad[:, 0]


def exact_moments(estimator: Callable[..., Any], K: int, order: int = 40) -> tuple[float, float]:
    """Mean and standard deviation of the same, by Gauss–Hermite nodes in K dimensions."""
    nodes, weights = gauss_hermite(K, order)
    g = estimates(estimator, nodes.T)
    mean = float(weights @ g)
    return mean, float(np.sqrt(weights @ (g - mean) ** 2))


def slope() -> float:
    """lim K · gradient of E[L_K], which is −½ d/dm E_q[(w/p)²], since E[L_K] = log p − ½ Var(w/p)/K + …

    E_q[(w/p)²] = ∫ p(z | x)²/q(z) dz, which for normal distributions is e^{(m − m_p)²/u} v/√(v_p u), u = 2v − v_p.
    """
    u, off = 2 * VARIANCE - POSTERIOR_VARIANCE, MEAN - POSTERIOR_MEAN
    return -off / u * np.exp(off**2 / u) * VARIANCE / np.sqrt(POSTERIOR_VARIANCE * u)


def biased_limit() -> float:
    """lim of sticking the landing: the path under the posterior, E_p[d log p(z | x)/dz − d log q/dz] = (m_p − m)/v."""
    return (POSTERIOR_MEAN - MEAN) / VARIANCE


def run(stage: Stage, seed: int) -> None:
    """Means and signal to noise, against K."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    figure, (means, ratios) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    truth = {K: exact_moments(total, K)[0] for K in (1, 2, 3)}
    for name, (estimator, colour) in ESTIMATORS.items():
        g = [estimates(estimator, rng.standard_normal((K, ROWS))) for K in SAMPLES]
        mean, std = np.array([e.mean() for e in g]), np.array([e.std() for e in g])
        means.errorbar(SAMPLES, -mean, 5 * std / np.sqrt(ROWS), fmt="o", color=colour, capsize=3, label=name)
        ratios.plot(SAMPLES, -mean / std, "o", color=colour, label=name)
        exact = [exact_moments(estimator, K) for K in truth]
        means.plot(list(truth), [-m for m, _ in exact], "k--", linewidth=1.2)
        ratios.plot(list(truth), [-m / s for m, s in exact], "k--", linewidth=1.2)
        error = std / np.sqrt(ROWS)
        stage.result(
            f"K = 3, {name}: gradient {mean[2]:.4f} ± {error[2]:.4f}, by nodes {exact[2][0]:.4f}; the true gradient is "
            f"{truth[3]:.4f}"
        )
        stage.result(
            f"K = {SAMPLES[-1]}, {name}: gradient {mean[-1]:.5f} ± {error[-1]:.5f}, true for large K "
            f"{slope() / SAMPLES[-1]:.5f}; signal to noise {-mean[-1] / std[-1]:.3f}"
        )
    fine = np.geomspace(4, 130, 50)
    means.plot(fine, -slope() / fine, "k-.", linewidth=1.2, label="true for large K, from ∫ p(z | x)²/q dz")
    means.axhline(-biased_limit(), color="k", linestyle=":", linewidth=1.2, label="E of the path under the posterior")
    means.plot([], [], "k--", linewidth=1.2, label="exact for K = 1, 2, 3, by nodes")
    ratios.plot([], [], "k--", linewidth=1.2, label="exact for K = 1, 2, 3, by nodes")
    for power, level, label in ((0.5, 0.6, "for large K as √K and 1/√K, at any height"), (-0.5, 0.25, None)):
        ratios.plot(fine, level * fine**power, "k-.", linewidth=1.2, label=label)
    means.set(title="Mean of the gradient", xlabel="K", ylabel="−gradient to the mean of q", ylim=(2e-3, 2))
    ratios.set(title="Signal to noise", xlabel="K", ylabel="|mean| / standard deviation", ylim=(0.015, 150))
    for ax, where in ((means, "lower left"), (ratios, "upper left")):
        ax.set(xscale="log", yscale="log")
        ax.legend(fontsize="small", loc=where)
    stage.save(
        figure,
        "page06_bounds",
        "Bounds of many samples: noise, bias, or neither",
        "∇L_K = Σ w̃ (path − score);   Σ w̃ path;   Σ w̃² path",
        "Left: the true gradient falls as 1/K. Sticking the landing is unbiased for K = 1 alone, and for many samples "
        "tends to another gradient. Right: with the score, the gradient drowns in noise as K grows; doubly "
        "reparameterised it becomes clearer.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
