"""The pictures show what they are given: values in the right places, true values dashed."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from scratchgen import plotting


@pytest.fixture
def ax():
    return Figure().add_subplot()


def test_images_stand_in_reading_order(ax):
    images = np.arange(5.0)[:, None, None] * np.ones((5, 2, 3))
    sheet = plotting.image_grid(images, ax, columns=2, vmax=4.0).images[0].get_array()
    assert sheet.shape == (3 * 2 + 2, 2 * 3 + 1)
    np.testing.assert_array_equal(sheet[0], [0, 0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(sheet[3], [2, 2, 2, 0, 3, 3, 3])
    np.testing.assert_array_equal(sheet[6], [4, 4, 4, 0, 0, 0, 0])


def test_a_limit_is_a_dashed_line_at_its_value(ax):
    plotting.curves({"loss": ([0, 1], [3.0, 2.0])}, ax, limits={"truth": 1.5})
    loss, limit = ax.get_lines()
    np.testing.assert_array_equal(loss.get_ydata(), [3.0, 2.0])
    assert limit.get_linestyle() == "--" and set(limit.get_ydata()) == {1.5}


def test_each_class_has_its_own_points(ax):
    points, labels = np.array([[0.0, 0], [1, 1], [2, 2]]), np.array([3, 1, 3])
    plotting.labelled_scatter(points, labels, ax)
    by_label = {c.get_label(): c.get_offsets().tolist() for c in ax.collections}
    assert by_label == {"1": [[1, 1]], "3": [[0, 0], [2, 2]]}


def test_chosen_bars_are_pale(ax):
    plotting.bars([1.0, 0.001], ax, pale=[False, True])
    tall, low = ax.patches
    assert (tall.get_height(), low.get_height()) == (1.0, 0.001)
    assert low.get_facecolor()[:3] == (0.8, 0.8, 0.8) != tall.get_facecolor()[:3]


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda ax: plotting.image_grid(np.zeros((3, 64)), ax), r"shape \(3, 64\); they must be \(n, height, width\)"),
        (lambda ax: plotting.labelled_scatter(np.zeros((3, 4)), np.zeros(3, int), ax), r"shape \(3, 4\)"),
    ],
)
def test_wrong_shapes_are_named(ax, draw, message):
    with pytest.raises(ValueError, match=message):
        draw(ax)
