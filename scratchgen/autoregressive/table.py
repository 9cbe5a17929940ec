"""The chain rule by table: a distribution of D symbols, each one of V, kept as an array of all its V^D probabilities.

    p(x) = softmax(logits)[x[1], …, x[D]]                                                      (1)
    p(x[≤j]) = Σ p(x), over all values of the components after j                               (2)
    p(x[j] | x[<j]) = p(x[≤j]) / p(x[<j])                                                      (3)
    H(x[j] | x[<j]) = E[−log p(x[j] | x[<j])] = H(x[≤j]) − H(x[<j]),   H(x) = Σ_j H(x[j] | x[<j])   (4)
    maximum likelihood:  p(x) = count(x) / N                                                   (5)

"Before" and "after" are in an *order*, any of the D!. The conditionals (3) differ from order to order, and so do the
terms of (4). Their product p(x) and their sum H(x) do not. The other models of this folder say (3) with far fewer than
V^D numbers, and for them the order matters. Lecture page 10.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, log_softmax, logsumexp
from scratchgen.autoregressive.masks import permutation
from scratchgen.autoregressive.model import Autoregressive
from scratchgen.distributions import Categorical
from scratchgen.distributions.arguments import array_of, require, unmasked
from scratchgen.distributions.categorical import require_logits
from scratchgen.distributions.distribution import values
from scratchgen.nn.embedding import check_tokens
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng

MOST = 2**24  # entries of a table


class ProbabilityTable(Autoregressive):
    """The distribution (1), with one parameter for each x.

    Args:
        logits: an array with D axes of length V each, or a Tensor, which is then shared; −inf for what is impossible.
        order: the components in the order of the conditionals; by default 0 … D − 1.

    Attributes:
        logits: the same, as a parameter.

    Raises:
        TypeError: for logits that are not float32 or float64.
        ValueError: for axes of different lengths, or none; for NaN or inf; for an order that is no permutation.

    >>> pair = ProbabilityTable.of([[0.4, 0.1], [0.1, 0.4]])         # two bits, equal four times in five
    >>> x = np.array([[1, 1]])
    >>> pair.conditionals(x).probabilities.data
    array([[[0.5, 0.5],
            [0.2, 0.8]]])
    >>> np.exp(pair.log_prob(x).data), np.exp(pair.in_order([1, 0]).log_prob(x).data)
    (array([0.4]), array([0.4]))
    """

    symbols = True

    def __init__(self, logits: Any, order: Any = None) -> None:
        logits = array_of("logits", logits)
        shape = np.shape(logits)
        if len(set(shape)) != 1 or shape[0] < 1:
            raise ValueError(f"logits has shape {shape}; it must have one axis for each component, all of one length")
        require_logits(logits)
        self.logits = logits if isinstance(logits, Tensor) else Tensor(np.array(logits), requires_grad=True)
        self.dims, self.levels, self.permutation = len(shape), shape[0], permutation(order, len(shape))

    @classmethod
    def of(cls, probabilities: Any, order: Any = None) -> ProbabilityTable:
        """The table with these probabilities.

        Raises:
            ValueError: for negative ones, or a sum that is not 1; as the constructor.
        """
        p = np.asarray(unmasked("probabilities", probabilities), np.float64)
        require("probabilities", p, lambda value: value >= 0, "they must be 0 or more")
        if not abs(p.sum() - 1) < 1e-9:
            raise ValueError(f"the probabilities have the sum {p.sum():.9g}; it must be 1: p / p.sum()")
        with np.errstate(divide="ignore"):
            return cls(np.log(p), order)

    @classmethod
    def fit(cls, x: Any, levels: int, order: Any = None) -> ProbabilityTable:
        """The table of maximum likelihood (5) of data (N, D). What does not occur in them is impossible.

        Raises:
            TypeError: for x that are no integers.
            ValueError: for no data, values outside 0 … V − 1, or a table of more than 16 million entries.

        >>> ProbabilityTable.fit(np.array([[0], [1], [1], [1]]), levels=2).probabilities
        array([0.25, 0.75])
        """
        check_sizes(levels=levels)
        x = np.asarray(unmasked("x", x))
        if x.ndim != 2 or x.size == 0:
            raise ValueError(f"x has shape {x.shape}; it must be (N, D) with at least one row and column")
        check_tokens(x, levels)
        levels = int(levels)  # a NumPy integer has few bits, and its powers would wrap around
        shape = (levels,) * x.shape[1]
        if levels ** x.shape[1] > MOST:
            raise ValueError(f"{levels} symbols at {x.shape[1]} places make {levels}^{x.shape[1]} entries, too many")
        counts = np.bincount(np.ravel_multi_index(tuple(x.T), shape), minlength=levels ** x.shape[1])
        return cls.of(counts.reshape(shape) / len(x), order)

    def in_order(self, order: Any) -> ProbabilityTable:
        """The same distribution by its conditionals in another order; both share their logits."""
        return type(self)(self.logits, order)

    @property
    def order(self) -> np.ndarray:
        """The order of the conditionals, (D,)."""
        return self.permutation

    @property
    def probabilities(self) -> np.ndarray:
        """p(x) (1) of all x, an array with D axes, which do not follow the order: axis j is component j."""
        return np.exp(values(self.log_table()))

    def log_table(self) -> Any:
        """log p(x) (1) in nats of all x, with D axes."""
        return log_softmax(self.logits, axis=tuple(range(self.dims)))

    def prefixes(self) -> list[Any]:
        """log p(x[≤j]) (2) for j = 1 … D along the order, with 1 … D axes along the order: the last is the table."""
        log_p = [np.transpose(self.log_table(), tuple(self.order.tolist()))]
        while len(log_p) < self.dims:
            log_p.append(logsumexp(log_p[-1], axis=-1))
        return log_p[::-1]

    def conditionals(self, x: Any, context: Any = None, rng: Rng | None = None) -> Categorical:
        """p(x[j] | x[<j]) (3) for all j, a batch (B, D).

        After what is impossible anything might come: there all symbols are alike.

        Args:
            x: integers (B, D).
            context: a table takes none.
            rng: not used; there is no dropout.

        Raises:
            TypeError: for x that are no integers.
            ValueError: for another shape, a symbol out of range, or a context.
        """
        self.refuse_context(context)
        check_tokens(x, self.levels)
        if x.ndim != 2 or x.shape[1] != self.dims:
            raise ValueError(f"x has shape {x.shape}, expected (batch, {self.dims})")
        along = x[:, self.order]
        logits = []
        for t, log_p in enumerate(self.prefixes()):
            rows = log_p[tuple(along[:, :t].T)]  # log p(x[<j], c) for each c: the logits of (3), which divides by Σ_c
            logits.append(np.broadcast_to(rows, (len(x), self.levels)))
        stacked = np.stack(logits, axis=1)[:, np.argsort(self.order)]  # (B, D, V)
        impossible = np.max(values(stacked), axis=-1, keepdims=True) == -np.inf
        return Categorical(np.where(impossible, np.zeros_like(values(stacked)), stacked))

    def entropies(self) -> np.ndarray:
        """H(x[j] | x[<j]) (4) in nats of each component j, (D,); their sum is the entropy of x, in any order."""
        totals = [0.0]
        for log_p in map(values, self.prefixes()):
            totals.append(-float(np.sum(np.exp(log_p) * np.where(log_p > -np.inf, log_p, 0.0))))  # 0 log 0 = 0
        return np.diff(totals)[np.argsort(self.order)]
