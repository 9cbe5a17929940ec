"""Invertible maps, the one interface of all flows, and how they are composed (lecture p. 11).

A transform f takes data x to noise z = f(x), one to one, and each direction comes with the logarithm of how much it
stretches volume there:

    forward    x ↦ z = f(x),      log |det ∂z/∂x|                        data → noise           (1)
    inverse    z ↦ x = f⁻¹(z),    log |det ∂x/∂z| = −log |det ∂z/∂x|     noise → data           (2)

A composition f = f_L ∘ … ∘ f_1 multiplies the Jacobians, so the logarithms of their determinants add:

    log |det ∂z/∂x| = Σ_l log |det ∂h_l/∂h_{l−1}|,    h_0 = x, h_l = f_l(h_{l−1}), h_L = z       (3)

Each term is taken at the h that its transform was given. Backwards the same holds, in the opposite order.

Source: Papamakarios et al., Normalizing Flows for Probabilistic Modeling and Inference, arXiv:1912.02762, section 2.1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.nn import Module
from scratchgen.nn.inputs import check_array

Mapped = tuple[Any, Any]  # the image of a batch, of its shape, and log |det| for each row, (B,)


class Transform(Module, ABC):
    """An invertible map of vectors, (B, D), or of arrays, (B, …), with parameters; ``context`` is (B, C) or None.

    Calling it is ``forward``, data → noise.

    Raises:
        TypeError: for what is no array.
    """

    def __call__(self, x: Any, context: Any = None) -> Mapped:
        check_array(x)
        return self.forward(x, context)

    @abstractmethod
    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise (1): z, of the shape of x, and log |det ∂z/∂x|, (B,)."""

    @abstractmethod
    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data (2): x, of the shape of z, and log |det ∂x/∂z|, (B,)."""


class Composite(Transform):
    """f_L ∘ … ∘ f_1 (3).

    Args:
        transforms: f_1, …, f_L: the first is the one next to the data.

    Raises:
        TypeError: for what is no Transform.
        ValueError: for none of them.

    >>> from scratchgen.flows import Reverse
    >>> f = Composite([Reverse(), Reverse()])
    >>> z, logabsdet = f(np.array([[1.0, 2.0, 3.0]]))
    >>> z, logabsdet
    (array([[1., 2., 3.]]), array([0.]))
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        if isinstance(transforms, Transform):
            raise TypeError(f"transforms is one {type(transforms).__name__}; give a list of them")
        self.transforms = list(transforms)
        if not self.transforms:
            raise ValueError("transforms is empty; give at least one")
        for transform in self.transforms:
            require_transform("transforms", transform)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: f_1 first; log |det ∂z/∂x| (3)."""
        return through([transform.forward for transform in self.transforms], x, context)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: f_L⁻¹ first; log |det ∂x/∂z|."""
        return through([transform.inverse for transform in reversed(self.transforms)], z, context)


class Inverse(Transform):
    """f⁻¹ as a transform: what f does from noise to data, it does from data to noise.

    Often one direction costs more than the other. A density goes through ``forward``, a sample through ``inverse``: so
    an f that is cheap forward is taken as it is where densities are wanted, and turned round where samples are.

    Args:
        transform: f.

    >>> from scratchgen.flows import Exp
    >>> z, logabsdet = Inverse(Exp())(np.array([[2.0]]))  # log x, and log |1/x|
    >>> z.round(4), logabsdet.round(4)
    (array([[0.6931]]), array([-0.6931]))
    """

    def __init__(self, transform: Transform) -> None:
        require_transform("transform", transform)
        self.transform = transform

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: x ↦ f⁻¹(x), with its own log |det|."""
        return self.transform.inverse(x, context)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: z ↦ f(z), with its own log |det|."""
        return self.transform.forward(z, context)


def through(maps: Sequence[Any], h: Any, context: Any) -> Mapped:
    """Apply the maps in turn, and add their log-determinants up (3)."""
    check_array(h)
    total: Any = 0.0
    for apply in maps:
        h, logabsdet = apply(h, context)
        total = total + logabsdet
    return h, total


def sum_but_first(x: Any) -> Any:
    """Σ over all axes but the first, (B,): from logarithms of derivatives of each number to one of each row.

    >>> sum_but_first(np.ones((2, 3, 4)))
    array([12., 12.])
    """
    return np.sum(x, axis=tuple(range(1, x.ndim)))


def require_transform(name: str, value: Any) -> None:
    """Refuse what is no Transform, such as its class.

    Raises:
        TypeError: with what it is.
    """
    if not isinstance(value, Transform):
        given = f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
        raise TypeError(f"{name}: {given} is no Transform; give objects such as Reverse()")
