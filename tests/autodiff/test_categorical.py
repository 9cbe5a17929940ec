"""Softmax and the categorical log-probability beyond the gradient check's samples.

Equation numbers are those of ``scratchgen.autodiff.categorical``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from scratchgen.autodiff import Tensor, grad, jacobian
from scratchgen.autodiff.categorical import categorical_log_prob, log_softmax, softmax

INF = np.inf


def a_batch(*shape: int, scale: float = 3.0) -> np.ndarray:
    return np.random.default_rng(1).normal(0, scale, shape)


@pytest.mark.parametrize("axis", [-1, 0, 1, 2, -2, (0, 2), (-1, 0), (0, 1, 2)])
def test_against_scipy(axis: Any) -> None:
    x = a_batch(2, 3, 5)
    np.testing.assert_allclose(softmax(x, axis), scipy.special.softmax(x, axis), rtol=1e-14)
    np.testing.assert_allclose(log_softmax(x, axis), scipy.special.log_softmax(x, axis), rtol=1e-13)
    np.testing.assert_allclose(np.exp(log_softmax(x, axis=axis)), softmax(x, axis=axis), rtol=1e-14)


def test_each_log_probability_is_the_one_of_its_label() -> None:
    x, labels = a_batch(2, 3, 5), np.array([[0, 4, 1], [2, 4, 3]])
    expected = [[log_softmax(x)[i, j, labels[i, j]] for j in range(3)] for i in range(2)]
    np.testing.assert_allclose(categorical_log_prob(x, labels), expected, rtol=1e-13)


def test_the_jacobian_is_full() -> None:
    """∂p_i/∂x_j = p_i (1[i = j] − p_j)."""
    x = a_batch(5)
    p = softmax(x)
    np.testing.assert_allclose(jacobian(softmax)(x), np.diag(p) - np.outer(p, p), atol=1e-16)
    np.testing.assert_allclose(jacobian(log_softmax)(x), np.eye(5) - p, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("f", [softmax, log_softmax])
def test_rows_far_apart_keep_their_digits(f: Callable[..., Any], dtype: Any) -> None:
    """Each row's result is that of the row alone, however far up another is; also its probability of e⁻³⁵."""
    for distance in (0, 5, 15, 20, 22, 30, 60, 75, 90, 100, 600, 700, 740, 1e4):
        x = a_batch(2, 7, scale=1.0)
        x[:, 0] -= 35
        x = (x + np.array([[0.0], [distance]])).astype(dtype)
        alone = np.stack([getattr(scipy.special, f.__name__)(row.astype(np.float64)) for row in x])
        assert f(x).dtype == dtype
        np.testing.assert_allclose(f(x), alone, rtol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("f", [softmax, log_softmax])
def test_large_logits(f: Callable[..., Any]) -> None:
    x = np.array([[1e4, -1e4, 1e4], [-1e4, -1e4, -1e4]])
    expected = np.array([[0.5, 0.0, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    log_expected = np.array([[-np.log(2), -2e4 - np.log(2), -np.log(2)], [-np.log(3)] * 3])
    np.testing.assert_allclose(f(x), expected if f is softmax else log_expected, rtol=1e-15)
    w = np.array([[1.0, 2.0, -1.0], [0.5, 1.0, 0.0]])
    gradient = grad(lambda t: np.sum(w * f(t)))(x)
    p = expected
    by_hand = p * (w - np.sum(w * p, -1, keepdims=True)) if f is softmax else w - p * np.sum(w, -1, keepdims=True)
    np.testing.assert_allclose(gradient, by_hand, rtol=1e-14, atol=1e-16)


def test_impossible_categories() -> None:
    """A logit of −inf has probability 0, and takes no part in the gradient; so in the second derivative."""
    x, labels = np.array([[-INF, 1.0, 2.0], [0.5, -INF, -INF]]), np.array([2, 0])
    assert (softmax(x)[[0, 1, 1], [0, 1, 2]] == 0).all()
    assert (log_softmax(x)[[0, 1, 1], [0, 1, 2]] == -INF).all()

    def loss(t: Any) -> Any:
        return np.sum(categorical_log_prob(t, labels))

    p = np.exp(1) / (np.exp(1) + np.exp(2))
    np.testing.assert_allclose(loss(x), np.log(1 - p), rtol=1e-14)
    np.testing.assert_allclose(grad(loss)(x), [[0, -p, p], [0, 0, 0]], rtol=1e-14)
    t = Tensor(x, requires_grad=True)
    loss(t).backward(create_graph=True)
    t.grad, first = None, t.grad
    np.sum(first[0, 1]).backward()
    np.testing.assert_allclose(t.grad, [[0, -p * (1 - p), p * (1 - p)], [0, 0, 0]], rtol=1e-14)
    for gradient in (grad(lambda t: np.sum(softmax(t)[0, 1:]))(x), grad(lambda t: np.sum(log_softmax(t)[0, 1:]))(x)):
        assert np.isfinite(gradient).all()


def test_an_impossible_label() -> None:
    """log 0 = −inf, and the gradient still says where probability is missing: 1[label] − p."""
    x, labels = np.array([[-INF, 0.0, 0.0]]), np.array([0])
    assert categorical_log_prob(x, labels) == -INF
    assert grad(lambda t: np.sum(categorical_log_prob(t, labels)))(x).tolist() == [[1.0, -0.5, -0.5]]


@pytest.mark.parametrize("far", [-INF, INF])
def test_a_row_without_probabilities_is_refused(far: float) -> None:
    x = a_batch(2, 3, 5)
    x[1, 2, 3 if far > 0 else slice(None)] = far
    what = "a logit is inf" if far > 0 else "all logits are -inf"
    for f in (softmax, log_softmax, lambda x: categorical_log_prob(x, np.zeros((2, 3), int))):
        with pytest.raises(ValueError, match=rf"{what} in the row at \(1, 2\)"):
            f(x)
    for f in (softmax, log_softmax):
        with pytest.raises(ValueError, match=rf"{what} in the row at \(1, 2\)"):
            f(np.moveaxis(x, -1, 1), axis=1)


def test_a_nan_stays_in_its_row_of_log_softmax() -> None:
    x = a_batch(2, 3)
    x[0, 1] = np.nan
    assert np.isnan(log_softmax(x)).all(axis=1).tolist() == [True, False]
    assert np.isnan(softmax(x)).all(axis=1).tolist() == [True, False]


logits = arrays(np.float32, array_shapes(min_dims=1, max_dims=3), elements=st.floats(-200, 200, width=32))


@given(logits)
def test_probabilities(x: np.ndarray) -> None:
    """Probabilities are in [0, 1] and sum to 1; no log-probability is above 0, not by rounding either."""
    p = softmax(x)
    assert p.dtype == np.float32
    assert p.min() >= 0 and p.max() <= 1
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=1e-6)
    assert log_softmax(x).max() <= 0
    assert categorical_log_prob(x, np.argmax(x, axis=-1)).max() <= 0


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.uint32])
def test_labels_of_any_integer_dtype(dtype: Any) -> None:
    x = a_batch(4, 200)
    labels = np.array([0, 5, 100, 127], dtype)
    np.testing.assert_allclose(
        categorical_log_prob(x, labels), log_softmax(x)[range(4), labels.astype(int)], rtol=1e-13
    )


def test_labels_that_broadcast() -> None:
    """Labels (B, D) for logits (K, B, D, V), as for K samples of the same data."""
    x, labels = a_batch(4, 2, 3, 5), np.array([[0, 4, 1], [2, 4, 3]])
    expected = [categorical_log_prob(x[k], labels) for k in range(4)]
    np.testing.assert_allclose(categorical_log_prob(x, labels), expected, rtol=1e-14)
    by_one = [grad(lambda t: np.sum(categorical_log_prob(t, labels)))(x[k]) for k in range(4)]
    np.testing.assert_allclose(grad(lambda t: np.sum(categorical_log_prob(t, labels)))(x), by_one, rtol=1e-13)


@pytest.mark.parametrize("label", [-1, 5, 255])
def test_a_label_out_of_range_is_refused(label: int) -> None:
    with pytest.raises(ValueError, match=rf"labels has {label} at \(1,\); with 5 logits it must be from 0 to 4"):
        categorical_log_prob(a_batch(3, 5), np.array([0, label, 2]))


def test_labels_of_another_kind_are_refused() -> None:
    for labels in (np.array([0.0, 1.0, 2.0]), np.array([True, False, True])):
        with pytest.raises(TypeError, match=f"labels are {labels.dtype}; they must be integers"):
            categorical_log_prob(a_batch(3, 5), labels)
    for shape in [(4,), (3, 1), (2, 3)]:
        with pytest.raises(ValueError, match=r"labels of shape .* for logits of shape \(3, 5\): expected \(3,\)"):
            categorical_log_prob(a_batch(3, 5), np.zeros(shape, int))


def test_the_logits_are_left_alone() -> None:
    """The log-probability computes in place, on a copy: also where the transposed logits need none to be contiguous."""
    for x in (a_batch(3, 5), a_batch(5, 3).T, a_batch(1, 5), a_batch(3, 1)):
        before = x.copy()
        categorical_log_prob(x, np.zeros(len(x), int))
        assert (x == before).all()
