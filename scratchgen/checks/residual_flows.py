"""Samples of the transforms that add something to x: planar, radial and Sylvester flows."""

from __future__ import annotations

import numpy as np

from scratchgen.checks.transforms import transform_sample
from scratchgen.flows import Planar, Radial, Sylvester


@transform_sample(Planar)
def planar(rng: np.random.Generator, dims: int) -> Planar:
    """As it starts, moved a little."""
    return Planar(dims, rng, dtype=np.float64)


@transform_sample(Planar, "against w", smooth=False)
def planar_against(rng: np.random.Generator, dims: int) -> Planar:
    """wᵀu is about −9: without the constraint it could not be undone. The inverse is too steep for differences."""
    f = Planar(dims, rng, dtype=np.float64)
    f.w.assign(np.full(dims, 3 / np.sqrt(dims)))
    f.u.assign(-f.w.data)
    return f


@transform_sample(Radial)
def radial(rng: np.random.Generator, dims: int) -> Radial:
    """As it starts, moved a little."""
    return Radial(dims, rng, dtype=np.float64)


@transform_sample(Radial, "drawn to the centre", smooth=False)
def radial_inwards(rng: np.random.Generator, dims: int) -> Radial:
    """β is near −α, and the inverse steep."""
    f = Radial(dims, rng, dtype=np.float64)
    f.raw_beta.assign([-2.0])
    return f


@transform_sample(Sylvester, gradients=False)  # the other one has them
def sylvester(rng: np.random.Generator, dims: int) -> Sylvester:
    """As many steps as dimensions."""
    return Sylvester(dims, rng, dtype=np.float64)


@transform_sample(Sylvester, "two steps", dims=(2, 3, 5))
def sylvester_two(rng: np.random.Generator, dims: int) -> Sylvester:
    """Fewer steps than dimensions, but for D = 2."""
    return Sylvester(dims, rng, width=2, dtype=np.float64)
