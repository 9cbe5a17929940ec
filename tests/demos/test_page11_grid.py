"""Page 11: what the layers do to a grid, areas against log-determinants, and the animation."""

import re

import numpy as np
import pytest

from demos import page11_grid as page11
from demos.common import Stage
from scratchgen.data import TwoMoons
from tests.demos.recorder import Recorder


@pytest.fixture(scope="module")
def flow():
    """Far from the identity, without training."""
    rng = np.random.default_rng(0)
    flow = page11.untrained(rng).astype(np.float64)
    for t in flow.parameters().values():
        t.assign(t.data + 0.05 * rng.standard_normal(t.shape))
    return flow


def test_the_layers_in_turn_make_the_inverse(flow):
    """The last place is f⁻¹(z), the last sum its log-determinant, and the first ones those of the noise."""
    z = np.random.default_rng(1).standard_normal((5, 2))
    places, totals = page11.after_each_layer(flow.transform, z)
    x, logabsdet = flow.transform.inverse(z)
    assert places.shape == (page11.LAYERS + 2, 5, 2)
    np.testing.assert_array_equal(places[0], z)
    np.testing.assert_array_equal(totals[0], 0)
    np.testing.assert_allclose(places[-1], x.data, rtol=1e-13)
    np.testing.assert_allclose(totals[-1], logabsdet.data, rtol=1e-12)


def test_areas_are_the_log_determinants(flow):
    """After each layer; the area of a square is found without any formula of the flow."""
    z = np.random.default_rng(1).standard_normal((50, 2))
    _, totals = page11.after_each_layer(flow.transform, z)
    assert np.ptp(totals[-1]) > 0.5
    np.testing.assert_allclose(page11.measured_log_det(flow.transform, z), totals, atol=1e-5)


def test_the_panels_say_which_axis_moves(flow):
    """Coupling 1 is the first from the noise."""
    places, _ = page11.after_each_layer(flow.transform, np.random.default_rng(1).standard_normal((5, 2)))
    for layer in range(1, page11.LAYERS + 1):
        moved = (places[layer] != places[layer - 1]).all(axis=0)
        assert page11.name_of(layer, page11.LAYERS + 1).endswith("first axis" if moved[0] else "second axis")
        assert moved.sum() == 1


class Still(Recorder):
    """Keeps an animation undrawn."""

    quick = True

    def save_animation(self, animation, name, title, equation, caption):
        animation._draw_was_started = True  # it shall not complain
        self.figures[name] = animation._fig


def test_what_needs_no_training(monkeypatch):
    """The figures are right from the start, but for the probability outside the grid."""
    monkeypatch.setattr(page11, "QUICK_STEPS", 20)
    monkeypatch.setattr(page11, "N", 2000)
    stage = Still()
    page11.run(stage, seed=0)
    stage.close()
    ((_, entropy),) = stage.numbers(r"couplings: (\S+) ± .* nats above .*, (\S+) nats$")
    assert entropy == pytest.approx(TwoMoons(std=0.1).entropy(), abs=1e-4)
    ((mass,),) = stage.numbers(r"dx = (\S+) on")
    assert abs(mass - 1) < 0.02
    ((typical, most),) = stage.numbers(r"but for (\S+) \(median; at most (\S+)\)")
    assert typical < 1e-8 and most < 1e-5
    assert set(stage.figures) == {"page11_grid", "page11_grid_motion"}


@pytest.mark.slow
def test_the_gap_that_is_reached_and_the_animation(tmp_path):
    """Above 0, and at most the 0.04 nats that are aimed for with two moons; the file has all its frames."""
    stage = Stage(page11.TITLE, "", tmp_path)
    page11.run(stage, seed=0)
    gap, error = map(float, re.search(r"couplings: (\S+) ± (\S+) nats", stage.chapter.results[0]).groups())
    assert 5 * error < gap < 0.04
    assert [picture.path.name for picture in stage.chapter.pictures] == ["page11_grid.png", "page11_grid_motion.gif"]
    motion = (tmp_path / "page11_grid_motion.gif").read_bytes()
    frames = (page11.LAYERS + 1) * page11.BETWEEN + 1  # the pauses, of equal frames, only make two of them last
    assert motion.startswith(b"GIF89a") and motion.count(b"\x21\xf9\x04") >= frames
