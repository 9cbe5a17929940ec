"""Expectation maximisation with an exact E-step, for models whose posterior is known.

For any q(z), log p_θ(x) is a bound and a gap (lecture p. 4):

    log p_θ(x) = E_q[log p_θ(x, z) − log q(z)] + KL(q(z) ‖ p_θ(z | x))                         (1)

    E-step   q(z) = p_θ(z | x) for the θ at hand: the gap closes, and the bound touches log p_θ(x)
    M-step   θ' = argmax_θ' E_q[log p_θ'(x, z)], with q held fixed: the bound rises

After both, log p_θ'(x) ≥ bound at θ' ≥ bound at θ = log p_θ(x): *the likelihood never falls*, without any step size. A
sequence that falls, but for rounding, shows an error in one of the steps.

EM can creep: x and z together would tell more of θ than x alone, and the smaller the share that x has, the slower. So a
small rise is no proof that the top is near. ``em`` has the steps for other q than the posterior, and partial ones.

Source: Dempster, Laird and Rubin, Maximum likelihood from incomplete data via the EM algorithm, J. R. Stat. Soc. B 39,
1977; in the form of (1) Neal and Hinton, A view of the EM algorithm, 1998.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.distributions.numbers import require_int


class Climb(NamedTuple):
    """What EM found, and its way there."""

    model: Any
    log_likelihoods: np.ndarray  # before the first step, and after each: mean log p(x), nats per example


def climb(step: Callable[[Any, Any], Any], model: Any, x: Any, steps: int, tolerance: float = 0.0) -> Climb:
    """Take EM steps until the mean log-likelihood rises by ``tolerance`` or less, but at most ``steps`` of them.

    Args:
        step: gives from a model and x a better model, such as ``ppca.em_step`` or ``mixture_em.em_step``.
        model: where to start; it stays as it is.
        x: the data, (N, D).
        steps: at most so many, 1 or more.
        tolerance: in nats per example; at 0, it ends where rounding hides the rise.

    Raises:
        TypeError, ValueError: for steps that is no int, or less than 1; as ``step`` does.

    >>> from scratchgen.latent import ppca
    >>> x = np.array([[3.0, 2.0], [-2.0, -3.0], [1.0, 2.0], [-2.0, -1.0]])
    >>> found = climb(ppca.em_step, ppca.random_start(x, latent=1, rng=0), x, steps=100)
    >>> bool(np.isclose(found.log_likelihoods[-1], ppca.best_log_likelihood(x, latent=1)))
    True
    """
    require_int("steps", steps)

    def mean_log_likelihood(of: Any) -> float:
        with no_grad():
            return float(np.mean(of.log_prob(x).data))

    path = [mean_log_likelihood(model)]
    for _ in range(steps):
        model = step(model, x)
        path.append(mean_log_likelihood(model))
        if path[-1] - path[-2] <= tolerance:
            break
    return Climb(model, np.array(path))
