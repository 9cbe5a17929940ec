"""Flow matching of grey levels: with uniform noise within their bins, levels 0 … L − 1 are spread over [−1, 1].

    y = 2 (x + u)/L − 1,    u uniform on [0, 1)^D                                              (1)
    log P(x) ≥ E_u[log p(y) + D log (2/L)]                                                     (2)

(2) is the bound of ``flows.dequantisation``: p(y) is the density that flow matching learns, and (2/L)^D the volume of a
bin as y measures it. The density has walls, at ±1 and between blank paper and ink, which a smooth velocity can only
approach: samples look good long before the bound does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.diffusion.flow_matching import FlowMatching
from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.flows import Flow
from scratchgen.random import Rng, generator


class LevelMatching(FlowMatching):
    """A ``FlowMatching`` of y (1), to which levels are given.

    Args:
        net, event_shape: as of a ``FlowMatching``.
        levels: L.

    Raises:
        TypeError, ValueError: for levels that is no int, or less than 2; in all methods, for x that are no levels.

    >>> from scratchgen.diffusion import ResidualNet
    >>> model = LevelMatching(ResidualNet(3, rng=0), (3,), levels=17)
    >>> model.loss(np.zeros((4, 3), np.int64), 0).shape, model.sample(2, rng=0).dtype
    ((), dtype('int64'))
    """

    def __init__(self, net: Callable[..., Any], event_shape: tuple[int, ...], levels: int) -> None:
        super().__init__(net, event_shape)
        require_int("levels", levels, least=2)
        self.levels = levels

    def spread(self, x: Any, rng: Rng) -> np.ndarray:
        """y (1), (B, …), for levels x.

        Raises:
            TypeError: for x that are no integers.
            ValueError: for one that is not from 0 to L − 1, with its index.
        """
        x, expected = np.asarray(unmasked("x", x)), f"levels are 0 to {self.levels - 1}"
        if x.dtype.kind not in "iu":
            raise TypeError(f"x is {x.dtype}; {expected}, integers")
        require("x", x, lambda level: (level >= 0) & (level < self.levels), expected)
        u = generator(rng).random(x.shape, self.dtype)
        return np.asarray((x.astype(self.dtype) + u) * (2 / self.levels) - 1)

    def loss(self, x: Any, *context_and_rng: Any) -> Tensor:
        """The loss of ``FlowMatching`` for y: called as ``loss(x, rng)`` or ``loss(x, labels, rng)``.

        Raises:
            TypeError: without rng.
        """
        if not context_and_rng:
            raise TypeError("loss needs rng")
        *contexts, rng = context_and_rng
        rng = generator(rng)
        return super().loss(self.spread(x, rng), *contexts, rng)

    def bound(self, x: Any, flow: Flow, rng: Rng) -> Any:
        """(2) with one u for each x, (B,), in nats.

        Args:
            x: levels, (B, …).
            flow: ``self.flow(…)``, which says how it is integrated.
            rng: draws u.
        """
        return flow.log_prob(self.spread(x, rng)) + math.prod(self.event_shape) * math.log(2 / self.levels)

    def sample(self, n: int, rng: Rng, context: Any = None, steps: int = 50, method: str = "heun") -> np.ndarray:
        """n draws of x, (n, …) int64: the bins in which draws of y lie, or the nearest."""
        y = super().sample(n, rng, context, steps, method)
        return np.floor((y + 1) * (self.levels / 2)).clip(0, self.levels - 1).astype(np.int64)
