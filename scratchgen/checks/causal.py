"""Cases of the causal convolutions."""

from __future__ import annotations

import numpy as np

from scratchgen.checks.cases import Case, register
from scratchgen.checks.layers import on
from scratchgen.nn import CausalConv, past_1d, past_2d


@register("layers", CausalConv, "1-D, dilated")
def causal_conv_1d(rng: np.random.Generator) -> Case:
    """Three places two apart, the last of which is the present."""
    return on(CausalConv(2, 3, past_1d(3, present=True, dilation=2), rng, dtype=np.float64), rng, 2, 7, 2)


@register("layers", CausalConv, "2-D, without the present")
def causal_conv_2d(rng: np.random.Generator) -> Case:
    """A masked 3 × 3 kernel."""
    return on(CausalConv(2, 3, past_2d(1, present=False), rng, dtype=np.float64), rng, 2, 3, 5, 2)
