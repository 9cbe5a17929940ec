"""One network, many orders: a mixture of autoregressive models that share their weights (lecture p. 10).

Trained with an order that is drawn anew for each batch, one MADE learns the conditionals of many orders. Each order k
is a model p_k of its own. Together they make

    p(x) = (1/K) Σ_k p_k(x)                                                                    (1)
    log p(x) = logsumexp_k log p_k(x) − log K                                                  (2)

which is a distribution, as any mixture is. By Jensen's inequality log p(x) is at least the mean of the log p_k(x).

To average what the networks *give*, logits for instance, over the orders, and to use the result as if one model had
given it, is wrong. Take two components, and their two orders: the averaged logit of x[1] depends on x[2], and that of
x[2] on x[1]. No order is left in which the chain rule holds, and the "probabilities" of all x do not sum to 1.

A draw from (1) takes an order first, then one component after the other in that order.

Source: Germain et al., MADE, arXiv:1502.03509, §4.2 and §6.2; Uria, Murray and Larochelle, A deep and tractable density
estimator, arXiv:1310.1757, §4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, logsumexp
from scratchgen.autoregressive.made import MADE
from scratchgen.autoregressive.model import Autoregressive
from scratchgen.distributions.arguments import unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.nn import Module
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator


def order_agnostic(model: MADE, orders: int, rng: Rng, shuffle: bool = True) -> OrderMixture:
    """The mixture of a MADE in random orders, always the same for a seed.

    Args:
        model: whose weights they share; its own order is not among them.
        orders: K.
        rng: draws the orders.
        shuffle: whether the degrees of the hidden units are drawn too (*connectivity-agnostic* training).

    >>> from scratchgen.autoregressive.outputs import BinaryOutput
    >>> p = order_agnostic(MADE(3, BinaryOutput(), [8], rng=0), orders=4, rng=0)
    >>> p.log_prob(np.array([[0, 1, 1]])).shape, p.sample(5, rng=0).shape
    ((1,), (5, 3))
    """
    check_sizes(orders=orders)
    rng = generator(rng)
    drawn = [rng.permutation(model.dims) for _ in range(orders)]
    return OrderMixture([model.with_order(order, rng if shuffle else None) for order in drawn])


class OrderMixture(Module):
    """p(x) = (1/K) Σ_k p_k(x), equation (1).

    Args:
        members: the K models p_k; they may share their Tensors.

    Raises:
        ValueError: for no members, or members with different numbers of components, or kinds of x.
    """

    def __init__(self, members: Sequence[Autoregressive]) -> None:
        self.members = list(members)
        dims = {member.dims for member in self.members}
        if len(dims) != 1:
            raise ValueError(f"{len(self.members)} members have {sorted(dims)} components; they need the same number")
        (self.dims,) = dims
        if len({(member.symbols, member.dtype) for member in self.members}) > 1:
            raise ValueError(
                "some members draw integers and others floats, or floats of another dtype; x must be of one"
            )

    def log_prob(self, x: Any, context: Any = None) -> Any:
        """log p(x) (2) in nats, (B,)."""
        each = np.stack([member.log_prob(x, context) for member in self.members], axis=-1)  # (B, K)
        return logsumexp(each, axis=-1) - float(np.log(len(self.members)))

    def loss(self, x: Any, *context_and_rng: Any) -> Tensor:
        """In nats per example, averaged over the batch: ``loss(x, rng)`` or ``loss(x, context, rng)``.

        In training −log p_k(x) of one k, which ``rng`` draws: on average over k that is an upper bound of −log p(x).
        In evaluation −log p(x) itself (2).

        Raises:
            ValueError: for an empty batch.
            TypeError: in training, without an rng.
        """
        if len(x) == 0:
            raise ValueError("x has 0 rows; a mean over the batch needs at least 1")
        *context, rng = context_and_rng or (None,)
        if not self.training:
            return -np.mean(self.log_prob(x, *context))
        if rng is None:
            raise TypeError("in training an order is drawn: call it as loss(x, rng), or switch to model.eval()")
        rng = generator(rng)
        return self.members[rng.integers(len(self.members))].loss(x, *context, rng)

    def sample(self, n: int, rng: Rng, context: Any = None, which: Any = None) -> np.ndarray:
        """n draws, an array (n, D): a member for each, then its components.

        To complete a vector that is known in part, take a member whose order begins with the known components, or
        make one by ``MADE.with_order``.

        Args:
            n: how many.
            rng: draws the members and the components.
            context: (n, C), for members that take it.
            which: (n,), integers: from which member each is drawn, instead of by chance.

        Raises:
            TypeError, ValueError: as ``Autoregressive.sample``; for a member that is not there, or another number of
                rows of the context.
        """
        require_int("n", n, least=0)
        rng = generator(rng)
        if context is not None and len(context) != n:
            raise ValueError(f"context has {len(context)} rows; for {n} draws it must have {n}")
        which = rng.integers(len(self.members), size=n) if which is None else np.asarray(unmasked("which", which))
        if which.shape != (n,) or which.dtype.kind not in "iu" or not np.isin(which, range(len(self.members))).all():
            raise ValueError(f"which is {which}; it must be {n} integers from 0 to {len(self.members) - 1}")
        x = np.zeros((n, self.dims), np.int64 if self.members[0].symbols else self.members[0].dtype)
        for k, member in enumerate(self.members):
            rows = which == k
            x[rows] = member.sample(int(rows.sum()), rng, None if context is None else np.asarray(context)[rows])
        return x
