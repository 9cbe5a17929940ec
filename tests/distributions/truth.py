"""What the distributions are tested against: random parameters, and expectations that are exact."""

from collections.abc import Callable
from decimal import Decimal, localcontext
from itertools import product
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions import (
    Bernoulli,
    Categorical,
    DiscretisedLogistic,
    DiscretisedNormal,
    Distribution,
    Independent,
    Laplace,
    Logistic,
    MultivariateNormal,
    Normal,
    Uniform,
    kl_divergence,
    scale_tril_from,
)
from tests.distributions.quadrature import expectation_on_the_line


def independent(base: type) -> Callable[..., Independent]:
    """Vectors of components of a class, along the last batch axis."""
    return lambda *parameters: Independent(base(*parameters), 1)


def multivariate(mean: Any, raw: Any) -> MultivariateNormal:
    """A normal distribution of vectors, its factor made of any matrix."""
    return MultivariateNormal(mean, scale_tril_from(raw))


def discretised(cls: type) -> Callable[..., Distribution]:
    """Five levels, with a location about the middle one."""
    return lambda loc, log_scale: cls(2.0 + loc, log_scale, 5)


def interval(low: Any, log_width: Any) -> Uniform:
    """A uniform distribution, its width the exponential of any number."""
    return Uniform(low, low + np.exp(log_width))


def draw(shapes: tuple[tuple[int, ...], ...], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0.0, 1.2, shape) for shape in shapes]


# name: how to make it, and the shapes of its parameters: batches of two, events of three dimensions.
KINDS: dict[str, tuple[Callable[..., Distribution], tuple[tuple[int, ...], ...]]] = {
    "Normal": (Normal, ((2, 3), (2, 3))),
    "Uniform": (interval, ((2, 3), (2, 3))),
    "Laplace": (Laplace, ((2, 3), (2, 3))),
    "Logistic": (Logistic, ((2, 3), (2, 3))),
    "Bernoulli": (Bernoulli, ((2, 3),)),
    "Categorical": (Categorical, ((2, 5),)),
    "DiscretisedLogistic": (discretised(DiscretisedLogistic), ((2, 3), (2, 3))),
    "DiscretisedNormal": (discretised(DiscretisedNormal), ((2, 3), (2, 3))),
    "vectors of Normal": (independent(Normal), ((2, 3), (2, 3))),
    "MultivariateNormal": (multivariate, ((2, 3), (2, 3, 3))),
    "vectors of Bernoulli": (independent(Bernoulli), ((2, 3),)),
    "vectors of Categorical": (independent(Categorical), ((2, 3, 4),)),
}
# Kinds of q and p over the same events, of two classes, for which there is a closed form of KL(q ‖ p).
LINE = ("Normal", "Laplace", "Logistic", "Uniform")
MIXED_ON_THE_LINE = [(q, p) for q in LINE for p in LINE[:2] if q != p]
MIXED = [
    ("MultivariateNormal", "vectors of Normal"),
    ("vectors of Normal", "MultivariateNormal"),
    ("DiscretisedLogistic", "DiscretisedNormal"),
    ("DiscretisedNormal", "DiscretisedLogistic"),
    *MIXED_ON_THE_LINE,
]
ON_THE_LINE = (Uniform, Laplace, Logistic)


def make(kind: str, seed: int, dtype: Any = np.float64) -> Distribution:
    """A distribution with random parameters: another seed is another one, asymmetric to the first."""
    maker, shapes = KINDS[kind]
    return maker(*(parameter.astype(dtype) for parameter in draw(shapes, seed)))


def is_reparameterised(p: Distribution) -> bool:
    """Whether p has ``rsample``."""
    one = p.base if isinstance(p, Independent) else p
    return type(one).rsample is not Distribution.rsample


def has_kl(p: Distribution) -> bool:
    """Whether the divergence of p to its like has a closed form."""
    try:
        kl_divergence(p, p)
    except NotImplementedError:
        return False
    return True


DISCRETE = [kind for kind in KINDS if any(name in kind for name in ("Bernoulli", "Categorical", "Discretised"))]
# Those of which any two have a finite divergence, which is smooth where they are equal: not uniform ones.
WITH_KL = [kind for kind in KINDS if has_kl(make(kind, 1)) and kind != "Uniform"]


def outcomes(p: Distribution) -> np.ndarray:
    """Every value that an event of a discrete p can have, (N, *event_shape)."""
    one = p.base if isinstance(p, Independent) else p
    levels = one.logits.shape[-1] if isinstance(one, Categorical) else getattr(one, "levels", 2)
    dtype = int if isinstance(one, Categorical) else float
    n = int(np.prod(p.event_shape))
    return np.array(list(product(range(levels), repeat=n)), dtype).reshape(-1, *p.event_shape)


def in_every_batch(x: np.ndarray, p: Distribution) -> np.ndarray:
    """Outcomes (N, *event_shape) for every element of the batch: (N, *batch_shape, *event_shape)."""
    shape = (len(x), *p.batch_shape, *p.event_shape)
    return np.broadcast_to(x.reshape(len(x), *[1] * len(p.batch_shape), *p.event_shape), shape)


def expectation(
    p: Distribution, f: Callable[[np.ndarray], Any], order: int = 30, beside: Distribution | None = None
) -> np.ndarray:
    """E_p[f(x)] for each element of the batch: by enumeration, or for normals by Gauss–Hermite quadrature, which is
    exact for polynomials of degree 2 · order − 1; for other densities by ``quadrature``, which wants to know what is
    ``beside`` p in f. f takes (N, *batch_shape, *event_shape) to (N, *batch_shape).
    """
    if isinstance(p, ON_THE_LINE) or isinstance(beside, ON_THE_LINE):
        return expectation_on_the_line(p, f, beside)
    one = p.base if isinstance(p, Independent) else p
    if not isinstance(one, (Normal, MultivariateNormal)):
        x = in_every_batch(outcomes(p), p)
        return np.sum(np.exp(p.log_prob(x)) * f(x), axis=0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    n = int(np.prod(p.event_shape))
    grid = np.array(list(product(nodes, repeat=n))).reshape(-1, *p.event_shape)
    weight = np.prod(list(product(weights / weights.sum(), repeat=n)), axis=-1)
    z = in_every_batch(grid, p)
    if isinstance(one, MultivariateNormal):
        x = p.mean + np.einsum("...ij,n...j->n...i", np.linalg.cholesky(p.covariance), z)
    else:
        x = p.mean + np.sqrt(p.variance) * z
    return np.tensordot(weight, f(x), axes=1)


def exact_kl(logits: Any, logits_p: Any) -> float:
    """KL of two categorical distributions with all digits, by arithmetic of 400 decimals: textbook sums, no tricks."""
    with localcontext() as context:
        context.prec = 400
        q, p = ([Decimal(float(value)) for value in row] for row in (logits, logits_p))
        log_q, log_p = (sum(value.exp() for value in row).ln() for row in (q, p))
        return float(sum((a - log_q).exp() * ((a - log_q) - (b - log_p)) for a, b in zip(q, p)))


def slopes(f: Callable[..., Any], *arrays: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    """f of Tensors, and the gradient of its sum with respect to each."""
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    y = f(*leaves)
    y.backward(np.ones_like(y.data))
    return y.data, [leaf.grad for leaf in leaves]
