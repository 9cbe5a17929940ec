"""The demo of two far modes: what it measures, on densities that are known; and what training reaches."""

import numpy as np
import pytest

from demos import page11_filament as demo
from scratchgen.data import EntropyGap, Gaussians
from tests.demos.recorder import Recorder


def test_the_water_of_the_truth():
    """The sum over the grid against the normal distribution; and of a density that is all bridge."""
    _, points, _ = demo.grid()
    log_p = demo.ISLANDS.log_prob(points).reshape(demo.CELLS)
    assert demo.water(log_p) == pytest.approx(demo.exact_water(), rel=0.01)
    assert demo.exact_water() == pytest.approx(3.167e-5, rel=1e-3)
    bridge = Gaussians([[0.0, 0.0]], std=0.2).log_prob(points).reshape(demo.CELLS)
    assert demo.water(bridge) == pytest.approx(1.0, abs=1e-6)


def test_the_density_along_one_axis():
    """That of N(±4, ½²), half of each."""
    x1, points, _ = demo.grid()
    got = np.exp(demo.along(demo.ISLANDS.log_prob(points).reshape(demo.CELLS)))
    bells = np.exp(-0.5 * ((x1[:, None] - [-4.0, 4.0]) / 0.5) ** 2) / (0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(got, bells.mean(axis=1), rtol=1e-6, atol=1e-30)


def test_the_truth_is_drawn_dashed_beside_each_flow():
    stage = Recorder()
    _, points, _ = demo.grid()
    log_p = demo.ISLANDS.log_prob(points).reshape(demo.CELLS)
    demo.draw(stage, {name: demo.Fitted(EntropyGap(0.0, 0.0), log_p) for name in ("a", "b")})
    below = stage.figures["page11_filament"].axes[3:6]
    assert [len([line for line in ax.lines if line.get_linestyle() == "--"]) for ax in below] == [1, 1, 1]
    assert [len(ax.lines) for ax in below] == [1, 2, 2]
    stage.close()


@pytest.mark.slow
def test_the_figures():
    """A normal base leaves a hundred times what the truth has between the islands, a base of two about as much."""
    stage = Recorder()
    demo.run(stage, seed=0)
    stage.close()
    found = stage.numbers(r"entropy (\S+) ± \S+ nats; probability between the islands (\S+), truth (\S+)$")
    (affine, bridge, truth), (spline, thinner, _), (two, none, _) = found
    assert -0.005 < two < 0.01 and spline < 0.02 and affine < 0.05
    assert bridge > 50 * truth and 5 * truth < thinner < bridge and none < 5 * truth
