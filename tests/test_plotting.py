"""The pictures show what they are given: values in the right places, true values dashed."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
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


@pytest.mark.parametrize("images", [np.full((1, 2, 2), 0.5), np.full((1, 2, 2), 200, np.uint8)])
def test_zero_is_white_and_vmax_is_black(ax, images):
    # One column, for the 0 of an empty place would be the lowest value there is.
    image = plotting.image_grid(images, ax, columns=1, vmax=255.0).images[0]
    assert image.get_clim() == (0.0, 255.0)
    np.testing.assert_array_equal(image.to_rgba(np.array([[0.0, 255.0]]))[0], [[1, 1, 1, 1], [0, 0, 0, 1]])
    assert image.get_interpolation() == "nearest"


def test_images_reach_from_0_to_1_by_default(ax):
    assert plotting.image_grid(np.full((1, 2, 2), 0.5), ax).images[0].get_clim() == (0.0, 1.0)


def test_real_values_may_pass_vmax(ax):
    """The mean of a Gaussian likelihood is not confined to [0, 1]; 1.02 is as black as 1."""
    assert plotting.image_grid(np.full((1, 2, 2), 1.02), ax).images[0].get_array().max() == 1.02


def test_a_curve_goes_through_its_points(ax):
    plotting.curves({"loss": ([5, 7], [3.0, 2.0])}, ax, xlabel="epoch", ylabel="bits")
    (loss,) = ax.get_lines()
    np.testing.assert_array_equal(loss.get_xydata(), [[5, 3.0], [7, 2.0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "bits")


def test_a_limit_is_a_dashed_line_at_its_value(ax):
    plotting.curves({"loss": ([0, 1], [3.0, 2.0])}, ax, limits={"truth": 1.5})
    loss, limit = ax.get_lines()
    assert loss.get_linestyle() == "-"
    assert limit.get_linestyle() == "--" and set(limit.get_ydata()) == {1.5}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["loss", "truth 1.50"]


def test_each_class_has_its_own_points(ax):
    points, labels = np.array([[0.0, 0], [1, 1], [2, 2]]), np.array([3, 1, 3])
    plotting.labelled_scatter(points, labels, ax)
    by_label = {c.get_label(): c.get_offsets().tolist() for c in ax.collections}
    assert by_label == {"1": [[1, 1]], "3": [[0, 0], [2, 2]]}


def test_ten_classes_have_ten_colours_and_a_legend(ax):
    plotting.labelled_scatter(np.zeros((10, 2)), np.arange(10), ax)
    assert len({tuple(c.get_facecolor()[0]) for c in ax.collections}) == 10
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [str(label) for label in range(10)]


def test_a_class_has_the_same_colour_whatever_others_there_are(ax):
    plotting.labelled_scatter(np.zeros((1, 2)), np.array([3]), ax)
    plotting.labelled_scatter(np.zeros((2, 2)), np.array([0, 3]), ax)
    alone, _, among_others = (tuple(c.get_facecolor()[0]) for c in ax.collections)
    assert alone == among_others


def test_chosen_bars_are_pale(ax):
    plotting.bars([1.0, 0.001], ax, pale=[False, True], xlabel="unit", ylabel="bits")
    tall, low = ax.patches
    assert (tall.get_height(), low.get_height()) == (1.0, 0.001)
    assert low.get_facecolor()[:3] == (0.8, 0.8, 0.8) != tall.get_facecolor()[:3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("unit", "bits")


def test_no_bar_is_pale_by_default(ax):
    plotting.bars([1.0, 0.001], ax)
    assert [bar.get_facecolor() for bar in ax.patches] == [to_rgba("#3b75af")] * 2


POINTS = np.zeros((3, 2))


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda ax: plotting.image_grid(np.zeros((3, 64)), ax), r"shape \(3, 64\); they must be \(n, height, width\)"),
        (lambda ax: plotting.image_grid(np.zeros((0, 8, 8)), ax), r"shape \(0, 8, 8\).* there is nothing to draw"),
        (lambda ax: plotting.image_grid(np.zeros((3, 0, 8)), ax), r"shape \(3, 0, 8\).* there is nothing to draw"),
        (lambda ax: plotting.image_grid(np.zeros((3, 8, 8)), ax, columns=0), "columns is 0; it must be at least 1"),
        (lambda ax: plotting.image_grid(np.zeros((3, 8, 8)), ax, columns=-2), "columns is -2; it must be at least 1"),
        (
            lambda ax: plotting.image_grid(np.full((1, 2, 2), 255, np.uint8), ax),
            "images are uint8 with values up to 255, which vmax=1.0 would draw black; pass vmax=255",
        ),
        (lambda ax: plotting.image_grid(np.full((1, 2, 2), 16), ax, vmax=15), "up to 16, which vmax=15 .* pass vmax="),
        (lambda ax: plotting.labelled_scatter(np.zeros((3, 4)), np.zeros(3, int), ax), r"shape \(3, 4\)"),
        (lambda ax: plotting.labelled_scatter(POINTS, np.zeros(2, int), ax), r"shape \(2,\) for 3 points"),
        (lambda ax: plotting.labelled_scatter(POINTS, np.zeros((3, 1), int), ax), r"shape \(3, 1\) for 3 points"),
        (lambda ax: plotting.labelled_scatter(POINTS, np.array([0, 1, 10]), ax), r"labels\[2\] is 10; .* from 0 to 9"),
        (lambda ax: plotting.labelled_scatter(POINTS, np.array([0, -1, 1]), ax), r"labels\[1\] is -1; .* from 0 to 9"),
        (lambda ax: plotting.labelled_scatter(POINTS, np.array([0.5, 0, 1]), ax), r"labels\[0\] is 0.5; .* from 0 to"),
        (lambda ax: plotting.bars([1.0, 2.0, 3.0], ax, pale=[True]), "pale has 1 entries for 3 bars"),
        (lambda ax: plotting.bars([1.0], ax, pale=[True, False]), "pale has 2 entries for 1 bars"),
    ],
)
def test_what_cannot_be_drawn_is_named(ax, draw, message):
    with pytest.raises(ValueError, match=message):
        draw(ax)
