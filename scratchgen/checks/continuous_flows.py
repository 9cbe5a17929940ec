"""Samples of the continuous flow, which are as accurate as six steps of its solver."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.transforms import TransformSample, gradients_of, transform_sample
from scratchgen.flows import ContinuousFlow, Velocity

SOLVED: dict[str, Any] = {"dims": (1, 2, 3), "tolerance": 1e-5, "accuracy": 1e-5, "smooth": False, "gradients": False}


def flow(rng: np.random.Generator, dims: int, context: int = 0, steps: int = 6) -> ContinuousFlow:
    """With a small network."""
    return ContinuousFlow(Velocity(dims, [4], rng, context, dtype=np.float64), steps)


@transform_sample(ContinuousFlow, **SOLVED)
def exact(rng: np.random.Generator, dims: int) -> ContinuousFlow:
    """With the exact trace."""
    return flow(rng, dims)


@transform_sample(ContinuousFlow, "with context", context=2, **SOLVED)
def with_context(rng: np.random.Generator, dims: int) -> ContinuousFlow:
    """A velocity that depends on the context."""
    return flow(rng, dims, context=2)


@transform_sample(ContinuousFlow, "every probe", **SOLVED)
def every_probe(rng: np.random.Generator, dims: int) -> ContinuousFlow:
    """Hutchinson's estimate averaged over all vectors of ±1, which is exact."""
    f = flow(rng, dims)
    f.probes = np.array(list(product([-1.0, 1.0], repeat=dims)))
    return f


def one_step(rng: np.random.Generator, dims: int, probes: np.ndarray | None = None) -> ContinuousFlow:
    """What is differentiated is the same in every step."""
    velocity = Velocity(dims, [1], rng, dtype=np.float64)
    return ContinuousFlow(velocity, steps=1, probes=probes)


@register("layers", ContinuousFlow)
def gradients(rng: np.random.Generator) -> Case:
    """Of the exact trace."""
    return gradients_of(TransformSample(one_step, dims=(2,)), rng)


@register("layers", ContinuousFlow, "a probe for each row")
def gradients_with_probes(rng: np.random.Generator) -> Case:
    """Of an estimate."""
    probes = np.array([[[1.0, -1.0], [1.0, 1.0]]])
    return gradients_of(TransformSample(lambda rng, dims: one_step(rng, dims, probes), dims=(2,)), rng)


@register("layers", Velocity)
def velocity(rng: np.random.Generator) -> Case:
    """By x, context and weights."""
    v, x, context = Velocity(2, [3], rng, context=1, dtype=np.float64), leaf(rng, 4, 2), leaf(rng, 4, 1)

    def loss() -> Tensor:
        return weighted(v(x, 0.3, context))

    return {"x": x, "context": context, **v.parameters()}, loss
