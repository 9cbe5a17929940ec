"""Page 9: how much a code tells of the factors, on codes of which that is known."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page09_factors as page09
from tests.demos.test_page06 import Recorder

FACTORS = page09.BARS.sample(4000, rng=0).factors
SCALED = (FACTORS - FACTORS.mean(axis=0)) / FACTORS.std(axis=0)


class Stage(Recorder):
    """A quick stage."""

    quick = True

    def say(self, text):
        pass


def test_explained_by_hand():
    """Equation (1): 1 for the truth, 0 for the mean, −3 for the truth mirrored at the mean."""
    mean = FACTORS.mean(axis=0)
    np.testing.assert_allclose(page09.explained(FACTORS, FACTORS), 1)
    np.testing.assert_allclose(page09.explained(FACTORS, mean), 0, atol=1e-12)
    np.testing.assert_allclose(page09.explained(FACTORS, 2 * mean - FACTORS), -3)
    half = np.column_stack([FACTORS[:, 0], np.full(4000, mean[1])])
    np.testing.assert_allclose(page09.explained(FACTORS, half), [1, 0], atol=1e-12)


def test_a_plane_reads_what_is_linear_in_the_code():
    codes = SCALED @ np.array([[0.3, -1.2], [0.7, 0.4]]) + 5
    np.testing.assert_allclose(page09.by_a_plane(codes[:100], FACTORS[:100], codes[100:]), FACTORS[100:], atol=1e-10)


def test_neighbours_are_the_nearest():
    codes, factors = np.arange(100.0)[:, None], np.arange(100.0)[:, None] ** 2
    guess = page09.by_neighbours(codes, factors, np.array([[50.4], [0.0]]))
    np.testing.assert_allclose(guess[:, 0], [np.mean(np.arange(41, 61) ** 2.0), np.mean(np.arange(20) ** 2.0)])


def test_codes_that_are_the_factors_are_aligned_whatever_their_order():
    for codes in (SCALED, SCALED[:, ::-1], np.column_stack([0 * SCALED[:, 0], SCALED])):
        for name, score in page09.alignment(codes, FACTORS).items():
            assert (score > 0.98).all(), name


def test_codes_that_are_turned_tell_all_but_in_no_dimension():
    turned = SCALED @ np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
    scores = page09.alignment(turned, FACTORS)
    assert (scores["all of z, any relation"] > 0.98).all() and (scores["all of z, linear"] > 0.999).all()
    assert (scores["one dimension of z"] < 0.8).all()


def test_codes_in_polar_coordinates_tell_all_but_to_no_plane():
    angle, radius = (FACTORS[:, 0] - 3.5) / 2.5 * 3.0, FACTORS[:, 1]
    scores = page09.alignment(radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), FACTORS)
    assert (scores["all of z, any relation"] > 0.95).all() and scores["all of z, linear"][1] < 0.3


def test_codes_that_know_one_factor_tell_that_one():
    noise = np.random.default_rng(1).normal(size=4000)
    for known in (0, 1):
        codes = np.column_stack([noise, SCALED[:, known]])
        for score in page09.alignment(codes, FACTORS).values():
            assert score[known] > 0.9 and score[1 - known] < 0.1


@pytest.mark.slow
def test_the_figures():
    """The code tells nearly all that the image tells of both factors, and two dimensions are active."""
    stage = Stage()
    page09.run(stage, seed=0)
    for figure in stage.figures.values():
        plt.close(figure)
    assert stage.results[0] == "2 of 4 dimensions of z are active; there are 2 factors"
    exact, bound, gap = map(float, re.search(r"p\(x\) (\S+) nats .* VAE (\S+): gap (\S+)", stage.results[1]).groups())
    assert exact - bound == pytest.approx(gap, abs=0.02) and 0 < gap < 1.5
    for line in stage.results[2:]:
        read, most = map(float, re.search(r"any relation (\S+),.* tells (\S+)", line).groups())
        assert 0.9 < read <= most + 0.003 < 1.003
