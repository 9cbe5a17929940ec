"""Gradients of importance-weighted bounds without the score term: less variance, and which of them are unbiased.

    w_k = p_θ(x, z_k) / q_φ(z_k | x),    z_k = z_φ(η_k),    w̃_k = w_k / Σ_j w_j
    L_K = log (1/K) Σ_k w_k,    ∇L_K = Σ_k w̃_k ∇log w_k                                         (1)

For K = 1 this is the ELBO of lecture p. 6. φ is in log w_k twice: in the point z_k, and in the density at that point.

    ∇_φ log w_k = (∂log w_k/∂z_k)(∂z_k/∂φ) − ∂log q_φ(z | x)/∂φ at z = z_k  =  path_k − score_k  (2)

The expectation of the score is 0. It is noise, and the noise that is left where q is the posterior: there w does not
depend on z, so every path is 0. *Sticking the landing* leaves it out:

    g = Σ_k w̃_k path_k                                                                          (3)

For K = 1 (3) is unbiased. For more it is not: w̃_k depends on z_k, so E[w̃_k score_k] is not 0. But like any expectation
of something times a score, it can be reparameterised: E[w̃_k score_k] = E[(∂w̃_k/∂z_k)(∂z_k/∂φ)], and the derivative of
a softmax is ∂w̃_k/∂z_k = w̃_k (1 − w̃_k) ∂log w_k/∂z_k. Subtracted from (3), that is the *doubly reparameterised* gradient

    g = Σ_k w̃_k² path_k                                                                         (4)

unbiased for every K. The gradient to θ is that of (1) in all of them, Σ_k w̃_k ∇_θ log p_θ(x, z_k).

All functions here have the value of L_K. But the φ gradient of (3) and (4) is not the derivative of that value; it is
so on average, so a gradient check by differences cannot pass with sampled noise.

Source: Burda et al., arXiv:1509.00519, for (1); Roeder, Wu and Duvenaud, Sticking the landing, arXiv:1703.09194, for
(2) and (3); Tucker et al., Doubly reparameterized gradient estimators, arXiv:1810.04152, for (4) and the bias of (3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import logsumexp, no_grad, softmax
from scratchgen.distributions import Distribution
from scratchgen.distributions.distribution import values
from scratchgen.latent.estimators import describe, requires_grad
from scratchgen.latent.importance import log_weights
from scratchgen.latent.joint import LatentVariableModel, log_joint


def importance_weighted(log_w: Any) -> Any:
    """L_K = log (1/K) Σ_k w_k (1) in nats, from log-weights (K, …) to (…); its gradient is the total one.

    Raises:
        ValueError: for no weights.

    >>> importance_weighted(np.log([[1.0], [2.0], [6.0]])).round(4)              # log 3
    array([1.0986])
    """
    if not np.ndim(log_w) or not len(log_w):
        raise ValueError(f"log_w has shape {np.shape(log_w)}; it must be (K, …), with at least one weight")
    return logsumexp(log_w, axis=0) - float(np.log(len(log_w)))


def sticking_the_landing(model: LatentVariableModel, x: Any, q: Distribution, z: Any) -> Any:
    """L_K with the φ gradient (3): unbiased for K = 1 only.

    For K samples of the ELBO, take the mean of ``path_log_weights`` instead: that is unbiased.

    Args:
        model: with ``prior`` and ``decode``.
        x: (B, *event_shape).
        q: q_φ(z | x), a batch of B.
        z: (K, B, latent), drawn by ``q.rsample(K, …)``.

    Returns:
        (B,), in nats.

    Raises:
        ValueError: unless x, q and z belong together; for z without a gradient where q has one.

    >>> from scratchgen.latent import VAE, BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> encoder, decoder = MLP([6, 4], rng=0, dtype=np.float64), MLP([2, 6], rng=1, dtype=np.float64)
    >>> model, x = VAE(encoder, decoder, BernoulliLikelihood(6), latent=2), np.zeros((5, 6))
    >>> q = model.encode(x)
    >>> sticking_the_landing(model, x, q, q.rsample(10, rng=0)).shape
    (5,)
    """
    require_samples(q, z)
    return importance_weighted(path_log_weights(model, x, q, z))


def doubly_reparameterised(model: LatentVariableModel, x: Any, q: Distribution, z: Any) -> Any:
    """L_K with the φ gradient (4), unbiased for every K.

    The weights are computed twice: first their values, since every path is multiplied with its own w̃_k.

    Args, Returns and Raises: as ``sticking_the_landing``.

    >>> from scratchgen.latent import VAE, BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> encoder, decoder = MLP([6, 4], rng=0, dtype=np.float64), MLP([2, 6], rng=1, dtype=np.float64)
    >>> model, x = VAE(encoder, decoder, BernoulliLikelihood(6), latent=2), np.zeros((5, 6))
    >>> q = model.encode(x)
    >>> z = q.rsample(10, rng=0)
    >>> bound = doubly_reparameterised(model, x, q, z)
    >>> np.allclose(bound.data, importance_weighted(path_log_weights(model, x, q, z)).data, rtol=1e-12)
    True
    """
    require_samples(q, z)
    with no_grad():
        normalised = softmax(values(log_weights(model, x, q, values(z))), axis=0)  # w̃, (K, B)
    by = normalised.reshape(*normalised.shape, *[1] * len(q.event_shape))
    # one w̃ by logsumexp, as in (3), and one by the path
    return importance_weighted(path_log_weights(model, x, q, scale_gradient(z, by)))


def require_samples(q: Distribution, z: Any) -> None:
    """Refuse z without an axis of samples: the data would be taken for the K samples, and averaged.

    Raises:
        ValueError: with the shape.
    """
    tail = q.batch_shape + q.event_shape
    if len(z.shape) != 1 + len(tail) or not len(z):
        raise ValueError(
            f"z has shape {z.shape}; it must be {describe(tail)}, with at least one sample: q.rsample(K, …)"
        )


def path_log_weights(model: LatentVariableModel, x: Any, q: Distribution, z: Any) -> Any:
    """log w_k (…, B) in nats, of which the φ gradient is path_k of (2), without score_k.

    Args and Raises: as ``sticking_the_landing``; z may have any sample shape.
    """
    return log_joint(model, x, z) - log_prob_along_path(q, z)


def log_prob_along_path(q: Distribution, z: Any) -> Any:
    """log q_φ(z), with a gradient through z but none through the parameters of q: these are detached.

    They are detached by subtracting what they contribute. At the plain values of z, log q_φ has no gradient but the
    score; less its own value, it is 0 with that gradient. This does for any q, whatever its parameters are kept in.

    Raises:
        ValueError: for z without a gradient where q has one: there would be none at all.
    """
    score = q.log_prob(values(z))
    if requires_grad(score) and not requires_grad(z):
        raise ValueError("z has no gradient, though q has parameters that do: draw it by q.rsample, not q.sample")
    return q.log_prob(z) - (score - values(score))


def scale_gradient(z: Any, by: Any) -> Any:
    """z itself, whose gradient will be multiplied with ``by``, plain numbers that broadcast to its shape.

    >>> from scratchgen.autodiff import Tensor
    >>> z = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = scale_gradient(z, np.array([0.5, 10.0]))
    >>> np.sum(y * y).backward()
    >>> y.data, z.grad
    (array([1., 2.]), array([ 1., 40.]))
    """
    return values(z) + by * (z - values(z))  # z − z is 0, exactly
