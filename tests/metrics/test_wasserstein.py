"""Sliced Wasserstein distances against linear programs, closed forms of Gaussians, and directions by quadrature."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import ndtri

from scratchgen.metrics import SlicedDistance, sliced_wasserstein, wasserstein, wasserstein_1d

ANGLES = np.pi * np.arange(12) / 12
EVEN = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)  # their mean is that over the circle, for any θᵀAθ


def normal(seed, n=30, dims=2):
    return np.random.default_rng(seed).normal(size=(n, dims))


def by_program(x, y):
    """(1) of two samples on the line, as what it is: the cheapest of all plans, a linear program."""
    n, m = len(x), len(y)
    rows = np.kron(np.eye(n), np.ones((1, m)))  # what leaves each x
    columns = np.kron(np.ones((1, n)), np.eye(m))  # what comes to each y
    sums = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    return linprog(((x[:, None] - y) ** 2).ravel(), A_eq=np.concatenate([rows, columns]), b_eq=sums).fun


@pytest.mark.parametrize(("n", "m"), [(4, 4), (3, 5), (6, 4), (1, 7), (8, 2)])
def test_no_plan_is_cheaper(n, m):
    """Equation (2), of equal numbers, of coprime ones, with a common divisor, and of one point."""
    x, y = normal(n, n, 3), 1.5 * normal(m + 10, m, 3) + 0.5
    found = wasserstein_1d(x, y)
    assert found.shape == (3,)
    np.testing.assert_allclose(found, [by_program(*columns) for columns in zip(x.T, y.T)], rtol=1e-9)


def test_repeating_each_point_changes_nothing():
    """6 points against 4 are 12 against 12, each repeated: sorted, one to one."""
    x, y = normal(0, 6, 2), normal(1, 4, 2)
    long = np.sort(np.repeat(x, 2, axis=0), axis=0), np.sort(np.repeat(y, 3, axis=0), axis=0)
    np.testing.assert_allclose(wasserstein_1d(x, y), np.mean((long[0] - long[1]) ** 2, axis=0), rtol=1e-12)


def test_places_that_floats_would_double():
    """Thirds of 3 are tenths of 30: 1/3 and 10/30 are one place. Whole numbers see to it."""
    x, y = normal(0, 3, 1), normal(1, 30, 1)
    long = np.sort(np.repeat(x, 10, axis=0), axis=0)
    np.testing.assert_allclose(wasserstein_1d(x, y), np.mean((long - np.sort(y, axis=0)) ** 2, axis=0), rtol=1e-13)


def test_a_translation():
    """Moved by v: |v|/√D, exactly with even directions."""
    x, v = normal(0), np.array([3.0, -4.0])
    assert sliced_wasserstein(x, x + v, 0, EVEN).value == pytest.approx(5 / np.sqrt(2), rel=1e-12)
    found = sliced_wasserstein(x, x + v, 0, directions=2000)
    assert found.error < 0.05 and abs(found.value - 5 / np.sqrt(2)) < 5.96 * found.error


def test_directions_have_no_length_and_are_uniform_on_the_sphere():
    """In three dimensions: a mean of θθᵀ of I/3, and of θ₁⁴ of 1/5, which cubes' corners would not have."""
    theta = wasserstein.unit_vectors(20_000, 3, 0)
    np.testing.assert_allclose(np.linalg.norm(theta, axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(theta.T @ theta / len(theta), np.eye(3) / 3, atol=5.96 * 0.3 / np.sqrt(20_000))
    assert np.mean(theta**4, axis=0) == pytest.approx(0.2, abs=5.96 * 0.267 / np.sqrt(20_000))
    x, y = normal(0), normal(1)
    scaled = EVEN * np.arange(1.0, 13.0)[:, None]
    assert sliced_wasserstein(x, y, 0, scaled).value == pytest.approx(
        sliced_wasserstein(x, y, 0, EVEN).value, rel=1e-12
    )


def test_gaussians():
    """On the line W² = (m − m′)² + (s − s′)²: quantiles of N(0, 1), so that no chance is left but that of steps."""
    u = ndtri((np.arange(20_000) + 0.5) / 20_000)[:, None]
    assert wasserstein_1d(u, 0.4 + 2.5 * u)[0] == pytest.approx(0.16 + 2.25, rel=1e-3)
    # In the plane N(0, A) and N(0, B) look from θ like N(0, θᵀAθ) and N(0, θᵀBθ).
    a, b = np.array([[1.0, 0.5], [0.5, 2.0]]), np.diag([0.5, 0.1])
    seen = [np.sqrt(np.einsum("ld,de,le->l", EVEN, cov, EVEN)) for cov in (a, b)]
    truth = np.sqrt(np.mean((seen[0] - seen[1]) ** 2))
    x, y = normal(0, 20_000) @ np.linalg.cholesky(a).T, normal(1, 15_000) @ np.linalg.cholesky(b).T
    assert sliced_wasserstein(x, y, 0, EVEN).value == pytest.approx(truth, abs=0.02) and truth > 0.5


def test_it_is_a_distance():
    """0 of a set and itself, in another order; symmetric; no way round is shorter."""
    x, y, z = normal(0), 2 * normal(1, 20), 1 + normal(2, 25)
    assert sliced_wasserstein(x, x[::-1], 0) == (0.0, 0.0)
    xy, yx, xz, zy = (sliced_wasserstein(*pair, 0, EVEN).value for pair in ((x, y), (y, x), (x, z), (z, y)))
    assert xy == pytest.approx(yx, rel=1e-12)
    assert 0 < xy <= xz + zy


def test_the_error_is_the_spread_over_directions():
    """Equation (4): of 300 sets of 50 directions, where the first order holds."""
    x, y = normal(0, 20), 2 * normal(1, 30) + 1
    found = np.array([sliced_wasserstein(x, y, seed, directions=50) for seed in range(300)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.15)
    truth = sliced_wasserstein(x, y, 0, np.stack([np.cos(a := np.arange(5000) * np.pi / 5000), np.sin(a)], axis=1))
    assert found[:, 0].mean() == pytest.approx(truth.value, rel=0.01)


def test_the_error_of_two_directions():
    """W² is 9 along the one axis and 1 along the other: the error of their mean is 4, and SW is √5."""
    x = np.random.default_rng(0).normal(size=(10, 2))
    found = sliced_wasserstein(x, x + np.array([3.0, 1.0]), 0, np.eye(2))
    assert found == pytest.approx((np.sqrt(5), 4 / (2 * np.sqrt(5))), rel=1e-12)


def test_blocks_of_directions_are_one(monkeypatch):
    x, y = normal(0), normal(1, 20)
    whole = sliced_wasserstein(x, y, 5, directions=9)
    monkeypatch.setattr(wasserstein, "NUMBERS", 100)  # two at a time
    assert sliced_wasserstein(x, y, 5, directions=9) == pytest.approx(whole, rel=1e-12)
    assert str(SlicedDistance(0.50312, 0.0049)) == "0.503 ± 0.005"


X = normal(0, 5)
REFUSED = {
    "one axis": (lambda: sliced_wasserstein(X[:, 0], X, 0), ValueError, "they must be (n, D) and (m, D)"),
    "none": (lambda: sliced_wasserstein(X, X[:0], 0), ValueError, "(0, 2)"),
    "nan": (lambda: sliced_wasserstein(X, X * np.nan, 0), ValueError, "y has nan at (0, 0)"),
    "one direction": (lambda: sliced_wasserstein(X, X, 0, 1), ValueError, "directions is 1; it must be at least 2"),
    "half": (lambda: sliced_wasserstein(X, X, 0, 2.5), TypeError, "directions is 2.5; it must be an int"),
    "other D": (lambda: sliced_wasserstein(X, X, 0, np.eye(3)), ValueError, "shape (3, 3); it must be (L, 2)"),
    "nowhere": (lambda: sliced_wasserstein(X, X, 0, np.diag([1.0, 0])), ValueError, "a direction must not be 0"),
    "nan direction": (lambda: sliced_wasserstein(X, X, 0, np.nan * EVEN), ValueError, "directions has nan at (0, 0)"),
    "rng": (lambda: sliced_wasserstein(X, X, np.random), TypeError, "the module np.random"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses(case):
    call, error, message = REFUSED[case]
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
