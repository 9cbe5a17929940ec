"""How much each step counts in the loss: weights of ‖x_0 − x̂_0‖², which decide what the network is good at.

    loss = E_t E_ε [w_t ‖x_0 − x̂_0(x_t)‖²],   t uniform on 1 … T                                (1)

    simple     1 for the target itself: so w is SNR for ε, 1 for x_0, SNR + 1 for v              (2)
    snr        SNR, whatever the target                                                          (3)
    min_snr    min(SNR, 5): steps with little noise do not drown the others                      (4)
    bound      ½ T c_t² / σ_t²: (1) is the negative bound on log p(x_0), but for a constant      (5)

σ_t² is the variance of the reverse step; for σ_t² = β̃_t, (5) is ½ T (SNR_{t−1} − SNR_t). Any weights have the same
best x̂_0, the mean of x_0 given x_t, for a network that can do all steps as well as one. They matter because none can.

``DDPM`` with weighting="bound" does not take (5), but the bound itself, constants and all: its loss is in nats.

Sources: Ho et al., arXiv:2006.11239, section 3.4; Hang et al., Min-SNR, arXiv:2303.09556, section 3.4; Kingma et al.,
arXiv:2107.00630, equation (13), for (5).
"""

from __future__ import annotations

import numpy as np

from scratchgen.diffusion.forward import posterior_coefficients
from scratchgen.diffusion.schedules import Schedule
from scratchgen.diffusion.targets import Target

WEIGHTINGS = ("simple", "snr", "min_snr", "bound")
MOST_SNR = 5.0  # of (4), as in the paper


def target_weights(schedule: Schedule, target: Target, weighting: str) -> np.ndarray:
    """Weights (2) to (4) of the squared error of the target, instead of x_0's, (T + 1,); 0 at t = 0.

    >>> from scratchgen.diffusion.targets import TARGETS
    >>> schedule = Schedule([0.1, 0.5])                               # SNR 9 and 0.82
    >>> target_weights(schedule, TARGETS["eps"], "simple")
    array([0., 1., 1.])
    >>> target_weights(schedule, TARGETS["eps"], "min_snr").round(4)
    array([0.    , 0.5556, 1.    ])
    """
    snr = np.exp(schedule.log_snr[1:])
    own = target.weight(snr)
    wanted = {"simple": own, "snr": snr, "min_snr": np.minimum(snr, MOST_SNR)}[weighting]
    return np.concatenate([[0.0], wanted / own])


def bound_weights(schedule: Schedule, log_variance: np.ndarray) -> np.ndarray:
    """Weights (5) of ‖x_0 − x̂_0‖² for reverse variances exp(log_variance), (T + 1,); 0 at t = 0.

    >>> bound_weights(Schedule([0.1, 0.5]), np.log([1.0, 0.1, 0.5])).round(4)
    array([ 0.    , 10.    ,  1.4876])
    """
    c, _, _ = posterior_coefficients(schedule, np.arange(1, schedule.T + 1))
    return np.concatenate([[0.0], 0.5 * schedule.T * np.square(c) * np.exp(-log_variance[1:])])
