"""Cases of the distributions: log_prob, entropy, divergences, and samples where they are differentiable.

Parameters and, where it is continuous, x are leaves. The integrals that these functions stand for are tested elsewhere;
here it is that their gradients are the gradients of their values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.distributions import Bernoulli, Categorical, Distribution, Independent, Normal, kl_divergence

Maker = Callable[..., Distribution]


def register_all(cls: type, make: Maker, shapes: tuple[tuple[int, ...], ...], x: Any = None) -> None:
    """Register log_prob, entropy and the divergence of ``make(*parameters)``, with parameters of these shapes.

    Args:
        x: where log_prob is taken: an array for discrete x; a shape for continuous x, which then is a leaf.
    """

    def parameters(rng: np.random.Generator, name: str) -> dict[str, Any]:
        return {f"{name}{i}": leaf(rng, *shape) for i, shape in enumerate(shapes)}

    @register("distributions", cls, "log_prob")
    def log_prob(rng: np.random.Generator) -> Case:
        p = parameters(rng, "p")
        at = {"x": leaf(rng, *x)} if isinstance(x, tuple) else {}
        return {**p, **at}, lambda: weighted(make(*p.values()).log_prob(at.get("x", x)))

    @register("distributions", cls, "entropy")
    def entropy(rng: np.random.Generator) -> Case:
        p = parameters(rng, "p")
        return p, lambda: weighted(make(*p.values()).entropy())

    @register("distributions", cls, "KL")
    def kl(rng: np.random.Generator) -> Case:
        q, p = parameters(rng, "q"), parameters(rng, "p")
        return {**q, **p}, lambda: weighted(kl_divergence(make(*q.values()), make(*p.values())))

    @register("distributions", cls, "moments")
    def moments(rng: np.random.Generator) -> Case:
        p = parameters(rng, "p")
        return p, lambda: weighted(make(*p.values()).mean) + weighted(np.square(make(*p.values()).variance))


def register_rsample(cls: type, make: Maker, shapes: tuple[tuple[int, ...], ...]) -> None:
    """Register the reparameterised samples, with always the same noise."""

    @register("distributions", cls, "rsample")
    def rsample(rng: np.random.Generator) -> Case:
        p = {f"p{i}": leaf(rng, *shape) for i, shape in enumerate(shapes)}
        return p, lambda: weighted(make(*p.values()).rsample(5, 0))


def independent(mean: Any, logvar: Any) -> Independent:
    """Vectors of normal components."""
    return Independent(Normal(mean, logvar), 1)


register_all(Normal, Normal, ((2, 3), (3,)), x=(2, 3))
register_rsample(Normal, Normal, ((2, 3), (3,)))
register_all(Independent, independent, ((2, 3), (2, 3)), x=(2, 3))
register_rsample(Independent, independent, ((2, 3), (2, 3)))
register_all(Bernoulli, Bernoulli, ((2, 3),), x=np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]))
register_all(Categorical, Categorical, ((2, 5),), x=np.array([4, 1]))
