"""The block that a transformer repeats: attention between the positions, then a small network at each of them.

    x ← x + dropout(attention(norm(x)))                                                        (1)
    x ← x + dropout(gelu(norm(x) W₁ + b₁) W₂ + b₂)                                             (2)

for x (B, T, width), with W₁ (width, 4 width) and W₂ (4 width, width). In (1) positions exchange what they know, in (2)
each works on its own. The norm is ``LayerNorm``; gelu(a) = a Φ(a), Φ the normal distribution function, by tanh.

The norm is inside the branch (*pre-norm*), so that x itself runs through all blocks unhindered: Xiong et al., On layer
normalization in the transformer architecture, arXiv:2002.04745, figure 1b. Else as in GPT-2 (Radford et al., 2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.nn.attention import CausalSelfAttention
from scratchgen.nn.dropout import Dropout
from scratchgen.nn.layer_norm import LayerNorm
from scratchgen.nn.linear import Linear
from scratchgen.nn.module import Module
from scratchgen.random import Rng, generator

Past = tuple[np.ndarray, np.ndarray]  # keys and values of the positions so far, (B, S, width) each


class TransformerBlock(Module):
    """Equations (1) and (2).

    Args:
        width, heads: of the attention, see ``CausalSelfAttention``.
        rng: draws the weights.
        dropout: the rate in both branches.
        dtype: of the weights.

    Raises:
        ValueError: for sizes below 1, a width that the heads cannot share, or a rate out of range; in ``forward``, for
            an x that is not (B, T, width), or in training with dropout without an rng.
        TypeError: in ``forward``, for an x of another dtype.

    >>> TransformerBlock(8, heads=2, rng=0)(np.zeros((5, 3, 8), dtype=np.float32)).shape
    (5, 3, 8)
    """

    def __init__(self, width: int, heads: int, rng: Rng, dropout: float = 0.0, dtype: Any = np.float32) -> None:
        rng = generator(rng)
        self.attention = CausalSelfAttention(width, heads, rng, dtype=dtype)
        self.norms = [LayerNorm(width, dtype=dtype), LayerNorm(width, dtype=dtype)]
        self.expand = Linear(width, 4 * width, rng, "gelu_tanh", dtype=dtype)
        self.contract = Linear(4 * width, width, rng, dtype=dtype)
        self.dropout = Dropout(dropout)

    def forward(self, x: Any, rng: Rng | None = None, past: Past | None = None) -> Any:
        """(B, T, width) → the same shape; with ``past``, also the keys and values so far: ``CausalSelfAttention``."""
        mixed = self.attention(self.norms[0](x), past)
        if past is not None:
            mixed, past = mixed
        x = x + self.dropout(mixed, rng)  # (B, T, width)
        x = x + self.dropout(self.contract(self.expand(self.norms[1](x))), rng)  # (B, T, width)
        return x if past is None else (x, past)
