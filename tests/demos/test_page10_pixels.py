"""Page 10: convolutional models of pixels, what they depend on, and what they cost beside the published figure."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from demos import page10_pixels as page10
from demos import training
from scratchgen.autoregressive import CausalConvNet, PixelCNN
from scratchgen.nn import CausalConv, past_2d
from scratchgen.training import History
from tests.demos.recorder import Recorder

MODELS = {"PixelCNN": PixelCNN, "CausalConvNet": CausalConvNet}


def untrained(name):
    return (PixelCNN((8, 8), 17, 0) if name == "PixelCNN" else CausalConvNet(64, 17, 0)).eval()


@pytest.fixture
def stage():
    recorder = Recorder()
    yield recorder
    recorder.close()


def test_independent_pixels_by_counting():
    """The level k of pixel j has the probability (count + 1)/(n + 17)."""
    x = page10.load("train")
    p = page10.independent(x).probabilities
    for j, k in [(0, 0), (20, 16), (27, 3), (63, 5)]:
        assert p[j, k] == pytest.approx((np.sum(x[:, j] == k) + 1) / 1017, rel=1e-14)
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-14)


@pytest.mark.parametrize("name", MODELS)
def test_the_parts_make_up_log_p(name):
    model, x = untrained(name), page10.load("test")[:3]
    np.testing.assert_allclose(page10.per_pixel(model, x).sum(axis=1), -model.log_prob(x).data, rtol=1e-6)


def test_mean_and_error():
    nats = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 1.0], [0.0, 4.0]])  # sums 3, 7, 2, 4: mean 4, variance 3.5
    assert page10.mean_and_error(nats) == f"4.00 ± {np.sqrt(3.5 / 4):.2f}"


def test_the_influence_is_that_of_finite_differences():
    """The sum over the numbers of one pixel's code of |∂ log p(x[41] | x[<41])|."""
    model, x, j = PixelCNN((8, 8), 17, 0, dtype=np.float64).eval(), page10.load("test")[:1], 41
    code = page10.level_code(x, 17, np.float64)

    def log_p(code):
        logits = model.network(code).data[0, j]
        return logits[x[0, j]] - np.log(np.exp(logits).sum())

    i, h, expected = 33, 1e-5, 0.0
    for k in range(33):
        step = np.zeros_like(code)
        step[0, i, k] = h
        expected += abs(log_p(code + step) - log_p(code - step)) / (2 * h)
    assert page10.influence(model, x, j).ravel()[i] == pytest.approx(expected, rel=1e-7)


def test_what_one_pixel_depends_on(stage):
    """Both models see all 41 pixels before it; one stack misses 3 + 2 + 1, beyond a line that rises a row a column."""
    models = {"one": page10.OneStack(np.random.default_rng(0)), **{name: untrained(name) for name in MODELS}}
    page10.draw_influence(stage, models, page10.load("test")[:20])
    assert stage.numbers(r"on (\d+) of the (\d+) before it, and on (\d+) of the others") == [
        (35, 41, 0),
        (41, 41, 0),
        (41, 41, 0),
    ]
    one, *others = (ax.images[0].get_array() for ax in stage.figures["page10_pixels_influence"].axes[:3])
    hidden = np.zeros((8, 8), bool)
    hidden[4, 5:] = hidden[3, 6:] = hidden[2, 7:] = True
    future = np.arange(64).reshape(8, 8) >= 41
    np.testing.assert_array_equal(np.ma.getmaskarray(one), hidden | future)
    for seen in others:
        np.testing.assert_array_equal(np.ma.getmaskarray(seen), future)


def test_a_pixel_that_sees_itself_is_counted(stage):
    """The picture of a first layer of type B says so."""
    leaky = page10.OneStack(np.random.default_rng(0))
    leaky.first = CausalConv(33, 17, past_2d(3, present=True), rng=0)
    page10.draw_influence(stage, {"A": page10.OneStack(np.random.default_rng(0)), "B": leaky}, page10.load("test")[:20])
    assert stage.numbers(r"before it, and on (\d+) of the others") == [(0,), (1,)]


def test_completions_begin_with_what_is_given(stage):
    x = page10.load("test")[:2]
    page10.draw_completions(stage, {"PixelCNN": untrained("PixelCNN")}, x, np.random.default_rng(0))
    digit, given, *drawn = (ax.images[0].get_array() for ax in stage.figures["page10_pixels_completion"].axes)
    np.testing.assert_array_equal(digit[:, :8], x[0].reshape(8, 8))
    assert not given[4:].any() and len(drawn) == 3
    for row in drawn:
        np.testing.assert_array_equal(row[:4], digit[:4])
        assert np.any(row[4:] != digit[4:])


def test_the_published_figure_is_drawn_dashed(stage):
    history = History([20, 40], [100.0, 90.0], [101.0, 91.0])
    page10.draw_loss(stage, {"PixelCNN": history}, baseline=110.5)
    (ax,) = stage.figures["page10_pixels_loss"].axes
    assert [(line.get_ydata()[0], line.get_linestyle()) for line in ax.lines[1:]] == [(110.5, "--"), (88.7, "--")]


def test_a_training_that_is_broken_off_draws_nothing(monkeypatch):
    monkeypatch.setattr(training, "fit", lambda *args, **kwargs: History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        page10.train(untrained("PixelCNN"), None, None, np.random.default_rng(0), 1)


@pytest.mark.slow
def test_both_models_beat_the_published_figure(stage):
    """The best validation loss, in nats per image; the published one is 88.7.

    Measured for seeds 0 and 1: PixelCNN 82.79 and 83.12, CausalConvNet 82.82 and 82.83. About
    40 seconds on two idle cores.
    """
    page10.run(stage, seed=0)
    best = stage.numbers(r"(\S+) nats per image of the validation set; published 88.7, independent pixels (\S+)")
    assert [cost < 84.5 for cost, _ in best] == [True, True]
    assert {baseline for _, baseline in best} == {110.47}
    test = stage.numbers(r"test set: (\S+) ± \S+ nats per image, of which the lower half, given the upper, (\S+) ±")
    (independent, independent_half), *others = test
    assert independent == 106.47 and len(others) == 2
    for whole, half in others:
        assert whole < 82 < independent and half < 39.5 < independent_half
    assert len(stage.figures) == 4 and all(isinstance(figure, Figure) for figure in stage.figures.values())
