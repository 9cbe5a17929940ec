"""The picture of the README: four families on the two moons, and on digits."""

import numpy as np
import pytest

from demos import families
from demos.families import IMAGES, POINTS, TOY, Learned
from scratchgen.data import EntropyGap
from tests.demos.recorder import Recorder


@pytest.fixture
def stage():
    recorder = Recorder()
    yield recorder
    recorder.close()


def test_the_picture(stage):
    """Data and contours in all five panels above, 25 digits in all five below, the gaps under the panels."""
    rng = np.random.default_rng(0)
    names = list(families.FAMILIES)
    moons = {name: Learned(TOY.sample(POINTS, rng), EntropyGap(0.1 * i, 0.01), i == 0) for i, name in enumerate(names)}
    sheets = {name: np.full((IMAGES, 64), 4 * i) for i, name in enumerate(names)}
    families.draw(stage, moons, sheets, rng)
    axes = np.reshape(stage.figures["families"].axes, (2, 5))
    assert [ax.get_title() for ax in axes[0]] == ["data", *names]
    below = ["entropy 1.008 nats", "loses ≤ 0.000 ± 0.010 nats", "loses 0.100 ± 0.010 nats"]
    assert [ax.get_xlabel() for ax in axes[0]][:3] == below
    for ax in axes[0]:
        x, y = ax.lines[0].get_data()
        assert len(x) == POINTS
        assert np.mean((x > -1.8) & (x < 2.8) & (y > -1.3) & (y < 1.8)) > 0.999
        assert ax.collections  # the contours
    for ax, name in zip(axes[1, 1:], names):
        assert ax.images[0].get_array().max() == sheets[name].max()


def test_the_contours_are_those_of_the_density_of_the_toy(stage):
    """At the middle of the upper arc, (0, 1), the density is high; between the moons, at (0, 0.3), it is low."""
    moons = {"flow": Learned(np.zeros((1, 2)), EntropyGap(0.0, 0.0))}
    families.draw(stage, moons, {"flow": np.zeros((1, 64))}, np.random.default_rng(0))
    contours = stage.figures["families"].axes[1].collections[0]
    for level, path in zip(contours.levels, contours.get_paths()):
        on = path.vertices[np.abs(path.vertices).max(axis=1) > 0]
        np.testing.assert_allclose(np.exp(TOY.log_prob(on)), level, atol=0.03)


@pytest.mark.parametrize("name", ["VAE", "autoregressive", "flow"])
def test_a_few_steps_leave_a_gap(name, monkeypatch):
    monkeypatch.setattr(families, "TEST", 200)
    learned = families.FAMILIES[name][0](3, np.random.default_rng(0))
    assert learned.draws.shape == (POINTS, 2) and np.isfinite(learned.draws).all()
    assert learned.gap.value > 5 * learned.gap.error > 0
    assert learned.bound == (name == "VAE")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(families.FAMILIES))
def test_the_gap_after_a_quarter_of_the_steps(name):
    """It is positive but for noise, and far below that of one normal distribution, about 0.9 nats.

    What the same families make of digits is tested with the demos that these come from.
    """
    on_moons, _, steps = families.FAMILIES[name]
    learned = on_moons(steps // 4, np.random.default_rng(0))
    assert -2 * learned.gap.error < learned.gap.value < 0.4
