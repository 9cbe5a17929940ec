"""Dropout: the right share is left out, the expectation stays, and evaluation changes nothing.

Statistical tests: at a false-alarm rate of 1e-6 each, |z| < 4.9.
"""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.nn import Dropout, Module

X = np.random.default_rng(0).normal(size=(100, 200))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_what_is_kept_is_scaled_so_that_the_mean_stays(rate: float) -> None:
    y = Dropout(rate)(X, rng=1)
    kept = y != 0
    assert np.allclose(y[kept], X[kept] / (1 - rate), rtol=1e-15)
    assert abs(kept.mean() - (1 - rate)) < 4.9 * (rate * (1 - rate) / X.size) ** 0.5


def test_elements_are_left_out_independently() -> None:
    """A mask shared along an axis would give equal rows or columns."""
    kept = Dropout(0.5)(np.ones((100, 200)), rng=1) != 0
    for axis in (0, 1):
        pairs = np.take(kept, range(1, kept.shape[axis]), axis) == np.take(kept, range(kept.shape[axis] - 1), axis)
        assert abs(pairs.mean() - 0.5) < 4.9 * 0.5 / pairs.size**0.5


def test_evaluation_and_rate_zero_are_the_identity() -> None:
    assert Dropout(0.5).eval()(X) is X
    assert Dropout(0)(X) is X


def test_the_gradient_goes_where_the_value_went() -> None:
    x = Tensor(X, requires_grad=True)
    y = Dropout(0.25)(x, rng=1)
    y.sum().backward()
    assert np.array_equal(x.grad, (y.data != 0) / 0.75)


def test_randomness_is_that_of_the_rng() -> None:
    layer, rng = Dropout(0.5), np.random.default_rng(1)
    first, second = layer(X, rng), layer(X, rng)
    assert not np.array_equal(first, second)
    assert np.array_equal(layer(X, 1), first)
    single = layer(X.astype(np.float32), 1)
    assert single.dtype == np.float32
    assert np.array_equal(single != 0, first != 0)


def test_training_without_rng_says_what_to_do() -> None:
    class Net(Module):
        def __init__(self) -> None:
            self.dropout = Dropout(0.5)

        def forward(self, x: Any) -> Any:
            return self.dropout(x)

    net = Net()
    with pytest.raises(ValueError, match=r"call it as layer\(x, rng\), or switch it off by model.eval\(\)"):
        net(X)
    assert net.eval()(X) is X
    with pytest.raises(TypeError, match="the module np"):
        Dropout(0.5)(X, np.random)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2, float("nan")])
def test_bad_rates(rate: float) -> None:
    with pytest.raises(ValueError, match=f"rate is {rate}; it must be at least 0 and below 1"):
        Dropout(rate)
