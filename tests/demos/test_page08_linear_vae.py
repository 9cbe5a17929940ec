"""Page 8: the linear VAE against the closed form of probabilistic PCA."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page08_linear_vae as page08
from scratchgen.latent.ppca import best_log_likelihood, spectrum
from tests.demos.test_page06 import Recorder


class Stage(Recorder):
    quick = True

    def say(self, text):
        pass


def picture(monkeypatch, steps, fixed):
    """A run that is shorter, with fewer values of s²."""
    monkeypatch.setattr(page08, "STEPS", steps)
    monkeypatch.setattr(page08, "FIXED", fixed)
    recorder = Stage()
    page08.run(recorder, seed=0)
    return recorder


def figures_of(line):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", line)]


def test_a_short_training_is_near_the_closed_form_and_the_pictures_show_it(monkeypatch):
    stage = picture(monkeypatch, steps=600, fixed=[2.5])
    x = page08.data(np.random.default_rng(0))
    likelihood, best = figures_of(stage.results[0])
    assert best == pytest.approx(best_log_likelihood(x, page08.LATENT), abs=1e-4)
    assert best - 0.05 < likelihood <= best
    assert figures_of(stage.results[1])[0] < 5
    left, right = stage.figures["page08_linear_vae"].axes
    log_p, elbo, limit = (line.get_ydata() for line in left.lines)
    assert limit[0] == pytest.approx(best, abs=1e-4)
    assert np.all(elbo <= log_p) and np.all(log_p <= limit[0]) and len(log_p) == 600 // page08.EVERY + 1
    assert np.all(np.diff([line.get_ydata()[-1] for line in right.lines[:3]]) <= 0)
    for figure in stage.figures.values():
        plt.close(figure)


def test_the_dashed_lines_are_the_eigenvalues_less_s2(monkeypatch):
    stage = picture(monkeypatch, steps=50, fixed=[0.7, 5.0])
    values = spectrum(page08.data(np.random.default_rng(0)), page08.LATENT)[0]
    lines = [line for line in stage.figures["page08_collapse"].axes[0].lines if line.get_linestyle() == "--"]
    assert len(lines) == page08.LATENT
    for value, line in zip(values, lines):
        s2, length = line.get_data()
        np.testing.assert_allclose(length, np.where(s2 < value, value - s2, 0), rtol=0, atol=1e-12)
    for figure in stage.figures.values():
        plt.close(figure)


def test_a_fixed_variance_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(page08, "STEPS", 5)
    rng = np.random.default_rng(0)
    model, _ = page08.train(page08.data(rng), rng, fixed=1.7)
    assert np.exp(model.likelihood.logvar.item()) == pytest.approx(1.7, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_targets(seed):
    """Average log-likelihood within 0.01 nats of the closed form, the largest principal angle below 2°."""
    recorder = Stage()
    page08.run(recorder, seed)
    likelihood, best = figures_of(recorder.results[0])
    assert best - 0.01 < likelihood <= best + 1e-4
    assert figures_of(recorder.results[1])[0] < 2
    s2, exact = figures_of(recorder.results[2])
    assert s2 == pytest.approx(exact, rel=0.01)
    assert figures_of(recorder.results[3])[-1] < 0.1
    for figure in recorder.figures.values():
        plt.close(figure)
