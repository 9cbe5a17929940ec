"""Page 12, the reverse variance: the known prices of β and β̃, and that the measured ones are these."""

import numpy as np
import pytest

from demos import page12_variance as page12
from scratchgen.diffusion.best import variance_given
from scratchgen.diffusion.variances import log_optimal
from tests.demos.recorder import Recorder


@pytest.fixture(scope="module")
def stage():
    stage = Recorder()
    page12.run(stage, seed=0)
    yield stage
    stage.close()


def test_the_right_variance_is_that_of_the_package():
    """By conditioning of the marginals, and by the law of total variance."""
    optimal = log_optimal(page12.SCHEDULE, variance_given(page12.VARIANCE, page12.SCHEDULE))
    np.testing.assert_allclose(page12.right_variance(page12.SCHEDULE), np.exp(optimal[1:]), rtol=1e-12)


def test_the_known_prices():
    """curriculum.md: 0.011 and 9.70 nats; a chain of the right variances gives the data's variance back."""
    assert page12.price_of_steps("beta", page12.SCHEDULE).sum() == pytest.approx(0.010996, abs=1e-6)
    assert page12.price_of_steps("beta_tilde", page12.SCHEDULE).sum() == pytest.approx(9.696822, abs=1e-6)
    assert page12.price_of_samples("beta", page12.SCHEDULE) == pytest.approx(0.0002963, abs=1e-7)
    assert page12.price_of_samples("beta_tilde", page12.SCHEDULE) == pytest.approx(0.0045664, abs=1e-7)
    assert page12.price_of_samples("optimal", page12.SCHEDULE) < 1e-12


def test_the_measured_prices_are_the_known_ones(stage):
    prices = stage.numbers(r"the bound costs (\S+) ± (\S+) nats, exactly (\S+), of which")
    assert [exact for _, _, exact in prices] == [0.0110, 9.6968]
    for value, error, exact in prices:
        assert abs(value - exact) < 4 * error and error < 0.1 * exact
    ((off,),) = stage.numbers(r"but for at most (\S+) nats")
    assert off < 1e-3


def test_the_picture_shows_the_truth_dashed(stage):
    left, middle, right = stage.figures["page12_variance"].axes
    assert [line.get_linestyle() for line in left.lines] == ["-", "-", "--"]
    assert [line.get_linestyle() for line in middle.lines] == ["--", "None", "--", "None"]
    np.testing.assert_allclose(middle.lines[2].get_ydata().sum(), 9.6968, atol=1e-4)
    assert len(right.lines) == 4
