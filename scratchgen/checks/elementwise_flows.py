"""Samples of the simplest transforms, of how they are composed, and of the flow as a model."""

from __future__ import annotations

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.models import of
from scratchgen.checks.transforms import normal, transform_sample
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import (
    Affine,
    Composite,
    Exp,
    Flow,
    Inverse,
    LeakyReLU,
    Logit,
    Reverse,
    Sigmoid,
    Softplus,
    Tanh,
    Transformed,
)


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from 0.5 to 2."""
    return rng.uniform(0.5, 2.0, shape)


def within_unit(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from 0.1 to 0.9."""
    return rng.uniform(0.1, 0.9, shape)


def away_from_0(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of either sign, from 0.3 to 1.5 in magnitude."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.3, 1.5, shape)


@transform_sample(Affine)
def affine(rng: np.random.Generator, dims: int) -> Affine:
    """Both parameters matter once they are moved."""
    return Affine(dims, dtype=np.float64)


@transform_sample(Exp, z=positive)
def exp(rng: np.random.Generator, dims: int) -> Exp:
    """It has no parameters."""
    return Exp()


@transform_sample(Softplus, z=positive)
def softplus(rng: np.random.Generator, dims: int) -> Softplus:
    """It has no parameters."""
    return Softplus()


@transform_sample(Sigmoid, z=within_unit)
def sigmoid(rng: np.random.Generator, dims: int) -> Sigmoid:
    """Without a margin."""
    return Sigmoid()


@transform_sample(Sigmoid, "with a margin", z=within_unit)
def sigmoid_with_margin(rng: np.random.Generator, dims: int) -> Sigmoid:
    """A margin of 0.05."""
    return Sigmoid(margin=0.05)


@transform_sample(Logit, x=within_unit)
def logit(rng: np.random.Generator, dims: int) -> Logit:
    """A margin of 0.02."""
    return Logit(margin=0.02)


@transform_sample(Tanh, z=lambda rng, shape: 0.9 * np.sin(rng.standard_normal(shape)))
def tanh(rng: np.random.Generator, dims: int) -> Tanh:
    """It has no parameters."""
    return Tanh()


@transform_sample(LeakyReLU, x=away_from_0, z=away_from_0)
def leaky_relu(rng: np.random.Generator, dims: int) -> LeakyReLU:
    """A slope of 0.2: differences over less than 0.06 meet no kink."""
    return LeakyReLU(slope=0.2)


@transform_sample(Reverse)
def reverse(rng: np.random.Generator, dims: int) -> Reverse:
    """It has no parameters."""
    return Reverse()


@transform_sample(Composite, z=positive)
def composite(rng: np.random.Generator, dims: int) -> Composite:
    """Three that do not commute."""
    return Composite([Affine(dims, dtype=np.float64), Reverse(), Exp()])


@transform_sample(Inverse, x=positive)
def inverse(rng: np.random.Generator, dims: int) -> Inverse:
    """Of two that do not commute."""
    return Inverse(Composite([Affine(dims, dtype=np.float64), Exp()]))


@register("distributions", Transformed)
def transformed(rng: np.random.Generator) -> Case:
    """A log-normal distribution: its density, and its samples with fixed noise."""
    mean, logvar, x = leaf(rng, 3), leaf(rng, 3), Tensor(rng.uniform(0.5, 2.0, (2, 3)), requires_grad=True)
    noise = normal(rng, (4, 3))

    def loss() -> Tensor:
        p = Transformed(Independent(Normal(mean, logvar), 1), Inverse(Exp()))
        y, log_prob = p.rsample_and_log_prob(4, noise=noise)
        return weighted(p.log_prob(x)) + weighted(y) + weighted(log_prob)

    return {"mean": mean, "logvar": logvar, "x": x}, loss


@register("models", Flow)
def flow(rng: np.random.Generator) -> Case:
    """An affine flow is a Gaussian with a mean and a scale for each dimension."""
    transform = Composite([Affine(3, dtype=np.float64), Reverse(), Affine(3, dtype=np.float64)])
    for t in transform.parameters().values():
        t.assign(0.3 * rng.standard_normal(t.shape))
    return of(Flow(transform, Independent(Normal(np.zeros(3), np.zeros(3)), 1)), rng.normal(size=(4, 3)))
