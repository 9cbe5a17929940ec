"""Page 4: log p(x) = ELBO + gap, and the gap of the best q in closed form."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page04_gap as page04
from tests.demos.test_page06 import Recorder


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    page04.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def numbers(line):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", line)]


@pytest.mark.parametrize("kind", page04.KINDS)
def test_bound_and_gap_make_the_likelihood_and_training_ends_near_the_least_gap(stage, kind):
    (line,) = (line for line in stage.results if line.startswith(kind))
    elbo, gap, log_p, least = numbers(line)
    assert elbo + gap == pytest.approx(log_p, abs=1.1e-4)  # four decimals of each
    assert least <= gap < least + 0.005
    assert (least == 0) == (kind == "full covariance")


def test_the_least_gap_is_that_of_an_angle():
    """P = I + 3/s² [[1, cos], [cos, 1]], so the gap is −½ log(1 − r²), r the correlation of its two dimensions."""
    for angle in (0.4, 1.0, np.pi / 2):
        model = page04.model_with(angle, np.random.default_rng(0))
        c = 3 / np.exp(page04.LOGVAR)
        r = c * np.cos(angle) / (1 + c)
        assert page04.mean_field_gap(model) == pytest.approx(-0.5 * np.log(1 - r * r), abs=1e-12)


def test_the_dots_lie_on_the_dashed_line(stage):
    ax = stage.figures["page04_gap"].axes[3]
    mean_field, full, exact = (line.get_data() for line in ax.lines[:3])
    np.testing.assert_allclose(mean_field[1], np.interp(mean_field[0], *exact), atol=1e-3)  # between its points
    np.testing.assert_allclose(full[1], 0, atol=1e-12)


def test_the_areas_are_the_bound_and_what_is_missing_to_the_dashed_line(stage):
    for ax in stage.figures["page04_gap"].axes[:2]:
        elbo, gap = (area.get_paths()[0].vertices for area in ax.collections)
        log_p = ax.lines[0].get_ydata()[0]
        assert gap[:, 1].max() == pytest.approx(log_p, abs=1e-12)
        assert elbo[:, 1].max() <= log_p


def test_the_line_of_two_standard_deviations():
    """(z − m)ᵀ C⁻¹ (z − m) = 4"""
    model = page04.model_with(0.7, np.random.default_rng(0))
    q = model.posterior(model.sample(3, rng=0))
    d = page04.ellipse(q, 1) - q.mean.data[1]
    np.testing.assert_allclose(np.sum(d @ np.linalg.inv(q.covariance.data[1]) * d, axis=1), 4.0, rtol=1e-12)
