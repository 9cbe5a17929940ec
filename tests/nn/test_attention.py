"""Causal attention: equations (1) to (3) by loops, and that nothing of the future is seen, on any path."""

from itertools import product

import numpy as np
import pytest

from scratchgen.autodiff import jacobian
from scratchgen.nn import CausalSelfAttention, attention
from scratchgen.nn.attention import attention_weights, causal_attention

RNG = np.random.default_rng(0)
EMPTY = (np.zeros((3, 0, 8)), np.zeros((3, 0, 8)))


def by_loops(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """One position after the other, which has nothing else to look at."""
    first = len(k) - len(q)
    y = np.zeros((len(q), v.shape[1]))
    for i in range(len(q)):
        scores = [q[i] @ k[j] / np.sqrt(q.shape[1]) for j in range(first + i + 1)]
        e = np.exp(scores)
        y[i] = sum(e[j] * v[j] for j in range(first + i + 1)) / e.sum()
    return y


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (5, 5), (2, 5), (1, 4)])
def test_attention_by_loops(queries: int, keys: int) -> None:
    q, k, v = RNG.normal(size=(2, 3, queries, 4)), *RNG.normal(size=(2, 2, 3, keys, 4))
    y = causal_attention(q, k, v)
    for index in np.ndindex(2, 3):
        assert np.allclose(y[index], by_loops(q[index], k[index], v[index]), rtol=1e-12, atol=1e-13)


def test_each_head_attends_to_its_own_features() -> None:
    q, k, v = RNG.normal(size=(2, 3, 6)), *RNG.normal(size=(2, 2, 5, 6))
    y = causal_attention(q, k, v, heads=3)
    for i, d in product(range(2), np.split(np.arange(6), 3)):
        assert np.allclose(y[i][:, d], by_loops(q[i][:, d], k[i][:, d], v[i][:, d]), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13, 64])
def test_the_largest_score_wherever_it_is(n: int) -> None:
    """By halves that overlap where n is odd."""
    scores = np.where(np.eye(n, dtype=bool), 0.0, -1.0 - RNG.random((2, n, n)))
    assert np.array_equal(attention.largest_of_keys(scores), np.max(scores, axis=-2, keepdims=True))


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e150])
def test_weights_sum_to_one_and_are_zero_in_the_future(scale: float) -> None:
    """With scores far below −1e4 too, where a mask of −1e4 would show the future."""
    q, k = scale * RNG.normal(size=(2, 2, 6, 3))
    p = attention_weights(q, k)
    assert np.allclose(p.sum(axis=-1), 1.0, rtol=0, atol=1e-14)
    assert np.all(np.triu(p, 1) == 0.0)


def test_a_query_whose_own_scores_are_all_far_below_the_masked_ones() -> None:
    """Scores of −1e6 up to the position and +1e6 after it: any finite mask above −2e6 would let the future in."""
    q, k, v = np.ones((2, 1)), np.array([[-1e6], [1e6]]), np.array([[1.0], [5.0]])
    assert np.array_equal(causal_attention(q, k, v), [[1.0], [5.0]])


def test_the_future_changes_no_bit_of_the_past() -> None:
    """Also where its scores are larger than all before by far: a shift common to all rows would change last digits."""
    layer = CausalSelfAttention(8, 2, 1, dtype=np.float64)
    x = RNG.normal(size=(3, 6, 8))
    for t in range(6):
        for change in (1.0, 1e6, -1e6):
            moved = x.copy()
            moved[:, t:] += change * RNG.normal(size=moved[:, t:].shape)
            for y, z in ((layer(x), layer(moved)), (layer(x, EMPTY)[0], layer(moved, EMPTY)[0])):
                assert np.array_equal(y.data[:, :t], z.data[:, :t])
                assert not np.any(y.data[:, t] == z.data[:, t])


def test_every_allowed_dependency_is_there_and_no_other() -> None:
    layer, x = CausalSelfAttention(4, 2, 3, dtype=np.float64), RNG.normal(size=(1, 4, 4))
    J = np.asarray(jacobian(layer)(x)).reshape(4, 4, 4, 4)
    seen = np.any(J != 0, axis=(1, 3))
    assert np.array_equal(seen, np.tri(4, dtype=bool))


@pytest.mark.parametrize("cuts", [[1, 2, 3, 4, 5], [2, 3], [5]])
def test_keys_and_values_that_are_kept_give_what_the_full_pass_gives(cuts: list[int]) -> None:
    """Each chunk is computed before the next is known: NaN in its place could not be seen."""
    layer, x = CausalSelfAttention(8, 2, 1, dtype=np.float64), RNG.normal(size=(3, 6, 8))
    past, parts = EMPTY, []
    for chunk in np.split(x, cuts, axis=1):
        y, past = layer(chunk, past)
        parts.append(y.data)
    assert np.allclose(np.concatenate(parts, axis=1), layer(x).data, rtol=1e-12, atol=1e-13)
    assert past[0].shape == (3, 6, 8)


def test_heads_are_views_and_do_not_mix() -> None:
    layer, x = CausalSelfAttention(6, 3, 1), RNG.normal(size=(2, 5, 6)).astype("f4")
    q = layer.query(x).data
    assert np.shares_memory(attention.split(q, 3), q)
    assert np.array_equal(attention.split(q, 3)[:, 1], q[:, :, 2:4])
    assert np.array_equal(attention.merged(attention.split(q, 3)), q)
    assert layer(x).dtype == np.float32
    assert layer.weights(x).shape == (2, 3, 5, 5)


@pytest.mark.parametrize(
    ("shapes", "gist"),
    [
        (((3, 2), (2, 2), (2, 2)), r"q has shape \(3, 2\), k \(2, 2\): there must be as many keys"),
        (((2, 2), (2, 3), (2, 3)), r"v \(2, 3\); they must be \(…, T, d\)"),
        (((2, 2), (2, 2), (3, 2)), r"v \(3, 2\)"),
    ],
)
def test_shapes_that_do_not_fit(shapes: tuple[tuple[int, int], ...], gist: str) -> None:
    with pytest.raises(ValueError, match=gist):
        causal_attention(*(np.zeros(shape) for shape in shapes))


def test_weights_of_what_are_no_floats_or_too_few_keys_are_refused() -> None:
    with pytest.raises(TypeError, match=r"q is int64, k is int64; attention is of floats"):
        causal_attention(*np.zeros((3, 2, 1), int))
    with pytest.raises(TypeError, match="q is float64, k is int64"):
        attention_weights(np.zeros((2, 1)), np.zeros((2, 1), int))
    with pytest.raises(ValueError, match="as many keys as queries"):
        attention_weights(np.zeros((3, 1)), np.zeros((2, 1)))  # they would be NaN


def test_bad_sizes() -> None:
    with pytest.raises(ValueError, match="q has 3 features, which 2 heads cannot share"):
        causal_attention(*np.zeros((3, 4, 3)), heads=2)
    with pytest.raises(ValueError, match="q has 3 features, which 0 heads cannot share"):
        causal_attention(*np.zeros((3, 4, 3)), heads=0)
    with pytest.raises(ValueError, match="width is 7, which 2 heads cannot share: make it a multiple of 2"):
        CausalSelfAttention(7, 2, 0)
    with pytest.raises(ValueError, match="heads is 0"):
        CausalSelfAttention(8, 0, 0)
    with pytest.raises(ValueError, match=r"x\[None\] is a batch of one"):
        CausalSelfAttention(8, 2, 0)(np.zeros((3, 8), np.float32))
