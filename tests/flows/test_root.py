"""The root of an increasing function: against closed forms, at extremes, and how it moves with y and parameters."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgen.autodiff import Tensor, grad, hessian, jacobian, no_grad, sigmoid
from scratchgen.flows import root
from scratchgen.flows.root import solve_increasing

Pair = tuple[Any, Any]


def exp_and_line(x: Any) -> Pair:
    return np.exp(x) + x, np.exp(x) + 1


def cubic(x: Any) -> Pair:
    return x * x * x + x, 3 * x * x + 1


def logistic(x: Any) -> Pair:
    y = 1 / (1 + np.exp(-x))
    return y, y * (1 - y)


def test_roots_that_are_known() -> None:
    """Lambert's W for e^x + x = y, Cardano's formula for the cubic, the logit for the logistic function."""
    from scipy.special import lambertw, logit

    y = np.array([[-30.0, -1.0, 0.0], [1.0, 2.5, 400.0]])
    np.testing.assert_allclose(solve_increasing(exp_and_line, y), y - lambertw(np.exp(y)).real, rtol=1e-14, atol=1e-14)
    half = np.sqrt(y * y / 4 + 1 / 27)
    cardano = np.cbrt(np.abs(y) / 2 + half) - 1 / (3 * np.cbrt(np.abs(y) / 2 + half))  # without cancellation
    np.testing.assert_allclose(solve_increasing(cubic, y), np.sign(y) * cardano, rtol=1e-13, atol=1e-15)
    p = np.array([1e-300, 1e-12, 0.3, 0.5, 0.99])
    np.testing.assert_allclose(solve_increasing(logistic, p), logit(p), rtol=1e-13, atol=1e-15)


def test_a_given_bracket_is_kept_to() -> None:
    """x is not looked for outside [0, 1], where this f is not defined."""

    def f(x: np.ndarray) -> Pair:
        assert np.all((x >= 0) & (x <= 1))
        return np.sqrt(x), 0.5 / np.sqrt(x)

    x = solve_increasing(f, np.array([0.0, 0.1, 0.9, 1.0]), (0.0, 1.0))
    np.testing.assert_allclose(x, [0, 0.01, 0.81, 1], rtol=1e-14, atol=1e-30)
    np.testing.assert_allclose(
        solve_increasing(cubic, np.array([2.0, 10.0]), (np.array([0.0, 1.5]), np.array([1.0, 3.0]))), [1.0, 2.0]
    )


@settings(deadline=None, max_examples=60)
@given(st.floats(-1e6, 1e6), st.floats(-8, 8), st.floats(0.0, 40.0))
def test_any_root_is_found_to_the_last_digits(x: float, log_scale: float, bend: float) -> None:
    """s (u + bend · tanh(u − x)), steep in one place and flat elsewhere, at its value at x, to rounding of f."""
    scale = np.exp(log_scale)

    def f(u: np.ndarray) -> Pair:
        t = np.tanh(u - x)
        return scale * (u + bend * t), scale * (1 + bend * (1 - t * t))

    for at in (x, x + 1.0, x - 3.0):
        u = np.array([at])
        np.testing.assert_allclose(solve_increasing(f, f(u)[0]), u, rtol=1e-13, atol=1e-13 * (1 + bend))


def test_a_search_comes_no_nearer_than_rounding() -> None:
    """Where f is a difference, its last digits are noise: a search that knows takes fewer steps, and is as near."""
    calls = []

    def f(x: np.ndarray) -> Pair:
        calls.append(x)
        return np.log(1 + np.exp(x)) - np.log(1 + np.exp(-x)), np.ones_like(x)  # x, from two numbers near 0.7

    y = 1e-3 * np.random.default_rng(0).standard_normal(1000)
    counts = []
    for rounding in (0.0, 8.0):
        calls.clear()
        np.testing.assert_allclose(solve_increasing(f, y, (-1.0, 1.1), rounding), y, rtol=0, atol=2e-15)
        counts.append(len(calls))
    assert counts[1] < 10 < counts[0]


def test_few_steps_are_needed() -> None:
    """Newton does most of the work: bisection alone takes over 60; and a root that is found is left alone."""
    calls = []

    def f(x: np.ndarray) -> Pair:
        calls.append(x)
        return exp_and_line(x)

    solve_increasing(f, np.linspace(-200, 200, 5001))
    assert len(calls) < 40


@pytest.mark.parametrize("f", [cubic, exp_and_line])
def test_extreme_y(f: Callable[[Any], Pair]) -> None:
    """The root of the largest and of the smallest numbers, f overflowing on the way."""
    y = np.array([-1e300, -1e30, -1e-30, 0.0, 1e-30, 1e30, 1e300])
    x = solve_increasing(f, y)
    np.testing.assert_allclose(f(x)[0], y, rtol=1e-12, atol=1e-15)


def test_float32_stays_float32() -> None:
    y = np.linspace(-3, 3, 7, dtype=np.float32)
    x = solve_increasing(cubic, y)
    assert x.dtype == np.float32
    np.testing.assert_allclose(cubic(x)[0], y, rtol=1e-5, atol=1e-6)
    assert solve_increasing(cubic, np.zeros((0, 2), np.float32)).shape == (0, 2)


def test_bounds_take_the_dtype_of_y() -> None:
    """Those of float64, and integers, make no float64 of a float32 root."""
    y = np.array([0.3, -0.7], np.float32)
    for low, high in ((np.array(-4.0), np.array(4.0)), (-4, 4)):
        x = solve_increasing(lambda x: (np.tanh(x), 1 - np.tanh(x) ** 2), y, (low, high))
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, np.arctanh(y), rtol=1e-6)


# -- derivatives (3) -------------------------------------------------------------------------------------------------


def test_the_derivative_by_y_and_by_a_parameter() -> None:
    """e^x = y / a: dx/dy = 1/y, dx/da = −1/a, and the result is the same number as without a graph."""
    y, a = Tensor(np.array([0.5, 3.0]), requires_grad=True), Tensor(np.array([2.0, 0.25]), requires_grad=True)
    x = solve_increasing(lambda x: (a * np.exp(x), a * np.exp(x)), y)
    np.testing.assert_allclose(x.data, np.log(y.data / a.data), rtol=1e-14)
    np.sum(x).backward()
    np.testing.assert_allclose(y.grad, 1 / y.data, rtol=1e-13)
    np.testing.assert_allclose(a.grad, -1 / a.data, rtol=1e-13)
    plain = solve_increasing(lambda x: (a.data * np.exp(x), a.data * np.exp(x)), y.data)
    np.testing.assert_array_equal(x.data, plain)


def test_second_and_third_derivatives() -> None:
    """log y by the root of e^x = y: −1/y² and 2/y³, of two steps of Newton exactly."""

    def log(y: Any) -> Any:
        return np.sum(solve_increasing(lambda x: (np.exp(x), np.exp(x)), y))

    y = np.array([0.5, 3.0])
    np.testing.assert_allclose(hessian(log)(y), np.diag(-1 / y**2), rtol=1e-12)
    third = jacobian(grad(lambda y: np.sum(grad(log)(y))))(y)
    np.testing.assert_allclose(third, np.diag(2 / y**3), rtol=1e-11)


def test_no_graph_where_none_is_asked_for() -> None:
    a = Tensor(np.array([2.0]), requires_grad=True)
    with no_grad():
        x = solve_increasing(lambda x: (a * x, a + 0 * x), np.array([3.0]))
    np.testing.assert_allclose(x, [1.5])


def test_the_rounding_of_f_does_not_move_the_root() -> None:
    """Where f moves in steps of 8.9e-16, half a step over a slope of 1e-15 would move x by far."""

    def f(x: Any) -> Pair:
        return 8 * sigmoid(x) - 7, 8 * sigmoid(x) * sigmoid(-x)

    y = 1 - np.arange(1, 40) * 1.1102230246251565e-16
    x = solve_increasing(f, y)
    assert np.abs(f(x)[0] - y).max() > 1e-16
    np.testing.assert_array_equal(solve_increasing(f, Tensor(y, requires_grad=True)).data, x)


def test_a_slope_that_underflows_does_not_move_the_root() -> None:
    """Where f′ = 1e-200 at the root, the rounding of f(x) is not divided by it."""

    def f(x: Any) -> Pair:
        return sigmoid(x), sigmoid(x) * sigmoid(-x)

    y = Tensor(np.array([1 - 2e-16, 1e-200]), requires_grad=True)
    x = solve_increasing(f, y)
    np.testing.assert_allclose(x.data[1], np.log(1e-200))
    assert 35 < float(x.data[0]) < 38
    np.sum(x).backward()
    np.testing.assert_allclose(y.grad[1], 1e200, rtol=1e-12)


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "y", "between", "error", "message"),
    [
        (cubic, [1.0, np.nan], None, ValueError, r"y has nan at \(1,\)"),
        (logistic, [0.5, 1.5], None, ValueError, r"y has 1.5 at \(1,\); 1 of 2 values are not between f\(low\)"),
        (cubic, [0.0, 10.0], (-1.0, 1.0), ValueError, r"y has 10.0 at \(1,\).* -2 at -1 and 2 at 1"),
        (lambda x: (np.sign(x) + x, 1 + 0 * x), [0.5, 2.0], None, ArithmeticError, r"f\(x\) − y is .*e-01 at \(0,\)"),
        (lambda x: (-x, 1 + 0 * x), [0.5], None, ValueError, "not between"),
        (lambda x: (np.where(np.abs(x) < 0.9, np.nan, x), 1 + 0 * x), [0.5], None, ArithmeticError, "is nan"),
    ],
)
def test_what_is_refused(f: Any, y: list[float], between: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        solve_increasing(f, np.array(y), between)


@pytest.mark.parametrize("y", [np.array([1, 2]), np.array([True]), np.ma.ones(2), 2])
def test_y_of_another_type(y: Any) -> None:
    with pytest.raises(TypeError, match=r"y is (int64; a root|bool; a root|a masked array)"):
        solve_increasing(cubic, y)


def test_too_few_steps_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root, "MOST", 3)
    with pytest.raises(ArithmeticError, match="did not converge for 1 of 1"):
        solve_increasing(exp_and_line, np.array([1e8]))
