"""Samples of the coupling layer: with every scalar map, several masks, and a context."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks.sample import Sample, signed
from scratchgen.checks.transforms import transform_sample
from scratchgen.flows import AdditiveMap, AffineMap, Composite, Coupling, LogisticMixtureMap, ScalarMap, SplineMap
from scratchgen.flows.coupling import merge_columns, places
from scratchgen.flows.scalar_maps import affine_image, affine_log_slope
from scratchgen.nn import MLP

# With one dimension there is nothing to couple. The third D is that of the gradient check.
ABOVE_ONE: dict[str, Any] = {"dims": (2, 3, 5)}
SLOW: dict[str, Any] = {"dims": (3, 5, 2)}


def coupling(scalar_map: ScalarMap, mask: Any, rng: np.random.Generator, context: int = 0) -> Coupling:
    """A coupling with a small smooth network."""
    mask = np.asarray(mask, bool)
    seen, others = int(mask.sum()) + context, int((~mask).sum())
    return Coupling(mask, MLP([seen, 3, others * scalar_map.numbers], rng, np.tanh, dtype=np.float64), scalar_map)


@transform_sample(Coupling, "additive", **ABOVE_ONE)
def additive(rng: np.random.Generator, dims: int) -> Coupling:
    """The first dimensions pass, one more than half of them if D is odd."""
    return coupling(AdditiveMap(), 2 * np.arange(dims) < dims, rng)


@transform_sample(Coupling, "affine", **ABOVE_ONE)
def affine(rng: np.random.Generator, dims: int) -> Coupling:
    """Every other dimension passes."""
    return coupling(AffineMap(), np.arange(dims) % 2 == 1, rng)


@transform_sample(Composite, "of couplings with context", context=2, **ABOVE_ONE)
def with_context(rng: np.random.Generator, dims: int) -> Composite:
    """Two, so that no dimension is left alone; in the first only the last passes."""
    mask = np.arange(dims) == dims - 1
    return Composite([coupling(AffineMap(), m, rng, context=2) for m in (mask, ~mask)])


@transform_sample(Coupling, "spline", smooth=False, **SLOW)
def spline(rng: np.random.Generator, dims: int) -> Coupling:
    """Of standard normal numbers one in six is beyond the bound; the second derivatives jump at the knots."""
    return coupling(SplineMap(3, bound=1.4), np.arange(dims) % 2 == 0, rng)


@transform_sample(Coupling, "logistic mixture", tolerance=1e-6, **SLOW)
def logistic_mixture(rng: np.random.Generator, dims: int) -> Coupling:
    """Two components, and an inverse by search."""
    return coupling(LogisticMixtureMap(2), np.arange(dims) > 0, rng)


# -- operations ----------------------------------------------------------------------------------------------------

SHAPES: dict[str, tuple[int, ...]] = {
    "primes": (3, 5),
    "square": (2, 2),  # θ is (2, 2, 2)
    "0-d": (),
    "size-1 axis": (3, 1),
    "empty": (0, 3),
}


def merging(mask: Any) -> Any:
    """merge_columns for a mask of the places of a."""
    mask = np.asarray(mask, bool)
    return lambda a, b: merge_columns(a, b, places(mask), places(~mask))


SAMPLES = [
    *(
        Sample("affine_image", kind, lambda x, t: affine_image(x, t, 3.0), signed(*s), signed(*s, 2))
        for kind, s in SHAPES.items()
    ),
    Sample("affine_image", "same twice", lambda t: affine_image(t[..., 1], t, 0.5), signed(3, 2)),
    *(
        Sample("affine_log_slope", kind, lambda t: affine_log_slope(t, 0.7), signed(*s, 2))
        for kind, s in SHAPES.items()
    ),
    Sample("merge_columns", "primes", merging([1, 0, 0, 1, 1]), signed(7, 3), signed(7, 2)),
    Sample("merge_columns", "square", merging([1, 0, 1, 0]), signed(2, 2), signed(2, 2)),
    Sample("merge_columns", "size-1 axis", merging([0, 1]), signed(1, 1), signed(1, 1)),
    Sample("merge_columns", "empty", merging([0, 1, 1]), signed(0, 2), signed(0, 1)),
    Sample("merge_columns", "same twice", lambda a: merging([0, 1, 1, 0])(a, a * a), signed(3, 2)),
]
EXEMPT = {("merge_columns", "0-d"): "it has columns"}
