"""Page 5: the gradient of the ELBO in θ, from samples, against its exact value and variance."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from demos import page05_theta_gradient as page05
from scratchgen.distributions import Independent, Normal
from scratchgen.latent import quadrature, three_terms
from tests.demos.test_page06 import Recorder


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page05, "SAMPLES", 2000)
        page05.run(recorder, seed=0)
    yield recorder
    for figure in recorder.figures.values():
        plt.close(figure)


def numbers(line):
    return [float(number) for number in re.findall(r"-?\d+\.\d{4}", line)]


def test_the_exact_gradient_is_that_of_the_bound():
    """By the engine, with the exact expectation of all three terms, of which log q has no θ."""
    p, q = page05.model(), Independent(Normal(page05.MEAN, 2 * np.log(page05.STD)), 1)
    three_terms(p, page05.X, quadrature(q, order=2)).total.sum().backward()
    assert page05.exact_gradient(p)[0] == pytest.approx(p.W.grad[0, 0], abs=1e-12)


def test_the_exact_gradient_and_its_deviation_by_hand():
    """E[z₁ (x₁ − w₁ᵀ z)]/s², and its square from the moments of normal numbers: m² + v, m³ + 3mv, m⁴ + 6m²v + 3v²."""
    p = page05.model()
    (w, u), (m, n), (v, s), x = p.W.data[0], page05.MEAN[0], page05.STD[0] ** 2, page05.X[0, 0]
    second, third, fourth = m**2 + v, m**3 + 3 * m * v, m**4 + 6 * m**2 * v + 3 * v**2
    mean = x * m - w * second - u * m * n
    square = x**2 * second + w**2 * fourth + u**2 * second * (n**2 + s)
    square += -2 * x * w * third - 2 * x * u * second * n + 2 * w * u * third * n
    exact, std = page05.exact_gradient(p)
    assert exact == pytest.approx(mean / 0.5, abs=1e-12)
    assert std == pytest.approx(np.sqrt(square - mean**2) / 0.5, abs=1e-12)


def test_the_running_mean_is_within_its_error(stage):
    """|z| < 5.96 for 1,000 samples and more: one false alarm in 10⁸."""
    exact, std = page05.exact_gradient(page05.model())
    for line in stage.results[2:4]:
        mean, error, printed = numbers(line)
        assert printed == pytest.approx(exact, abs=1e-4)
        assert abs(mean - exact) < 5.96 * error and error < 0.1 * std


def test_the_deviation_is_the_exact_one_and_the_gradient_at_the_mean_is_wrong(stage):
    estimate, exact = numbers(stage.results[4])
    assert estimate == pytest.approx(exact, rel=0.15)
    wrong, right = numbers(stage.results[5])
    assert abs(wrong - right) > 0.5


def test_the_curves_lie_about_the_exact_value(stage):
    left, right = stage.figures["page05_theta_gradient"].axes
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    exact, std = page05.exact_gradient(page05.model())
    assert lines[f"exact gradient {exact:.3f}"][0] == pytest.approx(exact)
    assert abs(lines["mean of n estimates, z ~ q"][-1] - exact) < 5.96 * std / np.sqrt(2000)
    rate = next(line for line in right.lines if line.get_label().startswith("exact"))
    np.testing.assert_allclose(rate.get_ydata() * np.sqrt(rate.get_xdata()), std, rtol=1e-12)
