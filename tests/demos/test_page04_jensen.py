"""Page 4: ELBO + KL = log p(x) for every q, and what the weights of samples lead to."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from demos import page04_jensen as page04
from tests.demos.test_page06 import Recorder


def log_joint(z):
    """log p(x, z) by hand."""
    return norm.logpdf(1.5, (z + 0.25) ** 2, np.sqrt(0.3)) + norm.logpdf(z)


def joint(z):
    return np.exp(log_joint(z))


def test_log_p_is_the_logarithm_of_the_integral():
    exact = quad(joint, -4, -0.25, epsabs=1e-14)[0] + quad(joint, -0.25, 4, epsabs=1e-14)[0]
    log_posterior, log_p = page04.posterior()
    assert log_p == pytest.approx(np.log(exact), abs=1e-12)
    seen = np.abs(page04.GRID) < 3
    np.testing.assert_allclose(log_posterior[seen], log_joint(page04.GRID[seen]) - log_p, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mean, std", [(0.0, 1.0), (0.9, 0.2), (-2.0, 0.5), (1.0, 1.5)])
def test_the_bound_is_the_expectation_of_log_w_and_the_gap_is_the_divergence(mean, std):
    by_quad = quad(
        lambda z: norm.pdf(z, mean, std) * (log_joint(z) - norm.logpdf(z, mean, std)),
        mean - 8 * std,
        mean + 8 * std,
        epsabs=1e-12,
    )[0]
    bound, (log_posterior, log_p) = page04.elbo([mean], [std])[0], page04.posterior()
    assert bound == pytest.approx(by_quad, abs=1e-9)
    assert bound + page04.divergence(mean, std, log_posterior) == pytest.approx(log_p, abs=1e-10)


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    page04.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def test_the_three_q_are_the_maxima_of_the_bound(stage):
    """A maximum to 1e-2 in either direction, one for each mode, and the wide one between them the lowest."""
    assert "3 local maxima" in stage.results[0]
    bounds = []
    for line, name, place in zip(stage.results[1::2], ("left", "right", "both"), (-1.3, 0.85, -0.1)):
        assert line.startswith(name)
        mean, std = (float(n) for n in re.search(r"N\((\S+), (\S+)²\)", line).groups())
        best = page04.elbo([mean], [std])[0]
        around = page04.elbo(mean + np.array([0.1, -0.1, 0, 0]), std * np.array([1, 1, 1.1, 0.9]))
        assert mean == pytest.approx(place, abs=0.05) and np.all(best > around)
        bounds.append(best)
    assert bounds[2] < bounds[0] < bounds[1]


def test_bound_and_divergence_are_the_evidence(stage):
    for line in stage.results[1::2]:
        elbo, kl, total, exact = (float(n) for n in re.findall(r"-?\d\.\d{6}", line))
        assert total == exact and elbo + kl == pytest.approx(exact, abs=2e-6) and kl > 0.5


def test_the_mean_of_the_weights_is_the_evidence_of_what_the_samples_reach(stage):
    """Within 5.96 standard errors, as stated, and these small enough to tell the modes apart."""
    for line, of in zip(stage.results[2::2], ("without the far mode", "without the far mode", "exactly")):
        value, error, name, exact = re.search(r"mean w (\S+) ± (\S+) \((\D+) (-\S+)\)", line).groups()
        assert name == of
        assert abs(float(value) - float(exact)) < 5.96 * float(error) < 0.4
    log_p = page04.posterior()[1]
    left, right, both = (float(re.search(r"(-\d\.\d+)\)", line).group(1)) for line in stage.results[2::2])
    assert both == pytest.approx(log_p, abs=1e-4)
    assert np.logaddexp(left, right) == pytest.approx(log_p, abs=1e-4)


def test_the_curves_stay_below_the_truth(stage):
    along = stage.figures["page04_jensen"].axes[1]
    log_p = next(line.get_ydata()[0] for line in along.lines if line.get_label().startswith("log p"))
    curves = [line.get_ydata() for line in along.lines if line.get_label().startswith("ELBO")]
    assert len(curves) == 3 and max(curve.max() for curve in curves) < log_p - 0.4
