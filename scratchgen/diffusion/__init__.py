"""Diffusion (lecture p. 12): data turn into noise by a stochastic differential equation, and back with its score.

Read in this order: ``sde`` (the way into noise, and two ways back), ``families`` (three such SDEs), ``exact`` (data for
which all is known), ``integrators`` and ``langevin`` (how the way is walked, in steps), ``likelihood`` (the probability
flow as a flow). Then ``score`` and ``score_model``: how a score is learned.

In T steps: ``schedules`` (how fast data turn into noise), ``forward`` (how, and the exact way back of a single x_0),
``targets`` (what the network predicts), ``variances`` and ``decoders`` (what else a step back needs), ``reverse_chain``
(the way back), ``ddpm`` (the model), ``weightings`` and ``drawn_steps`` (its loss), ``bound`` (what it says of
log p(x)), ``levels`` (a model of grey levels), ``best`` (the network that would be best, where it is known);
``samplers`` and ``guidance`` (draws). Networks are in ``embeddings``, ``networks`` and ``unet``.

On straight lines: ``flow_matching`` (the model), ``pairing`` (which noise goes with which data), ``rectified``
(straighter yet), ``level_matching`` (of grey levels), ``exact_velocity`` (what is known), ``flow_score`` (why it is
diffusion), ``runge_kutta`` (its steps).

Time t rises from data to noise in all three, and what is seen at t is a mixture of data x_0 and noise ε ~ N(0, I):

    by an SDE            x_t = a(t) x_0 + s(t) ε              t from 0 to 1
    in T steps           x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε        t = 0 … T; for short a and b; a network is told t/T
    on straight lines    x_t = (1 − t) x_0 + t ε              t from 0 to 1; ε is called x_1

What networks are asked for is one thing in several words, of which each gives the others: the noise E[ε | x_t]; the
data E[x_0 | x_t]; a velocity, E[a ε − b x_0 | x_t] in T steps and E[ε − x_0 | x_t] on straight lines; and the score
∇ log p_t(x_t), which is minus the first over the factor of ε.
"""

from scratchgen.diffusion.best import BestNetwork
from scratchgen.diffusion.bound import Terms, along_a_path, terms
from scratchgen.diffusion.ddpm import DDPM
from scratchgen.diffusion.decoders import Decoder, LevelDecoder, RealDecoder
from scratchgen.diffusion.embeddings import FourierFeatures, LabelEmbedding, sinusoidal
from scratchgen.diffusion.exact import GaussianMixtureData, Marginals, least_noise_loss
from scratchgen.diffusion.exact_velocity import ExactVelocity, RectifiedVelocity, least_flow_loss
from scratchgen.diffusion.families import VE, VP, SubVP
from scratchgen.diffusion.flow_matching import FlowMatching
from scratchgen.diffusion.flow_score import FlowScore
from scratchgen.diffusion.forward import q_posterior, q_sample
from scratchgen.diffusion.guidance import Guided, guided
from scratchgen.diffusion.integrators import euler_maruyama, heun, rk45
from scratchgen.diffusion.langevin import langevin, predictor_corrector
from scratchgen.diffusion.level_matching import LevelMatching
from scratchgen.diffusion.levels import LevelDDPM
from scratchgen.diffusion.likelihood import Likelihood, ProbabilityVelocity, log_likelihood
from scratchgen.diffusion.networks import Condition, ResidualBlock, ResidualNet
from scratchgen.diffusion.pairing import independent_pairing, optimal_pairing
from scratchgen.diffusion.rectified import own_pairs, straightness
from scratchgen.diffusion.reverse_chain import Prediction
from scratchgen.diffusion.runge_kutta import rk4
from scratchgen.diffusion.samplers import Trajectory, ancestral, ddim, ddim_heun, spaced
from scratchgen.diffusion.schedules import PriorGap, Schedule, cosine, even_log_snr, linear, sigmoid
from scratchgen.diffusion.score import (
    DenoisingScoreMatching,
    EnergyScore,
    ExplicitScoreMatching,
    ScoreMatching,
    SlicedScoreMatching,
)
from scratchgen.diffusion.score_model import ScoreModel
from scratchgen.diffusion.sde import SDE, Reverse
from scratchgen.diffusion.unet import UNet, UNetBlock

__all__ = [
    "DDPM",
    "SDE",
    "VE",
    "VP",
    "BestNetwork",
    "Condition",
    "Decoder",
    "DenoisingScoreMatching",
    "EnergyScore",
    "ExactVelocity",
    "ExplicitScoreMatching",
    "FlowMatching",
    "FlowScore",
    "FourierFeatures",
    "GaussianMixtureData",
    "Guided",
    "LabelEmbedding",
    "LevelDDPM",
    "LevelDecoder",
    "LevelMatching",
    "Likelihood",
    "Marginals",
    "Prediction",
    "PriorGap",
    "ProbabilityVelocity",
    "RealDecoder",
    "RectifiedVelocity",
    "ResidualBlock",
    "ResidualNet",
    "Reverse",
    "Schedule",
    "ScoreMatching",
    "ScoreModel",
    "SlicedScoreMatching",
    "SubVP",
    "Terms",
    "Trajectory",
    "UNet",
    "UNetBlock",
    "along_a_path",
    "ancestral",
    "cosine",
    "ddim",
    "ddim_heun",
    "euler_maruyama",
    "even_log_snr",
    "guided",
    "heun",
    "independent_pairing",
    "langevin",
    "least_flow_loss",
    "least_noise_loss",
    "linear",
    "log_likelihood",
    "optimal_pairing",
    "own_pairs",
    "predictor_corrector",
    "q_posterior",
    "q_sample",
    "rk4",
    "rk45",
    "sigmoid",
    "sinusoidal",
    "spaced",
    "straightness",
    "terms",
]
