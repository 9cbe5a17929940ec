"""The Kullback–Leibler divergence of two distributions, in closed form where one is registered.

    KL(q ‖ p) = E_q[log q(x) − log p(x)] ≥ 0,  and 0 only for q = p                            (1)

It is not symmetric. Of independent components it is the sum, not the mean.

More closed forms are registered in ``continuous_kl``, ``multivariate_kl`` and ``discretised_kl``; where there is none,
``estimated_kl`` estimates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import gaussian_kl
from scratchgen.distributions.bernoulli import Bernoulli
from scratchgen.distributions.categorical import Categorical
from scratchgen.distributions.discrete_kl import bernoulli_kl, categorical_kl
from scratchgen.distributions.distribution import Distribution, require_distribution
from scratchgen.distributions.independent import Independent
from scratchgen.distributions.normal import Normal

Form = Callable[[Any, Any], Any]
CLOSED_FORMS: dict[tuple[type, type], Form] = {}


def closed_form(q: type, p: type) -> Callable[[Form], Form]:
    """Register the decorated function of two distributions as KL(q ‖ p) for these two classes.

    It is found for the very classes only: a subclass may have another density.

    Raises:
        ValueError: for a pair that has one.
    """

    def register(function: Form) -> Form:
        if (q, p) in CLOSED_FORMS:
            raise ValueError(f"KL({q.__name__} ‖ {p.__name__}) is registered already")
        CLOSED_FORMS[q, p] = function
        return function

    return register


def kl_divergence(q: Distribution, p: Distribution) -> Any:
    """KL(q ‖ p) (1) in nats, of the broadcast batch shape.

    It is exact or an error; ``divergence`` estimates it where there is no closed form.

    Raises:
        NotImplementedError: for a pair without a closed form.
        TypeError: for what is no distribution; for float32 beside float64.
        ValueError: for events of different shapes; for batch shapes that do not broadcast, or (n,) beside (n, 1).

    Source: Cover and Thomas, Elements of Information Theory, 2006, section 2.3.

    >>> kl_divergence(Normal(np.array([0.0, 1.0]), np.zeros(2)), Normal(np.zeros(2), np.zeros(2)))
    array([0. , 0.5])
    """
    form = CLOSED_FORMS.get((type(q), type(p)))
    if form is None:
        require_distribution("q", q)
        require_distribution("p", p)
        raise NotImplementedError(
            f"no closed form of KL({type(q).__name__} ‖ {type(p).__name__}); divergence(q, p, rng) estimates it"
        )
    require_alike(q, p)
    return form(q, p)


def require_alike(q: Distribution, p: Distribution) -> None:
    """Refuse two distributions that are not over the same events, or whose batches do not belong together.

    Raises:
        TypeError, ValueError: as ``kl_divergence``.
    """
    require_distribution("q", q)
    require_distribution("p", p)
    if q.dtype != p.dtype:
        raise TypeError(f"q is {q.dtype} and p {p.dtype}; convert the parameters of one with .astype")
    if q.event_shape != p.event_shape:
        raise ValueError(f"q has events of shape {q.event_shape}, p of {p.event_shape}; they must be equal")
    a, b = q.batch_shape, p.batch_shape
    shapes = f"q has the batch shape {a} and p {b}"
    try:
        both = np.broadcast_shapes(a, b)
    except ValueError:
        raise ValueError(f"{shapes}; they do not broadcast") from None
    if both not in (a, b) and ((*a, 1) == b or (*b, 1) == a):
        raise ValueError(f"{shapes}, which would give {both}; drop the last axis of one, as in x[:, 0]")


@closed_form(Independent, Independent)
def kl_independent(q: Independent, p: Independent) -> Any:
    """Independent components: their divergences add up."""
    return q.total(kl_divergence(q.base, p.base))


@closed_form(Normal, Normal)
def kl_normal(q: Normal, p: Normal) -> Any:
    """½ ((m − m_p)² e^{−v_p} + e^{v − v_p} − 1 − (v − v_p)), elementwise."""
    return gaussian_kl(q.mean, q.logvar, p.mean, p.logvar)


@closed_form(Bernoulli, Bernoulli)
def kl_bernoulli(q: Bernoulli, p: Bernoulli) -> Any:
    """Σ q log(q/p) over the outcomes 1 and 0, elementwise."""
    return bernoulli_kl(q.logits, p.logits)


@closed_form(Categorical, Categorical)
def kl_categorical(q: Categorical, p: Categorical) -> Any:
    """Σ_k q_k log(q_k/p_k), for each element of the batch."""
    return categorical_kl(q.logits, p.logits)
