"""Gradients of importance-weighted bounds, ``path_estimators``: each estimate against its formula written by hand, and
its expectation by Gauss–Hermite nodes against the gradient of the bound's own expectation.
"""

from functools import partial

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.distributions import Independent, MultivariateNormal, Normal
from scratchgen.latent import LinearGaussian, gauss_hermite
from scratchgen.latent.importance import log_weights
from scratchgen.latent.path_estimators import (
    doubly_reparameterised,
    importance_weighted,
    log_prob_along_path,
    path_log_weights,
    scale_gradient,
    sticking_the_landing,
)

W, B, LOGVAR = np.array([[1.2], [-0.7], [0.4]]), np.array([0.3, -0.2, 1.0]), -0.3
X = np.array([[0.9, -0.8, 1.7], [-1.0, 0.2, 0.4]])
MEAN, LOG_VARIANCE = np.array([[0.6], [-0.5]]), np.array([[-0.9], [-1.2]])  # near the posterior, but not it


def total(model, x, q, z):
    """The gradient (1), of both the path and the score."""
    return importance_weighted(log_weights(model, x, q, z))


ESTIMATORS = {"total": total, "sticking the landing": sticking_the_landing, "DReG": doubly_reparameterised}
each_estimator = partial(pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS))


def gradients(estimator, noise, weights=None, mean=MEAN, logvar=LOG_VARIANCE, x=X):
    """The bound (B,), and Σ weights · bound differentiated to φ, the mean and log-variance, and to θ, here W.

    Args:
        noise: (K, B, 1).
        weights: (B,), 1 by default.
    """
    model = LinearGaussian(W, B, np.array(LOGVAR))
    phi = [Tensor(mean, requires_grad=True), Tensor(logvar, requires_grad=True)]
    q = Independent(Normal(*[np.broadcast_to(t, noise.shape[1:]) for t in phi]), 1)
    bound = estimator(model, x, q, q.rsample(len(noise), noise=noise))
    np.sum(bound * (1.0 if weights is None else weights)).backward()
    return bound.data, phi[0].grad, phi[1].grad, model.W.grad


def by_hand(noise):
    """log w, path and score of each sample, the last two with respect to the mean and to the log-variance."""
    std = np.exp(0.5 * LOG_VARIANCE)
    z, variance = MEAN + std * noise, np.exp(LOGVAR)
    residual = X - B - z @ W.T  # (K, B, 3)
    log_p = -0.5 * np.sum(np.log(2 * np.pi) + LOGVAR + residual**2 / variance, axis=-1)
    log_prior = -0.5 * (np.log(2 * np.pi) + z[..., 0] ** 2)
    log_q = -0.5 * (np.log(2 * np.pi) + LOG_VARIANCE + noise**2)[..., 0]
    to_z = residual @ W / variance - z + noise / std
    path = to_z * np.ones_like(noise), to_z * 0.5 * std * noise
    score = noise / std, 0.5 * (noise**2 - 1)
    return log_p + log_prior - log_q, path, score


@pytest.mark.parametrize("K", [1, 2, 5])
def test_each_estimate_against_its_formula(K, estimators=ESTIMATORS):
    """Equations (1), (3) and (4), with derivatives written by hand."""
    noise = np.random.default_rng(K).standard_normal((K, 2, 1))
    log_w, path, score = by_hand(noise)
    w = np.exp(log_w)
    normalised = (w / w.sum(axis=0))[..., None]
    for name, to_weight in {
        "total": lambda path, score: normalised * (path - score),
        "sticking the landing": lambda path, score: normalised * path,
        "DReG": lambda path, score: normalised**2 * path,
    }.items():
        bound, *phi = gradients(estimators[name], noise)[:3]
        np.testing.assert_allclose(bound, np.log(w.mean(axis=0)), rtol=1e-12)
        for got, p, s in zip(phi, path, score):
            np.testing.assert_allclose(got, to_weight(p, s).sum(axis=0), rtol=1e-11, atol=1e-12, err_msg=name)


def expected(estimator, K, order):
    """The expectation of the estimate: every combination of K nodes is a row of the batch, with its own weight."""
    nodes, weights = gauss_hermite(K, order)
    return gradients(estimator, nodes.T[:, :, None], weights, MEAN[0], LOG_VARIANCE[0], np.tile(X[:1], (len(nodes), 1)))


@pytest.mark.parametrize(("K", "order"), [(1, 6), (2, 60), (3, 48)])
def test_the_doubly_reparameterised_gradient_is_unbiased(K, order, estimator=doubly_reparameterised):
    """E of (4) is the gradient of E[L_K], which the total gradient is whatever the nodes are."""
    _, *exact = expected(total, K, order)
    _, *got = expected(estimator, K, order)
    for a, b in zip(got, exact):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_without_the_score_the_gradient_of_the_elbo_is_unbiased():
    """E of (3) for K = 1: all is polynomial in z, so that six nodes are exact."""
    for a, b in zip(expected(sticking_the_landing, 1, 6)[1:], expected(total, 1, 6)[1:]):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("K", "order"), [(2, 60), (3, 40)])
def test_without_the_score_the_gradient_of_more_samples_is_biased_as_told(K, order):
    """E[(3)] − ∇E[L_K] = E[Σ_k w̃_k score_k], computed by hand at the nodes, and no rounding error."""
    nodes, weights = gauss_hermite(K, order)
    std, z = np.exp(0.5 * LOG_VARIANCE[0, 0]), MEAN[0, 0] + np.exp(0.5 * LOG_VARIANCE[0, 0]) * nodes
    residual = X[0] - B - z[..., None] * W[:, 0]
    log_w = -0.5 * np.sum(residual**2, axis=-1) / np.exp(LOGVAR) - 0.5 * z**2 + 0.5 * nodes**2
    w = np.exp(log_w)
    bias = weights @ np.sum(w / w.sum(axis=1, keepdims=True) * nodes / std, axis=1)
    got = expected(sticking_the_landing, K, order)[1] - expected(total, K, order)[1]
    np.testing.assert_allclose(got, bias, rtol=1e-10)
    assert abs(bias) > 0.05


def test_at_the_posterior_every_path_is_0():
    """w = p(x) for every z: (3) and (4) have no variance, while the score alone is left in the total gradient."""
    precision = 1 + (W.T @ W)[0, 0] / np.exp(LOGVAR)
    mean, logvar = (X - B) @ W / np.exp(LOGVAR) / precision, np.full((2, 1), -np.log(precision))
    noise = np.random.default_rng(0).standard_normal((4, 2, 1))
    for estimator in (sticking_the_landing, doubly_reparameterised):
        bound, *phi = gradients(estimator, noise, mean=mean, logvar=logvar)[:3]
        np.testing.assert_allclose(bound, LinearGaussian(W, B, np.array(LOGVAR)).log_prob(X).data, rtol=1e-13)
        np.testing.assert_allclose(phi, 0, atol=1e-13)
    got = gradients(total, noise, mean=mean, logvar=logvar)[1]
    np.testing.assert_allclose(got, -np.mean(noise, axis=0) * np.sqrt(precision), rtol=1e-12)


def test_value_and_theta_gradient_are_those_of_the_bound(estimators=(sticking_the_landing, doubly_reparameterised)):
    """For the same noise; the score is a matter of φ alone."""
    noise = np.random.default_rng(1).standard_normal((5, 2, 1))
    bound, _, _, theta = gradients(total, noise)
    for estimator in estimators:
        got = gradients(estimator, noise)
        np.testing.assert_allclose(got[0], bound, rtol=1e-14)
        np.testing.assert_allclose(got[3], theta, rtol=1e-13)


def test_several_samples_of_the_elbo_are_averaged_without_the_score():
    """The mean of ``path_log_weights`` over K: each sample as for K = 1."""
    noise = np.random.default_rng(2).standard_normal((5, 2, 1))
    got = gradients(lambda *args: np.mean(path_log_weights(*args), axis=0), noise)[1]
    each = [gradients(sticking_the_landing, eta[None])[1] for eta in noise]
    np.testing.assert_allclose(got, np.mean(each, axis=0), rtol=1e-12)


def test_the_parameters_of_any_q_are_detached():
    """log q of a full covariance along the path, against the same with parameters that are plain numbers."""
    rng = np.random.default_rng(0)
    mean, L = rng.normal(size=(2, 3)), np.tril(rng.normal(size=(2, 3, 3)), -1) + 1.5 * np.eye(3)
    noise, got = rng.normal(size=(4, 2, 3)), []
    for along in (log_prob_along_path, lambda q, z: MultivariateNormal(mean, L).log_prob(z)):
        leaves = [Tensor(mean, requires_grad=True), Tensor(L, requires_grad=True)]
        q = MultivariateNormal(*leaves)
        log_q = along(q, q.rsample(4, noise=noise))
        np.sum(log_q * np.cos(np.arange(8).reshape(4, 2))).backward()
        got.append((log_q.data, *[t.grad for t in leaves]))
    for a, b in zip(*got):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_no_sample_is_one_too_many():
    """(1) of equal weights is log w for any K, and of one it is log w itself."""
    np.testing.assert_allclose(importance_weighted(np.full((7, 2), -800.0)), [-800.0, -800.0], rtol=1e-15)
    np.testing.assert_array_equal(importance_weighted(np.array([[0.3, -5.0]])), [0.3, -5.0])


@each_estimator()
def test_float32_stays_float32_and_evaluation_needs_no_gradient(estimator):
    model = LinearGaussian(*[np.asarray(a, np.float32) for a in (W, B, LOGVAR)])
    mean = Tensor(np.asarray(MEAN, np.float32), requires_grad=True)
    q = Independent(Normal(mean, np.asarray(LOG_VARIANCE, np.float32)), 1)
    x = X.astype(np.float32)
    bound = estimator(model, x, q, q.rsample(3, rng=0))
    np.sum(bound).backward()
    assert bound.dtype == mean.grad.dtype == np.float32
    with no_grad():
        np.testing.assert_allclose(estimator(model, x, q, q.rsample(3, rng=0)).data, bound.data, rtol=1e-6)


def test_weights_of_one_x_stay_in_float32():
    assert importance_weighted(np.zeros(5, np.float32)).dtype == np.float32


def test_a_scaled_gradient_leaves_the_value_exactly_as_it_is():
    z = np.random.default_rng(0).normal(size=1000)
    np.testing.assert_array_equal(scale_gradient(Tensor(z, requires_grad=True), np.full(1000, 0.1)).data, z)


def test_a_gradient_can_be_scaled_by_what_broadcasts():
    z, by = Tensor(np.array([[1.0, -2.0], [0.5, 3.0]]), requires_grad=True), np.array([[2.0], [-1.0]])
    y = scale_gradient(z, by)
    np.testing.assert_array_equal(y.data, z.data)
    np.sum(y**3).backward()
    np.testing.assert_allclose(z.grad, by * 3 * z.data**2, rtol=1e-14)


def q_with_gradient():
    return Independent(Normal(Tensor(MEAN, requires_grad=True), LOG_VARIANCE), 1)


MODEL = LinearGaussian(W, B, np.array(LOGVAR))
BAD = {
    "z without a gradient": (
        lambda q: sticking_the_landing(MODEL, X, q, q.sample(2, rng=0)),
        "z has no gradient, .* by q.rsample, not q.sample",
    ),
    "z without a gradient, twice": (
        lambda q: doubly_reparameterised(MODEL, X, q, q.sample(2, rng=0)),
        "z has no gradient, .* by q.rsample, not q.sample",
    ),
    "z for other x": (
        lambda q: doubly_reparameterised(MODEL, X[:1], q, q.rsample(2, rng=0)),
        r"for 1 rows of x its batch shape must be \(1,\)",
    ),
    "z of other x": (lambda q: sticking_the_landing(MODEL, X[:1], q, q.rsample(2, rng=0)), r"z has shape \(2, 2, 1\)"),
    "no axis of samples": (
        lambda q: sticking_the_landing(MODEL, X, q, q.rsample((), rng=0)),
        r"z has shape \(2, 1\); it must be \(K, 2, 1\), with at least one sample: q.rsample\(K, …\)",
    ),
    "no axis of samples, twice": (
        lambda q: doubly_reparameterised(MODEL, X, q, q.rsample((), rng=0)),
        r"z has shape \(2, 1\); it must be \(K, 2, 1\)",
    ),
    "two axes of samples": (
        lambda q: doubly_reparameterised(MODEL, X, q, q.rsample((3, 2), rng=0)),
        r"z has shape \(3, 2, 2, 1\)",
    ),
    "no z": (lambda q: doubly_reparameterised(MODEL, X, q, q.rsample(0, rng=0)), "with at least one sample"),
    "no samples": (lambda q: importance_weighted(np.zeros((0, 3))), r"shape \(0, 3\); .* at least one weight"),
    "a single number": (lambda q: importance_weighted(np.float64(3.0)), r"shape \(\); it must be \(K, …\)"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_inputs_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(q_with_gradient())
