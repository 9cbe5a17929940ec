"""Cases of MADE: every kind of output, with context, direct connections and dropout; and of the mixture over orders."""

from __future__ import annotations

import numpy as np

from scratchgen.autoregressive.made import MADE
from scratchgen.autoregressive.order_mixture import OrderMixture, order_agnostic
from scratchgen.autoregressive.outputs import (
    BinaryOutput,
    CategoricalOutput,
    GaussianMixtureOutput,
    GaussianOutput,
    LogisticMixtureOutput,
)
from scratchgen.checks.cases import Case, leaf, register
from scratchgen.checks.models import of


@register("models", MADE, "binary, direct")
def binary(rng: np.random.Generator) -> Case:
    """Two hidden layers and direct connections."""
    model = MADE(4, BinaryOutput(), [3, 5], rng, [2, 0, 3, 1], activation="tanh", direct=True, dtype=np.float64)
    return of(model, rng.integers(0, 2, (3, 4)))


@register("models", MADE, "categorical, dropout")
def categorical(rng: np.random.Generator) -> Case:
    """Three levels, always with the same dropout."""
    model = MADE(3, CategoricalOutput(3), [6], rng, activation="silu", dropout=0.3, dtype=np.float64)
    return of(model, rng.integers(0, 3, (3, 3)))


@register("models", MADE, "Gaussian, context")
def gaussian(rng: np.random.Generator) -> Case:
    """Real x, which is a leaf too, and a context."""
    model = MADE(3, GaussianOutput(), [7], rng, context=2, activation="tanh", dtype=np.float64)
    x, context = leaf(rng, 4, 3), leaf(rng, 4, 2)
    return {"x": x, "context": context, **model.parameters()}, lambda: model.loss(x, context, 0)


@register("models", MADE, "mixture of Gaussians")
def gaussian_mixture(rng: np.random.Generator) -> Case:
    """Two components."""
    return of(MADE(3, GaussianMixtureOutput(2), [5], rng, activation="tanh", dtype=np.float64), rng.normal(size=(4, 3)))


@register("models", MADE, "mixture of logistics")
def logistic_mixture(rng: np.random.Generator) -> Case:
    """Two components cut into five levels, the first and last of which are there."""
    model = MADE(3, LogisticMixtureOutput(2, 5), [5], rng, activation="tanh", dtype=np.float64)
    return of(model, np.array([[0, 4, 2], [3, 0, 1], [4, 4, 0]]))


@register("models", OrderMixture)
def order_mixture(rng: np.random.Generator) -> Case:
    """In evaluation, where it is the mixture of all orders."""
    model = order_agnostic(MADE(3, BinaryOutput(), [4], rng, activation="tanh", dtype=np.float64), 3, rng)
    return of(model.eval(), rng.integers(0, 2, (3, 3)))


@register("models", OrderMixture, "in training")
def order_mixture_in_training(rng: np.random.Generator) -> Case:
    """Of one order, always the same."""
    return of(order_agnostic(MADE(3, BinaryOutput(), [4], rng, activation="tanh", dtype=np.float64), 3, rng), np.eye(3))
