"""Score matching: all three ways differ from the distance of the scores by numbers that do not depend on the model.

Every expectation is exact, over Gauss–Hermite nodes: what is integrated are polynomials.
"""

from itertools import product
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.diffusion import (
    VP,
    DenoisingScoreMatching,
    EnergyScore,
    ExplicitScoreMatching,
    GaussianMixtureData,
    ScoreModel,
    SlicedScoreMatching,
    langevin,
    least_noise_loss,
)
from scratchgen.nn import MLP, Module

STD = 0.6
M, C = np.array([0.4, -0.7]), np.array([[0.9, 0.3], [0.3, 0.5]])
CLEAN = GaussianMixtureData([1.0], M[None], C[None])
NOISY = GaussianMixtureData([1.0], M[None], (C + STD**2 * np.eye(2))[None])
SIGNS = np.array(list(product([-1.0, 1.0], repeat=2)))


def nodes(dims: int, n: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Of N(0, I): (n^dims, dims) and their weights."""
    x, w = np.polynomial.hermite_e.hermegauss(n)
    grid = np.stack(np.meshgrid(*[x] * dims, indexing="ij"), -1).reshape(-1, dims)
    weights = np.stack(np.meshgrid(*[w / np.sqrt(2 * np.pi)] * dims, indexing="ij"), -1).reshape(-1, dims)
    return grid, weights.prod(axis=1)


class Cubic(Module):
    """s_j = (x W)_j + b_j + c_j x_j³ + d x₁ x₂: not the gradient of anything, unless its parameters happen to be."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        for name, shape in {"W": (2, 2), "b": (2,), "c": (2,), "d": ()}.items():
            setattr(self, name, Tensor(0.5 * rng.standard_normal(shape), requires_grad=True))

    def forward(self, x: Any) -> Any:
        return x @ self.W + self.b + self.c * x * x * x + self.d * (x[:, :1] * x[:, 1:])


class Quartic(Module):
    """An energy: Σ_j (b_j x_j + w_j x_j² + c_j x_j⁴) + d x₁² x₂."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        for name, shape in {"b": (2,), "w": (2,), "c": (2,), "d": ()}.items():
            setattr(self, name, Tensor(0.5 * rng.standard_normal(shape), requires_grad=True))

    def forward(self, x: Any) -> Any:
        square = x * x
        return np.sum(self.b * x + self.w * square + self.c * square * square, axis=1) + self.d * square[:, 0] * x[:, 1]


MODELS = {"a score": Cubic, "an energy": lambda seed: EnergyScore(Quartic(seed))}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def with_gradients(model: Module, value: Any) -> np.ndarray:
    """The value, and its derivatives by all parameters."""
    for t in model.parameters().values():
        t.grad = None
    assert isinstance(value, Tensor), "there is no graph"
    value.backward()
    return np.concatenate([[value.data], *(t.grad.ravel() for t in model.parameters().values())])


def distance(model: Module, data: GaussianMixtureData, n: int = 7) -> np.ndarray:
    """½ E |s − ∇ log p|² (1), and its gradient."""
    x, w = nodes(2, n)
    x = data.means[0] + x @ np.linalg.cholesky(data.covariances[0]).T
    difference = model(x) - data.score(x)
    return with_gradients(model, 0.5 * np.sum(w[:, None] * difference * difference))


def objective(way: str, model: Module, std: float = STD) -> np.ndarray:
    """E of (2), (3) or (4), and its gradient: of noisy data, and of clean data and noise."""
    L = np.linalg.cholesky(NOISY.covariances[0])
    x, w = nodes(2)
    if way == "denoising":
        both, w = nodes(4)
        x = M + both[:, :2] @ np.linalg.cholesky(C).T
        terms = DenoisingScoreMatching(model, std).objective(x, both[:, 2:])
    elif way == "sliced":
        terms = SlicedScoreMatching(model).objective(M + x @ L.T, SIGNS)
    else:
        terms = ExplicitScoreMatching(model).objective(M + x @ L.T)
    return with_gradients(model, np.sum(w * terms))


CONSTANTS = {  # of what each objective lacks to the distance: half the squared score, and half the noise that is left
    "explicit": -0.5 * np.trace(np.linalg.inv(C + STD**2 * np.eye(2))),
    "sliced": -0.5 * np.trace(np.linalg.inv(C + STD**2 * np.eye(2))),
    "denoising": least_noise_loss(C, 1.0, STD) / (2 * STD**2),
}
each_way = pytest.mark.parametrize("way", CONSTANTS)


@each_way
@each_model
def test_each_way_is_the_distance_of_the_scores_plus_a_known_number(way, make):
    """Value and gradient, wherever the parameters are: so all three have the same minimum, the true score."""
    for seed in (0, 1):
        model = make(seed)
        expected, found = distance(model, NOISY), objective(way, model)
        np.testing.assert_allclose(found[0], expected[0] + CONSTANTS[way], rtol=1e-11)
        np.testing.assert_allclose(found[1:], expected[1:], rtol=0, atol=1e-11 * np.abs(expected).max())


@each_way
def test_at_the_true_score_nothing_is_left_to_learn(way):
    model = Cubic(0)
    P = np.linalg.inv(NOISY.covariances[0])
    for name, value in {"W": -P, "b": M @ P, "c": np.zeros(2), "d": np.zeros(())}.items():
        getattr(model, name).assign(value)
    found = objective(way, model)
    np.testing.assert_allclose(found[0], CONSTANTS[way], rtol=1e-12)
    np.testing.assert_allclose(found[1:], 0, atol=1e-12)


def test_the_trace_is_that_of_the_jacobian_and_of_minus_the_hessian():
    x = np.random.default_rng(0).standard_normal((5, 2))
    energy = Quartic(3)
    s = EnergyScore(energy)(x).data
    w, c, d = energy.w.data, energy.c.data, energy.d.data
    np.testing.assert_allclose(
        s[:, 0], -(energy.b.data[0] + 2 * w[0] * x[:, 0] + 4 * c[0] * x[:, 0] ** 3 + 2 * d * x[:, 0] * x[:, 1])
    )
    trace = -np.sum(2 * w + 12 * c * x**2, axis=1) - 2 * d * x[:, 1]
    found = ExplicitScoreMatching(EnergyScore(energy)).objective(x).data
    np.testing.assert_allclose(found, 0.5 * np.sum(s**2, axis=1) + trace, rtol=1e-12)


def test_the_losses_are_means_of_their_objectives_with_noise_from_rng():
    x, score = np.random.default_rng(1).standard_normal((6, 2)), Cubic(2)
    rng = np.random.default_rng(7)
    signs, eps = 2.0 * rng.integers(0, 2, (3, 6, 2)) - 1, np.random.default_rng(7).standard_normal((6, 2))
    for matching, noise in (
        (ExplicitScoreMatching(score), None),
        (SlicedScoreMatching(score, probes=3), signs),
        (DenoisingScoreMatching(score, STD), eps),
    ):
        assert matching.loss(x, 7).data == pytest.approx(matching.objective(x, noise).data.mean(), rel=1e-14)
        np.testing.assert_array_equal(matching(x).data, score(x).data)


def test_an_energy_is_sampled_without_a_graph():
    x = langevin(EnergyScore(Quartic(0)), np.zeros((3, 2)), 1e-3, 5, rng=0)
    assert isinstance(x, np.ndarray)
    with no_grad():
        assert isinstance(EnergyScore(Quartic(0))(x), np.ndarray)


class Linear(Module):
    """k x, whatever the time; remembers what it was given."""

    def __init__(self) -> None:
        self.k = Tensor(np.array(0.3), requires_grad=True)

    def forward(self, x: Any, t: Any) -> Any:
        self.given = x, t
        return self.k * x


def test_the_score_model_by_hand():
    """(1) at given t and ε, and (2)."""
    sde, x = VP(), np.random.default_rng(0).standard_normal((4, 2))
    t, noise = np.array([0.01, 0.3, 0.7, 1.0]), np.random.default_rng(1).standard_normal((4, 2))
    model = ScoreModel(Linear(), sde)
    a, s = (each[:, None] for each in sde.marginal(t))
    expected = np.mean(np.sum((0.3 * (a * x + s * noise) - noise) ** 2, axis=1))
    assert model.loss(x, 0, t, noise).data == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(model(x, t).data, -0.3 * x / s, rtol=1e-14)
    np.testing.assert_allclose(model(x, 0.3).data, -0.3 * x / s[1], rtol=1e-14)
    assert model.net.given[1].shape == (4,)


class Best(Module):
    """−s ∇ log p_t, times a factor: for 1, what the noise is on average."""

    def __init__(self, sde: VP, factor: float) -> None:
        self.sde, self.factor = sde, factor

    def forward(self, x: Any, t: Any) -> Any:
        return -self.factor * self.sde.marginal(t)[1][:, None] * CLEAN.diffused(self.sde).score(x, t)


@pytest.mark.parametrize("t", [0.05, 0.5])
def test_the_exact_score_has_the_least_loss(t):
    """(1) of normal data is equation (6) of ``exact``, by nodes ±1 of equal weight, and more for any other factor."""
    sde, (both, w) = VP(), nodes(4, 2)
    np.testing.assert_allclose(w, 1 / 16)
    x, noise = M + both[:, :2] @ np.linalg.cholesky(C).T, both[:, 2:]
    least, *others = (np.mean(ScoreModel(Best(sde, k), sde).loss(x, 0, np.full(16, t), noise)) for k in (1, 0.98, 1.02))
    assert least == pytest.approx(least_noise_loss(C, *sde.marginal(t)), rel=1e-12)
    assert min(others) > least
    np.testing.assert_allclose(ScoreModel(Best(sde, 1), sde)(x, t), CLEAN.diffused(sde).score(x, t), rtol=1e-12)


def test_times_are_drawn_from_start_to_1():
    model = ScoreModel(Linear(), VP(), start=0.25)
    model.loss(np.zeros((5000, 1)), 0)
    t = model.net.given[1]
    assert 0.25 < t.min() < 0.252 and 0.998 < t.max() < 1 and t.std() == pytest.approx(0.75 / 12**0.5, rel=0.03)


def test_float32_stays():
    x, net = np.ones((4, 2), np.float32), MLP([2, 8, 2], rng=0, activation=np.tanh)
    energy = EnergyScore(MLP([2, 8, 1], rng=0, activation=np.tanh))
    for score in (net, energy):
        for matching in (ExplicitScoreMatching(score), SlicedScoreMatching(score), DenoisingScoreMatching(score, STD)):
            assert matching.loss(x, 0).dtype == np.float32
    model = ScoreModel(Linear().astype(np.float32), VP())
    assert model.loss(x, 0).dtype == model(x, 0.5).dtype == np.float32


X = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: DenoisingScoreMatching(Cubic(0), 0.0), ValueError, "std is 0.0; it must be above 0 and finite"),
        (lambda: SlicedScoreMatching(Cubic(0), 0), ValueError, "probes is 0; it must be at least 1"),
        (lambda: SlicedScoreMatching(Cubic(0)).objective(X), TypeError, "sliced score matching needs its probes"),
        (lambda: DenoisingScoreMatching(Cubic(0), 1.0).objective(X), TypeError, "denoising score matching needs noise"),
        (
            lambda: DenoisingScoreMatching(Cubic(0), 1.0).objective(X, np.zeros((3, 1))),
            ValueError,
            r"noise has shape \(3, 1\)",
        ),
        (lambda: ExplicitScoreMatching(Cubic(0)).loss(X[:0], 0), ValueError, "x has 0 rows; a mean over the batch"),
        (lambda: ExplicitScoreMatching(Cubic(0)).loss(X.astype(int), 0), TypeError, "x is int64; it must be float"),
        (lambda: ScoreModel(Linear(), VP(), start=0.0), ValueError, "start is 0.0; it must be above 0 and below 1"),
        (lambda: ScoreModel(Linear(), VP()).loss(X[:0], 0), ValueError, "x has 0 rows; a mean over the batch"),
        (lambda: ScoreModel(Linear(), VP()).loss(X + np.nan, 0), ValueError, r"x has nan at \(0, 0\)"),
        (lambda: ScoreModel(Linear(), VP()).loss(X, 0, t=np.full(3, 1.5)), ValueError, r"t\[0\] is 1.5; the time"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
