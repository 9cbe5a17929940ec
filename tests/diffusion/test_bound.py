"""The bound: equal to log p(x_0) where the way back is exact, below it by known divergences where it is not."""

import numpy as np
import pytest
from scipy.stats import norm

from scratchgen.diffusion import (
    DDPM,
    BestNetwork,
    GaussianMixtureData,
    LevelDecoder,
    Schedule,
    along_a_path,
    terms,
)
from scratchgen.diffusion.best import variance_given
from scratchgen.diffusion.bound import prior_term, step_term
from scratchgen.diffusion.forward import posterior_coefficients, q_sample
from scratchgen.flows import bits_per_dim
from tests.diffusion.gaussian import VARIANCE, exact_model, log_density, schedule_of

X = np.array([[1.0, -2.0], [0.3, 4.0], [1.5, 1.5]])
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(3)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def expected_terms(model, x):
    """L_T, and L_0 … L_{T−1} with the expectation over x_t by quadrature: a term is quadratic in the noise.

    The terms add up over the dimensions, so the nodes may be taken along the diagonal.
    """
    x0 = model.decoder.to_network(x, np.dtype(np.float64))
    steps = np.zeros((model.schedule.T, len(x)))
    for t in range(1, model.schedule.T + 1):
        for node, weight in zip(NODES, WEIGHTS):
            x_t = q_sample(model.schedule, x0, t, noise=np.full_like(x0, node))
            each = np.full(len(x), t)
            steps[t - 1] += weight * step_term(model, x, x0, x_t, each, model.predict(x_t, each))
    return prior_term(model, x0), steps


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
@pytest.mark.parametrize("T", [1, 2, 10, 50])
def test_the_bound_is_log_p_where_the_way_back_is_exact(T, target):
    """−L_T − Σ L = log p(x_0) pointwise, for x_0 ~ N(m, s²): the sum of (2), (3) and (4), to 1e-12."""
    prior, steps = expected_terms(exact_model(T, target), X)
    np.testing.assert_allclose(-prior - steps.sum(axis=0), log_density(X), rtol=1e-12)


@pytest.mark.parametrize("T", [1, 2, 10, 50])
def test_every_path_gives_log_p_where_the_way_back_is_exact(T):
    """(5) has no variance then."""
    for seed in range(3):
        np.testing.assert_allclose(along_a_path(exact_model(T), X, rng=seed), log_density(X), rtol=1e-12)


@pytest.mark.parametrize("T", [1, 3])
@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
def test_both_forms_of_the_bound_have_one_expectation(T, variance):
    """(1) by its quadrature, and (5) by quadrature over all paths, for a model that is not exact."""
    model = exact_model(T, variance=variance, prior=None)
    x = X[:1, :1].repeat(2, axis=1)
    prior, steps = expected_terms(model, x)
    total = 0.0
    for places in np.ndindex(*[3] * T):
        noise = np.stack([np.full_like(x, NODES[i]) for i in places])
        total += np.prod(WEIGHTS[list(places)]) * along_a_path(model, x, noise=noise)
    np.testing.assert_allclose(total, -prior - steps.sum(axis=0), rtol=1e-11)
    assert total < log_density(x) - 0.01


@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
def test_a_wrong_variance_costs_its_divergence(variance):
    """E over data and x_t of L_{t−1} − the exact L_{t−1} = KL(N(0, s²) ‖ N(0, σ_t²)) in each dimension."""
    T = 10
    schedule = schedule_of(T)
    exact = np.sqrt(VARIANCE) * NODES + 1.5  # data at the nodes too
    x = np.stack([exact, exact], axis=1)
    _, right = expected_terms(exact_model(T), x)
    model = exact_model(T, variance=variance)
    _, wrong = expected_terms(model, x)
    c, _, beta_tilde = posterior_coefficients(schedule, np.arange(1, T + 1))
    true = beta_tilde + c**2 * variance_given(VARIANCE, schedule)[1:]
    taken = schedule.betas[1:] if variance == "beta" else np.concatenate([beta_tilde[1:2], beta_tilde[1:]])
    divergence = 0.5 * (true / taken - 1 - np.log(true / taken))
    np.testing.assert_allclose((wrong - right) @ WEIGHTS, 2 * divergence, rtol=1e-9, atol=1e-13)


def test_the_known_excess_of_beta_and_beta_tilde():
    """N(0, ¼), T = 100, β from 1e-4 to 0.2 (curriculum.md): the bound is 0.0110 and 9.697 nats above −log p."""
    schedule = Schedule(np.linspace(1e-4, 0.2, 100))
    x = 0.5 * NODES[:, None]
    network = BestNetwork(GaussianMixtureData([1.0], [[0.0]], 0.25), schedule)
    for variance, excess in {"beta": 0.0110, "beta_tilde": 9.6968}.items():
        model = DDPM(network, schedule, (1,), "x0", variance=variance)
        prior, steps = expected_terms(model, x)
        measured = WEIGHTS @ (prior + steps.sum(axis=0) + log_density(x, 0.0, 0.25))
        assert measured == pytest.approx(excess, abs=5e-5)
    best = DDPM(network, schedule, (1,), "x0", variance=variance_given(0.25, schedule))
    prior, steps = expected_terms(best, x)
    assert 0 < WEIGHTS @ (prior + steps.sum(axis=0) + log_density(x, 0.0, 0.25)) < 1e-9


def test_noise_that_is_given_and_drawn():
    model = exact_model(4, variance="beta")
    noise = np.random.default_rng(3).normal(size=(4, 3, 2))
    given, drawn = terms(model, X, noise=noise), terms(model, X, rng=3)
    np.testing.assert_array_equal(given.steps, drawn.steps)
    np.testing.assert_array_equal(given.total, given.prior + given.steps.sum(axis=0))
    np.testing.assert_array_equal(along_a_path(model, X, noise=noise), along_a_path(model, X, rng=3))


def test_rows_at_all_steps_at_once():
    """``step_term`` puts the first steps and the others back into the order they came in."""
    model = exact_model(4, variance="beta")
    t = np.array([3, 1, 4, 1, 2])
    x0, noise = np.random.default_rng(0).normal(size=(2, 5, 2))
    x_t = q_sample(model.schedule, x0, t, noise=noise)
    together = step_term(model, x0, x0, x_t, t, model.predict(x_t, t))
    for i in range(5):
        one = slice(i, i + 1)
        alone = step_term(model, x0[one], x0[one], x_t[one], t[one], model.predict(x_t[one], t[one]))
        np.testing.assert_allclose(together[i], alone[0], rtol=1e-13)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_the_probabilities_of_all_levels_sum_to_one(levels):
    """The last step, for any number of levels: Σ_x p(x_0 = x | x_1) = 1."""
    decoder = LevelDecoder(levels)
    x = np.arange(levels)[:, None]
    for mean, logvar in [(0.3, -3.0), (-1.4, -9.0), (0.0, 1.0)]:
        log_p = decoder.log_prob(x, np.full((levels, 1), mean), np.full((levels, 1), logvar))
        assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_the_mass_of_a_level_is_that_of_its_bin(levels):
    """(2) of ``decoders`` on the network's own scale: bins that are 2/(L − 1) wide, the outer two without end."""
    edges = np.concatenate([[-np.inf], (np.arange(levels - 1) - (levels - 2) / 2) * 2 / (levels - 1), [np.inf]])
    for mean, std in [(0.3, 0.2), (-0.9, 0.05)]:
        expected = np.diff(norm.cdf(edges, mean, std))
        seen = expected > 1e-6
        full = [np.full((levels, 1), value) for value in (mean, 2 * np.log(std))]
        got = LevelDecoder(levels).log_prob(np.arange(levels)[:, None], *full)[:, 0]
        np.testing.assert_allclose(np.exp(got[seen]), expected[seen], rtol=1e-8)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_are_spread_over_minus_one_to_one(levels):
    """(3), there and back; and 8-bit constants have no place in it."""
    decoder, x = LevelDecoder(levels), np.arange(levels)[None]
    scaled = decoder.to_network(x, np.dtype(np.float64))
    assert (scaled[0, 0], scaled[0, -1]) == (-1, 1)
    np.testing.assert_allclose(np.diff(scaled[0]), 2 / (levels - 1), rtol=1e-10)
    np.testing.assert_array_equal(decoder.to_data(scaled), x)
    np.testing.assert_array_equal(decoder.to_data(scaled + 0.9 / (levels - 1)), x)
    np.testing.assert_array_equal(decoder.to_data(np.array([[-7.0, 7.0]])), [[0, levels - 1]])


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_no_bound_of_uniform_levels_is_below_log_L(levels):
    """score_sde_pytorch#51: a wrong width of the bins would be. A network that knows nothing, over all levels."""
    x, bits = np.arange(levels)[:, None], []
    for logvar in (-2.0, -1.0, 0.0, 1.0):
        variance = np.full(2, np.exp(logvar))
        model = DDPM(
            lambda x, time: 0 * x, Schedule([0.999]), (1,), "x0", variance=variance, decoder=LevelDecoder(levels)
        )
        bits.append(bits_per_dim(terms(model, x, rng=0).steps.sum(axis=0).mean(), dims=1))
    assert min(bits) > np.log2(levels) - 1e-12 and min(bits) < np.log2(levels) + 0.25


def test_bad_inputs():
    model = exact_model(3)
    with pytest.raises(ValueError, match="x has 0 rows"):
        terms(model, X[:0], rng=0)
    with pytest.raises(ValueError, match="noise has 2 rows; it must have T=3"):
        terms(model, X, noise=np.zeros((2, 3, 2)))
    with pytest.raises(TypeError, match="give rng, or the noise itself"):
        terms(model, X)
    with pytest.raises(TypeError, match="x is float64; levels are integers from 0 to 16"):
        terms(exact_model(3, decoder=LevelDecoder(17)), X, rng=0)
    with pytest.raises(ValueError, match=r"x has 17 at \(0, 1\); 1 of 2 values: levels are 0 to 16"):
        terms(exact_model(3, decoder=LevelDecoder(17)), np.array([[0, 17]]), rng=0)
    with pytest.raises(ValueError, match="levels is 1; it must be at least 2"):
        LevelDecoder(1)
