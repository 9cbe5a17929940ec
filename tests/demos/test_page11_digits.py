"""The demo of flows on the digits: its masks, its baseline and its figures, on models that are known."""

import numpy as np
import pytest
from scipy.stats import norm

from demos import page11_digits as demo
from scratchgen.flows import Dequantised
from scratchgen.nn import Module
from scratchgen.training import History
from tests.demos.recorder import Recorder
from tests.flows.test_dequantisation import OnTheCube


class Tilted(Module):
    """The density 2v of each pixel: P(x) = Π_j (2 x_j + 1) / 17²."""

    def forward(self):
        return OnTheCube(lambda v: np.log(2 * v), dims=demo.DIMS)


def test_masks_come_in_pairs():
    """Half of the pixels in each, and what one layer lets pass the next transforms."""
    for layer in range(0, demo.LAYERS, 2):
        first, second = demo.mask(layer), demo.mask(layer + 1)
        assert first.sum() == demo.DIMS // 2
        np.testing.assert_array_equal(first, ~second)
    np.testing.assert_array_equal(demo.mask(0).reshape(8, 8)[:2, :4].astype(int), [[1, 0, 1, 0], [0, 1, 0, 1]])
    assert (demo.mask(2) != demo.mask(6)).any()


def test_the_temperature_is_a_standard_deviation():
    z = np.linspace(-1, 1, demo.DIMS, dtype=np.float32)[None]
    np.testing.assert_allclose(demo.base(0.5).log_prob(z), norm.logpdf(z, scale=0.5).sum(), rtol=1e-5)


def test_what_is_measured():
    """Of p(v) = 2v in each pixel: the bound within its noise, and with 100 draws nearer to the exact NLL."""
    x = demo.load("test")[:100]
    exact = -np.log((2 * x + 1) / demo.LEVELS**2).sum(axis=1).mean()
    found = demo.measured(Dequantised(Tilted(), demo.LEVELS), x, np.random.default_rng(0))
    lost = (1 - np.log(2)) * (x == 0).sum(axis=1).mean()  # E[−log 2u] in the first bin; less in the others
    assert exact + lost < found.bound < exact + lost + 1.5
    assert exact < found.tighter < found.bound


def test_independent_pixels_by_hand():
    train, test = demo.load("train"), demo.load("test")
    total = 0.0
    for j in range(demo.DIMS):
        counts = np.bincount(train[:, j], minlength=17) + 1
        total -= np.log(counts[test[:, j]] / (len(train) + 17)).mean()
    assert demo.independent_pixels() == pytest.approx(total, rel=1e-12)


def test_the_bars_are_the_figures():
    stage = Recorder()
    found = {name: demo.Figures(90.0 + i, 85.0) for i, name in enumerate(("a", "b"))}
    demo.draw_figures(stage, {"a": History(steps=[1, 2], loss=[3.0, 2.0], validation=[3.0, 2.5])}, found)
    heights = [bar.get_height() for bar in stage.figures["page11_digits"].axes[1].patches]
    assert heights == pytest.approx([168.0, demo.independent_pixels(), 90.0, 91.0])
    stage.close()


@pytest.mark.slow
def test_the_figures():
    """Better than independent pixels, and by more than 20 nats than the published RealNVP; each step helps."""
    stage = Recorder()
    demo.run(stage, seed=0)
    stage.close()
    found = stage.numbers(
        r"validation (\S+) nats per image; test (\S+), (\S+) bits per dimension; with 100 draws (\S+) "
    )
    assert len(found) == 3
    for validation, test, bits, tighter in found:
        assert max(validation, test) < 148 and test < demo.independent_pixels() - 5
        assert bits == pytest.approx(test / (64 * np.log(2)), abs=2e-3) and 80 < tighter < test
    tests = [test for _, test, _, _ in found]
    assert tests[0] > tests[1] > tests[2]
