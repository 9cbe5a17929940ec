"""The demo of the two divergences: its densities up to a constant, and what it finds."""

import numpy as np
import pytest

from demos import page11_reverse_kl as demo
from tests.demos.recorder import Recorder


def test_the_densities_without_their_constants():
    """log p̃ − log Z is log p of the toy, for both."""
    x = np.random.default_rng(0).normal(0, 3, (50, 2))
    np.testing.assert_allclose(demo.log_banana(x) - demo.LOG_Z["banana"], demo.BANANA.log_prob(x), rtol=1e-10)
    np.testing.assert_allclose(demo.log_islands(x) - demo.LOG_Z["islands"], demo.ISLANDS.log_prob(x), rtol=1e-10)


def test_what_is_reported():
    """Of a bound 0.5 below log Z, and of the rest as it is."""
    stage = Recorder()
    log_z = float(demo.LOG_Z["banana"])
    evidence = demo.Evidence(log_z - 0.01, 0.002, 150.0, log_z - 0.5)
    demo.report(stage, "banana", "reverse", demo.Fitted(None, evidence, demo.EntropyGap(0.25, 0.01)))
    assert stage.results == [
        "banana, reverse KL: KL(q ‖ p) 0.500, KL(p ‖ q) 0.250 ± 0.010 nats; log Z by weights 1.828 ± 0.002, "
        "truth 1.838; effective 150 of 20000"
    ]


def test_the_truth_is_drawn_as_dashed_contours():
    stage, rng = Recorder(), np.random.default_rng(0)
    found = demo.Fitted(demo.small_flow(rng), None, None)
    demo.draw(stage, {name: {"reverse": found, "forward": found} for name in ("banana", "islands")})
    axes = stage.figures["page11_reverse_kl"].axes[:6]
    assert [ax.get_title() for ax in axes] == [
        *("banana, truth", "by reverse KL", "by forward KL"),
        *("islands, truth", "by reverse KL", "by forward KL"),
    ]
    assert all(len(ax.collections) == 1 for ax in axes)
    stage.close()


@pytest.mark.slow
def test_the_figures():
    """Both near the banana; of the islands one, with log Z too low by log 2, which the weights do not know; or both."""
    stage = Recorder()
    demo.run(stage, seed=0)
    stage.close()
    found = stage.numbers(
        r"KL\(q ‖ p\) (\S+), KL\(p ‖ q\) (\S+) ± .* weights (\S+) ± (\S+), truth (\S+); effective (\S+) of"
    )
    reverse, forward, one, both = found
    for found_kl, _, log_z, _, truth, effective in (reverse, forward, both):
        assert -0.01 < found_kl < 0.1 and abs(log_z - truth) < 0.03 and effective > 0.9 * demo.DRAWS
    assert -0.01 < forward[1] < 0.03 and -0.01 < both[1] < 0.05 and one[1] > 1
    assert one[0] == pytest.approx(np.log(2), abs=0.02) and one[4] - one[2] == pytest.approx(np.log(2), abs=0.02)
    assert one[5] > 0.9 * demo.DRAWS and one[3] < 0.005
