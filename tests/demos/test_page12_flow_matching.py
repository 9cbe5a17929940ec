"""Page 12: the entropy by other means, and what is printed against what is known of it."""

import numpy as np
import pytest

from demos import page12_flow_matching as page12
from scratchgen.diffusion import ExactVelocity, FlowMatching
from tests.demos.recorder import Recorder


def recorded(seed, **numbers):
    stage = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in numbers.items():
            patch.setattr(page12, name, value)
        page12.run(stage, seed)
    return stage


@pytest.fixture(scope="module")
def stage():
    stage = recorded(0, STEPS=15, PAIRS=300, TESTED=30, ENDS=60, FINE=64, NUMBERS=(1, 2, 4, 8), WIDTH=8, PATHS=3)
    yield stage
    stage.close()


def test_the_entropy_is_that_of_draws_and_of_modes_far_apart():
    """log 6 and that of one mode, less what they overlap; E[−log p] of many draws."""
    entropy = page12.entropy_of(page12.DATA)
    far = np.log(6) + np.log(2 * np.pi * np.e * 0.04)
    assert far - 0.01 < entropy < far
    cost = -page12.DATA.log_prob(page12.DATA.sample(100_000, 0))
    error = cost.std() / len(cost) ** 0.5
    assert error < 0.01 and abs(cost.mean() - entropy) < 5.96 * error


def test_more_steps_come_nearer_by_the_known_order():
    walk = page12.along(FlowMatching(ExactVelocity(page12.DATA), (2,)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page12, "NUMBERS", (64, 128))
        patch.setattr(page12, "FINE", 1000)
        found = page12.studied(walk, np.random.default_rng(0).standard_normal((50, 2)), page12.DATA)
    for method, order in (("euler", 1), ("heun", 2)):
        (n, first), (twice, second) = found.missed[method]
        assert twice == 2 * n and np.log2(first / second) == pytest.approx(order, abs=0.35)


def test_what_is_printed(stage):
    ((found, least, above),) = stage.numbers(r"loss (\S+) on 20000 draws, (\S+) with .*, (\S+) % above")
    assert found > least and above == pytest.approx(100 * (found / least - 1), abs=0.1)
    gaps = stage.numbers(r"NLL (\S+) nats, entropy (\S+), gap (\S+) ±")
    assert len(gaps) == 4 and all(nll - entropy == pytest.approx(gap, abs=2e-3) for nll, entropy, gap in gaps)
    ((apart,),) = stage.numbers(r"diffusion and flow matching end (\S+) apart")
    assert apart < 0.01  # with 64 steps of Heun each


def test_one_step_of_plain_flow_matching_ends_in_the_mean(stage):
    """v = x − E[x_0] at t = 1: the miss is how far data are from their mean, √(1.4² + 2 · 0.04), but for 60 draws."""
    ((miss,),) = stage.numbers(r"flow matching, exact: .* misses the end by (\S+) in 1 step")
    assert miss == pytest.approx(np.sqrt(1.4**2 + 0.08), abs=0.1)


def test_the_pictures(stage):
    assert set(stage.figures) == {"page12_flow_matching", "page12_flow_matching_steps"}
    *_, ax = stage.figures["page12_flow_matching_steps"].axes
    (dashed,) = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed == page12.entropy_of(page12.DATA)


@pytest.mark.slow
def test_the_remedies_straighten_and_nothing_is_far_from_the_entropy():
    stage = recorded(1)
    stage.close()
    gaps = dict(zip(page12.COLOURS, (gap for *_, gap in stage.numbers(r"NLL (\S+) nats, entropy (\S+), gap (\S+) ±"))))
    assert max(gaps[name] for name in gaps if name != "diffusion") < 0.12
    diffusion, plain, optimal, rectified = (each[0] for each in stage.numbers(r"straightness (\S+);"))
    assert max(optimal, rectified) < 0.05 < 0.3 < min(diffusion, plain)
