"""A causal transformer over sequences of symbols, such as characters, or the grey levels of an image's pixels (p. 10).

    input    start, x[1], …, x[D−1]                                                            (1)
    h_t      = E[input_t] + P[t]                 a vector for the symbol, and one for its place (2)
    h        ← block(h), for each block          see ``nn.transformer_block``
    logits_t = norm(h_t) W,   p(x[t] | x[<t]) = softmax(logits_t)                               (3)

The input is x moved on by one, with a start symbol before it, so that x[1] has its conditional too. Blocks let a
position look at itself and back, so logits_t has seen x[<t] and no more. The norm is ``LayerNorm``. With *tied*
weights, W is E transposed, without its row for the start; else there is a bias beside it.

While symbols are drawn one by one, the keys and values (``nn.attention``) of the positions before stay what they were.
Kept in a *cache*, they need not be computed again: each new symbol costs the pass of one position instead of all.

Sources: Radford et al., Language models are unsupervised multitask learners, 2019; tied weights: Press and Wolf,
arXiv:1608.05859.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.autoregressive.inverse import inverse
from scratchgen.autoregressive.model import Autoregressive, report, uniform_numbers
from scratchgen.autoregressive.truncation import check_truncation, truncated
from scratchgen.distributions import Categorical
from scratchgen.distributions.arguments import unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Embedding, LayerNorm, Linear
from scratchgen.nn.embedding import check_tokens
from scratchgen.nn.inputs import check_sizes
from scratchgen.nn.transformer_block import Past, TransformerBlock
from scratchgen.random import Rng, generator


class Transformer(Autoregressive):
    """p(x) of sequences of up to D symbols 0 … V − 1, by equations (1) to (3).

    Args:
        levels: V, how many symbols there are.
        dims: D, the length of the longest sequence: what is called the context of a language model, and is not the
            ``context`` of other models here.
        width, heads, layers: the features at each position, the heads of each attention, the number of blocks.
        rng: draws the weights.
        dropout: the rate in all branches of the blocks.
        tied: whether the weights of the output are those of the embedding.
        std: the standard deviation of the embeddings at the start. That of GPT-2 suits a width of hundreds; a model of
            width 32 finds what to attend to sooner with 0.2.
        dtype: of the weights.

    Raises:
        ValueError: for sizes below 1, or a width that the heads cannot share.

    >>> model = Transformer(levels=3, dims=4, width=8, heads=2, layers=1, rng=0)
    >>> model.log_prob(np.array([[0, 2, 1, 1]])).shape
    (1,)
    """

    symbols = True

    def __init__(
        self,
        levels: int,
        dims: int,
        width: int,
        heads: int,
        layers: int,
        rng: Rng,
        dropout: float = 0.0,
        tied: bool = False,
        std: float = 0.02,
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(levels=levels, dims=dims, layers=layers)
        rng = generator(rng)
        self.levels, self.dims, self.tied = levels, dims, tied
        self.embedding = Embedding(levels + 1, width, rng, std, dtype)  # the last is the start symbol
        self.places = Embedding(dims, width, rng, std, dtype)
        self.blocks = [TransformerBlock(width, heads, rng, dropout, dtype) for _ in range(layers)]
        self.norm = LayerNorm(width, dtype=dtype)
        self.head = None if tied else Linear(width, levels, rng, dtype=dtype)

    def conditionals(self, x: Any, context: Any = None, rng: Rng | None = None) -> Categorical:
        """p(x[t] | x[<t]) for all t in one pass: a batch (B, T) of distributions.

        Args:
            x: integers (B, T) with T up to D.
            context: this model takes none.
            rng: draws what dropout leaves out, in training.

        Raises:
            TypeError: for x that are no integers.
            ValueError: for a symbol out of range, a sequence that is too long, or a context.
        """
        self.refuse_context(context)
        inputs = self.shifted(x)  # (B, T)
        return Categorical(self.network(self.embedded(inputs), rng))

    def conditional(self, x: np.ndarray, j: int, context: Any = None) -> Categorical:
        """p(x[j] | x[<j]) for one j, a batch (B,), from the first j + 1 positions alone."""
        return Categorical(self.conditionals(x[:, : j + 1], context).logits.data[:, j])

    def shifted(self, x: Any) -> np.ndarray:
        """The inputs (1) for x, (B, T), once x is known to fit."""
        check_tokens(x, self.levels)
        if x.ndim != 2:
            raise ValueError(f"x has shape {x.shape}; it must be (B, T)")
        if x.shape[1] > self.dims:
            raise ValueError(f"x has sequences of {x.shape[1]} symbols; the context of this model is {self.dims}")
        return np.concatenate([np.full((len(x), 1), self.levels), x], axis=1)[:, :-1]

    def embedded(self, inputs: np.ndarray, first: int = 0) -> Tensor:
        """(2), (B, T) → (B, T, width), for inputs whose places begin with ``first``."""
        return self.embedding(inputs) + self.places(np.arange(first, first + inputs.shape[1]))

    def network(self, h: Any, rng: Rng | None = None) -> Tensor:
        """All that comes after the embedding: h (2), (B, T, width), → logits (3), (B, T, V)."""
        rng = None if rng is None else generator(rng)  # one for all: a seed would give each branch the same dropout
        for block in self.blocks:
            h = block(h, rng)
        return self.logits(h)

    def logits(self, h: Tensor) -> Tensor:
        """(3), (B, T, width) → (B, T, V)."""
        h = self.norm(h)
        return self.head(h) if self.head is not None else h @ self.embedding.W[: self.levels].T

    # -- generation ----------------------------------------------------------------------------------------------------

    def empty_cache(self, batch: int) -> list[Past]:
        """Keys and values of no positions, for each block."""
        nothing = np.zeros((batch, 0, self.places.W.shape[1]), self.dtype)
        return [(nothing, nothing) for _ in self.blocks]

    def next_logits(self, inputs: np.ndarray, cache: list[Past]) -> np.ndarray:
        """Logits (3) for new inputs (1), (B, T, V), after those in the cache, to which they are appended.

        Args:
            inputs: (B, T), symbols or the start V.
            cache: from ``empty_cache``; it is changed.

        Raises:
            ValueError: for more positions than the context.
        """
        seen, new = seen_by(cache), inputs.shape[1]
        if seen + new > self.dims:
            raise ValueError(f"{seen} positions in the cache and {new} new ones; the context is {self.dims}")
        with no_grad():
            h = self.embedded(inputs, first=seen)  # (B, T, width)
            for i, block in enumerate(self.blocks):
                h, cache[i] = block(h, None, cache[i])
            return np.asarray(self.logits(h).data)

    def in_turn(self, n: int, context: Any = None) -> Callable[[np.ndarray, int], Categorical]:
        """``conditional`` for n rows that are drawn in order: with a cache, each costs the positions that are new."""
        self.refuse_context(context)
        cache = self.empty_cache(n)

        def conditional(x: np.ndarray, j: int) -> Categorical:
            new = self.shifted(x[:, : j + 1])[:, seen_by(cache) :]
            return Categorical(self.next_logits(new, cache)[:, -1])

        return conditional

    def generate(
        self,
        n: int,
        rng: Rng | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        prompt: Any = None,
        uniforms: Any = None,
        length: int | None = None,
        progress: bool = False,
    ) -> np.ndarray:
        """n sequences, (n, length): ``sample`` with a say in how it draws.

        Args:
            n: how many.
            rng: draws one uniform number for each symbol.
            temperature, top_k, top_p: see ``truncation.truncated``; temperature 1 alone is the model itself.
            prompt: integers (k,) or (n, k), with which the sequences begin.
            uniforms: the uniform numbers themselves, (n, length), instead of ``rng``; those of the prompt are not used.
            length: how long, with the prompt; by default D.
            progress: report on stderr.

        Raises:
            ValueError: for settings out of range, a prompt that does not fit, or a length beyond the context.
            TypeError: without rng and uniforms; for a prompt that is no array of integers, or a length that is no int.
        """
        check_truncation(self.levels, temperature, top_k, top_p)
        length = self.dims if length is None else length
        require_int("length", length, least=0)
        prompt = np.zeros(0, np.int64) if prompt is None else unmasked("prompt", prompt)
        check_tokens(prompt, self.levels)
        k = prompt.shape[-1] if prompt.ndim else 0
        if prompt.shape not in ((k,), (n, k)):
            raise ValueError(f"prompt has shape {prompt.shape}; it must be (k,) or ({n}, k)")
        if not k <= length <= self.dims:
            raise ValueError(
                f"a prompt of {k} symbols and a length of {length}; the context of this model is {self.dims}"
            )
        u = uniform_numbers(n, length, rng, uniforms)
        x = np.zeros((n, length), np.int64)
        x[:, :k] = prompt
        conditional = self.in_turn(n)
        for t in range(k, length):
            logits = conditional(x, t).logits
            x[:, t] = inverse(Categorical(truncated(logits, temperature, top_k, top_p)), u[:, t])
            if progress:
                report(t + 1, length)
        return x


def seen_by(cache: list[Past]) -> int:
    """How many positions are in the cache."""
    return cache[0][0].shape[1]
