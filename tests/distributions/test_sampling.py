"""Samples have the distribution that log_prob says, and reparameterised samples its gradients.

Statistical tests take |z| < 5.96 for each of the about 400 numbers compared here: one false alarm in a million runs, if
each had new seeds. They assert how small an error they would notice: one of 2 · 5.96 standard errors, almost surely.
"""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal
from tests.distributions import truth

Z, N = 5.96, 100_000


def test_normal_samples_have_mean_and_variance() -> None:
    """An error of 0.04 standard deviations in the mean, or of 6 % in the variance, would be noticed."""
    p = truth.make("Normal", 1)
    z = (p.sample(N, rng=1) - p.mean) / p.std  # (N, 2, 3)
    mean_error, variance_error = 1 / np.sqrt(N), np.sqrt(2 / N)
    assert 2 * Z * mean_error < 0.04 and 2 * Z * variance_error < 0.06
    assert np.all(np.abs(z.mean(axis=0)) < Z * mean_error)
    assert np.all(np.abs(np.mean(z * z, axis=0) - 1) < Z * variance_error)


def test_normal_samples_are_normal_and_independent() -> None:
    """Third and fourth moments, 0 and 3; products of components and of draws that follow each other, 0."""
    p = truth.make("Normal", 2)
    z = ((p.sample(N, rng=2) - p.mean) / p.std).reshape(N, 6)
    assert np.all(np.abs(np.mean(z**3, axis=0)) < Z * np.sqrt(15 / N))
    assert np.all(np.abs(np.mean(z**4, axis=0) - 3) < Z * np.sqrt(96 / N))
    products = np.array([np.mean(z[:, i] * z[:, j]) for i in range(6) for j in range(i)])
    assert np.all(np.abs(products) < Z / np.sqrt(N))
    assert np.all(np.abs(np.mean(z[1:] * z[:-1], axis=0)) < Z / np.sqrt(N - 1))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", truth.DISCRETE)
def test_discrete_samples_have_the_probabilities_of_log_prob(kind: str, seed: int) -> None:
    """The frequency of each outcome; of all 64 vectors of dice. An error of 0.02 would be noticed."""
    p = truth.make(kind, seed)
    x = p.sample(N, rng=seed)
    for outcome in truth.outcomes(p):
        probability = np.exp(p.log_prob(np.broadcast_to(outcome, p.batch_shape + p.event_shape)))
        hits = np.all((x == outcome).reshape(*x.shape[: 1 + len(p.batch_shape)], -1), axis=-1)
        error = np.sqrt(probability * (1 - probability) / N)
        assert 2 * Z * error.max() < 0.02
        # The tail of a binomial distribution is Poisson's where few are expected: there a few hits more.
        assert np.all(np.abs(hits.mean(axis=0) - probability) < Z * error + Z**2 / N)


def test_successive_draws_of_a_die_are_independent() -> None:
    p = Categorical(np.log([0.2, 0.3, 0.5]))
    x = p.sample(N, rng=3)
    both = np.histogram2d(x[1:], x[:-1], bins=np.arange(4) - 0.5)[0] / (N - 1)
    expected = np.outer([0.2, 0.3, 0.5], [0.2, 0.3, 0.5])
    assert np.all(np.abs(both - expected) < Z * np.sqrt(expected / N))


class Always(np.random.Generator):
    """A Generator whose uniform numbers are all the same."""

    def __init__(self, u: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.u = u

    def random(self, size: tuple[int, ...]) -> np.ndarray:  # type: ignore[override]
        return np.full(size, self.u)


def test_what_has_probability_zero_is_never_drawn() -> None:
    """First, last, between; and not by the least or the largest number that a Generator gives either."""
    logits = np.array([-np.inf, 0.0, -np.inf, 1.0, -800.0, -np.inf])
    assert set(np.unique(Categorical(logits).sample(N, rng=0))) == {1, 3}
    least, largest = Always(0.0), Always(1 - 2.0**-53)
    for seed in range(200):
        p = Categorical(np.concatenate([[-np.inf], truth.draw(((7,),), seed)[0], [-np.inf]]))
        assert (p.sample((), least), p.sample((), largest)) == (1, 7)
    sure = Bernoulli(np.array([-800.0, 800.0]))
    for rng in (0, least, largest):
        assert np.all(sure.sample(N, rng) == [0, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", truth.KINDS)
def test_samples_repeat_with_the_seed(kind: str, dtype: type) -> None:
    p = truth.make(kind, 1, dtype)
    rng = np.random.default_rng(7)
    first, second = p.sample(5, rng), p.sample(5, rng)
    np.testing.assert_array_equal(first, p.sample(5, rng=7))
    assert not np.array_equal(first, second)
    assert first.dtype == (int if "Categorical" in kind else dtype)


def test_samples_carry_no_graph() -> None:
    for kind, (maker, shapes) in truth.KINDS.items():
        leaves = [Tensor(x, requires_grad=True) for x in truth.draw(shapes, 1)]
        for n in (5, ()):
            x = maker(*leaves).sample(n, rng=0)
            assert type(x) is np.ndarray, kind
            np.testing.assert_array_equal(x, maker(*(leaf.data for leaf in leaves)).sample(n, rng=0))


def test_a_hundred_thousand_sides_are_told_apart_in_float32() -> None:
    """Equal sides: u falls on side ⌊K u⌋, which a cumulative sum in float32 misses by many."""
    K = 100_000
    p = Categorical(np.zeros(K, np.float32))
    for k in (0, 1, 50_000, 77_777, K - 1):
        assert p.sample((), Always((k + 0.5) / K)) == k


# -- reparameterised samples -------------------------------------------------------------------------------------------


def test_a_reparameterised_sample_is_mean_plus_std_times_noise() -> None:
    """Equation (2) of normal.py, and its derivatives 1 and ½ e^{v/2} η, where another broadcasts."""
    mean, logvar, noise = truth.draw(((3,), (2, 1), (5, 2, 3)), 1)
    x, (by_mean, by_logvar) = truth.slopes(lambda m, v: Normal(m, v).rsample(5, noise=noise), mean, logvar)
    std = np.exp(logvar / 2)
    np.testing.assert_allclose(x, mean + std * noise, rtol=1e-14)
    np.testing.assert_allclose(by_mean, np.full(3, 10.0), rtol=1e-14)
    np.testing.assert_allclose(by_logvar, np.sum(0.5 * std * noise, axis=(0, 2), keepdims=True)[0], rtol=1e-13)


def test_the_reparameterised_gradient_is_unbiased() -> None:
    """d E[f]/dm and d E[f]/dv by averaging over Gauss–Hermite nodes, for f = x² and cos 2x with known expectations."""
    mean, logvar = np.array([0.4, -1.0]), np.array([-0.6, 0.7])
    variance = np.exp(logvar)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    noise, weights = np.stack([nodes, nodes], axis=1), (weights / weights.sum())[:, None]
    damped = np.exp(-2 * variance)
    for f, by_mean, by_logvar in [
        (np.square, 2 * mean, variance),  # E = m² + eᵛ
        (lambda x: np.cos(2 * x), -2 * np.sin(2 * mean) * damped, -2 * variance * np.cos(2 * mean) * damped),
    ]:
        _, gradients = truth.slopes(
            lambda m, v, f=f: np.sum(weights * f(Normal(m, v).rsample(60, noise=noise))), mean, logvar
        )
        np.testing.assert_allclose(gradients[0], by_mean, rtol=0, atol=1e-12)
        np.testing.assert_allclose(gradients[1], by_logvar, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["Normal", "vectors of Normal"])
def test_both_samplers_draw_the_same(kind: str) -> None:
    p = truth.make(kind, 1)
    np.testing.assert_array_equal(p.sample((4, 2), rng=3), p.rsample((4, 2), rng=3))
    noise = np.random.default_rng(3).standard_normal((4, 2, 2, 3))
    np.testing.assert_array_equal(p.sample((4, 2), rng=3), p.rsample((4, 2), noise=noise))


def test_noise_that_is_drawn_has_the_gradients_of_noise_that_is_given() -> None:
    mean, logvar = truth.draw(((2, 3), (2, 3)), 1)
    noise = np.random.default_rng(3).standard_normal((4, 2, 3))
    drawn = truth.slopes(lambda m, v: Normal(m, v).rsample(4, rng=3), mean, logvar)
    given = truth.slopes(lambda m, v: Normal(m, v).rsample(4, noise=noise), mean, logvar)
    np.testing.assert_array_equal(drawn[0], given[0])
    for a, b in zip(drawn[1], given[1]):
        assert a is not None, "no gradient"
        np.testing.assert_array_equal(a, b)


def test_log_prob_of_a_sample_is_differentiated_through_both() -> None:
    """log N(m + e^{v/2} η; m, eᵛ) = −½ (log 2π + v + η²): 0 with respect to m, −½ with respect to v, for any η."""
    mean, logvar, noise = truth.draw(((2, 3), (2, 3), (2, 3)), 1)

    def f(m: Tensor, v: Tensor) -> Tensor:
        q = Independent(Normal(m, v), 1)
        return q.log_prob(q.rsample((), noise=noise))

    _, (by_mean, by_logvar) = truth.slopes(f, mean, logvar)
    np.testing.assert_allclose(by_mean, 0, atol=1e-14)
    np.testing.assert_allclose(by_logvar, -0.5, rtol=1e-13)
