"""The linear VAE is probabilistic PCA: its bound, its optimum, and that training finds it."""

import numpy as np
import pytest

from scratchgen.autodiff import no_grad
from scratchgen.latent import (
    ConstantVarianceLikelihood,
    LinearGaussian,
    fit_ppca,
    linear_vae,
    marginal_by_gauss_hermite,
    principal_angles,
)
from scratchgen.latent.linear_vae import as_linear_gaussian
from scratchgen.latent.points import gauss_hermite
from scratchgen.latent.ppca import best_log_likelihood
from scratchgen.optim import Adam, cosine
from scratchgen.training import fit

DIM, LATENT = 5, 2
RNG = np.random.default_rng(0)
PLANE = np.linalg.qr(RNG.normal(size=(DIM, LATENT)))[0] * [2.0, 1.2]
X = LinearGaussian(PLANE, RNG.normal(size=DIM), np.log(0.4)).sample(300, RNG)


def best_vae(turn=0.0):
    """The pPCA of largest likelihood as a VAE, with the best q of its family; W turned within its plane."""
    ppca = fit_ppca(X, LATENT)
    R = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    W = ppca.W.data @ R
    turned = LinearGaussian(W, ppca.b.data, ppca.logvar.data)
    P = turned.precision().data
    gain = np.linalg.solve(P, turned.scaled().T.data)  # P⁻¹ Wᵀ/s²
    model = linear_vae(DIM, LATENT, rng=0, dtype=np.float64)
    model.decoder.W.assign(W.T)
    model.decoder.b.assign(ppca.b.data)
    model.likelihood = ConstantVarianceLikelihood(DIM, np.exp(ppca.logvar.item()), dtype=np.float64)
    model.encoder.mean.W.assign(gain.T)
    model.encoder.mean.b.assign(-gain @ ppca.b.data)
    model.encoder.logvar.assign(-np.log(np.diag(P)))
    return model


def expected_elbo(model):
    """Averaged over the data, with exact expectations: the terms are quadratic in z."""
    nodes, weights = gauss_hermite(LATENT, order=2)
    each = [np.mean(model.elbo(X, noise=np.tile(node, (len(X), 1))).total) for node in nodes]
    return sum(float(w) * e for w, e in zip(weights, each))


def test_it_is_a_linear_gaussian_model():
    """(1): the likelihood is that of the decoder's W, b and s²."""
    model, z = linear_vae(DIM, LATENT, rng=3, dtype=np.float64), RNG.normal(size=(4, LATENT))
    exact = as_linear_gaussian(model)
    np.testing.assert_allclose(model.decode(z).mean.data, exact.decode(z).mean.data, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.decode(z).variance.data, exact.decode(z).variance.data, rtol=1e-12)
    marginal = marginal_by_gauss_hermite(model, X[:3]).value
    np.testing.assert_allclose(marginal, exact.log_prob(X[:3]).data, rtol=0, atol=1e-10)


def test_at_the_optimum_the_bound_is_the_largest_likelihood():
    """(3), with columns that are orthogonal."""
    assert expected_elbo(best_vae()).item() == pytest.approx(best_log_likelihood(X, LATENT), abs=1e-12)


@pytest.mark.parametrize("turn", [0.3, np.pi / 4])
def test_the_bound_has_a_preference_for_the_axes_that_the_likelihood_has_not(turn):
    """(3): of W R the likelihood is the same, and the best bound lower by ½ (Σ log P_ii − log det P)."""
    model = best_vae(turn)
    P = as_linear_gaussian(model).precision().data
    gap = 0.5 * (np.sum(np.log(np.diag(P))) - np.linalg.slogdet(P)[1])
    assert gap > 0.01
    with no_grad():
        likelihood = as_linear_gaussian(model).log_prob(X).data.mean()
    assert likelihood == pytest.approx(best_log_likelihood(X, LATENT), abs=1e-12)
    assert expected_elbo(model).item() == pytest.approx(likelihood - gap, abs=1e-12)


def test_the_optimum_is_stationary():
    model = best_vae()
    expected_elbo(model).backward()
    for name, t in model.parameters().items():
        np.testing.assert_allclose(t.grad, 0, atol=1e-12, err_msg=name)


def test_training_finds_the_closed_form():
    """Average log-likelihood within 0.01 nats of the optimum, the planes within 2°, by sampled gradients."""
    model, steps = linear_vae(DIM, LATENT, rng=1, dtype=np.float64), 800
    optimizer, schedule = Adam(model.parameters(), lr=0.03), cosine(0.03, steps)
    fit(model, X, optimizer=optimizer, batch_size=100, steps=steps, schedule=schedule, rng=0, progress=False)
    found = as_linear_gaussian(model)
    with no_grad():
        likelihood = found.log_prob(X).data.mean()
    best = best_log_likelihood(X, LATENT)
    assert best - 0.01 < likelihood <= best
    assert np.rad2deg(principal_angles(found.W.data, fit_ppca(X, LATENT).W.data)).max() < 2
    assert likelihood - 0.02 < expected_elbo(model).item() <= likelihood  # the axes are found as well


def test_the_log_variance_of_q_does_not_depend_on_x():
    model = linear_vae(DIM, LATENT, rng=0, dtype=np.float64)
    model.encoder.logvar.assign(np.array([0.3, -0.7]))
    q = model.encode(X)
    np.testing.assert_allclose(q.variance.data, np.broadcast_to(np.exp([0.3, -0.7]), (300, 2)), rtol=1e-14)
    np.testing.assert_array_equal(q.mean.data, model.encoder.mean(X).data)


def test_a_fixed_variance_is_no_parameter():
    model = linear_vae(DIM, LATENT, rng=0, fixed=0.3)
    assert "likelihood.raw" in model.state() and "likelihood.raw" not in model.parameters()
    np.testing.assert_allclose(model.decode(np.zeros((2, LATENT), np.float32)).variance.data, 0.3, rtol=1e-5)
