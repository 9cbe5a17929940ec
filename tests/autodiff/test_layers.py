"""The affine layer and layer normalisation beyond the gradient check's samples.

Equation numbers are those of ``scratchgen.autodiff.layers``.
"""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, grad
from scratchgen.autodiff.activations import relu, sigmoid, silu
from scratchgen.autodiff.layers import layer_norm, linear


def leaves(*shapes: tuple[int, ...], dtype: Any = np.float64) -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [Tensor(rng.normal(size=shape).astype(dtype), requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("lead", [(), (7,), (2, 7), (2, 1, 7), (0,)])
@pytest.mark.parametrize("activation", [None, relu, silu, np.tanh])
def test_linear_is_its_definition(lead: tuple[int, ...], activation: Any) -> None:
    """φ(x @ W + b), with the gradients (2) to (4) written as sums over rows."""
    x, W, b = leaves((*lead, 3), (3, 5), (5,))
    y = linear(x, W, b, activation=activation)
    before = x.data @ W.data + b.data
    np.testing.assert_allclose(y.data, before if activation is None else activation(before), rtol=1e-14)
    assert [parent for _, parent in y.parents] == [x, W, b]  # one node
    g = np.random.default_rng(1).normal(size=y.shape)
    y.backward(g)
    s = 1 / (1 + np.exp(-before))
    slope = {
        None: np.ones_like(before),
        relu: before > 0,
        silu: s + before * s * (1 - s),
        np.tanh: 1 / np.cosh(before) ** 2,
    }[activation]
    h = g * slope
    np.testing.assert_allclose(x.grad, h @ W.data.T, rtol=1e-12)
    by_row = x.data[..., :, None] * h[..., None, :]
    rows = tuple(range(len(lead)))
    np.testing.assert_allclose(W.grad, np.sum(by_row, axis=rows), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(b.grad, np.sum(h, axis=rows), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("activation", [relu, silu, np.tanh])
def test_fused_activation_is_the_composition_bit_for_bit(activation: Any) -> None:
    x, W, b = leaves((7, 3), (3, 5), (5,), dtype=np.float32)
    fused, composed = linear(x, W, b, activation=activation), activation(linear(x, W, b))
    assert (fused.data == composed.data).all()
    assert fused.dtype == np.float32
    gradients = []
    for y in (fused, composed):
        for leaf in (x, W, b):
            leaf.grad = None
        y.backward(np.ones((7, 5), np.float32))
        gradients.append([leaf.grad.tobytes() for leaf in (x, W, b)])
    assert gradients[0] == gradients[1]


def test_linear_on_arrays_and_without_bias() -> None:
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(2, 3)), rng.normal(size=(3, 5))
    assert type(linear(x, W)) is np.ndarray
    assert (linear(x, W) == linear(x, W, np.zeros(5))).all()
    assert (linear(x, W) == linear(x, W, None)).all()


def test_a_reused_input_collects_both_gradients() -> None:
    """linear(W, W, b): d/dW of sum(W W) is the sum of both contributions."""
    (W,) = leaves((3, 3))
    np.sum(linear(W, W)).backward()
    ones = np.ones((3, 3))
    np.testing.assert_allclose(W.grad, ones @ W.data.T + W.data.T @ ones, rtol=1e-14)


@pytest.mark.parametrize(
    ("x", "W", "b", "message"),
    [
        ((2, 4), (3, 5), (5,), r"x has shape \(2, 4\), W \(3, 5\), b \(5,\): x has 4 features, W expects 3"),
        ((2, 4), (3, 5), None, r"x has shape \(2, 4\), W \(3, 5\): x has 4 features, W expects 3"),
        ((4,), (1, 5), None, r"did you mean x\[:, None\]\?"),
        ((), (1, 5), None, "x has no features"),
        ((2, 3), (3, 5), (2,), r"b must have shape \(5,\)"),
        ((2, 3), (3, 5), (1,), r"b must have shape \(5,\)"),
        ((2, 3), (3, 5), (2, 5), r"b must have shape \(5,\)"),
        ((2, 3), (3,), None, r"W must be \(n_in, n_out\)"),
        ((2, 3), (2, 3, 5), None, r"W must be \(n_in, n_out\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(x: Any, W: Any, b: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        linear(np.zeros(x), Tensor(np.zeros(W), requires_grad=True), None if b is None else np.zeros(b))


def test_an_activation_that_cannot_be_fused_is_refused() -> None:
    for activation in (sigmoid, np.sin):
        with pytest.raises(
            ValueError, match=r"cannot be fused; relu, tanh, silu can: apply it to the result of linear"
        ):
            linear(np.zeros((2, 3)), np.zeros((3, 5)), activation=activation)


# -- layer normalisation -------------------------------------------------------------------------------------------


def test_layer_norm_is_its_definition() -> None:
    """(5) with NumPy's mean and biased variance."""
    x, gain, bias = (leaf.data for leaf in leaves((2, 7, 5), (5,), (5,)))
    standard = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(layer_norm(x, gain, bias), standard * gain + bias, rtol=1e-12)
    assert [parent for _, parent in layer_norm(*leaves((2, 5), (5,), (5,))).parents] != []


def test_a_constant_row_gives_the_bias_and_finite_gradients() -> None:
    """v = 0: x̂ = 0 and r = 1/√ε, so dL/dx = (h − mean(h)) / √ε."""
    x, gain, bias = Tensor(np.full((1, 4), 3.0), requires_grad=True), np.full(4, 2.0), np.arange(4.0)
    y = layer_norm(x, gain, bias)
    assert (y.data == bias).all()
    g = np.array([[1.0, 2.0, 3.0, 6.0]])
    y.backward(g)
    np.testing.assert_allclose(x.grad, 2 * (g - 3.0) / np.sqrt(1e-5), rtol=1e-12)


def test_the_gradient_is_orthogonal_to_what_changes_nothing() -> None:
    """A constant added to a row changes nothing; nor, for ε → 0, does a factor."""
    x, gain, bias = (leaf.data for leaf in leaves((3, 5), (5,), (5,)))
    w = np.random.default_rng(1).normal(size=(3, 5))
    gradient = grad(lambda t: np.sum(w * layer_norm(t, gain, bias, eps=1e-13)))(x)
    assert abs(gradient).max() > 0.1
    np.testing.assert_allclose(gradient.sum(axis=-1), 0, atol=1e-13)
    np.testing.assert_allclose(np.sum(gradient * (x - x.mean(-1, keepdims=True)), axis=-1), 0, atol=1e-11)


def test_layer_norm_far_from_zero_in_float32() -> None:
    """Rows around 1000 lose three digits to the rounding of x, and no more: the variance is not E[x²] − E[x]²."""
    rng = np.random.default_rng(0)
    x = (1000 + rng.normal(size=(3, 64))).astype(np.float32)
    one, zero = np.ones(64, np.float32), np.zeros(64, np.float32)
    y = layer_norm(x, one, zero)
    assert y.dtype == np.float32
    exact = layer_norm(x.astype(np.float64), one.astype(np.float64), zero.astype(np.float64))
    np.testing.assert_allclose(y, exact, atol=1e-4)


def test_bad_arguments_of_layer_norm_are_refused() -> None:
    x = np.zeros((2, 5))
    for gain, bias in [((4,), (5,)), ((5,), (1,)), ((2, 5), (5,)), ((), (5,))]:
        with pytest.raises(ValueError, match=r"x has shape \(2, 5\), so gain and bias must be \(5,\); they are"):
            layer_norm(x, np.zeros(gain), np.zeros(bias))
    for eps in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match=f"eps is {eps}; it must be positive"):
            layer_norm(x, np.zeros(5), np.zeros(5), eps)
