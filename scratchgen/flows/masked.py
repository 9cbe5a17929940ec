"""Masked autoregressive flows: each dimension is mapped as the ones before it tell (lecture p. 11).

    z_j = g(x_j; θ_j),    θ_j = net_j(x_{<j}, c)                  forward, data → noise          (1)
    log |det ∂z/∂x| = Σ_j log g′(x_j; θ_j)                                                       (2)
    x_j = g⁻¹(z_j; θ_j),  θ_j = net_j(x_{<j}, c)                  inverse, noise → data          (3)

with an increasing function g, and "before" in any order of the dimensions. The Jacobian of (1) is triangular, with g′
on the diagonal; so its determinant costs nothing, however the network mixes the x. A masked network, MADE's, gives all
θ in one pass.

The price is (3): θ_j wants the x before it, which are not there yet. They come one after the other, each by a pass of
the network, *D passes* in all:

    MaskedAutoregressive             density: 1 pass     samples: D passes     MAF
    Inverse(MaskedAutoregressive)    density: D passes   samples: 1 pass       IAF

Both are the same maps, read in opposite directions: MAF for the likelihood of data, IAF to sample, and to know the
density of what was sampled, as a variational posterior has to.

With an affine g, normal noise and one layer, x_j given x_{<j} is normal with mean b and standard deviation e^a: that is
MADE with normal conditionals. More layers, or another g, can do what it cannot.

Sources: Papamakarios, Pavlakou and Murray, Masked Autoregressive Flow for Density Estimation, arXiv:1705.07057; Kingma
et al., Improving Variational Inference with Inverse Autoregressive Flow, arXiv:1606.04934.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff.shapes import scatter_add
from scratchgen.autoregressive.masks import masks, permutation
from scratchgen.distributions.numbers import require_int
from scratchgen.flows.arguments import require_rows, require_vectors
from scratchgen.flows.scalar_maps import ScalarMap, require_scalar_map
from scratchgen.flows.transform import Mapped, Transform
from scratchgen.nn import MaskedLinear, Module
from scratchgen.nn.activations import Activation
from scratchgen.nn.inputs import check_hidden, check_sizes
from scratchgen.random import Rng, generator


class MaskedNet(Module):
    """P numbers for each of D dimensions, which depend on the dimensions before it, and on all of a context.

    Args:
        dims: D.
        numbers: P, such as ``AffineMap.numbers``.
        hidden: the widths of the hidden layers.
        rng: draws the weights.
        order: the dimensions, each after those that it depends on; None for 0 … D − 1.
        context: C, how many numbers of context there are.
        activation: of the hidden layers, a function or a name, see ``nn.activations``.
        dtype: of the weights.

    Raises:
        TypeError: for a context that is no int.
        ValueError: for sizes less than 1, a context below 0; an order that is no permutation of 0 … D − 1; hidden
            layers that are too narrow, with the inputs that are cut off.

    >>> net = MaskedNet(3, numbers=2, hidden=[8], rng=0)
    >>> net(np.zeros((5, 3), np.float32)).shape
    (5, 3, 2)
    """

    def __init__(
        self,
        dims: int,
        numbers: int,
        hidden: Sequence[int],
        rng: Rng,
        order: Any = None,
        context: int = 0,
        activation: str | Activation = "relu",
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(dims=dims, numbers=numbers)
        check_hidden(hidden)
        require_int("context", context, least=0)
        rng, self.dims, self.numbers, self.context = generator(rng), dims, numbers, context
        self.order = permutation(order, dims)
        *between, last = masks(self.order, hidden, context)
        self.layers = [MaskedLinear(mask, rng, activation, dtype=dtype) for mask in between]
        self.layers.append(MaskedLinear(np.repeat(last, numbers, axis=1), rng, dtype=dtype))

    def forward(self, x: Any, context: Any = None) -> Any:
        """(B, D), and (B, C) if there is a context → (B, D, P).

        Raises:
            ValueError: for a context that is missing, not wanted, or of another width or number of rows.
        """
        if context is not None:
            require_rows(context, len(x))
        given = 0 if context is None else np.shape(context)[1]
        if given != self.context:
            raise ValueError(f"context has {given} numbers; this network wants {self.context}")
        h = x if context is None else np.concatenate([context, x], axis=1)
        for layer in self.layers:
            h = layer(h)
        return h.reshape(-1, self.dims, self.numbers)


class MaskedAutoregressive(Transform):
    """One autoregressive layer of vectors (B, D), (1) to (3): forward in one pass, inverse in D.

    Args:
        net: gives the θ of all dimensions.
        scalar_map: g, with as many numbers as ``net`` gives for each.

    Raises:
        TypeError: for a net that is no MaskedNet, or a scalar_map that is none.
        ValueError: for another number of numbers; in ``forward`` and ``inverse``, for x that is not (B, D).

    >>> from scratchgen.flows import AffineMap
    >>> f = MaskedAutoregressive(MaskedNet(3, 2, hidden=[8], rng=0, dtype=np.float64), AffineMap())
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> z, logabsdet = f(x)
    >>> np.allclose(f.inverse(z)[0].data, x)
    True
    """

    def __init__(self, net: MaskedNet, scalar_map: ScalarMap) -> None:
        if not isinstance(net, MaskedNet):
            raise TypeError(f"net is a {type(net).__name__}; it must be a MaskedNet")
        self.net, self.scalar_map = net, require_scalar_map(scalar_map)
        if net.numbers != scalar_map.numbers:
            raise ValueError(
                f"net gives {net.numbers} numbers for each dimension; the map wants {scalar_map.numbers}: "
                "MaskedNet(dims, scalar_map.numbers, …)"
            )

    def forward(self, x: Any, context: Any = None) -> Mapped:
        """Data → noise: (1), and log |det ∂z/∂x| (2). One pass of the network."""
        require_vectors(x, self.net.dims)
        z, log_slopes = self.scalar_map.forward(x, self.net(x, context))
        return z, np.sum(log_slopes, axis=1)

    def inverse(self, z: Any, context: Any = None) -> Mapped:
        """Noise → data: (3), and log |det ∂x/∂z|. D passes of the network."""
        require_vectors(z, self.net.dims)
        x: Any = np.zeros(z.shape, z.dtype)
        logabsdet: Any = 0.0
        for j in self.net.order.tolist():  # in each pass, what is not known yet is 0; θ_j does not see it
            x_j, log_slope = self.scalar_map.inverse(z[:, j], self.net(x, context)[:, j])
            x = x + scatter_add(x_j, (slice(None), j), z.shape)
            logabsdet = logabsdet + log_slope
        return x, logabsdet
