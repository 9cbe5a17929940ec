"""Conditional flows whose numbers a network computes: q(z | x) of a VAE, or noise in a bin (p. 11).

    (m, v, h) = encoder(x),    ε ~ N(m, diag(e^v)),    z = f⁻¹(ε; h)                            (1)
    log q(z | x) = log N(ε; m, diag(e^v)) − log |det ∂z/∂ε|                                    (2)

m are means and v the logarithms of variances. A Gaussian posterior is the case without f. With f as flexible as one
likes, q can be the posterior itself, and the bound of the VAE is tight. Training draws z and needs log q of what it
drew and of nothing else: that is (2), with f⁻¹ gone through once. ``log_prob`` of a given z needs f instead. So f⁻¹ is
the direction that has to be cheap here; an inverse autoregressive flow is cheap in no other.

h, further numbers of x for f itself, is the *context*; without it f is the same for all x, and the encoder only says
where it begins.

Source: Rezende and Mohamed, arXiv:1505.05770, algorithm 1; Kingma et al., Improving Variational Inference with Inverse
Autoregressive Flow, arXiv:1606.04934, algorithm 1, with its h.
"""

from __future__ import annotations

from typing import Any

from scratchgen.distributions import Independent, Normal
from scratchgen.distributions.numbers import require_int
from scratchgen.flows.flow import Transformed
from scratchgen.flows.transform import Transform, require_transform
from scratchgen.nn import Module


class FlowPosterior(Module):
    """q(z | x) by a flow from a Gaussian that an encoder gives (1), as the encoder of a ``VAE`` or ``IWAE``.

    Args:
        encoder: a Module from x to the numbers m, v and h, 2 × ``latent`` + ``context`` of them.
        transform: f, from z to its noise ε: the latent variable is on the side of the data.
        latent: the dimension of z.
        context: how many numbers h has; f gets None for 0.

    Raises:
        TypeError: for an encoder that is no Module, or a transform that is none; for latent or context that is no int.
        ValueError: for latent < 1 or context < 0.

    >>> import numpy as np
    >>> from scratchgen.flows import Logit
    >>> from scratchgen.nn import MLP
    >>> q = FlowPosterior(MLP([7, 4], rng=0), Logit(), latent=2)             # z in the unit square
    >>> z, log_q = q(np.zeros((5, 7), np.float32)).rsample_and_log_prob((), rng=0)
    >>> z.shape, log_q.shape
    ((5, 2), (5,))
    """

    def __init__(self, encoder: Module, transform: Transform, latent: int, context: int = 0) -> None:
        if not isinstance(encoder, Module):
            raise TypeError(f"encoder is a {type(encoder).__name__}; it must be a Module")
        require_transform("transform", transform)
        require_int("latent", latent)
        require_int("context", context, least=0)
        self.encoder, self.transform, self.latent, self.context = encoder, transform, latent, context

    def forward(self, x: Any) -> Transformed:
        """q(z | x) for each x, events of shape (latent,).

        Raises:
            ValueError: if the encoder gives another number of numbers.
        """
        numbers, d = self.encoder(x), self.latent
        wanted = 2 * d + self.context
        if numbers.shape[1:] != (wanted,):
            raise ValueError(
                f"the encoder gives shape {numbers.shape}; with latent={d} and context={self.context} it must be "
                f"(B, {wanted})"
            )
        base = Independent(Normal(numbers[:, :d], numbers[:, d : 2 * d]), 1)
        return Transformed(base, self.transform, numbers[:, 2 * d :] if self.context else None)
