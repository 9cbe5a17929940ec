"""Normalising flows (lecture p. 11): invertible maps from data to noise, and the densities that they imply.

Read in this order: ``transform`` (the interface, and composition), ``flow`` (the change of variables). Then the
transforms: of each number on its own in ``elementwise`` and ``squashing``; linear ones in ``permutations``, ``linear``,
``householder`` and ``invertible_conv``; ``normalisation`` looks at the data first. ``planar``, ``radial`` and
``sylvester`` add a soft step to x, ``continuous`` many small ones, with the ``divergence`` of a velocity. Where an
inverse has no closed form, ``root`` finds it.

In ``coupling`` and ``masked`` a network decides how numbers are mapped, by one of the maps in ``scalar_maps``,
``spline`` and ``logistic_mixture``. ``stacks`` builds whole flows of them.

What flows serve for: ``dequantisation``, data that are integers; ``posterior``, q(z | x) of a VAE; ``reverse_kl``,
densities that can be evaluated and not drawn from. ``arguments``, what is refused and why, when needed.

Everywhere x is the data and z the noise, (B, D) with one example in each row, and I is the identity matrix.
"""

from scratchgen.flows.continuous import ContinuousFlow, Velocity
from scratchgen.flows.coupling import Coupling, alternating
from scratchgen.flows.dequantisation import Dequantised, bits_per_dim
from scratchgen.flows.divergence import random_signs, with_divergence
from scratchgen.flows.elementwise import Affine, Exp, LeakyReLU, Softplus
from scratchgen.flows.flow import Flow, Transformed
from scratchgen.flows.householder import Orthogonal
from scratchgen.flows.invertible_conv import InvertibleConv
from scratchgen.flows.linear import FullLinear, LULinear, Triangular
from scratchgen.flows.logistic_mixture import LogisticMixtureMap
from scratchgen.flows.masked import MaskedAutoregressive, MaskedNet
from scratchgen.flows.normalisation import ActNorm, BatchNorm, start
from scratchgen.flows.permutations import Permutation, Reverse
from scratchgen.flows.planar import Planar
from scratchgen.flows.posterior import FlowPosterior
from scratchgen.flows.radial import Radial
from scratchgen.flows.reverse_kl import ReverseKL
from scratchgen.flows.root import solve_increasing
from scratchgen.flows.scalar_maps import AdditiveMap, AffineMap, ScalarMap
from scratchgen.flows.spline import SplineMap
from scratchgen.flows.squashing import Logit, Sigmoid, Tanh
from scratchgen.flows.stacks import autoregressive_stack, coupling_stack
from scratchgen.flows.sylvester import Sylvester
from scratchgen.flows.transform import Composite, Inverse, Transform

__all__ = [
    "ActNorm",
    "AdditiveMap",
    "Affine",
    "AffineMap",
    "BatchNorm",
    "Composite",
    "ContinuousFlow",
    "Coupling",
    "Dequantised",
    "Exp",
    "Flow",
    "FlowPosterior",
    "FullLinear",
    "Inverse",
    "InvertibleConv",
    "LULinear",
    "LeakyReLU",
    "LogisticMixtureMap",
    "Logit",
    "MaskedAutoregressive",
    "MaskedNet",
    "Orthogonal",
    "Permutation",
    "Planar",
    "Radial",
    "Reverse",
    "ReverseKL",
    "ScalarMap",
    "Sigmoid",
    "Softplus",
    "SplineMap",
    "Sylvester",
    "Tanh",
    "Transform",
    "Transformed",
    "Triangular",
    "Velocity",
    "alternating",
    "autoregressive_stack",
    "bits_per_dim",
    "coupling_stack",
    "random_signs",
    "solve_increasing",
    "start",
    "with_divergence",
]
