"""Whether samples are as data are, where no density is known: can anyone tell them apart?

A classifier two-sample test. Of each sample one half is for learning, the other is held out; a classifier learns which
sample a point is from, and is asked for the held-out points. If p = q, nothing beats guessing. For any p and q

    accuracy ≤ ½ + ½ TV(p, q),   TV(p, q) = ½ ∫ |p(x) − q(x)| dx ∈ [0, 1]                       (1)

with equality for the best classifier, which says "from p" where p(x) > q(x). So an accuracy a shows that TV(p, q) is
2a − 1 at least, but for chance; ½ shows only that this classifier found no difference.

Here the k nearest of the learnt points vote. Given these, each held-out point is right or wrong on its own, so

    standard error = √(a (1 − a) / n),   n held-out points of both samples                       (2)

Nothing is trained, so nothing can have been trained too little. But neighbours need data as dense as the structure is
fine: the test is for few dimensions, of like scales.

Source: Lopez-Paz and Oquab, Revisiting classifier two-sample tests, arXiv:1610.06545.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scratchgen.distributions.numbers import require_int
from scratchgen.metrics.samples import two_samples
from scratchgen.random import Rng, generator


class TwoSampleAccuracy(NamedTuple):
    """The share of held-out points that were told right, and its standard error (2).

    ``str`` of it is what to print: "0.503 ± 0.005".
    """

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f}"


def classifier_two_sample(x: Any, y: Any, rng: Rng, neighbours: int = 31) -> TwoSampleAccuracy:
    """How well the k nearest neighbours tell two samples apart: ½ if they are of one distribution.

    Args:
        x, y: (N, D) each, of the same N: then guessing is right half of the time. Fresh draws: samples beside the very
            points that a model was trained on are another question.
        rng: deals out the halves.
        neighbours: k, odd, so that no vote is a tie.

    Raises:
        TypeError: for masked arrays; for neighbours that are no int.
        ValueError: for x and y of other or of different shapes, or not finite; for an even k, or one above the number
            of points to learn from.

    >>> draw = np.random.default_rng(0).normal
    >>> print(classifier_two_sample(draw(size=(4000, 1)), draw(size=(4000, 1)), rng=0))
    0.508 ± 0.008
    >>> print(classifier_two_sample(draw(size=(4000, 1)), draw(1.0, size=(4000, 1)), rng=0))  # at best Φ(½) = 0.691
    0.672 ± 0.007
    """
    from scipy.spatial import cKDTree  # a slow import: only who needs it shall wait for it

    x, y = two_samples(x, y, same_n=True)
    require_int("neighbours", neighbours)
    half = len(x) // 2
    if neighbours % 2 == 0 or neighbours > 2 * half:
        raise ValueError(f"neighbours is {neighbours}; it must be odd, and at most the {2 * half} points to learn from")
    rng = generator(rng)
    x, y = x[rng.permutation(len(x))], y[rng.permutation(len(y))]
    learnt, held_out = (np.concatenate([x[part], y[part]]) for part in (slice(half), slice(half, None)))
    nearest = cKDTree(learnt).query(held_out, [*range(1, neighbours + 1)])[1]  # (n, k): a list keeps the axis of k = 1
    says_y = (nearest >= half).sum(axis=1) > neighbours // 2
    is_y = np.arange(len(held_out)) >= len(x) - half
    accuracy = float((says_y == is_y).mean())
    return TwoSampleAccuracy(accuracy, float(np.sqrt(accuracy * (1 - accuracy) / len(is_y))))
