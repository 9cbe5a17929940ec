"""Page 6: every estimator's mean and variance beside the truth that the demo states."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page06_estimators as page06
from scratchgen.latent import gauss_hermite
from tests.demos.test_page06 import Recorder


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    page06.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def numbers(line):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", line)]


def by_nodes(estimator, f, samples, order):
    """Mean and variance per sample of the gradient to the mean."""
    nodes, weights = gauss_hermite(samples, order)
    g = page06.estimates(estimator, f, nodes.T)
    return weights @ g, samples * (weights @ (g - weights @ g) ** 2)


@pytest.mark.parametrize("name", page06.known_for_square())
def test_the_closed_forms_for_the_square(name):
    """Against Gauss–Hermite nodes: five samples in five dimensions, so few nodes in each, which are enough."""
    estimator, samples, exact = page06.known_for_square()[name]
    mean, variance = by_nodes(estimator, lambda z: z * z, samples, 4)
    assert mean == pytest.approx(0.0 if name == "naive" else 2 * page06.MEAN, rel=1e-12)
    assert variance == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize("k", [0.4, 2.0])
def test_the_closed_forms_for_the_wave(k):
    g, by_score, by_path = page06.known_for_wave(k)
    for estimator, exact in ((page06.score_function, by_score), (page06.pathwise, by_path)):
        mean, variance = by_nodes(estimator, lambda z: np.cos(k * z), 1, 60)
        assert mean == pytest.approx(g, rel=1e-10) and variance == pytest.approx(exact, rel=1e-10)


def test_the_printed_means_and_variances_are_near_the_truth(stage):
    """Means within 5.96 standard errors; variances within 10 %, where the noise is below 2 %."""
    lines = [line for line in stage.results if line.startswith("f = z²")]
    assert len(lines) == 5
    for line in lines[1:]:
        mean, error, exact, variance, known = numbers(line)
        assert exact == 3.0 and abs(mean - exact) < 5.96 * error < 0.14
        assert variance == pytest.approx(known, rel=0.1)
    assert numbers(lines[0])[:3] == [0.0, 0.0, 3.0]


def test_the_printed_variances_of_the_wave_are_at_their_limits(stage):
    (line,) = (line for line in stage.results if line.startswith("f = cos kz"))
    _, by_score, by_path, score_limit, path_limit = numbers(line)
    assert by_score == pytest.approx(score_limit, rel=1e-3) and by_path == pytest.approx(path_limit, rel=1e-3)


def test_the_dots_lie_on_the_dashed_lines_and_the_lines_cross(stage):
    ax = stage.figures["page06_estimators"].axes[2]
    dots = [line for line in ax.lines if line.get_label() in ("score function", "pathwise")]
    for line, which in zip(dots, (1, 2)):
        x, y = line.get_data()
        np.testing.assert_allclose(y, page06.known_for_wave(x / page06.STD)[which], rtol=0.1)
    assert dots[0].get_ydata()[0] > dots[1].get_ydata()[0] and dots[0].get_ydata()[-1] < dots[1].get_ydata()[-1]


def test_the_score_function_of_the_coin_is_unbiased_and_the_relaxed_ones_are_not():
    p = 1 / (1 + np.exp(-page06.LOGIT))
    exact = p * (1 - p) * ((1 - page06.TARGET) ** 2 - page06.TARGET**2)
    for _, estimator, samples in page06.COIN:
        assert page06.coin_moments(estimator, samples)[0] == pytest.approx(exact, rel=1e-12)
    f, score = np.array([page06.TARGET**2, (1 - page06.TARGET) ** 2]), np.array([-p, 1 - p])
    variance = np.array([1 - p, p]) @ (f * score) ** 2 - exact**2
    assert page06.coin_moments(page06.score_function, 1)[1] == pytest.approx(variance, rel=1e-12)
    for tau, least in ((0.1, 0.004), (0.5, 0.01)):
        assert page06.relaxed_moments(tau)[0] - exact > least
        assert page06.relaxed_moments(tau, hard=True)[0] - exact > least


def test_the_printed_gradient_of_the_coin_is_the_true_one(stage):
    p = 1 / (1 + np.exp(-0.5))
    printed = [
        re.search(r"the true gradient is (\S+?)(;|$)", line).group(1) for line in stage.results if "0.45" in line
    ]
    assert printed == [f"{p * (1 - p) * (0.55**2 - 0.45**2):.4f}"] * 4


@pytest.mark.parametrize("hard", [False, True])
def test_the_relaxed_moments_are_those_of_samples(hard):
    g = page06.relaxed_gradients(0.7, np.random.default_rng(1).logistic(size=50_000), hard)
    mean, variance = page06.relaxed_moments(0.7, hard)
    error = g.std() / np.sqrt(len(g))
    assert abs(g.mean() - mean) < 5.96 * error < 0.15 * mean
    assert g.var() == pytest.approx(variance, rel=0.1)


def test_the_relaxed_noise_crosses_that_of_the_score_function(stage):
    """What the caption says: at low temperatures, where the bias falls, leaving one out is less noisy."""
    mean_of = [page06.relaxed_moments(tau)[0] for tau in (0.1, 0.2, 0.4)]
    assert mean_of == sorted(mean_of)
    left_out = np.sqrt(2 * page06.coin_moments(page06.leave_one_out, 2)[1])
    assert np.sqrt(page06.relaxed_moments(0.5)[1]) > left_out
    assert stage.figures["page06_coin"].axes[1].get_yscale() == "log"
