"""Cases of the continuous distributions of numbers, and of distribution functions, as ``distributions`` has those of
the simple ones.

Densities with a kink or a jump are taken away from it: x beyond all locations, and intervals that hold all x. The
divergences of two classes, and those that are estimated from always the same samples, are cases of q.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import sigmoid
from scratchgen.checks.cases import Case, leaf, register, weighted
from scratchgen.checks.distributions import Maker, independent, register_rsample
from scratchgen.distributions import (
    Independent,
    Laplace,
    Logistic,
    Normal,
    Uniform,
    divergence,
    kl_divergence,
)

SHAPES = ((2, 3), (3,))


def interval(low: Any, high: Any) -> Uniform:
    """An interval with −1.5 … 1.5 in it, for ends between −1.2 and 1.2."""
    return Uniform(low - 3.0, high + 3.0)


def parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Leaves for the two parameters of a batch (2, 3)."""
    return {f"p{i}": leaf(rng, *shape) for i, shape in enumerate(SHAPES)}


def register_density(cls: type, make: Maker, far: float) -> None:
    """Register log_prob, entropy, moments and distribution functions of ``make(*parameters)``.

    Args:
        far: by how much x is multiplied.
    """

    @register("distributions", cls, "log_prob")
    def log_prob(rng: np.random.Generator) -> Case:
        p, x = parameters(rng), leaf(rng, 2, 3)
        return {**p, "x": x}, lambda: weighted(make(*p.values()).log_prob(far * x))

    @register("distributions", cls, "entropy and moments")
    def moments(rng: np.random.Generator) -> Case:
        p = parameters(rng)

        def loss() -> Any:
            q = make(*p.values())
            return weighted(q.entropy()) + weighted(np.sin(q.mean)) + weighted(np.square(q.variance))

        return p, loss


def register_functions(cls: type, make: Maker, far: float, inverse: bool = True) -> None:
    """Register ``cdf`` and, if there is one, ``icdf``."""

    @register("distributions", cls, "cdf")
    def cdf(rng: np.random.Generator) -> Case:
        p, x = parameters(rng), leaf(rng, 2, 3)
        return {**p, "x": x}, lambda: weighted(make(*p.values()).cdf(far * x))

    if inverse:

        @register("distributions", cls, "icdf")
        def icdf(rng: np.random.Generator) -> Case:
            p, logit = parameters(rng), leaf(rng, 2, 3)
            return {**p, "logit": logit}, lambda: weighted(make(*p.values()).icdf(sigmoid(logit)))


def register_kl(q_class: type, make_q: Maker, make_p: Maker, kind: str) -> None:
    """Register KL(q ‖ p), exact or estimated, with q and p of a batch (2, 3)."""

    @register("distributions", q_class, kind)
    def kl(rng: np.random.Generator) -> Case:
        q, p = parameters(rng), {f"of {name}": t for name, t in parameters(rng).items()}

        def loss() -> Any:
            pair = make_q(*q.values()), make_p(*p.values())
            return weighted(
                divergence(*pair, rng=0, samples=3).value if "Monte Carlo" in kind else kl_divergence(*pair)
            )

        return {**q, **p}, loss


def wide(low: Any, high: Any) -> Uniform:
    """An interval with every ``interval`` in it."""
    return Uniform(low - 6.0, high + 6.0)


for cls, make, far in ((Uniform, interval, 1.0), (Laplace, Laplace, 5.0), (Logistic, Logistic, 1.0)):
    register_density(cls, make, far)
    register_functions(cls, make, far)
    register_rsample(cls, make, SHAPES)
register_functions(Normal, Normal, 1.0)
register_functions(Independent, independent, 1.0, inverse=False)

register_kl(Normal, Normal, Laplace, "KL to Laplace")
register_kl(Laplace, Laplace, Laplace, "KL")
register_kl(Laplace, Laplace, Normal, "KL to Normal")
register_kl(Logistic, Logistic, Laplace, "KL to Laplace")
register_kl(Logistic, Logistic, Normal, "KL to Normal")
register_kl(Uniform, interval, wide, "KL")
register_kl(Uniform, interval, Laplace, "KL to Laplace")
register_kl(Uniform, interval, Normal, "KL to Normal")
register_kl(Normal, Normal, Logistic, "Monte Carlo KL to Logistic")
register_kl(Logistic, Logistic, Logistic, "Monte Carlo KL")
register_kl(Uniform, interval, Logistic, "Monte Carlo KL to Logistic")
