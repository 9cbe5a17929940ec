"""What the demos of flows share: a base, couplings of the plane, and a training that stops them when it is stopped."""

import numpy as np
import pytest

from demos import flows as shared
from scratchgen.flows import Affine, AffineMap, Composite, Flow
from scratchgen.optim import SGD
from scratchgen.training import History


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


def test_training_by_adam_or_another():
    """One step of descent on −log N(x; b, e^{2a}), from a = b = 0: b moves by lr times the mean of x."""
    x = np.full((10, 2), 3.0)
    flow = Flow(Affine(2, np.float64), shared.standard_normal(2, np.float64))
    settings = {"lr": 0.1, "steps": 1, "rng": np.random.default_rng(0), "batch_size": 10}
    history = shared.fit_or_stop(flow, x, optimizer=SGD(flow.parameters(), lr=0.1), **settings)
    np.testing.assert_allclose(flow.transform.loc.data, 0.3)
    assert history.steps == [1]
    flow = Flow(Affine(2, np.float64), shared.standard_normal(2, np.float64))
    shared.fit_or_stop(flow, x, warm_up=0, **settings)
    np.testing.assert_allclose(flow.transform.loc.data, 0.1, rtol=1e-6)  # Adam's first step is lr, whatever the slope


def test_a_training_that_is_broken_off_stops_the_demo(monkeypatch):
    monkeypatch.setattr(shared, "fit", lambda *args, **kwargs: History(interrupted=True))
    flow = Flow(Affine(2), shared.standard_normal(2))
    with pytest.raises(KeyboardInterrupt):
        shared.fit_or_stop(flow, np.zeros((3, 2), np.float32), lr=0.1, steps=1, rng=np.random.default_rng(0))
