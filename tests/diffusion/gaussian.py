"""Normal data in any number of dimensions, for which every step backwards is known."""

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.diffusion import DDPM, BestNetwork, GaussianMixtureData, Schedule
from scratchgen.diffusion.best import variance_given
from scratchgen.diffusion.targets import TARGETS
from scratchgen.distributions import Normal

MEAN, VARIANCE = np.array([1.5, -0.7]), 0.3


def schedule_of(T: int) -> Schedule:
    """β that grow to ½, so that T steps of any number leave less of x_0 with each."""
    return Schedule(np.linspace(0.02, 0.5, T))


def data(mean: Any = MEAN, variance: float = VARIANCE) -> GaussianMixtureData:
    return GaussianMixtureData([1.0], [mean], variance)


def predicting(target: str, network: BestNetwork) -> Callable[..., Any]:
    """The best network, for another target."""

    def output(x: Any, time: Any) -> Any:
        t = np.rint(np.asarray(time, np.float64) * network.schedule.T).astype(int)
        a = np.sqrt(network.schedule.alphas_cumprod[t])[:, None].astype(x.dtype)
        b = np.sqrt(network.schedule.noise_variance[t])[:, None].astype(x.dtype)
        x0 = network(x, time)
        return TARGETS[target].of(x0, (x - a * x0) / b, a, b)

    return output


def exact_model(T: int, target: str = "x0", mean: float = 1.5, **options: Any) -> DDPM:
    """The reverse of q for N(mean, VARIANCE I) in two dimensions, its prior included."""
    schedule = schedule_of(T)
    network = BestNetwork(data(np.full(2, mean)), schedule)
    a2, b2 = schedule.alphas_cumprod[T], schedule.noise_variance[T]
    settings = {
        "variance": variance_given(VARIANCE, schedule),
        "prior": Normal(np.sqrt(a2) * mean, np.log(a2 * VARIANCE + b2)),
        **options,
    }
    return DDPM(predicting(target, network), schedule, (2,), target, **settings)


def log_density(x: np.ndarray, mean: float = 1.5, variance: float = VARIANCE) -> np.ndarray:
    """log N(x; mean, variance I), (B,)."""
    density = Normal(np.full(x.shape, mean), np.full(x.shape, np.log(variance)))
    return np.asarray(density.log_prob(x).sum(axis=1))
