"""What the two simplest networks for bits share: an order, and a Bernoulli for each bit.

    p(x) = ∏_j σ(l_j)^x[j] σ(−l_j)^(1 − x[j]),   l_j a function of x[<j]                       (1)

So p(x[j] = 1 | x[<j]) = σ(l_j), of the *logit* l_j, with σ(l) = 1/(1 + e⁻ˡ) and 1 − σ(l) = σ(−l). The subclasses differ
in how l_j is computed: by a regression (``fvsbn``), or by a hidden layer (``nade``).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from scratchgen.autoregressive.masks import permutation
from scratchgen.autoregressive.model import Autoregressive
from scratchgen.distributions import Bernoulli
from scratchgen.distributions.arguments import floats, require
from scratchgen.nn.inputs import check_features, check_sizes
from scratchgen.random import Rng


class BitModel(Autoregressive):
    """p(x) (1) of vectors of D bits; a subclass writes ``network``.

    Args:
        dims: D.
        order: the components in the order in which they are drawn, a permutation of 0 … D − 1, which is the default.

    Raises:
        ValueError: for dims less than 1, or an order that is no permutation.
    """

    def __init__(self, dims: int, order: Any = None) -> None:
        check_sizes(dims=dims)
        self.dims, self.permutation = dims, permutation(order, dims)

    @property
    def order(self) -> np.ndarray:
        """The order in which the bits are drawn, (D,)."""
        return self.permutation

    @abstractmethod
    def network(self, x: Any) -> Any:
        """The logits l (1) of all bits, (B, D), from x (B, D); that of x[j] may depend on x[<j] only."""

    def conditionals(self, x: Any, context: Any = None, rng: Rng | None = None) -> Bernoulli:
        """p(x[j] | x[<j]) for all j, a batch (B, D).

        Args:
            x: (B, D), 0 or 1, of the dtype of the parameters, or integers or bools.
            context: None; the simple models take none.
            rng: not used; there is no dropout.

        Raises:
            TypeError: for another float dtype.
            ValueError: for another shape, a context, or an x that is neither 0 nor 1: a grey level has no probability.
        """
        self.refuse_context(context)
        x = floats("x", x, self.dtype, whole=True)
        check_features(x, self.dims, type(self).__name__)
        if x.ndim != 2:
            raise ValueError(f"x has shape {x.shape}, expected (batch, {self.dims}): x.reshape(-1, {self.dims})")
        require("x", x, lambda value: (value == 0) | (value == 1), "it must be 0 or 1; binarise it")
        return Bernoulli(self.network(x))
