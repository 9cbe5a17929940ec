"""Flow matching of grey levels: with uniform noise within their bins, levels 0 … L − 1 are spread over [−1, 1].

    y = 2 (x + u)/L − 1,    u uniform on [0, 1)^D                                              (1)
    log P(x) ≥ E_u[log p(y) + D log (2/L)]                                                     (2)

(2) is the bound of ``flows.dequantisation``, with 2/L for the stretch of each component.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.diffusion import FlowMatching
from scratchgen.flows import Flow
from scratchgen.random import Rng, generator


class LevelMatching(FlowMatching):
    """A ``FlowMatching`` of y (1), to whose loss levels are given.

    Args:
        net: as of a ``FlowMatching``.
        event_shape: of one x.
        levels: L.

    >>> from scratchgen.diffusion import ResidualNet
    >>> model = LevelMatching(ResidualNet(3, rng=0), (3,), levels=17)
    >>> model.loss(np.zeros((4, 3), np.int64), 0).shape, model.sample(2, rng=0).dtype
    ((), dtype('int64'))
    """

    def __init__(self, net: Any, event_shape: tuple[int, ...], levels: int) -> None:
        super().__init__(net, event_shape)
        self.levels = levels

    def spread(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """y (1), float32."""
        y: np.ndarray = (x + rng.random(x.shape)) * (2 / self.levels) - 1
        return y.astype(self.dtype)

    def loss(self, x: Any, *context_and_rng: Any) -> Tensor:
        """The squared error of the velocity for levels x, (B, D): called as ``loss(x, rng)``."""
        (rng,) = context_and_rng
        rng = generator(rng)
        return super().loss(self.spread(x, rng), rng)

    def bound(self, x: np.ndarray, flow: Flow, rng: Rng) -> Any:
        """(2) with one u for each x, (B,), in nats; ``flow`` is ``self.flow(…)``."""
        y = self.spread(x, generator(rng))
        return flow.log_prob(y) + math.prod(self.event_shape) * math.log(2 / self.levels)

    def sample(self, n: int, rng: Rng, context: Any = None, steps: int = 50, method: str = "heun") -> np.ndarray:
        """n draws of x, (n, D) int64: the bins in which draws of y lie, or the nearest."""
        y = super().sample(n, rng, context, steps, method)
        return np.floor((y + 1) * (self.levels / 2)).clip(0, self.levels - 1).astype(np.int64)
