"""Cases of the models with an exact likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.models import of
from scratchgen.latent.linear_gaussian import LinearGaussian
from scratchgen.latent.mixture import GaussianMixture


@register("models", LinearGaussian, "probabilistic PCA")
def ppca(rng: np.random.Generator) -> Case:
    """One variance of the noise for all components."""
    model = LinearGaussian(leaf(rng, 4, 2).data, leaf(rng, 4).data, leaf(rng).data)
    return of(model, rng.normal(size=(5, 4)))


@register("models", LinearGaussian, "factor analysis")
def factor_analysis(rng: np.random.Generator) -> Case:
    """One for each."""
    model = LinearGaussian(leaf(rng, 4, 2).data, leaf(rng, 4).data, leaf(rng, 4).data)
    return of(model, rng.normal(size=(5, 4)))


@register("models", LinearGaussian, "posterior")
def posterior(rng: np.random.Generator) -> Case:
    """The entropy and a sample of p(z | x), in place of the loss."""
    model, x = LinearGaussian(leaf(rng, 4, 2).data, leaf(rng, 4).data, leaf(rng, 4).data), rng.normal(size=(5, 4))

    def loss() -> Any:
        z = model.posterior(x)
        return weighted(z.entropy()) + weighted(z.rsample(3, 0))

    return model.parameters(), loss


@register("models", GaussianMixture, "full")
def mixture_full(rng: np.random.Generator) -> Case:
    """A covariance for each component; of its raw matrix the part above the diagonal has a gradient of 0."""
    model = GaussianMixture(leaf(rng, 3).data, leaf(rng, 3, 2).data, leaf(rng, 3, 2, 2).data)
    return of(model, rng.normal(size=(5, 2)))


@register("models", GaussianMixture, "diagonal")
def mixture_diagonal(rng: np.random.Generator) -> Case:
    """Variances only."""
    model = GaussianMixture(leaf(rng, 3).data, leaf(rng, 3, 2).data, leaf(rng, 3, 2).data)
    return of(model, rng.normal(size=(5, 2)))
