"""Page 10: what is counted is what the transformer multiplies, and both ways generate the same."""

import numpy as np
import pytest

from demos import page10_cache as page10
from scratchgen.autoregressive import Transformer
from tests.demos.recorder import Recorder

D, L = page10.WIDTH, 40
SIZES = (page10.SYMBOLS, L, D, page10.HEADS, page10.LAYERS)


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page10, "LENGTHS", (4, 8, 16))
        patch.setattr(page10, "LEAST", 0.05)
        page10.run(recorder, seed=0)
    yield recorder
    recorder.close()


def test_the_multiply_adds_of_one_position_are_the_weights_and_attention():
    """Each weight of a linear map is used once at each position; in attention, the d numbers of a key and a value."""
    weights = [t.size for name, t in Transformer(*SIZES, rng=0).parameters().items() if name.endswith(".W")]
    embeddings = (page10.SYMBOLS + 1) * D + L * D  # are looked up
    assert page10.multiply_adds(1, 0) == sum(weights) - embeddings + page10.LAYERS * 2 * D
    assert page10.multiply_adds(3, 4) - 3 * page10.multiply_adds(1, 0) == page10.LAYERS * 2 * D * (3 * 7 - 3)


def test_the_sums_are_the_laws_that_are_stated():
    """(2) and (3) of the docstring, with the smaller terms that it leaves out."""
    linear = 12 * D**2 * page10.LAYERS + page10.SYMBOLS * D
    without = linear * L * (L + 1) / 2 + page10.LAYERS * 2 * D * L * (L + 1) * (2 * L + 1) / 6
    cached = linear * L + page10.LAYERS * 2 * D * L * (L + 1) / 2
    assert page10.work(L, False) == page10.SEQUENCES * without
    assert page10.work(L, True) == page10.SEQUENCES * cached


def test_the_one_without_a_cache_computes_all_positions_each_time(monkeypatch):
    lengths, network = [], Transformer.network

    def counted(self, h, rng=None):
        lengths.append(h.shape[1])
        return network(self, h, rng)

    monkeypatch.setattr(Transformer, "network", counted)
    page10.Uncached(*SIZES, rng=0).sample(1, 0)
    assert lengths == list(range(1, L + 1))


def test_the_fit_finds_the_two_costs():
    passes, counts = np.array([1.0, 2.0, 4.0, 4.0]), np.array([1e6, 5e6, 2e7, 9e7])
    np.testing.assert_allclose(page10.fit_costs(passes, counts, 2e-4 * passes + 3e-9 * counts), [2e-4, 3e-9], rtol=1e-9)


def test_the_figures_belong_together(stage):
    ((with_cache, without, times, more),) = stage.numbers(
        r"length 16: (\S+) s .*, (\S+) s .*: (\S+) times .* (\S+) times"
    )
    assert more == round(page10.work(16, False) / page10.work(16, True))
    np.testing.assert_allclose(times, without / with_cache, rtol=0.011, atol=0.05)  # each printed with three digits
    ((difference,),) = stage.numbers(r"differ by at most (\S+)")
    assert difference < 1e-12
    exact = [float(np.log2(page10.work(16, cached) / page10.work(8, cached))) for cached in (True, False)]
    np.testing.assert_allclose(stage.numbers(r"multiply-adds ∝ L\^(\S+)"), np.transpose([exact]), rtol=0, atol=5e-3)
    measured, fitted, counted = (line.get_ydata() for line in stage.figures["page10_cache"].axes[1].lines)
    assert len(measured) == len(fitted) == 3
    np.testing.assert_allclose(counted, [page10.work(n, False) / page10.work(n, True) for n in (4, 8, 16)])


def test_another_sequence_is_noticed(monkeypatch):
    monkeypatch.setattr(page10, "LENGTHS", (4,))
    monkeypatch.setattr(page10.Uncached, "sample", lambda self, n, uniforms: np.zeros((n, 4), int))
    with pytest.raises(AssertionError, match="length 4: with the cache another sequence"):
        page10.run(Recorder(), 0)
