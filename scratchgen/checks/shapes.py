"""Samples of the functions that move values about: ``autodiff/shapes.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.autodiff.calculus import identity
from scratchgen.autodiff.shapes import astype, scatter_add
from scratchgen.checks.sample import Sample, signed

ROWS = np.array([2, 0, 2])  # a row is read twice
MASK = np.array([[True, False, True], [False, True, True]])


def several(name: str, function: Any, **shapes: tuple[int, ...]) -> list[Sample]:
    """The same function at several shapes, a keyword for each kind: size_1_axis for "size-1 axis"."""
    kinds = {"size_1_axis": "size-1 axis"}
    return [Sample(name, kinds.get(kind, kind), function, signed(*shape)) for kind, shape in shapes.items()]


EVERY = {"primes": (2, 3, 5), "square": (3, 3, 3), "size-1 axis": (2, 1, 3), "empty": (2, 0, 3)}


def three_axes(name: str, function: Any) -> list[Sample]:
    """The same function of three axes, in every kind that has them."""
    return [Sample(name, kind, function, signed(*shape)) for kind, shape in EVERY.items()]


def indexed(kind: str, index: Any, *shape: int) -> Sample:
    """x[index]."""
    return Sample("getitem", kind, lambda x: x[index], signed(*shape))


def scattered(kind: str, index: Any, shape: tuple[int, ...], *size: int) -> Sample:
    """Values of that size, scattered into zeros of that shape."""
    return Sample("scatter_add", kind, lambda v: scatter_add(v, index, shape), signed(*size))


SAMPLES = [
    *three_axes("reshape", lambda x: np.reshape(x, (x.shape[2], x.shape[0] * x.shape[1]))),
    Sample("reshape", "unknown length", lambda x: x.reshape(-1, 2), signed(3, 2)),
    Sample("reshape", "0-d", lambda x: np.reshape(x, (1, 1)), signed()),
    *three_axes("ravel", np.ravel),
    Sample("ravel", "0-d", np.ravel, signed()),
    *three_axes("expand_dims", lambda x: np.expand_dims(x, 1)),
    Sample("expand_dims", "axis", lambda x: np.expand_dims(x, -1), signed(2, 3)),
    Sample("expand_dims", "axes", lambda x: np.expand_dims(x, (0, -1)), signed(2, 3)),
    Sample("expand_dims", "0-d", lambda x: np.expand_dims(x, 0), signed()),
    *several("squeeze", np.squeeze, primes=(2, 3), square=(3, 1, 3), size_1_axis=(1, 3, 1), empty=(0, 1)),
    Sample("squeeze", "size-1 axis", lambda x: np.squeeze(x, axis=(0, -1)), signed(1, 3, 1)),
    Sample("squeeze", "axis", lambda x: np.squeeze(x, axis=-1), signed(1, 3, 1)),
    Sample("squeeze", "axes", lambda x: np.squeeze(x, axis=(0, 2)), signed(1, 3, 1)),
    Sample("squeeze", "0-d", np.squeeze, signed()),
    *three_axes("swapaxes", lambda x: np.swapaxes(x, 0, -1)),
    Sample("swapaxes", "axis", lambda x: x.swapaxes(-1, 1), signed(2, 3, 5)),
    *three_axes("moveaxis", lambda x: np.moveaxis(x, 0, -1)),
    Sample("moveaxis", "permutation", lambda x: np.moveaxis(x, (0, 1, 2), (1, -1, 0)), signed(2, 3, 5)),
    *three_axes("transpose", np.transpose),
    Sample("transpose", "permutation", lambda x: np.transpose(x, (1, 2, 0)), signed(2, 3, 5)),
    Sample("transpose", "permutation", lambda x: x.transpose(-2, 0, 1, -1), signed(2, 3, 2, 2)),
    Sample("transpose", "permutation", lambda x: np.transpose(x, (2, 0, 1)), signed(3, 3, 3)),
    Sample("transpose", "0-d", np.transpose, signed()),
    *three_axes("flip", np.flip),
    Sample("flip", "axis", lambda x: np.flip(x, -1), signed(2, 3)),
    Sample("flip", "axes", lambda x: np.flip(x, (0, 2)), signed(2, 3, 5)),
    Sample("flip", "0-d", np.flip, signed()),
    *three_axes("roll", lambda x: np.roll(x, 2)),
    Sample("roll", "axis", lambda x: np.roll(x, 1, axis=-1), signed(2, 5)),
    Sample("roll", "axes", lambda x: np.roll(x, (1, -2), axis=(0, 1)), signed(3, 5)),
    Sample("roll", "0-d", lambda x: np.roll(x, 1), signed()),
    *several("broadcast_to", lambda x: np.broadcast_to(x, (2, *x.shape)), primes=(3, 5), square=(2, 2), empty=(0, 3)),
    Sample("broadcast_to", "size-1 axis", lambda x: np.broadcast_to(x, (2, 3, 5)), signed(3, 1)),
    Sample("broadcast_to", "row", lambda x: np.broadcast_to(x, (2, 3)), signed(1, 3)),
    Sample("broadcast_to", "0-d", lambda x: np.broadcast_to(x, (2, 3)), signed()),
    *(
        sample
        for f in (np.tril, np.triu)
        for sample in (
            *several(f.__name__, f, primes=(2, 3, 5), square=(3, 3), size_1_axis=(1, 3), empty=(0, 3)),
            Sample(f.__name__, "offset", lambda x, f=f: f(x, 1), signed(3, 5)),
            Sample(f.__name__, "negative offset", lambda x, f=f: f(x, k=-1), signed(5, 3)),
        )
    ),
    *several("diagonal", np.diagonal, primes=(3, 5), square=(3, 3), size_1_axis=(1, 3), empty=(0, 3)),
    Sample("diagonal", "axis", lambda x: np.diagonal(x, axis1=1, axis2=-1), signed(2, 3, 5)),
    Sample("diagonal", "axis", lambda x: np.diagonal(x, 1, 2, 0), signed(2, 3, 5)),
    Sample("diagonal", "negative offset", lambda x: np.diagonal(x, -1), signed(5, 3)),
    *three_axes("astype", lambda x: astype(x, x.dtype)),
    Sample("astype", "0-d", lambda x: astype(x, x.dtype), signed()),
    *three_axes("identity", identity),
    Sample("identity", "0-d", identity, signed()),
    # index and scatter
    *three_axes("getitem", lambda x: x[1:, ..., ::2]),
    indexed("0-d", (), *()),
    indexed("0-d", np.newaxis, *()),
    indexed("integer", 1, 3, 2),
    indexed("integer", (-1, slice(None), 0), 2, 3, 5),
    indexed("negative step", (slice(None, None, -2), slice(3, 0, -1)), 3, 5),
    indexed("new axis", (np.newaxis, ..., 1), 2, 3),
    indexed("duplicate indices", ROWS, 3, 2),
    indexed("duplicate indices", [0, 0, -1], 3),
    indexed("duplicate indices", (ROWS, np.array([1, 1, 1])), 3, 2),
    indexed("duplicate indices", (slice(None), ROWS[:, None], np.array([0, 1, 1])), 2, 3, 2),
    indexed("duplicate indices", (ROWS, slice(None), np.array([0, 4, 0])), 3, 2, 5),
    indexed("mask", MASK, 2, 3),
    indexed("mask", (slice(None), np.array([True, False, True])), 2, 3),
    indexed("nothing", slice(0, 0), 2, 3),
    scattered("primes", (slice(1, 4), slice(None, None, 2)), (5, 3), 3, 2),
    scattered("square", ROWS, (3, 3), 3, 3),
    scattered("0-d", 2, (3,), *()),
    scattered("size-1 axis", (slice(1, 2),), (3, 2), 1, 2),
    scattered("empty", slice(0, 0), (3,), 0),
    scattered("duplicate indices", ROWS, (5, 2), 3, 2),
    scattered("duplicate indices", (ROWS, np.array([1, 1, 1])), (3, 2), 3),
    scattered("mask", MASK, (2, 3), 4),
    *several("take", lambda x: np.take(x, [1, 0, 1], axis=1), primes=(2, 3), square=(3, 3)),
    Sample("take", "flattened", lambda x: x.take([5, 0, 5]), signed(2, 3)),
    Sample("take_along_axis", "primes", lambda x: np.take_along_axis(x, np.argsort(x, 1), 1), signed(2, 3)),
    Sample("take_along_axis", "duplicate indices", lambda x: np.take_along_axis(x, ROWS[None], -1), signed(2, 3)),
    Sample("take_along_axis", "flattened", lambda x: np.take_along_axis(x, ROWS, None), signed(2, 3)),
    Sample("repeat", "primes", lambda x: np.repeat(x, 2, axis=1), signed(2, 3)),
    Sample("repeat", "flattened", lambda x: np.repeat(x, 3), signed(2, 3)),
    Sample("repeat", "counts", lambda x: np.repeat(x, [2, 0, 1], axis=-1), signed(2, 3)),
    *several("tile", lambda x: np.tile(x, (2, 1, 3)), primes=(2, 3), square=(2, 2)),
    *several("diag", np.diag, primes=(3, 5), square=(3, 3)),
    Sample("diag", "from a vector", lambda x: np.diag(x, -1), signed(3)),
    Sample("pad", "primes", lambda x: np.pad(x, ((1, 0), (2, 3))), signed(2, 3)),
    Sample("pad", "constant", lambda x: np.pad(x, 1, constant_values=2.0), signed(2, 3)),
    *(
        Sample("pad", m, lambda x, m=m: np.pad(x, ((0, 2), (1, 1)), m), signed(3, 2))
        for m in ("edge", "reflect", "wrap")
    ),
    # joining and splitting
    Sample(
        "concatenate_flat",
        "primes",
        lambda a, b, c: np.concatenate([a, b, c], 1),
        signed(2, 3),
        signed(2, 1),
        signed(2, 5),
    ),
    Sample("concatenate_flat", "square", lambda a, b: np.concatenate([a, b]), signed(3, 3), signed(3, 3)),
    Sample("concatenate_flat", "size-1 axis", lambda a, b: np.concatenate([a, b], 1), signed(1, 1), signed(1, 3)),
    Sample("concatenate_flat", "empty", lambda a, b: np.concatenate([a, b]), signed(0, 3), signed(2, 3)),
    Sample("concatenate_flat", "axis", lambda a, b: np.concatenate([a, b], axis=-1), signed(2, 3), signed(2, 2)),
    Sample("concatenate_flat", "same twice", lambda x: np.concatenate([x, x], 1), signed(2, 3)),
    Sample("concatenate", "flattened", lambda a, b: np.concatenate([a, b], axis=None), signed(2, 3), signed(2)),
    Sample("stack", "primes", lambda a, b: np.stack([a, b], axis=1), signed(2, 3), signed(2, 3)),
    Sample("stack", "0-d", lambda a, b: np.stack([a, b, a]), signed(), signed()),
    Sample("split", "primes", lambda x: np.split(x, [1, 3], axis=-1)[1], signed(2, 5)),
    Sample("split", "equal parts", lambda x: np.split(x, 3)[2], signed(3, 2)),
    Sample("vstack", "primes", lambda a, b: np.vstack([a, b]), signed(3), signed(2, 3)),
    Sample("hstack", "primes", lambda a, b: np.hstack([a, b]), signed(2, 3), signed(2, 5)),
    Sample("hstack", "vectors", lambda a, b: np.hstack([a, b]), signed(3), signed(5)),
]
NO_AXES = ("swapaxes", "moveaxis", "tril", "triu", "diagonal", "concatenate_flat")
EXEMPT = {(name, "0-d"): "a number has no axes" for name in NO_AXES}
