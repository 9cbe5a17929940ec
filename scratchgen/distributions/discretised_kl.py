"""The Kullback–Leibler divergence of densities cut into the same grey levels: a sum over the levels.

    KL(q ‖ p) = Σ_x Q(x) log (Q(x)/P(x))                                                       (1)

It takes memory for all levels of every element of the batch.
"""

from __future__ import annotations

from typing import Any

from scratchgen.distributions.discrete_kl import categorical_kl
from scratchgen.distributions.discretised import Discretised, DiscretisedLogistic
from scratchgen.distributions.discretised_normal import DiscretisedNormal
from scratchgen.distributions.kl import closed_form


@closed_form(DiscretisedLogistic, DiscretisedLogistic)
@closed_form(DiscretisedLogistic, DiscretisedNormal)
@closed_form(DiscretisedNormal, DiscretisedLogistic)
@closed_form(DiscretisedNormal, DiscretisedNormal)
def kl_discretised(q: Discretised, p: Discretised) -> Any:
    """(1), elementwise.

    Raises:
        ValueError: for different numbers of levels.
    """
    if q.levels != p.levels:
        raise ValueError(f"q has {q.levels} levels and p {p.levels}; they must be equal")
    return categorical_kl(q.categorical.logits, p.categorical.logits)
