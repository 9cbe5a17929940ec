"""Page 10: the chain rule in any order, on four bits of the weather."""

import numpy as np
import pytest

from demos import page10_chain_rule as page10
from scratchgen.autoregressive import FVSBN
from tests.demos.recorder import Recorder


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page10, "STEPS", 150)
        page10.run(recorder, seed=0)
    yield recorder
    recorder.close()


def test_the_weather_by_hand():
    p = page10.weather().probabilities
    assert p.sum() == pytest.approx(1, abs=1e-15)
    assert p[1, 0, 1, 1] == pytest.approx(0.5 * 0.9 * 0.8 * 0.9, rel=1e-12)  # cloudy, no sprinkler, rain, wet
    assert p[0, 1, 0, 0] == pytest.approx(0.5 * 0.5 * 0.8 * 0.1, rel=1e-12)


def test_the_entropy_is_the_sum_of_the_parts_of_its_network(stage):
    """H(C) + H(S | C) + H(R | C) + H(W | S, R), each a mean of entropies of one bit."""
    h = lambda q: -q * np.log(q) - (1 - q) * np.log(1 - q)  # noqa: E731
    p = page10.weather().probabilities.sum(axis=(0, 3))
    by_hand = h(0.5) + (h(0.5) + h(0.1)) / 2 + h(0.2) + np.sum(p * h(np.array([[0.01, 0.9], [0.9, 0.99]])))
    table = stage.numbers(r"true table: (\S+) nats in each of (24) orders, which differ by (\S+); entropy (\S+)")[0]
    assert table[0] == table[3] == pytest.approx(by_hand, abs=5e-7) and table[2] < 1e-14
    (counted,) = stage.numbers(r"draws, of these: (\S+) nats in each of 24 orders, which differ by (\S+);")
    assert counted[1] < 1e-14 and 0 < abs(counted[0] - by_hand) < 0.05


def test_each_bar_ends_at_the_entropy_but_that_of_each_bit_alone(stage):
    left = stage.figures["page10_chain_rule"].axes[0]
    tops = {}
    for bar in left.patches:
        if bar.get_height() > 0:
            at = round(bar.get_x() + bar.get_width() / 2)
            tops[at] = max(tops.get(at, 0), bar.get_y() + bar.get_height())
    (entropy,) = left.lines[0].get_ydata()[:1]
    assert len(tops) == 7
    np.testing.assert_allclose([tops[i] for i in range(6)], entropy, rtol=0, atol=1e-12)
    alone, above, _ = stage.numbers(r"alone: (\S+) nats, (\S+) above the entropy (\S+)")[0]
    assert tops[6] == pytest.approx(alone, abs=5e-5) and tops[6] - entropy == pytest.approx(above, abs=5e-5)
    assert above > 0.5


def test_no_model_is_below_the_entropy(stage):
    above = np.array(stage.numbers(r"FVSBN (\S+), NADE (\S+) nats above"))
    assert above.shape == (6, 2) and np.all(above >= 0) and np.all(above[:, 1] < above[:, 0])


def test_the_cost_of_a_model_that_knows_nothing_is_four_bits():
    assert page10.cost(FVSBN(4, dtype=np.float64), page10.weather()).item() == pytest.approx(4 * np.log(2), abs=1e-14)


@pytest.mark.slow
def test_the_order_matters_to_fvsbn_and_hardly_to_nade():
    """Convex: that the gradient has died out shows that the figures are those of the best weights."""
    stage, truth = Recorder(), page10.weather()
    page10.run(stage, seed=1)
    stage.close()
    above = np.array(stage.numbers(r"FVSBN (\S+), NADE (\S+) nats above"))
    assert np.all(above[:, 1] < 0.0006) and np.ptp(above[:, 0]) > 0.002
    model = FVSBN(4, page10.ORDERS[0], np.float64)
    page10.trained(model, truth)
    model.zero_grad()
    page10.cost(model, truth).backward()
    assert max(np.abs(t.grad).max() for t in model.parameters().values()) < 1e-4
