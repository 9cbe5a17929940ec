"""The bound and its gap against exact values: a linear-Gaussian model, a mixture by enumeration, a curved model by
quadrature. Equation numbers are those of ``elbo``."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from scratchgen.autodiff import grad, no_grad
from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal
from scratchgen.latent import Elbo, enumerated, quadrature, reparameterised, sampled, three_terms, two_terms
from scratchgen.latent.elbo import gap
from tests.latent import linear_gaussian as truth
from tests.latent import toy_models as toy

NODES, WEIGHTS = truth.gauss_hermite_nodes()
MOVES = [(0.0, 0.0), (0.7, 0.0), (-0.3, 1.1), (0.2, -0.9)]  # of the mean and the log-variance of q off the posterior


def known(model):
    """The linear-Gaussian model with the method that tells its posterior."""
    mean, variance = truth.posterior(truth.X)
    model.posterior = lambda x: Independent(Normal(mean, np.log(variance)), 1)
    return model


def numbers(terms):
    return [np.asarray(getattr(term, "data", term)) for term in terms]


@pytest.mark.parametrize("shift, stretch", MOVES)
def test_each_of_the_three_terms_in_closed_form(shift, stretch):
    """(2) for q = N(m, S), S diagonal: E|x − b − W z|² = |x − b − W m|² + tr(W S Wᵀ), E|z|² = |m|² + tr S."""
    model = truth.model(shift, stretch)
    q = model.encode(truth.X)
    m, variance = q.mean.data, q.variance.data
    squares = np.sum((truth.X - truth.B - m @ truth.W.T) ** 2, axis=1) + variance @ np.sum(truth.W**2, axis=0)
    expected = (
        -0.5 * (truth.DIM * np.log(2 * np.pi * truth.VARIANCE) + squares / truth.VARIANCE),
        -0.5 * (truth.LATENT * np.log(2 * np.pi) + np.sum(m**2 + variance, axis=1)),
        -0.5 * np.sum(1 + np.log(2 * np.pi * variance), axis=1),
    )
    got = three_terms(model, truth.X, quadrature(q, order=2))
    np.testing.assert_allclose(numbers(got), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(got.total.data, expected[0] + expected[1] - expected[2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("shift, stretch", MOVES)
def test_the_gap_is_the_divergence_from_the_posterior(shift, stretch):
    """(4) for both forms (2) and (3), and so also that these are equal."""
    model = known(truth.model(shift, stretch))
    q = model.encode(truth.X)
    points, divergence = quadrature(q, order=2), gap(model, truth.X, q).data
    for terms in (three_terms(model, truth.X, points), two_terms(model, truth.X, points)):
        np.testing.assert_allclose(truth.log_p(truth.X) - terms.total.data, divergence, rtol=0, atol=1e-12)
    assert np.all(divergence > 0.05) or (shift, stretch) == (0, 0)


def test_at_the_posterior_every_single_point_gives_log_p():
    """(4): log p(x, z) − log p(z | x) = log p(x) whatever z is, so the three-term form has no variance."""
    model = truth.model()
    points = reparameterised(model.encode(truth.X), 1, rng=0)
    np.testing.assert_allclose(three_terms(model, truth.X, points).total.data, truth.log_p(truth.X), rtol=0, atol=1e-12)


def test_the_two_forms_differ_sample_by_sample():
    """At the posterior (2) has no variance, and (3) has: it samples one term of two that would cancel."""
    model = truth.model()
    one = [two_terms(model, truth.X, reparameterised(model.encode(truth.X), 1, rng=i)).total.data for i in range(8)]
    assert np.all(np.std(one, axis=0) > 0.1)


@pytest.mark.parametrize("analytic", [True, False])
def test_the_bound_of_a_vae_is_that_of_one_point(analytic):
    model, noise = truth.model(0.3, 0.4, analytic_kl=analytic), np.random.default_rng(1).standard_normal((4, 2))
    points = reparameterised(model.encode(truth.X), 1, noise=noise[None])
    if analytic:
        expected = two_terms(model, truth.X, points)
    else:
        three = three_terms(model, truth.X, points)
        expected = Elbo(three.log_likelihood, three.log_q - three.log_prior)
    got = model.elbo(truth.X, noise=noise)
    np.testing.assert_allclose(numbers(got), numbers(expected), rtol=0, atol=1e-12)


def test_samples_approach_the_exact_bound():
    # |z| < 5.96 of the standard error, from 64 independent groups: one false alarm in 4 · 10⁸, for each of the four x.
    model = truth.model(0.4, 0.5)
    q = model.encode(truth.X)
    exact = three_terms(model, truth.X, quadrature(q, order=2)).total.data
    groups = np.array([three_terms(model, truth.X, sampled(q, 200, rng=i)).total.data for i in range(64)])
    error = groups.std(axis=0, ddof=1) / np.sqrt(64)
    assert error.max() < 0.03 < 0.1 * gap(known(model), truth.X, q).data.min()  # so small that a lost term would show
    assert np.all(np.abs(groups.mean(axis=0) - exact) < 5.96 * error)


# -- the gradient with respect to θ (lecture p. 5) ---------------------------------------------------------------------


def theta_gradient(model, points):
    """∇_θ of the ELBO, summed over x, for the decoder's weights that make the mean: (LATENT, DIM)."""
    model.decoder.W.grad = None
    np.sum(three_terms(model, truth.X, points).total).backward()
    return model.decoder.W.grad.reshape(truth.LATENT, truth.DIM, 2)[..., 0]


def exact_theta_gradient(m, variance):
    """d/dWᵀ of Σ E_q[log p(x | z)] = Σ (m (x − b − W m)ᵀ − S Wᵀ) / s²."""
    residual = truth.X - truth.B - m @ truth.W.T
    return (m.T @ residual - np.diag(variance.sum(axis=0)) @ truth.W.T) / truth.VARIANCE


@pytest.mark.parametrize("shift, stretch", MOVES)
def test_the_sampled_theta_gradient_is_unbiased(shift, stretch):
    """The single-sample gradients, averaged over the nodes of η with their weights, are the exact gradient."""
    model = truth.model(shift, stretch)
    with no_grad():
        q = model.encode(truth.X)
        points = [reparameterised(q, 1, noise=np.tile(node, (1, 4, 1))) for node in NODES]
    average = sum(weight * theta_gradient(model, one) for one, weight in zip(points, WEIGHTS))
    np.testing.assert_allclose(average, exact_theta_gradient(q.mean.data, q.variance.data), rtol=0, atol=1e-11)


def test_at_the_posterior_it_is_the_gradient_of_log_p():
    """∇_θ log p(x) = E_posterior[∇_θ log p(x, z)]: with (4), for the gap is at its least, where its slope is 0."""
    model = truth.model()

    def log_p(w):  # Σ log N(x; b, C), C = W Wᵀ + s² I
        covariance = w @ w.T + truth.VARIANCE * np.eye(truth.DIM)
        centred = truth.X - truth.B
        squares = np.sum((centred @ np.linalg.inv(covariance)) * centred)
        return -0.5 * (squares + len(truth.X) * np.linalg.slogdet(covariance)[1])

    got = theta_gradient(model, quadrature(model.encode(truth.X), order=2))
    np.testing.assert_allclose(got, grad(log_p)(truth.W).T, rtol=0, atol=1e-11)


# -- models that are not linear ----------------------------------------------------------------------------------------


class Mixture(toy.Mixture):
    """The mixture with the method that tells its posterior."""

    def log_joint(self, x):
        return norm.logpdf(x[:, None], toy.MEANS, np.exp(0.5 * toy.LOGVARS)).sum(axis=-1) + toy.LOG_WEIGHTS

    def posterior(self, x):
        return Categorical(self.log_joint(x))


def test_a_discrete_z_by_enumeration():
    """(2), (3) and (4) for a mixture: log p(x) = log Σ_z p(x, z)."""
    model, x = Mixture(), truth.X[:, :2]
    log_p = np.log(np.exp(model.log_joint(x)).sum(axis=1))
    q = Categorical(np.array([[0.0, 1.0, -1.0], [0.3, 0.3, 0.1], [2.0, 0.0, 0.0], [-1.0, 0.5, 0.2]]))
    points = enumerated(q)
    for terms in (three_terms(model, x, points), two_terms(model, x, points)):
        np.testing.assert_allclose(log_p - terms.total, gap(model, x, q), rtol=0, atol=1e-12)
    exact = enumerated(model.posterior(x))
    np.testing.assert_allclose(three_terms(model, x, exact).total, log_p, rtol=0, atol=1e-12)


class Curved:
    """z ~ N(0, 1), and two coins with the logits 2 z − 1 and 1 − z²."""

    def prior(self, like):
        return Independent(Normal(np.zeros(1), np.zeros(1)), 1)

    def decode(self, z):
        return Independent(Bernoulli(np.concatenate([2 * z - 1, 1 - z * z], axis=-1)), 1)


@pytest.mark.parametrize("x", [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
def test_a_posterior_that_is_not_gaussian(x):
    """(4) with log p(x) and KL(q ‖ p(z | x)) by adaptive quadrature, a method that shares nothing with the nodes."""
    model, mean, std = Curved(), 0.4, 0.8
    signs = 2 * np.array(x) - 1

    def log_joint(z):
        return norm.logpdf(z) - np.logaddexp(0, -signs * [2 * z - 1, 1 - z * z]).sum()

    def integral(f):
        return quad(f, -12, 12, epsabs=1e-13, epsrel=1e-13, limit=200)[0]

    log_p = np.log(integral(lambda z: np.exp(log_joint(z))))
    kl = integral(lambda z: norm.pdf(z, mean, std) * (norm.logpdf(z, mean, std) - log_joint(z) + log_p))
    q = Independent(Normal(np.array([[mean]]), np.array([[2 * np.log(std)]])), 1)
    for form in (three_terms, two_terms):
        elbo = form(model, np.array([x]), quadrature(q, order=80)).total
        np.testing.assert_allclose(log_p - elbo, kl, rtol=0, atol=1e-10)


# -- bad inputs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [three_terms, two_terms])
def test_each_x_has_its_own_q(form):
    model = truth.model()
    points = quadrature(model.encode(truth.X), order=2)
    with pytest.raises(ValueError, match="for 3 rows of x"):
        form(model, truth.X[:3], points)


@pytest.mark.parametrize("form", [three_terms, two_terms])
def test_samples_of_one_q_are_not_taken_for_those_of_several(form):
    """Four samples of a single q for four x would be one for each, and no mean."""
    with pytest.raises(ValueError, match=r"q is Independent\(batch_shape=\(\).* for 4 rows of x"):
        form(truth.model(), truth.X, sampled(truth.model().prior(truth.X), 4, rng=0))
