"""Autoregressive models (lecture p. 10): log p(x) = Σ_j log p(x[j] | x[1..j−1]).

Read ``model`` first, what all of them share; and ``inverse``, how a component is drawn by a uniform number of its own.
"""

from scratchgen.autoregressive.inverse import inverse, part
from scratchgen.autoregressive.model import Autoregressive

__all__ = ["Autoregressive", "inverse", "part"]
