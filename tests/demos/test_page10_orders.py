"""Page 10: averages over orders, right and wrong, on patterns that can all be listed."""

import numpy as np
import pytest

from demos import page10_orders as page10
from scratchgen.autoregressive import MADE, BinaryOutput, order_agnostic
from tests.demos.recorder import Recorder


def recorded(steps, seed):
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page10, "STEPS", steps)
        page10.run(recorder, seed)
    return recorder


@pytest.fixture(scope="module")
def stage():
    recorder = recorded(300, seed=0)
    yield recorder
    recorder.close()


def test_the_patterns_by_hand():
    p = page10.patterns()
    assert p.sum() == pytest.approx(1, abs=1e-14)
    black = 2 * 0.95**9 + 6 * 0.95**6 * 0.05**3 + 6 * 0.95**3 * 0.05**6 + 2 * 0.05**9  # of 16 patterns
    assert p[-1] == p[0] == pytest.approx(black / 16, rel=1e-12)
    assert -p @ np.log(p) == pytest.approx(4.25997, abs=5e-6)


def test_the_right_average_is_a_distribution_and_the_wrong_one_is_not(stage):
    cost, above, entropy, total = stage.numbers(
        r"8 orders, prob\w+ averaged: (\S+) nats, (\S+) against .* (\S+); .* (1\.\d+)"
    )[0]
    assert abs(total - 1) < 1e-11 and above > 0 and cost == pytest.approx(entropy + above, abs=1e-4)
    _, _, wrong_total = stage.numbers(r"8 orders, logits averaged: (\S+) nats, (\S+) against .* sum to (\S+):")[0]
    assert abs(wrong_total - 1) > 0.05
    single, normalised, still_above = stage.numbers(r"time: (\S+) nats .* gives: (\S+) nats, (\S+) against")[0]
    assert cost < single  # Jensen
    assert still_above > 0 and normalised == pytest.approx(entropy + still_above, abs=1e-4)


def test_what_is_drawn_is_what_is_said(stage):
    left, middle, _ = stage.figures["page10_orders"].axes
    single, right, wrong, entropy = (line.get_ydata() for line in left.lines)
    assert single[0] == pytest.approx(right[0]) == pytest.approx(wrong[0], abs=1e-6)  # of one order there is no average
    assert np.all(right <= single + 1e-12) and np.all(right > entropy[0])
    assert np.all(np.abs(middle.lines[0].get_ydata() - 1) < 1e-12)


def test_the_log_prob_of_logits_is_that_of_the_models():
    mixture = order_agnostic(MADE(9, BinaryOutput(), [12], 0), 3, 0, shuffle=False)
    members = page10.log_prob(page10.logits(mixture))
    for member, log_p in zip(mixture.members, members):
        np.testing.assert_allclose(member.log_prob(page10.ALL).data, log_p, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_averaged_logits_claim_the_impossible(seed):
    stage = recorded(page10.STEPS, seed)
    stage.close()
    (alone,) = stage.numbers(r"one order: (\S+) nats, (\S+) above")
    (right,) = stage.numbers(r"prob\w+ averaged: (\S+) nats, (\S+) against")
    (wrong,) = stage.numbers(r"logits averaged: (\S+) nats, (\S+) against .* sum to (\S+):")
    assert 0 < alone[1] < 0.06 and 0 < right[1] < 0.13
    assert wrong[1] < -0.5 and wrong[2] > 1.8
