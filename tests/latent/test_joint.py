"""log p(x, z) = log p(x | z) + log p(z), equation (1) of ``joint``, against densities of scipy.stats."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from scratchgen.autodiff import Tensor
from scratchgen.latent.joint import log_joint, log_p_x_given_z
from tests.latent import linear_gaussian as truth
from tests.latent import toy_models as toy
from tests.latent.test_vae import BernoulliLikelihood, mlp_vae

Z = np.random.default_rng(0).normal(size=(5, len(truth.X), truth.LATENT))


def by_hand(x, z):
    """(1) of a linear-Gaussian model: N(x; W z + b, s² I) N(z; 0, I)."""
    noise = multivariate_normal(np.zeros(truth.DIM), truth.VARIANCE * np.eye(truth.DIM))
    return noise.logpdf(x - z @ truth.W.T - truth.B) + norm.logpdf(z).sum(axis=-1)


def test_each_x_is_joined_with_its_own_z():
    np.testing.assert_allclose(log_joint(truth.model(), truth.X, Z[0]).data, by_hand(truth.X, Z[0]), atol=1e-12)


def test_several_z_for_each_x_are_as_one_after_the_other():
    got = log_joint(truth.model(), truth.X, Z.reshape(5, 1, 4, 2))
    np.testing.assert_allclose(got.data, by_hand(truth.X, Z)[:, None], atol=1e-12)


def test_without_the_prior_it_is_the_likelihood():
    likelihood = by_hand(truth.X, Z[0]) - norm.logpdf(Z[0]).sum(axis=-1)
    np.testing.assert_allclose(log_p_x_given_z(truth.model(), truth.X, Z[0]).data, likelihood, atol=1e-12)


def test_a_discrete_z():
    x, z = truth.X[:, :2], np.array([[0, 1, 2, 0], [2, 2, 0, 1]])
    densities = norm.logpdf(x, toy.MEANS[z], np.exp(0.5 * toy.LOGVARS[z])).sum(axis=-1)
    np.testing.assert_allclose(log_joint(toy.Mixture(), x, z), densities + toy.LOG_WEIGHTS[z], atol=1e-12)


def test_it_is_differentiable_in_z():
    z = Tensor(Z[0], requires_grad=True)
    log_joint(truth.model(), truth.X, z).sum().backward()
    residual = truth.X - Z[0] @ truth.W.T - truth.B
    np.testing.assert_allclose(z.grad, residual @ truth.W / truth.VARIANCE - Z[0], atol=1e-12)


def test_float32_stays_float32():
    model, x = mlp_vae(BernoulliLikelihood(6)), np.ones((3, 6), np.float32)
    assert log_joint(model, x, np.zeros((7, 3, 2), np.float32)).dtype == np.float32


@pytest.mark.parametrize("shape", [(3, 2), (4, 5, 2), (2,), (4,)])
def test_z_for_other_data_is_refused(shape):
    with pytest.raises(ValueError, match=r"z has shape .*; for 4 rows of x it must be \(…, 4, 2\)"):
        log_joint(truth.model(), truth.X, np.zeros(shape))


@pytest.mark.parametrize("shape", [(4, 3), (7, 4, 4), (4, 1)])
def test_z_of_another_width_is_refused(shape):
    with pytest.raises(ValueError, match=r"z has shape .*; for 4 rows of x it must be \(…, 4, 2\)"):
        log_joint(truth.model(), truth.X, np.zeros(shape))


def test_x_of_another_shape_is_refused():
    for x in (truth.X[:, :1], truth.X[..., None]):
        with pytest.raises(ValueError, match=r"x has shape \(4, .*\); it must be \(B, 3\)"):
            log_joint(truth.model(), x, np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"x has shape \(3,\); it must be \(B, 3\); one x is x\[None\]"):
        log_joint(truth.model(), truth.X[0], np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"x has shape \(\); it must be a batch"):
        log_joint(truth.model(), 1.0, np.zeros((4, 2)))


def test_x_may_be_a_list():
    got = log_joint(truth.model(), truth.X.tolist(), Z)
    np.testing.assert_array_equal(got.data, log_joint(truth.model(), truth.X, Z).data)
