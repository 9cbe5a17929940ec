"""Rate, distortion, mutual information and effective samples, against closed forms and integrals."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from scratchgen.distributions import Independent, Normal
from scratchgen.latent import marginal, quadrature, rate_distortion, sampled
from scratchgen.latent.diagnostics import kl_per_dimension
from scratchgen.latent.rate_distortion import RateDistortion, effective_sample_size, mutual_information
from tests.latent import linear_gaussian as truth
from tests.latent.test_priors import Any, correlated, mixture
from tests.latent.test_vae import kl_to_posterior

X = truth.X


def normals(means, variances):
    """A batch of q(z | x_n), z a number."""
    return Independent(Normal(np.array(means)[:, None], np.log(variances)[:, None]), 1)


@pytest.mark.parametrize("shift, stretch", [(0.0, 0.0), (0.3, -0.5)])
def test_rate_and_distortion_in_closed_form(shift, stretch):
    """(1): R is the divergence from the prior, and D that of a linear decoder: ½ (D log 2πs² + E‖x − W z − b‖²/s²)."""
    model = truth.model(shift, stretch)
    q = model.encode(X)
    m, v = q.mean.data, q.variance.data
    squares = np.sum((X - truth.B - m @ truth.W.T) ** 2, axis=1) + v @ np.sum(truth.W**2, axis=0)
    distortion = 0.5 * (truth.DIM * np.log(2 * np.pi * truth.VARIANCE) + squares / truth.VARIANCE).mean()
    found = rate_distortion.rate_distortion(model, X, quadrature(q, order=2))
    assert found.distortion == pytest.approx(distortion, abs=1e-12)
    assert found.rate == pytest.approx(kl_per_dimension(model, X).sum(), abs=1e-12)
    assert found.elbo == pytest.approx(np.mean(truth.log_p(X) - kl_to_posterior(model, X)), abs=1e-12)


def test_a_rate_without_a_closed_form_is_that_of_the_points():
    """log q is quadratic, so nodes have its expectation exactly."""
    exact, by_points = correlated(shift=0.3), correlated(Any, shift=0.3)
    nodes = quadrature(exact.encode(X), order=2)
    same_nodes = nodes._replace(q=by_points.encode(X))
    rate = rate_distortion.rate_distortion(exact, X, nodes).rate
    assert rate_distortion.rate_distortion(by_points, X, same_nodes).rate == pytest.approx(rate, abs=1e-12)


def test_samples_will_do():
    model = truth.model(0.3, -0.5)
    exact = rate_distortion.rate_distortion(model, X, quadrature(model.encode(X), order=2))
    found = rate_distortion.rate_distortion(model, X, sampled(model.encode(X), 20_000, rng=0))
    assert found.rate == pytest.approx(exact.rate, abs=1e-12)
    assert found.distortion == pytest.approx(exact.distortion, abs=0.02) and found.distortion != exact.distortion


# -- mutual information ------------------------------------------------------------------------------------------------


def integrals(means, variances):
    """I, KL(q̄ ‖ p) and R of (2), for z a number, by quadrature of their definitions."""

    def density(z):
        return norm.pdf(z, means, np.sqrt(variances))

    def entropy_of_aggregate(z):
        return -np.mean(density(z)) * np.log(np.mean(density(z)))

    span, options = (-12, 12), {"epsabs": 1e-13, "epsrel": 1e-13, "limit": 500, "points": list(means)}
    entropy = quad(entropy_of_aggregate, *span, **options)[0]
    information = entropy - np.mean(0.5 * np.log(2 * np.pi * np.e * np.array(variances)))
    cross = -quad(lambda z: np.mean(density(z)) * norm.logpdf(z), *span, **options)[0]
    rate = np.mean(0.5 * (np.array(variances) + np.array(means) ** 2 - 1 - np.log(variances)))
    return information, cross - entropy, rate


@pytest.mark.parametrize("means, variances", [([0.0, 1.0], [1.0, 0.7]), ([-1.0, 0.2, 1.5], [0.5, 1.0, 0.6])])
def test_the_mutual_information_is_the_integral(means, variances):
    """(2), I by its definition, and R = I + KL(q̄ ‖ p)."""
    information, excess, rate = integrals(means, variances)
    assert rate == pytest.approx(information + excess, abs=1e-10)
    found = mutual_information(quadrature(normals(means, variances), order=150))
    assert found == pytest.approx(information, abs=1e-8)
    assert 0 < found < np.log(len(means))


def test_codes_far_apart_tell_which_and_codes_alike_tell_nothing():
    """The bounds of (2): log N and 0."""
    apart = normals(np.arange(7) * 100.0, np.linspace(0.5, 2.0, 7))
    assert mutual_information(sampled(apart, 3, rng=0)) == pytest.approx(np.log(7), abs=1e-12)
    assert mutual_information(sampled(normals(np.ones(7), np.ones(7)), 3, rng=0)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("pairs", [1, 30, 4096])
def test_it_does_not_matter_how_many_are_looked_at_together(pairs, monkeypatch):
    monkeypatch.setattr(rate_distortion, "PAIRS", pairs)
    points = sampled(normals(np.linspace(-1, 1, 9), np.full(9, 0.3)), 5, rng=0)
    each = norm.pdf(points.z[..., 0, None], np.linspace(-1, 1, 9), np.sqrt(0.3))  # (5, 9, 9)
    own = np.diagonal(each, axis1=1, axis2=2)
    assert mutual_information(points) == pytest.approx(np.mean(np.log(own / each.mean(axis=2))), abs=1e-12)
    assert marginal.PAIRS == 4096


# -- effective samples -------------------------------------------------------------------------------------------------


def test_at_the_posterior_every_sample_is_effective():
    np.testing.assert_allclose(effective_sample_size(truth.model(), X, 100, rng=0), 100, rtol=1e-10)


def test_away_from_the_posterior_fewer_are():
    """(Σ w)² / Σ w², of the weights by hand."""
    model = truth.model(0.5, 0.5, analytic_kl=False)
    noise = np.random.default_rng(5).standard_normal((50, len(X), truth.LATENT))
    w = np.exp([model.elbo(X, noise=eta).total.data for eta in noise])
    found = effective_sample_size(model, X, 50, rng=5)
    np.testing.assert_allclose(found, w.sum(axis=0) ** 2 / (w**2).sum(axis=0), rtol=1e-12)
    assert np.all((found > 1) & (found < 45))


def test_a_learned_prior_counts_in_the_rate():
    model = correlated(prior=lambda q: mixture())
    points = quadrature(model.encode(X), order=8)
    found = rate_distortion.rate_distortion(model, X, points)
    expected = points.mean(points.q.log_prob(points.z) - mixture()().log_prob(points.z)).data.mean()
    assert isinstance(found, RateDistortion) and found.rate == pytest.approx(expected, abs=1e-12)
