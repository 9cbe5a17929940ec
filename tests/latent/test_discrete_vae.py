"""The VAE with discrete latents: its sums against sums written by hand, and its estimates against the sums."""

import re
from itertools import product

import numpy as np
import pytest
from scipy.special import expit, log_softmax, logsumexp, softmax

from scratchgen.autodiff import no_grad
from scratchgen.latent import BernoulliLikelihood, CategoricalLikelihood, log_p_x_given_z, marginal_by_sum
from scratchgen.latent.discrete_vae import ESTIMATORS, DiscreteVAE
from scratchgen.latent.marginal import all_values
from scratchgen.nn import MLP

M, K, D = 2, 3, 4
X = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
ALL_X = np.array(list(product([0.0, 1.0], repeat=D)))
Z = list(product(range(K), repeat=M))


def vae(estimator="enumeration", dtype=np.float64, **options):
    encoder = MLP([D, 6, M * K], 3, np.tanh, dtype=dtype)
    decoder = MLP([M * K, 6, D], 5, np.tanh, dtype=dtype)
    for network, scale in ((encoder, 2.0), (decoder, 3.0)):  # far from uniform
        for t in network.parameters().values():
            t.assign(t.data * scale + np.linspace(-0.5, 0.5, t.size, dtype=dtype).reshape(t.shape))
    return DiscreteVAE(encoder, decoder, BernoulliLikelihood(D), M, K, estimator, **options)


def tables(model, x):
    """log p(x | z) and log q(z | x), (B, K^M), term by term."""
    logits = model.encoder(x).data.reshape(len(x), M, K)
    log_q = np.array([[sum(log_softmax(row, axis=-1)[m, z[m]] for m in range(M)) for z in Z] for row in logits])
    log_p = np.empty((len(x), len(Z)))
    for j, z in enumerate(Z):
        hot = np.zeros((1, M * K))
        hot[0, [m * K + z[m] for m in range(M)]] = 1
        p = expit(model.decoder(hot).data[0])
        log_p[:, j] = np.sum(x * np.log(p) + (1 - x) * np.log1p(-p), axis=1)
    return log_p, log_q


def gradients(model, value):
    for t in model.parameters().values():
        t.grad = None
    value.backward()
    return {name: np.zeros_like(t.data) if t.grad is None else t.grad for name, t in model.parameters().items()}


# -- exactly -----------------------------------------------------------------------------------------------------------


def test_the_likelihood_is_the_sum_over_all_codes():
    """Equation (4)."""
    log_p, _ = tables(vae(), X)
    np.testing.assert_allclose(vae().log_prob(X).data, logsumexp(log_p, axis=1) - M * np.log(K), rtol=1e-12)
    np.testing.assert_allclose(marginal_by_sum(vae(), X), vae().log_prob(X).data, rtol=1e-12)
    np.testing.assert_allclose(vae().log_likelihoods(X).data, log_p.T, rtol=1e-12)


def test_the_probabilities_of_all_images_sum_to_one():
    np.testing.assert_allclose(np.sum(np.exp(vae().log_prob(ALL_X).data)), 1, rtol=1e-12)


def test_both_terms_of_the_bound():
    """Equation (5): Σ q log p(x | z), and Σ q log q + M log K."""
    (log_p, log_q), elbo = tables(vae(), X), vae().elbo(X)
    np.testing.assert_allclose(elbo.reconstruction.data, np.sum(np.exp(log_q) * log_p, axis=1), rtol=1e-12)
    np.testing.assert_allclose(elbo.kl.data, np.sum(np.exp(log_q) * log_q, axis=1) + M * np.log(K), rtol=1e-11)


def test_the_gap_is_the_divergence_from_the_posterior():
    """log p(x) − ELBO = KL(q(z | x) ‖ p(z | x)), of all images."""
    log_p, log_q = tables(vae(), ALL_X)
    gap = np.sum(np.exp(log_q) * (log_q - log_softmax(log_p, axis=1)), axis=1)
    got = vae().log_prob(ALL_X).data - vae().elbo(ALL_X).total.data
    np.testing.assert_allclose(got, gap, rtol=0, atol=1e-12)
    assert gap.min() > 0.1


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_is_reported_does_not_depend_on_the_estimator(estimator):
    np.testing.assert_array_equal(vae(estimator).elbo(X).total.data, vae().elbo(X).total.data)


# -- the estimates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("estimator", "samples"), [("score function", 1), ("score function", 2), ("leave one out", 2)])
def test_the_estimated_gradient_is_unbiased_in_phi_and_theta(estimator, samples):
    """Every combination of samples is a row, weighted with its probability, against the gradient of the sum."""
    model, z = vae(estimator, samples=samples), np.array(Z)
    chosen = np.indices((len(z),) * samples).reshape(samples, -1)
    rows = np.repeat(X[:1], chosen.shape[1], axis=0)
    q = model.encode(rows)
    p = np.exp(np.sum(q.log_prob(z[chosen]).data, axis=0))
    got = gradients(model, np.sum(p * model.reconstruction(rows, q, noise=z[chosen])))
    exact = gradients(model, np.sum(model.elbo(X[:1]).reconstruction))
    for name in exact:
        np.testing.assert_allclose(got[name], exact[name], rtol=0, atol=1e-12, err_msg=name)
        assert np.abs(exact[name]).max() > 0.05


@pytest.mark.parametrize("estimator", ["score function", "leave one out"])
def test_rng_draws_as_many_codes_as_there_are_samples(estimator):
    model = vae(estimator, samples=5)
    q = model.encode(X)
    exact = model.reconstruction(X, q, noise=q.sample(5, rng=7)).data
    np.testing.assert_array_equal(model.reconstruction(X, q, rng=7).data, exact)


def test_two_equal_samples_cancel_where_one_is_left_out():
    """(4) of ``estimators``: each reward is 0, and so is the gradient to φ; without the baseline it is not."""
    z = np.broadcast_to(np.array([[0, 1], [2, 2], [1, 0]]), (2, 3, M))
    for estimator, cancels in (("leave one out", True), ("score function", False)):
        model = vae(estimator)
        found = gradients(model, np.sum(model.reconstruction(X, model.encode(X), noise=z)))
        largest = max(np.abs(g).max() for name, g in found.items() if name.startswith("encoder"))
        assert (largest < 1e-13) == cancels


def test_the_relaxed_decoder_sees_the_same_one_hot_vectors():
    """log p(x | v) at the corners is log p(x | z)."""
    model, z = vae(), np.random.default_rng(0).integers(0, K, (7, 3, M))
    np.testing.assert_allclose(model.of_vectors(X, np.eye(K)[z]).data, log_p_x_given_z(model, X, z).data, rtol=1e-13)


@pytest.mark.parametrize("estimator", ["Gumbel-softmax", "straight-through"])
def test_the_relaxed_reconstruction_against_its_formula(estimator):
    """v = softmax((l + g)/τ), or its one-hot vector, for each variable of each x."""
    model, noise = vae(estimator, samples=5, temperature=0.4), np.random.default_rng(0).gumbel(size=(5, 3, M, K))
    q = model.encode(X)
    v = softmax((q.base.logits.data + noise) / 0.4, axis=-1)
    if estimator == "straight-through":
        v = np.eye(K)[v.argmax(axis=-1)]
    p = expit(model.decoder(v.reshape(-1, M * K)).data).reshape(5, 3, D)
    exact = np.mean(np.sum(X * np.log(p) + (1 - X) * np.log1p(-p), axis=-1), axis=0)
    np.testing.assert_allclose(model.reconstruction(X, q, noise=noise).data, exact, rtol=1e-12)


def test_the_straight_through_value_has_the_expectation_of_the_sum():
    """Σ q log p(x | z), since the largest of l + g falls on k with p_k."""
    model = vae("straight-through", samples=20_000)
    with no_grad():
        q = model.encode(X)
        z = (q.base.logits.data + np.random.default_rng(0).gumbel(size=(20_000, 3, M, K))).argmax(axis=-1)
        f, exact = log_p_x_given_z(model, X, z).data, model.elbo(X).reconstruction.data
        error = f.std(axis=0) / np.sqrt(len(f))
        got = model.reconstruction(X, q, rng=0).data
    assert np.all(np.abs(got - exact) < 5.96 * error) and np.all(error < 0.03)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_loss_is_minus_the_bound_averaged_over_the_batch(estimator):
    """With the draws of the same seed."""
    model = vae(estimator, samples=3)
    q = model.encode(X)
    bound = model.reconstruction(X, q, rng=7).data - model.elbo(X).kl.data
    np.testing.assert_allclose(model.loss(X, 7).data, -np.mean(bound), rtol=1e-14)
    assert (model.loss(X, 7).data == model.loss(X, 8).data) == (estimator == "enumeration")


def test_the_frequencies_of_samples_are_the_probabilities():
    n = 20_000
    counts = np.bincount((vae().sample(n, rng=0) @ 2 ** np.arange(D)[::-1]).astype(int), minlength=2**D)
    p = np.exp(vae().log_prob(ALL_X).data)
    error = np.sqrt(p * (1 - p) / n)
    assert np.all(np.abs(counts / n - p) < 5.96 * error) and error.max() < 0.004


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_float32_stays_float32(estimator):
    model = vae(estimator, dtype=np.float32)
    loss = model.loss(X.astype(np.float32), 0)
    assert loss.dtype == np.float32
    assert {g.dtype for g in gradients(model, loss).values()} == {np.dtype(np.float32)}
    assert model.log_prob(X.astype(np.float32)).dtype == np.float32


def test_other_likelihoods_and_code_sizes():
    """Grey levels, and one variable only."""
    likelihood, x = CategoricalLikelihood((2, 2), levels=5), np.random.default_rng(0).integers(0, 5, (3, 2, 2))
    model = DiscreteVAE(Flat(), MLP([4, likelihood.outputs], 0), likelihood, 1, 4, "leave one out")
    assert model.loss(x, 0).shape == () and model.sample(6, 0).shape == (6, 2, 2)
    np.testing.assert_allclose(marginal_by_sum(model, x), model.log_prob(x).data, rtol=1e-5)


class Flat(MLP):
    """Images to vectors, and then one layer."""

    def __init__(self):
        super().__init__([4, 4], 1)

    def forward(self, x):
        return super().forward(x.reshape(len(x), -1))


# -- what is refused ---------------------------------------------------------------------------------------------------

MODEL = vae("score function")
NARROW = DiscreteVAE(MLP([D, 5], 0), MLP([M * K, D], 0), BernoulliLikelihood(D), M, K)
BAD = {
    "no variables": (lambda: DiscreteVAE(None, None, None, 0, 3), ValueError, "variables is 0"),
    "one side": (lambda: DiscreteVAE(None, None, None, 2, 1), ValueError, "sides is 1; it must be at least 2"),
    "sides that are no int": (lambda: DiscreteVAE(None, None, None, 2, 3.0), TypeError, "sides is 3.0"),
    "another estimator": (lambda: vae("REBAR"), ValueError, "estimator is 'REBAR'; it must be one of enumeration, "),
    "one to leave out": (lambda: vae("leave one out", samples=1), ValueError, "samples is 1; it must be at least 2"),
    "an encoder too narrow": (
        lambda: NARROW.loss(np.zeros((3, D), np.float32), 0),
        ValueError,
        r"gives shape \(3, 5\); with variables=2 and sides=3 it must be \(B, 6\)",
    ),
    "z of another width": (
        lambda: MODEL.decode(np.zeros((5, 3), int)),
        ValueError,
        r"z has shape \(5, 3\); the decoder wants \(N, 2\)",
    ),
    "z that is no integer": (lambda: MODEL.decode(np.zeros((5, 2))), TypeError, "z is float64; .* from 0 to 2"),
    "a side too many": (
        lambda: MODEL.decode(np.array([[0, 3]])),
        ValueError,
        "z has values from 0 to 3; they must be from 0 to 2",
    ),
    "negative sides": (lambda: MODEL.decode(np.array([[-1, 2]])), ValueError, "z has values from -1 to 2"),
    "no data": (lambda: MODEL.loss(X[:0], 0), ValueError, "x has 0 rows; a mean over the batch"),
    "no rng": (lambda: MODEL.reconstruction(X, MODEL.encode(X)), TypeError, "needs rng, or the noise itself"),
    "negative draws": (lambda: MODEL.sample(-1, 0), ValueError, "n is -1"),
    "temperature 0": (
        lambda: vae("Gumbel-softmax", temperature=0.0).loss(X, 0),
        ValueError,
        "temperature is 0.0; it must be above 0",
    ),
    "temperature 0, before training": (
        lambda: vae("straight-through", temperature=0),
        ValueError,
        "temperature is 0; it must be above 0",
    ),
    "temperature that is no number": (lambda: vae(temperature="cold"), TypeError, "temperature is 'cold'"),
    "vectors of another shape": (
        lambda: MODEL.decode_vectors(np.zeros((5, 3, 2))),
        ValueError,
        r"v has shape \(5, 3, 2\); the decoder wants \(N, 2, 3\)",
    ),
    "masked data": (lambda: MODEL.log_prob(np.ma.masked_equal(X, 0)), TypeError, "x is a masked array"),
    "masked codes": (
        lambda: MODEL.decode(np.ma.masked_equal(np.zeros((5, 2), int), 0)),
        TypeError,
        "z is a masked array",
    ),
    "too many codes": (
        lambda: DiscreteVAE(MODEL.encoder, MODEL.decoder, MODEL.likelihood, 30, 2).log_prob(X),
        ValueError,
        re.escape("z has 2^30 values, too many"),
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_inputs_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_codes_come_in_the_order_of_the_likelihoods():
    np.testing.assert_array_equal(all_values(vae().prior()), Z)
