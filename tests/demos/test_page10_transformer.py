"""Page 10: the transformer comes down to the entropy rate of its source, and looks where the source does."""

import numpy as np
import pytest

from demos import page10_transformer as page10
from scratchgen.autodiff import no_grad
from scratchgen.autoregressive import NGram, Transformer
from scratchgen.data import MarkovSource
from tests.demos.recorder import Recorder

PAIR = MarkovSource.random(3, 2, rng=4)


@pytest.fixture(scope="module")
def stage():
    """A training that is far too short."""
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page10, "STEPS", 40)
        patch.setattr(page10, "EVERY", 20)
        patch.setattr(page10, "FRESH", 500)
        page10.run(recorder, seed=0)
    yield recorder
    recorder.close()


@pytest.mark.parametrize("lag", [2, 3, 5])
def test_a_source_with_a_lag_depends_on_the_last_and_on_that_one(lag):
    source = page10.source_with_lag(PAIR, lag)
    between = (1,) * (lag - 2)
    assert source.order == lag
    for a, b in np.ndindex(3, 3):
        np.testing.assert_allclose(source.transition[(a, *between, b)], PAIR.transition[a, b], rtol=1e-14)
    assert np.ptp(source.transition, axis=tuple(range(1, lag - 1))).max() == 0  # over what is between


def test_the_cost_of_the_source_is_its_entropy_rate_whatever_x_is():
    x = np.random.default_rng(0).integers(0, 3, (20, 7))
    assert page10.cost(PAIR, PAIR, x) == (PAIR.entropy_rate, 0.0)


def test_what_comes_after_is_the_sum_of_its_conditionals():
    x, model = PAIR.sample(20, 7, rng=0), Transformer(3, 7, 8, 1, 1, rng=0, dtype=np.float64).eval()
    with no_grad():
        by_symbol = model.conditionals(x).log_prob(x).data
    np.testing.assert_allclose(page10.after(model, x, 2), by_symbol[:, 2:].sum(axis=1), rtol=0, atol=1e-12)
    excess = (page10.after(PAIR, x, 2) - by_symbol[:, 2:].sum(axis=1)) / 5
    nats, error = page10.cost(model, PAIR, x)
    assert nats == pytest.approx(PAIR.entropy_rate + excess.mean(), abs=1e-12)
    assert error == pytest.approx(excess.std() / np.sqrt(20), abs=1e-12)


def test_an_n_gram_that_knows_the_table_costs_the_entropy_rate():
    """Counted in so long a stream that 18 free parameters cost 18 / 2N = 0.00009 nats."""
    model = NGram(PAIR.sample(100, 1000, rng=1).ravel(), 3, 3)
    nats, error = page10.cost(model, PAIR, PAIR.sample(500, 20, rng=2))
    assert abs(nats - PAIR.entropy_rate) < 5e-4 and error < 2e-4


def test_the_figures_are_beside_the_truth(stage):
    limits = [stage.figures["page10_transformer"].axes[i].lines[-1].get_ydata()[0] for i in (1, 4)]
    for (found, error, rate, above), limit in zip(
        stage.numbers(r"transformer (\S+) ± (\S+) nats a symbol, entropy rate (\S+): (\S+) above"), limits
    ):
        assert rate == pytest.approx(limit, abs=5e-5)
        assert found - rate == pytest.approx(above, abs=2e-4) and -5.96 * error < above
    for lag, costs in zip(page10.LAGS, stage.numbers(", ".join([r"(\d\S*) \(n = \d\)"] * 7))):
        assert np.argmin(costs) == lag and min(costs) > limits[list(page10.LAGS).index(lag)] - 5e-4


def test_the_curves_are_drawn_with_both_limits_and_the_map_is_causal(stage):
    axes = stage.figures["page10_transformer"].axes
    for i in range(len(page10.LAGS)):
        loss, fresh, least, rate = (line.get_ydata() for line in axes[3 * i].lines)
        assert len(loss) == 2 and len(fresh) == 3 and fresh[-1] < fresh[0]
        assert np.all(np.array([*loss, *fresh]) > rate[0]) and least[0] > rate[0]
        weights = np.asarray(axes[3 * i + 2].images[0].get_array())
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=0, atol=1e-5)
        assert np.all(np.triu(weights, 1) == 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_transformer_is_within_0_003_nats_and_looks_where_the_source_does(seed):
    recorder = Recorder()
    page10.run(recorder, seed)
    recorder.close()
    found = recorder.numbers(r"± (\S+) nats a symbol, entropy rate \S+: (\S+) above")
    assert len(found) == 2 and all(error < 5e-4 and -5.96 * error < above < 0.003 for error, above in found)
    assert all(looks > 0.8 for (looks,) in recorder.numbers(r"attention to \S+: (\S+) of 1"))
