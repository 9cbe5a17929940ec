"""Samples of the normalisations as transforms: in evaluation in both directions, and the gradient in training."""

from __future__ import annotations

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.transforms import transform_sample
from scratchgen.flows import ActNorm, BatchNorm


@transform_sample(ActNorm)
def actnorm(rng: np.random.Generator, dims: int) -> ActNorm:
    """Started on a batch."""
    f = ActNorm(dims, dtype=np.float64)
    f.start(1 + 2 * rng.standard_normal((7, dims)))
    return f


@transform_sample(ActNorm, "of images", dims=(1, 3), event_shape=lambda dims: (2, 3, dims))
def actnorm_of_images(rng: np.random.Generator, dims: int) -> ActNorm:
    """A scale for each channel, which counts for six pixels."""
    return ActNorm(dims, dtype=np.float64)


@transform_sample(BatchNorm)
def batchnorm(rng: np.random.Generator, dims: int) -> BatchNorm:
    """Running statistics of a batch."""
    f = BatchNorm(dims, eps=0.1, dtype=np.float64)
    f.start(1 + 2 * rng.standard_normal((7, dims)))
    return f


@register("layers", BatchNorm, "in training")
def batchnorm_in_training(rng: np.random.Generator) -> Case:
    """The gradient flows through mean and variance of the batch too."""
    f, x = BatchNorm(3, eps=0.1, dtype=np.float64), leaf(rng, 5, 3)
    f.log_gain.assign(rng.standard_normal(3))

    def loss() -> Tensor:
        z, logabsdet = f(x)
        return weighted(z) + weighted(logabsdet)

    return {"x": x, **f.parameters()}, loss
