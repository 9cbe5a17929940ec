"""The rational-quadratic spline: the formulas of its paper, exactness at knots and bounds, and what is refused."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from scratchgen.autodiff import Tensor
from scratchgen.flows import SplineMap
from scratchgen.flows.spline import Knots, bin_of, forward, inverse

B, K = 2.0, 6
SPLINE = SplineMap(K, bound=B)


def theta_of(n: int, seed: int = 0, spread: float = 2.0) -> np.ndarray:
    return spread * np.random.default_rng(seed).standard_normal((n, SPLINE.numbers))


def as_in_the_paper(x: float, xs: np.ndarray, ys: np.ndarray, d: np.ndarray) -> tuple[float, float]:
    """Durkan et al., section 3.1, of one x inside, with their letters."""
    k = int(np.searchsorted(xs, x, side="right")) - 1
    s = (ys[k + 1] - ys[k]) / (xs[k + 1] - xs[k])
    xi = (x - xs[k]) / (xs[k + 1] - xs[k])
    below = s + (d[k + 1] + d[k] - 2 * s) * xi * (1 - xi)
    y = ys[k] + (ys[k + 1] - ys[k]) * (s * xi**2 + d[k] * xi * (1 - xi)) / below
    slope = s**2 * (d[k + 1] * xi**2 + 2 * s * xi * (1 - xi) + d[k] * (1 - xi) ** 2) / below**2
    return y, slope


def test_the_formulas_of_the_paper() -> None:
    """(2) and (3)."""
    theta, x = theta_of(200), np.random.default_rng(1).uniform(-B, B, 200)
    y, log_slope = SPLINE.forward(x, theta)
    expected = [as_in_the_paper(x[i], *(part[i] for part in SPLINE.knots(theta))) for i in range(200)]
    np.testing.assert_allclose(y, [value for value, _ in expected], rtol=0, atol=1e-13)
    np.testing.assert_allclose(log_slope, np.log([slope for _, slope in expected]), rtol=0, atol=1e-12)


def test_the_inverse_is_the_root() -> None:
    """(4), against a root of the formulas of the paper by bisection."""
    theta, y = theta_of(50, seed=3), np.random.default_rng(4).uniform(-B, B, 50)
    x, log_slope = SPLINE.inverse(y, theta)
    knots = SPLINE.knots(theta)
    for i, (xs, ys, d) in enumerate(zip(*knots)):

        def off(v: float, i: int = i, xs: Any = xs, ys: Any = ys, d: Any = d) -> float:
            return as_in_the_paper(v, xs, ys, d)[0] - y[i]

        root = brentq(off, -B, np.nextafter(B, 0), xtol=1e-14, rtol=1e-14)
        assert x[i] == pytest.approx(root, abs=1e-11)
        assert log_slope[i] == pytest.approx(-np.log(as_in_the_paper(root, xs, ys, d)[1]), abs=1e-9)


def test_the_knots() -> None:
    """From −B to B exactly, rising, with slopes above 0 that are 1 at both ends; those of θ = 0 lie on the diagonal."""
    knots = SPLINE.knots(theta_of(100, spread=20.0))
    for part in (knots.x, knots.y):
        assert np.all(part[:, 0] == -B) and np.all(part[:, -1] == B)
        assert np.all(np.diff(part) > 0.99 * 2 * B * SPLINE.least_width)
    assert np.all(knots.slope >= SPLINE.least_slope) and np.all(knots.slope[:, [0, -1]] == 1)
    at_zero = SPLINE.knots(np.zeros(SPLINE.numbers))
    for part in (at_zero.x, at_zero.y):
        np.testing.assert_allclose(part, np.linspace(-B, B, K + 1), rtol=0, atol=1e-15)
    np.testing.assert_allclose(at_zero.slope, 1, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_knots_are_mapped_to_each_other_exactly(dtype: Any) -> None:
    """And the slope there is δ."""
    theta = theta_of(40).astype(dtype)
    knots, eps = SPLINE.knots(theta), np.finfo(dtype).eps
    for k in range(K + 1):
        y, log_slope = SPLINE.forward(knots.x[:, k], theta)
        np.testing.assert_array_equal(y, knots.y[:, k])
        np.testing.assert_allclose(log_slope, np.log(knots.slope[:, k]), rtol=0, atol=50 * eps)
        x, log_slope = SPLINE.inverse(knots.y[:, k], theta)
        np.testing.assert_array_equal(x, knots.x[:, k])
        np.testing.assert_allclose(log_slope, -np.log(knots.slope[:, k]), rtol=0, atol=50 * eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_ulp_to_either_side_of_a_knot(dtype: Any) -> None:
    """Of every knot, ±B among them: finite, in order, no further off than slope and ulp allow."""
    theta = theta_of(40).astype(dtype)
    knots, eps = SPLINE.knots(theta), float(np.finfo(dtype).eps)
    directions = (
        (SPLINE.forward, knots.x, knots.y, knots.slope),
        (SPLINE.inverse, knots.y, knots.x, 1 / knots.slope),
    )
    for apply, source, target, slope in directions:
        for k in range(K + 1):
            for end in (-np.inf, np.inf):
                h = np.nextafter(source[:, k], dtype(end))
                image, log_slope = apply(h, theta)
                steepest = np.maximum(slope.max(axis=1), (np.diff(target) / np.diff(source)).max(axis=1))
                assert np.all(np.abs(image - target[:, k]) <= 8 * B * eps * (1 + steepest))
                assert np.all(np.abs(image) <= max((1 + 4 * eps) * B, float(np.abs(h).max())))
                if dtype == np.float64:  # one of float32 is far enough for another slope
                    np.testing.assert_allclose(log_slope, np.log(slope[:, k]), rtol=0, atol=1e-7)


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_outside_it_is_the_identity(scale: float) -> None:
    """All inputs outside, ±B too: exactly themselves, and no gradient reaches θ."""
    x = scale * np.array([-3.0, -B, B, 2.5])
    for apply in (SPLINE.forward, SPLINE.inverse):
        theta = Tensor(theta_of(4), requires_grad=True)
        y, log_slope = apply(x, theta)
        np.testing.assert_array_equal(y.data, x)
        np.testing.assert_array_equal(log_slope.data, 0)
        (np.sum(y) + np.sum(log_slope)).backward()
        np.testing.assert_array_equal(theta.grad, 0)


def test_extreme_splines_invert() -> None:
    """Slopes of 0.001 beside slopes of 1000, in bins a thousandth wide beside bins a thousandth high."""
    rng = np.random.default_rng(5)
    theta = rng.choice([-1e3, 1e3], (4000, SPLINE.numbers))
    x = rng.uniform(-B, B, 4000)
    for there, back in ((SPLINE.forward, SPLINE.inverse), (SPLINE.inverse, SPLINE.forward)):
        y, log_slope = there(x, theta)
        assert np.isfinite(y).all() and np.isfinite(log_slope).all() and np.all(np.abs(y) <= B + 1e-15)
        again, _ = back(y, theta)
        error = np.abs(again - x) / np.maximum(1, np.exp(-log_slope))  # a rounding of y, through the inverse's slope
        assert error.max() < 1e-10


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_splines_at_their_knots(dtype: Any) -> None:
    """And an ulp to either side: no root of a negative number, and images that stay where they belong."""
    theta = np.random.default_rng(5).choice([-1e3, 1e3], (500, SPLINE.numbers)).astype(dtype)
    knots = SPLINE.knots(theta)
    for apply, source, target in ((SPLINE.forward, knots.x, knots.y), (SPLINE.inverse, knots.y, knots.x)):
        for k in range(K + 1):
            for h in (source[:, k], *(np.nextafter(source[:, k], dtype(end)) for end in (-np.inf, np.inf))):
                image, log_slope = apply(h, theta)
                assert np.isfinite(image).all() and np.isfinite(log_slope).all()
                low, high = target[:, max(k - 1, 0)], target[:, min(k + 1, K)]
                margin = 8 * B * float(np.finfo(dtype).eps)
                assert np.all((image >= low - margin) & (image <= high + margin))


def test_gradients_at_knots_are_finite() -> None:
    theta = theta_of(40)
    knots = SPLINE.knots(theta)
    for apply, source in ((SPLINE.forward, knots.x), (SPLINE.inverse, knots.y)):
        for k in range(K + 1):
            leaves = [Tensor(source[:, k], requires_grad=True), Tensor(theta, requires_grad=True)]
            y, log_slope = apply(*leaves)
            (np.sum(y) + np.sum(log_slope)).backward()
            assert all(leaf.grad is not None and np.isfinite(leaf.grad).all() for leaf in leaves)


def test_a_straight_line() -> None:
    """Where all slopes equal s, (4)'s quadratic term vanishes: both ways are linear."""
    line = Knots(*(np.tile(a, (5, 1)) for a in ([0.0, 1.0, 3.0], [0.0, 2.0, 6.0], [2.0, 2.0, 2.0])))
    x = np.array([0.0, 0.3, 1.0, 2.2, 3.0])
    for apply, h, edges, factor in ((forward, x, line.x, 2.0), (inverse, 2 * x, line.y, 0.5)):
        image, log_slope = apply(h, bin_of(h, edges, line))
        np.testing.assert_allclose(image, factor * h, rtol=0, atol=1e-15)
        np.testing.assert_allclose(log_slope, np.log(factor), rtol=0, atol=1e-15)


def test_nan_stays_nan_where_it_is() -> None:
    """In x or in one θ: no other number changes."""
    theta, x = theta_of(3), np.array([0.5, -0.5, 1.0])
    expected = SPLINE.forward(x, theta)[0]
    for place in (x, theta):
        kept = place.copy()
        place[1] = np.nan
        for apply in (SPLINE.forward, SPLINE.inverse):
            image = apply(x, theta)[0]
            assert np.isnan(image[1]) and np.isfinite(image[[0, 2]]).all()
        np.testing.assert_array_equal(SPLINE.forward(x, theta)[0][[0, 2]], expected[[0, 2]])
        place[...] = kept


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bins": 1000}, ValueError, "bins is 1000, but of least_width 0.001 at most 999 fit"),
        ({"bins": 10, "least_width": 0.1}, ValueError, "at most 9 fit"),
        ({"bins": 1}, ValueError, "bins is 1; it must be at least 2"),
        ({"bins": 4.0}, TypeError, "bins is 4.0"),
        ({"bins": True}, TypeError, "bins is True"),
        ({"bound": 0.0}, ValueError, "bound is 0.0"),
        ({"bound": np.inf}, ValueError, "bound is inf"),
        ({"least_width": 0.0}, ValueError, "least_width is 0.0"),
        ({"least_slope": 1.0}, ValueError, "least_slope is 1.0"),
        ({"least_slope": np.nan}, ValueError, "least_slope is nan"),
    ],
)
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SplineMap(**options)


def test_as_many_bins_as_fit() -> None:
    spline = SplineMap(999)
    knots = spline.knots(np.random.default_rng(0).standard_normal(spline.numbers))
    np.testing.assert_allclose(np.diff(knots.x), 2 * spline.bound / 999, rtol=0.02)
