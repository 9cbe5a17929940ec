"""Errors planted in the products with masked weights: for each a test in tests/nn fails."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.nn import masked_product
from scratchgen.nn.masked_product import Block, block_of, span
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught
from tests.nn import test_masked_product

put_together = partial(test_masked_product.test_blocks_put_together_are_the_mask, "staircase", 3)
products = partial(test_masked_product.test_the_three_products_with_zeros_in_place_of_masked_weights, dtype=np.float64)


def edge(start: int = 0, stop: int = 0) -> Plant:
    """The edge moved by so many rows."""

    def wrong(mask: np.ndarray, rows: slice, columns: slice) -> Block:
        block = block_of(mask, rows, columns)
        moved = slice(min(block.edge.start + start, block.edge.stop), block.edge.stop + stop)
        return block._replace(edge=moved, mask=mask[rows, columns][moved].astype(np.float32))

    return instead_of(masked_product, "block_of", wrong)


def from_all_rows(mask: np.ndarray, rows: slice, columns: slice) -> Block:
    """The edge counted from the first row of the mask, not from that of the block."""
    block = block_of(mask, rows, columns)
    return block._replace(edge=slice(rows.start + block.edge.start, rows.start + block.edge.stop))


def without_last(found: Any) -> slice:
    """The last of those found left out."""
    whole = span(found)
    return slice(whole.start, max(whole.stop - 1, whole.start))


def of_ones_only(mask: np.ndarray, rows: slice, columns: slice) -> Block:
    """An edge that takes rows of zeros for rows of ones."""
    part = mask[rows, columns]
    mixed = span(part.any(axis=1) & ~part.all(axis=1))
    return Block(rows, columns, mixed, part[mixed].astype(np.float32))


PLANTS: dict[str, tuple[Plant, Check]] = {
    "the first row of the edge forgotten": (edge(start=1), put_together),
    "the last row of the edge forgotten": (edge(stop=-1), put_together),
    "the last row of the edge forgotten: products": (edge(stop=-1), partial(products, "staircase")),
    "the edge counted from the first row of all": (
        instead_of(masked_product, "block_of", from_all_rows),
        partial(products, "turned round"),
    ),
    "rows of zeros taken for rows of ones": (
        instead_of(masked_product, "block_of", of_ones_only),
        partial(products, "rows of zeros between rows of ones"),
    ),
    "a row that is needed left out": (instead_of(masked_product, "span", without_last), partial(products, "staircase")),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
