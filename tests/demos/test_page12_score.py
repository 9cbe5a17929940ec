"""Page 12: the least values by other means, and how near the learned scores come."""

import numpy as np
import pytest

from demos import page12_score as page12
from scratchgen.diffusion import DenoisingScoreMatching, ExplicitScoreMatching
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
    stage = recorded(0, STEPS=60, TIME_STEPS=40, EVERY=30, HELD_OUT=2000)
    yield stage
    stage.close()


def test_the_least_values_are_those_of_the_objectives():
    """With the true score: (2) on a finer and wider grid; (4) over nodes of x₀ and of the noise."""
    trained = page12.ways(np.random.default_rng(0))
    points = page12.grid(301, 7.0)
    terms = ExplicitScoreMatching(page12.Exact()).objective(points).data
    explicit = np.exp(page12.NOISY.log_prob(points)) @ terms * (14 / 300) ** 2
    assert trained["explicit"][1] == trained["sliced"][1] == pytest.approx(explicit, abs=1e-6)
    denoising = 0.0
    few, v = np.polynomial.hermite_e.hermegauss(14)
    both = np.stack(np.meshgrid(*[few] * 4, indexing="ij"), -1).reshape(-1, 4)
    v = np.stack(np.meshgrid(*[v / np.sqrt(2 * np.pi)] * 4, indexing="ij"), -1).reshape(-1, 4).prod(axis=1)
    for weight, m, C in zip(page12.DATA.weights, page12.DATA.means, page12.DATA.covariances):
        terms = DenoisingScoreMatching(page12.Exact(), page12.STD).objective(
            m + both[:, :2] @ np.linalg.cholesky(C).T, both[:, 2:]
        )
        denoising += weight * (v @ terms)
    assert trained["denoising"][1] == pytest.approx(denoising, abs=2e-3)


def test_the_distance_of_the_true_score_is_0_and_of_half_of_it_a_quarter():
    class Half(page12.Exact):
        def forward(self, x):
            return 0.5 * super().forward(x)

    assert page12.distance(page12.Exact()) == 0
    assert page12.distance(Half()) == pytest.approx(page12.score_norm() / 8, rel=1e-12)
    assert page12.average(page12.NOISY, np.ones(121**2)) == pytest.approx(1, abs=1e-8)


def test_what_is_printed_is_measured(stage):
    lines = stage.numbers(r"objective (\S+) on 2000 draws, (\S+) with .* value (\S+); distance .* score (\S+),")
    assert len(lines) == 4
    for objective, exact, least, distance in lines:
        assert abs(exact - least) < 0.35  # 2000 draws
        assert distance == pytest.approx(objective - exact, abs=0.3) and 0 < distance < page12.score_norm() / 2
    ((found, best, above),) = stage.numbers(r"\|net − ε\|² (\S+) on .*, (\S+) with .*, (\S+) % above")
    assert found > best and above == pytest.approx(100 * (found / best - 1), abs=0.1)


def test_the_pictures(stage):
    assert set(stage.figures) == {"page12_score", "page12_score_times"}
    ax = stage.figures["page12_score"].axes[4]
    dashed = sorted(line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--")
    norm = page12.score_norm()
    np.testing.assert_allclose(dashed, [-norm / 2, 1 / page12.STD**2 - norm / 2])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_all_ways_find_the_same_score(seed):
    stage = recorded(seed)
    stage.close()
    lines = stage.numbers(r"objective (\S+) on 10000 draws, (\S+) with .* value (\S+); distance .* score (\S+),")
    for objective, exact, least, distance in lines:
        assert distance < 0.015 and abs(objective - exact) < 0.02 and abs(exact - least) < 0.1
    ((found, best, _),) = stage.numbers(r"\|net − ε\|² (\S+) on .*, (\S+) with .*, (\S+) % above")
    assert best < found < 1.01 * best
    ((_, spread),) = stage.numbers(r"log p\(x\) is (\S+) ± (\S+) over")
    assert spread < 0.1
