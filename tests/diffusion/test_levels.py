"""The model of grey levels: Bayes' rule within it, and its bound against an entropy."""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.diffusion import LevelDDPM, Schedule, terms
from scratchgen.diffusion.bound import prior_term
from scratchgen.diffusion.embeddings import FourierFeatures, sinusoidal
from scratchgen.nn import Module

P = np.array([0.5, 0.1, 0.3, 0.1])
PLACES = np.array([-1, -1 / 3, 1 / 3, 1])
SCHEDULE = Schedule([0.3, 0.5, 0.8])


class Independent(Module):
    """The logits of levels that are independent of each other: the best network for such data."""

    def __init__(self, p):
        self.logits = Tensor(np.log(p), requires_grad=True)

    def forward(self, x, time):
        return self.logits + np.zeros((*x.shape, 1))


def model_of(schedule=SCHEDULE, dims=2, **options):
    return LevelDDPM(Independent(P), schedule, (dims,), levels=4, **options)


@pytest.mark.parametrize("t", [1, 2, 3])
def test_the_levels_have_the_probabilities_of_bayes_rule(t):
    """(1) and (2), with the exponentials written out."""
    x_t = np.random.default_rng(0).normal(size=(5, 2))
    prediction = model_of().predict(x_t, t)
    a, b2 = np.sqrt(SCHEDULE.alphas_cumprod[t]), SCHEDULE.noise_variance[t]
    joint = P * np.exp(-((x_t[..., None] - a * PLACES) ** 2) / (2 * b2))
    posterior = joint / joint.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(np.exp(prediction.logits.data), posterior, rtol=1e-12)
    np.testing.assert_allclose(prediction.x0.data, posterior @ PLACES, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(a * prediction.x0.data + np.sqrt(b2) * prediction.eps.data, x_t, rtol=1e-12)


@pytest.mark.parametrize("beta", [0.4, 0.9])
def test_the_bound_of_one_step_is_the_entropy_and_what_the_prior_costs(beta):
    """E[L_T + L_0] = H(x_0) + KL(q(x_1) ‖ N(0, 1)) for the best network, by quadrature over x_1."""
    model = model_of(Schedule([beta]), dims=1)
    a, std = np.sqrt(1 - beta), np.sqrt(beta)
    eps, h = np.linspace(-9, 9, 4001), 18 / 4000
    weights = np.exp(-(eps**2) / 2) / np.sqrt(2 * np.pi) * h
    cost = 0.0
    for k, p in enumerate(P):
        x = np.full((len(eps), 1), k)
        cost += p * weights @ model.losses(x, 1, eps[:, None]).data
    grid = np.linspace(-10, 10, 8001)
    q = sum(p * np.exp(-((grid - a * place) ** 2) / (2 * beta)) for p, place in zip(P, PLACES)) / (
        std * np.sqrt(2 * np.pi)
    )
    kl = np.sum(q * (np.log(q) + grid**2 / 2 + 0.5 * np.log(2 * np.pi))) * 20 / 8000
    entropy = -P @ np.log(P)
    assert cost == pytest.approx(entropy + kl, rel=1e-10) and kl > 1e-3


def test_the_bound_of_many_steps_is_above_the_entropy_and_near_it():
    """Jensen: no −bound below H; and with steps that are small, not much above."""
    model = model_of(Schedule(np.linspace(0.002, 0.04, 300)), dims=1)
    x = np.random.default_rng(0).choice(4, size=(2000, 1), p=P)
    cost = terms(model, x, rng=1).total
    entropy, error = -P @ np.log(P), cost.std() / np.sqrt(2000)
    assert error < 0.03 and entropy - 5.96 * error < cost.mean() < entropy + 0.1


def test_the_loss_is_the_bound():
    model, x = model_of(), np.random.default_rng(0).integers(0, 4, (6, 2))
    noise = np.random.default_rng(1).normal(size=(3, 6, 2))
    each = np.mean([model.losses(x, t, noise[t - 1]).data for t in (1, 2, 3)], axis=0)
    np.testing.assert_allclose(each, terms(model, x, noise=noise).total, rtol=1e-12)
    assert np.all(prior_term(model, PLACES[x]) > 0)


def test_other_weightings_are_of_x_0():
    model, x = model_of(weighting="simple"), np.array([[0, 3], [2, 1]])
    noise = np.random.default_rng(1).normal(size=(2, 2))
    x_t = np.sqrt(SCHEDULE.alphas_cumprod[2]) * PLACES[x] + np.sqrt(SCHEDULE.noise_variance[2]) * noise
    expected = np.sum((PLACES[x] - model.predict(x_t, 2).x0.data) ** 2, axis=1)
    np.testing.assert_allclose(model.losses(x, 2, noise).data, expected, rtol=1e-12)


def test_samples_are_levels():
    x = model_of(Schedule(np.linspace(0.02, 0.3, 40)), dims=2).sample(500, rng=0)
    assert x.dtype == np.int64 and x.shape == (500, 2) and x.min() >= 0 and x.max() <= 3
    counts = np.bincount(x.ravel(), minlength=4) / 1000
    np.testing.assert_allclose(counts, P, atol=0.1)  # x̂_0 at the end is rounded, not drawn


def test_a_network_of_another_size():
    with pytest.raises(ValueError, match="cannot reshape"):
        LevelDDPM(lambda x, time: np.zeros((len(x), 7)), SCHEDULE, (2,), levels=4).predict(np.zeros((3, 2)), 1)


# -- how a network is told the time --------------------------------------------------------------------------------


def test_waves_by_hand():
    """(1) of ``embeddings``: ω_k = 10000^{−k/K}, times 1000."""
    time = np.array([0.0, 0.25])
    got = sinusoidal(time, 6)
    for k in range(3):
        angle = 1000 * time / 10000 ** (k / 3)
        np.testing.assert_allclose(got[:, k], np.cos(angle), rtol=1e-12)
        np.testing.assert_allclose(got[:, 3 + k], np.sin(angle), rtol=1e-12, atol=1e-12)
    layer = FourierFeatures(4, rng=0, dtype=np.float64)
    f = layer.frequencies.data
    np.testing.assert_allclose(layer(time)[1], [*np.cos(2 * np.pi * f / 4), *np.sin(2 * np.pi * f / 4)], rtol=1e-12)
    assert list(layer.state()) == ["frequencies"] and not layer.parameters()
