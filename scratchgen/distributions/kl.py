"""The Kullback–Leibler divergence of two distributions, in closed form where one is registered.

KL(q ‖ p) = E_q[log q(x) − log p(x)] ≥ 0,  and 0 only for q = p                            (1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import gaussian_kl, log_softmax, sigmoid, softmax, softplus
from scratchgen.distributions.bernoulli import Bernoulli
from scratchgen.distributions.categorical import Categorical
from scratchgen.distributions.distribution import Distribution, Independent
from scratchgen.distributions.normal import Normal

CLOSED_FORMS: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}
Form = Callable[[Any, Any], Any]


def closed_form(q: type, p: type) -> Callable[[Form], Form]:
    """Register the decorated function as KL(q ‖ p) for these two classes."""

    def register(function: Form) -> Form:
        CLOSED_FORMS[q, p] = function
        return function

    return register


def kl_divergence(q: Distribution, p: Distribution) -> Any:
    """KL(q ‖ p) (1) in nats, of the broadcast batch shape.

    Raises:
        NotImplementedError: for a pair without a closed form.
        ValueError: if the events have different shapes.

    >>> kl_divergence(Normal(np.array([0.0, 1.0]), np.zeros(2)), Normal(np.zeros(2), np.zeros(2)))
    array([0. , 0.5])
    """
    form = CLOSED_FORMS.get((type(q), type(p)))
    if form is None:
        raise NotImplementedError(
            f"no closed form of KL({type(q).__name__} ‖ {type(p).__name__}); estimate E_q[log q − log p] with samples"
        )
    if q.event_shape != p.event_shape:
        raise ValueError(f"q has events of shape {q.event_shape}, p of {p.event_shape}; they must be equal")
    return form(q, p)


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
    """σ(l) (l − l_p) + softplus(l_p) − softplus(l): the Bregman divergence of softplus, elementwise."""
    return sigmoid(q.logits) * (q.logits - p.logits) + softplus(p.logits) - softplus(q.logits)


@closed_form(Categorical, Categorical)
def kl_categorical(q: Categorical, p: Categorical) -> Any:
    """Σ_k q_k (log q_k − log p_k), with 0 log 0 = 0."""
    log_q, log_p, weights = log_softmax(q.logits), log_softmax(p.logits), softmax(q.logits)
    return np.sum(weights * np.where(weights > 0, log_q - log_p, np.zeros_like(weights)), axis=-1)
