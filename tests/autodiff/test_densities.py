"""Log-densities, divergences and the squared error beyond the gradient check's samples.

Equation numbers are those of ``scratchgen.autodiff.densities``.
"""

from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.autodiff import Tensor, grad, value_and_grad
from scratchgen.autodiff.densities import bernoulli_log_prob, gaussian_kl, gaussian_log_prob, mse

LN2, TINY = np.log(2.0), np.exp(-40.0)
LOG_2PI = np.log(2 * np.pi)


def elementwise(f: Any, *args: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    """f, and its derivative with respect to each argument, at each element."""
    leaves = [Tensor(a, requires_grad=True) for a in args]
    y = f(*leaves)
    y.backward(np.ones(y.shape, y.dtype))
    return y.data, [leaf.grad for leaf in leaves]


# -- Bernoulli -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "values", "slopes"),
    [
        (1.0, [-800, -40, -LN2, -TINY, 0], [1, 1, 0.5, 0, 0]),
        (0.0, [0, -TINY, -LN2, -40, -800], [0, -TINY, -0.5, -1, -1]),
        (0.5, [-400, -20, -LN2, -20, -400], [0.5, 0.5, 0, -0.5, -0.5]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bernoulli_at_extreme_logits(x: float, values: list[float], slopes: list[float], dtype: Any) -> None:
    """(1) and (2); the slope x − σ is right to one rounding of 1, the value to its last digits."""
    logits = np.array([-800, -40, 0, 40, 800], dtype)
    got, (slope, _) = elementwise(bernoulli_log_prob, logits, np.full(5, x, dtype))
    assert got.dtype == slope.dtype == dtype
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(got, values, rtol=8 * eps, atol=1e-30)
    np.testing.assert_allclose(slope, slopes, rtol=8 * eps, atol=eps)


def test_bernoulli_sums_to_one() -> None:
    logits = np.linspace(-50, 50, 101)
    total = np.exp(bernoulli_log_prob(logits, 1.0)) + np.exp(bernoulli_log_prob(logits, 0.0))
    np.testing.assert_allclose(total, 1.0, rtol=1e-14)
    near = np.linspace(-10, 10, 21)  # further out, log(1 − p) loses its digits
    expected = scipy.stats.bernoulli.logpmf([[0], [1]], 1 / (1 + np.exp(-near)))
    np.testing.assert_allclose(bernoulli_log_prob(near, np.array([[0.0], [1.0]])), expected, rtol=1e-11)


def test_bernoulli_takes_data_of_any_kind() -> None:
    logits = np.array([1.0, -2.0], np.float32)
    as_floats = bernoulli_log_prob(logits, np.array([1, 0], np.float32))
    for x in (np.array([True, False]), np.array([1, 0], np.uint8)):
        y = bernoulli_log_prob(Tensor(logits, requires_grad=True), x)
        assert y.dtype == np.float32
        assert (y.data == as_floats).all()


@pytest.mark.parametrize("wrong", [1.5, -0.1, 255.0, np.nan, np.inf])
def test_bernoulli_data_outside_the_unit_interval_are_refused(wrong: float) -> None:
    x = np.full((2, 3), 0.5)
    x[1, 2] = wrong
    with pytest.raises(ValueError, match=rf"x has {wrong} at \(1, 2\); Bernoulli data must lie in \[0, 1\]"):
        bernoulli_log_prob(Tensor(np.zeros((2, 3)), requires_grad=True), x)


# -- Gaussian ------------------------------------------------------------------------------------------------------


def test_gaussian_against_scipy() -> None:
    rng = np.random.default_rng(0)
    x, mean, logvar = rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal(0, 2, (2, 1))
    expected = scipy.stats.norm.logpdf(x, mean, np.exp(logvar / 2))
    np.testing.assert_allclose(gaussian_log_prob(x, mean, logvar), expected, rtol=1e-13)


@pytest.mark.parametrize("logvar", [-700.0, -30.0, 0.0, 30.0, 700.0])
def test_gaussian_at_extreme_variances(logvar: float) -> None:
    """(3) and (4) at z = 0, ±1, ±3, computed by hand."""
    std, z = np.exp(logvar / 2), np.array([0.0, 1.0, -1.0, 3.0])
    y, (dx, dm, dv) = elementwise(gaussian_log_prob, std * z, np.zeros(4), np.full(4, logvar))
    np.testing.assert_allclose(y, -0.5 * (LOG_2PI + logvar + z * z), rtol=1e-13)
    np.testing.assert_allclose(dx, -z / std, rtol=1e-13)
    np.testing.assert_allclose(dm, z / std, rtol=1e-13)
    np.testing.assert_allclose(dv, 0.5 * (z * z - 1), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("logvar", [-5000.0, -700.0, -180.0, 180.0, 700.0, 5000.0])
def test_gaussian_at_its_mean_is_never_nan(logvar: float, dtype: Any) -> None:
    """1/std may overflow, but (x − mean) / std is 0 at x = mean."""
    one = np.ones(1, dtype)
    y, (dx, dm, dv) = elementwise(gaussian_log_prob, one, one, logvar * one)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, -0.5 * (LOG_2PI + logvar), rtol=1e-6)
    assert (dx, dm, dv) == (0.0, 0.0, -0.5)
    kl, (dm, dv, dmp, dvp) = elementwise(gaussian_kl, one, logvar * one, one, logvar * one)
    assert (kl, dm, dv, dmp, dvp) == (0.0, 0.0, 0.0, 0.0, 0.0)


def test_python_numbers_keep_float32() -> None:
    t = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    results = [
        gaussian_log_prob(t, 0.5, -1.0),
        gaussian_log_prob(0.5, t, -1),
        gaussian_log_prob(0.5, 1.0, t),
        gaussian_log_prob(t, np.float64(0.5), np.float64(1.0)),
        gaussian_kl(t, -1.0),
        gaussian_kl(0, t),
        gaussian_kl(t, -1.0, 0.5, 2.0),
        gaussian_kl(0.5, -1.0, t, 2.0),
        gaussian_kl(0.5, -1.0, 0.5, t),
        bernoulli_log_prob(t, 1.0),
        bernoulli_log_prob(0.5, t),
    ]
    for y in results:
        assert y.dtype == np.float32
        t.grad = None
        y.backward(np.ones((2, 3), np.float32), retain_graph=True)
        assert t.grad.dtype == np.float32
        t.grad = None
        y.backward(np.ones((2, 3), np.float32), create_graph=True)
        assert t.grad.dtype == np.float32


def test_one_node_and_plain_arrays() -> None:
    a = np.full((2, 3), 0.5)
    for f, args in [(gaussian_log_prob, 3), (gaussian_kl, 2), (gaussian_kl, 4), (bernoulli_log_prob, 2), (mse, 2)]:
        leaves = [Tensor(a, requires_grad=True) for _ in range(args)]
        y = f(*leaves)
        assert [parent for _, parent in y.parents] == leaves
        plain = f(*[a] * args)
        assert not isinstance(plain, Tensor)
        assert (plain == y.data).all()


# -- Kullback–Leibler ----------------------------------------------------------------------------------------------


def test_kl_against_quadrature() -> None:
    """E_q[log q − log p] by Gauss–Hermite, exact for the quadratic log-ratio, at asymmetric parameters."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()
    for q, p in [((0.7, -0.4), (-0.2, 0.9)), ((-1.5, 1.1), (0.3, -0.6)), ((0.7, -0.4), (0.0, 0.0))]:
        x = q[0] + np.exp(q[1] / 2) * nodes
        expected = np.sum(weights * (gaussian_log_prob(x, *q) - gaussian_log_prob(x, *p)))
        np.testing.assert_allclose(gaussian_kl(*q, *p), expected, rtol=1e-12)
    np.testing.assert_allclose(gaussian_kl(0.7, -0.4), gaussian_kl(0.7, -0.4, 0.0, 0.0), rtol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kl_is_never_negative(dtype: Any) -> None:
    """½ (expm1(d) − d) at 200,000 log-variances from ±1e-20 to ±30: not by rounding either. At 0 it is 0."""
    size = np.logspace(-20, np.log10(30), 100_000)
    logvar = np.concatenate([-size, [0.0], size]).astype(dtype)
    kl = gaussian_kl(np.zeros((), dtype), logvar)
    assert kl.dtype == dtype
    assert kl.min() >= 0
    assert kl[size.size] == 0
    large = abs(logvar) > 1  # where the textbook form has its digits
    exact = 0.5 * (np.exp(logvar.astype(np.float64)) - 1 - logvar)
    np.testing.assert_allclose(kl[large], exact[large], rtol=100 * np.finfo(dtype).eps)


def test_kl_near_zero() -> None:
    """½ (eᵛ − 1 − v) ≈ v²/4, with derivative v/2."""
    for v in (1e-9, -1e-9, 1e-5, -1e-5):
        value, slope = value_and_grad(lambda t: gaussian_kl(0.0, t))(np.array(v))
        np.testing.assert_allclose(value, v * v / 4, rtol=1e-4 if abs(v) > 1e-7 else 1e-1)
        np.testing.assert_allclose(slope, v / 2, rtol=1e-5)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_kl_of_a_density_to_itself_is_exactly_zero(mean: float, logvar: float) -> None:
    _, gradients = elementwise(gaussian_kl, *[np.array(v) for v in (mean, logvar, mean, logvar)])
    assert gaussian_kl(mean, logvar, mean, logvar) == 0
    assert gradients == [0, 0, 0, 0]


@pytest.mark.parametrize("logvar", [-700.0, -30.0, 30.0, 700.0])
def test_kl_at_extreme_variances(logvar: float) -> None:
    value, (dm, dv) = elementwise(gaussian_kl, np.array(2.0), np.array(logvar))
    np.testing.assert_allclose(value, 0.5 * (4 + np.expm1(logvar) - logvar), rtol=1e-14)
    np.testing.assert_allclose((dm, dv), (2.0, 0.5 * np.expm1(logvar)), rtol=1e-14)


# -- mean squared error --------------------------------------------------------------------------------------------


def test_mse_sums_over_dimensions_and_averages_over_the_batch() -> None:
    """At two dims and more, where a mean over everything would differ."""
    rng = np.random.default_rng(0)
    for shape in [(5,), (5, 2), (5, 2, 3)]:
        prediction, target = rng.normal(size=(2, *shape))
        value, gradient = value_and_grad(mse)(prediction, target)
        np.testing.assert_allclose(value, np.sum((prediction - target) ** 2) / 5, rtol=1e-14)
        np.testing.assert_allclose(gradient, 2 * (prediction - target) / 5, rtol=1e-14)


@pytest.mark.parametrize(
    ("prediction", "target", "hint"),
    [
        ((5, 1), (5,), r"; did you mean prediction\[:, 0\]\?"),
        ((5,), (5, 1), r"; did you mean target\[:, 0\]\?"),
        ((5, 3, 1), (5, 3), r"; did you mean prediction\[:, :, 0\]\?"),
        ((5, 2), (5, 3), "$"),
        ((5, 2), (2,), "$"),
        ((1, 2), (5, 2), "$"),
    ],
)
def test_mse_refuses_what_would_broadcast(prediction: tuple[int, ...], target: tuple[int, ...], hint: str) -> None:
    with pytest.raises(ValueError, match=r"prediction has shape .*, target .*; they must be equal" + hint):
        mse(Tensor(np.zeros(prediction), requires_grad=True), np.zeros(target))


@pytest.mark.parametrize("shape", [(), (0,), (0, 3)])
def test_mse_refuses_an_empty_batch(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one row"):
        mse(np.zeros(shape), np.zeros(shape))


def test_second_derivative_of_mse() -> None:
    """The Hessian is 2/B times the identity."""
    x = np.zeros(4)
    second = grad(lambda t: np.sum(grad(lambda s: mse(s, np.ones(4)))(t)[1]))(x)
    np.testing.assert_allclose(second, [0, 0.5, 0, 0], rtol=1e-15)
