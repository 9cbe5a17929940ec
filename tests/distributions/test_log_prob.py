"""log_prob against scipy.stats, and the total probability against 1; mean and variance against expectations."""

from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal
from tests.distributions import truth

SEEDS = [1, 2]


@pytest.mark.parametrize("seed", SEEDS)
def test_normal_against_scipy(seed: int) -> None:
    """Equation (1) of normal.py, with the standard deviation e^{v/2}."""
    mean, logvar, x = truth.draw(((3,), (2, 1), (5, 2, 3)), seed)
    expected = scipy.stats.norm.logpdf(x, mean, np.exp(logvar / 2))
    np.testing.assert_allclose(Normal(mean, logvar).log_prob(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_vectors_of_normals_against_scipy(seed: int) -> None:
    """Independent components are a multivariate normal with a diagonal covariance: the sum over three dimensions."""
    mean, logvar, x = truth.draw(((3,), (3,), (7, 3)), seed)
    expected = scipy.stats.multivariate_normal(mean, np.diag(np.exp(logvar))).logpdf(x)
    np.testing.assert_allclose(Independent(Normal(mean, logvar), 1).log_prob(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_bernoulli_against_scipy(seed: int) -> None:
    (logits,) = truth.draw(((2, 3),), seed)
    x = (np.arange(6).reshape(2, 3) % 2).astype(float)
    expected = scipy.stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits)))
    np.testing.assert_allclose(Bernoulli(logits).log_prob(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_categorical_against_scipy(seed: int) -> None:
    """As a multinomial distribution of one trial; a constant added to the logits changes nothing."""
    (logits,) = truth.draw(((5,),), seed)
    probabilities = np.exp(logits) / np.exp(logits).sum()
    x = np.arange(5)
    expected = scipy.stats.multinomial(1, probabilities).logpmf(np.eye(5, dtype=int))
    np.testing.assert_allclose(Categorical(logits).log_prob(x), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(Categorical(logits + 7.5).log_prob(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("logvar", [-9.0, -0.7, 0.0, 1.3, 9.0])
def test_a_normal_density_integrates_to_one(logvar: float) -> None:
    """From −40 to 40 standard deviations, by adaptive quadrature."""
    p, std = Normal(0.7, logvar), np.exp(logvar / 2)

    def density(x: float) -> float:
        return float(np.exp(p.log_prob(x)))

    total, _ = scipy.integrate.quad(density, 0.7 - 40 * std, 0.7 + 40 * std, points=[0.7], epsabs=1e-13, limit=200)
    assert abs(total - 1) < 1e-10


def test_a_density_of_vectors_integrates_to_one() -> None:
    """Over a grid of two dimensions: the trapezoidal rule is exact to rounding for so smooth a function."""
    p = Independent(Normal(np.array([0.4, -1.1]), np.array([-1.0, 0.8])), 1)
    axis = np.linspace(-16, 16, 401)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)  # (401, 401, 2): 401² draws from one distribution
    assert abs(np.exp(p.log_prob(x)).sum() * (axis[1] - axis[0]) ** 2 - 1) < 1e-10


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", truth.DISCRETE)
def test_probabilities_of_all_outcomes_sum_to_one(kind: str, seed: int) -> None:
    """All 2³ and 4³ vectors, too: that is what makes a sum over components, and no mean, a log-probability."""
    p = truth.make(kind, seed)
    x = truth.in_every_batch(truth.outcomes(p), p)
    np.testing.assert_allclose(np.exp(p.log_prob(x)).sum(axis=0), np.ones(p.batch_shape), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", truth.KINDS)
def test_mean_and_variance_are_those_of_the_probabilities(kind: str, seed: int) -> None:
    """E[x] and E[(x − mean)²], component by component."""
    p = truth.make(kind, seed)
    for j in np.ndindex(p.event_shape):

        def component(x: np.ndarray, j: Any = j) -> np.ndarray:
            return x[(..., *j)]

        mean, variance = component(p.mean), component(p.variance)
        np.testing.assert_allclose(mean, truth.expectation(p, component), rtol=0, atol=1e-12)
        squares = truth.expectation(p, lambda x, mean=mean: (component(x) - mean) ** 2)
        np.testing.assert_allclose(variance, squares, rtol=1e-10)


def test_normal_moments_against_scipy() -> None:
    """``expectation`` takes mean and variance of a normal from the distribution itself, so this says what they are."""
    mean, logvar = truth.draw(((2, 3), (2, 3)), 1)
    p, expected = Normal(mean, logvar), scipy.stats.norm(mean, np.exp(logvar / 2))
    np.testing.assert_allclose(p.mean, expected.mean(), rtol=1e-14)
    np.testing.assert_allclose(p.variance, expected.var(), rtol=1e-13)
    np.testing.assert_allclose(p.std, expected.std(), rtol=1e-13)


def test_the_categorical_distribution_has_probabilities() -> None:
    p = truth.make("Categorical", 1)
    np.testing.assert_allclose(p.probabilities.sum(axis=-1), 1, rtol=1e-14)
    np.testing.assert_allclose(np.log(p.probabilities[:, 3]), p.log_prob(np.array([3, 3])), rtol=1e-13)
