"""The Gaussian mixture: equations (1)–(3) of ``mixture`` against densities of scipy.stats."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from scratchgen.distributions import kl_divergence
from scratchgen.latent import GaussianMixture, log_joint

K, D = 3, 2
WEIGHTS = np.array([0.5, 0.3, 0.2])
MEANS = np.array([[0.0, 1.0], [2.0, -1.0], [-1.5, 0.5]])
FACTORS = np.array([[[1.0, 0.0], [0.6, 0.5]], [[0.4, 0.0], [-0.9, 1.2]], [[0.7, 0.0], [0.0, 0.3]]])
FULL = FACTORS @ np.swapaxes(FACTORS, 1, 2)
VARIANCES = np.array([[1.0, 0.3], [0.2, 2.0], [0.5, 0.09]])
COVARIANCES = {"full": FULL, "diagonal": VARIANCES}
X = np.random.default_rng(0).normal(size=(7, D)) * 2
each_kind = pytest.mark.parametrize("covariances", COVARIANCES.values(), ids=COVARIANCES)


def matrices(covariances):
    return covariances if covariances.ndim == 3 else np.stack([np.diag(v) for v in covariances])


def log_joints(covariances, x=X):
    """log π_k + log N(x; m_k, C_k), (N, K)."""
    normals = [multivariate_normal(m, C).logpdf(x) for m, C in zip(MEANS, matrices(covariances))]
    return np.log(WEIGHTS) + np.stack(normals, axis=1)


@each_kind
def test_it_is_made_of_weights_means_and_covariances(covariances):
    model = GaussianMixture.of(WEIGHTS, MEANS, covariances)
    assert model.diagonal == (covariances.ndim == 2)
    np.testing.assert_allclose(model.weights.data, WEIGHTS, rtol=1e-14)
    np.testing.assert_allclose(model.means.data, MEANS)
    np.testing.assert_allclose(model.covariances().data, matrices(covariances), atol=1e-14)


@each_kind
def test_the_marginal_is_the_sum_over_components(covariances):
    model = GaussianMixture.of(WEIGHTS, MEANS, covariances)
    exact = logsumexp(log_joints(covariances), axis=1)
    np.testing.assert_allclose(model.log_prob(X).data, exact, rtol=1e-12)
    assert model.loss(X).data == pytest.approx(-exact.mean(), rel=1e-12)


@each_kind
def test_responsibilities_are_the_posterior(covariances):
    model, joints = GaussianMixture.of(WEIGHTS, MEANS, covariances), log_joints(covariances)
    exact = np.exp(joints - logsumexp(joints, axis=1, keepdims=True))
    np.testing.assert_allclose(model.responsibilities(X).data, exact, atol=1e-13)
    np.testing.assert_allclose(model.responsibilities(X).data.sum(axis=1), 1, atol=1e-14)
    z = np.arange(len(X)) % K
    np.testing.assert_allclose(model.posterior(X).log_prob(z).data, np.log(exact[np.arange(len(X)), z]), atol=1e-11)


@each_kind
def test_the_joint_of_prior_and_decoder_is_that_of_each_component(covariances):
    model, z = GaussianMixture.of(WEIGHTS, MEANS, covariances), np.array([[0, 1, 2, 0, 2, 1, 0], [2, 2, 1, 1, 0, 0, 2]])
    exact = np.take_along_axis(log_joints(covariances), z.T, axis=1).T
    np.testing.assert_allclose(log_joint(model, X, z).data, exact, rtol=1e-12)
    np.testing.assert_allclose(model.log_joints(X).data, log_joints(covariances), rtol=1e-12)


def test_the_bound_with_the_posterior_is_the_marginal():
    """log p(x) = E_q[log p(x, z)] + entropy of q, for q = p(z | x): lecture p. 4 with no gap."""
    model = GaussianMixture.of(WEIGHTS, MEANS, FULL)
    r = model.responsibilities(X).data
    bound = np.sum(r * model.log_joints(X).data, axis=1) + model.posterior(X).entropy().data
    np.testing.assert_allclose(bound, model.log_prob(X).data, rtol=1e-12)
    reconstruction = np.sum(r * (model.log_joints(X).data - np.log(WEIGHTS)), axis=1)
    kl = kl_divergence(model.posterior(X), model.prior()).data
    np.testing.assert_allclose(reconstruction - kl, model.log_prob(X).data, rtol=1e-12)


def test_one_component_is_a_normal_distribution():
    model = GaussianMixture.of([1.0], MEANS[:1], FULL[:1])
    np.testing.assert_allclose(model.log_prob(X).data, multivariate_normal(MEANS[0], FULL[0]).logpdf(X), rtol=1e-12)


def test_it_integrates_to_one():
    axis = np.linspace(-12, 12, 301)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    total = np.exp(GaussianMixture.of(WEIGHTS, MEANS, FULL).log_prob(grid).data).sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=1e-8)


def test_far_from_all_components_the_logarithm_is_finite_and_the_rows_sum_to_one():
    model, far = GaussianMixture.of(WEIGHTS, MEANS, FULL), 1e4 * np.array([[1.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_allclose(model.log_prob(far).data, logsumexp(log_joints(FULL, far), axis=1), rtol=1e-12)
    np.testing.assert_allclose(model.responsibilities(far).data.sum(axis=1), 1, rtol=1e-14)


@each_kind
def test_samples_have_the_moments_of_the_mixture(covariances):
    """Mean Σ π m, second moments Σ π (C + m mᵀ); |z| < 5.96 with the error bars of the draws themselves."""
    n, C = 100_000, matrices(covariances)
    x = GaussianMixture.of(WEIGHTS, MEANS, covariances).sample(n, rng=1)
    products = x[:, :, None] * x[:, None]
    exact = np.einsum("k,kij->ij", WEIGHTS, C + MEANS[:, :, None] * MEANS[:, None])
    errors = x.std(axis=0) / np.sqrt(n), products.std(axis=0) / np.sqrt(n)
    assert np.all(np.abs(x.mean(axis=0) - WEIGHTS @ MEANS) < 5.96 * errors[0])
    assert np.all(np.abs(products.mean(axis=0) - exact) < 5.96 * errors[1])
    assert 5.96 * max(errors[0].max(), errors[1].max()) < 0.1


def test_samples_are_ancestral():
    """First z from the prior, then x from the component, out of one generator."""
    rng = np.random.default_rng(3)
    z = np.sum(rng.random(6)[:, None] >= np.cumsum(WEIGHTS), axis=1)
    x = MEANS[z] + np.einsum("nij,nj->ni", FACTORS[z], rng.standard_normal((6, D)))
    np.testing.assert_allclose(GaussianMixture.of(WEIGHTS, MEANS, FULL).sample(6, rng=3), x, atol=1e-14)


@each_kind
def test_float32_stays_float32(covariances):
    model, x = GaussianMixture.of(WEIGHTS, MEANS, covariances).astype(np.float32), X.astype(np.float32)
    loss = model.loss(x)
    loss.backward()
    results = (loss, model.responsibilities(x), model.covariances(), model.sample(2, rng=0), model.weights)
    assert {r.dtype for r in (*results, *(t.grad for t in model.parameters().values()))} == {np.dtype(np.float32)}


MODEL = GaussianMixture.of(WEIGHTS, MEANS, FULL)
RAW = MODEL.raw.data
NAN = np.where(np.arange(14).reshape(7, 2) == 3, np.nan, X)
NOT_POSITIVE = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
BAD = {
    "a mean too few": (lambda: GaussianMixture(np.zeros(3), MEANS[:2], RAW), ValueError, r"logits is \(3,\), means is"),
    "one mean": (lambda: GaussianMixture(np.zeros(1), MEANS[0], RAW), ValueError, r"means is \(2,\).*they must be"),
    "no component": (lambda: GaussianMixture(np.zeros(0), MEANS[:0], RAW[:0]), ValueError, "of 1 or more"),
    "NaN in a mean": (lambda: GaussianMixture(np.zeros(7), NAN, X), ValueError, r"means has nan at \(1, 1\)"),
    "integer means": (lambda: GaussianMixture(np.zeros(3), MEANS.astype(int), RAW), TypeError, "means is int64"),
    "weights of another sum": (lambda: GaussianMixture.of(WEIGHTS + 0.1, MEANS, FULL), ValueError, "sum 1.3; it must"),
    "weights that nearly sum to 1": (lambda: GaussianMixture.of(WEIGHTS * 1.001, MEANS, FULL), ValueError, "sum 1.001"),
    "no weight": (lambda: GaussianMixture.of([0.5, 0.5, 0.0], MEANS, FULL), ValueError, r"weights has 0.0 at \(2,\)"),
    "masked means": (
        lambda: GaussianMixture.of(WEIGHTS, np.ma.array(MEANS), FULL),
        TypeError,
        "means is a masked array",
    ),
    "no covariance": (lambda: GaussianMixture.of(WEIGHTS, MEANS, NOT_POSITIVE), ValueError, r"at \(1,\) is not"),
    "no variance": (lambda: GaussianMixture.of(WEIGHTS, MEANS, VARIANCES - 0.2), ValueError, "must be positive"),
    "x of another width": (lambda: MODEL.log_prob(X[:, :1]), ValueError, r"x has shape \(7, 1\); it must be \(B, 2\)"),
    "one x": (lambda: MODEL.log_prob(X[0]), ValueError, r"one x is x\[None\]"),
    "x in float32": (lambda: MODEL.log_prob(X.astype(np.float32)), TypeError, "float32.*float64"),
    "NaN": (lambda: MODEL.responsibilities(NAN), ValueError, r"x has nan at \(1, 1\); 1 of 14 values"),
    "an empty batch": (lambda: MODEL.loss(X[:0]), ValueError, "x has 0 rows"),
    "a component of no number": (lambda: MODEL.decode(np.zeros(3)), TypeError, "z is float64; .* integers from 0 to 2"),
    "a component of −1": (lambda: MODEL.decode(np.array([0, -1])), ValueError, r"z has -1 at \(1,\)"),
    "a component too many": (lambda: MODEL.decode(np.array([0, 3])), ValueError, r"z has 3 at \(1,\)"),
    "z of two axes": (lambda: MODEL.decode(np.zeros((2, 2), int)), ValueError, r"\(2, 2\); it must be \(N,\)"),
    "draws that are no int": (lambda: MODEL.sample(2.0, rng=0), TypeError, "n is 2.0"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
