"""What all autoregressive models share (lecture p. 10): the chain rule, and sampling one component after the other.

    log p(x) = Σ_j log p(x[j] | x[<j])                                                         (1)
    x[j] = F_j⁻¹(u[j]; x[<j]),  u[j] uniform on [0, 1)                                         (2)

x has D components, x[<j] are those that come before j in the *order* of the model, and F_j is the distribution
function of p(x[j] | x[<j]), which ``inverse`` inverts. Equations count from 1, as the lecture does; code from 0.

All conditionals of a given x are computed in one pass, so log p(x) and its gradient cost no more than a network does.
Sampling (2) takes D steps, since each component needs those before it: ``sample`` begins with zeros, and replaces one
column after the other. So a subclass, which writes ``conditionals``, must see to it that the conditional of x[j]
depends on x[<j] only: else it would depend on zeros that are no part of x.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.autoregressive.inverse import inverse, part
from scratchgen.distributions import Distribution
from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Module
from scratchgen.random import Rng, generator


class Autoregressive(Module, ABC):
    """A distribution of x with D components, by its D conditionals; the subclass sets ``dims``, which is D.

    Attributes:
        dims: the number of components, D.
        order: the components in the order in which they are drawn, a permutation of 0 … D − 1.
        symbols: whether x are integers, for categorical conditionals; else x has the dtype of the parameters.
    """

    dims: int
    symbols: bool = False

    @property
    def order(self) -> np.ndarray:
        """0 … D − 1, unless a subclass has another order."""
        return np.arange(self.dims)

    @abstractmethod
    def conditionals(self, x: Any, context: Any = None, rng: Rng | None = None) -> Distribution:
        """p(x[j] | x[<j]) for all j in one pass: a batch (B, D) of distributions.

        Args:
            x: (B, D).
            context: (B, C), what all conditionals may depend on, for models that take it.
            rng: draws the dropout in training, for models that have it.
        """

    def log_prob(self, x: Any, context: Any = None) -> Any:
        """log p(x) (1) in nats, (B,)."""
        return np.sum(self.conditionals(x, context).log_prob(x), axis=-1)

    def loss(self, x: Any, *context_and_rng: Any) -> Tensor:
        """−log p(x), averaged over the batch, in nats per example: ``loss(x, rng)`` or ``loss(x, context, rng)``.

        That is how ``training.fit`` calls it: with the arrays of a batch, then the rng, which draws the dropout.

        Raises:
            ValueError: for an empty batch; in training with dropout, without an rng.
        """
        if len(x) == 0:
            raise ValueError("x has 0 rows; a mean over the batch needs at least 1")
        context = context_and_rng[0] if len(context_and_rng) > 1 else None
        rng = context_and_rng[-1] if context_and_rng else None
        return -np.sum(self.conditionals(x, context, rng).log_prob(x)) / len(x)

    def conditional(self, x: np.ndarray, j: int, context: Any = None) -> Distribution:
        """p(x[j] | x[<j]) for one j, a batch (B,); a subclass may have a way that is cheaper than all D of them."""
        return part(self.conditionals(x, context), (slice(None), j))

    def in_turn(self, n: int, context: Any = None) -> Callable[[np.ndarray, int], Distribution]:
        """``conditional`` for n rows that are drawn in order; a subclass may keep what it computed for those before."""
        return lambda x, j: self.conditional(x, j, context)

    def sample(
        self,
        n: int,
        rng: Rng | None = None,
        context: Any = None,
        uniforms: np.ndarray | None = None,
        given: Any = None,
        known: Any = None,
        progress: bool = False,
    ) -> np.ndarray:
        """n draws (2), an array (n, D), one component of all of them at a time.

        Args:
            n: how many.
            rng: draws the uniform numbers.
            context: (n, C), for models that take it.
            uniforms: u itself, (n, D) in [0, 1), instead of ``rng``; column j is for component j.
            given: values to keep, so that the rest is drawn given them: (k,) or (n, k), for the first k components in
                the order; with ``known``, (D,) or (n, D), of which the known ones are kept.
            known: (D,) bool: which components are given. They must come first in the order.
            progress: report on stderr.

        Raises:
            TypeError: without rng and uniforms; for n that is no int.
            ValueError: for a negative n, uniforms of another shape or outside [0, 1), values that do not fit, or known
                components that come after unknown ones.
        """
        u = uniform_numbers(n, self.dims, rng, uniforms)
        x = np.zeros((n, self.dims), np.int64 if self.symbols else self.dtype)
        first = self.keep_given(x, given, known)
        with no_grad():
            if first:
                self.conditionals(x, context)  # refuses given values that x cannot have, also where nothing is drawn
            conditional = self.in_turn(n, context)
            for done, j in enumerate(self.order[first:], start=first + 1):
                x[:, j] = inverse(conditional(x, int(j)), u[:, j])
                if progress:
                    report(done, self.dims)
        return x

    def refuse_context(self, context: Any) -> None:
        """Raise ValueError for any context, in a model that takes none."""
        if context is not None:
            raise ValueError(f"context was given, but {type(self).__name__} takes none")

    def keep_given(self, x: np.ndarray, given: Any, known: Any) -> int:
        """Write the given values into x, (n, D), and return how many they are: the first so many of the order."""
        if given is None:
            if known is not None:
                raise ValueError("known says which components are given: pass their values as given")
            return 0
        given = np.asarray(unmasked("given", given))
        if given.size and given.dtype.kind not in ("iu" if self.symbols else "iubf"):
            raise TypeError(f"given is {given.dtype}; the values of x are {x.dtype}")
        columns = self.dims if known is not None else given.shape[-1] if given.ndim else 0
        if given.shape not in ((columns,), (len(x), columns)) or columns > self.dims:
            k = f"up to {self.dims}" if known is None else f"{self.dims}"
            raise ValueError(f"given has shape {given.shape}; it must be (k,) or ({len(x)}, k) with k {k}")
        count = columns if known is None else count_known(np.asarray(unmasked("known", known)), self.order)
        first = self.order[:count]
        x[:, first] = given if known is None else given[..., first]
        require("given", x[:, first], np.isfinite, "it must be finite")
        return count


def uniform_numbers(n: int, dims: int, rng: Rng | None, uniforms: Any) -> np.ndarray:
    """u of (2), (n, dims) float64: those that were given, or else drawn.

    Raises:
        TypeError: for n that is no int; without rng and uniforms.
        ValueError: for a negative n, uniforms of another shape, or outside [0, 1).
    """
    require_int("n", n, least=0)
    if uniforms is None:
        if rng is None:
            raise TypeError("sample needs rng, or the uniforms themselves")
        return generator(rng).random((n, dims))
    u = np.asarray(unmasked("uniforms", uniforms), np.float64)
    if u.shape != (n, dims):
        raise ValueError(f"uniforms has shape {u.shape}; with n={n} it must be {(n, dims)}")
    require("uniforms", u, lambda value: (value >= 0) & (value < 1), "it must be in [0, 1)")
    return u


def report(done: int, total: int) -> None:
    """Say on stderr how many components are drawn: one line, written over."""
    print(f"\r{done} of {total} components", end="\n" * (done == total), file=sys.stderr, flush=True)


def count_known(known: np.ndarray, order: np.ndarray) -> int:
    """How many components are known, if they are the first of the order.

    Raises:
        ValueError: for another shape or dtype; with the known components that come too late.

    >>> count_known(np.array([False, True]), np.array([0, 1]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: components [1] are known, but come after unknown ones in the order, ...
    """
    if known.shape != order.shape or known.dtype != bool:
        raise ValueError(f"known is {known.dtype} of shape {known.shape}; it must be bool of {order.shape}")
    count = int(np.sum(known))
    late = [int(j) for j in order[count:] if known[j]]
    if late:
        raise ValueError(
            f"components {late} are known, but come after unknown ones in the order, which would be drawn without "
            "regard to them; use a model whose order begins with the known ones"
        )
    return count
