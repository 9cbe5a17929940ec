"""Page 12, digits: the measures of the samples, and, slowly, the bound beside the published figure."""

import numpy as np
import pytest

from demos import page12_digits as page12
from scratchgen.diffusion import LevelDDPM, UNet, even_log_snr, terms
from tests.demos.recorder import Recorder


@pytest.fixture
def stage():
    recorder = Recorder()
    yield recorder
    recorder.close()


def small():
    net = UNet(1, 0, channels=2, classes=10, outputs=17)
    return LevelDDPM(net, even_log_snr(100, page12.HIGH), page12.SHAPE, 17).eval()


def test_training_digits_are_mostly_nearest_to_their_own_class():
    """The measures of guidance, by hand for a class that is constant."""
    images, labels = page12.load("train")
    assert 0.85 < page12.share_right(images, labels) < 0.95
    constant = np.stack([np.full(page12.SHAPE, label) for label in range(10) for _ in range(3)])
    assert page12.within(constant, np.repeat(np.arange(10), 3)) == 0
    apart = constant + np.tile([[-1], [0], [1]], (10, 1))[:, :, None, None]
    assert page12.within(apart, np.repeat(np.arange(10), 3)) == pytest.approx(np.sqrt(2 / 3))


def test_the_bound_and_its_terms(monkeypatch):
    images, labels = page12.load("test")
    monkeypatch.setattr(page12, "load", lambda split: (images[:5], labels[:5]))
    model = small()
    text, each = page12.bound(model, "test", seed=3)
    found = terms(model, images[:5], rng=3)
    assert text == f"{found.total.mean():.2f} ± {found.total.std() / np.sqrt(5):.2f}"
    assert each.sum() + found.prior.mean() == pytest.approx(found.total.mean())


def test_pictures_of_an_untrained_network(stage, monkeypatch):
    """A network that has learned nothing ignores the label: all scales of guidance draw the same."""
    monkeypatch.setattr(page12, "T", 20)
    monkeypatch.setattr(page12, "SHOWN", (20, 10, 0))
    model = LevelDDPM(
        UNet(1, 0, channels=2, classes=10, outputs=17), even_log_snr(20, page12.HIGH), page12.SHAPE, 17
    ).eval()
    page12.draw_guidance(stage, model, np.random.default_rng(0), 20)
    page12.draw_trajectory(stage, model, np.random.default_rng(0))
    rows = [ax.images[0].get_array() for ax in stage.figures["page12_digits_guidance"].axes]
    assert len(rows) == 4
    for row in rows[1:]:
        np.testing.assert_array_equal(row, rows[0])
    path = stage.figures["page12_digits_trajectory"].axes
    assert len(path) == 6
    x, guess = (ax.images[0].get_array() for ax in path[:2])
    np.testing.assert_array_equal(x[:, -8:], guess[:, -8:])  # at t = 0 they are the sample
    assert len(stage.numbers(r"label in (\d+) % of 20 samples")) == 4


@pytest.mark.slow
def test_the_bound_beats_the_published_vae(stage):
    """nats per image without labels; the published VAE has 100.5. About 90 seconds on two idle cores."""
    page12.run(stage, seed=0)
    ((validation, error, published),) = stage.numbers(r"at most (\S+) ± (\S+) nats per image; published VAE (\S+), T")
    assert published == 100.5 and validation + 3 * error < 92 < published
    ((test, _, bits),) = stage.numbers(r"test set: at most (\S+) ± (\S+) nats per image, (\S+) bits")
    assert test < 88 and bits == pytest.approx(test / 64 / np.log(2), abs=1e-3)
    shares = [share for (share,) in stage.numbers(r"label in (\d+) % of 200 samples")]
    spreads = [spread for (spread,) in stage.numbers(r"within a class (\S+) levels")]
    assert shares[0] < 30 < 80 < shares[1] < shares[3]
    assert spreads[1] > spreads[2] > spreads[3]
