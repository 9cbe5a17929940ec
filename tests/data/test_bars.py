"""Bars: images by hand, the density and the best guess against quadrature by SciPy, and samples against both."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.integrate import dblquad

from scratchgen.data import bars as module

STD = 0.4
DRAWS = 4000


def log_by_scipy(image: np.ndarray, weight: Callable[[float, float], float]) -> float:
    """log ∫ weight(f) p(f) N(x; r(f), s² I) df."""

    def log_likelihood(position: float, brightness: float) -> float:
        bar = brightness * np.exp(-((np.arange(8) - position) ** 2) / 2)
        return float(-((image - bar) ** 2).sum() / (2 * STD**2) - 64 * np.log(STD * np.sqrt(2 * np.pi)))

    about = log_likelihood(3.3, 0.7)  # keeps the integrand near 1

    def integrand(position: float, brightness: float) -> float:
        return weight(position, brightness) * np.exp(log_likelihood(position, brightness) - about) / (5.0 * 0.6)

    return float(np.log(dblquad(integrand, 0.4, 1.0, 1.0, 6.0, epsabs=1e-11, epsrel=1e-10)[0]) + about)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A bar at 3.3 with brightness 0.7, and noise."""
    noise = np.random.default_rng(0).standard_normal((8, 8))
    return module.Bars.render(np.array([[3.3, 0.7]]))[0] + STD * noise


def test_images_by_hand() -> None:
    """Equation (2): a vertical bar, brightest in its own column, e^{−½} of that beside it."""
    image = module.Bars.render(np.array([[2.0, 0.8], [4.5, 1.0]]))
    assert image.shape == (2, 8, 8)
    np.testing.assert_allclose(image[0, :, 2], 0.8)
    np.testing.assert_allclose(image[0, :, [1, 3]], 0.8 * np.exp(-0.5))
    np.testing.assert_allclose(image[1, 5, [4, 5]], np.exp(-0.125))


def test_the_density_is_the_integral_over_the_factors(image: np.ndarray) -> None:
    """Equation (4)."""
    exact = log_by_scipy(image, lambda position, brightness: 1.0)
    assert module.Bars(STD).log_prob(image[None]) == pytest.approx(exact, abs=1e-9)


def test_the_best_guess_is_the_mean_of_the_factors_given_x(image: np.ndarray) -> None:
    """Equation (5)."""
    bars = module.Bars(STD)
    logs = [log_by_scipy(image, lambda position, brightness: position)]
    logs += [log_by_scipy(image, lambda position, brightness: brightness)]
    np.testing.assert_allclose(bars.best_guess(image[None])[0], np.exp(logs - bars.log_prob(image[None])), atol=1e-9)


def test_without_information_the_best_guess_is_the_mean() -> None:
    np.testing.assert_allclose(module.Bars(1e4).best_guess(np.zeros((1, 8, 8))), [[3.5, 0.7]], atol=1e-6)


def test_with_little_noise_the_best_guess_is_the_truth() -> None:
    bars = module.Bars(0.05)
    images, factors = bars.sample(10, rng=0)
    assert np.abs(bars.best_guess(images) - factors).max() < 0.1


def test_the_errors_of_the_best_guess_have_mean_0_and_tell_nothing_more() -> None:
    """f − E[f | x] has mean 0, and no correlation with E[f | x] or with any column of x."""
    bars = module.Bars(STD)
    images, factors = bars.sample(DRAWS, rng=1)
    guess = bars.best_guess(images)
    for known in (np.ones(DRAWS), *guess.T, *images.mean(axis=1).T):
        products = (factors - guess) * known[:, None]
        assert (np.abs(products.mean(axis=0)) < 5.96 * products.std(axis=0) / np.sqrt(DRAWS)).all()


def test_a_sample_is_its_bars_and_noise() -> None:
    """Equations (1) and (3)."""
    rng = np.random.default_rng(2)
    images, factors = module.Bars(STD).sample(DRAWS, rng=2)
    u = rng.random((DRAWS, 2))
    np.testing.assert_allclose(factors, [1.0, 0.4] + u * [5.0, 0.6], rtol=1e-14)
    noise = images - module.Bars.render(factors)
    np.testing.assert_allclose(noise, STD * rng.standard_normal((DRAWS, 8, 8)), atol=1e-14)


def test_samples_have_the_density() -> None:
    """E[p₂(x) / p(x)] = 1 for any density p₂, here of bars with less noise; |z| < 5.96: a false alarm of 2.5e-9."""
    bars, others = module.Bars(STD), module.Bars(0.9 * STD)
    images, _ = bars.sample(DRAWS, rng=3)
    ratio = np.exp(others.log_prob(images) - bars.log_prob(images))
    error = ratio.std() / np.sqrt(DRAWS)
    assert error < 0.1
    assert abs(ratio.mean() - 1) < 5.96 * error


def test_shapes_and_types() -> None:
    bars = module.Bars(STD)
    images, factors = bars.sample(0, rng=0)
    assert images.shape == (0, 8, 8) and factors.shape == (0, 2)
    assert bars.log_prob(images).shape == (0,) and bars.best_guess(images).shape == (0, 2)
    images, _ = bars.sample(2, rng=0)
    assert images.dtype == np.float64 and bars.log_prob(images.astype(np.float32)).dtype == np.float64


BARS = module.Bars(STD)
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no noise": (lambda: module.Bars(0.0), ValueError, "std is 0.0; it must be above 0"),
    "noise too thin for memory": (lambda: module.Bars(1e-3), ValueError, "noise needs .* nodes, .*: raise std"),
    "images in rows": (lambda: BARS.sample((2, 3), rng=0), TypeError, r"n is \(2, 3\); the number of images is an int"),
    "masked factors": (lambda: module.Bars.render(np.ma.zeros((1, 2))), TypeError, "factors is a masked array"),
    "text for noise": (lambda: module.Bars("0.1"), TypeError, "std is '0.1'; it must be a number"),
    "fewer than no images": (lambda: BARS.sample(-1, rng=0), ValueError, "n is -1; .* 0 or more"),
    "the module np.random": (lambda: BARS.sample(2, rng=np.random), TypeError, "np.random, whose state is global"),
    "flat images": (lambda: BARS.log_prob(np.zeros((3, 64))), ValueError, r"images has shape \(3, 64\), .*reshape"),
    "grey levels": (lambda: BARS.log_prob(np.zeros((3, 8, 8), np.uint8)), TypeError, "images is uint8, expected float"),
    "NaN": (lambda: BARS.best_guess(np.full((1, 8, 8), np.nan)), ValueError, r"images has nan at \(0, 0, 0\); 64 of"),
    "masked": (lambda: BARS.log_prob(np.ma.zeros((1, 8, 8))), TypeError, "images is a masked array"),
    "three factors": (lambda: module.Bars.render(np.zeros((4, 3))), ValueError, r"factors has shape \(4, 3\)"),
    "one bar": (lambda: module.Bars.render(np.zeros(2)), ValueError, r"factors has shape \(2,\)"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_inputs(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
