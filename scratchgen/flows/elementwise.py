"""Transforms of each number on its own (lecture p. 11): the Jacobian is diagonal.

    z_j = f(x_j),    log |det ∂z/∂x| = Σ_j log |f′(x_j)|                                            (1)

    Affine       z = (x − b) e^{−a}     log f′ = −a                         x = b + e^a z           (2)
    Exp          z = e^x                log f′ = x                          x = log z               (3)
    Softplus     z = log(1 + e^x)       log f′ = log σ(x)                   x = z + log(1 − e^{−z}) (4)
    LeakyReLU    z = max(x, s x)        log f′ = 0 above 0, log s below     x = min(z, z/s)         (5)

with σ(x) = 1 / (1 + e^{−x}).

Source: Papamakarios et al., arXiv:1912.02762, section 2.1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, leaky_relu, log_sigmoid, softplus
from scratchgen.distributions.arguments import require
from scratchgen.distributions.distribution import values
from scratchgen.distributions.log1mexp import log1mexp
from scratchgen.flows.transform import Mapped, Transform, sum_but_first
from scratchgen.nn.inputs import check_features, check_sizes


class Affine(Transform):
    """A location and a scale for each dimension (2), the identity at first.

    Args:
        dims: D.
        dtype: of the parameters.

    Attributes:
        loc: b, (D,).
        log_scale: a, (D,).

    Raises:
        ValueError: for dims < 1; in both directions, for what is not (B, …, D).

    >>> f = Affine(2, dtype=np.float64)
    >>> f.loc, f.log_scale = np.array([1.0, 0.0]), np.log([2.0, 1.0])
    >>> z, logabsdet = f(np.array([[5.0, 3.0]]))
    >>> z.data, logabsdet.data.round(4)
    (array([[2., 3.]]), array([-0.6931]))
    """

    def __init__(self, dims: int, dtype: Any = np.float32) -> None:
        check_sizes(dims=dims)
        self.loc = Tensor(np.zeros(dims, dtype), requires_grad=True)
        self.log_scale = Tensor(np.zeros(dims, dtype), requires_grad=True)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: subtract b, divide by e^a."""
        check_features(x, len(self.loc), type(self).__name__)
        return (x - self.loc) * np.exp(-self.log_scale), sum_but_first(np.broadcast_to(-self.log_scale, x.shape))

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: multiply by e^a, add b."""
        check_features(z, len(self.loc), type(self).__name__)
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


class Softplus(Transform):
    """z = log(1 + e^x) (4), from all numbers to those above 0: like ``Exp`` far below 0, and like x far above.

    >>> z, logabsdet = Softplus()(np.array([[0.0, 800.0]]))
    >>> z.round(4), logabsdet.round(4)
    (array([[6.931e-01, 8.000e+02]]), array([-0.6931]))
    """

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: log(1 + e^x)."""
        return softplus(x), sum_but_first(log_sigmoid(x))

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: log(e^z − 1) = z + log(1 − e^{−z}).

        Raises:
            ValueError: for a plain array with numbers that are not above 0.
        """
        require("z", z, lambda value: value > 0, "it must be above 0")
        log_slope = log1mexp(z)  # log σ(x), since σ(x) = 1 − e^{−z}
        return z + log_slope, -sum_but_first(log_slope)


class LeakyReLU(Transform):
    """z = max(x, s x) (5), with a kink at 0.

    log f′ is a step, so no gradient tells what a point gains when a kink moves across it. Trained by gradients, kinks
    come to lie where that was not weighed: prefer a smooth transform where their places matter.

    Args:
        slope: s, between 0 and 1.

    Raises:
        ValueError: for another slope.

    >>> z, logabsdet = LeakyReLU(0.5)(np.array([[-4.0, 3.0, -2.0]]))
    >>> z, logabsdet.round(4)                                       # 2 log ½
    (array([[-2.,  3., -1.]]), array([-1.3863]))
    """

    def __init__(self, slope: float = 0.1) -> None:
        if not 0 < slope < 1:
            raise ValueError(f"slope is {slope}; it must be between 0 and 1")
        self.slope = slope

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: x, or s x below 0."""
        return leaky_relu(x, slope=self.slope), math.log(self.slope) * negatives(x)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: z, or z/s below 0."""
        return np.minimum(z, z / self.slope), -math.log(self.slope) * negatives(z)


def negatives(x: Any) -> np.ndarray:
    """How many numbers of each row are 0 or less, (B,), in the dtype of x."""
    return sum_but_first((values(x) <= 0).astype(x.dtype))
