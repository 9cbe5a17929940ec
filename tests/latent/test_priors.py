"""Other priors and posteriors of a VAE, against densities in closed form and exact expectations."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from scratchgen.autodiff import no_grad
from scratchgen.distributions import Distribution, MultivariateNormal, Normal, kl_divergence
from scratchgen.latent import (
    IWAE,
    VAE,
    ConstantVarianceLikelihood,
    GaussianPosterior,
    MixturePrior,
    VampPrior,
    log_weights,
    quadrature,
)
from scratchgen.nn import MLP, Module
from tests.latent import linear_gaussian as truth

RNG = np.random.default_rng(0)
X = truth.X
LOGITS, LOGVARS = np.log([0.5, 0.3, 0.2]), RNG.normal(size=(3, 2)) / 3
MEANS = np.array([[1.0, -0.5], [2.0, 1.5], [-0.5, 1.0]])
VARIANCE = 1.0
PSEUDO = RNG.normal(size=(4, 3))
SKEW = np.array([[1.0, 0.5], [0.5, 1.0], [0.3, -0.2]])  # W with columns that are not orthogonal


def mixture():
    prior = MixturePrior(3, 2, rng=0, dtype=np.float64)
    prior.logits.assign(LOGITS)
    prior.means.assign(MEANS)
    prior.logvars.assign(LOGVARS)
    return prior


class Numbers(Module):
    """The numbers of a full covariance: m = x A + c, and always the same factor."""

    def __init__(self, A, c, raw):
        self.layer = truth.linear_layer(
            np.concatenate([A, np.zeros((len(A), 4))], axis=1), np.concatenate([c, raw.reshape(-1)])
        )

    def forward(self, x):
        return self.layer(x)


def correlated(q_of=None, shift=0.0, prior=None, cls=VAE, **options):
    """x = SKEW z + b + noise, and the posterior p(z | x), correlated, as a full-covariance q; moved by ``shift``."""
    P = np.eye(2) + SKEW.T @ SKEW / VARIANCE
    L = np.linalg.cholesky(np.linalg.inv(P))
    gain = SKEW @ np.linalg.inv(P) / VARIANCE
    raw = np.tril(L, -1) + np.diag(np.log(np.diag(L)))
    q = GaussianPosterior(Numbers(gain, -truth.B @ gain + shift, raw), latent=2, full=True)
    decoder = truth.linear_layer(SKEW.T, truth.B)
    encoder = q if q_of is None else q_of(q)
    likelihood = ConstantVarianceLikelihood(3, VARIANCE, dtype=np.float64)
    return cls(encoder, decoder, likelihood, 2, learned_prior=prior(q) if prior else None, **options)


def log_p(x, weights=(1.0,), means=((0.0, 0.0),), covariances=(((1.0, 0.0), (0.0, 1.0)),)):
    """log p(x) of x = SKEW z + b + noise, exact, for a mixture of Gaussians of z: a mixture of Gaussians of x."""
    noise = VARIANCE * np.eye(3)
    return np.log(
        sum(
            w * multivariate_normal(SKEW @ m + truth.B, SKEW @ C @ SKEW.T + noise).pdf(x)
            for w, m, C in zip(weights, means, covariances)
        )
    )


# -- posteriors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("analytic", [True, False])
def test_a_full_covariance_is_tight_where_the_dimensions_depend_on_each_other(analytic):
    """The bound is log p(x), exactly: sampled, for every noise; in closed form, on average over the nodes."""
    model = correlated(analytic_kl=analytic)
    covariance = model.encode(X).covariance.data[0]
    assert abs(covariance[0, 1]) > 0.1 * covariance[0, 0]
    nodes, weights = truth.gauss_hermite_nodes(2)
    each = np.array([model.elbo(X, noise=np.tile(node, (len(X), 1))).total.data for node in nodes])
    np.testing.assert_allclose(weights @ each, log_p(X), rtol=0, atol=1e-12)
    assert (np.abs(each - log_p(X)).max() < 1e-12) == (not analytic)


def test_the_divergence_of_a_full_covariance_is_the_closed_form():
    model = correlated(shift=0.4)
    q = model.encode(X)
    expected = kl_divergence(q, MultivariateNormal(np.zeros(2), np.eye(2))).data
    np.testing.assert_allclose(model.elbo(X, rng=0).kl.data, expected, rtol=0, atol=1e-12)


class Shifted(Distribution):
    """Any q: here a Gaussian again, but of a class of which no divergence is known."""

    def __init__(self, base):
        self.base = base
        self.batch_shape, self.event_shape, self.dtype = base.batch_shape, base.event_shape, base.dtype

    mean = property(lambda self: self.base.mean)
    variance = property(lambda self: self.base.variance)

    def log_prob(self, x):
        return self.base.log_prob(x)

    def sample(self, n, rng):
        return self.base.sample(n, rng)

    def rsample(self, n, rng=None, noise=None):
        return self.base.rsample(n, rng, noise)

    def entropy(self):
        raise NotImplementedError


class Any(Module):
    """An encoder that gives such a q."""

    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return Shifted(self.inner(x))


def test_any_q_with_samples_and_a_density_will_do():
    """Without a closed form the divergence is sampled: at the posterior the bound then has no variance."""
    model = correlated(Any)
    np.testing.assert_allclose(model.elbo(X, rng=0).total.data, log_p(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.log_prob(X, rng=0, samples=1), log_p(X), rtol=0, atol=1e-12)
    moved = correlated(Any, shift=0.3)
    terms = moved.elbo(X, noise=np.ones((4, 2)))
    q = moved.encode(X)
    z = q.rsample((), noise=np.ones((4, 2))).data
    expected = q.log_prob(z).data - multivariate_normal(np.zeros(2)).logpdf(z)
    np.testing.assert_allclose(terms.kl.data, expected, rtol=0, atol=1e-12)
    moved.loss(X, rng=0).backward()
    assert np.any(moved.encoder.inner.encoder.layer.W.grad != 0)


# -- priors ------------------------------------------------------------------------------------------------------------


def test_the_mixture_is_the_mixture():
    """(2)"""
    z = RNG.normal(size=(7, 2))
    each = [np.exp(a) * multivariate_normal(m, np.diag(np.exp(v))).pdf(z) for a, m, v in zip(LOGITS, MEANS, LOGVARS)]
    np.testing.assert_allclose(np.exp(mixture()().log_prob(z).data), np.sum(each, axis=0), rtol=1e-12)


def test_the_vamp_prior_is_the_average_posterior_of_its_pseudo_inputs():
    """(3)"""
    model, z = correlated(prior=lambda q: VampPrior(q, PSEUDO)), RNG.normal(size=(7, 2))
    q = model.encode(PSEUDO)
    each = [multivariate_normal(m, C).pdf(z) for m, C in zip(q.mean.data, q.covariance.data)]
    np.testing.assert_allclose(np.exp(model.prior(z).log_prob(z).data), np.mean(each, axis=0), rtol=1e-12)


def moments(kind, shift=0.0):
    """The weights, means and covariances of the prior of a model moved by ``shift``, and what makes it."""
    if kind == "mixture":
        return (np.exp(LOGITS), MEANS, [np.diag(np.exp(v)) for v in LOGVARS]), lambda q: mixture()
    q = correlated(shift=shift).encode(PSEUDO)
    return (np.full(4, 0.25), q.mean.data, q.covariance.data), lambda q: VampPrior(q, PSEUDO)


@pytest.mark.parametrize("kind", ["mixture", "vamp"])
def test_importance_weights_with_a_learned_prior_are_unbiased(kind):
    """E_q[w] = p(x), the mixture of Gaussians that it is; by nodes."""
    parts, prior = moments(kind, shift=0.1)
    model = correlated(shift=0.1, prior=prior)
    points = quadrature(model.encode(X), order=70)
    with no_grad():
        w = np.exp(log_weights(model, X, points.q, points.z).data)
    np.testing.assert_allclose(np.log(points.mean(w)), log_p(X, *parts), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["mixture", "vamp"])
def test_the_bound_with_a_learned_prior_is_below_log_p(kind):
    """The ELBO, whose divergence is log q − log p at z: its expectation is log p(x) less KL(q ‖ posterior) > 0."""
    parts, prior = moments(kind, shift=0.1)
    model = correlated(shift=0.1, prior=prior)
    nodes, weights = truth.gauss_hermite_nodes(12)
    elbo = weights @ np.array([model.elbo(X, noise=np.tile(node, (4, 1))).total.data for node in nodes])
    points = quadrature(model.encode(X), order=12)
    np.testing.assert_allclose(elbo, points.mean(log_weights(model, X, points.q, points.z)).data, rtol=0, atol=1e-12)
    gap = log_p(X, *parts) - elbo
    assert np.all(gap > 0) and gap.max() < 3


def test_a_mixture_of_one_standard_normal_is_the_plain_prior():
    prior = MixturePrior(1, 2, rng=0, dtype=np.float64)
    prior.means.assign(np.zeros((1, 2)))
    learned, plain = correlated(prior=lambda q: prior), correlated(analytic_kl=False)
    for a, b in zip(learned.elbo(X, rng=3), plain.elbo(X, rng=3)):
        np.testing.assert_allclose(a.data, b.data, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["mixture", "vamp"])
def test_samples_are_of_the_learned_prior(kind):
    """Mean and covariance of x = SKEW z + b + noise within 5.96 standard errors, of which the size is asserted."""
    (weights, means, covariances), prior = moments(kind)
    x = correlated(prior=prior).sample(20_000, rng=0)
    m = weights @ means
    C = sum(w * (c + np.outer(u - m, u - m)) for w, u, c in zip(weights, means, covariances))
    covariance = SKEW @ C @ SKEW.T + VARIANCE * np.eye(3)
    error = np.sqrt(np.diag(covariance) / len(x))
    assert np.all(np.abs(x.mean(axis=0) - SKEW @ m - truth.B) < 5.96 * error)
    assert 5.96 * error.max() < 0.2 * np.abs(SKEW @ m).max()  # N(0, I) in its place would be seen
    spread = np.sqrt((covariance**2 + np.outer(np.diag(covariance), np.diag(covariance))) / len(x))
    assert np.all(np.abs(np.cov(x.T) - covariance) < 5.96 * spread)


@pytest.mark.parametrize("cls, options", [(VAE, {}), (IWAE, {"samples": 3}), (IWAE, {"samples": 3, "dreg": True})])
def test_the_prior_is_trained_and_the_encoder_through_it(cls, options):
    for prior, names in ((lambda q: mixture(), ["logits", "means", "logvars"]), (lambda q: VampPrior(q, PSEUDO), [])):
        model = correlated(prior=prior, cls=cls, shift=0.2, **options)
        model.loss(X, rng=0).backward()
        own = {name: t for name, t in model.parameters().items() if name.startswith("learned_prior")}
        wanted = names or ["pseudo_inputs"]  # the encoder is listed once, under its own name
        assert list(own) == [f"learned_prior.{name}" for name in wanted]
        assert all(t.grad is not None and np.any(t.grad != 0) for t in model.parameters().values())


def test_training_stays_in_float32():
    posterior = GaussianPosterior(MLP([6, 5, 4], rng=0), latent=2)
    for prior in (MixturePrior(3, 2, rng=0), VampPrior(posterior, RNG.normal(size=(3, 6)).astype(np.float32))):
        model = VAE(posterior, MLP([2, 5, 6], rng=1), ConstantVarianceLikelihood(6), 2, learned_prior=prior)
        x = RNG.normal(size=(4, 6)).astype(np.float32)
        loss = model.loss(x, rng=0)
        loss.backward()
        assert loss.dtype == np.float32 and model.sample(3, rng=0).dtype == np.float32
        assert all(t.grad.dtype == np.float32 for t in model.parameters().values())
        assert model.log_prob(x, rng=0, samples=3).dtype == np.float32


def test_the_means_of_a_mixture_differ_at_first():
    """Alike they would have the same gradients for ever."""
    assert isinstance(mixture()().components.base, Normal)
    means = MixturePrior(5, 2, rng=0).means.data
    assert np.unique(means).size == means.size
    many = MixturePrior(2000, 2, rng=0).means.data  # of N(0, I), as the codes will be
    assert abs(many.std() - 1) < 0.05 and abs(many.mean()) < 0.1
