"""What training comes to, beside the best there is: normal data, for which that is known."""

import numpy as np
import pytest

from scratchgen.autodiff import no_grad
from scratchgen.diffusion import DDPM, BestNetwork, GaussianMixtureData, ResidualNet, cosine, least_noise_loss
from scratchgen.optim import Adam, Average
from scratchgen.optim import cosine as falling
from scratchgen.training import fit
from tests.diffusion.gaussian import predicting

SCHEDULE = cosine(100)
C = np.array([[1.0, 0.6], [0.6, 0.8]])
DATA = GaussianMixtureData([1.0], [[0.5, -1.0]], C[None])
BEST = DDPM(predicting("eps", BestNetwork(DATA, SCHEDULE)), SCHEDULE, (2,))
AT = np.sqrt(SCHEDULE.alphas_cumprod[1:]), np.sqrt(SCHEDULE.noise_variance[1:])
LEAST = np.mean([least_noise_loss(C, a, b) for a, b in zip(*AT)])  # 0.883: of all t alike
STEPS = 400


def trained(rng):
    """By the simple loss, on 50,000 draws; with averaged weights."""
    model = DDPM(ResidualNet(2, rng, width=32, blocks=1), SCHEDULE, (2,))
    average = Average(model.parameters(), decay=0.99)
    fit(
        model,
        DATA.sample(50_000, rng).astype(np.float32),
        optimizer=Adam(model.parameters(), lr=1e-2),
        average=average,
        batch_size=256,
        steps=STEPS,
        schedule=falling(1e-2, STEPS, warm_up=20, lowest=1e-4),
        rng=rng,
        progress=False,
    )
    with average.applied():
        averaged = model.state()
    model.load_state(averaged)
    return model


def test_the_learned_loss_is_within_one_per_cent_of_the_least():
    """Mean over every t alike, on fresh draws. The best predictor has the same draws, so their noise cancels."""
    rng = np.random.default_rng(0)
    model = trained(rng)
    t = np.repeat(np.arange(1, SCHEDULE.T + 1), 200)
    x, noise = DATA.sample(len(t), rng), rng.standard_normal((len(t), 2))
    with no_grad():
        learned = np.asarray(model.losses(x.astype(np.float32), t, noise.astype(np.float32)).data, np.float64)
    best = BEST.losses(x, t, noise)
    error = best.std() / np.sqrt(len(t))
    assert best.mean() == pytest.approx(LEAST, abs=4 * error)
    above, error = (learned - best).mean(), (learned - best).std() / np.sqrt(len(t))
    assert -4 * error < above < 0.01 * LEAST - 4 * error
