"""Which dimensions of the code are used, on a model where that is known."""

import numpy as np
import pytest

from scratchgen.latent.diagnostics import active_units, kl_per_dimension
from tests.latent import linear_gaussian as truth


def collapsed():
    """The linear-Gaussian VAE with its second dimension set to the prior."""
    model = truth.model()
    weights, bias = model.encoder.W.data.copy(), model.encoder.b.data.copy()
    weights[:, 1], bias[1], bias[3] = 0.0, 0.0, 0.0
    model.encoder.W.assign(weights)
    model.encoder.b.assign(bias)
    return model


def test_the_divergence_is_the_sum_over_dimensions():
    model = truth.model(0.3, -0.5)
    total = model.elbo(truth.X, rng=0).kl.data.mean()
    assert kl_per_dimension(model, truth.X).sum() == pytest.approx(total, rel=1e-14)


def test_a_collapsed_dimension_costs_nothing_and_is_not_active():
    used, unused = kl_per_dimension(collapsed(), truth.X)
    assert used > 0.1 and unused == 0.0
    np.testing.assert_array_equal(active_units(collapsed(), truth.X), [True, False])
    np.testing.assert_array_equal(active_units(truth.model(), truth.X), [True, True])


def test_a_constant_mean_is_not_active_however_far_from_the_prior():
    model = collapsed()
    model.encoder.b.assign(model.encoder.b.data + np.array([0.0, 5.0, 0.0, 0.0]))
    assert kl_per_dimension(model, truth.X)[1] == pytest.approx(12.5)
    assert not active_units(model, truth.X)[1]


def test_a_unit_is_active_if_the_variance_of_its_mean_is_above_a_hundredth():
    # Equation (2) with the means ±√0.02 and ±√0.005: a deviation of 0.07 is more than 0.01, a variance of 0.005 less.
    model = truth.model()
    weights = np.zeros((truth.DIM, 2 * truth.LATENT))
    weights[0, :2] = np.sqrt([0.02, 0.005])
    model.encoder.W.assign(weights)
    x = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(active_units(model, x), [True, False])
    np.testing.assert_array_equal(active_units(model, x, threshold=0.004), [True, True])
    np.testing.assert_array_equal(active_units(model, x, threshold=0.021), [False, False])
