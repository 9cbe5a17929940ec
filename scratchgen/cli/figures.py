"""The figure of a model on data: nats per row, what kind of figure that is, bits, and how far from the entropy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from scratchgen.cli.data import Data
    from scratchgen.cli.family import Family


CHARACTERS = 20  # of a text, for a row of other data, where not all are measured


class Figure(NamedTuple):
    """The mean of −log p over rows, in nats, with its standard error.

    Attributes:
        mean, error: nats per row, or per character of a text.
        kind, how: as of ``family.Nats``.
        rows: how many.
        of: what one is: "example" or "character".
        bits: per dimension, of levels, or per character; None for points, whose density has no bits.
        entropy: of the data, in nats, where it is known.
        truth: minus the mean log-density of these very rows under the true distribution, where it is known.
    """

    mean: float
    error: float
    kind: str
    how: str
    rows: int
    of: str
    bits: float | None = None
    entropy: float | None = None
    truth: float | None = None

    def lines(self) -> Iterator[str]:
        """What to print; the first line has the figure."""
        which = {
            "exact": "exact",
            "upper bound": "an upper bound: the true figure is lower",
            "estimate": "an estimate",
        }[self.kind]
        yield f"{self.mean:.4f} ± {self.error:.4f} nats per {self.of}, {which}"
        yield f"{self.how}; {self.rows:,} {'pieces' if self.of == 'character' else 'examples'}"
        if self.bits is not None:
            yield f"{self.bits:.4f} bits per {'dimension' if self.of == 'example' else 'character'}"
        if self.entropy is not None and self.truth is not None:
            yield f"{self.truth:.4f} by the true density, whose entropy is {self.entropy:.4f}"


def measured(family: Family, model: Any, data: Data, split: str, seed: int, most: int | None = None) -> Figure:
    """The figure on one part of the data, or its first ``most`` rows."""
    import numpy as np

    x = data.part(split)
    if most is not None:
        x = x[: most * (CHARACTERS if data.form.kind == "text" else 1)]
    found = family.nats(model, data.form, x, np.random.default_rng(seed))
    values = found.values + data.form.log_volume
    n = len(values)
    mean, error = float(values.mean()), float(values.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    of = "character" if data.form.kind == "text" else "example"
    bits = None
    if data.form.kind != "points":
        bits = mean / (max(1, data.form.dims) * math.log(2))
    entropy = truth = None
    if data.toy is not None:
        entropy = data.toy.entropy()
        truth = -float(data.toy.log_prob(data.form.to_data(x)).mean())
    return Figure(mean, error, found.kind, found.how, n, of, bits, entropy, truth)
