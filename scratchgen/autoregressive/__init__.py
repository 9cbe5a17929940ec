"""Autoregressive models (lecture p. 10): log p(x) = Σ_j log p(x[j] | x[1..j−1]).

Read ``model`` first, what all of them share, and ``inverse``, how a component is drawn by a uniform number of its own;
then ``pixels``, ``causal_conv`` and ``pixelcnn``, two models of images with grey levels.
"""

from scratchgen.autoregressive.causal_conv import CausalConvNet
from scratchgen.autoregressive.inverse import inverse, part
from scratchgen.autoregressive.model import Autoregressive
from scratchgen.autoregressive.pixelcnn import PixelCNN

__all__ = ["Autoregressive", "CausalConvNet", "PixelCNN", "inverse", "part"]
