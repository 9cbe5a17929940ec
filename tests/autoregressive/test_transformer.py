"""The transformer: total probability 1, no look ahead on any path, the cache equals the full pass, and generation."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from scratchgen.autoregressive.transformer import Transformer
from scratchgen.autoregressive.truncation import truncated

RNG = np.random.default_rng(0)


def model(dims: int = 5, **options: Any) -> Transformer:
    """A small one, whose weights are large enough that all its conditionals differ."""
    net = Transformer(3, dims, 8, 2, 2, 1, dtype=np.float64, **options)
    for t in net.parameters().values():
        t.assign(t.data + 0.3 * RNG.normal(size=t.shape))
    return net


ALL = np.array(list(product(range(3), repeat=5)))


@pytest.mark.parametrize("tied", [False, True])
def test_all_sequences_have_probability_one(tied: bool) -> None:
    p = np.exp(model(tied=tied).eval().log_prob(ALL).data)
    assert abs(p.sum() - 1) < 1e-12 and p.std() > 1e-4


@pytest.mark.parametrize("training", [False, True])
def test_the_future_changes_no_bit_of_the_past(training: bool) -> None:
    """By other symbols, and by a start and an embedding poisoned with what would swamp all else."""
    net = model(dropout=0.3 if training else 0.0)
    net = net.train() if training else net.eval()
    x = RNG.integers(0, 2, (4, 5))
    logits = net.conditionals(x, rng=7).logits.data
    net.embedding.W = np.where(np.arange(4)[:, None] == 2, 1e9 * RNG.normal(size=(4, 8)), net.embedding.W.data)
    for t in range(5):
        moved = x.copy()
        moved[:, t] = 2
        changed = net.conditionals(moved, rng=7).logits.data
        assert np.array_equal(changed[:, : t + 1], logits[:, : t + 1])
        assert t == 4 or np.all(np.any(changed[:, t + 1 :] != logits[:, t + 1 :], axis=-1))


@pytest.mark.parametrize("cuts", [[1, 2, 3, 4], [2], [3, 4]])
def test_the_cache_gives_the_logits_of_the_full_pass(cuts: list[int]) -> None:
    net, x = model().eval(), RNG.integers(0, 3, (4, 5))
    cache = net.empty_cache(4)
    parts = [net.next_logits(chunk, cache) for chunk in np.split(net.shifted(x), cuts, axis=1)]
    assert np.allclose(np.concatenate(parts, axis=1), net.conditionals(x).logits.data, rtol=1e-12, atol=1e-12)


def test_generation_with_a_cache_is_sampling() -> None:
    """The same uniforms give the same sequences as the base class draws by full passes, and so does a prompt."""
    net, u = model().eval(), RNG.random((50, 5))
    assert np.array_equal(net.generate(50, uniforms=u), net.sample(50, uniforms=u))
    given = net.sample(50, uniforms=u, given=np.array([2, 0]))
    assert np.array_equal(net.generate(50, uniforms=u, prompt=np.array([2, 0])), given)
    assert np.array_equal(net.generate(50, uniforms=u[:, :3], length=3), net.generate(50, uniforms=u)[:, :3])


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-6}])
def test_the_likeliest_only_is_the_argmax(options: dict[str, Any]) -> None:
    net = model().eval()
    x = net.generate(20, rng=0, **options)
    assert np.array_equal(x, np.argmax(net.conditionals(x).logits.data, axis=-1))


def test_truncation_by_hand() -> None:
    p = np.array([0.1, 0.4, 0.3, 0.2])
    assert np.array_equal(truncated(np.log(p), top_k=2) > -np.inf, [False, True, True, False])
    assert np.array_equal(truncated(np.log(p), top_p=0.65) > -np.inf, [False, True, True, False])
    assert np.array_equal(truncated(np.log(p), top_p=0.75) > -np.inf, [False, True, True, True])
    assert np.array_equal(truncated(np.zeros(4), top_k=1) > -np.inf, [True, False, False, False])
    assert np.allclose(truncated(np.log(p), temperature=0.5), 2 * np.log(p), rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "gist"),
    [
        (lambda net: net.log_prob(np.array([[0, -1]])), r"token -1 at \(0, 1\); tokens are 0 to 2"),
        (lambda net: net.log_prob(np.array([[0, 3]])), r"token 3 at \(0, 1\); tokens are 0 to 2"),
        (lambda net: net.log_prob(np.zeros((1, 6), int)), "sequences of 6 symbols; the context of this model is 5"),
        (lambda net: net.generate(1, 0, temperature=0.0), "temperature is 0.0; it must be above 0"),
        (lambda net: net.generate(1, 0, top_k=4), "top_k is 4; there are 3 symbols, so it must be from 1 to 3"),
        (lambda net: net.generate(1, 0, top_p=0.0), "top_p is 0.0"),
        (lambda net: net.generate(1, 0, length=6), "a length of 6; the context of this model is 5"),
        (lambda net: net.generate(1, 0, prompt=np.array([3])), "token 3"),
        (lambda net: net.loss(np.zeros((0, 5), int), 0), "0 rows"),
    ],
)
def test_bad_inputs(call: Any, gist: str) -> None:
    with pytest.raises(ValueError, match=gist):
        call(model())
