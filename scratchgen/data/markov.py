"""A Markov source: sequences whose every probability, and whose entropy, are known exactly.

    p(x[1..L]) = π(x[1..k]) ∏_{t>k} P(x[t] | x[t−k..t−1])                                       (1)
    Σ_a π(a, s[1..k−1]) P(s[k] | a, s[1..k−1]) = π(s[1..k]),  Σ_s π(s) = 1                      (2)
    H(X[1..L]) = H(π) + (L − k) h  for L ≥ k,  where H is −Σ p log p                            (3)
    h = −Σ_s π(s) Σ_c P(c | s) log P(c | s)                                                     (4)

k is the order: a symbol depends on the k before it. The source starts in its stationary distribution π (2), so every
stretch of a sequence is distributed alike. h is the entropy rate: the nats that one more symbol costs whoever knows the
source, and the least that any model can reach on average, once it has seen k symbols. Before that symbols cost more:
the least mean cost of all L is (3) over L.

Source: T. Cover and J. Thomas, *Elements of Information Theory*, 2nd edition (2006), chapter 4: theorem 4.2.4 is (4).
Lecture page 10 has the chain rule, of which (1) is the case with a short memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr

from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.random import Rng, generator

MOST_STATES = 2048  # (2) is solved with a dense matrix, states × states


class MarkovSource:
    """The source (1) of symbols 0 … V − 1.

    Args:
        transition: P, with k + 1 axes of length V: transition[a, b, c] is p(c | a, b), the older symbol first.

    Attributes:
        symbols: V.
        order: k.
        transition: P in float64.
        stationary: π (2), (V,) * k.

    Raises:
        TypeError: for a transition that is not of floats.
        ValueError: for another shape; rows that are no probabilities; more than one stationary distribution.

    >>> source = MarkovSource([[0.9, 0.1], [0.5, 0.5]])
    >>> source.stationary.round(4), round(source.entropy_rate, 4)
    (array([0.8333, 0.1667]), 0.3864)
    >>> x = source.sample(3, length=10, rng=0)
    >>> x.shape, source.log_prob(x).shape
    ((3, 10), (3,))
    """

    def __init__(self, transition: Any) -> None:
        self.transition = checked(transition)
        self.symbols, self.order = self.transition.shape[-1], self.transition.ndim - 1
        self.stationary = stationary(self.transition)
        self.entropy_rate = float((self.stationary * entr(self.transition).sum(axis=-1)).sum())  # (4), nats a symbol
        # tables[j] is p(x[j+1] | x[1..j]) at the start of a sequence, and tables[k] that of every later symbol.
        self.tables = [self.start(length) for length in range(1, self.order + 1)] + [self.transition]

    @classmethod
    def random(cls, symbols: int, order: int, rng: Rng, concentration: float = 0.5) -> MarkovSource:
        """A source whose rows P(· | s) are drawn from a symmetric Dirichlet distribution.

        Args:
            symbols: V, at least 1.
            order: k, at least 1.
            concentration: of the Dirichlet distribution: near 0 a symbol nearly determines the next, 1 is uniform.

        Raises:
            TypeError: for numbers of another type.
            ValueError: for symbols, order or concentration out of range, or too many states V^k.

        >>> MarkovSource.random(symbols=4, order=2, rng=0).transition.shape
        (4, 4, 4)
        """
        require_int("symbols", symbols, least=1)
        require_int("order", order, least=1)
        if not 0.01 <= concentration < np.inf:
            raise ValueError(f"concentration is {concentration}; it must be finite and at least 0.01")
        require_few(symbols, order)
        return cls(generator(rng).dirichlet(np.full(symbols, float(concentration)), size=(symbols,) * order))

    def marginal(self, length: int) -> np.ndarray:
        """p(x[1..length]) for a length up to k, (V,) * length: π (2) with the other symbols summed out.

        Raises:
            TypeError, ValueError: for a length that is no int, or not from 0 to k.
        """
        require_int("length", length, least=0)
        if length > self.order:
            raise ValueError(f"length is {length}; the table is of at most {self.order} symbols, the order")
        return self.stationary.sum(axis=tuple(range(length, self.order)))

    def start(self, length: int) -> np.ndarray:
        """p(x[length] | x[1..length−1]) at the start of a sequence, (V,) * length; uniform after the impossible.

        Raises:
            TypeError, ValueError: for a length that is no int, or not from 1 to k.
        """
        require_int("length", length, least=1)
        joint = self.marginal(length)
        given = joint.sum(axis=-1, keepdims=True)
        return np.divide(joint, given, out=np.full_like(joint, 1 / self.symbols), where=given > 0)

    def entropy(self, length: int) -> float:
        """H(X[1..length]) (3) in nats: what a sequence costs, on average, whoever knows the source.

        Raises:
            TypeError, ValueError: for a length that is no int, or is negative.

        >>> source = MarkovSource([[0.9, 0.1], [0.5, 0.5]])
        >>> [round(source.entropy(length) / length, 3) for length in (1, 10, 1000)]        # towards the entropy rate
        [0.451, 0.393, 0.386]
        """
        require_int("length", length, least=0)
        known = min(length, self.order)
        return float(entr(self.marginal(known)).sum()) + (length - known) * self.entropy_rate

    def sample(self, n: int, length: int, rng: Rng | None = None, uniforms: Any = None) -> np.ndarray:
        """n independent sequences (1), (n, length) int64.

        Args:
            uniforms: (n, length) numbers in [0, 1) to use in place of rng: symbol t is the first whose cumulative
                probability exceeds uniforms[:, t].

        Raises:
            TypeError: for n or length that is no int, or rng that is no Generator or seed; without rng and uniforms.
            ValueError: for a negative n or length; for uniforms of another shape, or outside [0, 1).

        >>> MarkovSource([[0.9, 0.1], [0.5, 0.5]]).sample(1, 5, uniforms=np.array([[0.8, 0.9, 0.49, 0.5, 0.95]]))
        array([[0, 1, 0, 0, 1]])
        """
        require_int("n", n, least=0)
        require_int("length", length, least=0)
        shape = (n, length)
        if uniforms is None:
            if rng is None:
                raise TypeError("sample needs rng, or the uniforms themselves")
            uniforms = generator(rng).random(shape)
        u = np.asarray(unmasked("uniforms", uniforms), np.float64)
        if u.shape != shape:
            raise ValueError(f"uniforms has shape {u.shape}; with n={n} and length={length} it must be {shape}")
        require("uniforms", u, lambda value: (value >= 0) & (value < 1), "they must be in [0, 1)")
        x = np.empty(shape, np.int64)
        for t in range(shape[1]):
            seen = min(t, self.order)
            p = self.tables[seen][tuple(x[:, t - seen : t].T)]  # (n, V), or (V,) for the first symbol
            cumulative = np.cumsum(p, axis=-1)
            # Rounding may leave the last sum a little below 1, and u above it: hence scaled by it.
            x[:, t] = (cumulative <= u[:, t, None] * cumulative[..., -1:]).sum(axis=-1)
        return x

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x[1..L]) (1) in nats, (B,) float64, of sequences (B, L) of symbols; −inf for what cannot occur.

        Raises:
            TypeError: for x that is not of integers.
            ValueError: for x of another shape, or with values that are no symbols.
        """
        x = np.asarray(unmasked("x", x))
        if x.dtype.kind not in "iu":
            raise TypeError(f"x is {x.dtype}; symbols are integers")
        if x.ndim != 2:
            raise ValueError(f"x has shape {x.shape}; it must be (B, L)" + "; one sequence is x[None]" * (x.ndim == 1))
        V, k = self.symbols, self.order
        require("x", x, lambda value: (value >= 0) & (value < V), f"symbols are 0 to {V - 1}")
        with np.errstate(divide="ignore"):  # log 0 is −inf, and right
            total = np.zeros(len(x))
            for t in range(min(k, x.shape[1])):
                total += np.log(self.tables[t][tuple(x[:, : t + 1].T)])
            if x.shape[1] > k:
                windows = np.lib.stride_tricks.sliding_window_view(x, k + 1, axis=1)  # (B, L − k, k + 1)
                total += np.log(self.transition[tuple(np.moveaxis(windows, -1, 0))]).sum(axis=1)
        return total

    def __repr__(self) -> str:
        return f"MarkovSource(symbols={self.symbols}, order={self.order}, entropy_rate={self.entropy_rate:.4f})"


def require_few(symbols: int, order: int) -> None:
    """Refuse more states than (2) can be solved for.

    Raises:
        ValueError: with the number.
    """
    if symbols**order > MOST_STATES:
        raise ValueError(f"{symbols} symbols to the order {order} are {symbols**order} states; at most {MOST_STATES}")


def checked(transition: Any) -> np.ndarray:
    """The transition in float64, or the errors of ``MarkovSource``."""
    P = np.asarray(unmasked("transition", transition))
    if P.dtype.kind != "f":
        raise TypeError(f"transition is {P.dtype}; probabilities are floats")
    P = P.astype(np.float64)
    if P.ndim < 2 or len(set(P.shape)) > 1 or P.size == 0:
        raise ValueError(f"transition has shape {P.shape}; it must be (V, V) for order 1, (V, V, V) for order 2, …")
    require_few(P.shape[-1], P.ndim - 1)
    require("transition", P, lambda value: (value >= 0) & (value <= 1), "they must be probabilities")
    sums = P.sum(axis=-1)
    require(
        "the sum of transition over its last axis",
        sums,
        lambda value: np.abs(value - 1) < 1e-6,
        "p(c | s) must sum to 1",
    )
    return P / sums[..., None]


def stationary(transition: np.ndarray) -> np.ndarray:
    """π (2), (V,) * k.

    Raises:
        ValueError: if there are several: where the source ends up then depends on where it started.

    >>> stationary(np.array([[0.9, 0.1], [0.5, 0.5]])).round(4)
    array([0.8333, 0.1667])
    """
    V, k = transition.shape[-1], transition.ndim - 1
    states = V**k
    step = np.zeros((states, states))  # step[s, s'] = p(s' | s), of states of k symbols
    s, c = np.meshgrid(np.arange(states), np.arange(V), indexing="ij")
    step[s, s * V % states + c] = transition.reshape(states, V)  # the oldest symbol falls out, the new one comes in
    # (I − stepᵀ) π = 0 leaves the size of π open; with 1 added to each entry, 1 Σπ = 1 settles it.
    A = np.eye(states) - step.T + 1.0
    if np.linalg.cond(A, 1) > 1e12:
        raise ValueError("transition has several stationary distributions: some symbols are never reached from others")
    pi = np.linalg.solve(A, np.ones(states)).clip(0)
    return (pi / pi.sum()).reshape((V,) * k)
