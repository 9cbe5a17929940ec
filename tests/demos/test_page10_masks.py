"""Page 10: masks and the Jacobian that they imply, and degrees drawn at random."""

import numpy as np
import pytest

from demos import page10_masks as page10
from scratchgen.autoregressive import MADE, BinaryOutput
from tests.demos.recorder import Recorder


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page10, "TRIALS", 1000)
        page10.run(recorder, seed=0)
    yield recorder
    recorder.close()


def test_what_must_be_0_is_and_all_else_is_not(stage):
    assert stage.numbers(r"(\d+) of (\d+) derivatives .* exactly; (\d+) of (\d+) others") == [(21, 21, 15, 15)] * 2
    axes = stage.figures["page10_masks"].axes
    for ax, order in ((axes[3], np.arange(6)), (axes[7], None)):
        drawn = ~np.ma.getmaskarray(ax.images[0].get_array())
        assert drawn.sum() == 15 and not np.any(drawn & drawn.T)
        if order is not None:
            np.testing.assert_array_equal(drawn, np.triu(np.ones((6, 6), bool), 1))


def test_the_masks_of_the_natural_order_are_staircases(stage):
    for ax in stage.figures["page10_masks"].axes[:3]:
        drawn = ~np.ma.getmaskarray(ax.images[0].get_array())
        assert drawn.any() and np.all(np.diff(drawn.astype(int), axis=1) >= 0)
        assert np.all(np.diff(drawn.astype(int), axis=0) <= 0)


def test_the_jacobian_is_that_of_differences():
    model = MADE(6, BinaryOutput(), (8,), 0, [3, 0, 5, 1, 4, 2], activation="tanh", dtype=np.float64)
    x, h = np.random.default_rng(1).normal(size=6), 1e-6
    expected = [(model.network((x + s)[None]).data - model.network((x - s)[None]).data)[0, :, 0] for s in h * np.eye(6)]
    np.testing.assert_allclose(page10.derivatives(model, x), np.array(expected) / (2 * h), rtol=0, atol=1e-8)


def test_random_degrees_lose_paths_as_often_as_they_must(stage):
    """Five degrees in five units are all there in 5! of 5^5 cases; and the measured shares are the exact ones."""
    assert page10.chance_of_a_cut(5, 1) == pytest.approx(1 - 120 / 5**5, abs=1e-14)
    assert page10.chance_of_a_cut(5, 2) == pytest.approx(1 - (120 / 5**5) ** 2, abs=1e-14)
    for measured, exact in stage.numbers(
        r"12 for 6 components: (\S+) of the networks miss a dependency, exactly (\S+);"
    ):
        assert abs(measured - exact) < 5.96 * np.sqrt(exact * (1 - exact) / 1000) + 0.001 < 0.1
    assert len(stage.results) == 4


def test_a_line_goes_around_a_region():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    page10.outline(ax, np.array([[True, True], [False, False]]))
    edges = {tuple(map(tuple, line.get_xydata())) for line in ax.lines}
    plt.close(figure)
    assert len(edges) == 6  # two above, two below, one at either side
    assert ((-0.5, 0.5), (0.5, 0.5)) in edges and ((0.5, -0.5), (0.5, 0.5)) not in edges
