"""The chain of Gaussians backwards, from noise to data, whose means a network gives (lecture p. 12).

    p(x_T) = N(0, I),   p(x_{t−1} | x_t) = N(c_t x̂_0 + d_t x_t, σ_t² I),   x̂_0 from the network      (1)

The mean is that of q(x_{t−1} | x_t, x_0) with the network's x̂_0 in the place of x_0; c_t and d_t are in ``forward``,
σ_t² in ``variances``. How the network is trained is in ``ddpm``.

Source: Ho et al., arXiv:2006.11239, equations (1), (6), (7) and (11), and algorithm 2.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from scratchgen.autodiff import Tensor, no_grad, sigmoid
from scratchgen.diffusion.arguments import beside, noise_for, steps_of
from scratchgen.diffusion.decoders import Decoder, RealDecoder
from scratchgen.diffusion.forward import posterior_coefficients
from scratchgen.diffusion.samplers import ancestral
from scratchgen.diffusion.schedules import Schedule, require_steps
from scratchgen.diffusion.targets import TARGETS
from scratchgen.diffusion.variances import LOG_VARIANCES, log_optimal
from scratchgen.distributions import Normal
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Module
from scratchgen.random import Rng, generator


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


Chain = TypeVar("Chain", bound="ReverseChain")


class ReverseChain(Module, ABC):
    """The chain (1) in T steps, as a way to draw; see ``DDPM`` for the arguments, and for what trains it.

    Raises:
        ValueError: for an unknown target or variance.
    """

    def __init__(
        self,
        network: Callable[..., Any],
        schedule: Schedule,
        event_shape: tuple[int, ...],
        target: str,
        variance: str | np.ndarray,
        decoder: Decoder | None,
        clip: tuple[float, float] | None,
        prior: Normal | None,
    ) -> None:
        if target not in TARGETS:
            raise ValueError(f"target is {target!r}; it must be one of {', '.join(TARGETS)}")
        self.x0_variance = None if isinstance(variance, str) else np.asarray(variance, np.float64)
        self.variance = variance if isinstance(variance, str) else "optimal"
        if self.x0_variance is not None:
            log_optimal(schedule, self.x0_variance)  # raises where it does not fit
        elif self.variance not in (*LOG_VARIANCES, "learned"):
            raise ValueError(f"variance is {variance!r}; it must be beta, beta_tilde, learned, or an array")
        self.network, self.schedule, self.event_shape, self.target = network, schedule, tuple(event_shape), target
        self.decoder, self.clip, self.prior = decoder or RealDecoder(), clip, prior
        self.times = np.arange(schedule.T + 1) / schedule.T  # what the network is told of t

    @abstractmethod
    def loss(self, x: Any, *context_and_rng: Any) -> Tensor:
        """What trains the network, averaged over the batch."""

    @property
    def dtype(self) -> np.dtype:
        """That of the parameters; float64 for a network without any, such as one that is exact."""
        return super().dtype if self.parameters() else np.dtype(np.float64)

    def part(self: Chain, times: Any) -> Chain:
        """The same network with fewer steps: from each of these straight to the next.

        It is a model like the whole one, so all that is said of that holds: the βs are those of the longer jumps, and
        the network is told the time it was trained with.

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
