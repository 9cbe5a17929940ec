"""What the demos of flows share: a base, and couplings of the plane."""

import numpy as np

from demos import flows as shared
from scratchgen.flows import AffineMap, Composite


def test_the_base_is_the_standard_normal():
    base = shared.standard_normal(3, np.float64)
    x = np.array([[1.0, -2.0, 0.5]])
    np.testing.assert_allclose(base.log_prob(x), -0.5 * (5.25 + 3 * np.log(2 * np.pi)), rtol=1e-14)
    assert base.event_shape == (3,) and shared.standard_normal(2).dtype == np.float32


def test_couplings_pass_one_coordinate_each_by_turns():
    layers = shared.couplings_of_the_plane(3, AffineMap(), rng=0, context=2, width=8)
    assert [layer.mask.tolist() for layer in layers] == [[True, False], [False, True], [True, False]]
    x, context = np.ones((4, 2), np.float32), np.zeros((4, 2), np.float32)
    z, _ = Composite(layers)(x, context)
    again, _ = Composite(layers).inverse(z, context)
    np.testing.assert_allclose(again.data, x, atol=1e-5)
