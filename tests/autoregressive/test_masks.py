"""The masks multiply to the strict triangle of the order."""

from itertools import permutations

import numpy as np
import pytest

from scratchgen.autoregressive.masks import masks


@pytest.mark.parametrize("hidden", [[], [3], [7], [3, 5], [4, 3, 9]])
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_paths_are_the_strict_triangle(order: tuple[int, ...], hidden: list[int]) -> None:
    paths = np.eye(4)
    for mask in masks(order, hidden):
        paths = paths @ mask
    rank = np.argsort(order)
    np.testing.assert_array_equal(paths > 0, rank[:, None] < rank)


def test_one_input_has_nothing_to_depend_on() -> None:
    first, last = masks([0], [5])
    assert (first.shape, last.shape, last.any()) == ((1, 5), (5, 1), False)


def test_too_narrow_and_no_permutation() -> None:
    with pytest.raises(ValueError, match=r"cannot see inputs \[2\]; use widths of at least 3"):
        masks([0, 1, 2, 3], [5, 2])
    with pytest.raises(ValueError, match=r"missing \[2\], repeated \[0\]"):
        masks([0, 1, 0], [5])
