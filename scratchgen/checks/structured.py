"""Cases of the distributions that are made of others, or of dependent components, as ``distributions`` has those of the
simple ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import softmax
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.distributions import Maker, independent, register_all, register_rsample
from scratchgen.checks.elementwise import between, unary
from scratchgen.distributions import (
    Concrete,
    DiscretisedLogistic,
    DiscretisedNormal,
    Mixture,
    MultivariateNormal,
    Normal,
    kl_divergence,
    scale_tril_from,
)
from scratchgen.distributions.log1mexp import log1mexp


def multivariate(mean: Any, raw: Any) -> MultivariateNormal:
    """A normal distribution of vectors, its factor made of any matrix."""
    return MultivariateNormal(mean, scale_tril_from(raw))


register_all(MultivariateNormal, multivariate, ((2, 3), (3, 3)), x=(2, 3))
register_rsample(MultivariateNormal, multivariate, ((2, 3), (2, 3, 3)))


@register("distributions", MultivariateNormal, "covariance")
def covariance(rng: np.random.Generator) -> Case:
    """There and back: the factor of L Lᵀ, and the density by it."""
    mean, raw, x = leaf(rng, 2, 3), leaf(rng, 3, 3), leaf(rng, 2, 3)

    def loss() -> Any:
        p = multivariate(mean, raw)
        return weighted(MultivariateNormal.from_covariance(mean, p.covariance).log_prob(x))

    return {"mean": mean, "raw": raw, "x": x}, loss


@register("distributions", MultivariateNormal, "KL to and of independent components")
def mixed_kl(rng: np.random.Generator) -> Case:
    """A full covariance beside a diagonal one."""
    p = {"mean": leaf(rng, 2, 3), "raw": leaf(rng, 3, 3), "means": leaf(rng, 3), "logvar": leaf(rng, 2, 3)}

    def loss() -> Any:
        full, diagonal = multivariate(p["mean"], p["raw"]), independent(p["means"], p["logvar"])
        return weighted(kl_divergence(full, diagonal)) + weighted(np.square(kl_divergence(diagonal, full)))

    return p, loss


# -- Concrete ------------------------------------------------------------------------------------------------------


def concrete(logits: Any) -> Concrete:
    """At a temperature that is not 1."""
    return Concrete(logits, 0.7)


register_rsample(Concrete, concrete, ((2, 3),))


@register("distributions", Concrete, "log_prob")
def concrete_log_prob(rng: np.random.Generator) -> Case:
    """Of points of the simplex, made of any numbers, and of those numbers themselves."""
    logits, y = leaf(rng, 3), leaf(rng, 4, 3)

    def loss() -> Any:
        p = concrete(logits)
        return weighted(p.log_prob(softmax(y))) + weighted(np.square(p.log_prob_of_logits(y)))

    return {"logits": logits, "y": y}, loss


# -- mixtures ------------------------------------------------------------------------------------------------------


@register("distributions", Mixture, "of numbers")
def mixture_of_numbers(rng: np.random.Generator) -> Case:
    """Density, moments and responsibilities; each of the batch has its own weights, and all share the components."""
    logits, means, logvars, x = leaf(rng, 4, 3), leaf(rng, 3), leaf(rng, 3), leaf(rng, 2, 4)

    def loss() -> Any:
        p = Mixture(logits, Normal(means, logvars))
        moments = weighted(p.mean) + weighted(np.square(p.variance))
        return weighted(p.log_prob(x)) + weighted(np.square(p.responsibilities(x))) + moments

    return {"logits": logits, "means": means, "logvars": logvars, "x": x}, loss


@register("distributions", Mixture, "of vectors")
def mixture_of_vectors(rng: np.random.Generator) -> Case:
    """Full covariances; the batch shares the weights."""
    logits, means, raw, x = leaf(rng, 3), leaf(rng, 4, 3, 2), leaf(rng, 3, 2, 2), leaf(rng, 4, 2)

    def loss() -> Any:
        p = Mixture(logits, multivariate(means, raw))
        return weighted(p.log_prob(x)) + weighted(p.mean) + weighted(np.square(p.variance))

    return {"logits": logits, "means": means, "raw": raw, "x": x}, loss


# -- densities cut into levels -------------------------------------------------------------------------------------

SAMPLES = unary(log1mexp, between(0.1, 2.0), "real")
EXEMPT: dict[tuple[str, str], str] = {}
EDGES_AND_INSIDE = np.array([[0, 2, 4], [4, 0, 1]])


def levels(cls: type[DiscretisedLogistic] | type[DiscretisedNormal], log_scale: float) -> Maker:
    """Five levels, with a location about the middle one."""
    return lambda loc, deviation: cls(2.0 + loc, log_scale + deviation, 5)


register_all(DiscretisedLogistic, levels(DiscretisedLogistic, 0.0), ((2, 3), (3,)), x=EDGES_AND_INSIDE)
register_all(DiscretisedNormal, levels(DiscretisedNormal, 0.0), ((2, 3), (3,)), x=EDGES_AND_INSIDE)


@register("distributions", DiscretisedNormal, "narrow bins")
def narrow_bins(rng: np.random.Generator) -> Case:
    """A standard deviation of 100 levels and more, where the mass of a bin is a series."""
    loc, deviation = leaf(rng, 2, 3), leaf(rng, 3)
    return {"loc": loc, "deviation": deviation}, lambda: weighted(
        levels(DiscretisedNormal, 10.0)(50.0 * loc, deviation).log_prob(EDGES_AND_INSIDE)
    )
