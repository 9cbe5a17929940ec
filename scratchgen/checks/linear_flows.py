"""Samples of the linear transforms."""

from __future__ import annotations

import numpy as np

from scratchgen.checks.transforms import transform_sample
from scratchgen.flows import FullLinear, InvertibleConv, LULinear, Orthogonal, Permutation, Triangular


@transform_sample(Permutation)
def permutation(rng: np.random.Generator, dims: int) -> Permutation:
    """A cycle of all dimensions, so with three or more it is not its own inverse."""
    return Permutation(np.roll(np.arange(dims), 1), dtype=np.float64)


@transform_sample(FullLinear)
def full_linear(rng: np.random.Generator, dims: int) -> FullLinear:
    """No rotation any more once it is moved."""
    return FullLinear(dims, rng, dtype=np.float64)


@transform_sample(Triangular)
def triangular(rng: np.random.Generator, dims: int) -> Triangular:
    """All entries moved, also those that are not used."""
    return Triangular(dims, dtype=np.float64)


@transform_sample(LULinear)
def lu_linear(rng: np.random.Generator, dims: int) -> LULinear:
    """P, L, U and signs of a random rotation, moved."""
    return LULinear(dims, rng, dtype=np.float64)


@transform_sample(Orthogonal)
def orthogonal(rng: np.random.Generator, dims: int) -> Orthogonal:
    """As many reflections as dimensions."""
    return Orthogonal(dims, rng, dtype=np.float64)


@transform_sample(Orthogonal, "two reflections", dims=(3, 5))
def two_reflections(rng: np.random.Generator, dims: int) -> Orthogonal:
    """Fewer than dimensions: a rotation of a plane."""
    return Orthogonal(dims, rng, reflections=2, dtype=np.float64)


@transform_sample(InvertibleConv, "P L U", dims=(1, 2, 3), event_shape=lambda dims: (2, 3, dims))
def invertible_conv(rng: np.random.Generator, dims: int) -> InvertibleConv:
    """On six pixels."""
    return InvertibleConv(dims, rng, dtype=np.float64)


@transform_sample(InvertibleConv, "full", dims=(3,), event_shape=lambda dims: (2, 1, dims))
def invertible_conv_full(rng: np.random.Generator, dims: int) -> InvertibleConv:
    """On two pixels."""
    return InvertibleConv(dims, rng, lu=False, dtype=np.float64)
