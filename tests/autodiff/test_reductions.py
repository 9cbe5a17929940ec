"""The conventions, extremes and errors of reductions; their derivatives proper are checked by the samples."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

from scratchgen.autodiff import Tensor, grad, hessian
from scratchgen.autodiff.reductions import logsumexp, prod_rule

REDUCTIONS = [np.sum, np.mean, np.var, np.std, np.max, np.min, np.prod, logsumexp]


def gradient(f: Callable[..., Any], x: Any, g: Any = None) -> np.ndarray:
    """dL/dx for L = ⟨g, f(x)⟩."""
    leaf = Tensor(x, requires_grad=True)
    f(leaf).backward(g)
    return leaf.grad


# -- which element has the gradient ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "x"), [(np.max, [1.0, 3.0, 3.0, 2.0]), (np.min, [5.0, 3.0, 3.0, 4.0])])
def test_ties_of_max_and_min_have_equal_shares(f: Any, x: list[float]) -> None:
    assert gradient(f, x).tolist() == [0.0, 0.5, 0.5, 0.0]


def test_ties_are_counted_in_each_row_by_itself() -> None:
    x = [[2.0, 2.0, 2.0], [2.0, 1.0, 0.0]]
    g = np.array([3.0, 5.0])
    assert gradient(lambda x: np.max(x, axis=1), x, g).tolist() == [[1.0, 1.0, 1.0], [5.0, 0.0, 0.0]]


def test_max_of_infinities() -> None:
    assert gradient(np.max, [-np.inf, np.inf, 0.0]).tolist() == [0.0, 1.0, 0.0]


# -- variance --------------------------------------------------------------------------------------------------------


def test_std_of_equal_values_has_gradient_zero_to_any_order() -> None:
    x = np.full((2, 3), 0.5)
    x[1] = [1.0, 2.0, 4.0]  # a row of its own, which must not suffer
    dx = gradient(lambda x: np.std(x, axis=1), x, np.ones(2))
    alone = gradient(np.std, x[1])
    assert dx[0].tolist() == [0.0, 0.0, 0.0] and np.array_equal(dx[1], alone) and alone.any()
    assert not hessian(np.std)(np.zeros(3)).any()


def test_std_of_nearly_equal_values_has_a_bounded_gradient() -> None:
    """‖dy/dx‖ = 1/√n wherever y > 0, be it by rounding: std([0.1, 0.1, 0.1]) is 1.4e-17."""
    dx = gradient(np.std, [0.1, 0.1, 0.1])
    assert np.linalg.norm(dx) <= 1 / np.sqrt(3) * (1 + 1e-15)


def test_var_has_the_hessian_of_its_definition() -> None:
    """var(x, ddof) = xᵀ C x / (n − ddof) with the centring matrix C = I − 1/n, so H = 2C / (n − ddof)."""
    x = np.random.default_rng(0).normal(size=5)
    expected = 2 * (np.eye(5) - 1 / 5) / 4
    np.testing.assert_allclose(hessian(lambda x: np.var(x, ddof=1))(x), expected, rtol=0, atol=1e-15)


# -- logsumexp -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (-1, 0)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_is_that_of_scipy(axis: Any, keepdims: bool) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 5)) * 300
    expected = scipy.special.logsumexp(x, axis=axis, keepdims=keepdims)
    for y in (logsumexp(x, axis, keepdims), logsumexp(Tensor(x), axis=axis, keepdims=keepdims).data):
        np.testing.assert_allclose(y, expected, rtol=1e-15)
        assert y.shape == expected.shape


def test_logsumexp_of_plain_arrays_behaves_as_a_numpy_function() -> None:
    assert isinstance(logsumexp(np.zeros(3)), np.float64)
    assert logsumexp([0.0, 0.0]) == np.log(2)
    assert logsumexp(np.zeros(3, np.float32)).dtype == np.float32
    assert logsumexp(np.zeros((2, 3), np.float32), axis=1).dtype == np.float32


@pytest.mark.parametrize(
    ("x", "value", "slope"),
    [
        ([800.0, 800.0], 800 + np.log(2), [0.5, 0.5]),
        ([-800.0, -800.0], -800 + np.log(2), [0.5, 0.5]),
        ([1e300, -1e300], 1e300, [1.0, 0.0]),
        ([-np.inf, 3.0], 3.0, [0.0, 1.0]),
        ([-np.inf, -np.inf], -np.inf, [0.0, 0.0]),  # no row to choose from: no gradient, and no NaN
        ([np.inf, 0.0], np.inf, [1.0, 0.0]),  # the limit of the softmax
        ([np.inf, 800.0], np.inf, [1.0, 0.0]),
        ([np.inf, -np.inf], np.inf, [1.0, 0.0]),
        ([np.inf, np.inf], np.inf, [0.5, 0.5]),
    ],
)
def test_logsumexp_at_extremes(x: list[float], value: float, slope: list[float]) -> None:
    """Its gradient is the softmax; alone, and beside an ordinary row."""
    assert logsumexp(np.array(x)) == value
    assert gradient(logsumexp, x).tolist() == slope
    stack = np.array([x, [0.0, np.log(3.0)]])
    expected = [slope, [0.25, 0.75]]
    np.testing.assert_allclose(gradient(lambda x: logsumexp(x, axis=1), stack, np.ones(2)), expected, rtol=1e-15)


def test_logsumexp_has_the_hessian_of_the_softmax() -> None:
    """H = diag(p) − p pᵀ, also where a category is impossible; and 0 where all are."""
    x = np.array([0.3, -np.inf, 1.2, -0.7])
    p = np.exp(x - scipy.special.logsumexp(x))
    np.testing.assert_allclose(hessian(logsumexp)(x), np.diag(p) - np.outer(p, p), rtol=0, atol=1e-15)
    assert not hessian(logsumexp)(np.full(3, -np.inf)).any()
    assert not hessian(logsumexp)(np.array([np.inf, 2.0])).any()


def test_logsumexp_of_a_nan_is_nan() -> None:
    assert np.isnan(gradient(logsumexp, [np.nan, 0.0])).all()


def test_logsumexp_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="zero-size"):
        logsumexp(np.zeros((2, 0)), axis=1)


# -- products --------------------------------------------------------------------------------------------------------


def test_prod_with_one_zero_has_a_gradient_at_the_zero_only() -> None:
    assert gradient(np.prod, [2.0, 0.0, 5.0]).tolist() == [0.0, 10.0, 0.0]
    assert gradient(np.prod, [2.0, 0.0, 0.0]).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("x", [[2.0, 3.0, 5.0, 7.0], [2.0, 0.0, 5.0, 7.0], [0.0, 3.0, 0.0, 7.0], [0.0, 0.0, 0.0, 7.0]])
def test_prod_has_the_derivatives_of_a_polynomial(x: list[float]) -> None:
    """∂²y/∂x_i∂x_j = ∏_{k≠i,j} x_k, 0 for i = j; the third derivatives likewise."""
    values = np.array(x)
    second = [[0.0 if i == j else np.prod(np.delete(values, [i, j])) for j in range(4)] for i in range(4)]
    assert hessian(np.prod)(values).tolist() == second
    third = hessian(lambda x: grad(np.prod)(x)[0])(values)
    assert third.tolist() == [
        [0.0 if len({0, i, j}) < 3 else np.prod(np.delete(values, [0, i, j])) for j in range(4)] for i in range(4)
    ]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 100])
def test_cumprod_by_doubling_reaches_the_end(n: int) -> None:
    """dL/dx_i = Σ_{k≥i} g_k y_k / x_i, which holds without zeros, for lengths around powers of two."""
    rng = np.random.default_rng(n)
    x, g = rng.uniform(0.9, 1.1, n), rng.normal(size=n)
    expected = np.cumsum((g * np.cumprod(x))[::-1])[::-1] / x
    np.testing.assert_allclose(gradient(np.cumprod, x, g), expected, rtol=1e-11)


# -- options, dtypes, shapes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", REDUCTIONS)
@pytest.mark.parametrize("axis", [None, 1, -1, (0, 1), ()])
def test_float32_stays_float32(f: Any, axis: Any) -> None:
    """To second order."""
    x = Tensor(np.arange(1.0, 7.0, dtype=np.float32).reshape(2, 3) / 7, requires_grad=True)
    y = np.sum(f(x, axis=axis))
    y.backward(create_graph=True)
    first, x.grad = x.grad, None
    assert y.dtype == first.dtype == np.float32
    if first.requires_grad:
        np.sum(first * first).backward()
        assert x.grad.dtype == np.float32


@pytest.mark.parametrize("f", REDUCTIONS)
def test_axis_by_position_and_by_name(f: Any) -> None:
    x = Tensor(np.arange(1.0, 7.0).reshape(2, 3))
    assert np.array_equal(f(x, 1).data, f(x, axis=1).data)
    assert np.array_equal(f(x, axis=1).data, f(x.data, axis=1))
    assert f(x, axis=1, keepdims=True).shape == (2, 1)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "max", "min", "prod", "cumsum", "cumprod"])
def test_methods_are_the_functions(name: str) -> None:
    x = Tensor(np.arange(1.0, 7.0).reshape(2, 3))
    assert np.array_equal(getattr(x, name)(axis=1).data, getattr(x.data, name)(axis=1))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x, 0, np.float64),  # by position this is dtype, not keepdims
        lambda x: np.sum(x, dtype=np.float64),
        lambda x: np.sum(x, where=np.array([True, False, True])),
        lambda x: np.sum(x, initial=3.0),
        lambda x: np.max(x, initial=3.0),
        lambda x: np.prod(x, initial=3.0),
        lambda x: np.mean(x, where=np.array([True, False, True])),
        lambda x: np.cumsum(x, 0, np.float64),
        lambda x: np.var(x, 0, np.float64),
        lambda x: np.var(x, correction=1),
    ],
)
def test_options_that_the_rules_do_not_know_are_refused(call: Any) -> None:
    with pytest.raises(TypeError, match="no derivative rule with"):
        call(Tensor([1.0, 2.0, 3.0], requires_grad=True))


@pytest.mark.parametrize("f", [np.sum, np.max, np.prod, np.cumsum, np.cumprod])
def test_a_number_has_one_axis_for_numpy(f: Any) -> None:
    """np.sum(3.0, axis=0) is 3.0, so its gradient is 1, with shape ()."""
    dx = gradient(lambda x: np.sum(f(x, axis=0)), 3.0)
    assert dx.shape == () and dx == 1.0


def test_empty_reductions() -> None:
    for f in (np.sum, np.prod):
        assert gradient(lambda x, f=f: f(x, axis=0), np.zeros((0, 3)), np.ones(3)).shape == (0, 3)
    with pytest.raises(ValueError, match="zero-size"):
        np.max(Tensor(np.zeros(0)))


def test_the_rules_leave_their_inputs_alone() -> None:
    x = np.array([[2.0, 0.0], [3.0, 5.0]])
    g, y = np.array([1.0, -1.0]), np.prod(x, axis=1)
    for array in (g, y, x):
        array.flags.writeable = False
    assert prod_rule(g, y, x, axis=1).tolist() == [[0.0, 2.0], [-5.0, -3.0]]
