"""The masked layer: an affine layer whose masked weights are as good as 0, and stay as they are."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.nn import Linear, MaskedLinear
from scratchgen.optim import Adam

RNG = np.random.default_rng(0)
MASK = RNG.integers(0, 2, (5, 4))
X = RNG.normal(size=(3, 5))


@pytest.mark.parametrize("activation", [None, "relu", "gelu"])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_linear_with_zeros_in_w(activation: Any, bias: bool) -> None:
    layer = MaskedLinear(MASK, 0, activation, bias, dtype=np.float64)
    plain = Linear(5, 4, 0, activation, bias, dtype=np.float64)
    np.testing.assert_array_equal(layer.W.data, plain.W.data)
    plain.W = plain.W.data * MASK
    g = RNG.normal(size=(3, 4))
    for each in (layer, plain):
        np.sum(each(X) * g).backward()
    np.testing.assert_allclose(layer(X).data, plain(X).data, rtol=0, atol=1e-15)
    np.testing.assert_allclose(layer.W.grad, plain.W.grad * MASK, rtol=0, atol=1e-15)
    assert not bias or np.array_equal(layer.b.grad, plain.b.grad)


def test_a_forward_pass_leaves_weights_and_mask_alone() -> None:
    layer = MaskedLinear(MASK, 0, dtype=np.float64)
    before, mask = layer.state(), layer.mask.copy()
    layer(X).sum().backward()
    for name, array in layer.state().items():
        np.testing.assert_array_equal(array, before[name])
    np.testing.assert_array_equal(layer.mask, mask)
    assert np.all(layer.W.data != 0)


def test_masked_weights_are_not_trained() -> None:
    layer = MaskedLinear(MASK, 0, dtype=np.float64)
    before, optimizer = layer.W.data.copy(), Adam(layer.parameters())
    for _ in range(3):
        np.sum(np.square(layer(X))).backward()
        optimizer.step()
    np.testing.assert_array_equal(layer.W.data != before, MASK == 1)


def test_masked_inputs_do_not_matter_however_large() -> None:
    layer = MaskedLinear(MASK, 0, dtype=np.float64)
    for j in range(4):
        x = np.where(MASK[:, j] == 0, 1e30, X)
        np.testing.assert_array_equal(layer(x).data[:, j], layer(X).data[:, j])


def test_another_mask_on_the_same_weights() -> None:
    """Both layers hold the same Tensors, and a gradient of one is a gradient of both."""
    layer = MaskedLinear(MASK, 0, "tanh", dtype=np.float64)
    other = layer.with_mask(1 - MASK)
    assert other.W is layer.W and other.b is layer.b
    np.testing.assert_array_equal(layer.mask, MASK)
    both = np.arctanh(layer(X).data) + np.arctanh(other(X).data)
    np.testing.assert_allclose(both, X @ layer.W.data + 2 * layer.b.data, rtol=0, atol=1e-14)
    (layer(X) * other(X)).sum().backward()
    assert np.all(layer.W.grad != 0)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(3), r"mask has shape \(3,\)"),
        (np.full((2, 2), 0.5), r"mask has 0.5 at \(0, 0\)"),
        (np.full((2, 2), np.nan), r"mask has nan at \(0, 0\)"),
        (np.ones((2, 0)), "n_out is 0"),
    ],
)
def test_masks_that_are_none(mask: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskedLinear(mask, 0)


def test_inputs_that_are_refused() -> None:
    layer = MaskedLinear(MASK, 0)
    with pytest.raises(ValueError, match=r"mask has shape \(4, 5\); that of the weights is \(5, 4\)"):
        layer.with_mask(MASK.T)
    with pytest.raises(ValueError, match=r"x has shape \(3, 4\), MaskedLinear wants \(batch, …, 5\)"):
        layer(np.zeros((3, 4), np.float32))
    with pytest.raises(TypeError, match=r"x is float64 but W is float32"):
        layer(X)
    assert layer(Tensor(X.astype(np.float32))).dtype == np.float32


def test_axes_of_different_lengths_keep_their_places() -> None:
    layer, x = MaskedLinear(np.ones((2, 4)), 0, dtype=np.float64), np.random.default_rng(0).normal(size=(3, 5, 2))
    y = layer(x).data
    assert y.shape == (3, 5, 4)
    np.testing.assert_allclose(y, x @ layer.W.data + layer.b.data, rtol=0, atol=1e-14)


def test_a_layer_with_another_mask_shows_it_as_bools() -> None:
    layer, mask = MaskedLinear(np.ones((2, 2)), 0), np.array([[0, 1], [1, 1]])
    other = layer.with_mask(mask)
    assert other.mask.dtype == bool and layer.mask.all()
    np.testing.assert_array_equal(other.mask, mask == 1)
