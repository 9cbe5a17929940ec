"""Page 11: splines against affine maps at equal parameters, depth, and the floor of a single layer."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from demos import page11_spline_affine as page11
from demos.page11_couplings import flow_of
from scratchgen.data import Gaussians
from tests.demos.recorder import Recorder

GAP = r"(\d+) couplings?, (\d+) parameters: gap (-?\d+\.\d+) ± (\d+\.\d+)"


def test_the_floor_of_one_layer():
    """By SciPy's quadrature, from the marginal of the eight Gaussians; and 0 for a normal distribution."""
    means, std = 5 * np.cos(2 * np.pi * np.arange(8) / 8), np.sqrt(0.1)

    def p(x):
        return norm.pdf(x, means, std).mean()

    entropy = quad(lambda x: -p(x) * np.log(p(x)), -7, 7, points=np.unique(means.round(6)), limit=400, epsabs=1e-11)[0]
    expected = 0.5 * np.log(2 * np.pi * np.e * (means.var() + std**2)) - entropy
    assert page11.floor_of_one_layer(page11.TOY) == pytest.approx(expected, abs=1e-8)
    assert page11.floor_of_one_layer(Gaussians([[0.3, -0.2]], std=0.5)) == pytest.approx(0, abs=1e-8)


def test_equal_parameters():
    rng = np.random.default_rng(0)
    for depth in page11.DEPTHS:
        sizes = [
            page11.weights_of(flow_of(depth, scalar_map, hidden, rng))
            for scalar_map, hidden, _ in page11.KINDS.values()
        ]
        assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def test_one_layer_is_not_below_the_floor(monkeypatch):
    """After a little training."""
    stage = Recorder()
    stage.quick = True
    monkeypatch.setattr(page11, "QUICK_STEPS", 40)
    monkeypatch.setattr(page11, "TEST", 2000)
    page11.run(stage, seed=0)
    found = stage.numbers(GAP)
    assert [depth for depth, *_ in found] == [1, 2, 1, 2]
    floor = page11.floor_of_one_layer(page11.TOY)
    for depth, _, gap, error in found:
        assert error < 0.1 and gap > (floor if depth == 1 else 0) - 5.96 * error
    (dashed,) = stage.figures["page11_spline_affine"].axes[0].collections[-1].get_segments()
    np.testing.assert_allclose(dashed[:, 1], floor)
    stage.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_claims(seed):
    """Splines are ahead at each depth, both gain by depth, and a spline all but reaches the floor of one layer."""
    stage = Recorder()
    page11.run(stage, seed)
    gaps = np.array([gap for _, _, gap, _ in stage.numbers(GAP)]).reshape(2, -1)
    affine, spline = gaps
    assert np.all(np.diff(affine) < 0) and np.all(np.diff(spline) < 0)
    assert np.all(spline < 0.5 * affine)
    floor = page11.floor_of_one_layer(page11.TOY)
    assert floor < spline[0] < floor + 0.15 and affine[0] > floor + 1
    stage.close()
