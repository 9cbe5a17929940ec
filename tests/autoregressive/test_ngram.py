"""n-grams: equations (1–5) of ``scratchgen.autoregressive.ngram`` by hand, by enumeration, and on a known source."""

import re
from itertools import product

import numpy as np
import pytest

from scratchgen.autoregressive import ngram as module
from scratchgen.data import MarkovSource

CORPUS = [0, 1, 0, 1, 1, 2, 0, 1, 2]
KINDS = pytest.mark.parametrize("smoothing", module.SMOOTHINGS)
SIZES = pytest.mark.parametrize("n", [1, 2, 3, 4])


def by_hand(context, c, n, alpha, smoothing, V=3):
    """(2–4) by counting in text."""
    s = context[max(0, len(context) - (n - 1)) :]

    def p(s):
        joint = sum(CORPUS[i : i + len(s) + 1] == [*s, c] for i in range(len(CORPUS) - len(s)))
        given = sum(CORPUS[i : i + len(s)] == s for i in range(len(CORPUS) - len(s)))
        q = p(s[1:]) if s and smoothing == "interpolated" else 1 / V
        return (joint + alpha * V * q) / (given + alpha * V)

    return p(s)


@KINDS
@SIZES
def test_conditionals_by_hand(n, smoothing):
    model = module.NGram(CORPUS, 3, n, alpha=0.3, smoothing=smoothing)
    for length in range(5):
        for context in product(range(3), repeat=length):
            expected = [by_hand(list(context), c, n, 0.3, smoothing) for c in range(3)]
            got = model.probabilities(np.array([context], np.int64).reshape(1, length))[0]
            np.testing.assert_allclose(got, expected, rtol=1e-13)
            assert got.sum() == pytest.approx(1, abs=1e-12)


@KINDS
@SIZES
def test_log_prob_is_the_chain_rule_and_the_total_probability_is_1(n, smoothing):
    model = module.NGram(CORPUS, 3, n, alpha=0.3, smoothing=smoothing)
    for length in range(1, 7):
        x = np.array(list(product(range(3), repeat=length)))
        log_p = model.log_prob(x)
        assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12)
        row = x[len(x) // 2 + 1 if len(x) > 3 else 0].tolist()
        expected = sum(np.log(by_hand(row[:t], row[t], n, 0.3, smoothing)) for t in range(length))
        assert model.log_prob([row])[0] == pytest.approx(expected, rel=1e-12)
        assert model.nats(row) == pytest.approx(-expected / length, rel=1e-12)


def test_samples_follow_the_uniforms():
    model = module.NGram(CORPUS, 3, n=3, alpha=0.3)
    uniforms = np.random.default_rng(0).random((30, 5))
    for row, u in zip(model.sample(30, 5, uniforms=uniforms), uniforms):
        for t in range(5):
            edges = np.concatenate(
                [[0], np.cumsum([by_hand(row[:t].tolist(), c, 3, 0.3, "interpolated") for c in range(3)])]
            )
            assert edges[row[t]] <= u[t] < edges[row[t] + 1]


def test_with_enough_memory_it_approaches_the_entropy_rate():
    """Order 2 needs n = 3: there the excess is about the KL of counting, parameters / 2N; n = 1 and 2 stay above."""
    source = MarkovSource.random(symbols=4, order=2, rng=0)
    train, fresh = (source.sample(1, 20_000, rng=seed)[0] for seed in (1, 2))
    limit = -source.log_prob(fresh[None])[0] / len(fresh)  # of these data, so that their chance cancels
    excess = [module.NGram(train, 4, n).nats(fresh) - limit for n in (1, 2, 3)]
    assert excess[0] > excess[1] > 0.01
    assert 0 < excess[2] < 3e-3
    assert limit == pytest.approx(source.entropy_rate, abs=0.03)


BAD = {
    "floats": (lambda: module.NGram([0.5], 2, 1), TypeError, "tokens is float64"),
    "symbol 2": (lambda: module.NGram([0, 2], 2, 1), ValueError, "tokens has 2 at (1,)"),
    "length 2.0": (lambda: module.NGram([0], 2, 1).sample(1, 2.0, 0), TypeError, "length is 2.0; it must be an int"),
    "length −1": (lambda: module.NGram([0], 2, 1).sample(1, -1, 0), ValueError, "length is -1; it must be at least 0"),
    "n 0": (lambda: module.NGram([0], 2, 0), ValueError, "n is 0; it must be at least 1"),
    "n 1.0": (lambda: module.NGram([0], 2, 1.0), TypeError, "n is 1.0; it must be an int"),
    "alpha 0": (lambda: module.NGram([0], 2, 1, alpha=0), ValueError, "alpha is 0; it must be above 0"),
    "smoothing": (lambda: module.NGram([0], 2, 1, smoothing="none"), ValueError, "expected one of interpolated, add"),
    "V^n": (lambda: module.NGram([0], 100, 10), ValueError, "100^10 windows"),
    "no stream": (lambda: module.NGram([0], 2, 1).nats([]), ValueError, "tokens is empty"),
    "one sequence": (lambda: module.NGram([0], 2, 1).log_prob([0]), ValueError, "x has shape (1,)"),
    "uniforms": (lambda: module.NGram([0], 2, 1).sample(1, 2, uniforms=[[0.5]]), ValueError, "it must be (1, 2)"),
    "no rng": (lambda: module.NGram([0], 2, 1).sample(1, 2), TypeError, "sample needs rng, or the uniforms themselves"),
    "negative n": (lambda: module.NGram([0], 2, 1).sample(-1, 2), ValueError, "n is -1"),
}


@pytest.mark.parametrize("call, error, message", BAD.values(), ids=BAD)
def test_bad_inputs(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_a_stream_that_is_one_window_is_counted():
    """(2) with one observation: p(1 | 0) = (1 + ½) / (1 + 1)."""
    model = module.NGram([0, 1], 2, 2, alpha=0.5, smoothing="add")
    np.testing.assert_allclose(model.probabilities([[0]]), [[0.25, 0.75]], rtol=0, atol=1e-15)


def test_windows_are_counted_with_more_bits_than_the_symbols_have():
    with pytest.raises(ValueError, match="more than 64 bits can number"):
        module.NGram([0], np.int8(100), np.int8(10))
