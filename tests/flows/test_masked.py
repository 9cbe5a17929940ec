"""Masked autoregressive layers: who sees whom, what they cost, and what one affine layer is equal to."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from scratchgen.autodiff import jacobian, no_grad
from scratchgen.checks.masked_flows import masked
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import (
    AffineMap,
    Composite,
    Flow,
    Inverse,
    LogisticMixtureMap,
    MaskedAutoregressive,
    MaskedNet,
    ScalarMap,
    SplineMap,
)
from scratchgen.nn import MLP
from tests.flows.brute_force import plain

MAPS: dict[str, ScalarMap] = {"affine": AffineMap(), "spline": SplineMap(4), "mixture": LogisticMixtureMap(2)}
each_map = pytest.mark.parametrize("name", MAPS)


def standard(dims: int) -> Independent:
    return Independent(Normal(np.zeros(dims), np.zeros(dims)), 1)


def layer(name: str, dims: int, seed: int = 0, **options: Any) -> MaskedAutoregressive:
    """With parameters far from where they start."""
    rng = np.random.default_rng(seed)
    f = masked(MAPS[name], rng, dims, **options)
    for t in f.parameters().values():
        t.assign(t.data + 0.5 * rng.standard_normal(t.shape))
    return f


class Counting(MaskedNet):
    """Counts its passes."""

    passes = 0

    def forward(self, x: Any, context: Any = None) -> Any:
        self.passes += 1
        return super().forward(x, context)


def test_one_affine_layer_is_made_with_normal_conditionals() -> None:
    """(1) and (2) with (4) of scalar_maps: Σ_j log N(x_j; b_j, e^{2 a_j})."""
    f = layer("affine", 5, order=[3, 0, 4, 1, 2])
    x = np.random.default_rng(1).standard_normal((10, 5))
    theta = plain(f.net(x))
    expected = stats.norm.logpdf(x, theta[..., 0], np.exp(3 * np.tanh(theta[..., 1] / 3))).sum(axis=1)
    np.testing.assert_allclose(plain(Flow(f, standard(5)).log_prob(x)), expected, rtol=1e-12)


@each_map
@pytest.mark.parametrize("order", [[0], [0, 1], [2, 0, 1], [3, 0, 4, 1, 2]])
def test_the_jacobian_is_triangular(name: str, order: list[int]) -> None:
    """In any order: exactly zero for what comes later, and everything that comes before matters; in both directions."""
    f = layer(name, len(order), order=order)
    x = np.random.default_rng(1).standard_normal(len(order))
    place = np.argsort(order)
    for apply in (f.forward, f.inverse):
        J = plain(jacobian(lambda h, apply=apply: apply(h[None])[0][0])(x))
        np.testing.assert_array_equal(J != 0, place <= place[:, None])


@each_map
def test_nothing_of_the_future_is_seen(name: str) -> None:
    """The images of earlier dimensions are the same bits, whatever comes later."""
    order = [3, 0, 4, 1, 2]
    f = layer(name, 5, order=order)
    x = np.random.default_rng(1).standard_normal((4, 5))
    with no_grad():
        z = plain(f(x)[0])
        for i in range(5):
            for value in (0.0, -1e3, 1e30):
                other = x.copy()
                other[:, order[i:]] = value
                np.testing.assert_array_equal(plain(f(other)[0])[:, order[:i]], z[:, order[:i]])


@pytest.mark.parametrize("dims", [1, 3, 6])
def test_what_each_direction_costs(dims: int) -> None:
    """One pass of the network in one direction and D in the other; IAF has them the other way round."""
    net = Counting(dims, 2, [8], rng=0, dtype=np.float64)
    maf = MaskedAutoregressive(net, AffineMap())
    for f, forward, inverse in ((maf, 1, dims), (Inverse(maf), dims, 1)):
        flow = Flow(f, standard(dims))
        for call, expected in (
            (lambda flow=flow: flow.log_prob(np.zeros((7, dims))), forward),
            (lambda flow=flow: flow.sample(7, rng=0), inverse),
        ):
            net.passes = 0
            call()
            assert net.passes == expected


def test_maf_and_iaf_are_one_map() -> None:
    """The density of IAF at what MAF makes of z, and the other way round: each from the other's Jacobian."""
    f = layer("affine", 4)
    maf, iaf = Flow(f, standard(4)), Flow(Inverse(f), standard(4))
    z, log_p = iaf.sample_and_log_prob(6, rng=0)  # here it is iaf that needs one pass
    np.testing.assert_allclose(plain(iaf.log_prob(z)), log_p, rtol=1e-10)
    x, log_p = maf.sample_and_log_prob(6, rng=0)
    np.testing.assert_allclose(plain(maf.log_prob(x)), log_p, rtol=1e-10)
    np.testing.assert_allclose(plain(f(x)[0]), plain(standard(4).sample(6, rng=0)), atol=1e-10)


@pytest.mark.parametrize("turned", [False, True])
def test_the_density_integrates_to_one(turned: bool) -> None:
    """Of two affine layers of opposite orders, as MAF and as IAF."""
    rng = np.random.default_rng(3)
    f: Any = Composite([masked(AffineMap(), rng, 2, order=order) for order in ([0, 1], [1, 0])])
    flow = Flow(Inverse(f) if turned else f, standard(2))
    n, edge = 500, 30.0
    axis = edge * ((np.arange(n) + 0.5) * 2 / n - 1)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    with no_grad():
        log_p, stretched = plain(flow.log_prob(grid)), plain(flow.transform(grid)[1])
    assert abs(np.exp(log_p).sum() * (2 * edge / n) ** 2 - 1) < 1e-9
    assert np.ptp(stretched) > 0.3


def test_the_context_reaches_every_dimension() -> None:
    """The first one too (nflows PR#85); and other rows do not see it."""
    f = layer("affine", 3, order=[1, 2, 0], context=2)
    x, context = np.ones((2, 3)), np.array([[0.5, -0.5], [1.0, 2.0]])
    J = plain(jacobian(lambda c: f(x, c)[0])(context))  # (2, 3, 2, 2)
    assert np.all(J[0, :, 0] != 0) and np.all(J[1, :, 1] != 0)
    assert np.all(J[0, :, 1] == 0) and np.all(J[1, :, 0] == 0)


def test_the_activation_is_that_of_the_hidden_layers() -> None:
    net = MaskedNet(2, 1, [4], 0, activation="softplus", dtype=np.float64)
    x = np.array([[-2.0, 3.0]])
    (W, b), (V, c) = ((layer.W.data * layer.mask.data, layer.b.data) for layer in net.layers)
    np.testing.assert_allclose(plain(net(x))[:, :, 0], np.logaddexp(0, x @ W + b) @ V + c, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MaskedAutoregressive(MLP([2, 4], 0), AffineMap()), TypeError, "net is a MLP"),  # type: ignore[arg-type]
        (lambda: MaskedAutoregressive(MaskedNet(2, 2, [4], 0), AffineMap), TypeError, "scalar_map is <class"),  # type: ignore[arg-type]
        (lambda: MaskedAutoregressive(MaskedNet(2, 3, [4], 0), AffineMap()), ValueError, "gives 3 .* wants 2"),
        (lambda: MaskedNet(5, 2, [3], 0), ValueError, "too narrow for 5 inputs"),
        (lambda: MaskedNet(3, 2, [4], 0, order=[0, 1, 1]), ValueError, r"missing \[2\], repeated \[1\]"),
        (lambda: MaskedNet(3, 0, [4], 0), ValueError, "numbers is 0"),
        (lambda: layer("affine", 3)(np.zeros((2, 4))), ValueError, r"x has shape \(2, 4\); it must be \(B, 3\)"),
        (lambda: layer("affine", 3).inverse(np.zeros(3)), ValueError, r"one x is x\[None\]"),
        (lambda: layer("affine", 3)(np.zeros((2, 3)), np.zeros((2, 1))), ValueError, "has 1 numbers; .* wants 0"),
        (lambda: layer("affine", 3, context=2)(np.zeros((2, 3))), ValueError, "has 0 numbers; .* wants 2"),
        (lambda: layer("affine", 3, context=2)(np.zeros((2, 3)), np.zeros((1, 2))), ValueError, r"must be \(2, C\)"),
        (lambda: layer("affine", 3, context=2).inverse(np.zeros((2, 3)), np.zeros(2)), ValueError, r"must be \(2, C\)"),
        (lambda: MaskedNet(3, 2, [2.5], 0), ValueError, r"hidden\[0\] is 2.5"),  # type: ignore[list-item]
        (lambda: MaskedNet(3, 2, [4], 0, context=-1), ValueError, "context is -1"),
        (lambda: MaskedNet(3, 2, [4], 0, context=1.0), TypeError, "context is 1.0"),  # type: ignore[arg-type]
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
