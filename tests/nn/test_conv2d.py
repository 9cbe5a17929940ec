"""The layers Conv2d and ConvTranspose2d: their shapes, their initial scale, and what they refuse."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, relu
from scratchgen.nn import Conv2d, ConvTranspose2d, Linear, Module, conv2d, conv_transpose2d
from scratchgen.nn.initialisations import he_normal

X = np.random.default_rng(0).normal(size=(2, 9, 7, 3)).astype(np.float32)


def test_conv2d_layer() -> None:
    layer = Conv2d(3, 5, (4, 2), 0, stride=2, padding=1)
    assert {name: t.shape for name, t in layer.parameters().items()} == {"W": (4, 2, 3, 5), "b": (5,)}
    y = layer(X)
    assert y.shape == (2, 4, 4, 5)
    assert np.array_equal(y.data, conv2d(X, layer.W.data, layer.b.data, 2, 1))


@pytest.mark.parametrize(("size", "expected"), [(None, (18, 12)), ((19, 13), (19, 13))])
def test_conv_transpose2d_layer(size: Any, expected: tuple[int, int]) -> None:
    layer = ConvTranspose2d(3, 5, (4, 2), 0, stride=2, padding=1, size=size)
    assert {name: t.shape for name, t in layer.parameters().items()} == {"W": (4, 2, 5, 3), "b": (5,)}
    assert layer.W.data.flags.c_contiguous  # or every pass would copy it
    y = layer(X)
    assert y.shape == (2, *expected, 5)
    assert np.array_equal(y.data, conv_transpose2d(X, layer.W.data, layer.b.data, 2, 1, size))


def test_one_number_makes_a_square_kernel() -> None:
    assert Conv2d(3, 5, 4, 0).W.shape == (4, 4, 3, 5)
    assert ConvTranspose2d(3, 5, 4, 0).W.shape == (4, 4, 5, 3)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("layer_type", [Conv2d, ConvTranspose2d])
def test_the_scale_is_kept_at_every_stride(layer_type: Any, stride: int) -> None:
    """Equation (1) of `nn.initialisations`, by the number of products that an output away from the borders adds up.

    With s² · fan_in = 1 the outputs have the variance 1 of the inputs. Over seeds, its estimate varies by 2.5 % (one
    standard deviation), so 15 % is a false alarm in less than one of 1e6 seeds; a missing factor of stride² = 4 shows.
    """
    layer = layer_type(16, 64, 6, 1, stride=stride, initialise=partial(he_normal, gain=1.0), dtype=np.float64)
    layer.b = np.zeros(64)
    y = layer(np.random.default_rng(2).normal(size=(4, 14, 14, 16))).data
    border = 6 if layer_type is ConvTranspose2d else 0
    inner = y[:, border : y.shape[1] - border, border : y.shape[2] - border]
    assert abs(np.mean(inner**2) - 1) < 0.15


def test_initial_bounds() -> None:
    """W and b are uniform between ±1/√fan_in; those of the transpose between ±stride/√fan_in."""
    for layer, bound in (
        (Conv2d(5, 400, 2, 0, stride=3), 20**-0.5),
        (ConvTranspose2d(5, 400, 2, 0, stride=3), 3 * 20**-0.5),
    ):
        for t in (layer.W, layer.b):
            assert 0.98 * bound < np.abs(t.data).max() <= bound * (1 + 1e-6)


class LectureVAE(Module):
    """The convolutions of the lecture's variational autoencoder, for images of any size divisible by 4."""

    def __init__(self, size: int, dtype: Any) -> None:
        n = size // 4
        self.inner = (-1, n, n, 128)
        self.conv1 = Conv2d(1, 64, 4, 0, stride=2, padding=1, dtype=dtype)
        self.conv2 = Conv2d(64, 128, 4, 1, stride=2, padding=1, dtype=dtype)
        self.code = Linear(n * n * 128, 2, 2, dtype=dtype)
        self.decode = Linear(2, n * n * 128, 3, dtype=dtype)
        self.conv3 = ConvTranspose2d(128, 64, 4, 4, stride=2, padding=1, dtype=dtype)
        self.conv4 = ConvTranspose2d(64, 1, 4, 5, stride=2, padding=1, dtype=dtype)

    def forward(self, x: Any) -> Tensor:
        h = relu(self.conv2(relu(self.conv1(x))))
        z = self.code(h.reshape(len(x), -1))
        return self.conv4(relu(self.conv3(self.decode(z).reshape(self.inner))))


@pytest.mark.parametrize("size", [28, 8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_lectures_vae_returns_images_and_gradients_of_its_dtype(size: int, dtype: Any) -> None:
    model = LectureVAE(size, dtype)
    y = model(np.ones((2, size, size, 1), dtype))
    assert y.shape == (2, size, size, 1)
    assert y.dtype == dtype
    y.sum().backward()
    for t in model.parameters().values():
        assert t.grad.shape == t.shape
        assert t.grad.dtype == dtype
        assert t.grad.any()


# -- bad inputs ------------------------------------------------------------------------------------------------------


def test_a_kernel_of_numpys_integers() -> None:
    kernel: Any = np.int64(3)
    assert Conv2d(1, 1, kernel, 0).W.shape == Conv2d(1, 1, (3, kernel), 0).W.shape == (3, 3, 1, 1)


@pytest.mark.parametrize("layer", [Conv2d(3, 5, 2, 0), ConvTranspose2d(3, 5, 2, 0)])
def test_inputs_that_do_not_fit(layer: Module) -> None:
    with pytest.raises(TypeError, match=r"x is uint8 but W is float32: scale to \[0, 1\] first"):
        layer(np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(TypeError, match=r"x is float64 but W is float32: x\.astype\(np\.float32\)"):
        layer(np.zeros((2, 8, 8, 3)))
    with pytest.raises(ValueError, match=r"x has shape \(2, 8, 8\), expected \(batch, height, width, 3\)"):
        layer(np.zeros((2, 8, 8), np.float32))


@pytest.mark.parametrize("layer_type", [Conv2d, ConvTranspose2d])
@pytest.mark.parametrize(
    ("settings", "gist"),
    [
        ((0, 1, 3, 0), "n_in is 0, n_out 1"),
        ((1, 0, 3, 0), "n_in is 1, n_out 0"),
        ((1, 1, (3, 0), 0), r"kernel \(3, 0\)"),
        ((1, 1, 3, 0, 0), "stride 0"),
        ((1, 1, 3, 0, 1, -1), "padding -1"),
        ((1, 2.0, 3, 0), r"n_out 2\.0.*all must be integers"),
        ((1, 1, 2.5, 0), r"kernel \(2\.5, 2\.5\).*all must be integers"),
        ((1, 1, (3, 3, 3), 0), r"kernel is \(3, 3, 3\); give its height and width"),
        ((1, 1, 3, 0, 1.5), r"stride 1\.5.*all must be integers"),
    ],
)
def test_bad_settings(layer_type: Any, settings: tuple[Any, ...], gist: str) -> None:
    with pytest.raises(ValueError, match=gist):
        layer_type(*settings)
