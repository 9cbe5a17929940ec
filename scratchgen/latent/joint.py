"""The joint distribution of x and z (lecture p. 3), what a model must have for it, and draws from it.

    p_θ(x, z) = p_θ(x | z) p_θ(z)                                                              (1)
    p_θ(x) = ∫ p_θ(x, z) dz, or a sum where z is discrete                                      (2)

Whatever decodes z to p(x | z) and has a prior is a latent-variable model. (1) costs a pass through the decoder; (2) is
the marginal, and the hard part. Every bound and estimate of it is made of (1).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.distributions import Distribution
from scratchgen.distributions.numbers import require_int
from scratchgen.latent.arguments import batch_of, require_rows
from scratchgen.random import Rng, generator


class LatentVariableModel(Protocol):
    """What (1) needs. A batch of z is (N, latent) for vectors, (N,) for integers, as the prior has it."""

    def prior(self, like: Any) -> Distribution:
        """p(z), a single distribution; in the dtype of ``like``, such as z, where z is continuous."""

    def decode(self, z: Any) -> Distribution:
        """p(x | z) for each of N codes: of batch shape (N,)."""


class Ancestral:
    """Draws x as (1) has it, z first, which is called *ancestral sampling*: a base class of such models."""

    def sample(self: LatentVariableModel, n: int, rng: Rng) -> np.ndarray:
        """n draws of x: z from the prior, then x from p(x | z).

        Raises:
            TypeError, ValueError: for n that is no int, or negative.
        """
        require_int("n", n, least=0)
        rng = generator(rng)
        with no_grad():
            return self.decode(prior_of(self).sample(n, rng)).sample((), rng)


def prior_of(model: LatentVariableModel) -> Distribution:
    """p(z) in the model's own dtype; in float64 for a model that does not say."""
    return model.prior(np.empty(0, getattr(model, "dtype", np.float64)))


def log_joint(model: LatentVariableModel, x: Any, z: Any) -> Any:
    """log p(x, z) (1) in nats, for each x with its own z, or with several.

    Args:
        model: with ``prior`` and ``decode``.
        x: (B, …), a batch of data.
        z: (*sample_shape, B, latent), or (*sample_shape, B) where z is an integer; differentiable.

    Returns:
        (*sample_shape, B).

    Raises:
        TypeError: for x that is a masked array.
        ValueError: for z that is not for B data, or not as the prior has it; for x of another shape.

    >>> from scratchgen.latent import VAE, BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> model = VAE(MLP([6, 4], rng=0), MLP([2, 6], rng=1), BernoulliLikelihood(6), latent=2)
    >>> log_joint(model, np.zeros((5, 6), np.float32), np.zeros((100, 5, 2), np.float32)).shape
    (100, 5)
    """
    return log_p_x_given_z(model, x, z) + model.prior(z).log_prob(z)


def log_p_x_given_z(model: LatentVariableModel, x: Any, z: Any) -> Any:
    """log p(x | z), the first factor of (1), in nats; arguments, result and errors are those of ``log_joint``."""
    require_rows(x, "a joint density", least=0)
    code = model.prior(z).event_shape
    split = len(z.shape) - len(code)
    shape = z.shape[:split]  # (*sample_shape, B)
    if shape[-1:] != (len(x),) or z.shape[split:] != code:
        expected = ", ".join(str(size) for size in (len(x), *code))
        raise ValueError(f"z has shape {z.shape}; for {len(x)} rows of x it must be (…, {expected})")
    p = model.decode(z.reshape(-1, *code))
    x = batch_of(x, p.event_shape)
    each_x = np.broadcast_to(x, (*shape[:-1], *x.shape)).reshape(-1, *x.shape[1:])  # one for each code
    return p.log_prob(each_x).reshape(shape)
