"""Toys: the density against quadrature by SciPy, its integral, its entropy, and samples against all three."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from scratchgen.data import quadrature, toys

SPIRALS: dict[str, dict[str, float]] = {
    "even noise": {"std": 0.2},
    "noise that grows": {"std": 0.25, "end_std": 0.5},
    "noise that shrinks": {"std": 0.6, "end_std": 0.25},
    "another shape": {"std": 0.3, "end_std": 0.2, "turns": 0.8, "size": 2.0},
}
each_spiral = pytest.mark.parametrize("settings", SPIRALS.values(), ids=SPIRALS)
DRAWS = 30_000


def test_gauss_legendre_is_exact_for_polynomials_of_degree_31() -> None:
    """Equation (1) of quadrature.py, on one panel and on three."""
    for panels in (1, 3):
        t, w = quadrature.gauss_legendre(-1.0, 2.0, panels)
        assert t.shape == w.shape == (16 * panels,)
        for degree in (0, 1, 2, 30, 31):
            exact = (2.0 ** (degree + 1) - (-1.0) ** (degree + 1)) / (degree + 1)
            assert w @ t**degree == pytest.approx(exact, rel=1e-12)


def test_log_integral_is_that_of_each_row_in_blocks_of_any_size() -> None:
    """Equation (2) of quadrature.py: ∫ N(t; 0, 1) N(x; t, 1) dt = N(x; 0, 2), far in the tail too."""
    t, w = quadrature.gauss_legendre(-60.0, 60.0, 60)
    x = np.array([[0.0], [1.5], [-3.0], [20.0], [-80.0]])
    for block in (1, 2000, 1 << 20):  # a row at a time, two, and all
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(quadrature, "BLOCK", block)
            got = quadrature.log_integral(lambda rows: norm.logpdf(t) + norm.logpdf(rows, t), x, w)
        np.testing.assert_allclose(got, norm.logpdf(x[:, 0], scale=np.sqrt(2)), rtol=1e-12)


@each_spiral
def test_the_density_is_the_mixture_along_the_curve(settings: dict[str, float]) -> None:
    """Equation (4), put together from (2) and (3) and integrated by SciPy."""
    spiral = toys.NoisySpiral(**settings)
    start, growth = settings["std"], settings.get("end_std", settings["std"]) - settings["std"]
    turns, size = settings.get("turns", 1.5), settings.get("size", 3.0)

    def joint(u: float, x: np.ndarray) -> float:
        centre = size * u * np.array([np.cos(2 * np.pi * turns * u), np.sin(2 * np.pi * turns * u)])
        return float(2 * u * np.prod(norm.pdf(x, centre, start + growth * u)))

    for x in np.array([[0.0, 0.0], [1.0, -0.4], [-2.0, 1.0], [0.3, 2.9], [-3.0, 0.1]]):
        exact = quad(joint, 0, 1, args=(x,), epsabs=0, epsrel=1e-11, limit=500)[0]
        assert spiral.log_prob(x) == pytest.approx(np.log(exact), abs=1e-9)


@pytest.mark.parametrize(("std", "end_std"), [(0.6, 0.03), (0.03, 0.6)])
def test_the_panels_are_short_enough_where_the_noise_is_thin(std: float, end_std: float) -> None:
    """On the curve, where the integrand is a narrow bell, against eight times as many panels."""
    spiral, finer = (toys.NoisySpiral(std, end_std) for _ in range(2))
    t, w = quadrature.gauss_legendre(0, 1, panels=len(spiral.nodes) // 2)
    finer.nodes, finer.weights = t, w * 2 * t
    x = spiral.curve([0.05, 0.5, 0.9, 0.99, 1.0])
    np.testing.assert_allclose(spiral.log_prob(x), finer.log_prob(x), rtol=0, atol=1e-12)


@each_spiral
def test_the_density_integrates_to_1(settings: dict[str, float]) -> None:
    spiral = toys.NoisySpiral(**settings)
    points, area = spiral.grid()
    assert len(points) * area == pytest.approx((2 * spiral.radius) ** 2)
    assert np.exp(spiral.log_prob(points)).sum() * area == pytest.approx(1.0, abs=1e-10)


@each_spiral
def test_the_entropy_is_the_integral_of_minus_p_log_p(settings: dict[str, float]) -> None:
    """Equation (1) by Gauss–Legendre on the square."""
    spiral = toys.NoisySpiral(**settings)
    t, w = quadrature.gauss_legendre(-spiral.radius, spiral.radius, panels=12)
    x = np.stack(np.meshgrid(t, t), axis=-1)
    log_p = spiral.log_prob(x)
    assert log_p.shape == (len(t), len(t))
    assert spiral.entropy() == pytest.approx(-(w @ (np.exp(log_p) * log_p) @ w), abs=1e-6)


def test_entropies_that_are_known() -> None:
    """A spiral of no size is N(0, s² I): log(2πe s²) nats. The other was once computed with a step six times finer."""
    assert toys.NoisySpiral(std=0.3, size=1e-9).entropy() == pytest.approx(np.log(2 * np.pi * np.e * 0.09), abs=1e-8)
    assert toys.NoisySpiral(std=0.1).entropy() == pytest.approx(1.8030513793, abs=1e-9)


def test_the_entropy_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spiral = toys.NoisySpiral(std=0.5)
    first = spiral.entropy()
    monkeypatch.setattr(spiral, "log_prob", None)
    assert spiral.entropy() == first


@each_spiral
def test_samples_have_the_entropy_of_the_density(settings: dict[str, float]) -> None:
    """E[−log p(x)] = H: |z| < 5.96 is a false alarm of 2.5e-9."""
    spiral = toys.NoisySpiral(**settings)
    surprise = -spiral.log_prob(spiral.sample(DRAWS, rng=1))
    error = surprise.std() / np.sqrt(DRAWS)
    assert error < 0.008
    assert abs(surprise.mean() - spiral.entropy()) < 5.96 * error


@each_spiral
def test_samples_fall_where_the_density_says(settings: dict[str, float]) -> None:
    """How many lie in each of 36 squares, against the density summed over it."""
    spiral = toys.NoisySpiral(**settings)
    points, area = spiral.grid()
    cells = round(np.sqrt(len(points)))
    lines = np.linspace(-spiral.radius, spiral.radius, cells + 1)  # the edges of a square lie between cells of the grid
    inner = np.searchsorted(lines, spiral.size * np.array([-0.7, -0.3, 0.0, 0.3, 0.7]))
    edges = lines[[0, *inner, cells]]

    def counts(x: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.histogram2d(x[:, 0], x[:, 1], [edges, edges], weights=weights)[0]

    p = counts(points, np.exp(spiral.log_prob(points)) * area)
    z = (counts(spiral.sample(DRAWS, rng=2)) - DRAWS * p) / np.sqrt(DRAWS * p * (1 - p) + 1)
    assert np.abs(z).max() < 5.96
    assert (p > 0.01).sum() >= 15  # so there is something to tell apart


def test_the_parts_of_a_sample() -> None:
    """Equations (2) and (3): P(u < v) = v², and noise of standard deviation s(u) around c(u)."""
    spiral = toys.NoisySpiral(std=0.1, end_std=0.4)
    u = spiral.sample_latent(DRAWS, rng=3)
    for v in (0.2, 0.5, 0.9):
        assert abs((u < v).mean() - v * v) < 5.96 * np.sqrt(v * v * (1 - v * v) / DRAWS)
    rng = np.random.default_rng(3)
    noise = (spiral.sample(DRAWS, rng=3) - spiral.curve(u)) / (0.1 + 0.3 * u)[:, None]
    rng.random(DRAWS)
    np.testing.assert_allclose(noise, rng.standard_normal((DRAWS, 2)), atol=1e-12)


def test_the_curve_by_hand() -> None:
    """One and a half turns: a third of the way, half a turn; the end lies opposite to the start of the last turn."""
    points = toys.NoisySpiral().curve(np.array([0.0, 1 / 6, 1 / 3, 1.0]))
    np.testing.assert_allclose(points, [[0, 0], [0, 0.5], [-1, 0], [-3, 0]], atol=1e-14)


def test_shapes_and_types() -> None:
    spiral = toys.NoisySpiral(std=0.5)
    assert spiral.sample(0, rng=0).shape == (0, 2) and spiral.log_prob(np.zeros((0, 2))).shape == (0,)
    x = spiral.sample((3, 4), rng=0)
    assert x.shape == (3, 4, 2) and x.dtype == np.float64
    assert spiral.log_prob(x).shape == (3, 4)
    np.testing.assert_array_equal(spiral.log_prob(x)[1], spiral.log_prob(x[1]))
    assert spiral.log_prob(x.astype(np.float32)).dtype == np.float64
    np.testing.assert_array_equal(spiral.sample(5, rng=7), spiral.sample(5, np.random.default_rng(7)))


def test_far_away_the_density_is_0() -> None:
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(SPIRAL.log_prob(np.array([[1e200, 0.0], [0.0, -1e300]])), -np.inf)


SPIRAL = toys.NoisySpiral(std=0.5)
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no noise": (lambda: toys.NoisySpiral(std=0.0), ValueError, "std is 0.0; it must be above 0"),
    "negative noise": (lambda: toys.NoisySpiral(end_std=-0.1), ValueError, "end_std is -0.1"),
    "NaN noise": (lambda: toys.NoisySpiral(std=float("nan")), ValueError, "std is nan"),
    "infinite size": (lambda: toys.NoisySpiral(size=float("inf")), ValueError, "size is inf.*finite"),
    "noise too thin for memory": (lambda: toys.NoisySpiral(std=1e-6), ValueError, "nodes, and at most 5,000,000 are"),
    "noise too thin for a grid": (lambda: toys.NoisySpiral(std=5e-3).entropy(), ValueError, "13,.* nodes.*raise std"),
    "no turns": (lambda: toys.NoisySpiral(turns=0), ValueError, "turns is 0"),
    "text for noise": (lambda: toys.NoisySpiral(std="0.1"), TypeError, "std is '0.1'; it must be a number"),
    "a bool for noise": (lambda: toys.NoisySpiral(std=True), TypeError, "std is True"),
    "fewer than no draws": (lambda: SPIRAL.sample(-1, rng=0), ValueError, "n is -1; .* 0 or more"),
    "half a draw": (lambda: SPIRAL.sample(1.5, rng=0), TypeError, "n is 1.5"),
    "the module np.random": (lambda: SPIRAL.sample(2, rng=np.random), TypeError, "np.random, whose state is global"),
    "integers": (lambda: SPIRAL.log_prob(np.zeros((3, 2), int)), TypeError, "x is int64, expected float32 or"),
    "points in space": (lambda: SPIRAL.log_prob(np.zeros((2, 3))), ValueError, r"x has shape \(2, 3\), expected"),
    "one number": (lambda: SPIRAL.log_prob(0.0), ValueError, r"x has shape \(\), expected"),
    "NaN": (lambda: SPIRAL.log_prob(np.array([[0, np.nan]])), ValueError, r"x has nan at \(0, 1\); 1 of 2"),
    "masked": (lambda: SPIRAL.log_prob(np.ma.masked_equal([[0.0, 1.0]], 1)), TypeError, "x is a masked array"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_inputs(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
