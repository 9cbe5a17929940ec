"""NumPy that you can differentiate.

Read in this order: ``operations`` (what a derivative rule is), ``tensor`` (how a graph comes about), ``chain_rule``
(how it is walked), then the tables of rules: ``elementwise``, ``special``, ``shapes``, ``reductions``, ``linalg``,
``fused``; then ``calculus``, and ``gradcheck``, which checks them all.
"""

from scratchgen.autodiff import methods as _methods  # noqa: F401  (gives Tensors their operators and methods)
from scratchgen.autodiff.calculus import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from scratchgen.autodiff.drawing import draw
from scratchgen.autodiff.modes import detect_anomaly, no_grad
from scratchgen.autodiff.operations import OPERATIONS
from scratchgen.autodiff.tensor import Tensor, custom_rule

__all__ = [
    "OPERATIONS",
    "Tensor",
    "custom_rule",
    "detect_anomaly",
    "draw",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "no_grad",
    "value_and_grad",
    "vjp",
]
