"""Rotations and reflections as products of Householder's reflections (lecture p. 11): |det| is 1.

    H_v = I − 2 v vᵀ / vᵀv        reflects v to −v, and leaves alone what is orthogonal to it        (1)
    Q = H_1 H_2 … H_K             any orthogonal matrix of D dimensions, by at most D of them        (2)

Multiplied out one by one, that is K steps. With V = (v_1, …, v_K) as columns they make one:

    Q = I − V S⁻¹ Vᵀ,    S = the part of VᵀV above its diagonal + ½ of its diagonal                  (3)

For K = 1, S is the number ½ vᵀv, and (3) is (1). One more reflection makes Q H_v = Q − 2 Q v vᵀ / vᵀv, and (3) agrees:
v is a new column of V, so S gets the new column (Vᵀv, ½ vᵀv), its inverse the new column (−S⁻¹ Vᵀv, 1) 2 / vᵀv, and
what that subtracts in (3) is (−V S⁻¹ Vᵀv + v) (2 / vᵀv) vᵀ = 2 Q v vᵀ / vᵀv.

Sources: Tomczak and Welling, Improving Variational Auto-Encoders using Householder Flow, arXiv:1611.09630, for (2) as a
flow; Joffrain et al., Accumulating Householder transformations, revisited, 2006, for (3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, solve_triangular
from scratchgen.flows.arguments import require_vectors
from scratchgen.flows.transform import Mapped, Transform
from scratchgen.nn.inputs import check_sizes
from scratchgen.random import Rng, generator


class Orthogonal(Transform):
    """z = x Q (3), a random orthogonal matrix at first.

    Args:
        dims: D.
        rng: draws V, normal.
        reflections: K, D by default; with an even K Q is a rotation, with an odd one there is a mirror in it.
        dtype: of V.

    Attributes:
        V: (D, K); the lengths of its columns do not matter.

    Raises:
        ValueError: in both directions, for a column of length 0.

    >>> f = Orthogonal(2, rng=0, reflections=1, dtype=np.float64)
    >>> f.V = np.array([[3.0], [0.0]])
    >>> z, logabsdet = f(np.array([[5.0, 7.0]]))
    >>> z.data, logabsdet
    (array([[-5.,  7.]]), array([0.]))
    """

    def __init__(self, dims: int, rng: Rng, reflections: int | None = None, dtype: Any = np.float32) -> None:
        reflections = dims if reflections is None else reflections
        check_sizes(dims=dims, reflections=reflections)
        self.V = Tensor(generator(rng).standard_normal((dims, reflections)).astype(dtype), requires_grad=True)

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: x Q = x − x V S⁻¹ Vᵀ."""
        return self.turned(x, transpose=True)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: z Qᵀ = z − z V S⁻ᵀ Vᵀ."""
        return self.turned(z, transpose=False)

    def turned(self, h: Any, transpose: bool) -> Mapped:
        """h − h V S⁻¹ Vᵀ, for which Sᵀ yᵀ = (h V)ᵀ is solved; without the transpose, the same with Sᵀ for S."""
        require_vectors(h, len(self.V))
        empty = np.flatnonzero(~self.V.data.any(axis=0))
        if empty.size:
            raise ValueError(f"columns {empty.tolist()} of V are 0, and have no direction to reflect")
        products = self.V.T @ self.V
        S = np.triu(products, 1) + np.diag(0.5 * np.diagonal(products))
        y = solve_triangular(S, (h @ self.V).T, lower=False, transpose=transpose).T
        return h - y @ self.V.T, np.zeros(len(h), h.dtype)
