"""Errors planted in the n-grams: for each a test in tests/autoregressive/test_ngram.py fails.

A plant is a piece of a function, and what a slip of the hand could have made of it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autoregressive.ngram import NGram, found, summed
from tests.autoregressive import test_ngram, test_total_probability
from tests.museum.test_engine_errors import slip

interpolated, added = (partial(test_ngram.test_conditionals_by_hand, 3, kind) for kind in ("interpolated", "add"))
chain_rule = partial(test_ngram.test_log_prob_is_the_chain_rule_and_the_total_probability_is_1, 3, "interpolated")
uniforms = test_ngram.test_samples_follow_the_uniforms
total = partial(
    test_total_probability.test_the_total_probability_is_1_and_stays_so,
    *test_total_probability.MODELS[NGram, "interpolated"],
)
SHARE = "(joint + self.alpha * V * p) / (given + self.alpha * V)"
LADDER = 'range(longest + 1) if self.smoothing == "interpolated" else [longest]'

PLANTS: dict[str, tuple[Any, str, str, Callable[..., None]]] = {
    # smoothing
    "not normalised: α V missing below": (
        NGram.smoothed,
        SHARE,
        SHARE.replace("given + self.alpha * V", "given + self.alpha"),
        total,
    ),
    "not normalised: nothing added below": (
        NGram.smoothed,
        SHARE,
        SHARE.replace("given + self.alpha * V", "np.maximum(given, 1)"),
        total,
    ),
    "α for α V": (NGram.smoothed, SHARE, SHARE.replace("self.alpha * V", "self.alpha"), added),
    "a guess that does not sum to 1": (NGram.smoothed, "np.full((), 1 / V)", "np.full((), 1.0)", total),
    "the guess forgotten": (NGram.smoothed, "self.alpha * V * p)", "self.alpha)", interpolated),
    "interpolated with fixed weights that do not sum to 1": (
        NGram.smoothed,
        SHARE,
        "0.7 * joint / np.maximum(given, 1) + 0.4 * p",
        total,
    ),
    "the unseen weighted twice": (NGram.smoothed, "joint + self", "joint + 2 * self", total),
    "smoothed only where nothing was seen": (
        NGram.smoothed,
        SHARE,
        "np.where(given > 0, joint / np.maximum(given, 1), p)",
        added,
    ),
    "both smoothings alike": (NGram.smoothed, LADDER, "range(longest + 1)", added),
    "no interpolation": (NGram.smoothed, LADDER, "[longest]", interpolated),
    "the single symbols left out": (
        NGram.smoothed,
        "range(longest + 1)",
        "range(min(1, longest), longest + 1)",
        interpolated,
    ),
    # contexts
    "one symbol of context too few": (NGram.probabilities, "(self.n - 1)", "(self.n - 2)", interpolated),
    "the oldest symbols for the newest": (
        NGram.probabilities,
        "contexts[:, max(0, contexts.shape[1] - (self.n - 1)) :]",
        "contexts[:, : self.n - 1]",
        interpolated,
    ),
    "a shorter context by the oldest symbols": (
        NGram.smoothed,
        "contexts[..., longest - m :]",
        "contexts[..., :m]",
        interpolated,
    ),
    "a context backwards": (
        NGram.smoothed,
        "contexts[..., longest - m :]",
        "contexts[..., ::-1][..., :m]",
        interpolated,
    ),
    "a context number of base V + 1": (
        NGram.numbered,
        "number * self.symbols",
        "number * (self.symbols + 1)",
        interpolated,
    ),
    "the next symbol before its context": (NGram.smoothed, "s * V + following", "following * V**m + s", interpolated),
    "the end of the stream counted as a context": (
        NGram.smoothed,
        "found(self.contexts[m], s)",
        "(found(self.counts[m - 1], s) if m else 9)",
        interpolated,
    ),
    "each window counted once": (
        summed,
        "np.bincount(where, counts, len(unique))",
        "np.bincount(where, minlength=len(unique))",
        interpolated,
    ),
    "the count of the next window for the unseen": (
        found,
        "np.where(known[at] == keys, counts[at], 0)",
        "counts[at]",
        interpolated,
    ),
    # sequences
    "the first symbols for nothing": (
        NGram.log_prob,
        "total += np.log(self.smoothed(x[:, :t], x[:, t]))",
        "pass",
        chain_rule,
    ),
    "the first symbols without context": (NGram.log_prob, "x[:, :t], x[:, t]", "x[:, :0], x[:, t]", chain_rule),
    "the last symbol dropped": (
        NGram.log_prob,
        "windows[..., :-1], windows[..., -1]",
        "windows[:, :-1, :-1], windows[:, :-1, -1]",
        chain_rule,
    ),
    "a window that overlaps the start": (
        NGram.log_prob,
        "range(min(k, x.shape[1]))",
        "range(min(k + 1, x.shape[1]))",
        chain_rule,
    ),
    "the symbol in its own context": (
        NGram.log_prob,
        "windows[..., :-1], windows[..., -1]",
        "windows[..., 1:], windows[..., -1]",
        chain_rule,
    ),
    "mean for sum": (NGram.log_prob, ".sum(axis=1)", ".mean(axis=1)", chain_rule),
    "nats of the whole stream": (NGram.nats, " / len(stream)", "", chain_rule),
    "nats with the wrong sign": (NGram.nats, "return -float", "return float", chain_rule),
    # draws
    "drawn from an older context": (NGram.sample, "[:, -self.n :]", "[:, : self.n - 1]", uniforms),
    "drawn by 1 − u": (NGram.sample, "u[:, t]", "1 - u[:, t]", uniforms),
    "the uniform number of the first symbol": (NGram.sample, "u[:, t]", "u[:, 0]", uniforms),
}


@pytest.mark.parametrize(("function", "right", "wrong", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(function: Any, right: str, wrong: str, check: Callable[[], None]) -> None:
    """The check passes as things are, and its assertion fails with the error planted."""
    check()
    with slip(function, right, wrong), np.errstate(all="ignore"), pytest.raises(AssertionError):
        check()
