"""The denoising diffusion model: a chain of Gaussians backwards, whose means a network gives (lecture p. 12).

    p(x_T) = N(0, I),   p(x_{t−1} | x_t) = N(c_t x̂_0 + d_t x_t, σ_t² I),   x̂_0 from the network      (1)

The mean is that of q(x_{t−1} | x_t, x_0) with the network's x̂_0 in the place of x_0; c_t and d_t are in ``forward``,
σ_t² in ``variances``. With the latent variables x_1 … x_T and a fixed q this is a VAE without an encoder to train, and
its bound on log p(x_0) (``bound``) has a term for each step. Training draws one t for each x_0. It takes T times its
term, an estimate of the whole bound; or, weighted by ``weightings``, the squared error of what the network predicts:

    loss = E_t E_ε[w_t ‖target − output‖²],    sum over dimensions, mean over the batch              (2)

Of a learned variance (2) knows nothing. So λ = 0.001 times the bound is added, in which x̂_0 counts as given: it shall
train the variance, and leave the mean to (2).

Source: Ho et al., arXiv:2006.11239, equations (1) to (14) and algorithm 1; Nichol and Dhariwal, arXiv:2102.09672,
section 3.1, for λ.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import Tensor, no_grad, sigmoid
from scratchgen.diffusion.arguments import beside, noise_for, require_rows, steps_of
from scratchgen.diffusion.bound import per_example, prior_term, step_term
from scratchgen.diffusion.decoders import Decoder, RealDecoder
from scratchgen.diffusion.drawn_steps import drawn_steps
from scratchgen.diffusion.embeddings import without_some
from scratchgen.diffusion.forward import posterior_coefficients, q_sample
from scratchgen.diffusion.samplers import ancestral
from scratchgen.diffusion.schedules import Schedule, require_steps
from scratchgen.diffusion.targets import TARGETS
from scratchgen.diffusion.variances import LOG_VARIANCES, log_optimal
from scratchgen.diffusion.weightings import WEIGHTINGS, target_weights
from scratchgen.distributions import Normal
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Module
from scratchgen.random import Rng, generator

HYBRID = 0.001  # λ


class Prediction(NamedTuple):
    """What the network says of x_t.

    Attributes:
        output: the target, of the shape of x_t.
        x0, eps: x̂_0 and ε̂, of the same shape.
        share: u of a learned variance, of the same shape; else None.
        logits: log p(x_0 | x_t) for each level, (B, …, L), of a ``LevelDDPM``; else None.
    """

    output: Any
    x0: Any
    eps: Any
    share: Any = None
    logits: Any = None


class DDPM(Module):
    """A diffusion model in T steps.

    Args:
        network: from (x_t, time), or (x_t, time, labels), to the target, of the shape of x_t; with a learned variance,
            to twice as many numbers on the last axis. ``time`` is t/T, (B,).
        schedule: β_1 … β_T.
        event_shape: of one x_0.
        target: what the network predicts: "eps", "x0" or "v".
        weighting: of the loss: "simple", "snr", "min_snr", or "bound": then the loss is the negative bound, in nats.
        variance: σ_t² of (1): "beta", "beta_tilde", "learned", or an array of Var[x_0 | x_t], (T + 1,) or
            (T + 1, *event_shape), for the optimal one.
        decoder: p(x_0 | x_1), and what data are: ``RealDecoder()`` or ``LevelDecoder(levels)``.
        clip: the range that x̂_0 is held in when sampling and in the bound, such as (-1, 1) for images.
        drop: the share of labels that training takes away, for guidance.
        prior: p(x_T), one Normal for every component, if not N(0, 1).
        first: the share of t = 1 among the steps that training with the bound draws, if not 1/T; see ``drawn_steps``.

    Raises:
        ValueError: for an unknown target, weighting or variance; for drop outside [0, 1], first outside (0, 1), or
            first with another weighting.

    >>> from scratchgen.diffusion import ResidualNet, cosine
    >>> model = DDPM(ResidualNet(2, rng=0), cosine(50), (2,))
    >>> model.loss(np.zeros((8, 2), np.float32), 0).shape
    ()
    >>> model.sample(3, rng=0).shape
    (3, 2)
    """

    def __init__(
        self,
        network: Callable[..., Any],
        schedule: Schedule,
        event_shape: tuple[int, ...],
        target: str = "eps",
        weighting: str = "simple",
        variance: str | np.ndarray = "beta",
        decoder: Decoder | None = None,
        clip: tuple[float, float] | None = None,
        drop: float = 0.1,
        prior: Normal | None = None,
        first: float | None = None,
    ) -> None:
        if target not in TARGETS:
            raise ValueError(f"target is {target!r}; it must be one of {', '.join(TARGETS)}")
        if weighting not in WEIGHTINGS:
            raise ValueError(f"weighting is {weighting!r}; it must be one of {', '.join(WEIGHTINGS)}")
        self.x0_variance = None if isinstance(variance, str) else np.asarray(variance, np.float64)
        self.variance = variance if isinstance(variance, str) else "optimal"
        if self.x0_variance is not None:
            log_optimal(schedule, self.x0_variance)  # raises where it does not fit
        elif self.variance not in (*LOG_VARIANCES, "learned"):
            raise ValueError(f"variance is {variance!r}; it must be beta, beta_tilde, learned, or an array")
        if not 0 <= drop <= 1:
            raise ValueError(f"drop is {drop}; it must be from 0 to 1")
        if first is not None and not (0 < first < 1 and weighting == "bound"):
            raise ValueError(f"first is {first} and weighting {weighting}; it must be between 0 and 1, with bound")
        self.network, self.schedule, self.event_shape = network, schedule, tuple(event_shape)
        self.target, self.weighting = target, weighting
        self.decoder, self.clip, self.drop, self.prior, self.first = decoder or RealDecoder(), clip, drop, prior, first
        self.times = np.arange(schedule.T + 1) / schedule.T  # what the network is told of t

    @property
    def dtype(self) -> np.dtype:
        """That of the parameters; float64 for a network without any, such as one that is exact."""
        return super().dtype if self.parameters() else np.dtype(np.float64)

    def part(self, times: Any) -> DDPM:
        """The same network with fewer steps: from each of these straight to the next.

        It is a DDPM like any other, so all that is said of one holds: the βs are those of the longer jumps, and the
        network is told the time it was trained with.

        Args:
            times: the steps that stay, increasing, from 1 to T.

        Raises:
            TypeError, ValueError: for other times.
        """
        chosen = np.concatenate([[0], require_steps(times, self.schedule.T)])
        shorter = copy.copy(self)
        shorter.schedule, shorter.times = self.schedule.part(chosen[1:]), self.times[chosen]
        if self.x0_variance is not None:
            shorter.x0_variance = self.x0_variance[chosen]
        return shorter

    # -- one step backwards --------------------------------------------------------------------------------------------

    def predict(self, x_t: Any, t: Any, context: Any = None) -> Prediction:
        """x̂_0 and ε̂ for x_t, (B, *event_shape); they fit each other, also where x̂_0 is clipped.

        Raises:
            TypeError: for t that is no integer.
            ValueError: for t outside 1 … T; for a network that gives another shape.
        """
        t = steps_of(t, len(x_t), self.schedule.T)
        time = self.times[t].astype(x_t.dtype)
        output = self.network(x_t, time) if context is None else self.network(x_t, time, context)
        share, size = None, x_t.shape[-1]
        if self.variance == "learned":
            output, share = output[..., :size], sigmoid(output[..., size:])
        return self.interpreted(output, x_t, t, share)

    def interpreted(self, output: Any, x_t: Any, t: np.ndarray, share: Any) -> Prediction:
        """What the network's output means for x_t."""
        if output.shape != x_t.shape:
            raise ValueError(f"the network gives shape {output.shape} for x_t of shape {x_t.shape}; they must agree")
        a, b = self.signal_and_noise(t, x_t)
        target = TARGETS[self.target]
        x0 = target.to_x0(output, x_t, a, b)
        if self.clip is None:
            return Prediction(output, x0, target.to_eps(output, x_t, a, b), share)
        x0 = np.clip(x0, *self.clip)
        return Prediction(output, x0, TARGETS["x0"].to_eps(x0, x_t, a, b), share)

    def signal_and_noise(self, t: np.ndarray, like: Any) -> tuple[np.ndarray, np.ndarray]:
        """√ᾱ_t and √(1 − ᾱ_t), (B, 1, …)."""
        signal, noise = self.schedule.alphas_cumprod[t], self.schedule.noise_variance[t]
        return beside(np.sqrt(signal), like), beside(np.sqrt(noise), like)

    def reverse(self, x_t: Any, t: np.ndarray, prediction: Prediction) -> tuple[Any, Any]:
        """Mean and log-variance of p(x_{t−1} | x_t) (1), each of the shape of x_t."""
        c, d, _ = posterior_coefficients(self.schedule, t)
        mean = beside(c, x_t) * prediction.x0 + beside(d, x_t) * x_t
        return mean, np.broadcast_to(self.log_variance(x_t, t, prediction.share), x_t.shape)

    def log_variance(self, x_t: Any, t: np.ndarray, share: Any) -> Any:
        """log σ_t² of the rows, (B, 1, …) or (B, …)."""
        if self.x0_variance is not None:
            rows = log_optimal(self.schedule, self.x0_variance)[t]
            return beside(rows, x_t) if rows.ndim == 1 else rows.astype(x_t.dtype)
        if share is None:
            return beside(LOG_VARIANCES[self.variance](self.schedule)[t], x_t)
        least, most = (beside(LOG_VARIANCES[name](self.schedule)[t], x_t) for name in ("beta_tilde", "beta"))
        return least + share * (most - least)

    def log_last(self, x: Any, mean: Any, log_variance: Any, logits: Any) -> Any:
        """log p(x_0 | x_1) for each component of data x, (B, …), by the decoder."""
        return self.decoder.log_prob(x, mean, log_variance)

    def p_sample(
        self,
        x_t: Any,
        t: Any,
        rng: Rng | None = None,
        noise: Any = None,
        context: Any = None,
        prediction: Prediction | None = None,
    ) -> np.ndarray:
        """A draw of p(x_{t−1} | x_t) (1), by its prediction if that is known; at t = 1 the mean: noise would be seen.

        Raises:
            TypeError: without rng and noise; for t that is no integer.
            ValueError: for t outside 1 … T; for noise of another shape.
        """
        t = steps_of(t, len(x_t), self.schedule.T)
        with no_grad():
            known = self.predict(x_t, t, context) if prediction is None else prediction
            mean, log_variance = map(values, self.reverse(x_t, t, known))
        noise = noise_for(x_t, rng, noise)
        return np.asarray(mean + beside((t > 1) * 1.0, x_t) * np.exp(0.5 * log_variance) * noise)

    def prior_at(self, x: Any) -> Normal:
        """p(x_T) for every component of x."""
        zeros = np.zeros_like(values(x))
        if self.prior is None:
            return Normal(zeros, zeros)
        return Normal(zeros + self.prior.mean.astype(x.dtype), zeros + self.prior.logvar.astype(x.dtype))

    def start(self, n: int, rng: Rng) -> np.ndarray:
        """n draws of x_T, (n, *event_shape).

        Raises:
            TypeError, ValueError: for n that is no int, or negative.
        """
        require_int("n", n, least=0)
        return self.prior_at(np.zeros((n, *self.event_shape), self.dtype)).sample((), rng)

    def sample(self, n: int, rng: Rng, context: Any = None) -> np.ndarray:
        """n draws of x_0, (n, *event_shape): x_T from the prior, then all steps backwards.

        Args:
            n: how many.
            rng: draws x_T and the noise of each step.
            context: (n,), the labels, where the network takes some.

        Raises:
            TypeError, ValueError: for n that is no int, or negative.
        """
        rng = generator(rng)
        return self.decoder.to_data(ancestral(self, self.start(n, rng), rng, context=context))

    # -- the loss ------------------------------------------------------------------------------------------------------

    def loss(self, x: Any, *context_and_rng: Any) -> Tensor:
        """The weighted error (2), or the negative bound in nats, averaged over the batch.

        Called as ``loss(x, rng)`` or ``loss(x, labels, rng)``.

        Raises:
            TypeError: without rng.
            ValueError: for an empty batch.
        """
        require_rows(x)
        if not context_and_rng:
            raise TypeError("loss needs rng")
        *contexts, rng = context_and_rng
        rng = generator(rng)
        x0 = self.decoder.to_network(x, self.dtype)
        t, probability = drawn_steps(len(x), self.schedule.T, rng, self.first)
        noise = rng.standard_normal(x0.shape, dtype=x0.dtype)
        context = without_some(contexts[0], self.drop if self.training else 0.0, rng) if contexts else None
        return np.mean(self.losses(x, t, noise, context, probability))

    def losses(self, x: Any, t: Any, noise: Any, context: Any = None, probability: Any = None) -> Any:
        """The loss (2) of each row, (B,), at steps and with noise that are given.

        Where it is a bound, the term of t is divided by the probability with which t was drawn, (B,); by default 1/T.
        """
        x0, t = self.decoder.to_network(x, self.dtype), steps_of(t, len(x), self.schedule.T)
        x_t = q_sample(self.schedule, x0, t, noise=noise)
        prediction = self.predict(x_t, t, context)
        p = (np.full(len(t), 1 / self.schedule.T) if probability is None else probability).astype(x0.dtype)
        if self.weighting == "bound":
            return prior_term(self, x0) + step_term(self, x, x0, x_t, t, prediction) / p
        target = TARGETS[self.target]
        error = target.of(x0, noise, *self.signal_and_noise(t, x0)) - prediction.output
        weights = target_weights(self.schedule, target, self.weighting)[t].astype(x0.dtype)
        loss = weights * per_example(np.square(error))
        if prediction.share is None:
            return loss
        given = prediction._replace(x0=values(prediction.x0))
        return loss + HYBRID * step_term(self, x, x0, x_t, t, given) / p
