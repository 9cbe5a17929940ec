"""Autoregressive models (lecture p. 10): log p(x) = Σ_j log p(x[j] | x[1..j−1]).

Read in this order; what begins with nn. is in the folder ``scratchgen/nn``:

    what all such models share        model, and inverse: how a component is drawn by a uniform number of its own
    models that only count            table, with a number for each x, and ngram, the baseline of a language model
    the simplest networks, for bits   bits: what both share; masks: which weights may stay; fvsbn, nade
    masked networks                   nn.masked, a layer, and nn.masked_product, how it saves time; outputs: data of
                                      every kind; made; order_mixture: many orders at once
    images with grey levels           nn.causal, convolutions into the past; pixels, causal_conv, pixelcnn
    language                          nn.attention, nn.transformer_block; transformer; truncation: other ways to draw
                                      from it; streams: texts of any length
"""

from scratchgen.autoregressive.causal_conv import CausalConvNet
from scratchgen.autoregressive.fvsbn import FVSBN
from scratchgen.autoregressive.inverse import inverse, part
from scratchgen.autoregressive.made import MADE
from scratchgen.autoregressive.model import Autoregressive
from scratchgen.autoregressive.nade import NADE
from scratchgen.autoregressive.ngram import NGram
from scratchgen.autoregressive.order_mixture import OrderMixture, order_agnostic
from scratchgen.autoregressive.outputs import (
    BinaryOutput,
    CategoricalOutput,
    GaussianMixtureOutput,
    GaussianOutput,
    LogisticMixtureOutput,
    Output,
)
from scratchgen.autoregressive.pixelcnn import PixelCNN
from scratchgen.autoregressive.streams import generate_stream, stream_nats
from scratchgen.autoregressive.table import ProbabilityTable
from scratchgen.autoregressive.transformer import Transformer

__all__ = [
    "FVSBN",
    "MADE",
    "NADE",
    "Autoregressive",
    "BinaryOutput",
    "CategoricalOutput",
    "CausalConvNet",
    "GaussianMixtureOutput",
    "GaussianOutput",
    "LogisticMixtureOutput",
    "NGram",
    "OrderMixture",
    "Output",
    "PixelCNN",
    "ProbabilityTable",
    "Transformer",
    "generate_stream",
    "inverse",
    "order_agnostic",
    "part",
    "stream_nats",
]
