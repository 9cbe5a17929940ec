"""The case of the linear probe: its objective, penalty included."""

from __future__ import annotations

import numpy as np

from scratchgen.checks.cases import Case, leaf, register
from scratchgen.latent.probe import LinearProbe


@register("models", LinearProbe)
def linear_probe(rng: np.random.Generator) -> Case:
    """Seven examples of three classes, away from the start at 0."""
    probe = LinearProbe(4, classes=3, penalty=0.3)
    probe.W.assign(leaf(rng, 4, 3).data)
    probe.b.assign(leaf(rng, 3).data)
    h, y = rng.normal(size=(7, 4)), rng.integers(0, 3, 7)
    return probe.parameters(), lambda: probe.loss(h, y)
