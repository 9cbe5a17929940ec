"""Embedding: rows by token, equation (1), and the sum over equal tokens, equation (2)."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.nn import Embedding
from scratchgen.nn.embedding import add_rows, lookup

RNG = np.random.default_rng(0)
SHAPES = [(), (1,), (20,), (4, 6), (2, 3, 5), (0,), (3, 0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_lookup_takes_rows(shape: tuple[int, ...]) -> None:
    W, tokens = RNG.normal(size=(7, 3)), RNG.integers(7, size=shape)
    y = lookup(W, tokens)
    assert y.shape == (*shape, 3)
    for index in np.ndindex(*shape):
        assert np.array_equal(y[index], W[tokens[index]])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_add_rows_is_a_loop_of_additions(shape: tuple[int, ...], dtype: Any) -> None:
    tokens, y = RNG.integers(5, size=shape), RNG.normal(size=(*shape, 3)).astype(dtype)
    total = np.zeros((7, 3))
    for index in np.ndindex(*shape):
        total[tokens[index]] += y[index]
    got = add_rows(y, tokens, 7)
    assert got.dtype == dtype
    assert got.shape == (7, 3)
    assert np.allclose(
        got, total, rtol=1e-5 if dtype == np.float32 else 1e-13, atol=1e-6 if dtype == np.float32 else 1e-14
    )


def test_they_are_adjoint() -> None:
    """⟨lookup(W), y⟩ = ⟨W, add_rows(y)⟩."""
    W, tokens, y = RNG.normal(size=(7, 3)), RNG.integers(7, size=(4, 6)), RNG.normal(size=(4, 6, 3))
    assert np.sum(lookup(W, tokens) * y) == pytest.approx(np.sum(W * add_rows(y, tokens, 7)), rel=1e-13)


def test_the_layer() -> None:
    layer = Embedding(1000, 50, 0, dtype=np.float64)
    assert abs(layer.W.data.std() / 0.02 - 1) < 4.9 / (2 * 50_000) ** 0.5  # false alarm 1e-6
    assert np.array_equal(
        Embedding(5, 2, 1, std=3.0).W.data, (3 * np.random.default_rng(1).normal(size=(5, 2))).astype("f4")
    )
    tokens = np.array([[3, 999, 3]], np.uint16)
    layer(tokens).sum().backward()
    expected = np.zeros((1000, 50))
    expected[3], expected[999] = 2, 1
    assert np.array_equal(layer.W.grad, expected)


@pytest.mark.parametrize(
    ("tokens", "gist"),
    [
        (np.array([[0, 1], [2, -1]]), r"token -1 at \(1, 1\); tokens are 0 to 6"),
        (np.array([0, 7, 6]), r"token 7 at \(1,\); tokens are 0 to 6"),
        (np.array(9), r"token 9 at \(\); tokens are 0 to 6"),
    ],
)
def test_tokens_out_of_range(tokens: np.ndarray, gist: str) -> None:
    with pytest.raises(ValueError, match=gist):
        Embedding(7, 3, 0)(tokens)


@pytest.mark.parametrize(
    ("tokens", "got"),
    [(np.ones(3), "float64"), (np.ones(3, bool), "bool"), ([1, 2], "list"), (Tensor([1.0]), "float64")],
)
def test_tokens_that_are_no_integers(tokens: Any, got: str) -> None:
    with pytest.raises(TypeError, match=f"tokens is {got}; pass an array of integers"):
        Embedding(7, 3, 0)(tokens)


def test_bad_sizes() -> None:
    for std in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"std is {std}; it must be 0 or more"):
            Embedding(7, 3, 0, std=std)
    with pytest.raises(ValueError, match="n_tokens is 0; it must be an integer of at least 1"):
        Embedding(0, 3, 0)
    with pytest.raises(ValueError, match=r"width is 3\.0; it must be an integer"):
        Embedding(7, 3.0, 0)  # type: ignore[arg-type]
