"""Page 11: the density along the curve, its integral, and likelihoods in two units."""

import numpy as np
import pytest
from scipy import integrate, stats

from demos import page11_change_of_variables as page11
from tests.demos.recorder import Recorder


@pytest.fixture(scope="module")
def stage():
    recorder = Recorder()
    page11.run(recorder, seed=0)
    yield recorder
    recorder.close()


def test_the_slope_is_that_of_the_map():
    """By differences over 2e-4."""
    z = np.linspace(-3, 3, 61)
    slope = (page11.to_data(z + 1e-4) - page11.to_data(z - 1e-4)) / 2e-4
    np.testing.assert_allclose(page11.stretch(z), slope, rtol=1e-6)


def test_the_flow_is_that_map():
    """f of x(z) is z, and the density is p_z / x′."""
    flow, z = page11.flow_of_the_map(), np.linspace(-3, 3, 61)
    np.testing.assert_allclose(flow.transform(page11.to_data(z)[:, None])[0].data[:, 0], z, atol=1e-12)
    right, wrong = page11.densities(flow, page11.to_data(z))
    np.testing.assert_allclose(right, stats.norm.pdf(z) / page11.stretch(z), rtol=1e-11)
    np.testing.assert_allclose(wrong, stats.norm.pdf(z), rtol=1e-11)


def test_the_mean_slope():
    by_quadrature, _ = integrate.quad(lambda z: stats.norm.pdf(z) * page11.stretch(z), -10, 10, epsabs=1e-12)
    assert page11.mean_stretch() == pytest.approx(by_quadrature, abs=1e-9)


def test_the_integrals_that_are_printed(stage):
    ((right, error),) = stage.numbers(r"dx = (\S+), exactly 1; .* by (\S+)$")
    assert right == 1.0 and error < 1e-12
    ((wrong, exact),) = stage.numbers(r"it would be (\S+): .* (\S+)$")
    assert wrong == exact > 1.5


def test_the_negative_nll(stage):
    """Within 5.96 standard errors of the entropy of N(0, 0.05²)."""
    ((measured, error, exact),) = stage.numbers(r"mean NLL (\S+) ± (\S+), exactly (\S+)$")
    assert exact == pytest.approx(stats.norm(0, 0.05).entropy(), abs=1e-4) and exact < -1.5
    assert abs(measured - exact) < 5.96 * error < 0.03


def test_the_unit_shifts_the_nll_by_its_logarithm(stage):
    ((metres, centimetres, more, exact),) = stage.numbers(r"metres (\S+) nats, .* (\S+): (\S+) more, .* (\S+)$")
    assert metres < 0 < centimetres and more == exact == pytest.approx(np.log(100), abs=1e-6)


def test_the_strips_have_equal_probability(stage):
    """The picture shows twelve of them twice, and the histogram has area 1."""
    left, middle, _ = stage.figures["page11_change_of_variables"].axes
    assert len(left.collections) == 2 * page11.STRIPS
    assert sum(bar.get_height() * bar.get_width() for bar in middle.patches) == pytest.approx(1)
