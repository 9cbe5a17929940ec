"""Maximum mean discrepancy: two samples compared by all their pairs, with an exact p-value.

A kernel k(x, y) tells how near two points are. If p = q, points of one are as near to points of the other as to their
own. By how much they are not:

    MMD² = E k(x, x′) + E k(y, y′) − 2 E k(x, y),   x, x′ ~ p,  y, y′ ~ q, all independent       (1)
    ≈ Σ_{i≠j} k(x_i, x_j)/(n(n−1)) + Σ_{i≠j} k(y_i, y_j)/(m(m−1)) − 2 Σ_ij k(x_i, y_j)/(nm)      (2)

(2) leaves out the pairs of a point with itself and so has the mean (1), which is 0 for p = q: half of the time or more
(2) is below 0 then (of 400 pairs of normal samples 50 to 62 %, in 1 to 16 dimensions). With the kernel

    k(x, y) = mean over h of exp(−|x − y|² / (2h²))                                             (3)

(1) is 0 *only* for p = q. A bandwidth h sees differences about as coarse as itself. The median distance of two points
is the usual choice; where data lie in clusters, that is the distance of the clusters, and what is within them would go
unseen. So (3) takes the median and, by halves, finer ones: a mean of kernels is a kernel.

Is the value of (2) chance? Under p = q all n + m points are alike, so each dealing of them into n and m is as probable
as the one at hand. Deal P times at random:

    p = (1 + number of dealings whose (2) is at least that of the data) / (1 + P)               (4)

The data's own dealing is one of 1 + P that are alike, hence the ones, and P(p ≤ α) ≤ α under p = q, for *any* n, m, P
and any kernel that does not look at which sample a point is from; without ties they are equal where α(1 + P) is an
integer. So "p ≤ 0.01" is a false alarm once in a hundred. A large p only says that nothing was seen.

All dealings come from one pass over the kernel matrix K (with 0 on its diagonal), a block of rows at a time. For a
dealing with a_i = 1 if point i goes to x, else 0,

    Σ_xx = aᵀKa,   Σ_xy = aᵀK1 − Σ_xx,   Σ_yy = 1ᵀK1 − 2 aᵀK1 + Σ_xx                            (5)

Source: Gretton, Borgwardt, Rasch, Schölkopf and Smola, A kernel two-sample test, JMLR 13 (2012): Lemma 6 is (2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scratchgen.distributions.arguments import unmasked
from scratchgen.distributions.numbers import require_int, require_number
from scratchgen.metrics.samples import two_samples
from scratchgen.random import Rng, generator

FACTORS = (1.0, 1 / 2, 1 / 4, 1 / 8)  # of the median distance
MOST = 1000  # points from which the median is taken
NUMBERS = 2_000_000  # entries of K at a time: they bound the memory
TIE = 1e-12  # two values of (2) that differ by rounding alone are tied


class MMDTest(NamedTuple):
    """MMD² (2), which may be below 0, and the p-value (4).

    ``str`` of it is what to print: "0.0503 (p = 0.002)".
    """

    value: float
    p: float

    def __str__(self) -> str:
        return f"{self.value:.4f} (p = {self.p:.3f})"


def mmd_squared(x: Any, y: Any, bandwidths: Sequence[float] | None = None) -> float:
    """The unbiased estimate (2) of MMD².

    Args:
        x, y: (n, D) and (m, D), at least two points each.
        bandwidths: each h of (3); by default ``median_bandwidths``.

    Raises:
        TypeError: for masked arrays, and bandwidths that are no numbers.
        ValueError: for x and y of other shapes, or not finite; for bandwidths that are not above 0.

    >>> draw = np.random.default_rng(0).normal
    >>> x, y = draw(size=(2000, 1)), draw(1.0, size=(2000, 1))
    >>> round(mmd_squared(x, y, [1.0]), 3)                             # 2 (1 − e^{−1/6}) / √3 = 0.177
    0.176
    """
    x, y = two_samples(x, y, least=2)
    own = np.arange(len(x) + len(y))[None] < len(x)
    return float(statistics(np.concatenate([x, y]), own, checked(bandwidths, x, y))[0])


def mmd_test(
    x: Any,
    y: Any,
    rng: Rng,
    permutations: int = 499,
    bandwidths: Sequence[float] | None = None,
    dealings: np.ndarray | None = None,
) -> MMDTest:
    """MMD² (2), and how probable one as large is by chance (4).

    Args:
        x, y: (n, D) and (m, D), at least two points each. Fresh draws: samples beside the very points that a model was
            trained on are another question.
        rng: deals.
        permutations: P.
        bandwidths: each h of (3); by default ``median_bandwidths``. Not chosen with an eye on which sample is which.
        dealings: in place of random ones, (P, n + m) bool: who goes to x, n in each row; first are the points of x.

    Raises:
        TypeError, ValueError: as ``mmd_squared``; for permutations that is no int of at least 1, and for dealings of
            another kind.

    >>> draw = np.random.default_rng(0).normal
    >>> print(mmd_test(draw(size=(300, 2)), draw(size=(200, 2)), rng=0))
    -0.0013 (p = 0.750)
    >>> print(mmd_test(draw(size=(300, 2)), draw(0.5, size=(200, 2)), rng=0))
    0.0116 (p = 0.002)
    """
    x, y = two_samples(x, y, least=2)
    n, total = len(x), len(x) + len(y)
    rng, own = generator(rng), np.arange(total) < n
    if dealings is None:
        require_int("permutations", permutations, least=1)
        dealings = rng.permuted(np.tile(own, (permutations, 1)), axis=1)
    dealings = np.asarray(unmasked("dealings", dealings))
    if dealings.dtype != bool or dealings.shape[1:] != (total,) or (dealings.sum(axis=1) != n).any():
        raise ValueError(
            f"dealings are {dealings.dtype} of shape {dealings.shape}; they must be bool, (P, {total}), with {n} "
            "True in each row"
        )
    found = statistics(np.concatenate([x, y]), np.concatenate([own[None], dealings]), checked(bandwidths, x, y))
    as_large = int((found[1:] >= found[0] - TIE).sum())
    return MMDTest(float(found[0]), (1 + as_large) / (1 + len(dealings)))


def median_bandwidths(x: Any, y: Any) -> tuple[float, ...]:
    """The median distance of two points of both samples together, a half, a quarter and an eighth of it.

    Of many points, 1,000 are taken, evenly spaced in their sorted order: whose sample they are plays no part, which
    (4) relies on.

    Raises:
        TypeError, ValueError: as ``mmd_squared``; for a median of 0.

    >>> median_bandwidths(np.array([[0.0], [3.0]]), np.array([[4.0], [8.0]]))        # distances 1, 3, 4, 4, 5, 8
    (4.0, 2.0, 1.0, 0.5)
    """
    from scipy.spatial.distance import pdist  # a slow import: only who needs it shall wait for it

    points = np.concatenate(two_samples(x, y))
    points = points[np.lexsort(points.T)]
    if len(points) > MOST:
        points = points[np.linspace(0, len(points) - 1, MOST).round().astype(int)]
    median = float(np.median(pdist(points))) if len(points) > 1 else 0.0
    if median == 0:
        raise ValueError("the median distance of two points is 0: most of them are the same; give bandwidths")
    return tuple(factor * median for factor in FACTORS)


def checked(bandwidths: Sequence[float] | None, x: np.ndarray, y: np.ndarray) -> tuple[float, ...]:
    """The bandwidths that were given, all above 0, or those by the median."""
    if bandwidths is None:
        return median_bandwidths(x, y)
    if len(bandwidths) == 0:
        raise ValueError("bandwidths is empty; it must have at least one")
    for i, each in enumerate(bandwidths):
        require_number(f"bandwidths[{i}]", each)
        if each <= 0:
            raise ValueError(f"bandwidths[{i}] is {each}; it must be above 0")
    return tuple(map(float, bandwidths))


def statistics(points: np.ndarray, dealings: np.ndarray, bandwidths: tuple[float, ...]) -> np.ndarray:
    """(2) for each dealing (P, N) of the N points, (P,): by (5)."""
    to_x = dealings.T.astype(np.float64)  # (N, P), the a of (5) as columns
    n = to_x[:, 0].sum()
    m = len(points) - n
    points = points - points.mean(axis=0)  # far from 0, |x|² + |y|² − 2xᵀy would be rounded off
    squares = np.square(points).sum(axis=1)
    xx, x_all, everything = np.zeros(to_x.shape[1]), np.zeros(to_x.shape[1]), 0.0
    block = max(1, NUMBERS // len(points))
    for start in range(0, len(points), block):
        rows = slice(start, start + block)
        apart = squares[rows, None] + squares - 2 * points[rows] @ points.T  # |x − y|², (b, N)
        k = sum(np.exp(apart * (-0.5 / h**2)) for h in bandwidths) / len(bandwidths)  # (3)
        k[np.arange(len(k)), start + np.arange(len(k))] = 0.0  # no point with itself
        sums = k.sum(axis=1)
        xx += (to_x[rows] * (k @ to_x)).sum(axis=0)
        x_all += sums @ to_x[rows]
        everything += sums.sum()
    xy, yy = x_all - xx, everything - 2 * x_all + xx  # (5)
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)  # (2)
