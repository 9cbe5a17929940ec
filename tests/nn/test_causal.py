"""Causal convolutions, against the sum that defines them, and with NaN for all that they must not see."""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, jacobian
from scratchgen.nn import CausalConv, Conv2d, past_1d, past_2d

KINDS = {
    "1-D, type A": (past_1d(3, present=False), (7,), False),
    "1-D, type B": (past_1d(3, present=True), (7,), True),
    "1-D, type A, dilated": (past_1d(3, present=False, dilation=2), (7,), False),
    "1-D, type B, dilated": (past_1d(2, present=True, dilation=3), (7,), True),
    "2-D, type A": (past_2d(1, present=False), (3, 4), False),
    "2-D, type B": (past_2d(2, present=True), (4, 3), True),
    "2-D, own row only": ([(0, -2), (0, -1)], (3, 4), False),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def layer_of(kind, n_in=2, n_out=3):
    return CausalConv(n_in, n_out, KINDS[kind][0], rng=1, dtype=np.float64)


def by_definition(layer, x):
    """Equation (1), place by place."""
    y = np.empty((*x.shape[:-1], layer.b.size))
    for place in np.ndindex(*x.shape[1:-1]):
        total = layer.b.data
        for o, W in zip(layer.offsets, layer.W.data):
            source = tuple(np.add(place, o))
            if all(0 <= s < n for s, n in zip(source, x.shape[1:-1])):
                total = total + x[(slice(None), *source)] @ W
        y[(slice(None), *place)] = total
    return y


@kinds
def test_weights_and_bias_are_uniform_within_one_over_the_root_of_the_terms(kind):
    """Of k offsets and 2 channels: the terms of a sum (1) are 2k. First W is drawn, then b."""
    rng, k = np.random.default_rng(1), len(KINDS[kind][0])
    bound = 1 / np.sqrt(2 * k)
    layer = layer_of(kind)
    np.testing.assert_allclose(layer.W.data, rng.uniform(-bound, bound, (k, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(layer.b.data, rng.uniform(-bound, bound, 3), rtol=1e-12)


@kinds
def test_it_is_the_sum_over_the_offsets(kind):
    layer, x = layer_of(kind), np.random.default_rng(0).normal(size=(2, *KINDS[kind][1], 2))
    np.testing.assert_allclose(layer(x).data, by_definition(layer, x), rtol=0, atol=1e-13)


@kinds
def test_the_future_may_be_nan(kind):
    """In raster order: y at a place is the same, to the bit, with NaN at all places it must not see."""
    layer, (_, size, present) = layer_of(kind), KINDS[kind]
    x = np.random.default_rng(0).normal(size=(2, *size, 2))
    y = layer(x).data.reshape(2, -1, 3)
    for place in range(y.shape[1]):
        poisoned = x.copy().reshape(2, -1, 2)
        poisoned[:, place + present :] = np.nan
        np.testing.assert_array_equal(layer(poisoned.reshape(x.shape)).data.reshape(y.shape)[:, place], y[:, place])


@kinds
def test_the_jacobian_is_zero_exactly_where_no_offset_leads(kind):
    layer, (offsets, size, _) = layer_of(kind, 1, 1), KINDS[kind]
    x = np.random.default_rng(0).normal(size=(1, *size, 1))
    J = np.asarray(jacobian(lambda x: layer(x))(x)).reshape(*size, *size)
    for place in np.ndindex(*size):
        for source in np.ndindex(*size):
            assert (J[place + source] != 0) == (tuple(np.subtract(source, place)) in offsets)


@pytest.mark.parametrize("present", [False, True])
def test_a_2d_one_is_a_convolution_with_a_masked_kernel(present):
    """The weights of the past at their places in a 3 × 3 kernel, zeros elsewhere."""
    layer, conv = (
        CausalConv(2, 3, past_2d(1, present), rng=1, dtype=np.float64),
        Conv2d(2, 3, 3, rng=2, padding=1, dtype=np.float64),
    )
    W = np.zeros((3, 3, 2, 3))
    for (i, j), weights in zip(layer.offsets, layer.W.data):
        W[i + 1, j + 1] = weights
    conv.W, conv.b = W, layer.b.data
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 2))
    np.testing.assert_allclose(layer(x).data, conv(x).data, rtol=0, atol=1e-13)


def test_a_forward_pass_leaves_weights_and_input_alone():
    layer, x = layer_of("2-D, type A"), np.ones((2, 3, 4, 2))
    before = layer.state()
    x.flags.writeable = False
    layer(Tensor(x))
    assert all(np.array_equal(before[name], value) for name, value in layer.state().items())


def test_float32_stays_float32():
    assert CausalConv(1, 2, past_1d(2, present=True), rng=0)(np.ones((1, 3, 1), np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([], "at least one"),
        ([(-1,), (-1,)], "each once"),
        ([(-1,), (0, -1)], "same length"),
        ([()], "at least one"),
        ([(-1,), (1,)], r"offsets \[\(1,\)\] lead to the future"),
        ([(0, 1)], "lead to the future"),
    ],
)
def test_offsets_that_are_refused(offsets, message):
    with pytest.raises(ValueError, match=message):
        CausalConv(1, 1, offsets, rng=0)


def test_the_right_upper_neighbour_is_no_future():
    assert CausalConv(1, 1, [(-1, 1)], rng=0).offsets == [(-1, 1)]


def test_by_rows_the_own_row_is_no_future_but_the_row_below_is():
    assert CausalConv(1, 1, [(0, 1)], rng=0, by_rows=True).offsets == [(0, 1)]
    with pytest.raises(ValueError, match="lead to the future"):
        CausalConv(1, 1, [(1, -1)], rng=0, by_rows=True)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2, 5), r"x\[\.\.\., None\] adds the axis"), ((2, 5, 3), r"expected \(batch, places, 1\)")],
)
def test_inputs_that_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        CausalConv(1, 1, past_1d(2, present=True), rng=0)(np.zeros(shape, np.float32))


def test_numbers_and_dtypes_that_are_refused():
    layer = CausalConv(1, 1, past_1d(2, present=True), rng=0)
    with pytest.raises(TypeError, match=r"x\.astype\(np\.float32\)"):
        layer(np.zeros((2, 5, 1)))
    for offsets in ([(-0.5,)], [(True,)], [("a",)]):
        with pytest.raises(ValueError, match="their steps are integers"):
            CausalConv(1, 1, offsets, rng=0)  # rounded, −0.5 would be the present
    assert CausalConv(1, 1, [-1, np.int64(0)], rng=0).offsets == [(-1,), (0,)]
    with pytest.raises(ValueError, match="kernel is 0"):
        past_1d(0, present=True)
    with pytest.raises(ValueError, match="dilation is 0"):
        past_1d(2, present=True, dilation=0)
    with pytest.raises(ValueError, match="reach is 0"):
        past_2d(0, present=True)


def test_the_nearest_place_without_the_present_is_a_dilation_away():
    assert past_1d(2, present=False, dilation=3) == [(-6,), (-3,)]
