"""Beta that changes while a VAE is trained: a *schedule*, a plain function from the number of a step to beta.

    loss_t = −E_q[log p(x | z)] + beta(t) KL(q(z | x) ‖ p(z))                                   (1)

At the start the decoder makes nothing of z, so the cheapest is q = p(z), and what z says of x is gone before it is
needed. With a beta near 0 at first, z is almost free. The schedules of ``optim`` do for beta as well:

    linear_warm_up(1.0, warm_up=1000)                     from 1/1000 to 1 in a thousand steps, then 1
    cyclical(1.0, period=1000)                            again and again from 0 to 1

    training.fit(model, x, ..., on_step=annealed(model, linear_warm_up(1.0, warm_up=1000)))

The model knows nothing of steps. ``fit`` counts them and saves the count, and ``annealed`` makes beta a buffer of the
model, so that it is saved with the weights: a training that is resumed goes on with the same beta, bit for bit.

Where beta is below 1 the loss is too low to be −ELBO, and it rises with beta. So do not stop early (``patience``) by a
validation loss before beta is constant.

Source: Bowman et al., Generating sentences from a continuous space, arXiv:1511.06349, section 3.1; Fu et al., Cyclical
annealing schedule, arXiv:1903.10145, equations (6) and (7); Higgins et al., beta-VAE, 2017, for a constant beta.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions.numbers import require_int, require_number
from scratchgen.latent.vae import VAE
from scratchgen.optim import Schedule


def annealed(model: VAE, schedule: Schedule) -> Callable[[int], None]:
    """Let ``schedule`` move the beta of the model; from now on that is a buffer, and part of the model's state.

    Args:
        model: a VAE whose loss is (1).
        schedule: from the number of a step, counted from 0, to beta.

    Returns:
        a function that is to be called with the number of each step before it: ``on_step`` of ``training.fit``.

    Raises:
        TypeError: for a model with another loss, such as an ``IWAE``, in which beta has no part.
        ValueError: for a beta that is negative, NaN or inf, here that of step 0, and in the returned function.

    >>> from scratchgen.latent import BernoulliLikelihood
    >>> from scratchgen.nn import MLP
    >>> from scratchgen.optim import linear_warm_up
    >>> model = VAE(MLP([6, 4], rng=0), MLP([2, 6], rng=1), BernoulliLikelihood(6), latent=2)
    >>> on_step = annealed(model, linear_warm_up(1.0, warm_up=4))
    >>> for step in range(3):
    ...     on_step(step)
    >>> model.beta.item(), "beta" in model.state(), "beta" in model.parameters()
    (0.75, True, False)
    """

    if getattr(type(model), "loss", None) is not VAE.loss:
        raise TypeError(f"model is of class {type(model).__name__}, whose loss has no beta; only that of a VAE has")
    buffer = Tensor(np.zeros((), model.dtype))

    def on_step(step: int) -> None:
        beta = schedule(step)
        if not 0 <= beta < np.inf:
            raise ValueError(f"schedule gives beta {beta} for step {step}; it must be 0 or more, and finite")
        buffer.assign(np.asarray(beta, buffer.dtype))

    on_step(0)
    model.beta = buffer
    return on_step


def cyclical(beta: float, period: int, rising: float = 0.5) -> Schedule:
    """beta min(1, τ/rising), where τ from 0 to 1 is the part of the period that is over: up, and down at once.

    Args:
        beta: the largest.
        period: in steps.
        rising: the part of each period in which beta rises; in the rest it stays.

    Raises:
        TypeError, ValueError: for beta that is no number, negative, NaN or inf; for period that is no int, or less
            than 1; for rising outside 0 … 1.

    >>> [cyclical(1.0, period=4)(step) for step in range(8)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0]
    """
    require_int("period", period)
    require_number("beta", beta, least=0)
    if not 0 < rising <= 1:
        raise ValueError(f"rising is {rising}; it must be above 0 and at most 1, a part of the period")
    return lambda step: beta * min(1.0, (step % period) / (rising * period))
