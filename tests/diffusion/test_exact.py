"""Mixtures of normal distributions under diffusion: densities, scores and the best guesses of what was there before."""

import numpy as np
import pytest

from scratchgen.autodiff import grad
from scratchgen.data import EightGaussians
from scratchgen.diffusion import VE, VP, GaussianMixtureData, SubVP, least_noise_loss
from tests.diffusion.test_sde import DATA

SDES = [VP(), SubVP(), VE(0.01, 5.0)]
RNG = np.random.default_rng(0)
X = RNG.normal(0, 2, (6, 2))
times = pytest.mark.parametrize("t", [0.0, 0.05, 0.5, 1.0, np.linspace(0, 1, 6)], ids=str)
each_sde = pytest.mark.parametrize("sde", SDES, ids=lambda sde: type(sde).__name__)


@times
@each_sde
def test_the_score_is_the_gradient_of_log_prob(sde, t):
    p = DATA.diffused(sde)
    by_engine = grad(lambda x: np.sum(p.log_prob(x, t)))(X)
    np.testing.assert_allclose(p.score(X, t), by_engine, rtol=1e-12, atol=1e-12)


@times
@each_sde
def test_log_prob_is_that_of_the_distribution(sde, t):
    """(2) against the mixture of ``distributions``, by Cholesky factors instead of eigenvectors."""
    p = DATA.diffused(sde)
    by_row = [p.at(u).log_prob(x) for u, x in zip(np.broadcast_to(t, 6), X)]
    np.testing.assert_allclose(p.log_prob(X, t), by_row, rtol=1e-12)


def test_axes_that_are_not_their_own_inverse():
    """In the plane the eigenvectors may be a reflection, equal to its transpose; in space they are not."""
    W = np.random.default_rng(1).standard_normal((2, 3, 3))
    data = GaussianMixtureData([0.4, 0.6], W[:, 0], W @ np.swapaxes(W, 1, 2) + 0.2 * np.eye(3))
    p, x = data.diffused(VP()), np.random.default_rng(2).standard_normal((5, 3))
    np.testing.assert_allclose(p.log_prob(x, 0.2), p.at(0.2).log_prob(x), rtol=1e-12)
    by_engine = grad(lambda x: np.sum(p.at(0.2).log_prob(x)))(x)
    np.testing.assert_allclose(p.score(x, 0.2), by_engine, rtol=1e-11)


@each_sde
def test_p_t_is_the_data_blurred(sde):
    """p_t(x) = ∫ p_0(x₀) N(x; a x₀, s²) dx₀, by Gauss–Hermite nodes of p_0's own components."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)
    w = np.outer(weights, weights).ravel() / (2 * np.pi)
    t = 0.7
    a, s = sde.marginal(t)
    total = 0.0
    for weight, m, C in zip(DATA.weights, DATA.means, DATA.covariances):
        x0 = m + grid @ np.linalg.cholesky(C).T
        kernel = np.exp(-np.sum((X[:, None] - a * x0) ** 2, -1) / (2 * s**2)) / (2 * np.pi * s**2)
        total = total + weight * (kernel @ w)
    np.testing.assert_allclose(np.exp(DATA.diffused(sde).log_prob(X, t)), total, rtol=1e-7)


def test_eight_gaussians_are_the_toy():
    toy = EightGaussians()
    data = GaussianMixtureData(toy.weights, toy.centres, toy.std**2)
    x = toy.sample(50, 1)
    np.testing.assert_allclose(data.log_prob(x), toy.log_prob(x), rtol=1e-12)
    assert data.sample(7, 0).shape == (7, 2) and data.dims == 2


def test_the_best_guess_is_the_posterior_mean():
    """(5) against conditioning of one normal distribution: E[x₀ | x] = m + a C (a² C + s² I)⁻¹ (x − a m)."""
    m, C = DATA.means[0], DATA.covariances[0]
    one = GaussianMixtureData([1.0], m[None], C[None])
    a, s = 0.8, 0.7
    K = a * C @ np.linalg.inv(a**2 * C + s**2 * np.eye(2))
    np.testing.assert_allclose(one.denoised(X, a, s), m + (X - a * m) @ K.T, rtol=1e-12)
    sde = VE(0.01, 3.0)
    np.testing.assert_allclose(one.diffused(sde).denoised(X, 0.4), one.denoised(X, *sde.marginal(0.4)), rtol=1e-15)


@pytest.mark.parametrize(("a", "s"), [(0.9, 0.3), (1.0, 4.0), (0.05, 0.999)])
def test_the_least_noise_loss(a, s):
    """(6) against E|ε + s ∇ log p(x)|², exact by Gauss–Hermite nodes since the score is linear; and its limits."""
    C = DATA.covariances[1]
    one = GaussianMixtureData([1.0], np.zeros((1, 2)), C[None])
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    grid = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij"), -1).reshape(-1, 4)
    w = np.prod(np.stack(np.meshgrid(*[weights] * 4, indexing="ij"), -1).reshape(-1, 4), -1) / (2 * np.pi) ** 2
    x0, noise = grid[:, :2] @ np.linalg.cholesky(C).T, grid[:, 2:]
    error = np.sum((noise + s * one.score(a * x0 + s * noise, a, s)) ** 2, -1)
    assert least_noise_loss(C, a, s) == pytest.approx(w @ error, rel=1e-12)
    assert least_noise_loss(C, 1.0, 1e-9) == pytest.approx(2)  # noise too small to be told from the data
    assert least_noise_loss(C, 0.0, 1.0) == 0  # and noise alone


def test_without_a_and_s_it_is_the_data_themselves():
    x = [[0.5, -1.0], [2.0, 0.0]]
    np.testing.assert_array_equal(DATA.score(x), DATA.score(np.array(x), 1.0, 0.0))
    np.testing.assert_allclose(DATA.score(x), grad(lambda x: np.sum(DATA.log_prob(x)))(np.array(x)), rtol=1e-12)
    np.testing.assert_allclose(DATA.log_prob(x), DATA.distribution().log_prob(np.array(x)), rtol=1e-12)
    np.testing.assert_array_equal(DATA.denoised(np.array(x)), x)  # there is no noise to take away


def test_far_away_nothing_underflows():
    x = np.array([[1e4, -2e4], [-300.0, 0.0]])
    score = DATA.score(x)
    np.testing.assert_allclose(score[1], -np.linalg.solve(DATA.covariances[1], x[1] - DATA.means[1]), rtol=1e-9)
    assert np.isfinite(score).all() and np.isfinite(DATA.log_prob(x)).all()


def test_float32_stays():
    x = X.astype(np.float32)
    p = DATA.diffused(VP())
    assert p.log_prob(x, 0.3).dtype == p.score(x, 0.3).dtype == p.denoised(x, 0.3).dtype == np.float32
    np.testing.assert_allclose(p.score(x, 0.3), p.score(X, 0.3), rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GaussianMixtureData([1.0], [0.0], 1.0), ValueError, r"have shapes \(1,\), \(1,\) and \(0, 0, 0\)"),
        (lambda: GaussianMixtureData([0.5, 0.6], [[0.0], [1.0]], 1.0), ValueError, "weights sum to 1.1"),
        (lambda: GaussianMixtureData([1.0, 0.0], [[0.0], [1.0]], 1.0), ValueError, r"weights has 0.0 at \(1,\)"),
        (lambda: GaussianMixtureData([1.5, -0.5], [[0.0], [1.0]], 1.0), ValueError, r"weights has -0.5 at \(1,\)"),
        (
            lambda: GaussianMixtureData([1.0], [[0.0]], -1.0),
            ValueError,
            r"covariance at \(0,\) is not positive definite",
        ),
        (lambda: DATA.score(np.zeros(2)), ValueError, r"x has shape \(2,\); it must be \(B, 2\); one x is x\[None\]"),
        (lambda: DATA.diffused(VP()).log_prob(np.zeros((3, 2)), 2.0), ValueError, "t is 2; the time"),
        (lambda: DATA.diffused(VP()).score(np.zeros((3, 2)), np.zeros(2)), ValueError, r"t has shape \(2,\) and x"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
