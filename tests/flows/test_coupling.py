"""Coupling layers: what passes, what tells whom how to move, densities that integrate to 1, and what is refused."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, jacobian, no_grad
from scratchgen.checks.couplings import coupling
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import (
    AdditiveMap,
    AffineMap,
    Composite,
    Coupling,
    Flow,
    LogisticMixtureMap,
    ScalarMap,
    SplineMap,
    alternating,
)
from scratchgen.nn import MLP, Module
from tests.flows.brute_force import plain

MAPS: dict[str, ScalarMap] = {
    "additive": AdditiveMap(),
    "affine": AffineMap(),
    "spline": SplineMap(5, bound=3.0),
    "mixture": LogisticMixtureMap(3),
}
SPREAD = {"additive": 0.3, "affine": 0.03, "spline": 0.03, "mixture": 0.03}  # by which the parameters are moved
EDGE = {
    "additive": 13.0,
    "affine": 20.0,
    "spline": 8.0,
    "mixture": 20.0,
}  # beyond it there is no probability to speak of
each_map = pytest.mark.parametrize("name", MAPS)


def moved(transform: Any, spread: float, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    for t in transform.parameters().values():
        t.assign(t.data + spread * rng.standard_normal(t.shape))
    return transform


@each_map
@pytest.mark.parametrize("mask", [[1, 0], [0, 1], [1, 0, 0], [1, 0, 1, 1, 0], [0, 0, 0, 0, 1]])
def test_what_depends_on_what(name: str, mask: list[int]) -> None:
    """(1) and (2): the exact pattern of the Jacobian, for any mask: the identity on what passes, which all others see.

    Of the others each sees itself only.
    """
    m = np.array(mask, bool)
    f = moved(coupling(MAPS[name], m, np.random.default_rng(0)), 0.3)
    x = np.random.default_rng(1).standard_normal(len(m))
    for apply in (f.forward, f.inverse):
        J = plain(jacobian(lambda h, apply=apply: apply(h[None])[0][0])(x))
        np.testing.assert_array_equal(J[m], np.eye(len(m))[m])
        expected = (~m[:, None] & m) | np.diag(~m)
        np.testing.assert_array_equal(J[~m] != 0, expected[~m])
        image = plain(apply(x[None])[0])
        np.testing.assert_array_equal(image[0, m], x[m])


def test_by_hand() -> None:
    """D = 3, the middle one passes: each of the others has its own two of four numbers, in their order."""

    class Net(Module):
        def forward(self, x: Any) -> Any:
            return np.concatenate([x, 0 * x, 2 * x, x], axis=1)  # b₀ = x, α₀ = 0, b₂ = 2 x, α₂ = x

    z, logabsdet = Coupling([0, 1, 0], Net(), AffineMap(most=1e6)).forward(np.array([[5.0, 1.0, 7.0]]))
    np.testing.assert_allclose(z, [[4.0, 1.0, 5.0 / np.e]], rtol=1e-9)
    np.testing.assert_allclose(logabsdet, [-1.0], rtol=1e-9)


def test_context_reaches_the_others_only() -> None:
    f = moved(coupling(AffineMap(), [1, 0, 0], np.random.default_rng(0), context=2), 0.3)
    x, context = np.ones((1, 3)), np.array([0.5, -0.5])
    J = plain(jacobian(lambda c: f.forward(x, c[None])[0][0])(context))
    np.testing.assert_array_equal(J != 0, [[False, False], [True, True], [True, True]])


def test_nice_keeps_volume() -> None:
    """(3) of scalar_maps: log |det| is 0 exactly."""
    f = moved(Composite([coupling(AdditiveMap(), alternating(5, i), np.random.default_rng(i)) for i in range(3)]), 0.3)
    x = np.random.default_rng(0).standard_normal((4, 5))
    z, logabsdet = f(x)
    np.testing.assert_array_equal(plain(logabsdet), 0)
    assert np.abs(plain(z) - x).max() > 0.1


@each_map
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_a_thousand_times_too_large(name: str, dtype: Any) -> None:
    """Eight layers: density, gradients and round trip are finite, so that training can bring it back."""
    rng = np.random.default_rng(0)
    layers = [
        Coupling(alternating(2, i), MLP([1, 16, MAPS[name].numbers], rng, dtype=dtype), MAPS[name]) for i in range(8)
    ]
    flow = Flow(Composite(layers), Independent(Normal(np.zeros(2, dtype), np.zeros(2, dtype)), 1))
    x = (1e3 * rng.standard_normal((20, 2))).astype(dtype)
    loss = flow.loss(x, 0)
    loss.backward()
    assert np.isfinite(loss.data)
    assert all(np.isfinite(t.grad).all() for t in flow.parameters().values())
    if dtype == np.float64 and name in (
        "additive",
        "affine",
    ):  # the others lose digits so far out, where slopes are extreme
        with no_grad():
            z, first = flow.transform.forward(x)
            again, second = flow.transform.inverse(z)
        np.testing.assert_allclose(plain(again), x, rtol=1e-10)
        np.testing.assert_allclose(plain(first + second), 0, atol=1e-9)


def flow_of(name: str) -> Flow:
    """Four couplings in the plane, far from the identity."""
    rng = np.random.default_rng(3)
    f = moved(Composite([coupling(MAPS[name], alternating(2, i), rng) for i in range(4)]), SPREAD[name])
    return Flow(f, Independent(Normal(np.zeros(2), np.zeros(2)), 1))


def over_a_grid(flow: Flow, edge: float, n: int = 400) -> tuple[np.ndarray, np.ndarray, float]:
    """Points of a square, log p there, and the area of each."""
    axis = edge * ((np.arange(n) + 0.5) * 2 / n - 1)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    with no_grad():
        return grid, plain(flow.log_prob(grid)), (2 * edge / n) ** 2


@pytest.mark.parametrize(
    ("name", "tolerance"), [("additive", 1e-12), ("affine", 1e-9), ("spline", 5e-4), ("mixture", 1e-6)]
)
def test_the_density_integrates_to_one(name: str, tolerance: float) -> None:
    """(2) of flow, summed over a grid: with hardly an error where it is smooth, less well with a spline's kinks."""
    flow = flow_of(name)
    grid, log_p, area = over_a_grid(flow, EDGE[name])
    assert abs(np.exp(log_p).sum() * area - 1) < tolerance
    if name != "additive":
        assert np.abs(plain(flow.transform(grid[::100])[1])).max() > 0.3  # it is no shift of the base


@each_map
def test_samples_have_the_density(name: str) -> None:
    """Both directions together: means over samples, with log p by (3) of flow, equal integrals over a grid."""
    flow, draws = flow_of(name), 20_000
    grid, log_p, area = over_a_grid(flow, EDGE[name])
    x, log_q = flow.sample_and_log_prob(draws, rng=0)
    for found, values in ((log_q, log_p), (x[:, 0], grid[:, 0]), (x[:, 0] * x[:, 1], grid[:, 0] * grid[:, 1])):
        error = found.std() / np.sqrt(draws)
        assert abs(found.mean() - np.sum(np.exp(log_p) * values) * area) < 5.96 * error < 0.2


def test_masks_that_alternate() -> None:
    """The first dimension passes first."""
    np.testing.assert_array_equal(alternating(3, 0), [True, False, True])
    for dims in (2, 5):
        np.testing.assert_array_equal(alternating(dims, 0), ~alternating(dims, 1))
        np.testing.assert_array_equal(alternating(dims, 0), alternating(dims, 2))


def net(*sizes: int) -> MLP:
    return MLP(sizes, rng=0, dtype=np.float64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Coupling([1, 1, 1], net(1, 1), AdditiveMap()), ValueError, "all 3 .* nothing would be transformed"),
        (lambda: Coupling([0, 0], net(1, 1), AdditiveMap()), ValueError, "none of 2 .* nothing would tell"),
        (lambda: Coupling([1], net(1, 1), AdditiveMap()), ValueError, "mask has 1 dimensions; .* at least 2"),
        (lambda: Coupling([1, 2], net(1, 1), AdditiveMap()), ValueError, "mask has 2 at 1"),
        (lambda: Coupling([0.5, 1.0], net(1, 1), AdditiveMap()), ValueError, "mask has 0.5 at 0"),
        (lambda: Coupling([np.nan, 1.0], net(1, 1), AdditiveMap()), ValueError, "mask has nan at 0"),
        (lambda: Coupling([[1, 0]], net(1, 1), AdditiveMap()), ValueError, r"mask is int64 of shape \(1, 2\)"),
        (lambda: Coupling(["a", "b"], net(1, 1), AdditiveMap()), ValueError, "mask is <U1"),
        (lambda: Coupling([1, 0], lambda x: x, AdditiveMap()), TypeError, "net is a function"),
        (lambda: Coupling([1, 0], net(1, 1), AdditiveMap), TypeError, "scalar_map is <class"),
        (
            lambda: Coupling([1, 0], net(1, 3), AffineMap())(np.ones((4, 2))),
            ValueError,
            r"net gives \(4, 3\); .*\(4, 2\)",
        ),
        (
            lambda: Coupling([1, 0], net(3, 1), AdditiveMap())(np.ones((4, 2))),
            ValueError,
            r"1 dimensions that pass and 0 numbers of context: .* wants \(batch, …, 3\)",
        ),
        (
            lambda: Coupling([1, 0], net(1, 1), AdditiveMap())(np.ones((4, 2)), np.ones((4, 5))),
            ValueError,
            "1 dimensions that pass and 5 numbers of context",
        ),
        (lambda: Coupling([1, 0], net(1, 1), AdditiveMap())(np.ones((4, 3))), ValueError, r"it must be \(B, 2\)"),
        (lambda: Coupling([1, 0], net(1, 1), AdditiveMap())(np.ones(2)), ValueError, r"one x is x\[None\]"),
        (lambda: Coupling([1, 0], net(1, 1), AdditiveMap())(np.ones((4, 2, 1))), ValueError, r"x.reshape\(-1, 2\)"),
        (
            lambda: Coupling([1, 0], net(1, 1), AdditiveMap()).inverse(np.ones((4, 3))),
            ValueError,
            r"x has shape \(4, 3\)",
        ),
        (lambda: Coupling(np.ma.array([1, 0]), net(1, 1), AdditiveMap()), TypeError, "mask is a masked array"),
        (
            lambda: Coupling([1, 0], net(2, 1), AdditiveMap())(np.ones((4, 2)), np.ones((3, 1))),
            ValueError,
            r"context has shape \(3, 1\); it must be \(4, C\)",
        ),
        (
            lambda: Coupling([1, 0], net(2, 1), AdditiveMap())(np.ones((4, 2)), np.ones(4)),
            ValueError,
            r"\(4,\); it must",
        ),
        (lambda: alternating(2.5, 0), TypeError, "dims is 2.5"),  # type: ignore[arg-type]
        (lambda: alternating(0, 0), ValueError, "dims is 0"),
        (lambda: alternating(2, -1), ValueError, "layer is -1"),
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_gradients_reach_network_context_and_data() -> None:
    f = coupling(SplineMap(4), [1, 0, 0], np.random.default_rng(0), context=1)
    x, context = (Tensor(np.random.default_rng(1).standard_normal(s), requires_grad=True) for s in ((5, 3), (5, 1)))
    z, logabsdet = f(x, context)
    (np.sum(z * z) + np.sum(logabsdet)).backward()
    assert all(t.grad is not None and (t.grad != 0).any() for t in (x, context, *f.parameters().values()))
