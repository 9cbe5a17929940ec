"""Diffusion (lecture p. 12): data turn into noise by a stochastic differential equation, and back with its score.

Read in this order: ``sde`` (three ways into noise, and the two ways back), ``exact`` (data for which all is known).
"""

from scratchgen.diffusion.exact import GaussianMixtureData, Marginals, least_noise_loss
from scratchgen.diffusion.sde import SDE, VE, VP, Reverse, SubVP

__all__ = [
    "SDE",
    "VE",
    "VP",
    "GaussianMixtureData",
    "Marginals",
    "Reverse",
    "SubVP",
    "least_noise_loss",
]
