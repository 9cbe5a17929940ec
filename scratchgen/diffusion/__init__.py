"""Diffusion (lecture p. 12): data turn into noise by a stochastic differential equation, and back with its score.

Read in this order: ``sde`` (three ways into noise, and the two ways back), ``exact`` (data for which all is known),
``integrators`` and ``langevin`` (how the way is walked, in steps), ``likelihood`` (the probability flow as a flow).
Then ``score`` and ``score_model``: how a score is learned.
"""

from scratchgen.diffusion.exact import GaussianMixtureData, Marginals, least_noise_loss
from scratchgen.diffusion.integrators import euler_maruyama, heun, rk45
from scratchgen.diffusion.langevin import langevin, predictor_corrector
from scratchgen.diffusion.likelihood import Likelihood, ProbabilityVelocity, log_likelihood
from scratchgen.diffusion.score import (
    DenoisingScoreMatching,
    EnergyScore,
    ExplicitScoreMatching,
    ScoreMatching,
    SlicedScoreMatching,
)
from scratchgen.diffusion.score_model import ScoreModel
from scratchgen.diffusion.sde import SDE, VE, VP, Reverse, SubVP

__all__ = [
    "SDE",
    "VE",
    "VP",
    "DenoisingScoreMatching",
    "EnergyScore",
    "ExplicitScoreMatching",
    "GaussianMixtureData",
    "Likelihood",
    "Marginals",
    "ProbabilityVelocity",
    "Reverse",
    "ScoreMatching",
    "ScoreModel",
    "SlicedScoreMatching",
    "SubVP",
    "euler_maruyama",
    "heun",
    "langevin",
    "least_noise_loss",
    "log_likelihood",
    "predictor_corrector",
    "rk45",
]
