"""A case of flow matching of grey levels."""

from __future__ import annotations

import numpy as np

from scratchgen.checks.cases import Case, register
from scratchgen.checks.flow_matching import Small
from scratchgen.diffusion import LevelMatching


@register("models", LevelMatching)
def level_matching(rng: np.random.Generator) -> Case:
    """The noise in the bins, times and noise from a fixed seed."""
    model, x = LevelMatching(Small(rng), (2,), 5), rng.integers(5, size=(4, 2))
    return model.parameters(), lambda: model.loss(x, 0)
