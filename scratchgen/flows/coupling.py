"""Coupling layers: some dimensions are left alone, and tell how the others are mapped (lecture p. 11).

A mask m says which dimensions pass through. From those, and from a context c if there is one, any network whatever
computes the parameters by which an increasing function g maps each of the others:

    z_j = x_j                                                             where m_j              (1)
    z_j = g(x_j; θ_j),    θ = net(x_m, c)                                 elsewhere              (2)
    log |det ∂z/∂x| = Σ_{j: not m_j} log g′(x_j; θ_j)                                            (3)

With the dimensions that pass first the Jacobian is triangular: ones on the diagonal for (1), g′ for (2). What the
network does stands below the diagonal, and its derivatives are not needed. The inverse knows x_m, which is z_m, so it
finds the same θ, and both directions cost one pass of the network:

    x_j = g⁻¹(z_j; θ_j),    θ = net(z_m, c)                               where not m_j          (4)

One layer leaves x_m untouched. So the next has another mask: ``alternating`` gives them in turn.

Sources: Dinh et al., NICE, arXiv:1410.8516, section 3.2; Dinh et al., Density estimation using Real NVP,
arXiv:1605.08803, section 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import custom_rule
from scratchgen.distributions.arguments import unmasked
from scratchgen.distributions.numbers import require_int
from scratchgen.flows.arguments import require_vectors, with_context
from scratchgen.flows.scalar_maps import ScalarMap, require_scalar_map
from scratchgen.flows.transform import Mapped, Transform
from scratchgen.nn import Module


class Coupling(Transform):
    """One coupling layer of vectors (B, D), (1) to (4).

    Args:
        mask: m, bools (D,) or zeros and ones: which dimensions pass through. Any, as long as some do and some do not.
        net: from the n dimensions that pass, and C numbers of context, (B, n + C), to the parameters of all the others,
            (B, (D − n) P): those of the first of them come first.
        scalar_map: g, with its P numbers.

    Raises:
        TypeError: for a net that is no Module, or a scalar_map that is none; for a masked array as the mask.
        ValueError: for a mask that is not of zeros and ones, or passes everything or nothing; in ``forward`` and
            ``inverse``, for x that is not (B, D), a context that is not (B, C), or a net to which x and context, or
            whose output, do not fit.

    >>> from scratchgen.flows import AffineMap
    >>> from scratchgen.nn import MLP
    >>> f = Coupling([1, 0, 1], MLP([2, 8, 2], rng=0, dtype=np.float64), AffineMap())
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> z, logabsdet = f(x)
    >>> z.data[:, [0, 2]]
    array([[1., 3.]])
    >>> np.allclose(f.inverse(z)[0].data, x)
    True
    """

    def __init__(self, mask: Any, net: Module, scalar_map: ScalarMap) -> None:
        if not isinstance(net, Module):
            raise TypeError(f"net is a {type(net).__name__}; it must be a Module, such as MLP([…], rng)")
        self.mask, self.net, self.scalar_map = checked_mask(mask), net, require_scalar_map(scalar_map)
        self.passing, self.others = places(self.mask), places(~self.mask)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: (1) and (2), and log |det ∂z/∂x| (3)."""
        return self.mapped(self.scalar_map.forward, x, context)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: (4), and log |det ∂x/∂z|."""
        return self.mapped(self.scalar_map.inverse, z, context)

    def mapped(self, apply: Any, h: Any, context: Any) -> Mapped:
        """One direction of the scalar map on the dimensions that do not pass."""
        require_vectors(h, len(self.mask))
        passing, others = h[:, self.passing], h[:, self.others]
        image, log_slopes = apply(others, self.theta(passing, context))
        return merge_columns(passing, image, self.passing, self.others), np.sum(log_slopes, axis=1)

    def theta(self, passing: Any, context: Any) -> Any:
        """The parameters of the others, (B, D − n, P), from those that pass, (B, n)."""
        seen = with_context(passing, context)
        others, numbers = int(np.sum(~self.mask)), self.scalar_map.numbers
        try:
            theta = self.net(seen)
        except ValueError as error:
            n = passing.shape[1]
            raise ValueError(
                f"net refuses the {n} dimensions that pass and {seen.shape[1] - n} numbers of context: {error}"
            ) from error
        if theta.shape != (len(passing), others * numbers):
            raise ValueError(
                f"net gives {theta.shape}; it must be ({len(passing)}, {others * numbers}): {numbers} numbers for each "
                f"of {others} dimensions"
            )
        return theta.reshape(-1, others, numbers)


@custom_rule(
    lambda g, y, a, b, where_a, where_b: g[:, where_a],
    lambda g, y, a, b, where_a, where_b: g[:, where_b],
)
def merge_columns(a: Any, b: Any, where_a: Any, where_b: Any) -> Any:
    """Columns a at some places and b at all others, (B, D): one node undoes ``h[:, where_a], h[:, where_b]``.

    >>> merge_columns(np.array([[1.0, 3.0]]), np.array([[2.0]]), slice(0, 3, 2), slice(1, 2))
    array([[1., 2., 3.]])
    """
    h = np.empty((len(a), a.shape[1] + b.shape[1]), np.result_type(a, b))
    h[:, where_a], h[:, where_b] = a, b
    return h


def places(mask: np.ndarray) -> Any:
    """The mask as an index: a slice if its places are evenly spaced, since a view is much faster than a selection.

    >>> places(np.array([True, False, True])), places(np.array([True, True, False, True]))
    (slice(0, 3, 2), array([ True,  True, False,  True]))
    """
    where = np.flatnonzero(mask)
    step = int(where[1] - where[0]) if len(where) > 1 else 1
    evenly = slice(int(where[0]), int(where[-1]) + 1, step)
    return evenly if np.array_equal(np.arange(len(mask))[evenly], where) else mask


def checked_mask(mask: Any) -> np.ndarray:
    """The mask as bools (D,), if something passes and something is left to be transformed.

    Raises:
        ValueError: with what is wrong.

    >>> checked_mask([1, 1])
    Traceback (most recent call last):
    ValueError: mask passes all 2 dimensions: nothing would be transformed; leave at least one out
    """
    mask = np.asarray(unmasked("mask", mask))
    if mask.ndim != 1 or mask.dtype.kind not in "biuf":
        raise ValueError(f"mask is {mask.dtype} of shape {mask.shape}; it must be bools (D,), or zeros and ones")
    wrong = np.flatnonzero((mask != 0) & (mask != 1))
    if wrong.size:
        raise ValueError(f"mask has {mask[wrong[0]]} at {wrong[0]}; it must be bools, or zeros and ones")
    mask = mask.astype(bool)
    if len(mask) < 2:
        raise ValueError(f"mask has {len(mask)} dimensions; a coupling needs at least 2, one of which passes")
    if mask.all():
        raise ValueError(
            f"mask passes all {len(mask)} dimensions: nothing would be transformed; leave at least one out"
        )
    if not mask.any():
        raise ValueError(f"mask passes none of {len(mask)} dimensions: nothing would tell how to transform them")
    return mask


def alternating(dims: int, layer: int) -> np.ndarray:
    """The mask of the layer of that number: every other dimension passes, and in the next layer the others do.

    Raises:
        TypeError, ValueError: for dims or a layer that is no int, dims below 1, or a layer below 0.

    >>> alternating(5, layer=0).astype(int), alternating(5, layer=1).astype(int)
    (array([1, 0, 1, 0, 1]), array([0, 1, 0, 1, 0]))
    """
    require_int("dims", dims)
    require_int("layer", layer, least=0)
    return (np.arange(dims) + layer) % 2 == 0
