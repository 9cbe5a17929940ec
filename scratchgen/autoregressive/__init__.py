"""Autoregressive models (lecture p. 10): log p(x) = Σ_j log p(x[j] | x[1..j−1]).

Read ``model`` first, what most of them share, and ``inverse``, how a component is drawn by a uniform number of its own;
``table``, whose conditionals are sums of probabilities; ``bits``, ``fvsbn`` and ``nade``, the simplest networks;
``ngram``, which only counts; then ``pixels``, ``causal_conv`` and ``pixelcnn``, two models of images with grey levels.
``transformer``, with ``truncation``, is the model of languages. ``masks`` are those of a network in which each output
sees the inputs before it: that is ``made``, with ``outputs`` for data of every kind, and ``order_mixture``, which has
many orders at once.
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
    "inverse",
    "order_agnostic",
    "part",
]
