"""Flow matching: its loss against the distance to the true velocity, and its likelihood against exact densities."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.diffusion import ExactVelocity, FlowMatching, GaussianMixtureData, least_flow_loss, optimal_pairing
from scratchgen.nn import Module
from tests.diffusion.test_exact_velocity import LINE, NORMAL, SPACE, C, pairs
from tests.diffusion.test_score import with_gradients
from tests.diffusion.test_sde import DATA


class Field(Module):
    """v_j = (x W)_j + b_j + c_j x_j³ + t d: a polynomial; a label adds itself to b."""

    def __init__(self, seed: int = 0, dims: int = 2) -> None:
        rng = np.random.default_rng(seed)
        for name, shape in {"W": (dims, dims), "b": (dims,), "c": (dims,), "d": (dims,)}.items():
            setattr(self, name, Tensor(0.5 * rng.standard_normal(shape), requires_grad=True))

    def forward(self, x: Any, t: Any, labels: Any = None) -> Any:
        assert t.shape == (len(x),) and t.dtype == x.dtype
        label = 0.0 if labels is None else 1.0 * labels[:, None]
        return x @ self.W + self.b + self.c * x * x * x + t[:, None] * self.d + label


@pytest.mark.parametrize("t", [0.0, 0.3, 0.8, 1.0])
def test_the_loss_is_the_distance_to_the_velocity_plus_a_known_number(t):
    """(4) and its gradient, wherever the parameters are, over nodes: what is integrated are polynomials."""
    x0, x1, w = pairs(NORMAL, n=7)
    x = (1 - t) * x0 + t * x1
    for seed in (0, 1):
        net = Field(seed)
        model = FlowMatching(net, (2,))
        miss = model(x, t) - ExactVelocity(NORMAL)(x, t)
        expected = with_gradients(net, np.sum(w[:, None] * miss * miss))
        found = with_gradients(net, np.sum(w * model.losses(x0, t, x1)))
        assert found[0] == pytest.approx(expected[0] + least_flow_loss(C, t), rel=1e-11)
        np.testing.assert_allclose(found[1:], expected[1:], rtol=0, atol=1e-11 * np.abs(expected).max())


def test_the_gradient_is_that_of_the_distance_for_a_mixture_too():
    """On the line, over x_0 and x_1 on fine grids; the constant is that of the exact velocity."""
    t, net = 0.4, Field(2, dims=1)
    model, exact = FlowMatching(net, (1,)), FlowMatching(ExactVelocity(LINE), (1,))
    axis = np.linspace(-8, 8, 321)
    x0, x1 = (each.reshape(-1, 1) for each in np.meshgrid(axis, axis))
    w = np.exp(LINE.log_prob(x0) - 0.5 * x1[:, 0] ** 2) / np.sqrt(2 * np.pi) * (axis[1] - axis[0]) ** 2
    assert w.sum() == pytest.approx(1, abs=1e-12)
    x = (1 - t) * x0 + t * x1
    miss = model(x, t) - ExactVelocity(LINE)(x, t)
    expected = with_gradients(net, np.sum(w[:, None] * miss * miss))
    found = with_gradients(net, np.sum(w * model.losses(x0, t, x1)))
    assert found[0] == pytest.approx(expected[0] + w @ exact.losses(x0, t, x1), rel=1e-10)
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-10, atol=1e-10)


def test_the_losses_by_hand():
    x0, x1 = np.random.default_rng(0).normal(size=(2, 4, 2))
    t, labels, net = np.array([0.0, 0.3, 0.9, 1.0]), np.array([2, 0, -1, 1]), Field(1)
    x = (1 - t[:, None]) * x0 + t[:, None] * x1
    expected = np.sum((net(x, t, labels).data - x1 + x0) ** 2, axis=1)
    np.testing.assert_allclose(FlowMatching(net, (2,)).losses(x0, t, x1, labels).data, expected, rtol=1e-14)
    images = FlowMatching(lambda x, t: 0.0 * x, (3, 2))
    np.testing.assert_allclose(images.losses(np.ones((4, 3, 2)), t, np.zeros((4, 3, 2))), 6.0)  # a sum, not a mean


class Seen(Module):
    """A net that keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def forward(self, x: Any, t: Any, labels: Any = None) -> Any:
        self.asked.append((x, t, labels))
        return 0.0 * x


@pytest.mark.parametrize("pairing", ["independent", "optimal"])
def test_what_the_loss_draws(pairing):
    """The noise of each row from what the net is shown; times spread over [0, 1]; noise that is new at each call."""
    rng, labels = np.random.default_rng(5), np.arange(64) % 2
    x = rng.normal(size=(64, 2)) + 4.0 * labels[:, None]
    model = FlowMatching(Seen(), (2,), pairing, drop=0.0)
    model.loss(x, labels, 3), model.loss(x, labels, rng), model.loss(x, labels, rng)
    noises = []
    for shown, t, seen_labels in model.net.asked:
        np.testing.assert_array_equal(seen_labels, labels)
        gaps = np.diff(np.sort(t))
        np.testing.assert_allclose(gaps, 1 / 64, rtol=0, atol=1e-12)
        assert 0 <= t.min() < 1 / 64
        noises.append((shown - (1 - t[:, None]) * x) / np.maximum(t[:, None], 1e-9))
    drawn = np.random.default_rng(3).standard_normal(x.shape)
    order = optimal_pairing(x, drawn, labels) if pairing == "optimal" else np.arange(64)
    np.testing.assert_allclose(noises[0], drawn[order], rtol=0, atol=1e-6)
    assert np.abs(np.sort(noises[1], axis=0) - np.sort(noises[2], axis=0)).max() > 0.1
    with no_grad():
        loss = float(model.loss(x, labels, 3))
    assert loss == pytest.approx(np.mean(np.sum((drawn[order] - x) ** 2, axis=1)), rel=1e-12)


def test_labels_are_taken_away_in_training_only():
    model, x, labels = FlowMatching(Seen(), (2,), drop=0.5), np.zeros((400, 2)), np.full(400, 3)
    model.loss(x, labels, 0)
    model.eval().loss(x, labels, 0)
    (_, _, some), (_, _, whole) = model.net.asked
    assert set(some) == {-1, 3} and abs(np.mean(some == -1) - 0.5) < 0.15
    np.testing.assert_array_equal(whole, labels)


def test_the_exact_velocity_has_the_least_loss():
    """½ π Σ √λ on many draws; and a little more of it costs more."""
    x, rng = NORMAL.sample(40_000, 0), np.random.default_rng(1)
    exact = FlowMatching(ExactVelocity(NORMAL), (2,))
    t, noise = rng.random(len(x)), rng.standard_normal(x.shape)
    losses = exact.losses(x, t, noise)
    error = losses.std() / len(x) ** 0.5
    assert error < 0.03 and abs(losses.mean() - least_flow_loss(C)) < 5.96 * error
    other = FlowMatching(lambda x, t: 1.1 * ExactVelocity(NORMAL)(x, t), (2,))
    assert float(np.mean(other.losses(x, t, noise))) > losses.mean()


LATER = GaussianMixtureData([0.5, 0.5], [[-1.0, 0.5], [1.2, 0.3]], 0.3)


@pytest.mark.parametrize("data", [NORMAL, DATA, SPACE, LATER], ids=["normal", "mixture", "in space", "round"])
def test_the_likelihood_is_the_density(data):
    """Of the exact velocity, within 1e-6 nats; and of its draws, in the other direction."""
    flow = FlowMatching(ExactVelocity(data), (data.dims,)).flow(steps=150)
    x = np.concatenate([data.sample(4, 0), data.means + 2 * np.sqrt(data.covariances[:, 0, :1])])
    with no_grad():
        np.testing.assert_allclose(flow.log_prob(x), data.log_prob(x), rtol=0, atol=1e-6)
    x, log_prob = flow.sample_and_log_prob(4, rng=1)
    np.testing.assert_allclose(log_prob, data.log_prob(x), rtol=0, atol=1e-6)


def test_by_probes_it_is_the_same_on_average():
    """All signs have the mean that is the trace; one of them does not."""
    model, x = FlowMatching(ExactVelocity(NORMAL), (2,)), NORMAL.sample(3, 0)
    signs = np.array(list(product([-1.0, 1.0], repeat=2)))
    with no_grad():
        exact, all_signs, one = (model.flow(20, probes).log_prob(x) for probes in (None, signs, signs[:1]))
    np.testing.assert_allclose(all_signs, exact, rtol=1e-12)
    assert np.abs(one - exact).max() > 0.01


def test_a_flow_with_labels():
    """The net moves x by its label: log p(x | label) is that of the noise at x + label."""
    model = FlowMatching(lambda x, t, labels: 0.0 * x + labels[:, None], (2,))
    x, labels = np.array([[0.5, -1.0], [0.0, 2.0]]), np.array([0, 3])
    with no_grad():
        found = model.flow(4).log_prob(x, labels[:, None])
    np.testing.assert_allclose(found, model.prior.log_prob(x + labels[:, None]), rtol=1e-12)


def test_there_and_back():
    model, x = FlowMatching(ExactVelocity(DATA), (2,)), DATA.sample(5, 0)
    noise = model.follow(x, np.linspace(0, 1, 101), "rk4")
    np.testing.assert_allclose(model.follow(noise, np.linspace(1, 0, 101), "rk4"), x, rtol=0, atol=1e-5)
    first = model.sample(5, 7, steps=100, method="rk4")
    np.testing.assert_array_equal(first, model.follow(model.prior.sample(5, 7), np.linspace(1, 0, 101), "rk4"))
    assert model.follow(x, [0, 0.5, 1], path=True).shape == (3, 5, 2)


def test_samples_are_of_the_class_that_is_asked_for():
    """The net pushes by its label: one step of Euler from the same noise."""
    model = FlowMatching(lambda x, t, labels: 0.0 * x + labels[:, None], (2,))
    x = model.sample(3, 0, context=np.array([0, 1, 5]), steps=1, method="euler")
    np.testing.assert_allclose(model.prior.sample(3, 0) - x, [[0, 0], [1, 1], [5, 5]], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m, x: m.loss(x), TypeError, "loss needs rng"),
        (lambda m, x: m.loss(x[:0], 0), ValueError, "x has 0 rows"),
        (lambda m, x: m.loss(x * np.nan, 0), ValueError, r"x has nan at \(0, 0\)"),
        (lambda m, x: m.loss(x.astype(np.float32), 0), TypeError, "x is float32 and the net float64; convert"),
        (lambda m, x: m.losses(x, 1.5, x), ValueError, "t is 1.5; the time of an SDE goes from 0"),
        (lambda m, x: m.losses(x, np.zeros(2), x), ValueError, r"t has shape \(2,\) and x \(3, 2\)"),
        (lambda m, x: m.losses(x, 0.5, x[:2]), ValueError, r"noise has shape \(2, 2\)"),
        (lambda m, x: m.follow(x, [1, 0], "midpoint"), ValueError, "method is 'midpoint'; it must be one of euler"),
        (lambda m, x: m.follow(x, [2, 0]), ValueError, "t is 2"),
        (lambda m, x: m.sample(2.5, 0), TypeError, "n is 2.5"),
        (lambda m, x: m.sample(2, 0, steps=0), ValueError, "steps is 0"),
        (lambda m, x: FlowMatching(m.net, (2,), drop=1.5), ValueError, "drop is 1.5"),
        (lambda m, x: FlowMatching(lambda x, t: x[:, :1], (2,))(x, 0.5), ValueError, r"the net gives shape \(3, 1\)"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(FlowMatching(Field(), (2,)), np.ones((3, 2)))
