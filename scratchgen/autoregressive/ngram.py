"""n-grams: the next symbol by counting what followed the last n − 1 symbols before. The baseline of a language model.

After a context s of m symbols, each one of V, the next symbol is c with probability

    p_m(c | s) = (count(s c) + α V q(c)) / (count(s) + α V),   count(s) = Σ_c count(s c)       (1)
    q = p_{m−1}(c | s without its oldest symbol),  1/V for m = 0     smoothing "interpolated"  (2)
    q = 1/V                                                          smoothing "add"           (3)
    p(x[1..L]) = ∏_t p_m(x[t] | x[t−m..t−1]),  m = min(t, n) − 1                               (4)

In (1) the guess q weighs as much as α V observations. It sums to 1 over c, and so does p_m. With (3), which adds α to
each count, a context that was not seen makes all symbols alike; with (2) the guess is that of the shorter context,
which was seen more often. (4) is the chain rule of lecture page 10, with a memory of n − 1 symbols.

Sources: (2) D. MacKay and L. Bauman Peto, *A hierarchical Dirichlet language model*, Natural Language Engineering 1
(1995), with one α for all m; (3) D. Jurafsky and J. Martin, *Speech and Language Processing*, chapter on n-gram
language models, "add-k smoothing".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autoregressive.inverse import interval
from scratchgen.autoregressive.model import uniform_numbers
from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng

SMOOTHINGS = ("interpolated", "add")


class NGram:
    """The model (4) of sequences of any length, by the counts of one stream of symbols.

    Args:
        tokens: (N,) integers 0 … V − 1, the stream to count in.
        symbols: V.
        n: symbols in a window, context and next one; 1 has no context.
        alpha: α, above 0.
        smoothing: "interpolated" (2) or "add" (3).

    Raises:
        TypeError: for tokens that are no integers, or a number of another type.
        ValueError: for tokens that are no symbols, or of another shape; for numbers out of range; for a V^n that 64
            bits cannot number.

    >>> model = NGram([0, 1, 0, 1, 1], symbols=2, n=2, alpha=0.5, smoothing="add")
    >>> model.probabilities([[0], [1]]).round(3)                    # (0 + ½) / 3, (2 + ½) / 3;  (1 + ½) / 3 twice
    array([[0.167, 0.833],
           [0.5  , 0.5  ]])
    """

    def __init__(self, tokens: Any, symbols: int, n: int, alpha: float = 0.05, smoothing: str = "interpolated") -> None:
        require_int("symbols", symbols)
        require_int("n", n)
        if not 0 < alpha < np.inf:
            raise ValueError(f"alpha is {alpha}; it must be above 0 and finite: else what was not seen is impossible")
        if smoothing not in SMOOTHINGS:
            raise ValueError(f"smoothing is {smoothing!r}, expected one of {', '.join(SMOOTHINGS)}")
        if int(symbols) ** int(n) >= 2**63:
            raise ValueError(f"{symbols} symbols make {symbols}^{n} windows, more than 64 bits can number; lower n")
        self.symbols, self.n, self.alpha, self.smoothing = int(symbols), int(n), float(alpha), smoothing
        stream = self.checked("tokens", tokens, axes=1)
        # counts[m]: the windows s c of m + 1 symbols that occur, as numbers in base V, sorted; and how often each does.
        self.counts = []
        for m in range(self.n):
            windows = (
                np.lib.stride_tricks.sliding_window_view(stream, m + 1) if len(stream) > m else np.empty((0, m + 1))
            )
            self.counts.append(np.unique(self.numbered(windows.astype(np.int64)), return_counts=True))
        # contexts[m]: the same of s alone, by (1). So the end of the stream, after which nothing comes, does not count.
        self.contexts = [summed(keys // self.symbols, counts) for keys, counts in self.counts]

    def probabilities(self, contexts: Any) -> np.ndarray:
        """p_m(c | s) (1) for all c, (B, V), of contexts (B, m); of more than n − 1 symbols the last n − 1 are used.

        Raises:
            TypeError, ValueError: for contexts that are not (B, m) symbols.
        """
        contexts = self.checked("contexts", contexts, axes=2)
        recent = contexts[:, max(0, contexts.shape[1] - (self.n - 1)) :]
        return self.smoothed(recent[:, None, :], np.arange(self.symbols))

    def smoothed(self, contexts: np.ndarray, following: np.ndarray) -> np.ndarray:
        """p_m(c | s) (1) of contexts (…, m) and symbols that follow them, with shapes that broadcast; m < n."""
        V, longest = self.symbols, contexts.shape[-1]
        p = np.full((), 1 / V)
        for m in range(longest + 1) if self.smoothing == "interpolated" else [longest]:
            s = self.numbered(contexts[..., longest - m :])
            joint, given = found(self.counts[m], s * V + following), found(self.contexts[m], s)
            p = (joint + self.alpha * V * p) / (given + self.alpha * V)  # (1), q is the p of the round before
        return p

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) (4) in nats, (B,), of sequences (B, L).

        Raises:
            TypeError, ValueError: for x that is not (B, L) symbols.
        """
        x = self.checked("x", x, axes=2)
        total, k = np.zeros(len(x)), self.n - 1
        for t in range(min(k, x.shape[1])):
            total += np.log(self.smoothed(x[:, :t], x[:, t]))
        if x.shape[1] > k:
            windows = np.lib.stride_tricks.sliding_window_view(x, self.n, axis=1)  # (B, L − k, n)
            total += np.log(self.smoothed(windows[..., :-1], windows[..., -1])).sum(axis=1)
        return total

    def nats(self, tokens: Any) -> float:
        """−log p / N, nats per symbol, of one stream (N,).

        Raises:
            TypeError, ValueError: for what is no stream of at least one symbol.
        """
        stream = self.checked("tokens", tokens, axes=1)
        if not len(stream):
            raise ValueError("tokens is empty; a mean takes at least one symbol")
        return -float(self.log_prob(stream[None])[0]) / len(stream)

    def sample(self, n: int, length: int, rng: Rng | None = None, uniforms: Any = None) -> np.ndarray:
        """n sequences (4), (n, length) int64.

        Args:
            n, length: how many, and how long.
            rng: draws one uniform number for each symbol.
            uniforms: the uniform numbers themselves, (n, length) in [0, 1), instead of ``rng``: a symbol is the first
                whose cumulative probability exceeds its number.

        Raises:
            TypeError: without rng and uniforms; for n or length that is no int.
            ValueError: for a negative n or length; for uniforms of another shape, or outside [0, 1).
        """
        require_int("length", length, least=0)
        u = uniform_numbers(n, length, rng, uniforms)
        x = np.empty((n, length), np.int64)
        for t in range(length):
            x[:, t] = interval(self.probabilities(x[:, :t][:, -self.n :]), u[:, t])[0]
        return x

    def numbered(self, windows: np.ndarray) -> np.ndarray:
        """Windows (…, m) of symbols as numbers in base V, the newest symbol the last digit."""
        number = np.zeros(windows.shape[:-1], np.int64)
        for i in range(windows.shape[-1]):
            number = number * self.symbols + windows[..., i]
        return number

    def checked(self, name: str, value: Any, axes: int) -> np.ndarray:
        """Symbols as int64, or the errors of the methods."""
        x = np.asarray(unmasked(name, value))
        if x.dtype.kind not in "iu" and x.size:
            raise TypeError(f"{name} is {x.dtype}; symbols are integers")
        if x.ndim != axes:
            raise ValueError(f"{name} has shape {x.shape}; it must have {axes} axes")
        V = self.symbols
        require(name, x, lambda value: (value >= 0) & (value < V), f"symbols are 0 to {V - 1}")
        return x.astype(np.int64)


def summed(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys in rising order, each once, and the sums of their counts."""
    unique, where = np.unique(keys, return_inverse=True)
    return unique, np.bincount(where, counts, len(unique))


def found(table: tuple[np.ndarray, np.ndarray], keys: np.ndarray) -> np.ndarray:
    """The counts of the keys in a table of sorted keys, 0 where it has none."""
    known, counts = table
    if not len(known):
        return np.zeros(keys.shape)
    at = np.searchsorted(known, keys).clip(max=len(known) - 1)
    return np.where(known[at] == keys, counts[at], 0)
