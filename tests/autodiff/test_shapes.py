"""Functions that move values about: the same values as NumPy, in every spelling, and the adjoint as gradient."""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, vjp
from scratchgen.autodiff.shapes import scatter_add

X = np.random.default_rng(0).normal(size=(2, 3, 5))

CALLS = {
    "reshape": lambda x: np.reshape(x, (5, -1)),
    "x.reshape": lambda x: x.reshape(5, 6),
    "transpose": np.transpose,
    "transpose to": lambda x: np.transpose(x, (1, 2, 0)),
    "negative axes": lambda x: np.transpose(x, (-2, 2, 0)),
    "swapaxes": lambda x: np.swapaxes(x, 0, -1),
    "moveaxis": lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
    "expand_dims": lambda x: np.expand_dims(x, (0, 2)),
    "squeeze": lambda x: np.squeeze(x[:, :1], axis=1),
    "broadcast_to": lambda x: np.broadcast_to(x, (4, 2, 3, 5)),
    "ravel": np.ravel,
    "flip": lambda x: np.flip(x, (0, 2)),
    "flip all": np.flip,
    "roll": lambda x: np.roll(x, 2, axis=1),
    "roll flat": lambda x: np.roll(x, 7),
    "roll two": lambda x: np.roll(x, (1, -2), axis=(0, 2)),
    "tril": lambda x: np.tril(x, -1),
    "triu": lambda x: np.triu(x, 1),
    "diagonal": lambda x: np.diagonal(x, 1, 0, 2),
    "diagonal below": lambda x: np.diagonal(x, -1, 2, 1),
    "diag of a matrix": lambda x: np.diag(x[0], 1),
    "diag of a vector": lambda x: np.diag(x[0, 0], -2),
    "concatenate": lambda x: np.concatenate([x, 2.0 * x, np.ones((2, 3, 1))], axis=-1),
    "concatenate flat": lambda x: np.concatenate([x, x], axis=None),
    "stack": lambda x: np.stack([x, x * x], axis=1),
    "stack last": lambda x: np.stack([x, x * x], axis=-1),
    "vstack": lambda x: np.vstack([x[0, 0], x[1, 2]]),
    "hstack": lambda x: np.hstack([x, x]),
    "hstack of vectors": lambda x: np.hstack([x[0, 0], x[1, 2]]),
    "split": lambda x: np.split(x, [1, 1, 4], axis=2)[2],
    "split empty": lambda x: np.split(x, [1, 1, 4], axis=2)[1],
    "split evenly": lambda x: np.split(x, 3, axis=1)[1],
    "pad": lambda x: np.pad(x, ((0, 0), (1, 2), (3, 0))),
    "pad all": lambda x: np.pad(x, 1, constant_values=7.0),
    "pad edge": lambda x: np.pad(x, 2, mode="edge"),
    "pad reflect": lambda x: np.pad(x, ((0, 0), (1, 1), (2, 2)), mode="reflect"),
    "pad wrap": lambda x: np.pad(x, 1, "wrap"),
    "repeat": lambda x: np.repeat(x, 3, axis=1),
    "repeat flat": lambda x: np.repeat(x, 2),
    "repeat unevenly": lambda x: np.repeat(x, [0, 2, 1], axis=1),
    "tile": lambda x: np.tile(x, (2, 1, 3)),
    "tile up": lambda x: np.tile(x, (2, 1, 1, 1)),
    "take": lambda x: np.take(x, [2, 0, 2], axis=1),
    "take flat": lambda x: np.take(x, [[2, 0], [2, 29]]),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[[1, 1, 4]]]), axis=2),
    "take_along_axis first": lambda x: np.take_along_axis(x, np.argsort(X, axis=0)[:1], axis=0),
    "take_along_axis flat": lambda x: np.take_along_axis(x, np.array([3, 3, 1]), axis=None),
    "slice": lambda x: x[1:, ::-2, 3],
    "ellipsis": lambda x: x[..., None, 1:3],
    "mask": lambda x: x[X > 0],
    "integers": lambda x: x[[0, 1, 0], :, [4, 4, 0]],
    "duplicates": lambda x: x[np.array([1, 1, 1])],
    "list": lambda x: x[[1, 1]],
    "duplicates in a tuple": lambda x: x[:, (0, 0, 1)],
    "take a tuple": lambda x: np.take(x, (0, 0, 1), axis=1),
    "take a tuple flat": lambda x: np.take(x, (0, 7, 7)),
    "one element": lambda x: x[1, 2, 3],
}


@pytest.mark.parametrize("name", CALLS)
def test_same_values_as_numpy_and_the_adjoint_as_gradient(name):
    call = CALLS[name]
    expected = call(X)
    y, pull_back = vjp(call, X)
    np.testing.assert_array_equal(y, expected)
    # The functions are linear up to constants and the squares above, so a central difference is exact to rounding.
    rng = np.random.default_rng(1)
    w, v = rng.normal(size=y.shape), rng.normal(size=X.shape)
    change = (call(X + v) - call(X - v)) / 2
    assert np.sum(w * change) == pytest.approx(np.sum(pull_back(w)[0] * v), rel=1e-12, abs=1e-12)


def test_scatter_add_adds_where_an_index_occurs_twice():
    np.testing.assert_array_equal(scatter_add(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 0]), (3,)), [5, 0, 2])
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[np.array([0, 0, 2])].backward(np.array([1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(x.grad, [11, 0, 100])


def test_a_permutation_that_is_not_its_own_inverse():
    x = Tensor(X, requires_grad=True)
    w = np.random.default_rng(2).normal(size=(3, 5, 2))
    np.transpose(x, (1, 2, 0)).backward(w)
    np.testing.assert_array_equal(x.grad, np.transpose(w, (2, 0, 1)))


def test_an_index_out_of_range_is_numpys_error():
    with pytest.raises(IndexError, match="out of bounds"):
        Tensor(X)[2]


@pytest.mark.parametrize("options", [{"mode": "mean"}, {"mode": "maximum"}, {"constant_values": (5.0, 6.0)}])
def test_pads_that_compute_new_values_are_refused(options):
    with pytest.raises(TypeError, match=r"np\.pad has no derivative rule with mode="):
        np.pad(Tensor([3.0, 1.0]), 1, **options)


def test_a_padded_constant_keeps_float32():
    assert np.pad(Tensor(np.ones(2, np.float32)), 1, constant_values=7.0).dtype == np.float32
