"""Page 6: gradients of bounds of K samples, by nodes, by their limits, and as printed."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import norm

from demos import page06_bounds as page06
from tests.demos.test_page06 import Recorder


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    page06.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def test_the_posterior_is_that_of_the_model():
    model = page06.LinearGaussian(np.ones((1, 1)), np.zeros(1), np.array(np.log(page06.NOISE_VARIANCE)))
    posterior = model.posterior(np.array([[page06.X]]))
    assert posterior.mean.data[0, 0] == pytest.approx(page06.POSTERIOR_MEAN, rel=1e-13)
    assert posterior.covariance.data[0, 0, 0] == pytest.approx(page06.POSTERIOR_VARIANCE, rel=1e-13)


def posterior_over_q(z, mean):
    p = norm.pdf(z, page06.POSTERIOR_MEAN, np.sqrt(page06.POSTERIOR_VARIANCE))
    return p, p / norm.pdf(z, mean, np.sqrt(page06.VARIANCE))


def test_the_limits_against_integrals():
    """−½ d/dm ∫ p²/q dz, and ∫ p d log(p/q)/dz dz, both by the trapezoidal rule and a difference."""
    z, step = np.linspace(-7, 9, 4001, retstep=True)

    def squared(mean):
        p, ratio = posterior_over_q(z, mean)
        return step * np.sum(p * ratio)

    h = 1e-4
    assert page06.slope() == pytest.approx(
        -0.5 * (squared(page06.MEAN + h) - squared(page06.MEAN - h)) / (2 * h), rel=1e-7
    )
    p, ratio = posterior_over_q(z, page06.MEAN)
    assert page06.biased_limit() == pytest.approx(step * np.sum(p * np.gradient(np.log(ratio), z)), rel=1e-5)


def test_the_moments_by_nodes_are_those_of_samples():
    noise = np.random.default_rng(3).standard_normal((2, 50_000))
    for estimator, _ in page06.ESTIMATORS.values():
        g, (mean, std) = page06.estimates(estimator, noise), page06.exact_moments(estimator, 2)
        assert abs(g.mean() - mean) < 5.96 * g.std() / np.sqrt(g.size)
        assert g.std() == pytest.approx(std, rel=0.05)


def test_what_is_printed_of_three_samples(stage):
    lines = [line for line in stage.results if line.startswith("K = 3")]
    for line in lines:
        mean, error, by_nodes, truth = (float(n) for n in re.findall(r"-?\d+\.\d+", line))
        assert abs(mean - by_nodes) < 5.96 * error < 0.05
        assert (by_nodes == truth) == ("sticking" not in line)


def test_what_is_printed_of_a_hundred_samples(stage):
    """Doubly reparameterised within 2 % of the limit, where the next term, of 1/K², still shows."""
    found = {}
    for line in stage.results:
        if line.startswith("K = 100"):
            name = line.split(": ")[0].removeprefix("K = 100, ")
            found[name] = [float(n) for n in re.findall(r"-?\d+\.\d+", line)]
    mean, error, truth, ratio = found["doubly reparameterised"]
    assert mean == pytest.approx(truth, rel=0.02) and ratio > 5
    mean, error, truth, ratio = found["path and score"]
    assert abs(mean - truth) < 5.96 * error and ratio < 0.1
    assert found["sticking the landing"][0] == pytest.approx(page06.biased_limit(), rel=0.01)


def test_the_truth_is_drawn_dashed(stage):
    styles = {line.get_label(): line.get_linestyle() for line in stage.figures["page06_bounds"].axes[0].lines}
    assert styles["exact for K = 1, 2, 3, by nodes"] == "--" and styles["E of the path under the posterior"] == ":"
