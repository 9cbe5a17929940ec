"""Page 10: MADE on digits, by two kinds of conditionals, and what they cost beside the published figures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page10_made as page10
from demos import training
from scratchgen.training import History
from tests.demos.recorder import Recorder


@pytest.fixture
def stage():
    recorder = Recorder()
    yield recorder
    recorder.close()


def untrained(name):
    return page10.make(page10.OUTPUTS[name][0], np.random.default_rng(0)).eval()


@pytest.mark.parametrize("name", page10.OUTPUTS)
def test_the_probabilities_of_the_levels_are_the_parts_of_log_p(name):
    model, x = untrained(name), page10.load("test")[5]
    p = page10.level_probabilities(model, x)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    nats = page10.per_pixel(model, x[None])[0]
    np.testing.assert_allclose(-np.log(p[np.arange(64), x]), nats, rtol=1e-4)
    np.testing.assert_allclose(nats.sum(), -model.log_prob(x[None]).data[0], rtol=1e-5)


def test_the_bars_and_the_truth_are_those_of_the_pixels_that_are_numbered(stage):
    models, x = {name: untrained(name) for name in page10.OUTPUTS}, page10.load("test")[8]
    page10.draw_conditionals(stage, models, x)
    digit, *others = stage.figures["page10_made_conditionals"].axes
    np.testing.assert_array_equal(digit.images[0].get_array(), x.reshape(8, 8))
    for ax, (row, column) in zip(others, page10.PIXELS):
        heights = np.array([bar.get_height() for bar in ax.patches]).reshape(2, 17)
        for height, model in zip(heights, models.values()):
            np.testing.assert_array_equal(height, page10.level_probabilities(model, x)[8 * row + column])
        assert ax.lines[0].get_xdata()[0] == x.reshape(8, 8)[row, column]


def test_completions_begin_with_what_is_given(stage):
    x = page10.load("test")[:2]
    page10.draw_completions(stage, untrained("mixture of logistics"), x, np.random.default_rng(0))
    digit, given, *drawn = (ax.images[0].get_array() for ax in stage.figures["page10_made_completion"].axes)
    np.testing.assert_array_equal(digit[:, :8], x[0].reshape(8, 8))
    assert not given[4:].any() and len(drawn) == 4
    for row in drawn:
        np.testing.assert_array_equal(row[:4], digit[:4])
        assert np.any(row[4:] != digit[4:])


def test_the_published_figures_are_drawn_dashed(stage):
    history = History([20, 40], [100.0, 90.0], [101.0, 91.0])
    page10.draw_loss(stage, {"categorical": history}, baseline=110.5)
    (ax,) = stage.figures["page10_made_loss"].axes
    dashed = [(line.get_ydata()[0], line.get_linestyle()) for line in ax.lines[1:]]
    assert dashed == [(110.5, "--"), (100.5, "--"), (88.7, "--")]
    assert all(ax.get_ylim()[0] < value < ax.get_ylim()[1] for value, _ in dashed)
    plt.close("all")


def test_a_training_that_is_broken_off_draws_nothing(monkeypatch):
    monkeypatch.setattr(training, "fit", lambda *args, **kwargs: History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        page10.train(untrained("categorical"), 0.1, None, None, np.random.default_rng(0), 1)


def test_a_few_epochs_bring_it_below_independent_pixels():
    """After 160 steps the mixture of logistics is some 12 nats below the 110.47 of independent pixels."""
    output, decay = page10.OUTPUTS["mixture of logistics"]
    rng = np.random.default_rng(0)
    history = page10.train(page10.make(output, rng), decay, page10.load("train"), page10.load("validation"), rng, 4)
    assert min(history.validation) < 102


@pytest.mark.slow
def test_both_reach_their_aims(stage):
    """Validation loss in nats per image: the categorical at most 95, the mixture below the 88.7 that is published.

    Measured for seeds 0 and 1: 93.84 and 93.74, 87.58 and 88.18. About 25 seconds on an idle core.
    """
    page10.run(stage, seed=0)
    best = stage.numbers(r"(\S+) nats per image of the validation set; .* 88.7, VAE 100.5, independent pixels (\S+)")
    (categorical, baseline), (mixture, _) = best
    assert categorical < 95 and mixture < 88.7 and baseline == 110.47
    test = stage.numbers(r"test set: (\S+) ± \S+ nats per image, of which the lower half, given the upper, (\S+) ±")
    (independent, independent_half), *others = test
    assert independent == 106.47 and len(others) == 2
    for whole, half in others:
        assert whole < 92 < independent and half < 46 < independent_half
    assert len(stage.figures) == 4
