"""The θ step to the optimum of E_q[log p_θ(x, z)]. Equations of ``theta_steps``."""

import numpy as np
import pytest

from scratchgen.autodiff import no_grad
from scratchgen.distributions import Bernoulli, Categorical, Independent, MultivariateNormal, Normal
from scratchgen.latent import GaussianMixture, LinearGaussian, enumerated, mixture_em, quadrature, three_terms
from scratchgen.latent.ppca import em_step
from scratchgen.latent.theta_steps import fit_gaussian_mixture, fit_linear_gaussian

RNG = np.random.default_rng(1)
X = RNG.normal(size=(9, 4)) @ RNG.normal(size=(4, 4)) + 1.0
FACTORS = np.tril(RNG.normal(size=(9, 2, 2)), -1) + np.eye(2) * RNG.uniform(0.5, 1.5, (9, 1, 2))
FULL = MultivariateNormal(RNG.normal(size=(9, 2)), FACTORS)
MEAN_FIELD = Independent(Normal(RNG.normal(size=(9, 2)), RNG.normal(size=(9, 2))), 1)


def model(noise):
    return LinearGaussian(RNG.normal(size=(4, 2)), RNG.normal(size=4), noise)


@pytest.mark.parametrize("noise", [np.array(0.2), np.array([0.2, -0.4, 0.1, 0.5])], ids=["one", "each its own"])
@pytest.mark.parametrize("q", [FULL, MEAN_FIELD], ids=["full", "mean-field"])
def test_no_small_change_is_better(q, noise):
    """(1) and (2): the gradient of the ELBO in W, b and the noise is 0 there, and it was not before."""
    p = model(noise)
    before = three_terms(p, X, quadrature(q, order=2)).total.data.mean()
    fit_linear_gaussian(p, X, q)
    elbo = np.mean(three_terms(p, X, quadrature(q, order=2)).total)
    elbo.backward()
    assert elbo.data > before + 0.1
    for name, parameter in p.parameters().items():
        np.testing.assert_allclose(parameter.grad, 0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("noise", [np.array(0.2), np.array([0.2, -0.4, 0.1, 0.5])], ids=["one", "each its own"])
def test_at_the_posterior_it_is_the_m_step_of_em(noise):
    p = model(noise)
    p.b.assign(X.mean(axis=0))
    expected = em_step(p, X)
    with no_grad():
        fit_linear_gaussian(p, X, p.posterior(X))
    for name, parameter in p.parameters().items():
        np.testing.assert_allclose(parameter.data, expected.parameters()[name].data, atol=1e-12, err_msg=name)


def test_q_for_other_data_is_refused():
    with pytest.raises(ValueError, match=r"q is MultivariateNormal.* a batch of 3, of events \(2,\)"):
        fit_linear_gaussian(model(np.array(0.2)), X[:3], FULL)


@pytest.mark.parametrize("noise", [np.array(0.2), np.zeros(4)], ids=["one", "each its own"])
def test_noise_of_0_is_refused_and_nothing_is_changed(noise):
    """Where q is certain and x lies in a plane, (2) is 0, and its logarithm would be −∞."""
    p = LinearGaussian(np.ones((4, 2)), np.zeros(4), noise)
    before = p.state()
    with pytest.raises(ValueError, match="the noise that fits x best is 0"):
        fit_linear_gaussian(p, np.zeros((9, 4)), Independent(Normal(MEAN_FIELD.mean, np.full((9, 2), -800.0)), 1))
    for name, value in p.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_no_data_are_refused():
    none = MultivariateNormal(np.zeros((0, 2)), np.eye(2))
    with pytest.raises(ValueError, match="x has 0 rows; a mean over the data needs at least 1"):
        fit_linear_gaussian(model(np.array(0.2)), X[:0], none)
    with pytest.raises(ValueError, match="x has 0 rows; a mean over the data needs at least 1"):
        fit_gaussian_mixture(mixture(np.ones((3, 2))), PLANE[:0], Categorical(LOGITS[:0]))


# -- the mixture -------------------------------------------------------------------------------------------------------

LOGITS = RNG.normal(size=(9, 3))
PLANE = X[:, :2]


def mixture(covariances):
    return GaussianMixture.of([0.2, 0.3, 0.5], RNG.normal(size=(3, 2)), covariances)


@pytest.mark.parametrize("covariances", [np.stack([np.eye(2)] * 3), np.ones((3, 2))], ids=["full", "diagonal"])
def test_no_small_change_of_a_mixture_is_better(covariances):
    """(3): the gradient of the ELBO in the weights, means and covariances is 0 there, for a q that is no posterior."""
    p, points = mixture(covariances), enumerated(Categorical(LOGITS))
    before = three_terms(p, PLANE, points).total.data.mean()
    fit_gaussian_mixture(p, PLANE, points.q)
    elbo = np.mean(three_terms(p, PLANE, points).total)
    elbo.backward()
    assert elbo.data > before + 0.1
    for name, parameter in p.parameters().items():
        gradient = np.tril(parameter.grad) if parameter.ndim == 3 else parameter.grad
        np.testing.assert_allclose(gradient, 0, atol=1e-12, err_msg=name)


def test_at_the_posterior_it_is_the_em_step_of_the_mixture():
    p = mixture(np.stack([np.eye(2)] * 3))
    expected = mixture_em.em_step(p, PLANE)
    with no_grad():
        fit_gaussian_mixture(p, PLANE, p.posterior(PLANE))
    for name, parameter in p.parameters().items():
        np.testing.assert_allclose(parameter.data, expected.parameters()[name].data, atol=1e-12, err_msg=name)


def test_q_of_another_mixture_is_refused():
    with pytest.raises(ValueError, match=r"q has logits of shape \(9, 3\); here it must be \(4, 3\)"):
        fit_gaussian_mixture(mixture(np.ones((3, 2))), PLANE[:4], Categorical(LOGITS))
    with pytest.raises(TypeError, match="q is a Bernoulli; it must be a Categorical"):
        fit_gaussian_mixture(mixture(np.ones((3, 2))), PLANE, Bernoulli(LOGITS))
