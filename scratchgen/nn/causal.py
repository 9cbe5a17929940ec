"""Convolutions that do not see the future: each place adds up places at given offsets, all of them in its past.

For x of (batch, places along one or two axes, channels), with zeros where i + o lies outside of x,

    y[n, i] = b + Σ_o x[n, i + o] @ W[o],    o over a list of offsets                              (1)

An offset is a step for each axis of places. A *masked* convolution is the same sum over a whole kernel, with zeros in
W where o would reach the future. Here those terms are left out, so there is no mask to apply, or to forget, and no
value of the future is even multiplied by zero: 0 · NaN would be NaN. In raster order (row by row, from left to right)
the past of a place is

    type A   o < 0     all before it: the first layer of a model, which must not see x[i] itself     (2)
    type B   o ≤ 0     itself too: the layers above, whose input at i knows only x before i          (3)

where o = (row, column) is compared like a word in a dictionary, row first.

Sources: van den Oord et al., Pixel recurrent neural networks, arXiv:1601.06759, §3.4 (types A and B); WaveNet,
arXiv:1609.03499, §2.1 (causal and dilated convolutions). Lecture p. 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchgen.autodiff import Tensor, linear
from scratchgen.nn.initialisations import Initialisation, uniform, uniform_fan_in
from scratchgen.nn.inputs import check_dtype, check_sizes
from scratchgen.nn.module import Module
from scratchgen.random import Rng, generator

Offset = tuple[int, ...]


def past_1d(kernel: int, present: bool, dilation: int = 1) -> list[Offset]:
    """``kernel`` places of a sequence, ``dilation`` apart, up to the present (3), or without it (2).

    >>> past_1d(3, present=True, dilation=4)
    [(-8,), (-4,), (0,)]
    >>> past_1d(3, present=False)
    [(-3,), (-2,), (-1,)]
    """
    check_sizes(kernel=kernel, dilation=dilation)
    last = 0 if present else dilation
    return [(-dilation * k - last,) for k in reversed(range(kernel))]


def past_2d(reach: int, present: bool) -> list[Offset]:
    """The places up to ``reach`` away that a masked square kernel keeps: all rows above, and its own row up to itself.

    >>> past_2d(1, present=False)
    [(-1, -1), (-1, 0), (-1, 1), (0, -1)]
    """
    check_sizes(reach=reach)
    square = [(i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]
    return [o for o in square if o < (0, 0) or (present and o == (0, 0))]  # tuples compare as words do


def shifted(x: Any, offsets: Sequence[Offset]) -> Any:
    """The channels of x at i + o for each offset o, side by side: the terms of (1) before they meet W.

    Args:
        x: (batch, …, channels), where … are the axes of places.
        offsets: a step for each axis of places.

    Returns:
        (batch, …, number of offsets · channels), with zeros where i + o lies outside.

    >>> shifted(np.array([[[1.0], [2.0], [3.0]]]), [(-2,), (0,)])[0]
    array([[0., 1.],
           [0., 2.],
           [1., 3.]])
    """
    size = x.shape[1:-1]
    before = [max(0, -min(steps)) for steps in zip(*offsets)]
    after = [max(0, max(steps)) for steps in zip(*offsets)]
    for axis, (first, last) in enumerate(zip(before, after), start=1):
        x = surrounded(x, axis, first, last)
    windows = [(slice(None), *(slice(f + step, f + step + n) for f, step, n in zip(before, o, size))) for o in offsets]
    return np.concatenate([x[window] for window in windows], axis=-1)


def surrounded(x: Any, axis: int, before: int, after: int) -> Any:
    """x with so many zeros at the two ends of an axis."""
    ends = [np.zeros((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype) for n in (before, after)]
    return np.concatenate([ends[0], x, ends[1]], axis=axis) if before or after else x


class CausalConv(Module):
    """The convolution (1) over given offsets into the past.

    Args:
        n_in, n_out: the numbers of channels of x and of y.
        offsets: one step for each axis of places, such as ``past_1d`` and ``past_2d`` list them.
        rng: draws W, and b uniformly between ±1/√fan_in.
        by_rows: of (row, column) only the row counts as time, so that an offset in the own row may lead to the right:
            for an x that knows, all along a row, no more than the rows above it.
        initialise: draws W, one of ``nn.initialisations``.
        dtype: of W and b.

    Attributes:
        W: (number of offsets, n_in, n_out).
        b: (n_out,).

    Raises:
        ValueError: for no offsets, offsets of different lengths, the same twice, or one that leads to the future; in
            ``forward``, for x of another shape.
        TypeError: in ``forward``, for x of another dtype.

    >>> layer = CausalConv(1, 4, past_1d(3, present=False), rng=0)
    >>> layer(np.zeros((5, 64, 1), dtype=np.float32)).shape
    (5, 64, 4)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        offsets: Sequence[Offset],
        rng: Rng,
        by_rows: bool = False,
        initialise: Initialisation = uniform_fan_in,
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(n_in=n_in, n_out=n_out)
        self.offsets = checked_offsets(offsets, by_rows)
        rng, k = generator(rng), len(self.offsets)
        self.W = Tensor(initialise((k, n_in, n_out), rng, dtype=dtype), requires_grad=True)
        self.b = Tensor(uniform((n_out,), (k * n_in) ** -0.5, rng, dtype), requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        """(batch, …, n_in) → (batch, …, n_out), where … has as many axes as an offset has steps."""
        check_dtype(x, self.W)
        k, n_in, n_out = self.W.shape
        axes = len(self.offsets[0])
        if x.ndim != axes + 2 or x.shape[-1] != n_in:
            hint = ": x[..., None] adds the axis of channels" if x.ndim == axes + 1 and n_in == 1 else ""
            raise ValueError(f"x has shape {x.shape}, expected (batch{', places' * axes}, {n_in}){hint}")
        return linear(shifted(x, self.offsets), self.W.reshape(k * n_in, n_out), self.b)


def checked_offsets(offsets: Sequence[Offset], by_rows: bool = False) -> list[Offset]:
    """The offsets as tuples of ints.

    Raises:
        ValueError: for those that no causal convolution has.
    """
    found = [tuple(np.ravel(offset).tolist()) for offset in offsets]
    if any(isinstance(step, bool) or not isinstance(step, int) for offset in found for step in offset):
        raise ValueError(f"offsets is {found}; their steps are integers")
    if not found or len({len(o) for o in found}) > 1 or not found[0] or len(set(found)) < len(found):
        raise ValueError(f"offsets is {found}; give at least one, all of the same length and each once")
    future = [o for o in found if (o[:1] if by_rows else o) > (0,) * (1 if by_rows else len(o))]
    if future:
        raise ValueError(f"offsets {future} lead to the future; those of a causal convolution are at most 0")
    return found
