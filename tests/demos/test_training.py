"""How the demos train: by steps whose lr falls, until they are done or Ctrl-C is pressed."""

import numpy as np
import pytest

from demos import training as shared
from demos.flows import standard_normal
from scratchgen.flows import Affine, Flow
from scratchgen.optim import SGD
from scratchgen.training import History


def test_training_by_adam_or_another():
    """One step of descent on −log N(x; b, e^{2a}), from a = b = 0: b moves by lr times the mean of x."""
    x = np.full((10, 2), 3.0)
    flow = Flow(Affine(2, np.float64), standard_normal(2, np.float64))
    settings = {"lr": 0.1, "steps": 1, "rng": np.random.default_rng(0), "batch_size": 10}
    history = shared.fit_with_falling_lr(flow, x, optimizer=SGD(flow.parameters(), lr=0.1), **settings)
    np.testing.assert_allclose(flow.transform.loc.data, 0.3)
    assert history.steps == [1]
    flow = Flow(Affine(2, np.float64), standard_normal(2, np.float64))
    shared.fit_with_falling_lr(flow, x, warm_up=0, **settings)
    np.testing.assert_allclose(flow.transform.loc.data, 0.1, rtol=1e-6)  # Adam's first step is lr, whatever the slope


def test_a_training_that_is_broken_off_stops_the_demo(monkeypatch):
    monkeypatch.setattr(shared, "fit", lambda *args, **kwargs: History(interrupted=True))
    flow = Flow(Affine(2), standard_normal(2))
    with pytest.raises(KeyboardInterrupt):
        shared.fit_or_stop(flow, np.zeros((3, 2), np.float32), steps=1)
    with pytest.raises(KeyboardInterrupt):
        shared.fit_with_falling_lr(flow, np.zeros((3, 2), np.float32), lr=0.1, steps=1, rng=np.random.default_rng(0))
