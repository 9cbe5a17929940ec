"""Gradients of an expectation with respect to what it is an expectation under (lecture pp. 5–6).

    E = E_{q_φ}[f(z)] = ∫ f(z) q_φ(z) dz,    ∇_φ E = ?                                          (1)

The difficulty of lecture p. 5: draws z_k of q_φ are numbers, and numbers do not say how they depend on φ.

    naive            (1/K) Σ_k ∇f(z_k), with z_k held fixed: *wrong*. Where f has no φ it is 0    (2)
    score function   ∇q = q ∇log q, so ∇E = E_q[(f(z) − b) ∇log q_φ(z)] + E_q[∇f(z)]             (3)
    leave one out    (3) with b_k = the mean of f at the other K − 1 samples                     (4)
    pathwise         z = z_φ(η), so ∇E = E_η[∇f(z_φ(η))]: the reparameterisation of lecture p. 6 (5)

b, the *baseline*, may be any number that does not depend on z: the expectation of the score ∇log q is 0, that of b
times it too. It changes the variance alone. f may depend on φ as well, as an ELBO does: that is E_q[∇f(z)] in (3).

*Which is better?* The score function needs no derivative of f, so z may be discrete and f may have jumps. But it learns
from the values of f only, the pathwise gradient from its slope. For z ~ N(m, s²), the variance of one sample of the
gradient with respect to m, where the true one is 2m or −k sin(km) exp(−k²s²/2):

                                f = z²                         f = cos kz, for large k s
    score function              m⁴/s² + 14m² + 15s²            1/(2s²)
    with b = E[f]               8m² + 10s²                     1/(2s²)
    pathwise                    4s²                            k²/2

The pathwise gradient wins where f is smooth on the scale of s, and the score function where it is rough: without a b
and averaged over m, for k s > 1.

Each function takes q, f and z, and returns an estimate of E whose *gradient* is the estimate of ∇E: to be minimised or
maximised like the expectation itself. z is drawn outside, ``q.sample(K, rng)`` or ``q.rsample(K, rng)``, so a test can
choose it. ``discrete_estimators`` has two more for discrete z, ``path_estimators`` two for the bounds of a VAE.

Source: lecture pp. 5–6; Williams, Machine Learning 8, 1992, for (3); Kool, van Hoof and Welling, Buy 4 REINFORCE
samples, get a baseline for free!, 2019, for (4); Kingma and Welling, arXiv:1312.6114, for (5); Mohamed et al., Monte
Carlo gradient estimation in machine learning, arXiv:1906.10652, for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Distribution
from scratchgen.distributions.arguments import unmasked
from scratchgen.distributions.distribution import values

Function = Callable[[Any], Any]  # f, from z (K, *batch_shape, *event_shape) to (K, *batch_shape)


def naive(q: Distribution, f: Function, z: Any) -> Any:
    """The gradient (2), which is wrong: it misses that q depends on φ. Here to be seen failing.

    It is right for what only f depends on, such as θ in an ELBO.

    Args:
        q: a distribution, or a batch of them.
        f: from z to one number for each event.
        z: (K, *batch_shape, *event_shape), drawn by ``q.sample(K, rng)``.

    Returns:
        The estimate of E_q[f], batch_shape.

    Raises:
        ValueError: for z through which a gradient passes; for f of another shape.

    >>> from scratchgen.distributions import Normal
    >>> mean = Tensor(1.5, requires_grad=True)
    >>> q = Normal(mean, 0.0)
    >>> isinstance(naive(q, lambda z: z * z, q.sample(1000, rng=0)), Tensor)     # no gradient, and d E[z²]/d mean is 3
    False
    """
    return np.mean(of_draws(q, f, z), axis=0)  # (2)


def score_function(q: Distribution, f: Function, z: Any, baseline: Any = 0.0) -> Any:
    """The gradient (3), also called REINFORCE or the likelihood-ratio gradient: unbiased, for any q with a log_prob.

    Args:
        q, f, z: as of ``naive``.
        baseline: b, a number, or one for each f(z). It *must not depend on the same z*. No gradient passes through it.

    Returns and Raises: as ``naive``.

    Raises:
        TypeError: for a baseline that is no real number, or masked.
        ValueError: for a baseline that does not broadcast to f(z).

    >>> from scratchgen.distributions import Normal
    >>> mean = Tensor(1.5, requires_grad=True)
    >>> q = Normal(mean, 0.0)
    >>> score_function(q, lambda z: z * z, q.sample(100_000, rng=0)).backward()  # d E[z²]/d mean is 3
    >>> round(float(mean.grad), 1)
    3.0
    """
    value = of_draws(q, f, z)
    log_q = q.log_prob(z)
    b = np.asarray(values(unmasked("baseline", baseline)))
    if b.dtype.kind not in "fiu":
        raise TypeError(f"baseline is {b.dtype}; it must be real numbers")
    b = b.astype(value.dtype)
    if not broadcasts(b.shape, value.shape):
        raise ValueError(f"baseline has shape {b.shape}; it must be a number, or broadcast to f(z), {value.shape}")
    reward = values(value) - b  # plain numbers: they weight the score, and have no gradient of their own
    return np.mean(value + reward * (log_q - values(log_q)), axis=0)  # (3); log q − log q is 0, with a gradient


def leave_one_out(q: Distribution, f: Function, z: Any) -> Any:
    """The gradient (4): the score function with a baseline that costs nothing and stays unbiased.

    With b the mean of f at *all* samples it would not be: a sample in its own baseline shrinks the gradient by 1 − 1/K.

    Args, Returns and Raises: as ``naive``.

    Raises:
        ValueError: for fewer than two samples.

    >>> from scratchgen.distributions import Bernoulli
    >>> logit = Tensor(0.0, requires_grad=True)
    >>> q = Bernoulli(logit)
    >>> leave_one_out(q, lambda z: 7 + z, np.array([1.0, 0.0])).backward()       # d E[7 + z]/d logit = p (1 − p)
    >>> float(logit.grad)
    0.5
    """
    K = len(z)
    if K < 2:
        raise ValueError(f"z has {K} samples; to leave one out there must be two or more")
    of_z = values(of_draws(q, f, z))
    return score_function(q, f, z, (np.sum(of_z, axis=0) - of_z) / (K - 1))  # (4)


def pathwise(q: Distribution, f: Function, z: Any) -> Any:
    """The gradient (5), by the reparameterisation trick: unbiased where f has no jumps.

    Args:
        q, f: as of ``naive``; f must be differentiable.
        z: (K, *batch_shape, *event_shape), drawn by ``q.rsample(K, rng)``.

    Returns:
        The estimate of E_q[f], batch_shape.

    Raises:
        ValueError: for z through which no gradient passes, though q has parameters that want one; for f of another
            shape.

    >>> from scratchgen.distributions import Normal
    >>> mean = Tensor(1.5, requires_grad=True)
    >>> q = Normal(mean, 0.0)
    >>> pathwise(q, lambda z: z * z, q.rsample(100_000, rng=0)).backward()       # d E[z²]/d mean is 3
    >>> round(float(mean.grad), 2)
    3.0
    """
    if not requires_grad(z) and requires_grad(q.log_prob(z)):
        raise ValueError("no gradient passes through z: draw it by q.rsample, not q.sample")
    return np.mean(of_events(q, f, z), axis=0)  # (5)


def of_draws(q: Distribution, f: Function, z: Any) -> Any:
    """f(z) of plain numbers z.

    Raises:
        ValueError: for z through which a gradient passes: it would count the dependence on φ once more.
    """
    if requires_grad(z):
        raise ValueError("a gradient passes through z, and this estimator holds it fixed: draw it by q.sample")
    return of_events(q, f, z)


def of_events(q: Distribution, f: Function, z: Any) -> Any:
    """f(z), once it is one number for each event: (K, 1) beside log q (K,) would broadcast to K² numbers.

    Raises:
        TypeError: for z that is no array, or z or f(z) that are masked.
        ValueError: for z or f(z) of another shape.
    """
    if not isinstance(unmasked("z", z), (np.ndarray, np.generic, Tensor)):
        raise TypeError(f"z is a {type(z).__name__}; it must be an array, drawn by q.sample or q.rsample")
    tail = q.batch_shape + q.event_shape
    if len(z.shape) != 1 + len(tail) or z.shape[1:] != tail or not len(z):
        raise ValueError(f"z has shape {z.shape}; it must be {describe(tail)}, with at least one sample")
    return numbers(f(z), z.shape[:1] + q.batch_shape, q.dtype)


def numbers(of_z: Any, shape: tuple[int, ...], dtype: np.dtype, name: str = "f(z)") -> Any:
    """f(z) as floats: integers and bools, such as counts of hits, take the dtype of q.

    Raises:
        TypeError: for a masked array.
        ValueError: for another shape.
    """
    if not isinstance(of_z, Tensor):
        of_z = np.asarray(unmasked(name, of_z))
    if of_z.shape != shape:
        raise ValueError(f"{name} has shape {of_z.shape}; it must be {shape}, a number per event")
    return of_z.astype(dtype) if of_z.dtype.kind in "biu" else of_z


def broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of this shape can be spread over another, each of its axes being equal to the other's, or 1.

    >>> broadcasts((3,), (2, 3)), broadcasts((2,), (2, 3))
    (True, False)
    """
    return len(shape) <= len(to) and all(size in (1, other) for size, other in zip(shape[::-1], to[::-1]))


def describe(tail: tuple[int, ...]) -> str:
    """The shape of K draws, as "(K, 5, 2)"."""
    return f"({', '.join(['K', *map(str, tail)])})" if tail else "(K,)"


def requires_grad(x: Any) -> bool:
    """Whether x is a Tensor through which a gradient passes."""
    return isinstance(x, Tensor) and x.requires_grad
