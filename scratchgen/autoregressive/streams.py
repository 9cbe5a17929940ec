"""A model of sequences of D symbols, used on streams of any length: by windows that overlap.

    window w = x[wS + 1 .. wS + D],   w = 0, 1, …,   S = D − least                             (1)
    p(x[t] | before) = p(x[t] | what is before it in the first window that has it)             (2)

From one window to the next, ``least`` symbols stay, to be seen and not to be counted again: each symbol after the first
D is predicted from at least so many before it, and at most D − 1. The product of (2) over a stream of any length is a
distribution; ``stream_nats`` measures it, and ``generate_stream`` draws from it.

A larger ``least`` costs more windows and predicts better. With ``least`` 0, windows lie side by side, and the first
symbol of each has to be predicted from nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import no_grad
from scratchgen.autoregressive.model import Autoregressive, uniform_numbers
from scratchgen.autoregressive.transformer import Transformer
from scratchgen.distributions.arguments import unmasked
from scratchgen.distributions.distribution import values
from scratchgen.distributions.numbers import require_int
from scratchgen.nn.embedding import check_tokens
from scratchgen.random import Rng

BATCH = 64  # windows at once


def stream_nats(model: Autoregressive, tokens: Any, least: int | None = None) -> float:
    """−log p / N (2), nats per symbol, of one stream of integers (N,); compare ``NGram.nats``.

    Args:
        model: of D symbols, in evaluation mode, and able to predict fewer.
        tokens: integers (N,).
        least: symbols that stay from window to window, 0 to D − 1; by default half of D.

    Raises:
        ValueError: for least out of range, or tokens that are no stream of at least one symbol.

    >>> model = Transformer(levels=2, dims=4, width=4, heads=1, layers=1, rng=0)
    >>> model.head.W, model.head.b = np.zeros((4, 2), np.float32), np.zeros(2, np.float32)
    >>> round(stream_nats(model, np.array([0, 1, 1, 1, 0, 1, 0])), 4)               # two symbols alike: log 2
    0.6931
    """
    least = kept(model, least)
    tokens = np.asarray(unmasked("tokens", tokens))
    if tokens.ndim != 1 or not len(tokens):
        raise ValueError(f"tokens has shape {tokens.shape}; it must be (N,), at least one symbol")
    D, step = model.dims, model.dims - least
    total = -log_p_of(model, tokens[None, :D], 0)
    if len(tokens) > D:
        whole = np.lib.stride_tricks.sliding_window_view(tokens, D)[step::step]  # (W, D)
        for start in range(0, len(whole), BATCH):
            total -= log_p_of(model, whole[start : start + BATCH], least)
        rest = tokens[(1 + len(whole)) * step :]  # the last window, cut off by the end of the stream
        if len(rest) > least:
            total -= log_p_of(model, rest[None], least)
    return total / len(tokens)


def log_p_of(model: Autoregressive, windows: np.ndarray, least: int) -> float:
    """log p of all symbols in the windows (W, T) but the first ``least`` of each."""
    with no_grad():
        return float(np.sum(values(model.conditionals(windows).log_prob(windows))[:, least:], dtype=np.float64))


def generate_stream(
    model: Transformer,
    n: int,
    length: int,
    rng: Rng | None = None,
    prompt: Any = None,
    least: int | None = None,
    uniforms: Any = None,
    **truncation: Any,
) -> np.ndarray:
    """n streams (2), (n, length), window by window, each with a cache.

    Args:
        model: in evaluation mode.
        n, length: how many, and how long with the prompt.
        rng: draws the uniform numbers.
        prompt: integers (k,), with which all begin.
        least: symbols that stay from window to window, 0 to D − 1; by default half of D.
        uniforms: the uniform numbers themselves, (n, length), instead of ``rng``; those of the prompt are not used.
        truncation: temperature, top_k, top_p, as of ``Transformer.generate``.

    Raises:
        ValueError, TypeError: for what ``Transformer.generate`` refuses, least out of range, or a prompt that is longer
            than the length.

    >>> model = Transformer(levels=2, dims=4, width=4, heads=1, layers=1, rng=0)
    >>> generate_stream(model, n=2, length=10, rng=0, prompt=np.array([1, 0])).shape
    (2, 10)
    """
    least = kept(model, least)
    require_int("length", length, least=0)
    prompt = np.zeros(0, np.int64) if prompt is None else np.asarray(unmasked("prompt", prompt))
    if prompt.ndim != 1 or len(prompt) > length:
        raise ValueError(f"prompt has shape {prompt.shape}; it must be (k,), with k at most the length, {length}")
    if prompt.size:
        check_tokens(prompt, model.levels)
    u = uniform_numbers(n, length, rng, uniforms)
    x = np.zeros((n, length), np.int64)
    x[:, : len(prompt)] = prompt
    done, step = len(prompt), model.dims - least
    while done < length:
        w = max(0, -(-(done + 1 - model.dims) // step))  # the first window (1) with x[done + 1]; −(−a // b) rounds up
        first, end = w * step, min(w * step + model.dims, length)
        x[:, first:end] = model.generate(
            n, prompt=x[:, first:done], uniforms=u[:, first:end], length=end - first, **truncation
        )
        done = end
    return x


def kept(model: Autoregressive, least: int | None) -> int:
    """``least``, or half of D; raises ValueError for one out of range."""
    least = model.dims // 2 if least is None else least
    if isinstance(least, bool) or not isinstance(least, (int, np.integer)) or not 0 <= least < model.dims:
        raise ValueError(f"least is {least!r}; it must be an integer from 0 to {model.dims - 1}")
    return int(least)
