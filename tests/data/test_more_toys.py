"""The other toys: densities against SciPy and by hand, their integrals, their entropies, and samples against all three.

Each toy is made through its module, so that errors planted there are met.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2, multivariate_normal, norm

from scratchgen.data import quadrature, toys_bent, toys_checkerboard, toys_curves, toys_gaussians, toys_rings
from scratchgen.data.toys import NoisySpiral, Toy

Make = Callable[[], Toy]

TOYS: dict[str, Make] = {
    "two moons": lambda: toys_curves.TwoMoons(std=0.15),
    "three spirals": lambda: toys_curves.Spirals(arms=3, std=0.25, turns=0.8, size=2.0),
    "rings": lambda: toys_rings.Rings([0.5, 1.7], std=0.2),
    "eight Gaussians": lambda: toys_gaussians.EightGaussians(size=2.0, variance=0.2),
    "Gaussians of unequal weights": lambda: toys_gaussians.Gaussians([[0, 1], [1, -1]], 0.4, [0.3, 0.7]),
    "grid of Gaussians": lambda: toys_gaussians.GaussianGrid(side=3, step=1.5, std=0.4),
    "checkerboard": lambda: toys_checkerboard.Checkerboard(),
    "checkerboard of three": lambda: toys_checkerboard.Checkerboard(squares=3, size=1.0),
    "banana": lambda: toys_bent.Banana(long_std=1.2, short_std=0.5, bend=0.3),
    "pinwheel": lambda: toys_bent.Pinwheel(arms=3, distance=1.5, long_std=0.4, short_std=0.3, twist=0.4),
}
each_toy = pytest.mark.parametrize("make", TOYS.values(), ids=TOYS)
DRAWS = 30_000


def summed(make: Make) -> tuple[Toy, np.ndarray, np.ndarray, np.ndarray]:
    """A toy, with log p and the probability of each cell of its grid, (cells, cells), and the edges of the cells."""
    toy = make()
    points, area = toy.grid()
    log_p = toy.log_prob(points)
    cells = round(np.sqrt(len(points)))
    edges = np.linspace(-toy.radius, toy.radius, cells + 1)
    return toy, log_p.reshape(cells, cells), np.exp(log_p).reshape(cells, cells) * area, edges


# -- densities ---------------------------------------------------------------------------------------------------------


def test_moons_are_the_mixture_along_two_half_circles() -> None:
    """Equations (1–4) of toys_curves, written out and integrated by SciPy."""
    toy = toys_curves.TwoMoons(std=0.2)

    def joint(t: float, x: np.ndarray, k: int) -> float:
        centre = [np.cos(t), np.sin(t)] if k == 0 else [1 - np.cos(t), 0.5 - np.sin(t)]
        return float(np.prod(norm.pdf(x, centre, 0.2)) / np.pi)

    for x in np.array([[0.0, 1.0], [1.0, -0.4], [0.5, 0.25], [-1.0, -0.2], [2.1, 0.6]]):
        exact = [quad(joint, 0, np.pi, args=(x, k), epsabs=0, epsrel=1e-11)[0] for k in (0, 1)]
        np.testing.assert_allclose([moon.log_prob(x) for moon in toy.moons], np.log(exact), rtol=0, atol=1e-9)
        assert toy.log_prob(x) == pytest.approx(np.log(sum(exact) / 2), abs=1e-9)


@pytest.mark.parametrize("std", [0.02, 0.05, 0.7])
def test_the_panels_of_the_moons_are_short_enough(std: float) -> None:
    """On the curve, at its end and near it, against four times as many panels."""
    toy = toys_curves.TwoMoons(std)
    t, w = quadrature.gauss_legendre(0, np.pi, panels=len(toy.moons[0].weights) // 4)
    finer = toys_gaussians.Gaussians(np.stack([np.cos(t), np.sin(t)], axis=-1), std, w / np.pi)
    u = np.array([0.0, 0.3, 1.0, 1.6, 3.14])
    for distance in (0.0, 2 * std):
        x = (1 + distance) * np.stack([np.cos(u), np.sin(u)], axis=-1)
        np.testing.assert_allclose(toy.moons[0].log_prob(x), finer.log_prob(x), rtol=0, atol=1e-11)


def test_labels_of_moons_are_those_of_their_curves() -> None:
    """(1): given k, x is less surprising to p(x | k), by far, and has its entropy."""
    toy = toys_curves.TwoMoons(std=0.1)
    x, k = toy.sample_labelled(DRAWS, rng=1)
    assert abs(k.mean() - 0.5) < 5.96 * 0.5 / np.sqrt(DRAWS)
    for label, moon in enumerate(toy.moons):
        surprise = -moon.log_prob(x[k == label])
        error = surprise.std() / np.sqrt(len(surprise))
        assert error < 0.01 and abs(surprise.mean() - moon.entropy()) < 5.96 * error
    np.testing.assert_array_equal(x, toy.sample(DRAWS, rng=1))


def test_spirals_are_one_turned() -> None:
    """Equation (5) of toys_curves for K = 2, where turning is a change of sign, and K = 4, where it is by hand."""
    one, x = NoisySpiral(std=0.2), np.random.default_rng(0).normal(0.0, 2.0, (50, 2))
    p = np.exp(one.log_prob(x)), np.exp(one.log_prob(-x))
    two = toys_curves.Spirals(arms=2, std=0.2).log_prob(x)
    np.testing.assert_allclose(two, np.log((p[0] + p[1]) / 2), rtol=1e-12)
    quarter = np.stack([x[:, 1], -x[:, 0]], axis=-1)
    q = np.exp(one.log_prob(quarter)), np.exp(one.log_prob(-quarter))
    four = toys_curves.Spirals(arms=4, std=0.2).log_prob(x)
    np.testing.assert_allclose(four, np.log((sum(p) + sum(q)) / 4), rtol=1e-12)


def test_rings_are_the_average_around_circles() -> None:
    """Equations (1–3) of toys_rings, integrated by SciPy; and where e^{−v} I₀(v) is a matter of its asymptote."""
    toy = toys_rings.Rings([0.5, 2.0], std=0.25)

    def joint(a: float, x: np.ndarray, R: float) -> float:
        return float(np.prod(norm.pdf(x, [R * np.cos(a), R * np.sin(a)], 0.25)) / (2 * np.pi))

    for x in np.array([[0.0, 0.0], [0.3, -0.5], [-1.2, 0.4], [1.5, 1.4]]):
        exact = np.mean([quad(joint, 0, 2 * np.pi, args=(x, R), epsabs=0, epsrel=1e-11)[0] for R in (0.5, 2.0)])
        assert toy.log_prob(x) == pytest.approx(np.log(exact), abs=1e-9)
    thin = toys_rings.Rings([2.0], std=1e-3).log_prob(np.array([0.0, 2.001]))  # locally a line: N(1) / 2πR, nearly
    assert thin == pytest.approx(norm.logpdf(1.0) - np.log(1e-3) - np.log(2 * np.pi * 2.0), abs=1e-3)


def test_gaussians_against_scipy() -> None:
    """Equation (2) of toys_gaussians, with the centres by hand."""
    x = np.random.default_rng(0).normal(0.0, 3.0, (20, 2))
    corner = np.sqrt(2.0)
    circle = [(2, 0), (corner, corner), (0, 2), (-corner, corner), (-2, 0), (-corner, -corner), (0, -2)]
    circle.append((corner, -corner))
    expected = np.mean([multivariate_normal(c, 0.3).pdf(x) for c in circle], axis=0)
    got = toys_gaussians.EightGaussians(size=2.0, variance=0.3).log_prob(x)
    np.testing.assert_allclose(got, np.log(expected), rtol=1e-10)
    grid = [(i, j) for i in (-1.5, 0.0, 1.5) for j in (-1.5, 0.0, 1.5)]
    expected = np.mean([multivariate_normal(c, 0.16).pdf(x) for c in grid], axis=0)
    got = toys_gaussians.GaussianGrid(side=3, step=1.5, std=0.4).log_prob(x)
    np.testing.assert_allclose(got, np.log(expected), rtol=1e-10)
    unequal = 0.25 * multivariate_normal([1, 2], 0.09).pdf(x) + 0.75 * multivariate_normal([3, -1], 0.09).pdf(x)
    got = toys_gaussians.Gaussians([[1, 2], [3, -1]], 0.3, [0.25, 0.75]).log_prob(x)
    near = unequal > 1e-300
    np.testing.assert_allclose(got[near], np.log(unequal[near]), rtol=1e-10)


def test_the_checkerboard_by_hand() -> None:
    """Equation (1) of toys_checkerboard: at the centres of the squares, at edges and outside."""
    board = toys_checkerboard.Checkerboard()
    centres = np.arange(-3.0, 4.0, 2.0)
    x = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1)
    black = np.tile([[True, False], [False, True]], (2, 2))
    np.testing.assert_array_equal(board.log_prob(x), np.where(black, -np.log(32), -np.inf))
    edges = np.array([[-4.0, -4.0], [-2.0, -2.0], [-2.0, -3.0], [4.0, 3.9], [-5.0, -5.0], [5.0, 5.0], [1e300, 0.0]])
    np.testing.assert_array_equal(np.isfinite(board.log_prob(edges)), [True, True, False, False, False, False, False])
    assert toys_checkerboard.Checkerboard(3, 1.5).area == pytest.approx(5.0)


def test_the_banana_by_hand() -> None:
    """Equation (2) of toys_bent, and its map (1) from given noise."""
    toy, x = toys_bent.Banana(3.0, 0.5, 0.25), np.array([[0.0, -1.0], [3.0, 1.0], [-4.0, 3.5]])
    expected = norm.logpdf(x[:, 0], 0, 3) + norm.logpdf(x[:, 1], [-2.25, 0.0, 1.75], 0.5)
    np.testing.assert_allclose(toy.log_prob(x), expected, rtol=1e-12)
    noise = np.random.default_rng(5).standard_normal((4, 2))
    drawn = toy.sample(4, rng=5)
    np.testing.assert_allclose(drawn[:, 0], 3 * noise[:, 0], rtol=1e-14)
    np.testing.assert_allclose(drawn[:, 1], 0.5 * noise[:, 1] + 2.25 * noise[:, 0] ** 2 - 2.25, rtol=0, atol=1e-13)


def test_the_pinwheel_keeps_areas_and_bends_back() -> None:
    """Equations (4) and (5) of toys_bent: the turn by its angle, its determinant by differences, its inverse."""
    toy = toys_bent.Pinwheel(arms=3, distance=1.5, long_std=0.4, short_std=0.3, twist=0.4)
    np.testing.assert_allclose(
        toy.turn(np.array([[1.5, 0.0]]), 1), 1.5 * np.array([[np.cos(0.4 * np.e), np.sin(0.4 * np.e)]])
    )
    y, h = np.array([[1.2, 0.3], [-0.5, 2.0], [0.1, -0.1]]), 1e-5
    np.testing.assert_allclose(toy.turn(toy.turn(y, 1), -1), y, rtol=0, atol=1e-14)
    columns = [(toy.turn(y + h * e, 1) - toy.turn(y - h * e, 1)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(np.linalg.det(np.stack(columns, axis=-1)), 1.0, atol=1e-8)
    arms = [1.5 * np.array([np.cos(a), np.sin(a)]) for a in 2 * np.pi * np.arange(3) / 3]
    turns = [np.stack([c / 1.5, [-c[1] / 1.5, c[0] / 1.5]], axis=1) for c in arms]
    of_each = [multivariate_normal(c, R @ np.diag([0.16, 0.09]) @ R.T).pdf(y) for c, R in zip(arms, turns)]
    np.testing.assert_allclose(toy.log_prob(toy.turn(y, 1)), np.log(np.mean(of_each, axis=0)), rtol=1e-12)


# -- integrals, entropies, samples -------------------------------------------------------------------------------------


@each_toy
def test_the_density_integrates_to_1(make: Make) -> None:
    assert summed(make)[2].sum() == pytest.approx(1.0, abs=1e-9)


@each_toy
def test_the_entropy_is_the_sum_of_minus_p_log_p(make: Make) -> None:
    """Closed forms, and sums in other coordinates, against the grid."""
    toy, log_p, p, _ = summed(make)
    assert toy.entropy() == pytest.approx(-(p[p > 0] * log_p[p > 0]).sum(), abs=1e-7)


ENTROPIES: dict[str, tuple[Make, float]] = {  # computed elsewhere, by quadrature with other nodes; in nats
    "two moons, noise 0.05": (lambda: toys_curves.TwoMoons(0.05), 0.2892),
    "two moons, noise 0.1": (lambda: toys_curves.TwoMoons(0.1), 1.0076),
    "one moon, noise 0.1": (lambda: toys_curves.TwoMoons(0.1).moons[0], 0.3163),
    "the other moon, noise 0.1": (lambda: toys_curves.TwoMoons(0.1).moons[1], 0.3163),
    "two moons, noise 0.2": (lambda: toys_curves.TwoMoons(0.2), 1.6775),
    "eight Gaussians": (lambda: toys_gaussians.EightGaussians(5.0, 0.1), 2.6147),
    "checkerboard": (lambda: toys_checkerboard.Checkerboard(), np.log(32)),
    "a thin ring: a circle, and a normal distribution across": (
        lambda: toys_rings.Rings([1.0], std=0.01),
        np.log(2 * np.pi) + 0.5 * np.log(2 * np.pi * np.e * 1e-4),
    ),
    "25 far apart": (
        lambda: toys_gaussians.GaussianGrid(5, 2.0, 0.1),
        np.log(25) + np.log(2 * np.pi * np.e * 0.01),
    ),
    "far arms": (
        lambda: toys_bent.Pinwheel(5, 2.0, 0.2, 0.1, 0.25),
        np.log(5) + np.log(2 * np.pi * np.e * 0.02),
    ),
    "banana": (lambda: toys_bent.Banana(2.0, 0.5, 0.25), np.log(2 * np.pi * np.e)),
}


@pytest.mark.parametrize(("make", "expected"), ENTROPIES.values(), ids=ENTROPIES)
def test_entropies_that_are_known(make: Make, expected: float) -> None:
    assert make().entropy() == pytest.approx(expected, abs=6e-5)


DEFAULTS: dict[str, tuple[Make, float]] = {  # what is meant by a toy of which nothing else is said
    "two moons": (lambda: toys_curves.TwoMoons(), 1.0076),
    "rings": (lambda: toys_rings.Rings(), 2.6232),
    "eight Gaussians": (lambda: toys_gaussians.EightGaussians(), 2.6147),
    "grid of Gaussians": (lambda: toys_gaussians.GaussianGrid(), 1.4516),
    "banana": (lambda: toys_bent.Banana(), 2.8379),
    "pinwheel": (lambda: toys_bent.Pinwheel(), 2.3206),
}


@pytest.mark.parametrize(("make", "expected"), DEFAULTS.values(), ids=DEFAULTS)
def test_the_defaults_stay_what_they_are(make: Make, expected: float) -> None:
    """Figures of models are compared by them."""
    assert make().entropy() == pytest.approx(expected, abs=6e-5)


def test_bends_by_default() -> None:
    """The entropy does not tell of them."""
    assert toys_bent.Banana().bend == 0.25 and toys_bent.Pinwheel().twist == 0.25


def test_spirals_by_default() -> None:
    """Two noisy spirals as they are by default, the second turned by half a circle."""
    x, one = np.array([[0.3, -0.5], [2.0, 1.0]]), NoisySpiral()
    expected = np.logaddexp(one.log_prob(x), one.log_prob(-x)) - np.log(2)
    np.testing.assert_allclose(toys_curves.Spirals().log_prob(x), expected, rtol=1e-12)


@each_toy
def test_samples_have_the_entropy_of_the_density(make: Make) -> None:
    """E[−log p(x)] = H: |z| < 5.96 is a false alarm of 2.5e-9."""
    toy = make()
    surprise = -toy.log_prob(toy.sample(DRAWS, rng=1))
    error = surprise.std() / np.sqrt(DRAWS)
    assert error < 0.008
    assert abs(surprise.mean() - toy.entropy()) < 5.96 * error + 1e-9


@each_toy
def test_samples_fall_where_the_density_says(make: Make) -> None:
    """χ² of how many lie in each of up to 144 rectangles; a false alarm is 2.5e-9."""
    toy, _, p, edges = summed(make)
    lines = [np.searchsorted(side.cumsum(), np.linspace(0.03, 0.97, 11)) + 1 for side in (p.sum(axis=1), p.sum(axis=0))]
    lines = [np.unique([0, *inner, len(edges) - 1]) for inner in lines]  # an edge of a rectangle is one of cells
    expected = DRAWS * np.add.reduceat(np.add.reduceat(p, lines[0][:-1], axis=0), lines[1][:-1], axis=1)
    counts = np.histogram2d(*toy.sample(DRAWS, rng=2).T, [edges[inner] for inner in lines])[0]
    common = expected > 10
    assert common.sum() >= 30 and abs(expected.sum() - DRAWS) < 1e-3  # so there is something to tell apart
    rest = (DRAWS - counts[common].sum(), DRAWS - expected[common].sum())
    assert abs(rest[0] - rest[1]) < 5.96 * np.sqrt(rest[1] + 1)
    statistic = ((counts - expected)[common] ** 2 / expected[common]).sum()
    assert statistic < chi2.isf(2.5e-9, common.sum() - 1)


# -- what holds for all, and what is refused ---------------------------------------------------------------------------


@each_toy
def test_shapes_and_types(make: Make) -> None:
    toy = make()
    assert toy.sample(0, rng=0).shape == (0, 2) and toy.log_prob(np.zeros((0, 2))).shape == (0,)
    x = toy.sample((3, 4), rng=0)
    assert x.shape == (3, 4, 2) and x.dtype == np.float64
    assert toy.log_prob(x).shape == (3, 4) and toy.log_prob(x[0, 0]).shape == ()
    np.testing.assert_allclose(toy.log_prob(x)[1], toy.log_prob(x[1]), rtol=1e-13)
    assert toy.log_prob(x.astype(np.float32)).dtype == np.float64
    np.testing.assert_array_equal(toy.sample(5, rng=7), toy.sample(5, np.random.default_rng(7)))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(toy.log_prob(np.array([[1e200, 0.0], [0.0, -1e300]])), -np.inf)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "moons without noise": (lambda: toys_curves.TwoMoons(std=0), ValueError, "std is 0; it must be above 0"),
    "moons too thin for memory": (lambda: toys_curves.TwoMoons(std=1e-6), ValueError, "at most 5,000,000 are taken"),
    "half a spiral": (lambda: toys_curves.Spirals(arms=0.5), TypeError, "arms is 0.5; it must be an int"),  # type: ignore[arg-type]
    "no spiral": (lambda: toys_curves.Spirals(arms=0), ValueError, "arms is 0; it must be at least 1"),
    "no rings": (lambda: toys_rings.Rings([]), ValueError, "radii is empty"),
    "a ring of negative size": (lambda: toys_rings.Rings([1.0, -1.0]), ValueError, r"radii\[1\] is -1.0"),
    "centres in space": (lambda: toys_gaussians.Gaussians(np.zeros((4, 3)), 1.0), ValueError, r"centres has shape"),
    "no centres": (lambda: toys_gaussians.Gaussians(np.zeros((0, 2)), 1.0), ValueError, "K of 1 or more"),
    "a centre at NaN": (lambda: toys_gaussians.Gaussians([[0, np.nan]], 1.0), ValueError, r"nan at \(0, 1\)"),
    "too few weights": (lambda: toys_gaussians.Gaussians(np.eye(2), 1.0, [1.0]), ValueError, r"it must be \(2,\)"),
    "a weight of 0": (lambda: toys_gaussians.Gaussians(np.eye(2), 1.0, [1.0, 0.0]), ValueError, "above 0"),
    "weights of 2": (lambda: toys_gaussians.Gaussians(np.eye(2), 1.0, [1.0, 1.0]), ValueError, "sum to 2.0"),
    "no variance": (lambda: toys_gaussians.EightGaussians(variance=0.0), ValueError, "variance is 0.0"),
    "no grid": (lambda: toys_gaussians.GaussianGrid(side=0), ValueError, "side is 0; it must be at least 1"),
    "no squares": (lambda: toys_checkerboard.Checkerboard(squares=0), ValueError, "squares is 0"),
    "an infinite board": (lambda: toys_checkerboard.Checkerboard(size=np.inf), ValueError, "size is inf"),
    "a straight banana": (lambda: toys_bent.Banana(bend=0.0), ValueError, "bend is 0.0; it must be above 0"),
    "a wheel without arms": (lambda: toys_bent.Pinwheel(arms=0), ValueError, "arms is 0"),
    "a wheel of NaN": (lambda: toys_bent.Pinwheel(twist=float("nan")), ValueError, "twist is nan"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_inputs(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@each_toy
def test_points_that_are_refused(make: Make) -> None:
    toy = make()
    for x, error in ((np.zeros((3, 2), int), TypeError), (np.zeros((2, 3)), ValueError), ([[0, np.nan]], ValueError)):
        with pytest.raises(error, match="x "):
            toy.log_prob(x)
