"""Page 9: the ladder of bounds against quadrature, and the noise of its gradients."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from demos import page09_iwae as page09
from scratchgen.latent import PerExample
from scratchgen.nn import Module
from tests.demos.test_page06 import Recorder


class Stage(Recorder):
    quick = False

    def say(self, text):
        pass


class Fixed(Module):
    """An encoder that gives the same numbers for every x."""

    def __init__(self, mean, logvar):
        self.table = PerExample(1, 2)
        self.table.values.assign(np.array([[mean, logvar]]))

    def forward(self, x):
        return np.broadcast_to(self.table.values, (len(x), 2))


def log_p(x):
    """By SciPy's quadrature."""

    def joint(z):
        return norm.pdf(x, z * z, np.sqrt(page09.VARIANCE)) * norm.pdf(z)

    return np.log(quad(joint, -6, 6, points=[-np.sqrt(x), np.sqrt(x)], epsabs=1e-13, limit=200)[0])


def test_the_model_is_the_square():
    """x = z² + noise: mean 1, variance Var(z²) + s² = 2 + s²; within 5.96 standard errors."""
    x, n = page09.model_with(Fixed(0.0, 0.0), 1).sample(100_000, rng=0), 100_000
    variance = 2 + page09.VARIANCE
    assert abs(x.mean() - 1) < 5.96 * np.sqrt(variance / n) < 0.05
    assert abs(x.var() - variance) < 5.96 * np.sqrt((60 - variance**2) / n) < 0.2  # E(z² − 1)⁴ = 60


def test_the_ladder_is_that_of_the_weights():
    """K = 1 is the ELBO in closed form, the last within five errors of log p(x), and none falls."""
    m, v, x = 0.2, -0.1, 0.8
    bounds, errors = page09.ladder(
        page09.model_with(Fixed(m, v), 1), np.array([[x]]), 200_000, np.random.default_rng(0)
    )
    s2, noise = np.exp(v), page09.VARIANCE
    second, fourth = m**2 + s2, m**4 + 6 * m**2 * s2 + 3 * s2**2
    elbo = -0.5 * (np.log(2 * np.pi * noise) + (x**2 - 2 * x * second + fourth) / noise)
    elbo -= 0.5 * (s2 + m**2 - 1 - v)
    assert abs(bounds[0] - elbo) < 5.96 * errors[0] < 1
    assert np.all(np.diff(bounds) > 0)
    assert abs(bounds[-1] - log_p(x)) < 5.96 * errors[-1] + 0.01 < 0.05


@pytest.mark.parametrize("dreg", [False, True])
def test_the_gradients_are_of_single_draws_at_one_q(dreg, monkeypatch):
    """At K = 1 their mean is the gradient of the ELBO, in closed form."""
    monkeypatch.setattr(page09, "REPEATS", 20_000)
    x, m, noise = 0.8, 0.3, page09.VARIANCE
    found = page09.gradients(1, dreg, np.array([[x]]), np.random.default_rng(0))[:, 0]
    by_mean = -(-4 * x * m + 4 * m**3 + 12 * m) / (2 * noise) - m
    by_logvar = -(-2 * x + 6 * m**2 + 6) / (2 * noise)  # d/dv = s² d/ds², at s² = 1; that of the divergence is 0
    error = found.std(axis=0) / np.sqrt(len(found))
    assert found.shape == (20_000, 2)
    assert np.all(np.abs(found.mean(axis=0) - [by_mean, by_logvar]) < 5.96 * error)
    assert np.all(5.96 * error < 0.25 * np.abs([by_mean, by_logvar]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_claims(seed):
    stage = Stage()
    page09.run(stage, seed)
    ladders = []
    for line in stage.results[:2]:
        bounds = [float(number) for number in re.findall(r"(-\d+\.\d+) \(", line)]
        exact = float(re.search(r"log p\(x\) (\S+) nats", line).group(1))
        assert exact == pytest.approx(log_p(1.5), abs=1e-4)
        assert np.all(np.diff(bounds) >= 0)
        ladders.append(bounds)
    one_mode, both = ladders
    assert one_mode[-1] == pytest.approx(exact - np.log(2), abs=0.02)
    assert both[-1] == pytest.approx(exact, abs=0.02) and both[0] < one_mode[0]
    apart, plain, dreg = stage.results[4:]
    assert float(re.search(r"at most (\S+) standard", apart).group(1)) < 5.96
    slopes = [float(re.search(r"on (\S+), for", line).group(1)) for line in (plain, dreg)]
    np.testing.assert_allclose(slopes, [-0.5, 0.5], atol=0.15)
    dashed = [
        line.get_ydata()[0] for line in stage.figures["page09_iwae"].axes[0].lines if line.get_linestyle() == "--"
    ]
    np.testing.assert_allclose(dashed, log_p(1.5), atol=1e-6)
    arrows = [float(text.get_text()) for text in stage.figures["page09_iwae"].axes[0].texts]
    np.testing.assert_allclose(arrows, [both[0]], atol=0.051)  # the dot below the picture
    labels = stage.figures["page09_gradients"].axes[0].get_legend_handles_labels()[1]
    assert len(labels) == len(set(labels)) == 3
    for figure in stage.figures.values():
        plt.close(figure)
