"""The increasing functions that layers of flows are made of: slopes, round trips, and where they start."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.flows import AdditiveMap, AffineMap, LogisticMixtureMap, ScalarMap, SplineMap

MAPS = {
    "additive": AdditiveMap(),
    "affine": AffineMap(),
    "spline": SplineMap(5, bound=2.0),
    "mixture": LogisticMixtureMap(3),
}
TOLERANCE = {"additive": 1e-14, "affine": 1e-13, "spline": 1e-12, "mixture": 1e-12}
each_map = pytest.mark.parametrize("name", MAPS)


def kinds(cls: type) -> set[type]:
    return {cls} | {kind for sub in cls.__subclasses__() for kind in kinds(sub)}


def points(scalar_map: ScalarMap, spread: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (50, 3), and a θ for each."""
    rng = np.random.default_rng(0)
    return spread * rng.standard_normal((50, 3)), 2 * rng.standard_normal((50, 3, scalar_map.numbers))


def slopes(apply: Any, x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    leaf = Tensor(x, requires_grad=True)
    np.sum(apply(leaf, theta)[0]).backward()
    assert leaf.grad is not None
    return leaf.grad


def test_every_map_is_tested() -> None:
    package = {cls for cls in kinds(ScalarMap) if cls.__module__.startswith("scratchgen")}
    assert package - {ScalarMap} == {type(scalar_map) for scalar_map in MAPS.values()}


@each_map
def test_the_slope_is_that_of_the_map(name: str) -> None:
    """(1) and (2): in both directions, against the derivative of the image."""
    scalar_map = MAPS[name]
    h, theta = points(scalar_map)
    for apply in (scalar_map.forward, scalar_map.inverse):
        np.testing.assert_allclose(apply(h, theta)[1], np.log(slopes(apply, h, theta)), rtol=0, atol=1e-11)


@each_map
def test_round_trips(name: str) -> None:
    scalar_map = MAPS[name]
    h, theta = points(scalar_map)
    for there, back in ((scalar_map.forward, scalar_map.inverse), (scalar_map.inverse, scalar_map.forward)):
        image, first = there(h, theta)
        again, second = back(image, theta)
        np.testing.assert_allclose(again, h, rtol=0, atol=100 * TOLERANCE[name])
        np.testing.assert_allclose(first + second, 0, rtol=0, atol=100 * TOLERANCE[name])


@each_map
def test_each_number_has_its_own_theta(name: str) -> None:
    """One number with its θ gives what it gives among others."""
    scalar_map = MAPS[name]
    h, theta = points(scalar_map)
    for apply in (scalar_map.forward, scalar_map.inverse):
        for together, alone in zip(apply(h, theta), apply(h[7, 2:], theta[7, 2:])):
            np.testing.assert_array_equal(together[7, 2:], alone)


@each_map
def test_it_starts_as_the_identity(name: str) -> None:
    """At θ = 0."""
    scalar_map = MAPS[name]
    h, theta = points(scalar_map)
    for apply in (scalar_map.forward, scalar_map.inverse):
        image, log_slope = apply(h, np.zeros_like(theta))
        np.testing.assert_allclose(image, h, rtol=0, atol=1e-13)
        np.testing.assert_allclose(log_slope, 0, rtol=0, atol=1e-13)


@each_map
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_inputs_and_parameters(name: str, dtype: Any) -> None:
    """Of ±1e3 times the usual size: images and gradients are finite, and the dtype stays."""
    scalar_map = MAPS[name]
    h, theta = (1e3 * a.astype(dtype) for a in points(scalar_map))
    for apply in (scalar_map.forward, scalar_map.inverse):
        leaves = [Tensor(a, requires_grad=True) for a in (h, theta)]
        image, log_slope = apply(*leaves)
        (np.sum(image) + np.sum(log_slope)).backward()
        for a in (image.data, log_slope if isinstance(log_slope, np.ndarray) else log_slope.data):
            assert a.dtype == dtype and np.isfinite(a).all()
        for leaf in leaves:
            assert leaf.grad is not None and leaf.grad.dtype == dtype and np.isfinite(leaf.grad).all()


def test_the_affine_map_by_hand() -> None:
    """(4) and (5): θ = (b, α), a = s tanh(α/s)."""
    theta = np.array([[2.0, 0.5], [-1.0, -40.0]])
    a = np.array([1.5 * np.tanh(0.5 / 1.5), -1.5])
    z, log_slope = AffineMap(most=1.5).forward(np.array([5.0, 5.0]), theta)
    np.testing.assert_allclose(z, np.array([3.0, 6.0]) / np.exp(a), rtol=1e-14)
    np.testing.assert_allclose(log_slope, -a, rtol=1e-14)


def test_scales_reach_above_and_below_one() -> None:
    """(5): from e^−s to e^s."""
    x, log_slope = AffineMap(most=2.0).inverse(np.ones(2), np.array([[0.0, 1e3], [0.0, -1e3]]))
    np.testing.assert_allclose(x, np.exp([2.0, -2.0]), rtol=1e-14)
    np.testing.assert_allclose(log_slope, [2.0, -2.0], rtol=1e-14)


@each_map
@pytest.mark.parametrize("shape", [(50, 3, -1), (50, 3, 1), (3, 0), (50, 1, 0)])
def test_theta_of_another_shape(name: str, shape: tuple[int, ...]) -> None:
    """One number too few or too many, the same θ for all rows, or for all of a row."""
    scalar_map = MAPS[name]
    theta = np.zeros((*shape[:-1], shape[-1] + scalar_map.numbers))
    for apply in (scalar_map.forward, scalar_map.inverse):
        with pytest.raises(ValueError, match=r"theta has shape .*; for x of shape \(50, 3\) it must be"):
            apply(np.zeros((50, 3)), theta)


@pytest.mark.parametrize("most", [0.0, -1.0, np.inf, np.nan])
def test_what_is_refused(most: float) -> None:
    with pytest.raises(ValueError, match="most is"):
        AffineMap(most)
