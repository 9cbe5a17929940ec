"""Equations (1) and (2) of scratchgen/data/scaling.py, and the refusal of what they do not apply to."""

import re

import numpy as np
import pytest

from scratchgen.data import binarise, digits, one_hot, to_unit


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_unit_scale_is_equation_1(levels: int) -> None:
    grey = np.arange(levels, dtype=np.uint8)
    unit = to_unit(grey, levels)
    assert unit.dtype == np.float32 and unit[0] == 0 and unit[-1] == 1
    np.testing.assert_allclose(unit, np.arange(levels) / (levels - 1), rtol=1e-7)
    np.testing.assert_array_equal(np.rint(unit * (levels - 1)), grey)


def test_unit_scale_does_not_depend_on_the_batch() -> None:
    images = digits("train").images
    np.testing.assert_array_equal(to_unit(images, 17)[3:4], to_unit(images[3:4], 17))
    assert to_unit(np.array([3], np.uint8), 17).item() == 3 / 16


def test_unit_scale_takes_any_shape_and_any_integer_dtype() -> None:
    assert to_unit(np.zeros((0, 8, 8), np.uint8), 17).shape == (0, 8, 8)
    assert to_unit(np.int64(4), 17).item() == 0.25
    assert to_unit([[0, 16]], 17).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("images", "levels", "error", "message"),
    [
        (np.zeros(3), 17, TypeError, "images is float64, expected integer grey levels such as uint8"),
        (np.zeros(3, bool), 17, TypeError, "images is bool"),
        (np.zeros(3, np.uint8), 1, ValueError, "levels is 1, expected at least 2"),
        (
            np.array([[0, 17], [255, 3]], np.uint8),
            17,
            ValueError,
            "images has 17 at (0, 1), expected 0 to 16 (levels=17); 2 of 4 values",
        ),
        (np.array([2, -1]), 17, ValueError, "images has -1 at (1,)"),
    ],
)
def test_unit_scale_refuses(images: np.ndarray, levels: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        to_unit(images, levels)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binarisation_is_equation_2(dtype: type) -> None:
    """Mean x, whatever x: |z| < 5.5 has a false alarm of 4e-8 for each of 4 pixels; the seed is fixed besides."""
    x = np.array([0.1, 0.37, 0.5, 0.9], dtype)
    bits = binarise(np.broadcast_to(x, (100_000, 4)), np.random.default_rng(1))
    assert bits.dtype == dtype and set(np.unique(bits)) == {0, 1}
    z = (bits.mean(axis=0, dtype=np.float64) - x) / np.sqrt(x * (1 - x) / len(bits))
    assert np.abs(z).max() < 5.5
    # Pixels are drawn independently of each other: correlations of 1/sqrt(100,000) in size.
    assert np.abs(np.corrcoef(bits.T) - np.eye(4)).max() < 5.5 / np.sqrt(len(bits))


def test_binarisation_leaves_black_and_white_alone() -> None:
    x = np.random.default_rng(2).integers(0, 2, (10_000, 2)).astype(np.float32)
    np.testing.assert_array_equal(binarise(x, 3), x)


def test_a_seed_is_as_good_as_a_generator() -> None:
    x = to_unit(digits("validation").images, levels=17)
    np.testing.assert_array_equal(binarise(x, 5), binarise(x, np.random.default_rng(5)))
    assert not np.array_equal(binarise(x, 5), binarise(x, 6))


@pytest.mark.parametrize(
    ("images", "rng", "error", "message"),
    [
        (
            np.zeros(3, np.uint8),
            0,
            TypeError,
            "images is uint8; scale to [0, 1] first: to_unit(images, levels=17) for digits, levels=256 for mnist",
        ),
        (np.zeros(3, np.float16), 0, TypeError, "images is float16, expected float32 or float64"),
        (np.zeros(3, complex), 0, TypeError, "images is complex128"),
        (np.array([[0, 1], [0.5, 1.5]]), 0, ValueError, "images has 1.5 at (1, 1), expected [0, 1]; 1 of 4 values"),
        (np.array([0, -0.1]), 0, ValueError, "images has -0.1 at (1,)"),
        (np.array([[0, np.nan], [np.nan, 1]]), 0, ValueError, "images has nan at (0, 1), expected [0, 1]; 2 of 4"),
        (np.array([np.inf]), 0, ValueError, "images has inf at (0,)"),
        (np.zeros(3), np.random, TypeError, "rng is the module np.random"),
        (np.zeros(3), None, TypeError, "rng is None; pass a Generator"),
    ],
)
def test_binarisation_refuses(images: np.ndarray, rng: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        binarise(images, rng)


def test_one_hot_is_the_indicator_of_the_label() -> None:
    labels = digits("test").labels
    rows = one_hot(labels, 10)
    assert rows.shape == (447, 10) and rows.dtype == np.float32
    np.testing.assert_array_equal(rows, labels[:, None] == np.arange(10))
    assert one_hot(np.zeros((2, 3), int), 4).shape == (2, 3, 4)
    assert one_hot(np.zeros(0, np.uint8), 4).shape == (0, 4)
    assert one_hot(0, 1).tolist() == [1.0]


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        (np.array([0.0, 1.0]), 3, TypeError, "labels is float64, expected integers"),
        (np.array([0, 1, 3]), 3, ValueError, "labels has 3 at (2,), expected 0 to 2 (classes=3); 1 of 3 values"),
        (np.array([-1]), 3, ValueError, "labels has -1 at (0,)"),
        (np.array([0]), 0, ValueError, "classes is 0, expected at least 1"),
    ],
)
def test_one_hot_refuses(labels: np.ndarray, classes: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        one_hot(labels, classes)


def test_a_masked_array_is_refused() -> None:
    """Its mask would be lost."""
    masked = np.ma.masked_equal(np.array([0, 1], np.uint8), 1)
    for make, name in [
        (lambda: to_unit(masked, 2), "images"),
        (lambda: binarise(masked.astype(np.float32), 0), "images"),
        (lambda: one_hot(masked, 2), "labels"),
    ]:
        with pytest.raises(TypeError, match=f"{name} is a masked array; its mask would be lost"):
            make()
