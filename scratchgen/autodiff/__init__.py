"""NumPy that you can differentiate.

Read in this order: ``operations`` (what a derivative rule is), ``tensor`` and ``record`` (how a graph comes about),
``chain_rule`` (how it is walked). Then the tables of rules: of NumPy's functions in ``elementwise``, ``shapes``,
``reductions``, ``linalg`` and ``einsum``, of SciPy's in ``special``, and of functions that NumPy lacks, one node each,
in ``activations``, ``categorical``, ``densities`` and ``layers``. ``methods`` gives Tensors their operators, ``modes``
switches recording off and ``drawing`` draws a graph. Last ``calculus``, and ``gradcheck`` with the folder ``checking``,
which checks them all: ``from scratchgen.autodiff.gradcheck import gradcheck``.
"""

from scratchgen.autodiff import methods as _methods  # noqa: F401  (gives Tensors their operators and methods)
from scratchgen.autodiff.activations import (
    gelu,
    gelu_tanh,
    leaky_relu,
    log_sigmoid,
    relu,
    sigmoid,
    silu,
    softplus,
)
from scratchgen.autodiff.calculus import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from scratchgen.autodiff.categorical import categorical_log_prob, log_softmax, softmax
from scratchgen.autodiff.densities import bernoulli_log_prob, gaussian_kl, gaussian_log_prob, mse
from scratchgen.autodiff.drawing import draw
from scratchgen.autodiff.layers import layer_norm, linear
from scratchgen.autodiff.linalg import solve_triangular
from scratchgen.autodiff.modes import detect_anomaly, no_grad
from scratchgen.autodiff.operations import OPERATIONS
from scratchgen.autodiff.record import custom_rule
from scratchgen.autodiff.reductions import logsumexp
from scratchgen.autodiff.tensor import Tensor

__all__ = [
    "OPERATIONS",
    "Tensor",
    "bernoulli_log_prob",
    "categorical_log_prob",
    "custom_rule",
    "detect_anomaly",
    "draw",
    "gaussian_kl",
    "gaussian_log_prob",
    "gelu",
    "gelu_tanh",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "mse",
    "no_grad",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "solve_triangular",
    "value_and_grad",
    "vjp",
]
