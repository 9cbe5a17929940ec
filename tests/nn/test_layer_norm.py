"""LayerNorm standardises each row: its mean becomes the bias, its standard deviation the gain."""

import numpy as np
import pytest

from scratchgen.nn import LayerNorm

X = np.random.default_rng(0).normal(3, 5, size=(4, 7, 6))


def test_rows_are_standardised() -> None:
    y = LayerNorm(6, eps=1e-12, dtype=np.float64)(X).data
    assert np.allclose(y.mean(-1), 0, atol=1e-13)
    assert np.allclose(y.std(-1), 1, rtol=1e-11)  # the biased one, as in the paper


def test_gain_bias_and_eps() -> None:
    layer = LayerNorm(6, eps=0.1, dtype=np.float64)
    layer.gain, layer.bias = np.arange(6.0), np.arange(6.0) ** 2
    expected = (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 0.1) * np.arange(6) + np.arange(
        6
    ) ** 2
    assert np.allclose(layer(X).data, expected, rtol=1e-12)
    assert list(layer.parameters()) == ["gain", "bias"]


def test_the_default_eps() -> None:
    x = np.array([[-0.01, 0.01]])  # of variance 1e-4
    assert np.allclose(LayerNorm(2, dtype=np.float64)(x).data, x / np.sqrt(1e-4 + 1e-5), rtol=1e-12)


def test_it_starts_as_plain_standardisation_in_float32() -> None:
    layer = LayerNorm(3)
    assert np.array_equal(layer.gain.data, np.ones(3))
    assert np.array_equal(layer.bias.data, np.zeros(3))
    assert layer.gain.dtype == layer.bias.dtype == np.float32


def test_bad_inputs() -> None:
    layer = LayerNorm(6)
    with pytest.raises(ValueError, match=r"x has shape \(4, 5\), LayerNorm wants \(batch, …, 6\)"):
        layer(np.ones((4, 5), np.float32))
    with pytest.raises(TypeError, match="x is float64 but gain is float32"):
        layer(X)
    assert layer(np.ones((0, 6), np.float32)).shape == (0, 6)
    with pytest.raises(ValueError, match="features is 0"):
        LayerNorm(0)
