"""How far a model is from the truth: its gap to the entropy, for data whose density is known.

    gap = H(p, p_model) − H(p) = E_p[log p(x) − log p_model(x)] = KL(p ‖ p_model) ≥ 0           (1)
    gap ≈ (1/n) Σ_i d_i,  d_i = log p(x_i) − log p_model(x_i),  x_i ~ p fresh                   (2)
    its standard error ≈ std(d) / √n                                                            (3)

H(p, p_model) = −E_p[log p_model(x)] is the cross-entropy, the mean NLL of the model. (2) is *paired*: both logarithms
are of the same x, so what makes one x likelier than another for both cancels. The spread of log p(x) itself is often a
nat; that of d is as small as the model is good, and 0 for the truth.

No density has a gap below 0. So a figure that is negative beyond its error is an alarm: the "log p" of the model is
not that of a density (a sign in a log-determinant, a dimension not counted, a bound taken from the wrong side), or its
x are not draws of p. How often it is a false one depends on d. If (2) is about normal, five errors are one in three
million. A model that misses a rare part of p has d a little below 0 elsewhere, and (3) cannot know of what was not
drawn: there it is more. What holds for any density and any n is Markov's inequality,

    P(Σ_i d_i ≤ −t) ≤ e^−t,    as E_p[Π_i p_model(x_i) / p(x_i)] ≤ 1                            (4)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.data.toys import Toy
from scratchgen.distributions.arguments import require
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng, generator

BATCH = 10_000  # x at a time
ERRORS = 5.0  # how many standard errors below 0 are no chance: if normal, one false alarm in three million
ROUNDING = 1e-5  # nats: what float32 may do to a log-density


class EntropyGap(NamedTuple):
    """The gap (2) in nats, and its standard error (3).

    ``str`` of it is what to print: "0.031 ± 0.002 nats".
    """

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f} nats"


class NegativeGap(UserWarning):
    """A model seems to be better than the truth, which nothing is."""


def gap_to_entropy(
    log_prob: Callable[[np.ndarray], Any], toy: Toy, n: int, rng: Rng, dtype: Any = np.float32
) -> EntropyGap:
    """The gap (2) of a model from n fresh draws of a toy, with a warning if it is negative beyond noise.

    Args:
        log_prob: of the model: from x (b, 2) to log p_model(x) in nats, (b,), as an array or a Tensor. With a lower
            bound in its place, the gap of the bound is added.
        toy: p, with ``sample`` and ``log_prob``.
        n: how many draws.
        rng: draws them; not the generator of the training data from its start.
        dtype: in which the model takes x.

    Returns:
        the gap, inf where the model gives 0 to some x.

    Warns:
        NegativeGap: for a gap of more than 5 standard errors below 0.

    Raises:
        TypeError, ValueError: for n that is no int, or less than 2.
        ValueError: for a log_prob of another shape, or with NaN or +inf.

    >>> from scratchgen.data import Gaussians
    >>> toy, wider = Gaussians([[0.0, 0.0]], std=1.0), Gaussians([[0.0, 0.0]], std=1.2)
    >>> print(gap_to_entropy(wider.log_prob, toy, n=20_000, rng=0))         # log 1.44 + 1/1.44 − 1 = 0.059
    0.061 ± 0.002 nats
    >>> print(gap_to_entropy(toy.log_prob, toy, n=20_000, rng=0))
    0.000 ± 0.000 nats
    """
    require_int("n", n, least=2)
    rng = generator(rng)
    differences = []
    for start in range(0, n, BATCH):
        x = toy.sample(min(BATCH, n - start), rng)
        with no_grad():
            log_model = np.asarray(values(log_prob(x.astype(dtype))), np.float64)
        if log_model.shape != x.shape[:1]:
            raise ValueError(f"log_prob gives shape {log_model.shape} for {len(x)} points; it must be ({len(x)},)")
        require("log_prob", log_model, lambda value: value < np.inf, "it must be a number, or −inf")
        differences.append(toy.log_prob(x) - log_model)
    d = np.concatenate(differences)
    if np.isinf(d).any():
        return EntropyGap(np.inf, np.inf)
    gap = EntropyGap(float(d.mean()), float(d.std(ddof=1) / np.sqrt(n)))
    if gap.value < -ERRORS * gap.error - ROUNDING:
        warnings.warn(
            f"the gap to the entropy is {gap.value:.4f} ± {gap.error:.4f} nats, below 0 beyond noise: this log_prob is "
            "not of a density, or x are not as the toy draws them",
            NegativeGap,
            stacklevel=2,
        )
    return gap
