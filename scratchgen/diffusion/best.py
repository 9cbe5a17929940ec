"""The network that would be best, for data of which all is known: no learning, and so no error of learning.

    x̂_0 = E[x_0 | x_t],  the mean square error is least                                        (1)
    E‖x_0 − x̂_0‖² / D = E Var[x_0 | x_t]                                                       (2)

What a sampler, a schedule or a variance does wrong is seen best with it. For one normal distribution (2) does not
depend on x_t, and a ``DDPM`` with this network and (2) for its variance is exactly the reverse of q.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.diffusion.exact import GaussianMixtureData
from scratchgen.diffusion.schedules import Schedule


class BestNetwork:
    """E[x_0 | x_t] of a mixture of normal distributions: a network for ``DDPM`` with target="x0".

    Args:
        data: the mixture.
        schedule: of the steps.

    >>> from scratchgen.diffusion import DDPM, cosine
    >>> data, schedule = GaussianMixtureData([1.0], [[3.0]], 0.25), cosine(100)
    >>> model = DDPM(BestNetwork(data, schedule), schedule, (1,), "x0")
    >>> x = model.sample(2000, rng=0)
    >>> bool(abs(x.mean() - 3.0) < 0.05), bool(abs(x.std() - 0.5) < 0.03)
    (True, True)
    """

    def __init__(self, data: GaussianMixtureData, schedule: Schedule) -> None:
        self.data, self.schedule = data, schedule

    def __call__(self, x: Any, time: Any) -> Any:
        """x̂_0 (1), (B, D), for x_t (B, D) and t/T (B,)."""
        t = np.rint(np.asarray(time, np.float64) * self.schedule.T).astype(np.int64)
        signal, noise = self.schedule.alphas_cumprod[t], self.schedule.noise_variance[t]
        return self.data.denoised(x, np.sqrt(signal), np.sqrt(noise))


def variance_given(variance: float, schedule: Schedule) -> np.ndarray:
    """Var[x_0 | x_t] (2) for normal data of this variance, (T + 1,): 1 / (1/variance + SNR_t).

    >>> variance_given(1.0, Schedule([0.5, 0.5])).round(4)
    array([0.  , 0.5 , 0.75])
    """
    return np.asarray(1.0 / (1.0 / variance + np.exp(schedule.log_snr)))
