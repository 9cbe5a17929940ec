"""Samples of the autoregressive layer, and of its network."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.transforms import transform_sample
from scratchgen.flows import AffineMap, Inverse, MaskedAutoregressive, MaskedNet, ScalarMap, SplineMap


def masked(scalar_map: ScalarMap, rng: np.random.Generator, dims: int, **options: Any) -> MaskedAutoregressive:
    """An autoregressive layer with a small smooth network."""
    net = MaskedNet(dims, scalar_map.numbers, [dims], rng, activation="tanh", dtype=np.float64, **options)
    return MaskedAutoregressive(net, scalar_map)


@register("layers", MaskedNet)
def masked_net(rng: np.random.Generator) -> Case:
    """With a context, in an order that is not its own inverse."""
    net = MaskedNet(3, 2, [4, 5], rng, order=[1, 2, 0], context=2, activation="tanh", dtype=np.float64)
    x, context = leaf(rng, 2, 3), leaf(rng, 2, 2)
    return {"x": x, "context": context, **net.parameters()}, lambda: weighted(net(x, context))


@transform_sample(MaskedAutoregressive, "affine, any order")
def affine(rng: np.random.Generator, dims: int) -> MaskedAutoregressive:
    """An order that is not its own inverse, from three dimensions on."""
    return masked(AffineMap(), rng, dims, order=np.roll(np.arange(dims), 1))


@transform_sample(MaskedAutoregressive, "affine with context", context=2)
def affine_with_context(rng: np.random.Generator, dims: int) -> MaskedAutoregressive:
    """The first dimension depends on nothing else."""
    return masked(AffineMap(), rng, dims, context=2)


@transform_sample(
    MaskedAutoregressive, "spline", smooth=False, dims=(1, 3, 2)
)  # the gradients are checked with the third
def spline(rng: np.random.Generator, dims: int) -> MaskedAutoregressive:
    """Of standard normal numbers one in six is beyond the bound."""
    return masked(SplineMap(2, bound=1.4), rng, dims)


@transform_sample(Inverse, "of an autoregressive layer")
def inverse_autoregressive(rng: np.random.Generator, dims: int) -> Inverse:
    """An inverse autoregressive flow."""
    return Inverse(masked(AffineMap(), rng, dims))
