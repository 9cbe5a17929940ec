"""Likelihoods are distributions of x: their probabilities sum or integrate to 1, over vectors of two dimensions."""

import inspect
from itertools import product

import numpy as np
import pytest

from scratchgen.latent import (
    VAE,
    BernoulliLikelihood,
    CategoricalLikelihood,
    ConvDecoder,
    ConvEncoder,
    GaussianLikelihood,
)
from scratchgen.latent.diagnostics import active_units

LEVELS = 5
PIXELS = np.array(list(product(range(LEVELS), repeat=2)))  # all images of two pixels
BITS = np.array(list(product([0.0, 1.0], repeat=2)))


def output(numbers):
    """What a decoder network might say of x of two dimensions."""
    return np.random.default_rng(0).normal(size=(1, 2 * numbers))


def test_grey_levels_sum_to_one():
    p = CategoricalLikelihood(2, LEVELS)(output(LEVELS))
    assert np.exp(p.log_prob(PIXELS[:, None])).sum() == pytest.approx(1, abs=1e-12)


def test_bits_sum_to_one_but_grey_levels_do_not():
    """So a Bernoulli "log-likelihood" of grey pixels cannot be compared with that of a distribution of them."""
    p = BernoulliLikelihood(2)(output(1))
    assert np.exp(p.log_prob(BITS[:, None])).sum() == pytest.approx(1, abs=1e-12)
    assert np.exp(p.log_prob(PIXELS[:, None] / (LEVELS - 1))).sum() > 2


def test_a_gaussian_likelihood_integrates_to_one():
    p = GaussianLikelihood(2)(output(2))
    axis = np.linspace(-16, 16, 401)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)[:, :, None]
    assert np.exp(p.log_prob(x)).sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_sees_levels_from_minus_one_to_one(dtype):
    seen = CategoricalLikelihood(LEVELS, np.int64(LEVELS)).to_network(np.arange(LEVELS, dtype=np.uint8)[None], dtype)
    assert seen.dtype == dtype
    np.testing.assert_array_equal(seen, [[-1.0, -0.5, 0.0, 0.5, 1.0]])


@pytest.mark.parametrize(
    "function, name, default",
    [
        (GaussianLikelihood, "least", -6.0),
        (VAE, "beta", 1.0),
        (VAE, "analytic_kl", True),
        (VAE.log_prob, "samples", 100),
        (ConvEncoder, "channels", 64),
        (ConvDecoder, "channels", 64),
        (ConvDecoder, "numbers", 1),
        (active_units, "threshold", 0.01),
    ],
)
def test_defaults_are_those_documented(function, name, default):
    assert inspect.signature(function).parameters[name].default == default
