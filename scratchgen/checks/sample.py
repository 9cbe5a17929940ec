"""The samples that the gradient check suite runs: a function, how its inputs are drawn, and which oracle judges it.

Diversity of inputs kills as many wrong rules as precision does: with one square matrix as the only sample, a missing
sum over a broadcast axis passes at any tolerance. So every operation is sampled in every *kind* below that applies to
it, and ``tests/autodiff/test_registry.py`` fails where one is missing without a reason.

Each file beside this one holds the samples of one table of rules: a list ``SAMPLES``, and a dict ``EXEMPT`` that says
why a kind of ``EVERYWHERE`` does not apply. For a file about cumsum alone, that would be:

    SAMPLES = [
        Sample("cumsum", "primes", lambda x: np.cumsum(x, axis=1), signed(2, 3, 5)),
        Sample("cumsum", "square", lambda x: np.cumsum(x, axis=0), signed(3, 3)),
        Sample("cumsum", "size-1 axis", lambda x: np.cumsum(x, axis=0), signed(1, 3)),
        Sample("cumsum", "axis", lambda x: np.cumsum(x, axis=-1), signed(3, 2)),
        Sample("cumsum", "flattened", np.cumsum, signed(2, 3)),
        Sample("cumsum", "empty", lambda x: np.cumsum(x, axis=0), signed(0, 3)),
    ]
    EXEMPT = {("cumsum", "0-d"): "it has no axis to sum along"}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

# A draw makes one input array, new for every seed.
Draw = Callable[[np.random.Generator], np.ndarray]

# Real differences step 0.02 at most (``oracles``), and an input stays ten steps and a bit away from every kink.
GAP = 0.25

# Kinds that every operation has, or is exempt from with a reason. Of each operation's "primes" samples the runner
# itself makes the kinds "non-contiguous", "negative strides" and float32; all inputs are read-only in every check.
EVERYWHERE = {
    "primes": "dims that are distinct primes, so that no wrong axis and no wrong transpose fits",
    "square": "equal dims, where wrong axes fit and only the values tell",
    "0-d": "a single number of shape ()",
    "size-1 axis": "an axis of length 1",
    "empty": "an axis of length 0",
}

# Kinds that are asked of an operation where it takes two arrays and broadcasts them, …
BROADCASTING = {
    "row": "shapes (n, m) and (1, m) or (m,)",
    "column": "shapes (n, m) and (n, 1)",
    "two-way": "shapes (n, 1) and (1, m)",
    "rank": "shapes with different numbers of axes, as (k, n, m) and (n, 1) or ()",
}
TWO_ARGUMENTS = {"same twice": "f(x, x): both gradients belong to one array"}

# … or where it takes the option of that name.
OPTIONS = {
    "axis": "axis= one axis that is not the first, counted from the end too",
    "axes": "axis= a tuple of axes",
    "keepdims": "keepdims=True",
}

# Kinds that belong to some operations only; ``Sample.kind`` may also be any other words that say what is special.
OTHERS = {
    "duplicate indices": "the same element is read twice",
    "permutation": "a permutation of axes that is not its own inverse",
    "negative determinant": "a matrix with determinant < 0",
    "batched": "a stack of matrices",
}


class Sample:
    """One function to be checked on inputs drawn from given distributions.

    Args:
        operation: the name in ``OPERATIONS`` of what is checked, or the name of a composite function such as "stack".
        kind: what is special about it, from the tables above where one fits.
        function: takes one Tensor per draw and returns one Tensor. Indices, axes and the like stand in a lambda.
        draws: make the inputs, see the functions below.
        oracle: "complex" (step 1e-20, tolerance 1e-12) where the function is analytic and works on complex arrays, or
            "real" (extrapolated difference, 1e-10) for abs, norm, var, slogdet, cholesky, expit, logaddexp, gammaln …,
            through which the complex step returns 0 silently or raises.

    >>> sample = Sample("multiply", "row", np.multiply, signed(2, 3), signed(3))
    >>> [x.shape for x in sample.inputs(seed=0)]
    [(2, 3), (3,)]
    >>> sample
    Sample(multiply, row)
    """

    def __init__(
        self,
        operation: str,
        kind: str,
        function: Callable[..., Any],
        *draws: Draw,
        oracle: Literal["complex", "real"] = "complex",
    ) -> None:
        self.operation, self.kind, self.function, self.draws, self.oracle = operation, kind, function, draws, oracle

    def inputs(self, seed: int) -> tuple[np.ndarray, ...]:
        """The float64 inputs for a seed."""
        rng = np.random.default_rng(seed)
        return tuple(draw(rng) for draw in self.draws)

    def __repr__(self) -> str:
        return f"Sample({self.operation}, {self.kind})"


# -- draws ---------------------------------------------------------------------------------------------------------


def signed(*shape: int) -> Draw:
    """Values of both signs with magnitudes from 0.3 to 1.7: the usual input, away from a kink at 0.

    >>> signed(3)(np.random.default_rng(0)).shape
    (3,)
    """
    return lambda rng: np.asarray(rng.choice([-1.0, 1.0], shape) * rng.uniform(0.3, 1.7, shape))


def uniform(low: float, high: float, *shape: int) -> Draw:
    """Values between ``low`` and ``high``, for functions with a domain: ``uniform(-0.8, 0.8, 2, 3)`` for arctanh."""
    return lambda rng: np.asarray(rng.uniform(low, high, shape))


def positive(*shape: int) -> Draw:
    """Values between 0.4 and 2, for log, sqrt, scales and probabilities before they are normalised."""
    return uniform(0.4, 2.0, *shape)


def apart(*shape: int, place: int = 0) -> Draw:
    """Signed values no two of which are nearer than ``GAP``: no ties for max and sort, and no kink at 0.

    Inputs of one function get different places 0, 1, 2, so that they stay apart from each other as well, as the two of
    ``np.maximum`` must.

    >>> x, y = apart(4, place=0)(np.random.default_rng(0)), apart(3, place=1)(np.random.default_rng(1))
    >>> every = np.sort(np.concatenate([x, y, [0.0]]))
    >>> bool(np.diff(every).min() > GAP)
    True
    """

    def draw(rng: np.random.Generator) -> np.ndarray:
        size = int(np.prod(shape))
        cells = rng.permutation(size) - size // 2  # distinct whole numbers around 0
        cells += cells >= 0  # none of them 0
        # a cell is 4 GAP wide and holds places −1, 0 and 1 at ±1.25 GAP, each with a jitter of ±GAP / 10
        jitter = rng.uniform(-0.1, 0.1, size)
        return np.asarray(GAP * (4 * cells + 1.25 * (place - 1) + jitter)).reshape(shape)

    return draw


def away(*shape: int, kinks: tuple[float, ...], low: float = -2.0, high: float = 2.0) -> Draw:
    """Values between ``low`` and ``high`` that keep at least ``GAP`` from every kink: the bounds of clip, say."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        x = np.asarray(rng.uniform(low, high, shape))
        while True:
            near = np.any([np.abs(x - kink) < GAP for kink in kinks], axis=0)
            if not near.any():
                return x
            x = np.where(near, rng.uniform(low, high, shape), x)

    return draw


def invertible(*shape: int, determinant: int = 0) -> Draw:
    """Matrices (…, n, n) with a condition number below about 10 and, if asked for, determinants of the sign ±1.

    >>> A = invertible(2, 3, 3, determinant=-1)(np.random.default_rng(0))
    >>> A.shape, np.sign(np.linalg.det(A))
    ((2, 3, 3), array([-1., -1.]))
    """
    *batch, n, _ = shape

    def draw(rng: np.random.Generator) -> np.ndarray:
        u, _, vt = np.linalg.svd(rng.normal(size=shape))
        A = u * rng.uniform(0.4, 2.0, (*batch, 1, n)) @ vt  # singular values from 0.4 to 2
        if determinant and n:
            A[..., 0, :] *= (determinant * np.sign(np.linalg.det(A)))[..., None]
        return A

    return draw


def positive_definite(*shape: int) -> Draw:
    """Symmetric matrices (…, n, n) with eigenvalues from 0.4 to 2.

    A function of them is checked by perturbing single elements, so it should look at the symmetric part, or at one
    triangle as ``np.linalg.cholesky`` does: ``lambda A: np.linalg.cholesky(A)`` is a function of the lower one.
    """
    *batch, n, _ = shape

    def draw(rng: np.random.Generator) -> np.ndarray:
        u, _, _ = np.linalg.svd(rng.normal(size=shape))
        return u * rng.uniform(0.4, 2.0, (*batch, 1, n)) @ np.swapaxes(u, -1, -2)

    return draw


def triangular(*shape: int, lower: bool = True) -> Draw:
    """Triangular matrices (…, n, n) with diagonals of magnitude 0.8 to 1.7."""
    *_, n, _ = shape

    def draw(rng: np.random.Generator) -> np.ndarray:
        A = 0.4 * signed(*shape)(rng)
        A += np.sign(A) * np.eye(n) * 0.7
        return np.tril(A) if lower else np.triu(A)

    return draw
