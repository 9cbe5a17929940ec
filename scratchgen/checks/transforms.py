"""Samples of the transforms of ``flows``: what their tests go over, and the cases of their gradients.

A new class is registered by a function that makes one of it for D dimensions, in float64:

    @transform_sample(Affine)
    def affine(rng, dims):
        return Affine(dims, dtype=np.float64)

Its parameters are then moved away from where they start, since at the identity many errors do not show. ``x`` and
``z`` draw points where f and its inverse are defined, standard normal ones by default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, register, weighted
from scratchgen.flows.transform import Transform

Make = Callable[[np.random.Generator, int], Transform]
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers."""
    return rng.standard_normal(shape)


class TransformSample(NamedTuple):
    """How to make a transform, and the points to try it at.

    Attributes:
        make: from rng and D to a transform, float64.
        dims: the D that it is tried with.
        event_shape: from D to the shape of one x, (D,) by default.
        context: how many numbers of context it takes, 0 for none.
        x, z: draw points of an array shape, where forward and inverse are defined.
        perturb: the standard deviation of what is added to all parameters.
        tolerance: of the round trips: 1e-9, or 1e-6 for a numerical inverse.
        accuracy: of log |det|: 1e-10, or what a differential equation's solver leaves of it.
        smooth: whether differences over 0.01 can be trusted: there are no kinks.
        gradients: whether it is a case of the gradient check too; a slow one has a smaller case of its own.
    """

    make: Make
    dims: tuple[int, ...] = (1, 2, 3, 5)
    event_shape: Callable[[int], tuple[int, ...]] = lambda dims: (dims,)
    context: int = 0
    x: Draw = normal
    z: Draw = normal
    perturb: float = 0.3
    tolerance: float = 1e-9
    accuracy: float = 1e-10
    smooth: bool = True
    gradients: bool = True

    def built(self, rng: np.random.Generator, dims: int) -> Transform:
        """One with parameters that are not those it starts with, in evaluation mode."""
        transform = self.make(rng, dims).eval()
        for t in transform.parameters().values():
            t.assign(t.data + self.perturb * rng.standard_normal(t.shape))
        return transform


SAMPLES_OF_TRANSFORMS: dict[tuple[type, str], TransformSample] = {}


def transform_sample(cls: type, kind: str = "", **options: Any) -> Callable[[Make], Make]:
    """Enter the decorated function as a sample of ``cls`` and, unless told otherwise, as a case of the gradient check.

    Raises:
        ValueError: for the same sample twice.
    """

    def enter(make: Make) -> Make:
        sample = TransformSample(make, **options)
        if sample.gradients:
            register("layers", cls, kind)(lambda rng: gradients_of(sample, rng))
        SAMPLES_OF_TRANSFORMS[cls, kind] = sample
        return make

    return enter


def gradients_of(sample: TransformSample, rng: np.random.Generator) -> Case:
    """Both results in both directions, by the parameters, the points and the context."""
    dims = sample.dims[min(2, len(sample.dims) - 1)]
    transform, shape = sample.built(rng, dims), (2, *sample.event_shape(dims))
    x = Tensor(sample.x(rng, shape), requires_grad=True)
    z = Tensor(sample.z(rng, shape), requires_grad=True)
    context = Tensor(rng.standard_normal((2, sample.context)), requires_grad=True) if sample.context else None
    leaves = {"x": x, "z": z, **transform.parameters()}
    if context is not None:
        leaves["context"] = context

    def loss() -> Tensor:
        results = *transform.forward(x, context), *transform.inverse(z, context)
        return sum(weighted(result) for result in results)  # type: ignore[return-value]

    return leaves, loss
