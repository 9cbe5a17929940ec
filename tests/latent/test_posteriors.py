"""q(z | x) from numbers, and the member of each family that is nearest to a posterior. Equations of ``posteriors``."""

import numpy as np
import pytest

from scratchgen.autodiff import no_grad
from scratchgen.distributions import MultivariateNormal, kl_divergence
from scratchgen.latent import GaussianPosterior, LinearGaussian, PerExample
from scratchgen.nn import Linear
from tests.latent import linear_gaussian as truth

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 5))
FACTORS = np.tril(RNG.normal(size=(4, 3, 3)), -1) + np.eye(3) * RNG.uniform(0.5, 2.0, (4, 1, 3))
POSTERIORS = MultivariateNormal(RNG.normal(size=(4, 3)), FACTORS)  # one for each x, all of different covariance
MODEL = LinearGaussian(RNG.normal(size=(5, 3)), RNG.normal(size=5), np.array(-0.3))


def table(full):
    return GaussianPosterior(PerExample(4, 12 if full else 6), latent=3, full=full)


def test_the_numbers_are_mean_and_log_variance():
    """(3)"""
    q, numbers = table(full=False), RNG.normal(size=(4, 6))
    q.encoder.values.assign(numbers)
    np.testing.assert_array_equal(q(X).mean.data, numbers[:, :3])
    np.testing.assert_allclose(q(X).variance.data, np.exp(numbers[:, 3:]), rtol=1e-14)


def test_the_numbers_are_mean_and_factor():
    """(4): L has the exponential of the matrix's diagonal, and nothing above it."""
    q, numbers = table(full=True), RNG.normal(size=(4, 12))
    q.encoder.values.assign(numbers)
    raw = numbers[:, 3:].reshape(4, 3, 3)
    L = np.tril(raw, -1) + np.array([np.diag(np.exp(np.diag(one))) for one in raw])
    np.testing.assert_array_equal(q(X).mean.data, numbers[:, :3])
    np.testing.assert_allclose(q(X).covariance.data, L @ np.swapaxes(L, 1, 2), rtol=0, atol=1e-12)


def test_a_network_gives_the_posterior_that_it_gives_a_vae():
    """(1)"""
    vae = truth.model(0.3, -0.2)
    q = GaussianPosterior(vae.encoder, truth.LATENT)
    np.testing.assert_array_equal(q(truth.X).mean.data, vae.encode(truth.X).mean.data)
    np.testing.assert_array_equal(q(truth.X).variance.data, vae.encode(truth.X).variance.data)


def test_the_full_family_has_the_posterior_itself():
    """(5)"""
    q = table(full=True)
    q.move_to(POSTERIORS)
    np.testing.assert_allclose(kl_divergence(q(X), POSTERIORS).data, 0, atol=1e-12)


def test_the_nearest_of_independent_dimensions():
    """(6): its divergence, and that no small change of it makes it less."""
    q = table(full=False)
    q.move_to(POSTERIORS)
    precision = np.linalg.inv(POSTERIORS.covariance)
    diagonals = np.diagonal(precision, axis1=1, axis2=2)
    expected = 0.5 * (np.sum(np.log(diagonals), axis=1) - np.linalg.slogdet(precision)[1])
    kl = kl_divergence(q(X), POSTERIORS)
    np.testing.assert_allclose(kl.data, expected, rtol=0, atol=1e-12)
    np.sum(kl).backward()
    np.testing.assert_allclose(q.encoder.values.grad, 0, atol=1e-12)
    assert np.all(expected > 0.05)
    assert np.all(q(X).variance.data <= POSTERIORS.variance)  # it is too sure of itself


@pytest.mark.parametrize("full", [True, False])
def test_the_gap_of_probabilistic_pca_is_known(full):
    """½ (Σ log P_ii − log det P) for P = I + WᵀW/s², whatever x is; 0 with full covariances."""
    q = table(full)
    with no_grad():
        posterior = MODEL.posterior(X)
        q.move_to(posterior)
        kl = kl_divergence(q(X), posterior).data
    P = np.eye(3) + MODEL.W.data.T @ MODEL.W.data / np.exp(-0.3)
    expected = 0.0 if full else 0.5 * (np.sum(np.log(np.diag(P))) - np.linalg.slogdet(P)[1])
    np.testing.assert_allclose(kl, expected, rtol=0, atol=1e-12)


def test_a_table_has_a_gradient_for_each_of_its_data():
    q = table(full=False)
    np.sum(q(X).mean[1]).backward()
    np.testing.assert_array_equal(q.encoder.values.grad, [[0] * 6, [1] * 3 + [0] * 3, [0] * 6, [0] * 6])


BAD = {
    "no data": (lambda: PerExample(0, 4), ValueError, "n is 0; it must be at least 1"),
    "half a number": (lambda: PerExample(4, 0.5), TypeError, "numbers is 0.5; it must be an int"),
    "no dimensions": (lambda: GaussianPosterior(PerExample(4, 4), 0), ValueError, "latent is 0; it must be at least 1"),
    "other data": (lambda: table(False)(X[:3]), ValueError, "x has 3 rows; the table has 4, one for each of its data"),
    "too few numbers": (
        lambda: GaussianPosterior(PerExample(4, 6), latent=3, full=True)(X),
        ValueError,
        r"the encoder gives shape \(4, 6\); with latent=3 it must be \(B, 12\)",
    ),
    "posteriors of other data": (
        lambda: table(False).move_to(MultivariateNormal(np.zeros((5, 3)), np.eye(3))),
        ValueError,
        r"posterior is MultivariateNormal\(batch_shape=\(5,\).* its batch_shape must be \(4,\), its event_shape \(3,\)",
    ),
    "posteriors of another z": (
        lambda: table(True).move_to(MultivariateNormal(np.zeros((4, 2)), np.eye(2))),
        ValueError,
        r"event_shape=\(2,\).* its event_shape \(3,\)",
    ),
    "posteriors that are not full": (
        lambda: table(False).move_to(table(False)(X)),
        TypeError,
        "posterior is a Independent; it must be a MultivariateNormal",
    ),
    "a single posterior": (
        lambda: table(False).move_to(MultivariateNormal(np.zeros(3), np.eye(3))),
        ValueError,
        r"posterior is MultivariateNormal\(batch_shape=\(\)",
    ),
    "a network is not set": (
        lambda: GaussianPosterior(Linear(5, 6, rng=0), latent=3).move_to(POSTERIORS),
        TypeError,
        "the encoder is a Linear; only a PerExample can be set: take gradient steps",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_inputs_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
