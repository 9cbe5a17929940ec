"""Errors planted in the transformer: for each a test in tests/autoregressive/test_transformer*.py fails."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autoregressive import transformer
from scratchgen.autoregressive.transformer import Transformer
from scratchgen.nn import Linear, TransformerBlock, attention
from scratchgen.nn.attention import CausalSelfAttention
from tests.autoregressive import test_transformer, test_transformer_leaks
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

by_hand = partial(test_transformer.test_the_logits_by_hand, False)
tied_by_hand = partial(test_transformer.test_the_logits_by_hand, True)
with_cache = partial(test_transformer.test_the_cache_gives_the_logits_of_the_full_pass, [1, 2, 3, 4])
in_chunks = partial(test_transformer.test_the_cache_gives_the_logits_of_the_full_pass, [2])
sampling = partial(test_transformer.test_sampling_with_a_cache_is_sampling_without, np.array([2, 0]))
truncation = test_transformer.test_truncation_by_hand
loss = test_transformer.test_the_loss_is_the_mean_over_sequences_of_the_sum_over_symbols
future = partial(test_transformer_leaks.test_the_future_of_symbols_changes_no_bit_of_the_past, False)


# -- the block and the network -----------------------------------------------------------------------------------------


def block(wrong: Callable[..., Any]) -> Plant:
    """Another block, of its two branches, without dropout: attention first, then the network at each position."""

    def forward(self: TransformerBlock, x: Any, rng: Any = None, past: Any = None) -> Any:
        assert past is None
        return wrong(x, self.attention, lambda h: self.contract(self.expand(h)), *self.norms)

    return instead_of(TransformerBlock, "forward", forward)


def after_attention(x: Any, attend: Any, think: Any, first: Any, second: Any) -> Any:
    x = x + attend(first(x))
    return second(x) + think(second(x))


def parallel(x: Any, attend: Any, think: Any, first: Any, second: Any) -> Any:
    return x + attend(first(x)) + think(second(x))


def no_residual(x: Any, attend: Any, think: Any, first: Any, second: Any) -> Any:
    x = attend(first(x))
    return x + think(second(x))


def no_second_residual(x: Any, attend: Any, think: Any, first: Any, second: Any) -> Any:
    x = x + attend(first(x))
    return think(second(x))


def post_norm(x: Any, attend: Any, think: Any, first: Any, second: Any) -> Any:
    x = first(x + attend(x))
    return second(x + think(x))


def untied(self: Transformer, h: Any) -> Any:
    """The output has weights of its own, not those of the embedding."""
    if "copy" not in vars(self):
        object.__setattr__(self, "copy", Linear(h.shape[-1], self.levels, 0, bias=False, dtype=self.dtype))
    return self.copy(self.norm(h))  # type: ignore[operator]


def with_the_start(self: Transformer, h: Any) -> Any:
    return self.norm(h) @ self.embedding.W[1:].T


def without_the_norm(self: Transformer, h: Any) -> Any:
    return self.head(h) if self.head is not None else h @ self.embedding.W[: self.levels].T


embedded = Transformer.embedded


def place_by_place(wrong: Callable[[int, int], np.ndarray]) -> Plant:
    """Other places, from the first and their number."""

    def planted(self: Transformer, inputs: np.ndarray, first: int = 0) -> Any:
        return self.embedding(inputs) + self.places(wrong(first, inputs.shape[1]))

    return instead_of(Transformer, "embedded", planted)


NETWORK: dict[str, tuple[Plant, Check]] = {
    "post-norm": (block(post_norm), by_hand),
    "the residual after the norm": (block(after_attention), by_hand),
    "branches side by side": (block(parallel), by_hand),
    "no residual around attention": (block(no_residual), by_hand),
    "no residual around the network": (block(no_second_residual), by_hand),
    "no norm at the end": (instead_of(Transformer, "logits", without_the_norm), by_hand),
    "tied weights not shared": (instead_of(Transformer, "logits", untied), tied_by_hand),
    "tied with the start for a symbol": (instead_of(Transformer, "logits", with_the_start), tied_by_hand),
    "no places": (instead_of(Transformer, "embedded", lambda self, x, first=0: self.embedding(x)), by_hand),
    "all at one place": (place_by_place(lambda first, n: np.full(n, first)), by_hand),
    "symbols forgotten": (
        instead_of(Transformer, "embedded", lambda self, x, first=0: embedded(self, np.zeros_like(x), first)),
        by_hand,
    ),
    "input not shifted": (instead_of(Transformer, "shifted", lambda self, x: x), by_hand),
    "input not shifted: sees itself": (instead_of(Transformer, "shifted", lambda self, x: x), future),
    "input shifted by two": (
        instead_of(
            Transformer,
            "shifted",
            lambda self, x: np.concatenate([np.full((len(x), 2), self.levels), x], axis=1)[:, :-2],
        ),
        by_hand,
    ),
    "input shifted the other way": (
        instead_of(
            Transformer,
            "shifted",
            lambda self, x: np.concatenate([x, np.full((len(x), 1), self.levels)], axis=1)[:, 1:],
        ),
        future,
    ),
    "symbol 0 for the start": (
        instead_of(
            Transformer, "shifted", lambda self, x: np.concatenate([np.zeros((len(x), 1), int), x], axis=1)[:, :-1]
        ),
        by_hand,
    ),
    "loss averaged over the symbols": (
        instead_of(Transformer, "loss", lambda self, x, rng=None: -np.mean(self.conditionals(x, rng=rng).log_prob(x))),
        loss,
    ),
    "no dropout in the loss": (
        instead_of(
            Transformer, "loss", lambda self, x, rng=None: -np.mean(np.sum(self.eval().conditionals(x).log_prob(x), -1))
        ),
        loss,
    ),
}


# -- the cache, and generation -----------------------------------------------------------------------------------------


Append = Callable[[np.ndarray, np.ndarray], np.ndarray]


def appended(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    return np.concatenate([old, new], axis=1)


def cached(keys_by: Append, values_by: Append) -> Plant:
    """Keys and values put together in another way, from the old and the new."""

    def forward(self: CausalSelfAttention, x: Any, past: Any = None) -> Any:
        q, k, v = self.query(x), self.key(x), self.value(x)
        if past is None:
            return self.out(attention.causal_attention(q, k, v, self.heads))
        keys, values = keys_by(past[0], k.data), values_by(past[1], v.data)
        return self.out(attention.causal_attention(q, keys, values, self.heads)), (keys, values)

    return instead_of(CausalSelfAttention, "forward", forward)


def truncating(
    scale: Callable[[np.ndarray, float], np.ndarray] = np.divide, fill: float = -np.inf, k: int = 0, p: str = "before"
) -> Plant:
    """Another truncation: how temperature scales, what fills the gaps, k off by so many, p by the sum up to here."""

    def wrong(logits: np.ndarray, temperature: float = 1.0, top_k: Any = None, top_p: Any = None) -> np.ndarray:
        logits = scale(logits, temperature)
        rank = np.argsort(np.argsort(-logits, axis=-1, kind="stable"), axis=-1)
        keep = rank < (logits.shape[-1] if top_k is None else top_k + k)
        if top_p is not None:
            falling = -np.sort(-np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True), axis=-1)
            mass = np.cumsum(falling, axis=-1) - (falling if p == "before" else 0)
            keep &= np.take_along_axis(mass, rank, axis=-1) < top_p
        return np.where(keep, logits, fill)

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(transformer, "truncated", wrong)
        patch.setattr(test_transformer, "truncated", wrong)

    return plant


def likeliest(**options: float) -> Check:
    return partial(test_transformer.test_the_likeliest_only_is_the_argmax, options)


GENERATION: dict[str, tuple[Plant, Check]] = {
    "places from 0 in each chunk": (place_by_place(lambda first, n: np.arange(n)), with_cache),
    "places one late in the cache": (
        place_by_place(lambda first, n: np.arange(first, first + n) - (first > 0)),
        in_chunks,
    ),
    "nothing appended": (cached(*[lambda old, new: new] * 2), with_cache),
    "values not appended but replaced": (
        cached(appended, lambda old, new: np.concatenate([0 * old, new], axis=1)),
        with_cache,
    ),
    "appended in front": (cached(*[lambda old, new: appended(new, old)] * 2), in_chunks),
    "keys appended in front, values behind": (cached(lambda old, new: appended(new, old), appended), with_cache),
    "the old ones turned round": (cached(appended, lambda old, new: appended(old[:, ::-1], new)), with_cache),
    "the prompt not in the cache": (
        instead_of(Transformer, "in_turn", lambda self, n, context=None: last_alone(self, n)),
        sampling,
    ),
    "gaps filled with 0 (minGPT#10)": (truncating(fill=0.0), likeliest(top_k=1)),
    "gaps filled with −10": (truncating(fill=-10.0), truncation),
    "one too many of top_k": (truncating(k=1), truncation),
    "one too few of top_p": (truncating(p="up to here"), truncation),
    "temperature multiplies": (truncating(scale=np.multiply), truncation),
    "temperature forgotten": (truncating(scale=lambda logits, _: logits), truncation),
}


def last_alone(self: Transformer, n: int) -> Any:
    """The newest symbol goes through the network, and those of the prompt do not."""
    cache = self.empty_cache(n)
    return lambda x, j: transformer.Categorical(self.next_logits(self.shifted(x[:, : j + 1])[:, -1:], cache)[:, -1])


PLANTS = NETWORK | GENERATION


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_temperature_of_0_that_is_let_through_is_caught(temperature: float) -> None:
    """nanoGPT#738."""
    check = partial(
        test_transformer.test_bad_inputs,
        lambda net: net.generate(1, 0, temperature=temperature),
        "temperature is .*; it must be above 0",
    )
    check()
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(transformer, "check_truncation", lambda *args: None)
        patch.setattr(transformer, "truncated", lambda logits, *args: logits)
        with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
            check()
