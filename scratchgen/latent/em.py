"""Generalised EM, as lecture p. 5 states it: alternate between optimising φ and optimising θ.

    ELBO(θ, φ) = E_{q_φ}[log p_θ(x | z) + log p_θ(z) − log q_φ(z | x)]                          (1)
               = log p_θ(x) − KL(q_φ(z | x) ‖ p_θ(z | x))                                       (2)

    φ step     φ ← argmax_φ ELBO(θ, φ): by (2) the least gap, at the same log p_θ(x)            (3)
    θ step     θ ← argmax_θ ELBO(θ, φ) = argmax_θ E_{q_φ}[log p_θ(x | z) + log p_θ(z)]          (4)

A step may go only part of the way, such as a few small gradient steps, as long as it raises the ELBO: that is the
generalisation. Joint ascent is the other extreme: each gradient step is in θ and φ at once, as a VAE is trained.

*What is guaranteed.* The ELBO never falls. Where q can be the posterior and each φ step goes to the optimum, the gap
is 0 after it, and so

    log p_θ'(x) ≥ ELBO(θ', φ) ≥ ELBO(θ, φ) = log p_θ(x)                                         (5)

for the θ' of the next θ step: the likelihood rises as well. That is EM. If q is restricted, or the φ step partial, the
last equality fails. The ELBO still rises, but may do so by closing the gap, while the likelihood falls.

Source: lecture p. 5; Neal and Hinton, A view of the EM algorithm that justifies incremental, sparse, and other
variants, 1998; Dempster, Laird and Rubin, J. R. Stat. Soc. B 39, 1977.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.distributions import Distribution
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.arguments import require_rows
from scratchgen.latent.elbo import three_terms
from scratchgen.latent.points import Points
from scratchgen.optim import Optimizer

Step = Callable[[], None]


class Record(NamedTuple):
    """Where things stand after a half step, in nats per example."""

    step: str  # "start", "phi", "theta" or "joint"
    log_p: float  # log p_θ(x), averaged over the data
    elbo: float  # (1), averaged over the data

    @property
    def gap(self) -> float:
        """KL(q_φ ‖ posterior) (2), averaged over the data."""
        return self.log_p - self.elbo


class Bound:
    """The ELBO (1) of a model and a q on data x, as a function of the values that their parameters have.

    Args:
        model: p_θ, with ``prior``, ``decode``, and the exact ``log_prob(x)``.
        q: q_φ, a function from x to the distributions q(z | x), such as a ``GaussianPosterior``.
        x: (B, *event_shape).
        points: the expectation under q: a function such as ``lambda q: quadrature(q, order=2)``.

    Raises:
        ValueError: for an empty batch.

    >>> from scratchgen.latent import GaussianPosterior, LinearGaussian, PerExample, quadrature
    >>> x, model = np.array([[3.0, 2.9], [-1.0, -1.2]]), LinearGaussian(np.ones((2, 1)), np.zeros(2), 0.0)
    >>> q = GaussianPosterior(PerExample(len(x), 2), latent=1)
    >>> bound = Bound(model, q, x, lambda q: quadrature(q, order=2))
    >>> q.move_to(model.posterior(x))
    >>> round(bound.measure("phi").gap, 12)
    0.0
    """

    def __init__(
        self,
        model: Any,
        q: Callable[[Any], Distribution],
        x: np.ndarray,
        points: Callable[[Any], Points],
    ) -> None:
        require_rows(x, "a mean over the batch")
        self.model, self.q, self.x, self.points = model, q, x, points

    def __call__(self) -> Tensor:
        """The ELBO (1), averaged over the data, in nats per example; differentiable in θ and φ."""
        return np.mean(three_terms(self.model, self.x, self.points(self.q(self.x))).total)

    def measure(self, step: str) -> Record:
        """log p_θ(x), computed on its own, beside the ELBO."""
        with no_grad():
            log_p = np.mean(values(self.model.log_prob(self.x)))
            return Record(step, float(log_p), float(values(self())))


def alternate(bound: Bound, phi_step: Step, theta_step: Step, rounds: int) -> list[Record]:
    """Generalised EM: ``rounds`` times a φ step (3) and a θ step (4).

    Args:
        bound: what the steps raise.
        phi_step: changes φ only.
        theta_step: changes θ only.
        rounds: how many of each.

    Returns:
        1 + 2 rounds records: of the start, and after each half step.

    Raises:
        TypeError, ValueError: for rounds that is no int, or negative.

    >>> from scratchgen.latent import GaussianPosterior, LinearGaussian, PerExample, quadrature
    >>> from scratchgen.latent.theta_steps import fit_linear_gaussian
    >>> x = np.array([[3.0, 2.9], [-1.0, -1.2], [1.0, 1.1], [-2.0, -1.9]])
    >>> model, q = LinearGaussian(np.ones((2, 1)), np.zeros(2), 0.0), GaussianPosterior(PerExample(4, 2), latent=1)
    >>> bound = Bound(model, q, x, lambda q: quadrature(q, order=2))
    >>> phi_step = lambda: q.move_to(model.posterior(x))
    >>> theta_step = lambda: fit_linear_gaussian(model, x, q(x))
    >>> for record in alternate(bound, phi_step, theta_step, rounds=2):
    ...     print(f"{record.step:5} {record.log_p:.3f} = {record.elbo:.3f} + {abs(record.gap):.3f}")
    start -3.626 = -6.547 + 2.920
    phi   -3.626 = -3.626 + 0.000
    theta -3.258 = -3.409 + 0.151
    phi   -3.258 = -3.258 + 0.000
    theta -2.929 = -3.074 + 0.145
    """
    require_int("rounds", rounds, least=0)
    records = [bound.measure("start")]
    for _ in range(rounds):
        phi_step()
        records.append(bound.measure("phi"))  # (3)
        theta_step()
        records.append(bound.measure("theta"))  # (4)
    return records


def ascend_jointly(bound: Bound, step: Step, rounds: int) -> list[Record]:
    """Joint ascent: ``rounds`` times one step, such as ``gradient_steps`` with the parameters of both θ and φ.

    Returns:
        1 + rounds records.

    Raises:
        TypeError, ValueError: for rounds that is no int, or negative.
    """
    require_int("rounds", rounds, least=0)
    records = [bound.measure("start")]
    for _ in range(rounds):
        step()
        records.append(bound.measure("joint"))
    return records


def gradient_steps(bound: Bound, optimizer: Optimizer, steps: int) -> Step:
    """A partial step: ``steps`` gradient steps up the ELBO, in the parameters that the optimiser has and no others.

    For a θ step these are those of the model, or of the decoder of a VAE; for a φ step those of q, or of the encoder.
    Backward leaves gradients in all parameters. Those of the other half step are not used, and are forgotten before it
    computes its own.

    Raises:
        TypeError, ValueError: for steps that is no int, or less than 1.
    """
    require_int("steps", steps)

    def step() -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            (-bound()).backward()
            optimizer.step()

    return step
