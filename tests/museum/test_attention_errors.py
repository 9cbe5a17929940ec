"""Errors planted in attention: for each a test in tests/nn/test_attention.py or tests/autoregressive fails."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.nn import attention
from scratchgen.nn.attention import causal_mask
from tests.autoregressive import test_transformer, test_transformer_leaks
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught
from tests.nn import test_attention

by_loops = partial(test_attention.test_attention_by_loops, 5, 5)
by_hand = partial(test_transformer.test_the_logits_by_hand, False)
in_chunks = partial(test_transformer.test_the_cache_gives_the_logits_of_the_full_pass, [2])
far_below = test_attention.test_a_query_whose_own_scores_are_all_far_below_the_masked_ones
no_bit = test_attention.test_the_future_changes_no_bit_of_the_past


def jacobian(training: bool) -> Check:
    return partial(test_transformer_leaks.test_the_jacobian_is_zero_exactly_in_the_future, training)


def future_symbols(training: bool) -> Check:
    return partial(test_transformer_leaks.test_the_future_of_symbols_changes_no_bit_of_the_past, training)


def masked(finite: float = -np.inf, off: int = 0) -> Plant:
    """Another mask."""

    def wrong(queries: int, keys: int, dtype: Any = np.float64) -> np.ndarray:
        return np.where(np.tri(queries, keys, keys - queries + off, dtype=bool), 0.0, finite).astype(dtype)

    return instead_of(attention, "causal_mask", wrong)


def weights(wrong: Callable[..., np.ndarray]) -> Plant:
    """Other weights, from the scores q · k and the mask, (T, S), to be divided by 1."""

    def planted(q: Any, k: Any) -> tuple[np.ndarray, np.ndarray]:
        p = wrong(q @ np.swapaxes(k, -1, -2), causal_mask(q.shape[-2], k.shape[-2]), q.shape[-1] ** 0.5)
        return p, np.ones((*p.shape[:-1], 1))

    return instead_of(attention, "exponentials", planted)


def softmax(scores: np.ndarray, axis: Any = -1) -> np.ndarray:
    e = np.exp(scores - np.max(scores, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def shifted_by_all(s: np.ndarray, mask: np.ndarray, root: float) -> np.ndarray:
    """By the largest score of all rows, masked ones too: right, but for rounding."""
    e = np.exp((s - s.max()) / root + mask)
    return e / e.sum(axis=-1, keepdims=True)


def split_without_transpose(x: Any, heads: int) -> Any:
    *lead, length, width = x.shape
    return x.reshape((*lead, heads, length, width // heads))


def merged_without_transpose(y: Any) -> Any:
    *lead, heads, length, d = y.shape
    return y.reshape((*lead, length, heads * d))


def heads_interleaved(x: Any, heads: int) -> Any:
    x = x.reshape((*x.shape[:-1], x.shape[-1] // heads, heads))
    return np.moveaxis(x, -1, -3)


def largest_without_middle(scores: np.ndarray) -> np.ndarray:
    """By halves, which leave out one row of an odd number."""
    while scores.shape[-2] > 1:
        half = scores.shape[-2] // 2
        scores = np.maximum(scores[..., :half, :], scores[..., -half:, :])
    return scores


PLANTS: dict[str, tuple[Plant, Check]] = {
    "sees the next": (masked(off=1), by_loops),
    "sees the next: jacobian, training": (masked(off=1), jacobian(True)),
    "sees the next: jacobian, evaluation": (masked(off=1), jacobian(False)),
    "does not see itself": (masked(off=-1), partial(test_attention.test_attention_by_loops, 2, 5)),
    "no mask": (masked(finite=0.0), future_symbols(True)),
    "no mask in evaluation": (masked(finite=0.0), future_symbols(False)),
    "mask of −1e4": (masked(finite=-1e4), far_below),
    "mask as if there were no cache": (
        instead_of(attention, "causal_mask", lambda T, S, dtype=None: np.where(np.tri(T, S, dtype=bool), 0, -np.inf)),
        in_chunks,
    ),
    "mask after the softmax": (weights(lambda s, mask, root: softmax(s / root) * (mask == 0)), by_loops),
    "mask after the softmax: no bit": (weights(lambda s, mask, root: softmax(s / root) * (mask == 0)), no_bit),
    "shifted by the largest score of all rows": (weights(shifted_by_all), no_bit),
    "shifted by less than the largest score": (
        instead_of(attention, "largest_of_keys", lambda scores: scores[..., :1, :]),
        partial(test_attention.test_weights_sum_to_one_and_are_zero_in_the_future, 1e3),
    ),
    "a middle row left out of the maximum": (
        instead_of(attention, "largest_of_keys", largest_without_middle),
        partial(test_attention.test_the_largest_score_wherever_it_is, 5),
    ),
    "softmax over the queries": (weights(lambda s, mask, root: softmax(s / root + mask, axis=-2)), by_loops),
    "softmax over everything": (weights(lambda s, mask, root: softmax(s / root + mask, axis=(-2, -1))), by_loops),
    "no 1/√d": (weights(lambda s, mask, root: softmax(s + mask)), by_loops),
    "1/d": (weights(lambda s, mask, root: softmax(s / root**2 + mask)), by_loops),
    "keys and queries exchanged": (
        weights(lambda s, mask, root: softmax(np.swapaxes(s, -1, -2) / root + mask)),
        by_loops,
    ),
    "heads split without a transpose": (instead_of(attention, "split", split_without_transpose), by_hand),
    "heads split without a transpose: jacobian": (
        instead_of(attention, "split", split_without_transpose),
        jacobian(False),
    ),
    "heads merged without a transpose": (instead_of(attention, "merged", merged_without_transpose), by_hand),
    "heads interleaved": (instead_of(attention, "split", heads_interleaved), by_hand),
    "heads interleaved: no views": (
        instead_of(attention, "split", heads_interleaved),
        test_attention.test_heads_are_views_and_do_not_mix,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
