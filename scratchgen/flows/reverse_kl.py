"""Training without data: a flow made like a density that can be evaluated, but not drawn from (lecture p. 11).

The density is known up to a constant, p(x) = p̃(x) / Z, as a posterior is: p̃ is the joint, and Z the evidence. A flow q
is fitted by the *reverse* divergence, whose expectation is over draws of q itself:

    KL(q ‖ p) = E_q[log q(x) − log p̃(x)] + log Z                                                (1)
    loss = (1/n) Σ_i log q(x_i) − log p̃(x_i),    x_i = f⁻¹(z_i),  z_i ~ p_z                      (2)

Z does not move, so the gradient of (2) is that of (1): through x_i into p̃, whose slope has to be known, and through
log q. −loss is a lower bound on log Z, the ELBO. The forward divergence KL(p ‖ q) of maximum likelihood punishes q for
being small where p is not, so q covers all of p; the reverse one punishes it for being large where p is not, and q may
sit on one of several modes.

How well q has done is told by weights, which need no truth:

    w_i = p̃(x_i) / q(x_i),    E_q[w] = Z,    log Ẑ = log (1/n) Σ_i w_i                           (3)
    ESS = (Σ_i w_i)² / Σ_i w_i²                                                                 (4)
    standard error of log Ẑ ≈ √((n/ESS − 1) / (n − 1))                                          (5)

(5) is the standard error of the mean of w as a part of that mean, since log(1 + e) ≈ e. (4), the effective sample size,
is n if all weights are equal, which is q = p, and near 1 if one draw outweighs all the others. It can be large for the
wrong reason: of a mode that q never visits, the weights know nothing. Then log Z is estimated too low, by −log of the
share that was found: log 2, if it is half.

Source: Rezende and Mohamed, arXiv:1505.05770, section 3; Owen, Monte Carlo theory, methods and examples, 2013,
sections 9.1 and 9.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import Tensor, logsumexp, no_grad
from scratchgen.distributions.arguments import require
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Module
from scratchgen.random import Rng


class Evidence(NamedTuple):
    """What n draws of q say of Z, in nats."""

    log_z: float  # log Ẑ (3)
    error: float  # its standard error (5)
    effective: float  # the effective sample size (4), 1 to n; 0 if no draw has a weight
    bound: float  # the mean of log w: minus the loss (2)


class ReverseKL(Module):
    """A flow q that is trained on the logarithm of a density, log p̃.

    Args:
        q: a Module that gives a distribution when it is called, a ``Flow``, for example.
        log_density: from x, a Tensor (n, …), to log p̃(x), (n,), in NumPy's functions: without a constant, if need be.

    Raises:
        TypeError: for a q that is no Module.

    >>> from scratchgen.distributions import Independent, Normal
    >>> from scratchgen.flows import Affine, Flow
    >>> flow = Flow(Affine(2, dtype=np.float64), Independent(Normal(np.zeros(2), np.zeros(2)), 1))
    >>> model = ReverseKL(flow, lambda x: -0.5 * np.sum(x * x, axis=1))            # Z = 2π
    >>> [round(number, 4) for number in model.evidence(100, rng=0)]                # q is p: log 2π, without any error
    [1.8379, 0.0, 100.0, 1.8379]
    """

    def __init__(self, q: Module, log_density: Callable[[Any], Any]) -> None:
        if not isinstance(q, Module):
            raise TypeError(f"q is a {type(q).__name__}; it must be a Module that gives a distribution, such as a Flow")
        self.q, self.log_density = q, log_density

    def loss(self, batch: Any, rng: Rng) -> Tensor:
        """(2) from as many draws as there are rows in the batch, in nats. What is in the rows does not matter.

        So ``fit`` can train it: ``fit(model, np.zeros((256, 1), np.float32), batch_size=256, …)`` takes 256 draws a
        step.

        Raises:
            ValueError: for an empty batch; as ``log_weights``.
        """
        if len(batch) == 0:
            raise ValueError("batch has 0 rows; a mean over draws needs at least 1")
        return -np.mean(self.log_weights(len(batch), rng))

    def log_weights(self, n: int, rng: Rng | None = None, noise: Any = None) -> Any:
        """log w (3) of n draws of q, (n,), in nats; differentiable.

        Args:
            n: how many.
            rng: draws them.
            noise: instead of it, what ``rsample`` of q takes.

        Raises:
            TypeError, ValueError: for n that is no int, or less than 1.
            ValueError: for a log_density of another shape than (n,).
        """
        require_int("n", n)
        x, log_q = self.q().rsample_and_log_prob(n, rng, noise)
        log_p = self.log_density(x)
        if np.shape(log_p) != (n,):
            raise ValueError(f"log_density gives shape {np.shape(log_p)} for {n} draws; it must be ({n},)")
        return log_p - log_q

    def evidence(self, n: int, rng: Rng) -> Evidence:
        """What n draws of q say of Z (3–5); no gradient.

        Raises:
            TypeError, ValueError: as ``log_weights``; for n below 2.
            ValueError: for a log p̃ that is NaN or +inf.
        """
        require_int("n", n, least=2)
        with no_grad():
            log_w = values(self.log_weights(n, rng)).astype(np.float64)
        require("log w", log_w, lambda value: value < np.inf, "log_density must give numbers, or −inf")
        if np.isneginf(log_w).all():
            return Evidence(-math.inf, math.inf, 0.0, -math.inf)  # of a Z that may be anything: no draw was where p is
        log_sum, log_squares = float(logsumexp(log_w, axis=0)), float(logsumexp(2 * log_w, axis=0))
        effective = math.exp(2 * log_sum - log_squares)
        error = math.sqrt(max(n / effective - 1, 0.0) / (n - 1))  # rounding may take it a little below 0
        return Evidence(log_sum - math.log(n), error, effective, float(log_w.mean()))
