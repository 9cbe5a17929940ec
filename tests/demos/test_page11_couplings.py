"""Page 11: couplings of splines on toys; their gaps to the entropy, and the pictures of their densities."""

import numpy as np
import pytest

from demos import page11_couplings as page11
from scratchgen.data import NegativeGap
from tests.demos.recorder import Recorder

GAP = r"gap (-?\d+\.\d+) ± (\d+\.\d+) nats.*; entropy (\d+\.\d+)"


@pytest.fixture(scope="module")
def stage():
    """The quick form, with still less training."""
    recorder = Recorder()
    recorder.quick = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(page11.TASKS, "two moons", page11.TASKS["two moons"]._replace(steps=60))
        patch.setattr(page11, "HIDDEN", (32,))
        patch.setattr(page11, "N", 5000)
        patch.setattr(page11, "TEST", 2000)
        page11.run(recorder, seed=0)
    yield recorder
    recorder.close()


def test_training_comes_near_the_entropy(stage):
    ((gap, error, entropy),) = stage.numbers(GAP)
    assert entropy == 1.0076
    assert 0 < gap < 0.6 and 0 < error < 0.05  # a normal distribution is 0.9 off


def test_the_pictures_are_densities(stage):
    """Truth and flow, each over the same square, sum to 1."""
    above, below = stage.figures["page11_couplings"].axes
    for ax in (above, below):
        density, (left, right, bottom, top) = np.asarray(ax.images[0].get_array()), ax.images[0].get_extent()
        assert density.min() >= 0
        assert density.sum() * (right - left) * (top - bottom) / density.size == pytest.approx(1, abs=0.06)
    assert above.images[0].get_clim() == below.images[0].get_clim()


def test_the_grid_is_the_right_way_up():
    density = page11.on_grid(lambda x: np.where(x[:, 1] > 0, x[:, 0], -1e9), 1.0)
    assert np.all(density[: page11.PIXELS // 2] == 0) and np.all(np.diff(density[-1]) > 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.filterwarnings("error")
def test_the_claims(seed, monkeypatch):
    """The gaps that are aimed for, and no gap below 0."""
    assert issubclass(NegativeGap, UserWarning)
    aimed = {name: task for name, task in page11.TASKS.items() if task.aim is not None}
    assert {name: task.aim for name, task in aimed.items()} == {
        "two moons": 0.04,
        "eight Gaussians": 0.03,
        "checkerboard": 0.10,
    }
    monkeypatch.setattr(page11, "TASKS", aimed)
    stage = Recorder()
    page11.run(stage, seed)
    for (gap, error, _), task in zip(stage.numbers(GAP), aimed.values(), strict=True):
        assert 0 < gap < task.aim and error < 0.003
    stage.close()
