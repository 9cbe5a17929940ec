"""No logits of the transformer depend on the symbol that they are of, or on one after it: on each path of its own.

    full pass, training      all conditionals at once, with the same dropout
    full pass, evaluation    the same without
    one conditional          the first symbols alone
    in turn                  drawn one after the other, with a cache

On the last two what is to come can be NaN. In a full pass it cannot: the mask makes its weight exactly 0, and 0 · NaN
is NaN. There the Jacobian is exactly 0, and whatever finite numbers stand in the future leave every bit as it is.
"""

import numpy as np
import pytest

from scratchgen.autodiff import jacobian
from scratchgen.autoregressive import Transformer
from tests.autoregressive.test_transformer import model

X = np.random.default_rng(0).integers(0, 2, (4, 5))  # symbol 2 is kept for the future


def mode(training: bool) -> Transformer:
    net = model(dropout=0.3 if training else 0.0)
    return net.train() if training else net.eval()


@pytest.mark.parametrize("training", [False, True])
def test_the_jacobian_is_zero_exactly_in_the_future(training: bool) -> None:
    """Of the logits at each position by the embedding at each; it is zero nowhere else."""
    net = mode(training)
    h = net.embedded(net.shifted(X[:1])).data  # (1, 5, 8)
    J = np.asarray(jacobian(lambda h: net.network(h, 7))(h)).reshape(5, 3, 5, 8)
    seen = np.swapaxes(J, 1, 2).reshape(5, 5, -1) != 0
    assert not np.any(seen[~np.tri(5, dtype=bool)])
    assert np.all(np.any(seen[np.tri(5, dtype=bool)], axis=-1))


@pytest.mark.parametrize("training", [False, True])
def test_the_future_of_embeddings_changes_no_bit_of_the_past(training: bool) -> None:
    net, rng = mode(training), np.random.default_rng(1)
    h = net.embedded(net.shifted(X)).data
    logits = net.network(h, 7).data
    for t in range(5):
        for size in (1.0, 1e9, 1e30):
            moved = h.copy()
            moved[:, t:] = size * rng.normal(size=moved[:, t:].shape)
            changed = net.network(moved, 7).data
            np.testing.assert_array_equal(changed[:, :t], logits[:, :t])
            assert np.all(np.any(changed[:, t:] != logits[:, t:], axis=-1))


@pytest.mark.parametrize("training", [False, True])
def test_the_future_of_symbols_changes_no_bit_of_the_past(training: bool) -> None:
    """Nor does the symbol itself: in its place and after it stands one with huge numbers for an embedding."""
    net = mode(training)
    logits = net.conditionals(X, rng=7).logits.data
    net.embedding.W = np.where(np.arange(4)[:, None] == 2, 1e30 * np.arange(1, 9), net.embedding.W.data)
    for t in range(5):
        moved = X.copy()
        moved[:, t] = 2
        changed = net.conditionals(moved, rng=7).logits.data
        np.testing.assert_array_equal(changed[:, : t + 1], logits[:, : t + 1])
        assert np.all(np.any(changed[:, t + 1 :] != logits[:, t + 1 :], axis=-1))


def poison(net: Transformer, t: int) -> np.ndarray:
    """X with NaN for the embedding of what stands at t and later, and of all places after t."""
    net.embedding.W = np.where(np.arange(4)[:, None] == 2, np.nan, net.embedding.W.data)
    net.places.W = np.where(np.arange(5)[:, None] > t, np.nan, net.places.W.data)
    return np.where(np.arange(5) >= t, 2, X)


@pytest.mark.parametrize("t", range(5))
def test_one_conditional_from_a_future_of_nan(t: int) -> None:
    net = model().eval()
    logits = net.conditional(X, t).logits
    np.testing.assert_allclose(logits, net.conditionals(X).logits.data[:, t], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(net.conditional(poison(net, t), t).logits, logits)
    assert np.all(np.isfinite(logits))


@pytest.mark.parametrize("t", range(5))
def test_conditionals_in_turn_from_a_future_of_nan(t: int) -> None:
    """All up to t, and the poison is there from the start."""
    net = model().eval()
    clean = net.in_turn(4)
    logits = [clean(X, j).logits for j in range(t + 1)]
    moved, poisoned = poison(net, t), net.in_turn(4)
    np.testing.assert_array_equal([poisoned(moved, j).logits for j in range(t + 1)], logits)
    assert np.all(np.isfinite(logits))


@pytest.mark.parametrize("k", [0, 2])
def test_generation_from_a_future_of_nan(k: int) -> None:
    """Places beyond the length that is asked for are NaN; so is a symbol that is never drawn."""
    net, prompt = model().eval(), np.array([1, 0])[:k]
    net.head.b = np.array([0.0, 0.0, -1e3])  # type: ignore[union-attr]
    x = net.generate(9, 0, prompt=prompt, length=4)
    sampled = net.sample(9, 0, given=prompt)
    poison(net, 3)
    np.testing.assert_array_equal(net.generate(9, 0, prompt=prompt, length=4), x)
    with pytest.raises(ValueError, match="logits has nan"):  # the last draw needs place 4
        net.sample(9, 0, given=prompt)
    assert set(np.unique(sampled)) == {0, 1}
