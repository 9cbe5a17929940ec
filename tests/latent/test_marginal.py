"""log p(x) by summing over a discrete z, equation (2) of ``marginal``, against mixtures and enumeration by hand."""

from itertools import product

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import norm

from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal
from scratchgen.latent import GaussianMixture, LinearGaussian, marginal
from scratchgen.latent.marginal import all_values, log_sums, marginal_by_sum
from tests.latent import toy_models as toy
from tests.latent.test_vae import BernoulliLikelihood, mlp_vae

X = np.random.default_rng(0).normal(size=(7, 2))
BITS = np.array(list(product([0.0, 1.0], repeat=4)))


def test_a_mixture_is_the_sum_over_its_components():
    each = norm.logpdf(X[:, None], toy.MEANS, np.exp(0.5 * toy.LOGVARS)).sum(axis=-1)
    np.testing.assert_allclose(marginal_by_sum(toy.Mixture(), X), logsumexp(each + toy.LOG_WEIGHTS, axis=1), atol=1e-12)


def test_a_mixture_with_full_covariances_agrees_with_its_own_density():
    covariances = np.array([[[1.0, 0.5], [0.5, 2.0]], [[0.3, -0.2], [-0.2, 0.5]], [[1.0, 0.0], [0.0, 0.1]]])
    model = GaussianMixture.of(np.exp(toy.LOG_WEIGHTS), toy.MEANS, covariances)
    np.testing.assert_allclose(marginal_by_sum(model, X), model.log_prob(X).data, rtol=0, atol=1e-12)


def test_a_vector_of_bits_is_summed_over_all_its_values():
    model, log_p = toy.Sigmoid(), marginal_by_sum(toy.Sigmoid(), BITS)
    by_hand = np.zeros(len(BITS))
    for z in product([0.0, 1.0], repeat=3):
        p_z = np.prod(np.where(z, expit(model.A), expit(-model.A)))
        logits = z @ model.W + model.B
        by_hand += p_z * np.prod(np.where(BITS, expit(logits), expit(-logits)), axis=1)
    np.testing.assert_allclose(log_p, np.log(by_hand), rtol=0, atol=1e-12)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12)  # over all x


def test_float32_terms_are_summed_in_float64():
    single, z = toy.Sigmoid(np.float32), np.array(list(product([0.0, 1.0], repeat=3)), np.float32)
    bits, prior = BITS.astype(np.float32), single.prior(z)
    terms = single.decode(z).log_prob(np.broadcast_to(bits[:, None], (16, 8, 4))).astype(np.float64)
    assert terms.dtype != single.dtype == prior.dtype
    expected = logsumexp(terms + prior.log_prob(z).astype(np.float64), axis=1)
    np.testing.assert_allclose(marginal_by_sum(single, bits), expected, rtol=1e-14)


@pytest.mark.parametrize("pairs", [1, 2, 5, 21])
def test_pieces_change_nothing(pairs, monkeypatch):
    whole = marginal_by_sum(toy.Mixture(), X)
    monkeypatch.setattr(marginal, "PAIRS", pairs)
    model = toy.Watched(LinearGaussian(np.ones((2, 1)), np.zeros(2), 0.0))
    np.testing.assert_allclose(marginal_by_sum(toy.Mixture(), X), whole, rtol=0, atol=1e-13)
    log_sums(model, X, np.ones((5, 1)), np.zeros((1, 5)))
    assert max(model.pairs) <= pairs and sum(model.pairs) == 5 * len(X)
    assert not any(model.graphs)  # although the model has parameters


def test_a_density_below_the_smallest_float_has_a_logarithm():
    x = np.array([[300.0, -200.0]])
    each = norm.logpdf(x, toy.MEANS, np.exp(0.5 * toy.LOGVARS)).sum(axis=-1) + toy.LOG_WEIGHTS
    assert np.exp(each.max()) == 0
    np.testing.assert_allclose(marginal_by_sum(toy.Mixture(), x), [each.max()], rtol=1e-14)


def test_no_data_have_no_marginal():
    assert marginal_by_sum(toy.Mixture(), X[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("prior", "expected"),
    [
        (Categorical(np.zeros(4)), [0, 1, 2, 3]),
        (Bernoulli(np.zeros((), np.float32)), [0.0, 1.0]),
        (Independent(Categorical(np.zeros((2, 3))), 1), [[i, j] for i in range(3) for j in range(3)]),
        (Independent(Bernoulli(np.zeros((1, 2))), 2), [[[0, 0]], [[0, 1]], [[1, 0]], [[1, 1]]]),
    ],
)
def test_all_values_of_z(prior, expected):
    z = all_values(prior)
    np.testing.assert_array_equal(z, expected)
    assert z.dtype == np.array(prior.sample((), rng=0)).dtype
    assert np.exp(prior.log_prob(z)).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        (Independent(Normal(np.zeros(2), 0.0), 1), TypeError, r"event_shape=\(2,\)\), whose values cannot be listed"),
        (Independent(Bernoulli(np.zeros(21)), 1), ValueError, r"z has 2\^21 values, too many"),
    ],
)
def test_what_cannot_be_listed_is_refused(prior, error, message):
    with pytest.raises(error, match=message):
        all_values(prior)


def test_as_many_values_as_are_allowed_can_be_listed(monkeypatch):
    monkeypatch.setattr(marginal, "MOST_NODES", 8)
    assert len(all_values(Independent(Bernoulli(np.zeros(3)), 1))) == 8
    with pytest.raises(ValueError, match=r"z has 9\^1 values, too many"):
        all_values(Categorical(np.zeros(9)))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros(2), ValueError, r"x has shape \(2,\); it must be \(B, 2\); one x is x\[None\]"),
        (np.zeros((5, 1)), ValueError, r"x has shape \(5, 1\); it must be \(B, 2\)$"),
        (0.0, ValueError, r"x has shape \(\); it must be \(B, 2\)"),
        (np.ma.masked_equal([[0.0, 1.0]], 1.0), TypeError, "x is a masked array"),
    ],
    ids=["one x", "another width", "a number", "masked"],
)
def test_x_of_another_shape_is_refused(x, error, message):
    """With as many components as dimensions one x would broadcast to numbers for two."""
    model = GaussianMixture.of([0.5, 0.5], [[-2.0, 0.0], [2.0, 0.0]], np.ones((2, 2)))
    with pytest.raises(error, match=message):
        marginal_by_sum(model, x)


def test_a_continuous_z_is_not_summed():
    with pytest.raises(TypeError, match="integrate, or sample"):
        marginal_by_sum(mlp_vae(BernoulliLikelihood(6)), np.ones((3, 6), np.float32))
