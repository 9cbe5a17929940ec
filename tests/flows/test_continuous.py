"""The continuous flow: against closed forms, the order of its error, both traces, and how it is trained."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from scratchgen.autodiff import Tensor, jacobian, no_grad
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import ContinuousFlow, Flow, Velocity, random_signs
from scratchgen.nn import Module
from tests.flows.brute_force import log_abs_det, plain

A = np.array([[0.3, -1.2, 0.4], [0.9, -0.5, 0.1], [-0.2, 0.7, 0.8]])


class LinearVelocity(Module):
    """v = x A."""

    def __init__(self) -> None:
        self.A = Tensor(A, requires_grad=True)

    def forward(self, x: Any, t: float) -> Any:
        return x @ self.A


class Breathing(Module):
    """v = 6 t² x: grows in time, so that its direction matters. x(t) = x(0) exp(2 t³)."""

    def forward(self, x: Any, t: float) -> Any:
        return 6 * t * t * x


class Rest(Module):
    """v = 0 · x."""

    def forward(self, x: Any, t: float) -> Any:
        return 0.0 * x


def network(dims: int, steps: int, seed: int = 0) -> ContinuousFlow:
    rng = np.random.default_rng(seed)
    f = ContinuousFlow(Velocity(dims, [8], rng, dtype=np.float64), steps)
    for t in f.parameters().values():
        t.assign(t.data + 0.3 * rng.standard_normal(t.shape))
    return f


X = np.random.default_rng(1).standard_normal((4, 3))

# -- closed forms ----------------------------------------------------------------------------------------------------


def test_a_linear_velocity() -> None:
    """(1) and (2): z = x exp(A), and log |det| = tr A exactly; backwards exp(−A) and −tr A."""
    f = ContinuousFlow(LinearVelocity(), steps=100)
    for apply, sign in ((f.forward, 1.0), (f.inverse, -1.0)):
        image, logabsdet = apply(X)
        np.testing.assert_allclose(image.data, X @ expm(sign * A), rtol=0, atol=1e-9)
        np.testing.assert_allclose(logabsdet.data, sign * np.trace(A), rtol=1e-13)


def test_a_velocity_that_changes_in_time() -> None:
    """From data at t = 0 to noise at t = 1: x exp(2); the rate 6t² is integrated exactly, as Simpson's rule does."""
    f = ContinuousFlow(Breathing(), steps=80)
    z, logabsdet = f(X)
    np.testing.assert_allclose(z.data, X * np.exp(2), rtol=1e-6)
    np.testing.assert_allclose(logabsdet.data, 3 * 2.0, rtol=1e-12)
    x, logabsdet = f.inverse(X)
    np.testing.assert_allclose(x.data, X * np.exp(-2), rtol=1e-6)
    np.testing.assert_allclose(logabsdet.data, -3 * 2.0, rtol=1e-12)


def test_no_velocity_is_the_identity() -> None:
    z, logabsdet = ContinuousFlow(Rest(), steps=3)(X)
    np.testing.assert_array_equal(z.data, X)
    np.testing.assert_array_equal(logabsdet.data, 0)


# -- the order of the error ------------------------------------------------------------------------------------------


def halved(error: Any) -> float:
    """log₂ of the ratio of an error at 8 steps to that at 16."""
    return float(np.log2(error(8) / error(16)))


def test_the_error_falls_as_the_fourth_power_of_the_step() -> None:
    """(3): of z, of log |det| against that of the discretised map itself, and of the round trip."""

    def of_z(steps: int) -> float:
        return float(np.abs(ContinuousFlow(LinearVelocity(), steps)(X)[0].data - X @ expm(A)).max())

    def of_log_det(steps: int) -> float:
        f = network(3, steps)
        return float(np.abs(plain(f(X)[1]) - log_abs_det(f.forward, X, None, smooth=False)).max())

    def of_round_trip(steps: int) -> float:
        f = network(3, steps)
        with no_grad():
            return float(np.abs(plain(f.inverse(f(X)[0])[0]) - X).max())

    assert halved(of_z) == pytest.approx(4, abs=0.2)
    assert halved(of_log_det) == pytest.approx(4, abs=0.4)
    assert halved(of_round_trip) > 3.6  # parts of the error of the two ways may cancel


# -- the trace -------------------------------------------------------------------------------------------------------


def test_the_exact_trace() -> None:
    """(4): the sum of the diagonal of the Jacobian of each row."""
    f = network(3, 1)
    _, trace = f.rate(X, 0.3, None)
    expected = [np.trace(plain(jacobian(lambda row: f.velocity(row[None], 0.3)[0])(x))) for x in X]
    np.testing.assert_allclose(trace, expected, rtol=1e-12)


def test_the_estimated_trace_is_unbiased() -> None:
    """(5): its mean over all 2³ vectors of signs is the trace, its variance Σ_{i<j} (J_ij + J_ji)²."""
    f, signs = network(3, 1), np.array(list(product([-1.0, 1.0], repeat=3)))
    _, exact = f.rate(X, 0.3, None)
    each = []
    for probe in signs:
        f.probes = probe[None]
        each.append(f.rate(X, 0.3, None)[1])
    J = np.stack([plain(jacobian(lambda row: f.velocity(row[None], 0.3)[0])(x)) for x in X])
    i, j = np.triu_indices(3, 1)
    symmetric = J[:, i, j] + J[:, j, i]
    np.testing.assert_allclose(np.mean(each, axis=0), exact, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(np.var(each, axis=0), np.sum(symmetric**2, axis=1), rtol=1e-12)


def test_a_probe_for_each_row() -> None:
    """(K, B, D): each row as with its own probe alone."""
    f, probes = network(3, 2), random_signs((2, 4, 3), rng=0)
    f.probes = probes
    together = plain(f(X)[1])
    for i in range(4):
        f.probes = probes[:, i]
        np.testing.assert_allclose(plain(f(X[i : i + 1])[1]), together[i : i + 1], rtol=1e-12)


def test_random_signs() -> None:
    """±1 in equal parts: 10⁴ of them add up to no more than 5.96 standard errors, which is 6 percent."""
    signs = random_signs((100, 100), rng=0)
    assert set(np.unique(signs)) == {-1.0, 1.0} and abs(signs.mean()) < 5.96e-2


# -- as a model ------------------------------------------------------------------------------------------------------


def test_gradients_reach_the_velocity_from_plain_data() -> None:
    """Though x is an array: ∂ tr A/∂A = 1 for each of four rows; and every weight of a network gets one of the loss."""
    velocity = LinearVelocity()
    np.sum(ContinuousFlow(velocity, steps=20)(X)[1]).backward()
    np.testing.assert_allclose(np.asarray(velocity.A.grad), 4 * np.eye(3), atol=1e-12)
    flow = Flow(network(2, 4), Independent(Normal(np.zeros(2), np.zeros(2)), 1))
    flow.loss(X[:, :2], 0).backward()
    assert all(t.grad is not None and np.abs(t.grad).max() > 1e-6 for t in flow.parameters().values())


def test_without_a_graph_the_numbers_are_the_same() -> None:
    f = network(3, 4)
    with no_grad():
        z, logabsdet = f(X)
    assert isinstance(z, np.ndarray) and isinstance(logabsdet, np.ndarray)
    recorded = f(X)
    np.testing.assert_array_equal(recorded[0].data, z)
    np.testing.assert_allclose(recorded[1].data, logabsdet, rtol=1e-12, atol=1e-15)
    with no_grad():
        np.testing.assert_array_equal(plain(f(Tensor(X))[0]), z)


def test_the_density_integrates_to_1() -> None:
    """On a grid, within 1e-6."""
    axis = np.linspace(-7, 7, 71)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    flow = Flow(network(2, 12), Independent(Normal(np.zeros(2), np.zeros(2)), 1))
    with no_grad():
        mass = np.exp(plain(flow.log_prob(x))).sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1, abs=1e-6)


def test_the_network_sees_x_then_t_then_the_context() -> None:
    v = Velocity(2, [], 0, context=1, dtype=np.float64)
    x, context = np.array([[0.5, -1.0], [2.0, 3.0]]), np.array([[0.3], [0.7]])
    seen = np.concatenate([x, [[0.25], [0.25]], context], axis=1)
    (W, b) = (v.net.parameters()[name] for name in v.net.parameters())
    np.testing.assert_allclose(plain(v(x, 0.25, context)), seen @ W.data + b.data, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ContinuousFlow(Rest(), steps=0), ValueError, "steps is 0"),
        (lambda: ContinuousFlow(Rest), TypeError, "velocity is a type; it must be a Module"),  # type: ignore[arg-type]
        (lambda: Velocity(0, [2], 0), ValueError, "dims is 0"),
        (lambda: Velocity(2, [2], 0, context=-1), ValueError, "context is -1"),
        (lambda: Velocity(3, [2], 0, context=1)(X, 0.0), ValueError, "context has 0 numbers; this network wants 1"),
        (lambda: Velocity(3, [2], 0)(X, 0.0, X), ValueError, "context has 3 numbers; this network wants 0"),
        (lambda: Velocity(3, [2], 0, context=3)(X, 0.0, X[:1]), ValueError, r"context has shape \(1, 3\)"),
        (lambda: Velocity(2, [2], 0)(np.ones((4, 3), np.float32), 0.0), ValueError, r"it must be \(B, 2\)"),
        (lambda: ContinuousFlow(Rest(), probes=np.ones((1, 2)))(X), ValueError, r"\(1, 2\); they must be \(K, 3\)"),
        (lambda: ContinuousFlow(Rest(), probes=np.ones((1, 5, 3)))(X), ValueError, r"or \(K, 4, …\)"),
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
