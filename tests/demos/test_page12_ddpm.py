"""Page 12, DDPM on toys: what measures, with best networks for learned ones; and, slowly, the targets."""

import numpy as np
import pytest

from demos import page12_ddpm as page12
from scratchgen.data import Gaussians
from scratchgen.diffusion import DDPM, VP, BestNetwork, GaussianMixtureData, linear
from tests.demos.recorder import Recorder
from tests.diffusion.gaussian import predicting


@pytest.fixture
def stage():
    recorder = Recorder()
    yield recorder
    recorder.close()


class Normal(page12.Standard):
    """Data N(m, ¼ I) on their own scale and moved, whose best network is known."""

    def __init__(self):
        super().__init__(Gaussians([[1.0, -2.0]], std=0.5), np.random.default_rng(0))


def test_scaling_is_undone():
    """Of the toy's own density: the gap of the true density is 0, and the surprise of data is nothing."""
    data, rng = Normal(), np.random.default_rng(1)
    z = data.sample(5000, rng)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.06)
    np.testing.assert_allclose(z.var(axis=0).mean(), 1, atol=0.06)
    assert abs(data.surprise(z)) < 0.06

    def log_prob(z):
        return data.toy.log_prob(data.back(z)) + 2 * np.log(data.std)

    gap = data.gap(log_prob, 100, rng)
    assert abs(gap.value) < 1e-5 and gap.error < 1e-5


def test_the_flow_of_the_best_network_has_the_density_of_the_data():
    """The linear schedule is VP(0.1, 20) in T steps; the density is that at the first of them."""
    schedule = linear(page12.T)
    t = np.arange(1, page12.T + 1) / page12.T
    a, s = VP(0.1, 20.0).marginal(t)
    np.testing.assert_allclose(np.sqrt(schedule.alphas_cumprod[1:]), a, atol=1.5e-3)
    np.testing.assert_allclose(np.sqrt(schedule.noise_variance[1:]), s, atol=3e-3)

    model = DDPM(lambda x, time: 0.0 * x, schedule, (2,), "v")  # the best for N(0, I): v is 0 on average, and ε̂ = s x
    z = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    expected = -np.log(2 * np.pi) - 0.5 * np.square(z).sum(axis=1)
    np.testing.assert_allclose(page12.flow_log_prob(model)(z), expected, atol=1e-3)


def test_the_right_variance_is_measured(monkeypatch):
    """Var[x_0 | x_t] = 1 / (1/v + SNR_t) for normal data of variance v."""
    schedule = linear(page12.T)
    data = GaussianMixtureData([1.0], [[0.0, 0.0]], 0.5)
    network = BestNetwork(data, schedule)
    times = np.array([10, 100, 300, 1000])
    short = DDPM(predicting("eps", network), schedule, (2,)).part(times)
    monkeypatch.setattr(page12, "T", 4)
    short.times = np.array([0, *times]) / 1000
    x = data.sample(4000, np.random.default_rng(0))
    found = page12.with_right_variance(short, x, np.random.default_rng(1)).x0_variance
    np.testing.assert_allclose(found[1:], 1 / (2 + np.exp(schedule.log_snr[times])), rtol=0.1)


def test_a_start_that_is_not_x_T(stage, monkeypatch):
    """Few steps: DDIM keeps what the start was wrong in; noise on the way makes good most of it."""
    monkeypatch.setattr(page12, "SHORT", (1000, 100))
    page12.draw_short(stage, np.random.default_rng(0), 600)
    (long, by_ddim, _), (short, wrong, forgiven) = stage.numbers(
        r"is (\S+) nats; −log p of samples is above the entropy by (\S+) nats by DDIM, (\S+) nats by ancestral"
    )
    assert long < 1e-3 and short == pytest.approx(4.7, abs=0.2)
    assert by_ddim < 0.2 and wrong > 2 and forgiven < 0.5
    lines = {patch.get_label(): patch.get_linestyle() for patch in stage.figures["page12_ddpm_short"].axes[-1].patches}
    assert lines["T = 100"] in ("-", "solid") and lines["data"] not in ("-", "solid")


@pytest.mark.slow
def test_both_toys_are_learned(stage):
    """The targets: 0.08 nats by the probability flow, and 0.55 of samples told right; about a minute on idle cores."""
    page12.run(stage, seed=0)
    gaps = stage.numbers(r"entropy (\S+) nats; above it, by probability flow (\S+) ± (\S+) nats, by bound (\S+) ±")
    assert [entropy for entropy, *_ in gaps] == [1.0076, 2.6147]
    assert all(gap < 0.08 and error < 0.02 for _, gap, error, _ in gaps)
    told = stage.numbers(r"by their nearest neighbours: (\S+) ± (\S+), where")
    assert len(told) == 2 and all(accuracy <= 0.55 and error < 0.012 for accuracy, error in told)
    few, *_, many = stage.numbers(r"ancestral (\S+), DDIM (\S+), Heun (\S+)$")
    assert few[0] > 2 * many[0]
