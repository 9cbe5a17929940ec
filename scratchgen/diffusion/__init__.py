"""Diffusion (lecture p. 12): data turn into noise by a stochastic differential equation, and back with its score.

Read in this order: ``sde`` (three ways into noise, and the two ways back), ``exact`` (data for which all is known),
``integrators`` and ``langevin`` (how the way is walked, in steps), ``likelihood`` (the probability flow as a flow).
"""

from scratchgen.diffusion.exact import GaussianMixtureData, Marginals, least_noise_loss
from scratchgen.diffusion.integrators import euler_maruyama, heun, rk45
from scratchgen.diffusion.langevin import langevin, predictor_corrector
from scratchgen.diffusion.likelihood import Likelihood, ProbabilityFlow
from scratchgen.diffusion.sde import SDE, VE, VP, Reverse, SubVP

__all__ = [
    "SDE",
    "VE",
    "VP",
    "GaussianMixtureData",
    "Likelihood",
    "Marginals",
    "ProbabilityFlow",
    "Reverse",
    "SubVP",
    "euler_maruyama",
    "heun",
    "langevin",
    "least_noise_loss",
    "predictor_corrector",
    "rk45",
]
