"""Likelihoods are distributions of x: their probabilities sum or integrate to 1, over vectors of two dimensions."""

from itertools import product

import numpy as np
import pytest

from scratchgen.latent import BernoulliLikelihood, CategoricalLikelihood, GaussianLikelihood

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
