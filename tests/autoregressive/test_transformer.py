"""The transformer: its equations by hand, total probability 1, the cache equals the full pass, and generation."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from scratchgen.autoregressive import Autoregressive
from scratchgen.autoregressive.transformer import Transformer
from scratchgen.autoregressive.truncation import truncated


def model(dims: int = 5, **options: Any) -> Transformer:
    """A small one, whose weights are large enough that all its conditionals differ."""
    net, rng = Transformer(3, dims, 8, 2, 2, 1, dtype=np.float64, **options), np.random.default_rng(0)
    for t in net.parameters().values():
        t.assign(t.data + 0.3 * rng.normal(size=t.shape))
    return net


ALL = np.array(list(product(range(3), repeat=5)))
UNIFORMS = np.random.default_rng(1).random((50, 5))
SOME = np.random.default_rng(2).integers(0, 3, (4, 5))


def by_hand(net: Transformer, symbols: np.ndarray) -> np.ndarray:
    """The logits (T, V) of one sequence, one position after the other: plain NumPy on vectors, from the equations."""
    p = {name: t.data for name, t in net.parameters().items()}
    width, heads = p["places.W"].shape[1], net.blocks[0].attention.heads
    logits, seen = [], [([], []) for _ in net.blocks]  # type: ignore[var-annotated]

    def norm(h: np.ndarray, name: str) -> np.ndarray:
        return p[f"{name}.gain"] * (h - h.mean()) / np.sqrt(h.var() + 1e-5) + p[f"{name}.bias"]

    def linear(h: np.ndarray, name: str) -> np.ndarray:
        return h @ p[f"{name}.W"] + p[f"{name}.b"]

    for t, symbol in enumerate([net.levels, *symbols[:-1]]):
        h = p["embedding.W"][symbol] + p["places.W"][t]
        for i, (keys, values) in enumerate(seen):
            name, mixed = f"blocks.{i}", np.zeros(width)
            a = norm(h, f"{name}.norms.0")
            query = linear(a, f"{name}.attention.query")
            keys.append(linear(a, f"{name}.attention.key"))
            values.append(linear(a, f"{name}.attention.value"))
            for d in np.split(np.arange(width), heads):
                e = np.exp([query[d] @ key[d] / np.sqrt(len(d)) for key in keys])
                mixed[d] = sum(weight * value[d] for weight, value in zip(e / e.sum(), values))
            h = h + linear(mixed, f"{name}.attention.out")
            u = linear(norm(h, f"{name}.norms.1"), f"{name}.expand")
            gelu = u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3))) / 2
            h = h + linear(gelu, f"{name}.contract")
        h = norm(h, "norm")
        logits.append(h @ p["embedding.W"][:-1].T if net.tied else linear(h, "head"))
    return np.array(logits)


@pytest.mark.parametrize("tied", [False, True])
def test_the_logits_by_hand(tied: bool) -> None:
    net = model(tied=tied).eval()
    found = net.conditionals(SOME).logits.data
    for x, logits in zip(SOME, found):
        np.testing.assert_allclose(logits, by_hand(net, x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("tied", [False, True])
def test_all_sequences_have_probability_one(tied: bool) -> None:
    p = np.exp(model(tied=tied).eval().log_prob(ALL).data)
    assert abs(p.sum() - 1) < 1e-12 and p.std() > 1e-4


def test_the_loss_is_the_mean_over_sequences_of_the_sum_over_symbols() -> None:
    net = model(dropout=0.3).train()
    log_p = net.conditionals(SOME, rng=np.random.default_rng(5)).log_prob(SOME).data
    np.testing.assert_array_equal(net.conditionals(SOME, rng=5).log_prob(SOME).data, log_p)  # one stream, not one seed
    assert abs(net.loss(SOME, 5).item() + log_p.sum() / 4) < 1e-13
    assert abs(net.eval().loss(SOME).item() + net.log_prob(SOME).data.mean()) < 1e-13


def test_the_embeddings_start_as_large_as_they_are_told_to() -> None:
    small, large = (Transformer(3, 5, 8, 2, 1, 1, std=std) for std in (0.02, 0.2))
    for a, b in ((small.embedding, large.embedding), (small.places, large.places)):
        np.testing.assert_allclose(b.W.data, 10 * a.W.data, rtol=1e-5)
        assert 0.1 < b.W.data.std() < 0.3


def test_tied_weights_are_one_tensor() -> None:
    assert not [name for name in model(tied=True).parameters() if name.startswith("head")]


@pytest.mark.parametrize("cuts", [[1, 2, 3, 4], [2], [3, 4]])
def test_the_cache_gives_the_logits_of_the_full_pass(cuts: list[int]) -> None:
    net, x = model().eval(), SOME
    cache = net.empty_cache(4)
    parts = [net.next_logits(chunk, cache) for chunk in np.split(net.shifted(x), cuts, axis=1)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), net.conditionals(x).logits.data, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("given", [None, np.array([2, 0]), np.arange(100).reshape(50, 2) % 3])
def test_sampling_with_a_cache_is_sampling_without(given: Any) -> None:
    """The same uniform numbers give the same sequences, all of them drawn by full passes, or in turn."""
    net = model().eval()
    x = net.sample(50, uniforms=UNIFORMS, given=given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transformer, "in_turn", Autoregressive.in_turn)
        np.testing.assert_array_equal(net.sample(50, uniforms=UNIFORMS, given=given), x)
    np.testing.assert_array_equal(net.generate(50, uniforms=UNIFORMS, prompt=given), x)
    k = 0 if given is None else 2
    np.testing.assert_array_equal(x[:, :k], np.zeros((50, 0)) if given is None else np.broadcast_to(given, (50, 2)))


def test_each_draw_is_the_inverse_of_its_conditional() -> None:
    """Symbol t is the first whose cumulative probability exceeds its uniform number."""
    net = model().eval()
    x = net.sample(50, uniforms=UNIFORMS)
    ends = np.cumsum(net.conditionals(x).probabilities.data, axis=-1)
    np.testing.assert_array_equal(np.argmax(ends > UNIFORMS[..., None], axis=-1), x)


def test_a_shorter_generation_is_the_beginning_of_a_longer_one() -> None:
    net = model().eval()
    short = net.generate(50, uniforms=UNIFORMS[:, :3], length=3)
    np.testing.assert_array_equal(short, net.generate(50, uniforms=UNIFORMS)[:, :3])


def test_each_position_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a prompt of two symbols, and of what is drawn."""
    net, lengths, next_logits = model().eval(), [], Transformer.next_logits

    def counted(self: Transformer, inputs: np.ndarray, cache: Any) -> np.ndarray:
        lengths.append(inputs.shape[1])
        return next_logits(self, inputs, cache)

    monkeypatch.setattr(Transformer, "next_logits", counted)
    net.sample(2, 0)
    net.generate(2, 0, prompt=np.array([1, 1]))
    assert lengths == [1, 1, 1, 1, 1, 3, 1, 1]


def test_progress_is_told_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    net = model().eval()
    net.generate(2, 0, length=3)
    assert capsys.readouterr() == ("", "")
    net.generate(2, 0, length=3, progress=True)
    assert capsys.readouterr() == ("", "\r1 of 3 components\r2 of 3 components\r3 of 3 components\n")


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


def cache_of(net: Transformer, inputs: np.ndarray) -> Any:
    """What is kept of those inputs."""
    cache = net.empty_cache(len(inputs))
    net.next_logits(inputs, cache)
    return cache


@pytest.mark.parametrize(
    ("call", "gist"),
    [
        (lambda net: net.log_prob(np.array([[0, -1]])), r"token -1 at \(0, 1\); tokens are 0 to 2"),
        (lambda net: net.log_prob(np.array([[0, 3]])), r"token 3 at \(0, 1\); tokens are 0 to 2"),
        (lambda net: net.log_prob(np.zeros((1, 6), int)), "sequences of 6 symbols; the context of this model is 5"),
        (lambda net: net.generate(1, 0, temperature=0.0), "temperature is 0.0; it must be above 0"),
        (lambda net: net.generate(1, 0, top_k=4), "top_k is 4; there are 3 symbols, so it must be from 1 to 3"),
        (lambda net: net.generate(1, 0, top_p=0.0), "top_p is 0.0"),
        (lambda net: net.generate(1, 0, temperature=np.nan), "temperature is nan"),
        (lambda net: net.generate(1, 0, top_k=0), "top_k is 0; there are 3 symbols, so it must be from 1 to 3"),
        (lambda net: net.generate(1, 0, top_p=1.5), "top_p is 1.5"),
        (lambda net: net.generate(1, 0, length=6), "a length of 6; the context of this model is 5"),
        (lambda net: net.generate(1, 0, length=-1), "length is -1"),
        (lambda net: net.generate(1, 0, prompt=np.array([3])), "token 3"),
        (
            lambda net: net.generate(1, 0, prompt=np.zeros(6, int)),
            "a prompt of 6 symbols and a length of 5; the context",
        ),
        (lambda net: net.generate(2, 0, prompt=np.zeros((3, 1), int)), r"prompt has shape \(3, 1\); .* or \(2, k\)"),
        (lambda net: net.generate(-1, 0), "n is -1"),
        (lambda net: net.generate(1, uniforms=np.ones((1, 5))), r"uniforms has 1.0 at \(0, 0\)"),
        (lambda net: net.next_logits(SOME, cache_of(net, SOME)), "5 positions in the cache and 5 new ones; .* is 5"),
        (lambda net: net.sample(1, 0, context=np.zeros((1, 1))), "Transformer takes none"),
        (lambda net: net.log_prob(SOME, np.zeros((4, 1))), "Transformer takes none"),
        (lambda net: model(dropout=0.5).train().sample(1, 0), "switch it off by model.eval"),
        (lambda net: net.loss(np.zeros((0, 5), int), 0), "0 rows"),
    ],
)
def test_bad_inputs(call: Any, gist: str) -> None:
    with pytest.raises(ValueError, match=gist):
        call(model())


@pytest.mark.parametrize(
    ("call", "gist"),
    [
        (lambda net: net.log_prob(np.zeros((1, 5))), "tokens is float64; pass an array of integers"),
        (lambda net: net.generate(1), "needs rng, or the uniforms themselves"),
        (lambda net: net.generate(1, 0, length=2.0), "length is 2.0; it must be an int"),
        (lambda net: net.generate(1, 0, prompt=[1]), "tokens is list; pass an array of integers"),
    ],
)
def test_bad_types(call: Any, gist: str) -> None:
    with pytest.raises(TypeError, match=gist):
        call(model())
