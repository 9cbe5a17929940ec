"""Page 12: the distances are those of exact moments, and fall with the orders of the theory."""

import numpy as np
import pytest

from demos import page12_steps as page12
from scratchgen.diffusion import GaussianMixtureData, euler_maruyama, heun, rk45
from tests.demos.recorder import Recorder
from tests.diffusion.test_integrators import MEAN, VARIANCE, moments


@pytest.fixture(scope="module")
def stage():
    stage = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page12, "STEPS", (16, 32, 64))
        page12.run(stage, seed=0)
    yield stage
    stage.close()


def test_the_orders(stage):
    (maruyama,) = stage.numbers(r"Euler–Maruyama: .*; order (\S+), 1 in theory")
    (euler,) = stage.numbers(r"flow, Euler: .*; order (\S+), 1 in theory")
    (second,) = stage.numbers(r"Heun: .*; order (\S+), 2 in theory")
    assert maruyama == pytest.approx((1,), abs=0.05)
    assert euler == pytest.approx((1,), abs=0.05)
    assert second == pytest.approx((2,), abs=0.1)
    ((distance, calls),) = stage.numbers(r"RK45: distance to the data (\S+) after (\S+) evaluations")
    assert distance < 1e-7 and calls < 200


def test_reference_lines_have_their_slopes(stage):
    left, right = stage.figures["page12_steps"].axes
    dashed = [line for line in left.lines if line.get_linestyle() == "--"]
    slopes = [np.ptp(np.log(line.get_ydata())) / np.ptp(np.log(line.get_xdata())) for line in dashed]
    np.testing.assert_allclose(slopes, [1, 2])
    np.testing.assert_allclose(page12.WIDTH * right.lines[-1].get_ydata().sum(), 1, atol=1e-6)


def normal():
    return GaussianMixtureData([1.0], [[MEAN]], VARIANCE).diffused(page12.SDE)


def test_the_density_of_euler_maruyama_has_its_exact_moments():
    """On normal data those are known from the coefficients of the sampler itself."""
    p, steps = normal(), 24
    reverse, times = p.sde.reverse(p.score), np.linspace(1, 0, steps + 1)
    a, s = p.sde.marginal(1.0)
    expected = moments(
        lambda x, e: euler_maruyama(reverse, x, times, noise=e[..., None]), steps, a * MEAN, a**2 * VARIANCE + s**2
    )
    q = page12.by_noise(p, steps, 0) * page12.WIDTH
    mean = q @ page12.GRID
    np.testing.assert_allclose([mean, q @ (page12.GRID - mean) ** 2], expected, atol=1e-4)
    assert q.sum() == pytest.approx(1, abs=1e-4)


def test_the_distance_of_a_map_by_hand():
    """The exact map has none; one that ends a little off, that of two normal distributions with other means."""
    from scipy.special import ndtr

    p = normal()
    flow = p.sde.reverse(p.score, probability_flow=True)
    exact = lambda x: rk45(flow, x, [1, 0], 1e-10)  # noqa: E731
    assert page12.distance_of_map(p, exact) < 1e-8
    shifted = page12.distance_of_map(p, lambda x: exact(x) + 0.05)
    assert shifted == pytest.approx(2 * ndtr(0.025 / VARIANCE**0.5) - 1, rel=1e-4)
    coarse = page12.distance_of_map(p, lambda x: heun(flow, x, np.linspace(1, 0, 17)))
    assert 1e-4 < coarse < 0.1


def test_both_distances_agree():
    """A density, and the map that makes it: probabilities of cells, and differences on the grid."""
    p = normal()
    q = np.exp(p.log_prob(page12.GRID[:, None] - 0.1, 0.0))
    flow = p.sde.reverse(p.score, probability_flow=True)
    by_map = page12.distance_of_map(p, lambda x: rk45(flow, x, [1, 0], 1e-9) + 0.1)
    assert page12.distance_of_density(p, q) == pytest.approx(by_map, rel=1e-3)
