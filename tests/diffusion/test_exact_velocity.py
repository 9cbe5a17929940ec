"""The velocity of flow matching, its least loss and its paths, where they are known; and that it is diffusion."""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.diffusion import (
    VE,
    VP,
    ExactVelocity,
    FlowMatching,
    FlowScore,
    GaussianMixtureData,
    RectifiedVelocity,
    SubVP,
    heun,
    least_flow_loss,
    own_pairs,
    rk4,
    straightness,
)
from tests.diffusion.test_score import nodes
from tests.diffusion.test_sde import DATA

M, C = np.array([0.7, -1.2]), np.array([[1.8, -0.5], [-0.5, 0.4]])
NORMAL = GaussianMixtureData([1.0], M[None], C[None])
W = np.random.default_rng(1).standard_normal((2, 3, 3))
SPACE = GaussianMixtureData([0.4, 0.6], W[:, 0], W @ np.swapaxes(W, 1, 2) + 0.2 * np.eye(3))
LINE = GaussianMixtureData([0.3, 0.7], [[-1.5], [1.0]], [[[0.15]], [[0.3]]])
SDES = {"VP": VP(0.1, 8.0), "sub-VP": SubVP(0.1, 8.0), "VE": VE(0.1, 4.0)}
X = np.random.default_rng(0).normal(0, 1.5, (5, 2))
each_data = pytest.mark.parametrize("data", [NORMAL, DATA, SPACE], ids=["normal", "mixture", "in space"])
times = pytest.mark.parametrize("t", [0.0, 0.05, 0.5, 0.9, 1.0])


def pairs(data, n=14):
    """x_0 and x_1 of normal data, over Gauss–Hermite nodes, and their weights."""
    both, w = nodes(4, n)
    return data.means[0] + both[:, :2] @ np.linalg.cholesky(data.covariances[0]).T, both[:, 2:], w


@times
def test_it_is_the_mean_of_what_passes_by(t):
    """E[x_1 − x_0 | x_t = x] by Bayes' rule over x_0 on a fine grid, where x_1 = (x − (1 − t) x_0) / t; or at t = 0
    E[x_1] − x."""
    x = np.linspace(-2.5, 2.5, 7)
    if t == 0:
        expected = -x
    elif t == 1:
        expected = x - LINE.weights @ LINE.means[:, 0]
    else:
        u = np.linspace(-9, 9, 6001)  # over x_1, which is smooth in any case
        x0 = (x[:, None] - t * u) / (1 - t)
        p = np.exp(-0.5 * u * u + LINE.log_prob(x0.reshape(-1, 1)).reshape(x0.shape))
        expected = np.sum(p * (u - x0), axis=1) / np.sum(p, axis=1)
    np.testing.assert_allclose(ExactVelocity(LINE)(x[:, None], t)[:, 0], expected, rtol=0, atol=1e-10)


@times
def test_the_best_linear_net_for_normal_data_is_it(t):
    """The least squares of (3) over nodes have the coefficients of v, and its least value is the known one."""
    x0, x1, w = pairs(NORMAL)
    x = (1 - t) * x0 + t * x1
    features = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    root = np.sqrt(w)[:, None]
    best = np.linalg.lstsq(root * features, root * (x1 - x0), rcond=None)[0]
    np.testing.assert_allclose(X @ best[:2] + best[2], ExactVelocity(NORMAL)(X, t), rtol=0, atol=1e-10)
    losses = FlowMatching(ExactVelocity(NORMAL), (2,)).losses(x0, t, x1)
    assert w @ losses == pytest.approx(least_flow_loss(C, t), rel=1e-10)


def test_the_least_loss_over_all_times():
    """½ π Σ √λ, against nodes over t."""
    u, w = np.polynomial.legendre.leggauss(60)
    by_time = [least_flow_loss(C, (1 + each) / 2) for each in u]
    assert least_flow_loss(C) == pytest.approx(w @ by_time / 2, rel=1e-10)


@each_data
@times
def test_the_density_solves_the_continuity_equation(data, t):
    """∂ log p_t/∂t = −∇·v − v·∇ log p_t, with p_t of x_t = (1 − t) x_0 + t x_1."""
    if t in (0, 1):
        t = abs(t - 1e-3)
    x, h = np.random.default_rng(2).normal(0, 1.2, (5, data.dims)), 1e-4
    v = ExactVelocity(data)

    def slope(f):
        return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)

    rate = slope(lambda e: data.log_prob(x, 1 - t - e, t + e))
    divergence = sum(slope(lambda e, j=j: v(x + e * np.eye(data.dims)[j], t)[:, j]) for j in range(data.dims))
    np.testing.assert_allclose(rate, -divergence - np.sum(v(x, t) * data.score(x, 1 - t, t), -1), rtol=1e-6, atol=1e-6)


@each_data
def test_a_time_for_each_row_and_through_tensors(data):
    x, t = np.random.default_rng(3).normal(size=(4, data.dims)), np.array([0.0, 0.3, 0.8, 1.0])
    v = ExactVelocity(data)
    by_row = np.concatenate([v(x[i : i + 1], t[i]) for i in range(4)])
    np.testing.assert_allclose(v(x, t), by_row, rtol=1e-13)
    np.testing.assert_array_equal(v(Tensor(x), t).data, v(x, t))
    assert v(x.astype(np.float32), t).dtype == np.float32


def moved_along(x1, t):
    """(3) by hand: x_t of normal data on the path that ends in x_1."""
    eigenvalues, axes = np.linalg.eigh(C)
    return (1 - t) * M + (np.sqrt((1 - t) ** 2 * eigenvalues + t * t) * (x1 @ axes)) @ axes.T


def test_the_paths_of_normal_data_are_known():
    """(3): RK4 from noise follows it; its derivative is v; its end is √C x_1 + m."""
    times = np.linspace(1, 0, 201)
    path = rk4(lambda x, t: (ExactVelocity(NORMAL)(x, t), 0.0), X, times, path=True)
    np.testing.assert_allclose(path, [moved_along(X, t) for t in times], rtol=0, atol=1e-7)
    h = 1e-4
    slope = (8 * (moved_along(X, 0.4 + h) - moved_along(X, 0.4 - h))) / (12 * h)
    slope = slope - (moved_along(X, 0.4 + 2 * h) - moved_along(X, 0.4 - 2 * h)) / (12 * h)
    np.testing.assert_allclose(ExactVelocity(NORMAL)(moved_along(X, 0.4), 0.4), slope, rtol=0, atol=1e-10)


def test_the_flow_of_normal_data_ends_as_optimal_transport_does_but_is_bent():
    """Its cost is |m|² + Σ (1 − √λ)²; its straightness is E∫|dx/dt|² less that, and not 0."""
    ends, w = nodes(2, 4)
    eigenvalues = np.linalg.eigvalsh(C)
    cost = M @ M + np.sum((1 - np.sqrt(eigenvalues)) ** 2)
    assert w @ np.sum((ends - moved_along(ends, 0)) ** 2, axis=1) == pytest.approx(cost, rel=1e-12)
    u, v = np.polynomial.legendre.leggauss(60)
    t = (1 + u) / 2
    growth = (t[:, None] - (1 - t[:, None]) * eigenvalues) ** 2
    growth = growth / ((1 - t[:, None]) ** 2 * eigenvalues + t[:, None] ** 2)
    expected = v @ growth.sum(axis=1) / 2 - np.sum((1 - np.sqrt(eigenvalues)) ** 2)
    times = np.linspace(0, 1, 4001)
    found = w @ straightness(np.stack([moved_along(ends, s) for s in times]), times)
    assert found == pytest.approx(expected, rel=1e-6) and found > 0.1


@pytest.mark.parametrize("backwards", [False, True])
def test_straightness_by_hand(backwards):
    """Constant speed between the times, which are not equally far apart; the same from noise to data."""
    times, path = np.array([0.0, 0.2, 1.0]), np.array([[[0.0, 1.0]], [[1.0, 1.0]], [[3.0, -1.0]]])
    speeds = np.array([[5.0, 0.0], [2.5, -2.5]])
    expected = 0.2 * np.square(speeds[0]).sum() + 0.8 * np.square(speeds[1]).sum() - (3**2 + 2**2)
    turn = slice(None, None, -1 if backwards else 1)
    np.testing.assert_allclose(straightness(path[turn], times[turn]), [expected], rtol=1e-12)


def test_own_pairs_are_of_their_labels():
    """A velocity −label moves noise by its label in all."""
    model = FlowMatching(lambda x, t, labels: 0.0 * x - labels[:, None], (2,))
    labels = np.array([0, 3, 1])
    x0, x1 = own_pairs(model, 3, 0, labels, steps=5)
    np.testing.assert_allclose(x0 - x1, np.stack([labels, labels], axis=1), rtol=1e-12, atol=1e-12)


def test_rectified_normal_data_are_straight():
    """(5): one step of Euler ends where all steps of the first flow do; straightness and least loss are 0."""
    model = FlowMatching(RectifiedVelocity(NORMAL), (2,))
    exact = moved_along(X, 0)
    np.testing.assert_allclose(model.follow(X, [1, 0], "euler"), exact, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.follow(exact, [0, 1], "euler"), X, rtol=0, atol=1e-12)
    times = np.linspace(1, 0, 11)
    assert straightness(model.follow(X, times, path=True), times).max() < 1e-24
    for t in (0.0, 0.3, np.array([0.1, 0.4, 0.6, 0.9, 1.0])):
        assert np.max(model.losses(exact, t, noise=X)) < 1e-24
    first = FlowMatching(ExactVelocity(NORMAL), (2,))
    x0, x1 = own_pairs(first, 5, rng=0, steps=200, method="rk4")
    assert np.max(model.losses(x0, 0.3, noise=x1)) < 1e-12  # (1) of ``rectified``
    np.testing.assert_array_equal(x1, first.prior.sample(5, 0))


def test_rectified_in_space():
    """Where the axes are not their own inverse: one step of Euler, against all steps of the first flow."""
    data = GaussianMixtureData([1.0], SPACE.means[:1], SPACE.covariances[:1])
    first, second = (FlowMatching(v(data), (3,)) for v in (ExactVelocity, RectifiedVelocity))
    x1 = np.random.default_rng(5).normal(size=(4, 3))
    x0 = first.follow(x1, np.linspace(1, 0, 401), "rk4")
    np.testing.assert_allclose(second.follow(x1, [1, 0], "euler"), x0, rtol=0, atol=1e-7)


@each_data
@pytest.mark.parametrize("sde", SDES.values(), ids=SDES)
def test_velocity_and_score_are_one_thing(data, sde):
    """(2) of ``flow_score``: the exact velocity makes the exact score, and so the probability flow of the SDE."""
    p, x = data.diffused(sde), np.random.default_rng(4).normal(size=(4, data.dims))
    score = FlowScore(ExactVelocity(data), sde)
    for t in (0.01, 0.4, 1.0, np.array([0.1, 0.3, 0.7, 1.0])):
        np.testing.assert_allclose(score(x, t), p.score(x, t), rtol=1e-10, atol=1e-10)
        ours, theirs = (sde.reverse(each, probability_flow=True)(x, t)[0] for each in (score, p.score))
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("sde", SDES.values(), ids=SDES)
def test_the_paths_of_diffusion_are_those_of_flow_matching_by_another_clock(sde):
    """x_t = (a + s) y_u along the whole path, u = s / (a + s): on normal data, where y_u is known, within 1e-10."""
    times = np.linspace(1.0, 0.05, 6)
    a, s = sde.marginal(times)
    eigenvalues, axes = np.linalg.eigh(C)
    variances = a[:, None] ** 2 * eigenvalues + s[:, None] ** 2
    start = X  # x at t = 1; on the known path, each coordinate grows with its standard deviation
    along = ((start - a[0] * M) @ axes) / np.sqrt(variances[0])
    diffusion = a[:, None, None] * M + (np.sqrt(variances)[:, None] * along) @ axes.T
    straight = np.stack([moved_along(along @ axes.T, each) for each in s / (a + s)])
    np.testing.assert_allclose((a + s)[:, None, None] * straight, diffusion, rtol=0, atol=1e-10)
    flow = sde.reverse(FlowScore(ExactVelocity(NORMAL), sde), probability_flow=True)
    walked = rk4(flow, start, np.linspace(1.0, 0.05, 501), path=True)[::100]
    np.testing.assert_allclose(walked, diffusion, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_the_order_of_the_steps(method, order):
    """The error falls as h, h² and h⁴, against the path (3)."""
    model = FlowMatching(ExactVelocity(NORMAL), (2,))
    errors = [np.abs(model.follow(X, np.linspace(1, 0, n + 1), method) - moved_along(X, 0)).max() for n in (40, 80)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


def test_rk4_by_hand():
    """Of x' = t x with one step: the polynomial of its four slopes."""
    h, k1 = 0.2, 1.0
    k2 = 1.1 * (1 + 0.1 * k1)
    k3 = 1.1 * (1 + 0.1 * k2)
    k4 = 1.2 * (1 + 0.2 * k3)
    found = rk4(lambda x, t: (t * x, 0.0), np.ones((1, 1)), [1.0, 1.2], path=True)
    np.testing.assert_allclose(found[:, 0, 0], [1, 1 + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)], rtol=1e-15)
    with pytest.raises(ValueError, match="an ODE has no noise"):
        rk4(lambda x, t: (x, 1.0), np.ones((1, 1)), [0, 1])


def test_what_is_refused():
    with pytest.raises(ValueError, match="data has 2 components"):
        RectifiedVelocity(DATA)
    with pytest.raises(ValueError, match="t is 2; the time of an SDE goes from 0"):
        ExactVelocity(NORMAL)(X, 2)
    with pytest.raises(ValueError, match=r"x has shape \(5, 3\); it must be \(B, 2\)"):
        ExactVelocity(NORMAL)(np.zeros((5, 3)), 0.5)
    with pytest.raises(ValueError, match="t is 0, where there is no noise"):
        FlowScore(ExactVelocity(NORMAL), VP())(X, 0.0)
    with pytest.raises(ValueError, match="path has 3 places for 2 times"):
        straightness(np.zeros((3, 1, 1)), [0, 1])
    with pytest.raises(ValueError, match="n is -1"):
        own_pairs(FlowMatching(ExactVelocity(NORMAL), (2,)), -1, 0)
    with pytest.raises(ValueError, match="steps is 0"):
        own_pairs(FlowMatching(ExactVelocity(NORMAL), (2,)), 1, 0, steps=0)


def test_any_reverse_sde_can_sample_it():
    """Heun along the probability flow of VP with the score of the velocity: the density at its start, E[−log p]."""
    p = DATA.diffused(SDES["VP"])
    x1 = p.at(1.0).sample(6, 0)
    ends = [
        heun(p.sde.reverse(score, True), x1, np.linspace(1, 0.01, 60))
        for score in (p.score, FlowScore(ExactVelocity(DATA), p.sde))
    ]
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-10)
