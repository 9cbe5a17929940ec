"""A causal transformer over sequences of symbols, such as characters, or the grey levels of an image's pixels (p. 10).

    input    start, x[1], …, x[D−1]                                                            (1)
    h_t      = E[input_t] + P[t]                 a vector for the symbol, and one for its place (2)
    h        ← block(h), for each block          see ``nn.transformer_block``
    logits_t = norm(h_t) W,   p(x[t] | x[<t]) = softmax(logits_t)                               (3)

The input is x moved on by one, with a start symbol before it, so that x[1] has its conditional too. Blocks look back
only, so logits_t has seen x[<t]. With *tied* weights, W is E transposed, without its row for the start.

While symbols are drawn one by one, the keys and values of those before stay what they were: kept, each new symbol costs
one position instead of all.

Sources: Radford et al., Language models are unsupervised multitask learners, 2019; tied weights: Press and Wolf,
arXiv:1608.05859.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.autoregressive.inverse import inverse
from scratchgen.autoregressive.model import Autoregressive
from scratchgen.autoregressive.truncation import check_truncation, truncated
from scratchgen.distributions import Categorical
from scratchgen.nn import Embedding, LayerNorm, Linear
from scratchgen.nn.embedding import check_tokens
from scratchgen.nn.inputs import check_sizes
from scratchgen.nn.transformer_block import Past, TransformerBlock
from scratchgen.random import Rng, generator


class Transformer(Autoregressive):
    """p(x) of sequences of up to D symbols 0 … V − 1, by equations (1) to (3).

    Args:
        levels: V, how many symbols there are.
        dims: D, the length of the longest sequence, its context.
        width, heads, layers: the features at each position, the heads of each attention, the number of blocks.
        rng: draws the weights.
        dropout: the rate in all branches of the blocks.
        tied: whether the weights of the output are those of the embedding.
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
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(levels=levels, dims=dims, layers=layers)
        rng = generator(rng)
        self.levels, self.dims, self.tied = levels, dims, tied
        self.embedding = Embedding(levels + 1, width, rng, dtype=dtype)  # the last is the start symbol
        self.places = Embedding(dims, width, rng, dtype=dtype)
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
        if context is not None:
            raise ValueError("Transformer takes no context")
        inputs = self.shifted(x)  # (B, T)
        h = self.embedding(inputs) + self.places(np.arange(inputs.shape[1]))  # (B, T, width)
        for block in self.blocks:
            h = block(h, rng)
        return Categorical(self.logits(h))

    def conditional(self, x: np.ndarray, j: int, context: Any = None) -> Categorical:
        """p(x[j] | x[<j]) for one j, a batch (B,), from the first j + 1 positions alone."""
        return Categorical(self.conditionals(x[:, : j + 1], context).logits.data[:, j])

    def loss(self, x: Any, rng: Rng | None = None) -> Tensor:
        """−log p(x), averaged over the batch, in nats per sequence."""
        if len(x) == 0:
            raise ValueError("x has 0 rows; a mean over the batch needs at least 1")
        return -np.mean(np.sum(self.conditionals(x, rng=None if rng is None else generator(rng)).log_prob(x), axis=-1))

    def shifted(self, x: Any) -> np.ndarray:
        """The inputs (1) for x, (B, T), once x is known to fit."""
        check_tokens(x, self.levels)
        if x.ndim != 2:
            raise ValueError(f"x has shape {x.shape}; it must be (B, T)")
        if x.shape[1] > self.dims:
            raise ValueError(f"x has sequences of {x.shape[1]} symbols; the context of this model is {self.dims}")
        return np.concatenate([np.full((len(x), 1), self.levels), x], axis=1)[:, :-1]

    def logits(self, h: Tensor) -> Tensor:
        """(3), (B, T, width) → (B, T, V)."""
        h = self.norm(h)
        return self.head(h) if self.head is not None else h @ self.embedding.W[: self.levels].T

    # -- generation ----------------------------------------------------------------------------------------------------

    def empty_cache(self, batch: int) -> list[Past]:
        """Keys and values of no positions, for each block."""
        attention = self.blocks[0].attention
        shape = (batch, attention.heads, 0, attention.out.W.shape[0] // attention.heads)
        return [(np.zeros(shape, self.dtype), np.zeros(shape, self.dtype)) for _ in self.blocks]

    def next_logits(self, inputs: np.ndarray, cache: list[Past]) -> np.ndarray:
        """Logits (3) for new inputs (1), (B, T, V), after those in the cache, to which they are appended.

        Args:
            inputs: (B, T), symbols or the start V.
            cache: from ``empty_cache``; it is changed.
        """
        seen = cache[0][0].shape[2]
        with no_grad():
            h = self.embedding(inputs) + self.places(np.arange(seen, seen + inputs.shape[1]))  # (B, T, width)
            for i, block in enumerate(self.blocks):
                h, cache[i] = block(h, None, cache[i])
            return np.asarray(self.logits(h).data)

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
    ) -> np.ndarray:
        """n sequences (n, length), symbol by symbol with a cache.

        Args:
            n: how many.
            rng: draws one uniform number for each symbol that is not of the prompt.
            temperature, top_k, top_p: see ``truncation.truncated``; temperature 1 alone is the model itself.
            prompt: integers (k,), with which all begin.
            uniforms: the uniform numbers themselves, (n, length), instead of ``rng``; those of the prompt are not used.
            length: how long with the prompt; by default D.

        Raises:
            ValueError: for settings out of range, a prompt that does not fit, or a length beyond the context.
            TypeError: without rng and uniforms.
        """
        check_truncation(self.levels, temperature, top_k, top_p)
        length = self.dims if length is None else length
        prompt = np.zeros(0, np.int64) if prompt is None else np.asarray(prompt)
        check_tokens(prompt, self.levels)
        if not len(prompt) <= length <= self.dims:
            raise ValueError(
                f"a prompt of {len(prompt)} symbols and a length of {length}; the context of this model is {self.dims}"
            )
        if uniforms is None:
            if rng is None:
                raise TypeError("generate needs rng, or the uniforms themselves")
            uniforms = generator(rng).random((n, length))
        elif np.shape(uniforms) != (n, length):
            raise ValueError(f"uniforms has shape {np.shape(uniforms)}; it must be {(n, length)}")
        x = np.full((n, 1 + length), self.levels)  # the start, and what is drawn
        x[:, 1 : 1 + len(prompt)] = prompt
        cache, done = self.empty_cache(n), 0
        for t in range(len(prompt), length):
            logits = self.next_logits(x[:, done : t + 1], cache)[:, -1]  # (n, V)
            x[:, t + 1] = inverse(Categorical(truncated(logits, temperature, top_k, top_p)), uniforms[:, t])
            done = t + 1
        return x[:, 1:]
