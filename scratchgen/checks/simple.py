"""Cases of the simplest autoregressive models: the table, the fully visible sigmoid belief net, and NADE."""

from __future__ import annotations

import numpy as np

from scratchgen.autoregressive.fvsbn import FVSBN
from scratchgen.autoregressive.nade import NADE
from scratchgen.autoregressive.table import ProbabilityTable
from scratchgen.checks.cases import Case, register
from scratchgen.checks.models import of


@register("models", ProbabilityTable)
def table(rng: np.random.Generator) -> Case:
    """Three places for three symbols, in another order than the axes."""
    return of(ProbabilityTable(rng.normal(size=(3, 3, 3)), [2, 0, 1]), rng.integers(0, 3, (4, 3)))


@register("models", FVSBN)
def fvsbn(rng: np.random.Generator) -> Case:
    """Weights that are not 0."""
    model = FVSBN(4, [2, 0, 3, 1], np.float64)
    model.W.assign(rng.normal(size=(4, 4)))
    model.b.assign(rng.normal(size=4))
    return of(model, rng.integers(0, 2, (5, 4)))


@register("models", NADE)
def nade(rng: np.random.Generator) -> Case:
    """Biases that are not 0."""
    model = NADE(4, 3, rng, [2, 0, 3, 1], np.float64)
    model.b.assign(rng.normal(size=4))
    model.c.assign(rng.normal(size=3))
    return of(model, rng.integers(0, 2, (5, 4)))
