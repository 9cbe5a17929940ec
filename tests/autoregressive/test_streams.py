"""Streams of any length by windows of D symbols: each symbol once, from what its window has before it."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from scratchgen.autoregressive.streams import generate_stream, stream_nats
from tests.autoregressive.test_transformer import model

NET = model(dims=5).eval()
SHORT = model(dims=3).eval()
TOKENS = np.random.default_rng(0).integers(0, 3, 23)
UNIFORMS = np.random.default_rng(1).random((4, 23))


def before(x: np.ndarray, t: int, least: int) -> np.ndarray:
    """What x[t] is predicted from: the symbols before it in the first window of five that has it, by trying."""
    for start in range(0, t + 1, 5 - least):
        if start + 5 > t:
            return x[start:t]
    raise AssertionError


def predicted(x: np.ndarray, t: int, least: int) -> np.ndarray:
    """p(x[t] = · | before), (3,)."""
    window = np.append(before(x, t, least), 0)
    return NET.conditionals(window[None]).probabilities.data[0, -1]


@pytest.mark.parametrize("least", [0, 1, 2, 4])
@pytest.mark.parametrize("length", [1, 4, 5, 6, 8, 11, 23])
def test_the_nats_of_a_stream_symbol_by_symbol(length: int, least: int) -> None:
    x = TOKENS[:length]
    by_hand = -sum(np.log(predicted(x, t, least)[x[t]]) for t in range(length)) / length
    assert stream_nats(NET, x, least) == pytest.approx(by_hand, rel=1e-12)


def test_many_windows_are_taken_in_batches() -> None:
    x = np.random.default_rng(2).integers(0, 3, 150)  # 146 windows
    by_hand = -sum(np.log(predicted(x, t, 4)[x[t]]) for t in range(150)) / 150
    assert stream_nats(NET, x, 4) == pytest.approx(by_hand, rel=1e-12)
    assert stream_nats(NET, x) == stream_nats(NET, x, 2)


@pytest.mark.parametrize("least", [0, 1])
def test_all_streams_have_probability_one(least: int) -> None:
    """Of four symbols, by windows of three."""
    p = [np.exp(-4 * stream_nats(SHORT, np.array(x), least)) for x in product(range(3), repeat=4)]
    assert abs(sum(p) - 1) < 1e-12 and np.std(p) > 1e-4


@pytest.mark.parametrize("least", [0, 2, 4])
@pytest.mark.parametrize("k", [0, 3, 7])
def test_each_symbol_that_is_generated_is_the_inverse_of_its_conditional(k: int, least: int) -> None:
    x = generate_stream(NET, 4, 23, prompt=TOKENS[:k], least=least, uniforms=UNIFORMS)
    np.testing.assert_array_equal(x[:, :k], np.tile(TOKENS[:k], (4, 1)))
    for row, u in zip(x, UNIFORMS):
        drawn = [np.argmax(np.cumsum(predicted(row, t, least)) > u[t]) for t in range(k, 23)]
        np.testing.assert_array_equal(row[k:], drawn)


def test_truncation_is_passed_on_and_a_seed_is_enough() -> None:
    x = generate_stream(NET, 2, 12, rng=5, least=2, top_k=1)
    for t in range(12):
        assert x[0, t] == np.argmax(predicted(x[0], t, 2))
    uniforms = np.random.default_rng(5).random((2, 12))
    np.testing.assert_array_equal(generate_stream(NET, 2, 12, 5), generate_stream(NET, 2, 12, uniforms=uniforms))


@pytest.mark.parametrize(
    ("call", "error", "gist"),
    [
        (lambda: stream_nats(NET, TOKENS, 5), ValueError, "least is 5; it must be an integer from 0 to 4"),
        (lambda: stream_nats(NET, TOKENS, -1), ValueError, "least is -1"),
        (lambda: stream_nats(NET, TOKENS, 1.0), ValueError, "least is 1.0"),  # type: ignore[arg-type]
        (lambda: stream_nats(NET, TOKENS[:0]), ValueError, r"tokens has shape \(0,\)"),
        (lambda: stream_nats(NET, TOKENS[None]), ValueError, r"tokens has shape \(1, 23\)"),
        (lambda: stream_nats(NET, TOKENS + 1), ValueError, "token 3 at"),
        (lambda: stream_nats(NET, TOKENS + 0.5), TypeError, "tokens is float64"),
        (lambda: generate_stream(NET, 1, 3, 0, prompt=TOKENS[:4]), ValueError, "at most the length, 3"),
        (lambda: generate_stream(NET, 1, 9, 0, prompt=np.array([7])), ValueError, "token 7"),
        (lambda: generate_stream(NET, 1, 1, 0, prompt=np.array([7])), ValueError, "token 7"),  # nothing left to draw
        (lambda: generate_stream(NET, 1, 9, 0, prompt=[0.7]), TypeError, "tokens is float64"),
        (lambda: generate_stream(NET, 1, 9, 0, prompt=np.ma.masked_array([1], True)), TypeError, "prompt is a masked"),
        (lambda: generate_stream(NET, 1, 9.0, 0), TypeError, "length is 9.0"),  # type: ignore[arg-type]
        (lambda: generate_stream(NET, 1, -1, 0), ValueError, "length is -1; it must be at least 0"),
        (lambda: stream_nats(NET, np.ma.masked_array(TOKENS, True)), TypeError, "tokens is a masked array"),
        (lambda: generate_stream(NET, 1, 9), TypeError, "needs rng, or the uniforms themselves"),
        (lambda: generate_stream(NET, 1, 9, 0, temperature=0.0), ValueError, "temperature is 0.0"),
    ],
)
def test_bad_inputs(call: Any, error: type[Exception], gist: str) -> None:
    with pytest.raises(error, match=gist):
        call()
