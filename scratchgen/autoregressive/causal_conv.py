"""A causal convolution net: the pixels as one sequence, and dilated convolutions over it (lecture p. 10).

The first layer, a causal convolution A of type A, sees the pixels before, by their code (``pixels``). The L layers
above, B of type B, see what is known at the place itself and at earlier ones: see ``nn.causal`` for both types. For
each image of D pixels,

    h⁰ = A(code) + position                                   (D, width)                       (1)
    hˡ⁺¹ = hˡ + (tanh(a) · σ(g)) @ Wˡ,    (a, g) = Bˡ(norm(hˡ))                                (2)
    logits = silu(hᴸ) @ W                                     (D, levels)                      (3)

with a bias beside each W, and in training dropout before it. The norm is ``LayerNorm``, silu(h) = h σ(h). In (2), the
*gate* σ(g), from 0 to 1, lets each feature tanh(a) through or not; and since the result is added to hˡ, a layer has to
learn only what it changes (a *residual* connection). There is none around A: by it a pixel would see itself.

What the layers reach adds up: A sees ``first`` pixels, and each B with ``kernel`` places, d apart, reaches back
(kernel − 1) d more. The position, a learned vector for each place, tells the layers, which are the same everywhere,
where in the image they are.

Source: van den Oord et al., WaveNet, arXiv:1609.03499, §2.1, §2.3 and §2.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, sigmoid, silu
from scratchgen.autoregressive.pixels import PixelModel
from scratchgen.nn import CausalConv, Dropout, LayerNorm, Linear, Module, past_1d
from scratchgen.nn.initialisations import normal
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator


class GatedBlock(Module):
    """h + (tanh(a) · σ(g)) @ W, equation (2).

    Args:
        width: the number of channels of h.
        kernel, dilation: of the convolution B.
        dropout: the rate at which gated features are left out.
        rng: draws the weights.
        dtype: of the weights.
    """

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float, rng: Rng, dtype: Any = np.float32):
        rng = generator(rng)
        self.norm = LayerNorm(width, dtype=dtype)
        self.past = CausalConv(width, 2 * width, past_1d(kernel, present=True, dilation=dilation), rng, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.out = Linear(width, width, rng, dtype=dtype)

    def forward(self, h: Tensor, rng: Rng | None = None) -> Tensor:
        """(batch, places, width) → the same shape; ``rng`` is needed in training only."""
        return h + self.out(self.dropout(gated(self.past(self.norm(h))), rng))


def gated(y: Tensor) -> Tensor:
    """tanh(a) · σ(g) for the two halves (a, g) of the channels, (…, 2 width) → (…, width).

    >>> from scratchgen.autodiff import Tensor
    >>> gated(Tensor([[2.0, 0.0]])).data                            # tanh(2) / 2
    array([[0.48201379]])
    """
    width = y.shape[-1] // 2
    return np.tanh(y[..., :width]) * sigmoid(y[..., width:])


class CausalConvNet(PixelModel):
    """p(x) of vectors of ``dims`` grey levels, by dilated causal convolutions, equations (1) to (3).

    Args:
        dims: the number of pixels.
        levels: how many grey levels there are.
        rng: draws the weights.
        width: channels of the hidden layers.
        first: how many pixels the first layer sees.
        kernel: places of each convolution above.
        dilations: how far apart they are, one number a layer.
        dropout: the rate at which features are left out in training.
        dtype: of the weights.

    Raises:
        ValueError: for sizes less than 1, a dropout outside [0, 1), or layers that do not reach back from the last
            pixel to the first.

    >>> model = CausalConvNet(64, 17, rng=0).eval()
    >>> model.log_prob(np.zeros((3, 64), dtype=int)).shape
    (3,)
    """

    def __init__(
        self,
        dims: int,
        levels: int,
        rng: Rng,
        width: int = 48,
        first: int = 16,
        kernel: int = 3,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 8),
        dropout: float = 0.3,
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(dims=dims, levels=levels, width=width, first=first, kernel=kernel)
        if np.ndim(dilations) != 1:
            raise ValueError(f"dilations is {dilations!r}; give one number for each layer, such as (1, 2, 4)")
        reach = first + (kernel - 1) * sum(dilations)
        if reach < dims - 1:
            raise ValueError(
                f"the layers reach {reach} pixels back, the last of {dims} pixels has {dims - 1} before it: "
                "add dilations, or enlarge first or kernel"
            )
        rng = generator(rng)
        self.dims, self.levels = dims, levels
        self.first = CausalConv(2 * levels - 1, width, past_1d(first, present=False), rng, dtype=dtype)
        self.position = Tensor(normal((dims, width), 0.02, rng, dtype), requires_grad=True)
        self.blocks = [GatedBlock(width, kernel, dilation, dropout, rng, dtype) for dilation in dilations]
        self.dropout = Dropout(dropout)
        self.out = Linear(width, levels, rng, dtype=dtype)

    def network(self, code: Any, rng: Rng | None = None) -> Tensor:
        """Logits (B, D, levels), equation (3)."""
        rng = None if rng is None else generator(rng)
        h = self.first(code) + self.position  # (B, D, width)
        for block in self.blocks:
            h = block(h, rng)
        return self.out(self.dropout(silu(h), rng))
