"""Whole flows, of several layers (lecture p. 11).

    coupling_stack          the masks alternate: what passes in one layer is transformed in the next
    autoregressive_stack    the order is reversed from layer to layer

With ``AffineMap()`` these are RealNVP and MAF, with ``SplineMap()`` neural spline flows. Turned round by ``Inverse``,
an autoregressive stack is an IAF. Next to the data there is an ``ActNorm``: the identity, until ``start(f, x)`` lets
it take the mean and standard deviation of some data.

Sources: Dinh et al., Density estimation using Real NVP, arXiv:1605.08803, section 3.5; Papamakarios et al., Masked
Autoregressive Flow for Density Estimation, arXiv:1705.07057, section 3.1; Durkan et al., Neural Spline Flows,
arXiv:1906.04032, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.distributions.numbers import require_int
from scratchgen.flows.coupling import Coupling, alternating, checked_mask
from scratchgen.flows.masked import MaskedAutoregressive, MaskedNet
from scratchgen.flows.normalisation import ActNorm
from scratchgen.flows.scalar_maps import ScalarMap, require_scalar_map
from scratchgen.flows.transform import Composite
from scratchgen.nn import MLP
from scratchgen.nn.activations import Activation
from scratchgen.nn.inputs import check_hidden, check_sizes
from scratchgen.random import Rng, generator


def coupling_stack(
    dims: int,
    layers: int,
    scalar_map: ScalarMap,
    hidden: Sequence[int],
    rng: Rng,
    context: int = 0,
    activation: str | Activation = "relu",
    dtype: Any = np.float32,
) -> Composite:
    """Couplings with alternating masks, each with an MLP of its own.

    Args:
        dims: D, at least 2.
        layers: how many couplings. With fewer than two, some dimensions are left as they are.
        scalar_map: by which all of them map numbers.
        hidden: the widths of the hidden layers of each MLP.
        rng: draws the weights.
        context: how many numbers of context there are.
        activation: of the hidden layers, a function or a name, see ``nn.activations``.
        dtype: of the parameters.

    Raises:
        TypeError: for a scalar_map that is none; for a context that is no int.
        ValueError: for sizes less than 1, or D = 1.

    >>> from scratchgen.distributions import Independent, Normal
    >>> from scratchgen.flows import AffineMap, Flow
    >>> flow = Flow(coupling_stack(3, 2, AffineMap(), [16], rng=0, dtype=np.float64),
    ...             Independent(Normal(np.zeros(3), np.zeros(3)), 1))
    >>> flow.log_prob(flow.sample(5, rng=0)).shape
    (5,)
    """
    check_sizes(dims=dims, layers=layers)
    check_hidden(hidden)
    require_int("context", context, least=0)
    require_scalar_map(scalar_map)
    rng = generator(rng)

    def coupling(layer: int) -> Coupling:
        mask = checked_mask(alternating(dims, layer))
        passing = int(mask.sum())
        sizes = [passing + context, *hidden, (dims - passing) * scalar_map.numbers]
        return Coupling(mask, MLP(sizes, rng, activation, dtype=dtype), scalar_map)

    return Composite([ActNorm(dims, dtype), *map(coupling, range(layers))])


def autoregressive_stack(
    dims: int,
    layers: int,
    scalar_map: ScalarMap,
    hidden: Sequence[int],
    rng: Rng,
    context: int = 0,
    activation: str | Activation = "relu",
    dtype: Any = np.float32,
) -> Composite:
    """Masked autoregressive layers, in the order 0 … D − 1 and its reverse by turns.

    Args:
        dims: D.
        layers: how many.
        scalar_map, hidden, rng, context, activation, dtype: as of ``coupling_stack``.

    Raises:
        TypeError: for a scalar_map that is none; for a context that is no int.
        ValueError: for sizes less than 1; for hidden layers too narrow for D.

    >>> from scratchgen.flows import AffineMap
    >>> f = autoregressive_stack(3, 2, AffineMap(), [16], rng=0)
    >>> [layer.net.order.tolist() for layer in f.transforms[1:]]
    [[0, 1, 2], [2, 1, 0]]
    """
    check_sizes(dims=dims, layers=layers)
    require_int("context", context, least=0)
    require_scalar_map(scalar_map)
    rng, order = generator(rng), np.arange(dims)

    def masked(layer: int) -> MaskedAutoregressive:
        turned = order[::-1] if layer % 2 else order
        net = MaskedNet(dims, scalar_map.numbers, hidden, rng, turned, context, activation, dtype)
        return MaskedAutoregressive(net, scalar_map)

    return Composite([ActNorm(dims, dtype), *map(masked, range(layers))])
