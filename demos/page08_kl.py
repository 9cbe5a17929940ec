"""The same bound in two forms: reconstruction − KL, or all of it sampled (lecture pages 7 and 8).

With the divergence in closed form or from the same sample, the ELBO has the same mean. Its noise differs, and that of
its gradient. Here q moves from the prior to the posterior of a model with one z, where all variances are known in
closed form. At the posterior the sampled form is log p(x) for every sample: its variance is 0. Its gradient is still
noisy, and this noise is the score's alone: without the score, it is 0 as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from demos.common import Stage, main
from scratchgen.autodiff import Tensor
from scratchgen.distributions import Independent, Normal
from scratchgen.latent import LinearGaussian, path_log_weights, reparameterised, three_terms, two_terms

TITLE = "Page 8: the KL in closed form, or sampled"
SECONDS = 3
ROWS, STEPS = 40_000, 9
X, W, NOISE_VARIANCE = 2.0, 1.0, 0.5  # z ~ N(0, 1), x ~ N(W z, ½)
POSTERIOR_VARIANCE = 1 / (1 + W * W / NOISE_VARIANCE)
POSTERIOR_MEAN = POSTERIOR_VARIANCE * W * X / NOISE_VARIANCE
LOG_P = -0.5 * (np.log(2 * np.pi * (W * W + NOISE_VARIANCE)) + X * X / (W * W + NOISE_VARIANCE))


class Variances(NamedTuple):
    """Of one sample of the ELBO, and of its gradients to the mean and to the log-variance of q."""

    value: Any
    to_mean: Any
    to_logvar: Any


def q_at(t: Any) -> tuple[Any, Any]:
    """Mean and variance of q: those of the prior at t = 0, of the posterior at t = 1."""
    return t * POSTERIOR_MEAN, POSTERIOR_VARIANCE**t


def exact_elbo(t: Any) -> Any:
    """log p(x) − KL(q ‖ posterior)."""
    m, v = q_at(t)
    ratio = v / POSTERIOR_VARIANCE
    return LOG_P - 0.5 * ((m - POSTERIOR_MEAN) ** 2 / POSTERIOR_VARIANCE + ratio - 1 - np.log(ratio))


# The variance of a + bη + cη² is b² + 2c². Below, c and b are read off each form at z = m + √v η.


def analytic_kl(t: Any) -> Variances:
    """log p(x | z) − KL: with r = x − W m, log p(x | z) = −½ (r − W √v η)²/s² + const."""
    m, v = q_at(t)
    r, a = X - W * m, W * W * v / NOISE_VARIANCE
    slope = r * r * a / NOISE_VARIANCE  # b²
    return Variances(slope + 0.5 * a * a, a * a / v, 0.25 * slope + 0.5 * a * a)


def sampled_kl(t: Any) -> Variances:
    """log p(x, z) − log q(z): log p(x) + log p(z | x) − log q(z), where log q(z) = −½ η² + const."""
    m, v = q_at(t)
    ratio, slope = v / POSTERIOR_VARIANCE, (m - POSTERIOR_MEAN) ** 2 * v / POSTERIOR_VARIANCE**2
    return Variances(slope + 0.5 * (1 - ratio) ** 2, ratio * ratio / v, 0.25 * slope + 0.5 * ratio * ratio)


def without_score(t: Any) -> Variances:
    """The same with log q held fixed but for z: d log w/dz = −(z − m_p)/v_p + (z − m)/v."""
    m, v = q_at(t)
    ratio, slope = v / POSTERIOR_VARIANCE, (m - POSTERIOR_MEAN) ** 2 * v / POSTERIOR_VARIANCE**2
    return Variances(slope + 0.5 * (1 - ratio) ** 2, (1 - ratio) ** 2 / v, 0.25 * slope + 0.5 * (1 - ratio) ** 2)


class Form(NamedTuple):
    """A way of writing the ELBO: from model, x, q and noise to a value for each row; and its variances."""

    of: Callable[[Any, Any, Any, np.ndarray], Any]
    exact: Callable[[Any], Variances]
    colour: str


FORMS = {
    "KL in closed form": Form(
        lambda model, x, q, eta: two_terms(model, x, reparameterised(q, noise=eta)).total, analytic_kl, "#3b75af"
    ),
    "all sampled": Form(
        lambda model, x, q, eta: three_terms(model, x, reparameterised(q, noise=eta)).total, sampled_kl, "#dd8452"
    ),
    "all sampled, without the score": Form(
        lambda model, x, q, eta: path_log_weights(model, x, q, q.rsample(1, noise=eta))[0], without_score, "#55a868"
    ),
}


def estimates(form: Form, t: float, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ELBO of each row of the noise, and its gradients to the mean and to the log-variance: (n,) each."""
    model, n = LinearGaussian(np.array([[W]]), np.zeros(1), np.array(np.log(NOISE_VARIANCE))), len(eta)
    m, v = q_at(t)
    mean, logvar = (Tensor(np.full((n, 1), value), requires_grad=True) for value in (m, np.log(v)))
    value = form.of(model, np.full((n, 1), X), Independent(Normal(mean, logvar), 1), eta[None, :, None])
    np.sum(value).backward()
    return value.data, mean.grad[:, 0], logvar.grad[:, 0]


def run(stage: Stage, seed: int) -> None:
    """Measure means and variances on the way from the prior to the posterior."""
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(seed)
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    ts, fine = np.linspace(0, 1, STEPS), np.linspace(0, 1, 200)
    for i, (name, form) in enumerate(FORMS.items()):
        measured = [estimates(form, t, rng.standard_normal(ROWS)) for t in ts]
        means = np.array([[e.mean() for e in row] for row in measured])
        variances = Variances(*np.array([[e.var() for e in row] for row in measured]).T)
        place = ts + 0.012 * (i - 1)  # side by side
        error = 5 * np.sqrt(variances.value / ROWS)
        axes[0, 0].errorbar(place, means[:, 0], error, fmt="o", markersize=4, capsize=2, color=form.colour, label=name)
        for ax, dots, line in zip(axes.flat[1:], variances, form.exact(fine)):
            ax.plot(ts, dots, "o", color=form.colour, label=name)
            ax.plot(fine, line, "k--", linewidth=1)
        for t in (0, len(ts) - 1):
            where = "prior" if t == 0 else "posterior"
            exact = Variances(*(float(each) for each in form.exact(ts[t])))
            stage.result(
                f"{name}, q the {where}: ELBO {means[t, 0]:.4f}, exactly {exact_elbo(ts[t]):.4f}; variance "
                f"{variances.value[t]:.4f}, exactly {exact.value:.4f}; of the gradient to the mean "
                f"{variances.to_mean[t]:.4f}, exactly {exact.to_mean:.4f}"
            )
    axes[0, 0].plot(fine, exact_elbo(fine), "k--", linewidth=1, label="exact")
    axes[0, 0].axhline(LOG_P, color="k", linestyle=":", linewidth=1.2, label=f"log p(x) = {LOG_P:.3f}")
    titles = ("The ELBO", "Variance of the ELBO", "Variance of its gradient to μ", "Variance of its gradient to log σ²")
    for ax, title in zip(axes.flat, titles):
        ax.set(title=title, xlabel="q, from the prior (0) to the posterior (1)", ylabel="nats")
        ax.grid(alpha=0.3)
    for ax in axes.flat[1:]:
        ax.plot([], [], "k--", linewidth=1, label="closed form")
        ax.set(ylabel="variance of one sample", ylim=(-0.03 * ax.get_ylim()[1], None))
    for ax in axes.flat:
        ax.legend(fontsize="small")
    stage.save(
        figure,
        "page08_kl",
        "The divergence in closed form, or sampled",
        "E[log p(x | z)] − KL(q ‖ p) = E[log p(x | z) + log p(z) − log q(z)]",
        "Above left: the mean is the same in every form (bars: five standard errors). Above right: all sampled, the "
        "ELBO grows quiet as q nears the posterior, where every sample gives log p(x); the score is no part of the "
        "value. Below: yet its gradient is noisier than that with the KL in closed form, all the way. Without the "
        "score, the gradient of the sampled form is the quietest of the three, and at the posterior it has no noise.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
