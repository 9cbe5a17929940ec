"""Gradients of an expectation under a discrete distribution: exactly, or through a continuous one in its place.

    E_{q_φ}[f(z)] = Σ_z q_φ(z) f(z)                                                             (1)
    ≈ E_g[f(v)],    v = softmax((l + g)/τ),  g_k ~ Gumbel(0, 1)                                 (2)
    ≈ the same with v rounded to a one-hot vector forward, and the gradient of v backward       (3)

(1) is differentiable as it stands, for q is in it as a number: *enumeration*. It costs one f for each value of z.

A draw of z is no function of φ with a derivative, so there is no pathwise gradient. The *Gumbel-softmax* (2) puts the
Concrete distribution in the place of q: its draws have a derivative. It needs an f of vectors: one-hot for a true z,
and for v anything between. What is exact is the gradient of the wrong expectation; its bias goes to 0 with the
temperature τ, though not steadily, and its variance grows as τ falls. (3), *straight-through*, shows f true categories
only, and is biased all the same.

The score function of ``estimators`` needs no change for a discrete z, and is unbiased.

Source: Jang, Gu and Poole, arXiv:1611.01144, and Maddison, Mnih and Teh, arXiv:1611.00712, for (2); Bengio, Léonard and
Courville, arXiv:1308.3432, for (3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.distributions import Categorical, Concrete, Distribution, Independent, straight_through
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.estimators import Function, numbers
from scratchgen.latent.marginal import all_values
from scratchgen.random import Rng


def enumeration(q: Distribution, f: Function) -> Any:
    """E_q[f] as a sum over all values of z (1): exact, as is its gradient.

    Args:
        q: a Categorical, Bernoulli, or Independent components of these, or a batch of them.
        f: from all values of z, (N, *batch_shape, *event_shape), to (N, *batch_shape).

    Returns:
        E_q[f], batch_shape.

    Raises:
        TypeError: for another q.
        ValueError: for more than a million values; for f of another shape.

    >>> from scratchgen.autodiff import Tensor
    >>> logits = Tensor(np.log([0.5, 0.3, 0.2]), requires_grad=True)
    >>> E = enumeration(Categorical(logits), lambda z: 10.0 * z)
    >>> E.backward()
    >>> E.data.round(12), logits.grad.round(12)                      # 7, and p_k (f_k − 7)
    (np.float64(7.0), array([-3.5,  0.9,  2.6]))
    """
    z = all_values(q)
    each = z.reshape(len(z), *[1] * len(q.batch_shape), *q.event_shape)
    z = np.broadcast_to(each, (len(z), *q.batch_shape, *q.event_shape))
    of_z = numbers(f(z), z.shape[: 1 + len(q.batch_shape)], q.dtype)
    return np.sum(np.exp(q.log_prob(z)) * of_z, axis=0)  # (1)


def gumbel_softmax(
    q: Distribution,
    f: Function,
    temperature: float,
    samples: int = 1,
    rng: Rng | None = None,
    noise: Any = None,
    hard: bool = False,
) -> Any:
    """The expectation (2), or (3): its gradient to the logits of q is that of E_q[f] with a bias.

    Args:
        q: a Categorical of K categories, or Independent ones, or a batch of them.
        f: from vectors (samples, *batch_shape, *event_shape, K) to (samples, *batch_shape).
        temperature: τ > 0.
        samples: how many draws of v.
        rng: draws g.
        noise: g itself, of the shape of v, instead of ``rng``.
        hard: (3) if true, (2) if false.

    Returns:
        The estimate of E_q[f], batch_shape.

    Raises:
        TypeError: for another q; as ``Concrete.rsample`` for rng and noise.
        ValueError: for f of another shape; for a temperature that is not above 0; for no samples.

    >>> q = Categorical(np.log([0.5, 0.3, 0.2]))
    >>> E = gumbel_softmax(q, lambda v: v @ np.array([0.0, 10.0, 20.0]), temperature=0.5, samples=100_000, rng=0)
    >>> round(float(E), 1)                                           # not 7, but near
    7.4
    """
    require_int("samples", samples)
    base = q.base if isinstance(q, Independent) else q
    if not isinstance(base, Categorical):
        raise TypeError(f"q is {q}; it must be Categorical, or Independent: a coin is one of two categories")
    v = Concrete(base.logits, temperature).rsample(samples, rng, noise)  # (2)
    of_v = f(straight_through(v) if hard else v)  # (3) if hard
    return np.mean(numbers(of_v, (samples, *q.batch_shape), q.dtype, "f(v)"), axis=0)
