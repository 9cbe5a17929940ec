"""The masks multiply to the strict triangle of the order, and are staircases in the natural one."""

from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest

from scratchgen.autoregressive.masks import degrees, masks, paths


def triangle(order: Any, context: int = 0) -> np.ndarray:
    """Which inputs, and numbers of the context, each output has to see, and no others."""
    rank = np.argsort(order)
    return np.concatenate([np.ones((context, len(rank)), bool), rank[:, None] < rank])


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("rng", [None, 0])
@pytest.mark.parametrize("hidden", [[], [4], [7], [4, 5], [4, 5, 9]])
def test_paths_are_the_strict_triangle(hidden: list[int], rng: Any, context: int) -> None:
    for order in permutations(range(4)):
        layers = masks(order, hidden, context, rng=rng)
        product = np.eye(4 + context)
        for mask in layers:
            product = product @ mask
        np.testing.assert_array_equal(product > 0, triangle(order, context))
        np.testing.assert_array_equal(paths(layers), triangle(order, context))


@pytest.mark.parametrize("context", [0, 1])
def test_the_least_width_is_enough_and_one_less_is_not(context: int) -> None:
    """D − 1 degrees, and one more with a context: for each there must be a unit."""
    for D in range(2, 9):
        least = D - 1 + context
        masks(range(D), [least, least], context)
        if least > 1:
            with pytest.raises(ValueError, match=f"use widths of at least {least}"):
                masks(range(D), [least, least - 1], context)


@pytest.mark.parametrize(("D", "width", "context"), [(5, 4, 0), (5, 11, 0), (5, 2, 0), (5, 13, 3), (784, 500, 0)])
def test_degrees_are_dealt_out_evenly_and_sorted(D: int, width: int, context: int) -> None:
    inputs, middle, outputs = degrees(range(D), [width], context)
    least, kinds = (0, D) if context else (1, D - 1)
    np.testing.assert_array_equal(inputs, [*[0] * context, *range(1, D + 1)])
    np.testing.assert_array_equal(outputs, range(1, D + 1))
    assert np.all(np.diff(middle) >= 0)
    count = np.bincount(middle - least, minlength=kinds)
    assert len(count) == kinds and count.max() - count.min() <= 1 and middle[0] == least


def test_masks_of_the_natural_order_are_staircases() -> None:
    """In each row ones follow zeros, and begin further right the further down the row."""
    for mask in [*masks(range(7), [9, 20]), *masks(range(7), [9, 20], context=2)]:
        starts = np.argmax(np.pad(mask, ((0, 0), (0, 1)), constant_values=True), axis=1)
        np.testing.assert_array_equal(mask, np.arange(mask.shape[1]) >= starts[:, None])
        assert np.all(np.diff(starts) >= 0)


def test_shuffled_degrees_are_the_same_ones() -> None:
    sorted_ones, shuffled, again = (degrees(range(9), [30, 20], rng=rng)[1:3] for rng in (None, 3, 3))
    for plain, mixed, same in zip(sorted_ones, shuffled, again):
        np.testing.assert_array_equal(plain, np.sort(mixed))
        np.testing.assert_array_equal(mixed, same)
        assert np.any(plain != mixed)
    assert all(len(a) != len(b) or np.any(a != b) for a, b in pairwise(shuffled))


@pytest.mark.parametrize("hidden", [[5], [3, 2], []])
def test_one_input_has_nothing_to_depend_on(hidden: list[int]) -> None:
    assert not paths(masks([0], hidden)).any()
    np.testing.assert_array_equal(paths(masks([0], hidden, context=2)), [[True], [True], [False]])


def test_too_narrow_is_refused_or_accepted() -> None:
    with pytest.raises(ValueError, match=r"\[5, 2\] are too narrow for 4 inputs.*cannot see inputs \[2\].*at least 3"):
        masks([0, 1, 2, 3], [5, 2])
    with pytest.raises(ValueError, match=r"cannot see inputs \[0\].*at least 3"):
        masks([3, 2, 0, 1], [5, 2])
    with pytest.raises(ValueError, match=r"cannot see inputs \[0, 2\].*at least 4"):
        masks([0, 1, 2, 3], [5, 2], context=3)
    with pytest.raises(ValueError, match=r"inputs \[1, 2, 3, 4, 5\] and 31 more; use widths of at least 39"):
        masks(range(40), [3])
    reached = paths(masks([0, 1, 2, 3], [5, 2], complete=False))
    assert not reached[2, 3] and reached[0, 3] and not (reached & ~triangle(range(4))).any()


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([0, 1, 0], r"order is no permutation of 0 … 2: missing \[2\], repeated \[0\]"),
        ([1, 2, 3], r"missing \[0\], repeated \[\], unknown \[3\]"),
        ([0, 1.5], r"missing \[1\], repeated \[\], unknown \[1.5\]"),
    ],
)
def test_orders_that_are_none(order: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        masks(order, [5])
