"""Networks: functions with parameters.

``module`` says what a parameter is, ``initialisations`` where training starts, ``inputs`` what is refused. Then come
the layers, one a file: ``linear``, ``mlp``, ``layer_norm``, ``dropout``, ``embedding``, and ``conv2d`` on top of
``convolution``. Two do not see the future: ``causal`` has such convolutions, ``attention`` such attention;
``transformer_block`` is made of it. ``masked`` is an affine layer that sees what a mask lets it see.
"""

from scratchgen.nn.attention import CausalSelfAttention, causal_attention
from scratchgen.nn.causal import CausalConv, past_1d, past_2d
from scratchgen.nn.conv2d import Conv2d, ConvTranspose2d
from scratchgen.nn.convolution import conv2d, conv_transpose2d
from scratchgen.nn.dropout import Dropout
from scratchgen.nn.embedding import Embedding
from scratchgen.nn.layer_norm import LayerNorm
from scratchgen.nn.linear import Linear
from scratchgen.nn.masked import MaskedLinear
from scratchgen.nn.mlp import MLP
from scratchgen.nn.module import Module
from scratchgen.nn.transformer_block import TransformerBlock

__all__ = [
    "MLP",
    "CausalConv",
    "CausalSelfAttention",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Embedding",
    "LayerNorm",
    "Linear",
    "MaskedLinear",
    "Module",
    "TransformerBlock",
    "causal_attention",
    "conv2d",
    "conv_transpose2d",
    "past_1d",
    "past_2d",
]
