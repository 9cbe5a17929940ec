"""Free bits, equation (1) of ``free_bits``, written out on a model of which every divergence is known."""

import numpy as np
import pytest

from scratchgen.latent import VAE, FreeBitsVAE
from scratchgen.latent.diagnostics import kl_per_dimension
from tests.latent import linear_gaussian as truth

X = truth.X


def model(free, shift=0.3, stretch=-0.5):
    vae = truth.model(shift, stretch)
    return FreeBitsVAE(vae.encoder, vae.decoder, vae.likelihood, truth.LATENT, free)


def by_hand(vae, free, rng):
    """(1), with the divergences ½ (m² + s² − 1) − log s of each x and each dimension."""
    q = vae.encode(X)
    m, s = q.mean.data, np.sqrt(q.variance.data)
    kl = 0.5 * (m**2 + s**2 - 1) - np.log(s)  # (B, latent)
    carried = np.where(kl.mean(axis=0) > free, kl.mean(axis=0), free)
    return carried.sum() - np.mean(vae.elbo(X, rng).reconstruction.data)


def between():
    """A λ that one dimension is above, and the other below."""
    low, high = sorted(kl_per_dimension(model(0.0), X))
    assert low < high - 0.1
    return float(low + high) / 2


@pytest.mark.parametrize("free", [0.0, between(), 50.0])
def test_the_loss_by_hand(free):
    """With λ between the two, the average over the batch of maxima would be another number: of some x, KL is below."""
    assert model(free).loss(X, rng=3).item() == pytest.approx(by_hand(model(free), free, rng=3), rel=1e-12)


def test_without_free_bits_it_is_the_plain_vae():
    vae, same = truth.model(0.3, -0.5), model(0.0)
    losses = []
    for each in (vae, same):
        losses.append(each.loss(X, rng=3))
        losses[-1].backward()
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-14)
    for name, t in vae.parameters().items():
        np.testing.assert_allclose(same.parameters()[name].grad, t.grad, rtol=0, atol=1e-14)


@pytest.mark.parametrize("free", [0.0, 0.1, between(), 3.0])
def test_it_stays_a_lower_bound(free):
    """(2)"""
    elbo, bound = -truth.model(0.3, -0.5).loss(X, rng=3).item(), -model(free).loss(X, rng=3).item()
    assert bound <= elbo + 1e-12
    assert (bound < elbo - 1e-3) == (free > min(kl_per_dimension(model(0.0), X)))


def test_a_dimension_below_its_free_bits_is_not_pulled_to_the_prior():
    """Its part of the encoder learns from the reconstruction only, and that of the other from both."""
    free = between()
    paid = kl_per_dimension(model(0.0), X) > free
    mine = model(free)
    mine.loss(X, rng=3).backward()
    reconstruction, full = truth.model(0.3, -0.5), truth.model(0.3, -0.5)
    (-np.mean(reconstruction.elbo(X, rng=3).reconstruction)).backward()
    full.loss(X, rng=3).backward()
    for columns in (slice(0, 2), slice(2, 4)):  # means, log-variances
        got, without, with_kl = (each.encoder.W.grad[:, columns] for each in (mine, reconstruction, full))
        np.testing.assert_allclose(got[:, ~paid], without[:, ~paid], rtol=0, atol=1e-12)
        np.testing.assert_allclose(got[:, paid], with_kl[:, paid], rtol=0, atol=1e-12)
    assert np.abs(without - with_kl).max() > 1e-3


def test_the_training_loss_only_is_another():
    """The ELBO itself, and so what is reported of a trained model, has no free bits."""
    plain, mine = truth.model(0.3, -0.5), model(50.0)
    np.testing.assert_array_equal(mine.elbo(X, rng=3).total.data, plain.elbo(X, rng=3).total.data)
    assert isinstance(mine, VAE)
