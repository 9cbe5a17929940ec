"""The VAE against a linear-Gaussian model, of which the evidence and the posterior are known exactly.

Expectations over the noise are sums over Gauss–Hermite nodes, exact for the quadratics of this model: no Monte Carlo.
"""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.latent import VAE, Autoencoder, BernoulliLikelihood, CategoricalLikelihood, GaussianLikelihood
from scratchgen.nn import MLP
from tests.latent import linear_gaussian as truth

NODES, WEIGHTS = truth.gauss_hermite_nodes()


def expected_elbo(model, x):
    """E over η of the ELBO, for each x."""
    return sum(w * model.elbo(x, noise=np.tile(node, (len(x), 1))).total.data for node, w in zip(NODES, WEIGHTS))


def kl_to_posterior(model, x):
    """KL(q(z | x) ‖ p(z | x)) by the formula for Gaussians, written with standard deviations."""
    q, (mean, variance) = model.encode(x), truth.posterior(x)
    q_std, p_std = np.sqrt(q.variance.data), np.sqrt(variance)
    terms = np.log(p_std / q_std) + (q_std**2 + (q.mean.data - mean) ** 2) / (2 * p_std**2) - 0.5
    return terms.sum(axis=1)


def test_the_sampled_bound_is_exact_at_the_posterior_for_every_noise():
    model = truth.model(analytic_kl=False)
    for node in NODES:  # equation (5): log p(x, z) − log p(z | x) = log p(x), with zero variance
        total = model.elbo(truth.X, noise=np.tile(node, (len(truth.X), 1))).total.data
        np.testing.assert_allclose(total, truth.log_p(truth.X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("analytic", [True, False])
@pytest.mark.parametrize("shift, stretch", [(0.0, 0.0), (0.7, 0.0), (-0.3, 1.1), (0.2, -0.9)])
def test_the_gap_is_the_divergence_from_the_posterior(analytic, shift, stretch):
    model = truth.model(shift, stretch, analytic_kl=analytic)  # equations (4) and (5): the same expectation
    gap = truth.log_p(truth.X) - expected_elbo(model, truth.X)
    np.testing.assert_allclose(gap, kl_to_posterior(model, truth.X), rtol=0, atol=1e-12)


def test_the_loss_is_minus_the_elbo_averaged_over_the_batch():
    model = truth.model(0.5, 0.5)
    terms = model.elbo(truth.X, rng=3)
    assert model.loss(truth.X, rng=3).item() == pytest.approx(-np.mean(terms.total.data), rel=1e-14)


def test_beta_weighs_the_divergence_only():
    terms = truth.model(0.5, 0.5).elbo(truth.X, rng=3)
    loss = truth.model(0.5, 0.5, beta=4.0).loss(truth.X, rng=3).item()
    assert loss == pytest.approx(np.mean(4.0 * terms.kl.data - terms.reconstruction.data), rel=1e-14)


def test_the_reparameterised_gradient_is_the_gradient_of_the_expectation():
    # Averaged over the nodes, dELBO/dφ by (3) equals −d KL(q ‖ posterior)/dφ, here with respect to shift and stretch.
    model, eps = truth.model(0.4, 0.6), 1e-5
    for node, w in zip(NODES, WEIGHTS):
        np.sum(model.elbo(truth.X, noise=np.tile(node, (4, 1))).total * float(w)).backward()

    def total_gap(shift, stretch):
        return kl_to_posterior(truth.model(shift, stretch), truth.X).sum()

    by_shift = (total_gap(0.4 + eps, 0.6) - total_gap(0.4 - eps, 0.6)) / (2 * eps)
    by_stretch = (total_gap(0.4, 0.6 + eps) - total_gap(0.4, 0.6 - eps)) / (2 * eps)
    gradient = model.encoder.b.grad
    assert gradient[: truth.LATENT].sum() == pytest.approx(-by_shift, rel=1e-8)
    assert gradient[truth.LATENT :].sum() == pytest.approx(-by_stretch, rel=1e-8)


# -- the importance-weighted bound -------------------------------------------------------------------------------------


def test_one_importance_weight_is_enough_at_the_posterior():
    np.testing.assert_allclose(truth.model().log_prob(truth.X, rng=0, samples=1), truth.log_p(truth.X), atol=1e-12)


def test_the_importance_weighted_bound_grows_with_k():
    # E log (w₁ + … + w_K)/K by enumeration of K-fold products of the nodes: exact sums, so the order is strict.
    model = truth.model(0.3, 0.4, analytic_kl=False)
    x = truth.X[:1]
    log_w = np.array([model.elbo(x, noise=node[None]).total.data[0] for node in NODES])
    w, p = np.exp(log_w), WEIGHTS
    one = p @ log_w
    two = sum(p[i] * p[j] * np.log((w[i] + w[j]) / 2) for i in range(len(p)) for j in range(len(p)))
    assert one < two < np.log(p @ w)


def test_the_importance_weighted_bound_averages_weights_not_their_logarithms():
    model, samples = truth.model(0.5, 0.5), 7
    noise = np.random.default_rng(5).standard_normal((samples, len(truth.X), truth.LATENT))
    sampled = truth.model(0.5, 0.5, analytic_kl=False)
    w = np.exp([sampled.elbo(truth.X, noise=eta).total.data for eta in noise])
    np.testing.assert_allclose(model.log_prob(truth.X, rng=5, samples=samples), np.log(w.mean(axis=0)), rtol=1e-12)


def test_many_importance_weights_approach_the_evidence():
    # |z| < 5.96 of the standard error of the mean weight: one false alarm in 4 · 10⁸, for each of the four x.
    model, n = truth.model(0.2, 0.3), 20_000
    sampled = truth.model(0.2, 0.3, analytic_kl=False)
    x = np.repeat(truth.X, n // 4, axis=0)
    w = np.exp(sampled.elbo(x, rng=1).total.data).reshape(4, -1)
    relative_error = w.std(axis=1) / w.mean(axis=1) / np.sqrt(n // 4)
    assert relative_error.max() < 0.02  # so that an error of a missing log K, or of a factor, would be seen
    estimate = model.log_prob(truth.X, rng=2, samples=n // 4)
    assert np.all(np.abs(estimate - truth.log_p(truth.X)) < 5.96 * relative_error + relative_error**2)


# -- sampling ----------------------------------------------------------------------------------------------------------


def test_samples_have_the_moments_of_the_marginal():
    # Marginal N(b, WWᵀ + s²I): each mean and each covariance within 5.96 standard errors (10⁻⁸ false alarms in all).
    n = 40_000
    x = truth.model().sample(n, rng=0)
    covariance = truth.W @ truth.W.T + truth.VARIANCE * np.eye(truth.DIM)
    assert np.all(np.abs(x.mean(axis=0) - truth.B) < 5.96 * np.sqrt(np.diag(covariance) / n))
    error = np.sqrt((covariance**2 + np.outer(np.diag(covariance), np.diag(covariance))) / n)
    assert np.all(np.abs(np.cov(x.T) - covariance) < 5.96 * error)
    assert 5.96 * error.max() < 0.1 * covariance.max()  # a missing variance term would be seen


def test_samples_repeat_with_the_seed():
    np.testing.assert_array_equal(truth.model().sample(5, rng=7), truth.model().sample(5, rng=7))


def test_z_and_x_are_drawn_one_after_the_other_from_one_generator():
    # With the seed itself given to both, the noise of x would be that of z.
    model, rng = truth.model(), np.random.default_rng(7)
    z = rng.standard_normal((5, truth.LATENT))
    np.testing.assert_array_equal(model.sample(5, rng=7), model.decode(z).sample((), rng))


def test_the_reconstruction_is_decoded_from_the_posterior_mean():
    mean, _ = truth.posterior(truth.X)
    np.testing.assert_allclose(truth.model().reconstruct(truth.X), mean @ truth.W.T + truth.B, rtol=0, atol=1e-12)


def test_what_needs_no_gradient_records_no_graph():
    recorded = []

    class Watched(GaussianLikelihood):
        def components(self, parameters):
            recorded.append(parameters.requires_grad)
            return super().components(parameters)

    model, likelihood = truth.model(), Watched(truth.DIM)
    vae = VAE(model.encoder, model.decoder, likelihood, truth.LATENT)
    vae.loss(truth.X, rng=0)
    vae.log_prob(truth.X, rng=0, samples=1)
    vae.sample(3, rng=0)
    vae.reconstruct(truth.X)
    Autoencoder(MLP([3, 2], rng=0, dtype=np.float64), model.decoder, likelihood).reconstruct(truth.X)
    assert recorded == [True, False, False, False, False]


# -- other networks and likelihoods ------------------------------------------------------------------------------------


def mlp_vae(likelihood, latent=2, dtype=np.float32, **options):
    size = int(np.prod(likelihood.event_shape))
    return VAE(
        MLP([size, 8, 2 * latent], rng=0, dtype=dtype),
        MLP([latent, 8, likelihood.outputs], rng=1, dtype=dtype),
        likelihood,
        latent,
        **options,
    )


@pytest.mark.parametrize(
    "likelihood, x",
    [
        (BernoulliLikelihood(6), np.ones((3, 6), np.float32)),
        (GaussianLikelihood(6), np.ones((3, 6), np.float32)),
        (CategoricalLikelihood(6, levels=5), np.full((3, 6), 4, np.uint8)),
    ],
)
def test_training_stays_in_float32(likelihood, x):
    model = mlp_vae(likelihood)
    loss = model.loss(x, rng=0)
    loss.backward()
    assert loss.dtype == np.float32
    assert all(t.grad.dtype == np.float32 for t in model.parameters().values())
    assert model.sample(4, rng=0).shape == (4, 6)
    assert model.reconstruct(x).dtype == np.float32
    assert model.log_prob(x, rng=0, samples=3).dtype == np.float32


def test_every_parameter_learns():
    model = mlp_vae(BernoulliLikelihood(6))
    model.loss(np.ones((3, 6), np.float32), rng=0).backward()
    assert all(np.any(t.grad != 0) for t in model.parameters().values())


def test_an_autoencoder_scores_its_reconstruction():
    likelihood = BernoulliLikelihood(6)
    model = Autoencoder(MLP([6, 2], rng=0), MLP([2, 6], rng=1), likelihood)
    x = (np.arange(18).reshape(3, 6) % 2).astype(np.float32)
    p = model.reconstruct(x).astype(np.float64)
    expected = -np.mean(np.sum(np.log(np.where(x == 1, p, 1 - p)), axis=1))
    assert model.loss(x).item() == pytest.approx(expected, rel=1e-5)


def test_an_autoencoder_spreads_levels_as_the_likelihood_says():
    likelihood = CategoricalLikelihood(3, levels=5)
    encoder, decoder = MLP([3, 2], rng=0, dtype=np.float64), MLP([2, 15], rng=1, dtype=np.float64)
    x = np.array([[0, 2, 4], [1, 1, 3]])
    code = Autoencoder(encoder, decoder, likelihood).encode(x)
    np.testing.assert_array_equal(code.data, encoder(x / 2 - 1).data)


def test_the_variance_of_a_gaussian_decoder_is_bounded_below():
    p = GaussianLikelihood(1, least=-6.0)(np.array([[0.0, -1e4], [0.0, 1e4]]))
    assert p.base.logvar[0, 0] == -6.0 and p.base.logvar[1, 0] == pytest.approx(1e4)
    raw = Tensor(np.array([[0.0, -1e4]]), requires_grad=True)
    p = GaussianLikelihood(1)(raw)
    p.log_prob(np.zeros((1, 1))).sum().backward()  # noise-free data: x = mean
    assert np.all(np.isfinite(raw.grad))
