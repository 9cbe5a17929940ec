"""Page 7: what is read from the decoder and the bound, on a model that is the truth; and what training reaches."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.special import ndtr

from demos import page07_spiral as page07
from scratchgen.autodiff import Tensor
from scratchgen.distributions import Independent, Normal
from tests.demos.test_page06 import Recorder


class Stage(Recorder):
    """A quick stage."""

    quick = True

    def say(self, text):
        pass


class Truth:
    """A decoder that is the spiral itself, with u = Φ(z)^½, and a bound a quarter of a nat too low."""

    def decode(self, z):
        u = np.sqrt(ndtr(z[:, 0].astype(np.float64)))
        return Independent(Normal(*map(Tensor, (page07.SPIRAL.curve(u), np.log(self.variance(u))))), 1)

    @staticmethod
    def variance(u):
        return np.repeat(page07.SPIRAL.noise(u)[:, None] ** 2, 2, axis=1)

    def log_prob(self, x, rng, samples):
        return page07.SPIRAL.log_prob(x) - 0.25 - 0.5 / samples


class Uneven(Truth):
    """A bound that is right for every other point, and half a nat too low for the rest."""

    def log_prob(self, x, rng, samples):
        return page07.SPIRAL.log_prob(x) - 0.5 * (np.arange(len(x)) % 2)


class Stretched(Truth):
    """The first coordinate has twice the true standard deviation."""

    @staticmethod
    def variance(u):
        variance = Truth.variance(u)
        variance[:, 0] *= 4
        return variance


def test_of_the_true_decoder_the_curve_and_its_thickness_are_true():
    curve = page07.learned_curve(Truth())
    np.testing.assert_allclose(curve.mean, page07.SPIRAL.curve(curve.u), atol=0.02)
    np.testing.assert_allclose(curve.thickness, page07.SPIRAL.noise(curve.u), atol=1e-3)
    np.testing.assert_allclose(curve.u, np.sqrt(np.linspace(0.005, 0.995, 400)), atol=1e-3)


def test_thickness_is_measured_across_the_spiral():
    """The normal n has n₁² = sin²(angle of the tangent) and n₂² = cos² of it."""
    curve, step = page07.learned_curve(Stretched()), 1e-4
    tangent = page07.SPIRAL.curve(curve.u + step) - page07.SPIRAL.curve(curve.u - step)
    cosine, sine = (tangent / np.linalg.norm(tangent, axis=1, keepdims=True)).T
    expected = page07.SPIRAL.noise(curve.u) * np.sqrt(4 * sine**2 + cosine**2)
    np.testing.assert_allclose(curve.thickness, expected, atol=2e-3)


def test_the_gap_is_between_the_bound_and_the_exact_density_of_the_same_points():
    stage = Stage()
    test = page07.SPIRAL.sample(500, rng=0).astype(np.float32)
    page07.draw_ladder(stage, Truth(), test, np.random.default_rng(0))
    plt.close(stage.figures["page07_bound"])
    gap, error = re.search(r"gap to the exact log p\(x\): (\S+) ± (\S+) nats", stage.results[1]).groups()
    assert float(gap) == pytest.approx(0.25, abs=0.003) and float(error) == 0.0
    entropy = float(re.search(r"−H = (\S+)", stage.results[0]).group(1))
    assert entropy == pytest.approx(-page07.SPIRAL.entropy(), abs=5e-4)


def test_the_error_of_the_gap_is_that_of_a_mean():
    """Half of 100 gaps are ½ and half 0: their standard deviation is ¼, and that of the mean a tenth of it."""
    stage = Stage()
    page07.draw_ladder(stage, Uneven(), page07.SPIRAL.sample(100, rng=0), np.random.default_rng(0))
    plt.close(stage.figures["page07_bound"])
    assert stage.results[1] == "gap to the exact log p(x): 0.250 ± 0.025 nats"


def test_the_truth_is_drawn_as_a_dashed_line():
    stage = Stage()
    page07.draw_thickness(stage, Truth())
    ax = stage.figures["page07_variance"].axes[0]
    (true,) = (line for line in ax.lines if line.get_linestyle() == "--")
    np.testing.assert_allclose(true.get_ydata(), [0.1, 0.25])
    plt.close(stage.figures["page07_variance"])
    assert "across it: 1.000 (truth 1)" in stage.results[0]


@pytest.mark.slow
def test_the_figures():
    """The bound within 0.1 nats of the entropy; the noise of the spiral found; no bound without noise."""
    stage = Stage()
    page07.run(stage, seed=0)
    for figure in stage.figures.values():
        plt.close(figure)
    curve, bound, gap, floors = stage.results
    assert abs(float(re.search(r"across it: (\S+) ", curve).group(1)) - 1) < 0.1
    assert -0.01 < float(re.search(r"gap to the exact log p\(x\): (\S+) ±", gap).group(1)) < 0.1
    reached, entropy = (float(n) for n in re.search(r"300: (\S+) on .* −H = (\S+)", bound).groups())
    assert reached < entropy + 0.06 and reached > entropy - 0.1
    noisy, exact, clean = (
        float(n) for n in re.search(r"bound (\S+) with noise, exact log p\(x\) (\S+); (\S+) without", floors).groups()
    )
    assert noisy < exact + 0.02 and clean > noisy + 1.5
