"""Page 2: the features that the probe reads, and that it reads them."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page02_probe as page02
from tests.demos.test_page06 import Recorder


class Stage(Recorder):
    """A quick stage."""

    quick = True

    def say(self, text):
        pass


def test_standardised_features_have_mean_0_and_mean_square_1():
    """By the training set alone, and with one number for all columns, so that their ratios stay."""
    rng = np.random.default_rng(0)
    raw, new = rng.normal([5.0, -3.0], [2.0, 0.5], (50, 2)), rng.normal(size=(7, 2))
    known, test = page02.standardised(raw, new)
    np.testing.assert_allclose(known.mean(axis=0), 0, atol=1e-14)
    assert np.mean(known**2) == pytest.approx(1)
    assert known[:, 0].std() / known[:, 1].std() == pytest.approx(raw[:, 0].std() / raw[:, 1].std())
    np.testing.assert_allclose((test - known[:7]) * raw[:, 0].std() / known[:, 0].std(), new - raw[:7])


def test_principal_axes_keep_what_has_most_variance():
    rng = np.random.default_rng(0)
    scales = np.where(np.arange(40) % 2, 0.1, 3.0)[rng.permutation(40)]  # 20 columns that matter
    x = rng.normal(4.0, scales, (500, 40))
    kept, test = page02.principal(x, x[:9])
    assert kept.shape == (500, 16)
    np.testing.assert_allclose(test, kept[:9])
    np.testing.assert_allclose(kept.mean(axis=0), 0, atol=1e-12)
    best = np.sort(np.linalg.eigvalsh(np.cov(x.T, bias=True)))[::-1][:16]
    np.testing.assert_allclose(np.cov(kept.T, bias=True), np.diag(best), atol=1e-9)


def test_the_code_is_the_last_layer_of_the_encoder_on_the_layer_before():
    model = page02.wide_vae(np.random.default_rng(0))
    x = np.random.default_rng(1).integers(0, 17, (5, 64))
    layer, code = page02.layer_and_code(model, x)
    assert layer.shape == (5, 256) and code.shape == (5, 16)
    last = model.encoder.layers[-1]
    np.testing.assert_allclose((layer @ last.W.data + last.b.data)[:, :16], code, atol=1e-5)


def test_a_few_labels_are_a_few_of_each_class():
    labels = np.repeat(np.arange(10), np.arange(5, 15))
    order = page02.a_few_of_each(labels, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(order), np.arange(len(labels)))
    for n in range(0, 50, 10):
        np.testing.assert_array_equal(np.sort(labels[order[n : n + 10]]), np.arange(10))
    assert (page02.a_few_of_each(labels, np.random.default_rng(1)) != order).any()


def test_features_that_tell_all_and_nothing(monkeypatch):
    """One-hot codes of the class give accuracy 1 from ten labels on; noise gives a tenth, give or take 5.96 errors."""
    monkeypatch.setattr(page02, "COUNTS", (10, 100))
    rng = np.random.default_rng(0)
    labels, truth = np.tile(np.arange(10), 10), np.tile(np.arange(10), 200)
    features = {
        "class": (np.eye(10)[labels], np.eye(10)[truth]),
        "noise": (rng.normal(size=(100, 3)), rng.normal(size=(2000, 3))),
    }
    scores = page02.accuracies(features, labels, truth, page02.a_few_of_each(labels, rng))
    assert scores.shape == (2, 2)
    np.testing.assert_array_equal(scores[0], 1.0)
    assert np.abs(scores[1] - 0.1).max() < 5.96 * np.sqrt(0.09 / 2000)


@pytest.mark.slow
def test_the_figures():
    """What was measured: pixels and principal axes are read best, and training is worth most with few labels."""
    stage = Stage()
    page02.run(stage, seed=0)
    (figure,) = stage.figures.values()
    plt.close(figure)
    scores = {line[:10].strip(): [float(a) for a in re.findall(r": (0\.\d+) ±", line)] for line in stage.results[:-1]}
    assert list(scores) == ["pixels", "PCA", "VAE code", "VAE layer", "untrained"]
    for few, *_, many in scores.values():
        assert 0.35 < few < 0.75 < many < 0.95
    assert scores["pixels"][-1] > 0.89 and scores["PCA"][-1] > 0.88
    assert scores["untrained"][0] + 0.03 < scores["VAE code"][0] and scores["VAE code"][-1] < scores["PCA"][-1] - 0.05
    assert stage.results[-1] == "chance: 0.1"
