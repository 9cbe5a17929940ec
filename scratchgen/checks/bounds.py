"""Cases of the variational posteriors, and of the bound that generalised EM raises: in θ and in φ."""

from __future__ import annotations

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.latent.em import Bound
from scratchgen.latent.linear_gaussian import LinearGaussian
from scratchgen.latent.points import quadrature, reparameterised
from scratchgen.latent.posteriors import GaussianPosterior, PerExample
from scratchgen.nn import Linear


def table(rng: np.random.Generator, numbers: int) -> PerExample:
    """Five data with numbers of both signs."""
    each = PerExample(5, numbers)
    each.values = leaf(rng, 5, numbers)
    return each


@register("layers", PerExample)
def per_example(rng: np.random.Generator) -> Case:
    """Its numbers are its leaves."""
    each = table(rng, 3)
    return each.parameters(), lambda: weighted(each(np.zeros((5, 1))))


@register("layers", GaussianPosterior, "mean-field")
def mean_field(rng: np.random.Generator) -> Case:
    """From a network: draws with the same noise each time, and their log-densities."""
    q, x = GaussianPosterior(Linear(3, 4, rng, dtype=np.float64), latent=2), leaf(rng, 5, 3)
    return {"x": x, **q.parameters()}, lambda: draws_and_densities(q, x)


@register("layers", GaussianPosterior, "full covariance")
def full_covariance(rng: np.random.Generator) -> Case:
    """From a network, too."""
    q, x = GaussianPosterior(Linear(3, 6, rng, dtype=np.float64), latent=2, full=True), leaf(rng, 5, 3)
    return {"x": x, **q.parameters()}, lambda: draws_and_densities(q, x)


def draws_and_densities(q: GaussianPosterior, x: Tensor) -> Tensor:
    """Any function of both."""
    z = q(x).rsample((), rng=0)
    return weighted(z) + np.sum(q(x).log_prob(np.cos(z)))


def bound(rng: np.random.Generator, full: bool, sampled: bool) -> Case:
    """The ELBO of probabilistic PCA, with an expectation that is exact or sampled with the same noise each time."""
    model = LinearGaussian(rng.normal(size=(3, 2)), rng.normal(size=3), np.array(0.3))
    q = GaussianPosterior(table(rng, 6 if full else 4), latent=2, full=full)
    points = (lambda q: reparameterised(q, 2, rng=0)) if sampled else (lambda q: quadrature(q, order=2))
    theta = {f"theta.{name}": t for name, t in model.parameters().items()}
    phi = {f"phi.{name}": t for name, t in q.parameters().items()}
    return {**theta, **phi}, Bound(model, q, rng.normal(size=(5, 3)), points)


@register("models", LinearGaussian, "ELBO, exact, full covariance")
def exact_bound(rng: np.random.Generator) -> Case:
    """By the nodes."""
    return bound(rng, full=True, sampled=False)


@register("models", LinearGaussian, "ELBO, sampled, mean-field")
def sampled_bound(rng: np.random.Generator) -> Case:
    """By two draws for each x."""
    return bound(rng, full=False, sampled=True)
