"""Page 6: the discrete VAE, its data of which all is known, and what is printed of its training."""

import re
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page06_discrete as page06
from scratchgen.latent.discrete_vae import ESTIMATORS
from tests.demos.test_page06 import Recorder


class QuickRecorder(Recorder):
    quick = True


@pytest.fixture(scope="module")
def stage():
    """A run that is too short to learn much."""
    recorder = QuickRecorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page06, "QUICK_STEPS", 60)
        page06.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def test_each_image_has_one_row_and_one_column_of_ink():
    images = (page06.ink() > 0.5).reshape(4, 4, 4, 4)
    for row, column in product(range(4), repeat=2):
        expected = np.zeros((4, 4), bool)
        expected[row] = expected[:, column] = True
        np.testing.assert_array_equal(images[row, column], expected)


def test_the_best_likelihood_is_that_of_the_process():
    """It sums to 1 over all 2¹⁶ images."""
    x = ((np.arange(2**16)[:, None] >> np.arange(16)) & 1).astype(float)
    log_p = page06.best(x)
    assert np.sum(np.exp(log_p)) == pytest.approx(1, rel=1e-12)
    drawn = page06.best(page06.draw_images(20_000, np.random.default_rng(0)))
    entropy = -np.sum(np.exp(log_p) * log_p)
    assert abs(-drawn.mean() - entropy) < 5.96 * drawn.std() / np.sqrt(len(drawn)) < 0.11


def test_no_model_beats_the_process_and_the_bound_is_no_likelihood(stage):
    """On other images ELBO − log p(x) of the process is −KL on average: negative, give or take noise."""
    assert len(stage.results) == len(ESTIMATORS) + 4
    for name, line in zip(ESTIMATORS, stage.results):
        assert line.startswith(f"{name}: exact ELBO")
        ends = [float(n) for n in re.findall(r"-?\d+\.\d+", line.split("starts: ")[1])]
        assert len(ends) == page06.QUICK_STARTS and max(ends) < 0


def test_noise_and_bias_of_the_estimators(stage):
    """The relaxed ones are biased by more than their noise, the others are not; one left out is far quieter."""
    found = {}
    for line in stage.results[len(ESTIMATORS) :]:
        found[line.split(":")[0]] = [float(n) for n in re.findall(r"\d+\.\d+", line)]
    for name, (_, bias, feigned) in found.items():
        assert (bias > 2 * feigned) == (name in ("Gumbel-softmax", "straight-through")), name
    assert found["leave one out"][0] < found["score function"][0] / 2


def test_the_gradient_by_enumeration_has_no_noise():
    rng = np.random.default_rng(0)
    model, x = page06.new_model("enumeration", rng), page06.draw_images(50, rng)
    np.testing.assert_array_equal(page06.gradient(model, x, 0), page06.gradient(model, x, 1))
    model.estimator = "leave one out"
    assert np.any(page06.gradient(model, x, 0) != page06.gradient(model, x, 1))


def test_the_same_start_and_batches_for_each_estimator():
    first, second = (page06.new_model(name, np.random.default_rng(5)) for name in ESTIMATORS[:2])
    for a, b in zip(first.parameters().values(), second.parameters().values()):
        np.testing.assert_array_equal(a.data, b.data)


def test_the_curve_is_the_exact_bound_at_the_start_every_fifty_steps_and_at_the_end():
    rng = np.random.default_rng(0)
    model, x = page06.new_model("Gumbel-softmax", rng), page06.draw_images(200, rng)
    before = page06.mean_elbo(model, x)
    curve = page06.train(model, x, x, rng, steps=100)
    assert curve.shape == (3,) and curve[0] == before and curve[-1] == page06.mean_elbo(model, x)


def test_the_truth_is_a_dashed_line_at_0(stage):
    (line,) = (
        line for line in stage.figures["page06_discrete"].axes[0].lines if line.get_label().startswith("log p(x)")
    )
    assert line.get_linestyle() == "--" and set(line.get_ydata()) == {0.0}


@pytest.mark.slow
def test_the_best_start_of_each_estimator_comes_near_the_process():
    recorder = QuickRecorder()
    recorder.quick = False
    page06.run(recorder, seed=0)
    plt.close(recorder.figures["page06_discrete"])
    for name, line in zip(ESTIMATORS, recorder.results):
        ends = [float(n) for n in re.findall(r"-?\d+\.\d+", line.split("starts: ")[1])]
        assert -0.15 < max(ends) < 0.0, name
