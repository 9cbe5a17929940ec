"""The convolutional networks: equations (1) and (2) by hand, from the functions below the layers."""

from collections.abc import Callable

import numpy as np
import pytest

from scratchgen.latent import VAE, BernoulliLikelihood, ConvDecoder, ConvEncoder, GaussianLikelihood
from scratchgen.nn import Conv2d, ConvTranspose2d, Linear, conv2d, conv_transpose2d

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(5, 8, 8, 1)), RNG.normal(size=(5, 2))


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def affine(layer: Linear, x: np.ndarray) -> np.ndarray:
    return x @ layer.W.data + layer.b.data


def convolved(function: Callable[..., np.ndarray], layer: Conv2d | ConvTranspose2d, x: np.ndarray) -> np.ndarray:
    return function(x, layer.W.data, layer.b.data, 2, 1)


def test_the_encoder_is_two_convolutions_and_a_linear_layer() -> None:
    """Equation (1), with relu after every layer but the last."""
    encoder = ConvEncoder(8, latent=2, rng=0, channels=3, dtype=np.float64)
    h = relu(convolved(conv2d, encoder.half, X))
    h = relu(convolved(conv2d, encoder.quarter, h))
    y = affine(encoder.to_code, h.reshape(5, 2 * 2 * 6))
    assert y.min() < 0 < y.max()
    np.testing.assert_allclose(encoder(X).data, y, rtol=1e-12)


def test_the_decoder_is_a_linear_layer_and_two_transposed_convolutions() -> None:
    """Equation (2), with relu after every layer but the last: logits have both signs."""
    decoder = ConvDecoder(8, latent=2, rng=0, channels=3, numbers=2, dtype=np.float64)
    h = relu(affine(decoder.from_code, Z)).reshape(5, 2, 2, 6)
    h = relu(convolved(conv_transpose2d, decoder.half, h))
    y = convolved(conv_transpose2d, decoder.full, h)
    assert y.shape == (5, 8, 8, 2) and y.min() < 0 < y.max()
    np.testing.assert_allclose(decoder(Z).data, y, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_weights_have_the_dtype(dtype: type) -> None:
    for network in (ConvEncoder(8, 2, rng=0, channels=3, dtype=dtype), ConvDecoder(8, 2, 0, channels=3, dtype=dtype)):
        assert {t.dtype for t in network.parameters().values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("numbers, likelihood", [(1, BernoulliLikelihood), (2, GaussianLikelihood)])
def test_convolutional_networks_fit_the_likelihoods(numbers: int, likelihood: type) -> None:
    model = VAE(
        ConvEncoder(8, 2, rng=0, channels=3),
        ConvDecoder(8, 2, rng=1, channels=3, numbers=numbers),
        likelihood((8, 8, 1)),
        latent=2,
    )
    x = np.random.default_rng(0).random((5, 8, 8, 1), dtype=np.float32)
    assert model.elbo(x, rng=0).total.shape == (5,)
    assert model.sample(2, rng=0).shape == (2, 8, 8, 1)


def test_the_lectures_network_has_its_sizes() -> None:
    encoder, decoder = ConvEncoder(28, 2, rng=0), ConvDecoder(28, 2, rng=1)
    assert encoder.to_code.W.shape == (6272, 4) and decoder.from_code.W.shape == (2, 6272)
