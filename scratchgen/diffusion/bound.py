"""The bound on log p(x_0), term by term, and as one estimate along a path.

    log p(x_0) ≥ −L_T − Σ_{t≥2} L_{t−1} − L_0                                                        (1)
    L_T = KL(q(x_T | x_0) ‖ p(x_T))                                 no parameters                    (2)
    L_{t−1} = E_q[KL(q(x_{t−1} | x_t, x_0) ‖ p(x_{t−1} | x_t))]     two Gaussians: closed form       (3)
    L_0 = −E_q[log p(x_0 | x_1)]                                    of ``decoders``                  (4)

The expectations are over x_t ~ q(x_t | x_0); one draw makes an estimate of each. All is in nats. What is bounded is a
probability where data are levels, and its ``bits_per_dim`` compare with any other model's; else it is a density.

As for a VAE there is a form in which all is sampled, over a path x_1 … x_T ~ q( · | x_0):

    log p(x_0) ≥ E_q[log p(x_T) + Σ_t log p(x_{t−1} | x_t) − Σ_t log q(x_t | x_{t−1})]               (5)

Where p is exactly the reverse of q, (5) is log p(x_0) for every path, and its variance is 0.

Source: Ho et al., arXiv:2006.11239, equations (3) and (5), and appendix A.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.diffusion.arguments import beside, noise_for, require_rows
from scratchgen.diffusion.forward import q_posterior, q_sample
from scratchgen.distributions import Normal, kl_divergence
from scratchgen.distributions.distribution import values
from scratchgen.random import Rng, generator

if TYPE_CHECKING:
    from scratchgen.diffusion.reverse_chain import Prediction, ReverseChain


class Terms(NamedTuple):
    """The terms of (1) in nats, for each x_0.

    Attributes:
        prior: L_T, (B,).
        steps: an estimate of L_{t−1} for t = 1 … T, (T, B): the first row is L_0.
    """

    prior: np.ndarray
    steps: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """The negative bound, (B,)."""
        return np.asarray(self.prior + self.steps.sum(axis=0))


def terms(model: ReverseChain, x: Any, rng: Rng | None = None, noise: Any = None, context: Any = None) -> Terms:
    """All terms of (1), each with one draw of x_t: T passes of the network; no gradient.

    Args:
        model: a DDPM.
        x: data, (B, …).
        rng: draws ε of each t.
        noise: ε itself, (T, B, …), instead of ``rng``.
        context: (B,), the labels, where the network takes some.

    Raises:
        TypeError: without rng and noise.
        ValueError: for an empty batch; for noise of another shape.

    >>> from scratchgen.diffusion import DDPM, Schedule
    >>> model = DDPM(lambda x, time: x, Schedule([0.5, 0.5]), (1,), "x0")
    >>> terms(model, np.zeros((3, 1)), rng=0).steps.shape
    (2, 3)
    """
    require_rows(x)
    x0, T = model.decoder.to_network(x, model.dtype), model.schedule.T
    rng = None if rng is None else generator(rng)
    if noise is not None and len(noise) != T:
        raise ValueError(f"noise has {len(noise)} rows; it must have T={T}, one for each step")
    steps = []
    with no_grad():
        for t in range(1, T + 1):
            eps = noise_for(x0, rng, None if noise is None else noise[t - 1])
            x_t = q_sample(model.schedule, x0, t, noise=eps)
            each = np.full(len(x), t)
            steps.append(values(step_term(model, x, x0, x_t, each, model.predict(x_t, t, context))))
        return Terms(values(prior_term(model, x0)), np.stack(steps).astype(np.float64))


def prior_term(model: ReverseChain, x0: Any) -> np.ndarray:
    """L_T (2) in nats, (B,); x_0 on the network's scale."""
    a, b = model.signal_and_noise(np.full(len(x0), model.schedule.T), x0)
    q = Normal(a * x0, np.broadcast_to(2.0 * np.log(b), x0.shape))
    return values(per_example(kl_divergence(q, model.prior_at(x0))))


def step_term(model: ReverseChain, x: Any, x0: Any, x_t: Any, t: np.ndarray, prediction: Prediction) -> Any:
    """What x_t, drawn from q, contributes to L_{t−1} (3), or at t = 1 to L_0 (4), in nats, (B,); differentiable.

    Args:
        model: a DDPM.
        x: data, (B, …).
        x0: the same on the network's scale.
        x_t: (B, …).
        t: the step of each row, (B,).
        prediction: of the model for x_t.
    """
    mean, log_variance = model.reverse(x_t, t, prediction)
    first, later = np.flatnonzero(t == 1), np.flatnonzero(t > 1)
    parts = []
    if len(first):
        logits = None if prediction.logits is None else prediction.logits[first]
        parts.append(-per_example(model.log_last(x[first], mean[first], log_variance[first], logits)))
    if len(later):
        q_mean, q_variance = q_posterior(model.schedule, x0[later], x_t[later], t[later])
        q = Normal(q_mean, np.broadcast_to(np.log(q_variance), q_mean.shape))
        parts.append(per_example(kl_divergence(q, Normal(mean[later], log_variance[later]))))
    return np.concatenate(parts)[np.argsort(np.concatenate([first, later]))]  # in the order of the rows again


def along_a_path(
    model: ReverseChain, x: Any, rng: Rng | None = None, noise: Any = None, context: Any = None
) -> np.ndarray:
    """The estimate (5) of the bound on log p(x_0) by one path for each x_0, (B,), in nats; arguments as of ``terms``.

    >>> from scratchgen.diffusion import DDPM, Schedule
    >>> model = DDPM(lambda x, time: 0.5 * x, Schedule([0.75]), (1,), "x0", variance=np.array([0.0, 0.75]))
    >>> along_a_path(model, np.ones((3, 1)), rng=0).round(6)               # log N(1; 0, 1)
    array([-1.418939, -1.418939, -1.418939])
    """
    x0, schedule = model.decoder.to_network(x, model.dtype), model.schedule
    rng = None if rng is None else generator(rng)
    before, total = x0, np.zeros(len(x))
    with no_grad():
        for t in range(1, schedule.T + 1):
            each, beta = np.full(len(x), t), schedule.betas[t]
            step_mean = beside(np.sqrt(1.0 - beta), x0) * before
            eps = noise_for(x0, rng, None if noise is None else noise[t - 1])
            x_t = step_mean + beside(np.sqrt(beta), x0) * eps
            log_q = Normal(step_mean, np.full_like(x0, np.log(beta))).log_prob(x_t)
            prediction = model.predict(x_t, t, context)
            mean, log_variance = model.reverse(x_t, each, prediction)
            if t == 1:
                log_p = model.log_last(x, mean, log_variance, prediction.logits)
            else:
                log_p = Normal(mean, log_variance).log_prob(before)
            total = total + values(per_example(log_p - log_q))
            before = x_t
        return np.asarray(total + values(per_example(model.prior_at(before).log_prob(before))))


def per_example(y: Any) -> Any:
    """Σ over all axes but the first, (B,)."""
    return np.sum(y, axis=tuple(range(1, y.ndim)))
