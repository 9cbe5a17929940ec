"""Flow matching of grey levels: the noise in the bins, the bound, and the way back to levels."""

import math
from typing import Any

import numpy as np
import pytest

from scratchgen.diffusion import FlowMatching, LevelMatching
from scratchgen.distributions.distribution import values

L, D = 5, 2
X = np.array([[0, 4], [2, 1], [3, 3]])


def still(x: Any, t: Any, labels: Any = None) -> Any:
    """No velocity: the flow is the identity, and p(y) is N(0, I)."""
    return 0.0 * x


def normal_nats(y: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * np.sum(y * y, axis=1) + 0.5 * y.shape[1] * math.log(2 * math.pi))


def test_levels_are_spread_over_their_bins() -> None:
    model = LevelMatching(still, (D,), L)
    y = model.spread(np.repeat(X[:1], 10_000, axis=0), 0)
    low = np.array([-1.0, -1.0 + 4 * 2 / L])
    assert (y >= low).all() and (y < low + 2 / L).all()
    z = (y - low) * L / 2
    assert np.abs(z.mean(axis=0) - 0.5).max() < 5.96 / math.sqrt(12 * 10_000)
    assert np.abs(z.var(axis=0) - 1 / 12).max() < 5.96 / math.sqrt(180 * 10_000)


def test_the_bound_is_that_of_the_density_and_the_volume_of_a_bin() -> None:
    """Equation (2), with p(y) = N(y; 0, I) and u from the same seed."""
    model = LevelMatching(still, (D,), L)
    u = np.random.default_rng(3).random(X.shape)
    y = 2 * (X + u) / L - 1
    expected = -normal_nats(y) + D * math.log(2 / L)
    np.testing.assert_allclose(values(model.bound(X, model.flow(3), 3)), expected, rtol=1e-12)


def test_bounds_of_all_levels_sum_to_the_mass_of_the_cube_at_most() -> None:
    """E_u[p(y) (2/L)^D] is P(x): over all x it sums to the mass of N(0, I) in [−1, 1]^D, by quadrature in u."""
    nodes = (np.arange(400) + 0.5) / 400
    y = 2 * (np.arange(L)[:, None] + nodes) / L - 1
    mass = np.mean(np.exp(-0.5 * y * y) / math.sqrt(2 * math.pi), axis=1) * 2 / L  # P of each level, D = 1
    assert np.sum(mass) == pytest.approx(math.erf(1 / math.sqrt(2)), abs=1e-6)
    model = LevelMatching(still, (1,), L)
    rng = np.random.default_rng(0)
    bound = np.array([np.mean(values(model.bound(np.full((2000, 1), k), model.flow(2), rng))) for k in range(L)])
    assert (bound <= np.log(mass) + 5.96 * 0.15 / math.sqrt(2000)).all() and (bound > np.log(mass) - 0.02).all()


def test_the_loss_is_that_of_flow_matching_for_the_spread_levels() -> None:
    def net(x: Any, t: Any, labels: Any = None) -> Any:
        return x * t[:, None]

    model, rng = LevelMatching(net, (D,), L), np.random.default_rng(1)
    y = 2 * (X + rng.random(X.shape)) / L - 1
    expected = FlowMatching(net, (D,)).loss(y, rng)
    assert float(model.loss(X, 1)) == pytest.approx(float(expected), rel=1e-12)


def test_draws_are_the_bins_of_draws_of_y() -> None:
    model = LevelMatching(still, (1,), L)
    x, y = model.sample(2000, 0)[:, 0], FlowMatching(still, (1,)).sample(2000, 0)[:, 0]
    assert x.dtype == np.int64 and set(x) == set(range(L))
    assert np.array_equal(x, np.select([y < -0.6, y < -0.2, y < 0.2, y < 0.6], [0, 1, 2, 3], 4))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (X + 0.5, TypeError, "x is float64; levels are 0 to 4, integers"),
        (X + 1, ValueError, "x has 5 at (0, 1); 1 of 6 values: levels are 0 to 4"),
        (X - 1, ValueError, "x has -1 at (0, 0)"),
    ],
)
def test_what_is_no_level_is_refused(x: np.ndarray, error: type[Exception], message: str) -> None:
    model = LevelMatching(still, (D,), L)
    for call in (lambda: model.loss(x, 0), lambda: model.bound(x, model.flow(2), 0)):
        with pytest.raises(error) as caught:
            call()
        assert message in str(caught.value)
    with pytest.raises(ValueError, match="levels is 1"):
        LevelMatching(still, (D,), 1)
    with pytest.raises(TypeError, match="loss needs rng"):
        model.loss(X)
