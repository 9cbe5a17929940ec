"""The products with masked weights: the three derivatives of one form, whatever the blocks."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autoregressive.masks import masks
from scratchgen.nn.masked_product import Blocks, masked, masked_back, masked_outer, masked_product

RNG = np.random.default_rng(0)
STAIRCASE, TURNED = masks(range(12), [17])[0], masks(range(12)[::-1], [17])[0]
ALL: dict[str, np.ndarray] = {
    "staircase": STAIRCASE,
    "turned round": TURNED,
    "with context": masks(range(9), [17], context=4)[0],
    "of the output": masks(range(12), [17])[1],
    "for several numbers": np.repeat(masks(range(12), [17])[1], 3, axis=1),
    "random": RNG.integers(0, 2, (12, 17)).astype(bool),
    "ones": np.ones((12, 17), bool),
    "zeros": np.zeros((12, 17), bool),
    "rows of zeros between rows of ones": np.repeat(np.arange(12) % 3 == 0, 17).reshape(12, 17),
    "no row for the last columns": np.tri(12, 17, -5, bool),
    "fewer columns than strips": np.tri(12, 3, -4, bool),
}
WHICH = pytest.mark.parametrize("name", ALL)


@WHICH
@pytest.mark.parametrize("strips", [1, 3, 6])
def test_blocks_put_together_are_the_mask(name: str, strips: int) -> None:
    mask, whole = ALL[name], np.zeros(ALL[name].shape)
    for block in Blocks(mask, strips, smallest=0):
        assert not whole[block.rows, block.columns].any()
        whole[block.rows, block.columns] = masked(np.ones(mask.shape), block)
    np.testing.assert_array_equal(whole, mask)


@WHICH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_three_products_with_zeros_in_place_of_masked_weights(name: str, dtype: Any) -> None:
    mask, atol = ALL[name], 1e-4 if dtype == np.float32 else 1e-13
    n_in, n_out = mask.shape
    x, W, g, b = (RNG.normal(size=shape).astype(dtype) for shape in ((5, n_in), (n_in, n_out), (5, n_out), n_out))
    blocks = Blocks(mask, smallest=0)
    for found, expected in [
        (masked_product(x, W, blocks=blocks), x @ (W * mask)),
        (masked_product(x, W, b, blocks=blocks), x @ (W * mask) + b),
        (masked_back(g, W, blocks=blocks), g @ (W * mask).T),
        (masked_outer(x, g, blocks=blocks), (x.T @ g) * mask),
    ]:
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
        assert found.dtype == dtype
    form = np.einsum("ni,ij,ij,nj", x, mask, W, g)  # (1), which each of them gives when multiplied with what is left
    assert np.sum(masked_product(x, W, blocks=blocks) * g) == pytest.approx(form, abs=100 * atol)
    assert np.sum(masked_back(g, W, blocks=blocks) * x) == pytest.approx(form, abs=100 * atol)
    assert np.sum(masked_outer(x, g, blocks=blocks) * W) == pytest.approx(form, abs=100 * atol)


def test_staircases_are_cut_and_others_are_not() -> None:
    """Of a large triangle 58 of 100 multiplications are left, 17 by the mask; of what would not gain, all."""
    triangle = np.tri(600, 600, dtype=bool)
    for mask in (triangle, triangle.T, triangle[::-1]):
        blocks = Blocks(mask)
        parts = [masked(np.ones(mask.shape), block).size for block in blocks]
        edges = [block.mask.size for block in blocks]
        assert len(parts) == 6 and sum(parts) / mask.size == pytest.approx(7 / 12, abs=0.01)
        assert sum(edges) / mask.size == pytest.approx(1 / 6, abs=0.01)
    for mask in (RNG.permutation(triangle), triangle[:100, :100], np.ones((300, 300), bool)):
        assert len(list(Blocks(mask))) == 1


def test_a_block_of_zeros_is_not_multiplied() -> None:
    """NaN in it does not matter; it would if it were multiplied by zero."""
    mask, W = np.tri(4, 4, dtype=bool).T, RNG.normal(size=(4, 4))
    blocks, x = Blocks(mask, 2, smallest=0), RNG.normal(size=(3, 4))
    expected = masked_product(x, W, blocks=blocks)
    W[2:, :2] = np.nan
    np.testing.assert_array_equal(masked_product(x, W, blocks=blocks), expected)
