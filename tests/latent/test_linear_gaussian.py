"""Equations (2)–(4) of ``linear_gaussian``, against the D × D covariance in scipy.stats, and conditioning by blocks."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from scratchgen.autodiff import Tensor
from scratchgen.latent import LinearGaussian, log_joint

D, M = 5, 2
RNG = np.random.default_rng(0)
W, B, LOGVAR = RNG.normal(size=(D, M)), RNG.normal(size=D), RNG.uniform(-2, 1, D)
X = RNG.normal(size=(7, D)) * 2
NOISES = {"one variance": np.array(-0.7), "a variance each": LOGVAR}
each_noise = pytest.mark.parametrize("logvar", NOISES.values(), ids=NOISES)


def covariance(logvar):
    """C = W Wᵀ + Ψ (2)."""
    return W @ W.T + np.diag(np.broadcast_to(np.exp(logvar), D))


def conditional(logvar):
    """Mean and covariance of z given x, from the joint normal distribution of (z, x): Bishop (2.81), (2.82)."""
    gain = W.T @ np.linalg.inv(covariance(logvar))
    return (X - B) @ gain.T, np.eye(M) - gain @ W


@each_noise
def test_the_marginal(logvar):
    model = LinearGaussian(W, B, logvar)
    np.testing.assert_allclose(model.covariance().data, covariance(logvar), atol=1e-13)
    exact = multivariate_normal(B, covariance(logvar)).logpdf(X)
    np.testing.assert_allclose(model.log_prob(X).data, exact, rtol=1e-12)
    assert model.loss(X).data == pytest.approx(-exact.mean(), rel=1e-12)


@each_noise
def test_the_posterior(logvar):
    posterior = LinearGaussian(W, B, logvar).posterior(X)
    mean, C = conditional(logvar)
    np.testing.assert_allclose(posterior.mean.data, mean, atol=1e-12)
    np.testing.assert_allclose(posterior.covariance.data, np.broadcast_to(C, (len(X), M, M)), atol=1e-12)


@each_noise
def test_the_joint_is_the_marginal_times_the_posterior_for_every_z(logvar):
    """log p(x, z) = log p(x) + log p(z | x), of which (4) is the case z = m."""
    model, z = LinearGaussian(W, B, logvar), RNG.normal(size=(3, len(X), M))
    np.testing.assert_allclose(
        log_joint(model, X, z).data, (model.log_prob(X) + model.posterior(X).log_prob(z)).data, rtol=1e-12
    )


def test_the_prior_and_the_decoder():
    model, z = LinearGaussian(W, B, LOGVAR), RNG.normal(size=(7, M))
    np.testing.assert_allclose(model.prior().log_prob(z), norm.logpdf(z).sum(axis=1), rtol=1e-13)
    exact = norm.logpdf(X, z @ W.T + B, np.exp(0.5 * LOGVAR)).sum(axis=1)
    np.testing.assert_allclose(model.decode(z).log_prob(X).data, exact, rtol=1e-12)


@pytest.mark.parametrize("logvar", [-30.0, 30.0])
def test_with_hardly_any_noise_or_hardly_anything_else(logvar):
    """C and P are then far from I; the terms of (4) do not cancel, as those of the Woodbury identity would."""
    on_the_plane = RNG.normal(size=(4, M)) @ W.T + B
    values = np.linalg.eigvalsh(W.T @ W) + np.exp(logvar)
    log_det = np.sum(np.log(values)) + (D - M) * logvar
    inverse = np.linalg.inv(W.T @ W + np.exp(logvar) * np.eye(M))
    z = (on_the_plane - B) @ np.linalg.pinv(W).T  # r = W z, and rᵀ C⁻¹ r = zᵀ (WᵀW) (WᵀW + s² I)⁻¹ z
    square = np.sum(z @ (W.T @ W) @ inverse * z, axis=1)
    exact = -0.5 * (D * np.log(2 * np.pi) + log_det + square)
    np.testing.assert_allclose(LinearGaussian(W, B, logvar).log_prob(on_the_plane).data, exact, rtol=1e-10)


def test_a_rotation_of_the_latent_axes_changes_nothing_that_data_can_tell():
    R = np.linalg.qr(RNG.normal(size=(M, M)))[0]
    model, rotated = LinearGaussian(W, B, LOGVAR), LinearGaussian(W @ R, B, LOGVAR)
    np.testing.assert_allclose(rotated.log_prob(X).data, model.log_prob(X).data, rtol=1e-12)
    np.testing.assert_allclose(rotated.posterior_mean(X).data, model.posterior_mean(X).data @ R, atol=1e-12)
    assert np.abs(rotated.W.data - W).max() > 0.1


def test_its_gradient_in_x_is_the_score_of_the_marginal():
    """∇ log N(x; b, C) = −C⁻¹ (x − b)."""
    model = LinearGaussian(W, B, LOGVAR)
    x = Tensor(X, requires_grad=True)
    np.sum(model.log_prob(x)).backward()
    np.testing.assert_allclose(x.grad, -np.linalg.solve(covariance(LOGVAR), (X - B).T).T, atol=1e-12)


@each_noise
def test_samples_have_the_moments_of_the_marginal(logvar):
    """|z| < 5.96 for each mean and covariance; Var(x_i x_j) = C_ii C_jj + C_ij² for normal variables."""
    n, C = 200_000, covariance(logvar)
    x = LinearGaussian(W, B, logvar).sample(n, rng=1) - B
    error_of_mean = np.sqrt(np.diag(C) / n)
    error = np.sqrt((np.outer(np.diag(C), np.diag(C)) + C**2) / n)
    assert np.all(np.abs(x.mean(axis=0)) < 5.96 * error_of_mean)
    assert np.all(np.abs(x.T @ x / n - C) < 5.96 * error)
    assert 5.96 * error.max() < 0.15 * C.max()


def test_z_and_x_are_drawn_one_after_the_other_from_one_generator():
    rng = np.random.default_rng(3)
    z = rng.standard_normal((4, M))
    x = z @ W.T + B + np.exp(0.5 * LOGVAR) * rng.standard_normal((4, D))
    np.testing.assert_allclose(LinearGaussian(W, B, LOGVAR).sample(4, rng=3), x, atol=1e-14)


def test_float32_stays_float32():
    model = LinearGaussian(W.astype(np.float32), B.astype(np.float32), -1.0)
    x = X.astype(np.float32)
    loss = model.loss(x)
    loss.backward()
    results = (loss, model.log_prob(x), model.posterior(x), model.covariance(), model.sample(2, rng=0))
    assert {r.dtype for r in (*results, *(t.grad for t in model.parameters().values()))} == {np.dtype(np.float32)}


MODEL = LinearGaussian(W, B, LOGVAR)
NAN = np.where(np.arange(7 * D).reshape(7, D) == D + 1, np.nan, X)
BAD = {
    "W of one axis": (lambda: LinearGaussian(W[:, 0], B, 0.0), ValueError, r"W is \(5,\), b is \(5,\).* be \(D, M"),
    "W transposed": (lambda: LinearGaussian(W.T, B, 0.0), ValueError, r"W is \(2, 5\)"),
    "no dimension of z": (lambda: LinearGaussian(W[:, :0], B, 0.0), ValueError, "D and M of 1 or more"),
    "a variance in an axis": (lambda: LinearGaussian(W, B, np.zeros(1)), ValueError, r"logvar is \(1,\); they must be"),
    "a variance for each z": (lambda: LinearGaussian(W, B, np.zeros(M)), ValueError, r"logvar is \(2,\)"),
    "integers": (lambda: LinearGaussian(np.ones((5, 2), int), B, 0.0), TypeError, "W is int64"),
    "two dtypes": (lambda: LinearGaussian(W, B.astype(np.float32), 0.0), TypeError, "b is float32.*with .astype"),
    "a noise of 0": (lambda: LinearGaussian(W, B, -np.inf), ValueError, "logvar has -inf"),
    "x of another width": (lambda: MODEL.log_prob(X[:, :3]), ValueError, r"x has shape \(7, 3\); .* be \(B, 5\)"),
    "a single x": (lambda: MODEL.log_prob(X[0]), ValueError, r"\(5,\); it .* \(B, 5\); one x is x\[None\]"),
    "x in float32": (lambda: MODEL.log_prob(X.astype(np.float32)), TypeError, "float32.*float64"),
    "NaN": (lambda: MODEL.posterior_mean(NAN), ValueError, r"x has nan at \(1, 1\); 1 of 35 values"),
    "an empty batch": (lambda: MODEL.loss(X[:0]), ValueError, "x has 0 rows"),
    "z of another width": (lambda: MODEL.decode(X), ValueError, r"z has shape \(7, 5\); the decoder wants \(N, 2\)"),
    "draws that are no int": (lambda: MODEL.sample(2.0, rng=0), TypeError, "n is 2.0"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
