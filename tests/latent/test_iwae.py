"""The importance-weighted bound, by exact sums over K-fold products of Gauss–Hermite nodes: no Monte Carlo."""

from itertools import product

import numpy as np
import pytest

from scratchgen.latent import IWAE, BernoulliLikelihood, ConstantVarianceLikelihood, marginal
from scratchgen.nn import MLP
from tests.latent import linear_gaussian as truth
from tests.latent.test_vae import kl_to_posterior

X = truth.X


def iwae(samples, shift=0.0, stretch=0.0, dreg=False):
    """The linear-Gaussian VAE, its posterior moved."""
    vae = truth.model(shift, stretch)
    return IWAE(vae.encoder, vae.decoder, vae.likelihood, truth.LATENT, samples, dreg)


def one_dimensional(samples, dreg=False, mean=0.1, logvar=-0.75):
    """x = (z, −z/2) + b + noise, with a q that is not the posterior: z has one dimension, so nodes are cheap."""
    encoder = truth.linear_layer(np.array([[0.3, 0.1], [-0.2, 0.05]]), np.array([mean, logvar]))
    decoder = truth.linear_layer(np.array([[1.0, -0.5]]), np.array([0.3, -0.2]))
    return IWAE(encoder, decoder, ConstantVarianceLikelihood(2, dtype=np.float64), 1, samples, dreg)


def folds(samples, order, latent=1):
    """All K-tuples of nodes, as noise (K, tuples, latent), and their probabilities."""
    line, weights = np.polynomial.hermite_e.hermegauss(order)
    grid = np.array(list(product(line, repeat=latent)))
    of_grid = np.array([np.prod(each) for each in product(weights / weights.sum(), repeat=latent)])
    tuples = np.array(list(product(range(len(grid)), repeat=samples)))
    return np.moveaxis(grid[tuples], 1, 0), of_grid[tuples].prod(axis=1)


def expected_bound(model, x, order):
    """E[log (1/K) Σ w] for one x (1, D): every tuple of nodes is a row of the batch."""
    noise, p = folds(model.samples, order, model.latent)
    return np.sum(p * model.bound(np.repeat(x, len(p), axis=0), noise=noise))


# -- the bound ---------------------------------------------------------------------------------------------------------


def test_one_weight_is_the_elbo():
    """L_1 of (2) = log p(x) − KL(q ‖ posterior), in closed form."""
    model = iwae(1, 0.3, -0.4)
    found = [expected_bound(model, X[i : i + 1], order=3).item() for i in range(len(X))]
    np.testing.assert_allclose(found, truth.log_p(X) - kl_to_posterior(model, X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("row", [0, 1])
def test_the_bound_grows_with_k_and_stays_below_the_logarithm_of_the_mean_weight(row):
    """(2), by enumeration: with q the distribution on the nodes, every expectation is a finite sum."""
    x, order = X[row : row + 1], 3
    ladder = [expected_bound(iwae(k, 0.3, 0.4), x, order).item() for k in (1, 2, 3)]
    noise, p = folds(1, order, truth.LATENT)
    w = np.exp(iwae(1, 0.3, 0.4).bound(np.repeat(x, len(p), axis=0), noise=noise).data)
    assert all(low + 1e-3 < high for low, high in zip(ladder, [*ladder[1:], np.log(p @ w)]))


def test_the_gap_of_two_weights_is_less_than_half():
    """Of a q near the posterior the gap is about Var(w)/(2 K p²): it halves. The truth by converged nodes, to 1e-12."""
    x = np.array([[0.7, 0.4]])
    noise, p = folds(1, 60)
    log_p = np.log(p @ np.exp(one_dimensional(1).bound(np.repeat(x, len(p), axis=0), noise=noise).data))
    one, two, finer = (expected_bound(one_dimensional(k), x, n).item() for k, n in ((1, 60), (2, 60), (2, 80)))
    assert abs(two - finer) < 1e-12
    assert one < two < log_p and 1.6 < (log_p - one) / (log_p - two) < 2.4


@pytest.mark.parametrize("samples", [1, 2, 7])
@pytest.mark.parametrize("dreg", [False, True])
def test_at_the_posterior_the_bound_is_log_p_for_every_noise(samples, dreg):
    noise = np.random.default_rng(0).normal(size=(samples, len(X), truth.LATENT))
    np.testing.assert_allclose(iwae(samples, dreg=dreg).bound(X, noise=noise).data, truth.log_p(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dreg", [False, True])
def test_each_x_meets_its_own_samples(dreg):
    """The bound of a batch is that of its rows: the logarithm of the mean weight, not the mean of logarithms."""
    noise = np.random.default_rng(1).normal(size=(5, len(X), truth.LATENT))
    plain = truth.model(0.5, 0.5, analytic_kl=False)
    w = np.exp([plain.elbo(X, noise=eta).total.data for eta in noise])
    found = iwae(5, 0.5, 0.5, dreg).bound(X, noise=noise).data
    np.testing.assert_allclose(found, np.log(w.mean(axis=0)), rtol=0, atol=1e-12)


def test_the_loss_is_minus_the_bound_averaged_over_the_batch():
    model = iwae(3, 0.5, 0.5)
    assert model.loss(X, rng=3).item() == pytest.approx(-np.mean(model.bound(X, rng=3).data), rel=1e-14)


def test_weights_below_the_smallest_float():
    """2,000 pixels: log w is about −1,400, and w is 0 in any float."""
    model = IWAE(MLP([2000, 4], 0), MLP([2, 2000], 1), BernoulliLikelihood(2000), 2, samples=4)
    x = np.ones((3, 2000), np.float32)
    loss = model.loss(x, rng=0)
    loss.backward()
    assert 1000 < loss.item() < 2000 and loss.dtype == np.float32
    for t in model.parameters().values():
        assert t.grad.dtype == np.float32 and np.all(np.isfinite(t.grad)) and np.any(t.grad != 0)


# -- its gradient ------------------------------------------------------------------------------------------------------


def expected_gradients(model, x, order):
    """E of the gradient of the bound in each parameter, by the nodes."""
    model.zero_grad()
    expected_bound(model, x, order).backward()
    return {name: t.grad for name, t in model.parameters().items()}


@pytest.mark.parametrize(("samples", "order"), [(1, 40), (2, 60), (3, 30)])
def test_the_doubly_reparameterised_gradient_is_unbiased(samples, order):
    """In every parameter its expectation is the gradient of E[log (1/K) Σ w]; the integrals converge with the order."""
    x, tolerance = np.array([[0.7, 0.4]]), 1e-12 if samples < 3 else 1e-9
    plain, dreg = (expected_gradients(one_dimensional(samples, dreg), x, order) for dreg in (False, True))
    assert np.abs(plain["encoder.W"]).min() > 1e-3
    for name in plain:
        np.testing.assert_allclose(dreg[name], plain[name], rtol=0, atol=tolerance, err_msg=name)


def test_the_expected_gradient_is_the_derivative_of_the_expected_bound():
    """By a central difference in the bias of q's mean and log-variance; the two-sample bound is not quadratic."""
    x, h, order = np.array([[0.7, 0.4]]), 1e-4, 40

    def bound(mean, logvar):
        return expected_bound(one_dimensional(2, mean=mean, logvar=logvar), x, order).item()

    by_mean = (bound(0.1 + h, -0.75) - bound(0.1 - h, -0.75)) / (2 * h)
    by_logvar = (bound(0.1, -0.75 + h) - bound(0.1, -0.75 - h)) / (2 * h)
    for dreg in (False, True):
        gradient = expected_gradients(one_dimensional(2, dreg), x, order)["encoder.b"]
        np.testing.assert_allclose(gradient, [by_mean, by_logvar], rtol=0, atol=1e-7)


def test_at_the_posterior_the_doubly_reparameterised_gradient_of_q_has_no_noise():
    model = iwae(5, dreg=True)
    model.loss(X, rng=0).backward()
    np.testing.assert_allclose(model.encoder.W.grad, 0, atol=1e-12)
    assert np.abs(model.decoder.W.grad).max() > 0.01
    model = iwae(5)
    model.loss(X, rng=0).backward()
    assert np.abs(model.encoder.W.grad).max() > 0.01


# -- log p(x) ----------------------------------------------------------------------------------------------------------


def test_thousands_of_weights_need_no_more_memory(monkeypatch):
    """Never more than PAIRS codes at once, in few calls of the decoder."""
    model, sizes = truth.model(0.3, 0.4), []
    right = type(model).decode

    def decode(self, z):
        sizes.append(len(z))
        return right(self, z)

    monkeypatch.setattr(type(model), "decode", decode)
    found = model.log_prob(X, rng=0, samples=5000)
    assert sum(sizes) == 5000 * len(X) and max(sizes) <= marginal.PAIRS and len(sizes) < 10
    np.testing.assert_allclose(found, truth.log_p(X), atol=0.1)


# -- the variance of the decoder ---------------------------------------------------------------------------------------


def test_one_variance_for_all_components_and_all_z():
    """The one that was asked for, and v = least + softplus(v' − least) from then on."""
    mean = np.random.default_rng(0).normal(size=(4, 3))
    for variance in (0.003, 0.7, 1e6):
        p = ConstantVarianceLikelihood(3, variance, dtype=np.float64)(mean)
        np.testing.assert_array_equal(p.mean, mean)
        np.testing.assert_allclose(p.variance.data, variance, rtol=1e-12)
    likelihood = ConstantVarianceLikelihood(3, dtype=np.float64)
    likelihood.raw.assign(np.array(0.7))
    np.testing.assert_allclose(likelihood(mean).base.logvar.data, -6 + np.log1p(np.exp(6.7)), rtol=1e-14)


def test_the_variance_stays_above_its_bound_on_data_without_noise():
    likelihood = ConstantVarianceLikelihood(3, least=-6.0, dtype=np.float64)
    likelihood.raw.assign(np.array(-1e4))
    assert likelihood.logvar.item() == -6.0
    likelihood(np.ones((4, 3))).log_prob(np.ones((4, 3))).sum().backward()
    assert np.isfinite(likelihood.raw.grad)


def test_the_terms_of_one_sample_are_its_weight():
    """``elbo`` is (5) of the VAE, not (4): with the same noise it is L_1 itself, sample for sample."""
    model, noise = iwae(1, 0.3, -0.4), np.random.default_rng(5).normal(size=(1, len(X), 2))
    np.testing.assert_allclose(model.elbo(X, noise=noise[0]).total.data, model.bound(X, noise=noise).data, rtol=1e-12)
