"""The Markov source: each equation of ``scratchgen.data.markov`` against sums over all sequences."""

import re
from itertools import product

import numpy as np
import pytest
from scipy.special import entr
from scipy.stats import chi2

from scratchgen.data import MarkovSource
from scratchgen.data import markov as module

SOURCES = {"order 1": (3, 1), "order 2": (3, 2), "order 3": (2, 3), "one symbol": (1, 2)}
GIVEN = pytest.mark.parametrize("symbols, order", SOURCES.values(), ids=SOURCES)


def made(symbols, order, seed=0):
    return module.MarkovSource.random(symbols, order, rng=seed)


def sequences(symbols, length):
    return np.array(list(product(range(symbols), repeat=length)), np.int64).reshape(symbols**length, length)


@GIVEN
def test_the_stationary_distribution_is_one(symbols, order):
    """(2), one symbol later: the distribution of the k symbols from the second on is that of the first k."""
    source = made(symbols, order)
    joint = source.stationary[..., None] * source.transition
    np.testing.assert_allclose(joint.sum(axis=0), source.stationary, atol=1e-14)
    assert source.stationary.sum() == pytest.approx(1, abs=1e-14)
    assert source.stationary.shape == (symbols,) * order


@GIVEN
def test_the_stationary_distribution_is_where_the_source_ends_up(symbols, order):
    source = made(symbols, order)
    pi = np.full((symbols,) * order, float(symbols) ** -order)
    for _ in range(3000):
        pi = (pi[..., None] * source.transition).sum(axis=0)
    np.testing.assert_allclose(source.stationary, pi, atol=1e-12)


@GIVEN
def test_log_prob_is_the_chain_rule_by_hand(symbols, order):
    """(1) in a loop, and the total probability of every length is 1."""
    source = made(symbols, order)
    for length in range(order + 4):
        x = sequences(symbols, length)
        expected = np.ones(len(x))
        for i, row in enumerate(x):
            first = row[:order]
            expected[i] = source.stationary[tuple(first)].sum()
            for t in range(order, length):
                expected[i] *= source.transition[tuple(row[t - order : t + 1])]
        np.testing.assert_allclose(np.exp(source.log_prob(x)), expected, rtol=1e-12)
        assert expected.sum() == pytest.approx(1, abs=1e-12)


@GIVEN
def test_the_entropy_is_the_sum_over_all_sequences(symbols, order):
    """(3), below the order too."""
    source = made(symbols, order)
    for length in range(order + 5):
        p = np.exp(source.log_prob(sequences(symbols, length)))
        assert source.entropy(length) == pytest.approx(entr(p).sum(), abs=1e-12)


@GIVEN
def test_the_entropy_rate_is_that_of_one_more_symbol(symbols, order):
    """(4): H(X[L+1] | X[1..L]) for every L ≥ k, falling to it before; H(X[1..L]) / L falls to it slowly."""
    source = made(symbols, order)
    totals = [entr(np.exp(source.log_prob(sequences(symbols, length)))).sum() for length in range(order + 5)]
    costs = np.diff(totals)
    np.testing.assert_allclose(costs[order:], source.entropy_rate, atol=1e-12)
    assert (np.diff(costs) <= 1e-12).all()
    assert source.entropy(10**9) / 10**9 == pytest.approx(source.entropy_rate, abs=1e-8)


def test_the_entropy_rate_by_hand():
    """P = [[0.9, 0.1], [0.5, 0.5]]: π = (5/6, 1/6), and h = 5/6 H(0.1) + 1/6 log 2, in nats."""
    source = module.MarkovSource([[0.9, 0.1], [0.5, 0.5]])
    np.testing.assert_allclose(source.stationary, [5 / 6, 1 / 6], rtol=1e-14)
    h = 5 / 6 * -(0.9 * np.log(0.9) + 0.1 * np.log(0.1)) + np.log(2) / 6
    assert source.entropy_rate == pytest.approx(h, rel=1e-14)


def test_a_cycle_costs_nothing_and_skips_what_cannot_occur():
    source = module.MarkovSource(np.roll(np.eye(3), 1, axis=1))
    x = source.sample(50, length=7, rng=0)
    np.testing.assert_array_equal(np.diff(x, axis=1) % 3, 1)
    assert source.entropy_rate == 0
    assert source.entropy(7) == pytest.approx(np.log(3), rel=1e-14)
    assert source.log_prob(np.array([[0, 2]])) == -np.inf
    # A state that is never entered, and what would follow it, must not make a NaN.
    rare = np.zeros((2, 2, 2))
    rare[..., 0] = 1
    np.testing.assert_array_equal(module.MarkovSource(rare).log_prob(np.array([[0, 0, 0], [1, 0, 0]])), [0, -np.inf])


def test_samples_follow_the_uniforms():
    """Symbol by symbol, by the cumulative sums of the conditionals, which are ratios of sums of p (1)."""
    source, V, L = made(3, 2), 3, 5
    uniforms = np.random.default_rng(0).random((20, L))
    x = source.sample(20, L, uniforms=uniforms)
    for row, u in zip(x, uniforms):
        for t in range(L):
            starts = np.concatenate([np.tile(row[:t], (V, 1)), np.arange(V)[:, None]], axis=1)
            p = np.exp(source.log_prob(starts))
            edges = np.concatenate([[0], np.cumsum(p) / p.sum()])
            assert edges[row[t]] <= u[t] < edges[row[t] + 1]


@pytest.mark.parametrize("symbols, order", [(3, 1), (3, 2)])
def test_samples_have_the_probabilities_of_log_prob(symbols, order):
    """Chi-square over all sequences of 4; the seed is fixed, false alarm 1e-9 for other seeds."""
    source, length, n = made(symbols, order, seed=2), 4, 100_000
    p = np.exp(source.log_prob(sequences(symbols, length)))
    x = source.sample(n, length, rng=1)
    index = np.ravel_multi_index(tuple(x.T), (symbols,) * length)
    counts, expected = np.bincount(index, minlength=len(p)), n * p
    rare = expected < 10
    counts, expected = (np.append(a[~rare], a[rare].sum()) for a in (counts, expected))
    counts, expected = counts[expected > 0], expected[expected > 0]
    assert len(counts) > 20
    assert chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1) > 1e-9


def test_the_same_seed_gives_the_same_source_and_the_same_sample():
    a, b = (MarkovSource.random(4, 2, rng=5) for _ in range(2))
    np.testing.assert_array_equal(a.transition, b.transition)
    np.testing.assert_array_equal(a.sample(5, 6, rng=3), b.sample(5, 6, rng=3))
    assert (MarkovSource.random(4, 2, rng=6).transition != a.transition).all()
    assert a.sample(0, 6, rng=0).shape == (0, 6) and a.sample(2, 0, rng=0).shape == (2, 0)


TWO = MarkovSource([[0.9, 0.1], [0.5, 0.5]])
BAD = {
    "integers": (
        lambda: MarkovSource(np.eye(2, dtype=int)),
        TypeError,
        "transition is int64; probabilities are floats",
    ),
    "not square": (lambda: MarkovSource(np.full((3, 2), 0.5)), ValueError, "(3, 2); it must be (V, V) for order 1"),
    "a vector": (lambda: MarkovSource([0.5, 0.5]), ValueError, "(2,); it must be (V, V) for order 1"),
    "negative": (lambda: MarkovSource([[1.5, -0.5], [0.5, 0.5]]), ValueError, "transition has 1.5 at (0, 0)"),
    "NaN": (lambda: MarkovSource([[np.nan, 1], [0.5, 0.5]]), ValueError, "transition has nan at (0, 0)"),
    "columns sum to 1": (
        lambda: MarkovSource(np.array([[0.9, 0.1], [0.5, 0.5]]).T),
        ValueError,
        "the sum of transition over its last axis has 1.4 at (0,)",
    ),
    "two closed sets": (lambda: MarkovSource(np.eye(2)), ValueError, "several stationary distributions"),
    "too many states": (lambda: MarkovSource.random(100, 3, 0), ValueError, "1000000 states; at most 2048"),
    "order 0": (lambda: MarkovSource.random(3, 0, 0), ValueError, "order is 0; it must be at least 1"),
    "symbols 2.0": (lambda: MarkovSource.random(2.0, 1, 0), TypeError, "symbols is 2.0; it must be an int"),
    "concentration": (lambda: MarkovSource.random(2, 1, 0, 0.0), ValueError, "concentration is 0.0"),
    "np.random": (lambda: MarkovSource.random(2, 1, np.random), TypeError, "the module np.random"),
    "floats": (lambda: TWO.log_prob(np.zeros((1, 2))), TypeError, "x is float64; symbols are integers"),
    "one sequence": (lambda: TWO.log_prob(np.zeros(3, int)), ValueError, "one sequence is x[None]"),
    "symbol 2": (lambda: TWO.log_prob(np.array([[0, 2]])), ValueError, "x has 2 at (0, 1); 1 of 2 values: symbols are"),
    "symbol −1": (lambda: TWO.log_prob(np.array([[-1, 0]])), ValueError, "x has -1 at (0, 0)"),
    "no rng": (lambda: TWO.sample(1, 1), TypeError, "sample needs rng, or the uniforms themselves"),
    "length": (lambda: TWO.sample(1, -1, 0), ValueError, "length is -1; it must be at least 0"),
    "uniforms": (lambda: TWO.sample(1, 2, uniforms=np.zeros((2, 2))), ValueError, "it must be (1, 2)"),
    "masked uniforms": (
        lambda: TWO.sample(1, 1, uniforms=np.ma.masked_array([[0.5]], True)),
        TypeError,
        "uniforms is a masked array",
    ),
    "marginal 2": (lambda: TWO.marginal(2), ValueError, "length is 2; the table is of at most 1 symbols, the order"),
    "start 0": (lambda: TWO.start(0), ValueError, "length is 0; it must be at least 1"),
    "uniform 1": (lambda: TWO.sample(1, 1, uniforms=np.ones((1, 1))), ValueError, "they must be in [0, 1)"),
}


@pytest.mark.parametrize("call, error, message", BAD.values(), ids=BAD)
def test_bad_inputs(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
