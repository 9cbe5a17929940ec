"""Linear and MLP: y = φ(x W + b), and what they refuse."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, relu, sigmoid, silu
from scratchgen.nn import MLP, Linear
from scratchgen.nn.activations import ACTIVATIONS, activation_named
from scratchgen.nn.initialisations import he_normal, orthogonal

X = np.random.default_rng(0).normal(size=(5, 3))


@pytest.mark.parametrize("phi", [None, relu, np.tanh, sigmoid, silu, lambda h: h * h])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_phi_of_x_W_plus_b(phi: Any, bias: bool) -> None:
    layer = Linear(3, 2, 0, activation=phi, bias=bias, dtype=np.float64)
    h = X @ layer.W.data
    if bias:
        h = h + layer.b.data
    assert np.allclose(layer(X).data, h if phi is None else phi(h), rtol=1e-14)
    assert set(layer.parameters()) == ({"W", "b"} if bias else {"W"})


def test_leading_axes_are_a_batch() -> None:
    layer = Linear(3, 2, 0)
    x = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    assert layer(x).shape == (4, 5, 2)
    assert np.allclose(layer(x).data[3], layer(x[3]).data, atol=1e-6)
    assert layer(x[:0]).shape == (0, 5, 2)


def test_initial_weights() -> None:
    """W and b are uniform between ±1/√n_in, or as told; one rng draws them one after the other."""
    layer = Linear(100, 400, 0, dtype=np.float64)
    for t in (layer.W, layer.b):
        assert 0.098 < np.abs(t.data).max() <= 0.1
        assert t.data.min() < -0.09
    assert np.array_equal(Linear(4, 3, 1, initialise=orthogonal).W.data, orthogonal((4, 3), 1))
    rng = np.random.default_rng(0)
    first, second = Linear(2, 2, rng), Linear(2, 2, rng)
    assert not np.array_equal(first.W.data, second.W.data)
    assert np.array_equal(Linear(2, 2, 0).W.data, first.W.data)


def test_mlp_has_its_activation_between_layers_only() -> None:
    net = MLP([3, 4, 5, 2], 0, activation=np.tanh, dtype=np.float64)
    (W0, b0), (W1, b1), (W2, b2) = ((layer.W.data, layer.b.data) for layer in net.layers)
    expected = np.tanh(np.tanh(X @ W0 + b0) @ W1 + b1) @ W2 + b2
    assert np.allclose(net(X).data, expected, rtol=1e-13)
    assert expected.min() < -0.01


def test_mlp_of_two_sizes_is_linear() -> None:
    assert np.array_equal(MLP([3, 2], 0)(X.astype(np.float32)).data, Linear(3, 2, 0)(X.astype(np.float32)).data)


def test_mlp_hands_on_its_settings() -> None:
    net = MLP([3, 4, 2], 0, initialise=he_normal, dtype=np.float64)
    assert np.array_equal(net.layers[0].W.data, he_normal((3, 4), 0, dtype=np.float64))
    assert net.layers[0].activation is relu
    assert not np.array_equal(net.layers[1].W.data, he_normal((4, 2), 0, dtype=np.float64))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_by_name(name: str) -> None:
    phi = activation_named(name)
    assert activation_named(phi) is phi
    assert phi.__name__ == name
    net = MLP([3, 4, 2], 0, activation=name)
    y = net(X.astype(np.float32))
    assert y.dtype == np.float32
    assert np.array_equal(y.data, MLP([3, 4, 2], 0, activation=phi)(X.astype(np.float32)).data)


# -- bad inputs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "gist"),
    [
        (np.ones((5, 4)), r"x has shape \(5, 4\), Linear wants \(batch, …, 3\)$"),
        (np.ones(3), r"x has shape \(3,\), Linear wants \(batch, …, 3\): x\[None\] is a batch of one"),
        (np.ones(4), r"x has shape \(4,\), Linear wants \(batch, …, 3\)$"),
        (np.ones((3, 5)), r"x has shape \(3, 5\), Linear wants \(batch, …, 3\): x\.T"),
        (np.ones((5, 3, 1)), r"x has shape \(5, 3, 1\), Linear wants \(batch, …, 3\): x\.reshape\(-1, 3\)"),
        (np.ones(()), r"x has shape \(\), Linear wants \(batch, …, 3\)$"),
    ],
)
def test_shapes_that_do_not_fit(x: np.ndarray, gist: str) -> None:
    with pytest.raises(ValueError, match=gist):
        Linear(3, 2, 0)(x.astype(np.float32))


def test_one_feature_given_as_a_vector() -> None:
    with pytest.raises(ValueError, match=r"x has shape \(7,\), Linear wants \(batch, …, 1\): x\[:, None\]"):
        Linear(1, 2, 0)(np.ones(7, np.float32))


@pytest.mark.parametrize(
    ("x", "gist"),
    [
        (np.ones((5, 3)), r"x is float64 but W is float32: x\.astype\(np\.float32\), or model\.astype\(np\.float64\)"),
        (Tensor(np.ones((5, 3))), "x is float64 but W is float32"),
        (np.ones((5, 3), np.uint8), r"x is uint8 but W is float32: scale to \[0, 1\] first: scratchgen\.data\.to_unit"),
        (np.ones((5, 3), np.int64), r"x is int64 but W is float32: x\.astype\(np\.float32\)$"),
        (np.ones((5, 3), bool), r"x is bool but W is float32: x\.astype\(np\.float32\)$"),
        (np.ones((5, 3), np.float16), r"x is float16 but W is float32: x\.astype\(np\.float32\)$"),
        (np.ones((5, 3), complex), "x is complex128 but W is float32"),
        (np.array([["a"] * 3]), "x is <U1 but W is float32"),
        ([[1.0, 2.0, 3.0]], r"x is a list; pass an array: np\.asarray\(x, dtype=np\.float32\)"),
        (None, "x is a NoneType; pass an array"),
    ],
)
def test_dtypes_that_do_not_fit(x: Any, gist: str) -> None:
    with pytest.raises(TypeError, match=gist):
        MLP([3, 4, 2], 0)(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_list_has_no_dtype(dtype: type) -> None:
    """None == np.dtype(np.float64) is true, so a list could pass for float64."""
    with pytest.raises(TypeError, match=r"x is a list; pass an array: np\.asarray\(x, dtype=np\.float"):
        Linear(3, 2, 0, dtype=dtype)([[0.0, 1.0, 2.0]])


def test_a_bool_is_no_size() -> None:
    with pytest.raises(ValueError, match="n_in is True; it must be an integer"):
        Linear(True, 2, 0)


def test_float32_into_a_float64_model() -> None:
    with pytest.raises(
        TypeError, match=r"x is float32 but W is float64: x\.astype\(np\.float64\), or model\.astype\(np\.float32\)"
    ):
        Linear(3, 2, 0, dtype=np.float64)(X.astype(np.float32))


def test_an_activation_by_name() -> None:
    x = X.astype(np.float32)
    assert np.array_equal(Linear(3, 2, 0, activation="relu")(x).data, np.maximum(Linear(3, 2, 0)(x).data, 0))


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="n_in is 0; it must be an integer of at least 1"):
        Linear(0, 2, 0)
    with pytest.raises(ValueError, match=r"n_out is 2\.0; it must be an integer of at least 1"):
        MLP([3, 2.0], 0)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="there is no activation 'rely'"):
        Linear(3, 2, 0, activation="rely")
    with pytest.raises(ValueError, match=r"there is no activation \['relu'\]"):
        Linear(3, 2, 0, activation=["relu"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"sizes is \[3\]"):
        MLP([3], 0)
    with pytest.raises(ValueError, match="there is no activation 'rely'; there are relu, leaky_relu, tanh"):
        MLP([3, 4, 2], 0, activation="rely")
    with pytest.raises(TypeError, match="the module np"):
        MLP([3, 4, 2], np.random)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="float16"):
        Linear(3, 2, 0, dtype=np.float16)
