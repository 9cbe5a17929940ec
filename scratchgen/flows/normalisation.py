"""Normalisation as a transform (lecture p. 11): each dimension gets mean 0 and variance 1, and then a scale and shift.

    ActNorm      z = (x − b) e^{−a}                                           log |det| = −Σ a           (1)
    BatchNorm    z = (x − m) / √(v + ε) · e^γ + β                log |det| = Σ (γ − ½ log(v + ε))        (2)

(1) is ``Affine``, with b and e^a started at the mean and standard deviation of some data, and then trained like all
parameters. In (2), m and v are those of the batch in training, and in evaluation running averages of them,

    m ← (1 − τ) m + τ m_batch,    v ← (1 − τ) v + τ v_batch · n / (n − 1)                                (3)

which are buffers, saved with the model; n is how many numbers of a column are in the batch, and n / (n − 1) makes its
variance an unbiased estimate. Only in evaluation is (2) a map of each x on its own, with an inverse and a density. The
log-determinant that training uses takes the m and v of the batch for given: what it calls log p is near the density
for a large batch, but it is not the density.

For images the statistics are those of a channel, over all examples and pixels, and the sums go over all pixels.

Sources: Kingma and Dhariwal, Glow, arXiv:1807.03039, section 3.1, for (1); Dinh et al., Density estimation using Real
NVP, arXiv:1605.08803, section 3.7, and Papamakarios et al., Masked Autoregressive Flow, arXiv:1705.07057, for (2).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.distributions.arguments import require, unmasked
from scratchgen.distributions.distribution import values
from scratchgen.flows.elementwise import Affine
from scratchgen.flows.transform import Composite, Inverse, Mapped, Transform, require_transform, sum_but_first
from scratchgen.nn.inputs import check_dtype, check_features, check_sizes


class Started(Transform):
    """A transform that looks at data before it is trained: by ``start``, or by the function of that name."""

    @abstractmethod
    def start(self, x: Any) -> None:
        """Take the statistics of x, (B, …, D)."""


class ActNorm(Affine, Started):
    """z = (x − b) e^{−a} (1), the identity until it is started.

    Args:
        dims: D, or the number of channels.
        dtype: of the parameters.

    >>> f, x = ActNorm(2, dtype=np.float64), np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> f.start(x)
    >>> f(x)[0].data
    array([[-1., -1.],
           [ 1.,  1.]])
    """

    def start(self, x: Any) -> None:
        """b, e^a = mean and standard deviation of each column of x.

        Raises:
            ValueError: for fewer than 2 numbers in a column, or columns that are constant, with their numbers.
        """
        x = plain(x)
        check_features(x, len(self.loc), "ActNorm")
        mean, variance, _ = moments(x)
        constant = np.flatnonzero((np.ptp(x, axis=all_but_last(x)) == 0) | (variance == 0))  # of tiny x it underflows
        if constant.size:
            raise ValueError(
                f"columns {constant.tolist()} of x have zero variance: a scale of 0 cannot be undone; leave them out"
            )
        self.loc, self.log_scale = mean, 0.5 * np.log(variance)


class BatchNorm(Started):
    """z = (x − m) / √(v + ε) · e^γ + β (2).

    Args:
        dims: D, or the number of channels.
        momentum: τ of (3), between 0 and 1.
        eps: ε.
        dtype: of the parameters and buffers.

    Attributes:
        log_gain, shift: γ and β, (D,), parameters.
        mean, variance: the running m and v, (D,), buffers; 0 and 1 at first.

    Raises:
        ValueError: for another momentum, or eps ≤ 0; in training, for fewer than 2 numbers in a column.

    >>> f, x = BatchNorm(1, eps=1e-9, dtype=np.float64), np.array([[1.0], [3.0]])
    >>> f(x)[0].data.ravel().round(4), f.mean.data, f.variance.data       # v of the batch is 1, or 2 by n − 1
    (array([-1.,  1.]), array([0.2]), array([1.1]))
    """

    couples_rows = True

    def __init__(self, dims: int, momentum: float = 0.1, eps: float = 1e-5, dtype: Any = np.float32) -> None:
        check_sizes(dims=dims)
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum is {momentum}; it must be above 0 and at most 1")
        if not eps > 0:
            raise ValueError(f"eps is {eps}; it must be above 0")
        self.momentum, self.eps = momentum, eps
        self.log_gain = Tensor(np.zeros(dims, dtype), requires_grad=True)
        self.shift = Tensor(np.zeros(dims, dtype), requires_grad=True)
        self.mean, self.variance = Tensor(np.zeros(dims, dtype)), Tensor(np.ones(dims, dtype))

    def start(self, x: Any) -> None:
        """m, v = those of all of x: in place of the running averages, for an evaluation without their noise.

        Raises:
            ValueError: for fewer than 2 numbers in a column.
        """
        x = plain(x)
        check_features(x, len(self.shift), "BatchNorm")
        mean, variance, n = moments(x)
        self.mean, self.variance = mean, variance * (n / (n - 1))

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise; in training by the statistics of the batch, which also enter the running ones (3)."""
        check_features(x, len(self.shift), "BatchNorm")
        check_dtype(x, self.shift, "shift")
        mean, variance = self.mean, self.variance
        if self.training:
            mean, variance, n = moments(x)
            for running, batch in ((self.mean, mean), (self.variance, variance * (n / (n - 1)))):
                running.assign((1 - self.momentum) * running.data + self.momentum * values(batch))
        log_slope = self.log_gain - 0.5 * np.log(variance + self.eps)
        return (x - mean) * np.exp(log_slope) + self.shift, sum_but_first(np.broadcast_to(log_slope, x.shape))

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data, by the running statistics.

        Raises:
            RuntimeError: in training.
        """
        if self.training:
            raise RuntimeError(
                "BatchNorm has no inverse in training, where it depends on the whole batch: call eval() first"
            )
        check_features(z, len(self.shift), "BatchNorm")
        log_slope = self.log_gain - 0.5 * np.log(self.variance + self.eps)
        x = (z - self.shift) * np.exp(-log_slope) + self.mean
        return x, sum_but_first(np.broadcast_to(-log_slope, z.shape))


def start(transform: Transform, x: Any, context: Any = None) -> np.ndarray:
    """Start all that is to be started in a composition, each on what the transforms before it make of x.

    Args:
        transform: a Composite, also of Composites; or any other transform.
        x: a batch that is like all the data, (B, …).
        context: (B, C), or None.

    Returns:
        z.

    Raises:
        TypeError: for what is no Transform, such as a Flow: start its ``transform``; for a masked array.
        ValueError: for a batch that is too small, or columns that are constant; before anything is started, for an
            ``Inverse`` of what is to be started, whose statistics are not those of data.

    >>> f, x = Composite([Affine(1, np.float64), ActNorm(1, np.float64)]), np.array([[1.0], [3.0]])
    >>> start(f, x).ravel()
    array([-1.,  1.])
    """
    require_transform("transform", transform)
    for name, module in transform.modules().items():
        if isinstance(module, Inverse) and (turned := [m for m in module.modules().values() if isinstance(m, Started)]):
            raise ValueError(
                f"{name or 'transform'} is an Inverse of {type(turned[0]).__name__}, which takes what comes from the "
                "noise: data tell nothing of it. Leave it out of the Inverse, or start the others one by one"
            )
    if isinstance(transform, Composite):
        for each in transform.transforms:
            x = start(each, x, context)
        return x
    if isinstance(transform, Started):
        transform.start(x)
    with no_grad():
        return values(transform.forward(x, context)[0])


def plain(x: Any) -> np.ndarray:
    """Data as float64.

    Raises:
        TypeError: for a masked array, or numbers that are not real.
    """
    x = np.asarray(unmasked("x", values(x) if isinstance(x, Tensor) else x))
    if x.dtype.kind not in "biuf":
        raise TypeError(f"x is {x.dtype}; it must be of real numbers")
    return x.astype(np.float64)


def all_but_last(x: Any) -> tuple[int, ...]:
    """The axes over which a column is spread."""
    return tuple(range(x.ndim - 1))


def moments(x: Any) -> tuple[Any, Any, int]:
    """Mean and variance of each column, (D,), and how many numbers they are made of.

    Raises:
        ValueError: for fewer than 2 numbers; for NaN or inf in a plain array.
    """
    n = x.size // x.shape[-1]
    if n < 2:
        raise ValueError(f"x has {len(x)} rows; a variance needs at least 2")
    require("x", x, np.isfinite, "it must be finite")
    return np.mean(x, axis=all_but_last(x)), np.var(x, axis=all_but_last(x)), n
