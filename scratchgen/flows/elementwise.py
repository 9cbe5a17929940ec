"""Transforms of each number on its own (lecture p. 11): the Jacobian is diagonal.

    z_j = f(x_j),    log |det ∂z/∂x| = Σ_j log |f′(x_j)|                                        (1)

    Affine     z = (x − b) e^{−a}         log |f′| = −a        x = b + e^a z                    (2)
    Exp        z = e^x                    log |f′| = x         x = log z                        (3)

Source: Papamakarios et al., arXiv:1912.02762, section 2.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor
from scratchgen.distributions.arguments import require
from scratchgen.flows.transform import Mapped, Transform, sum_but_first


class Affine(Transform):
    """A location and a scale for each dimension (2), the identity at first.

    Args:
        dims: D.
        dtype: of the parameters.

    Attributes:
        loc: b, (D,).
        log_scale: a, (D,).

    >>> f = Affine(2, dtype=np.float64)
    >>> f.loc, f.log_scale = np.array([1.0, 0.0]), np.log([2.0, 1.0])
    >>> z, logabsdet = f(np.array([[5.0, 3.0]]))
    >>> z.data, logabsdet.data.round(4)
    (array([[2., 3.]]), array([-0.6931]))
    """

    def __init__(self, dims: int, dtype: Any = np.float32) -> None:
        self.loc = Tensor(np.zeros(dims, dtype), requires_grad=True)
        self.log_scale = Tensor(np.zeros(dims, dtype), requires_grad=True)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: subtract b, divide by e^a."""
        return (x - self.loc) * np.exp(-self.log_scale), sum_but_first(np.broadcast_to(-self.log_scale, x.shape))

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: multiply by e^a, add b."""
        return self.loc + z * np.exp(self.log_scale), sum_but_first(np.broadcast_to(self.log_scale, z.shape))


class Exp(Transform):
    """z = e^x (3), from all numbers to those above 0."""

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: e^x."""
        return np.exp(x), sum_but_first(x)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: log z.

        Raises:
            ValueError: for a plain array with numbers that are not above 0.
        """
        require("z", z, lambda value: value > 0, "it must be above 0")
        x = np.log(z)
        return x, -sum_but_first(x)
