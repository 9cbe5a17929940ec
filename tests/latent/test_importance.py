"""log p(x) from samples, ``importance``: unbiased by exact sums over nodes, its errors right by repeated runs."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Categorical, Independent, Normal
from scratchgen.latent import importance
from scratchgen.latent.importance import Weights, log_weights, marginal_by_importance, marginal_by_monte_carlo
from scratchgen.latent.marginal import marginal_by_sum
from scratchgen.latent.points import enumerated, quadrature
from tests.latent import linear_gaussian as truth
from tests.latent import toy_models as toy
from tests.latent.test_vae import BernoulliLikelihood, mlp_vae

MODEL = truth.model()
X, P_X = truth.X, np.exp(truth.log_p(truth.X))
SHIFTS = [(0.0, 0.0), (0.4, 0.3), (-0.3, 0.8), (0.2, -0.2)]


def proposal(shift, stretch):
    """q(z | x): the posterior, its mean moved by ``shift`` and its log-variance by ``stretch``."""
    return truth.model(shift, stretch).encode


def prior(x):
    """q(z | x) = p(z)."""
    zeros = np.zeros((len(x), truth.LATENT))
    return Independent(Normal(zeros, zeros), 1)


PROPOSALS = {"the prior": prior, **{f"{s} {t}": proposal(s, t) for s, t in SHIFTS}}
one_proposal = partial(pytest.mark.parametrize("encode", PROPOSALS.values(), ids=PROPOSALS))


def moments(encode):
    """E_q[w] and E_q[w²] for each x, by Gauss–Hermite nodes."""
    q = encode(X)
    points = quadrature(q, order=100)
    log_w = log_weights(MODEL, X, q, points.z)
    return points.mean(np.exp(log_w)).data, points.mean(np.exp(2 * log_w)).data


# -- exactly -----------------------------------------------------------------------------------------------------------


@one_proposal()
def test_the_weights_are_unbiased_for_any_q(encode):
    """Equation (1): E_q[w] = p(x)."""
    np.testing.assert_allclose(moments(encode)[0], P_X, rtol=1e-12)


def test_the_weights_of_a_discrete_z_are_unbiased():
    """Equation (1), by enumeration of z."""
    x = np.random.default_rng(0).normal(size=(5, 2))
    q = Categorical(np.random.default_rng(1).normal(size=(5, 3)))
    points = enumerated(q)
    w = np.exp(log_weights(toy.Mixture(), x, q, points.z))
    np.testing.assert_allclose(points.mean(w), np.exp(marginal_by_sum(toy.Mixture(), x)), rtol=1e-12)


def test_the_weights_are_differentiable():
    """d log w/dz = d log p(x, z)/dz − d log q/dz, here at the posterior: 0, as w does not depend on z."""
    z = Tensor(np.ones((4, 2)), requires_grad=True)
    log_weights(MODEL, X, MODEL.encode(X), z).sum().backward()
    np.testing.assert_allclose(z.grad, 0, atol=1e-12)


def by_hand(log_w):
    """Equations (2), (3) and (5)."""
    w, k = np.exp(log_w), len(log_w)
    value, error = np.log(w.mean(axis=0)), w.std(axis=0, ddof=1) / np.sqrt(k) / w.mean(axis=0)
    return value, error, w.sum(axis=0) ** 2 / (w**2).sum(axis=0)


@pytest.mark.parametrize("pairs", [4096, 30, 1])
def test_importance_sampling_averages_the_weights_of_its_draws(pairs, monkeypatch):
    """Against densities of scipy at the same z: for any number of pairs together they are the same draws."""
    monkeypatch.setattr(importance, "PAIRS", pairs)
    encode, x, k = proposal(0.4, 0.3), X if pairs > 1 else X[:1], 50
    mean, variance = (np.asarray(m.data if isinstance(m, Tensor) else m) for m in (encode(x).mean, encode(x).variance))
    z = mean + np.sqrt(variance) * np.random.default_rng(3).standard_normal((k, len(x), 2))
    noise = multivariate_normal(np.zeros(3), truth.VARIANCE * np.eye(3))
    log_p = noise.logpdf(x - z @ truth.W.T - truth.B).reshape(k, len(x)) + norm.logpdf(z).sum(axis=-1)
    expected = by_hand(log_p - norm.logpdf(z, mean, np.sqrt(variance)).sum(axis=-1))
    for got, exact in zip(marginal_by_importance(MODEL, x, encode, k, rng=3), expected):
        np.testing.assert_allclose(got, exact, rtol=1e-11)


def test_monte_carlo_averages_the_likelihood_of_draws_from_the_prior():
    z = np.random.default_rng(3).standard_normal((50, 4, 2))
    noise = multivariate_normal(np.zeros(3), truth.VARIANCE * np.eye(3))
    expected = by_hand(noise.logpdf(X - z @ truth.W.T - truth.B))
    for got, exact in zip(marginal_by_monte_carlo(MODEL, X, 50, rng=3), expected):
        np.testing.assert_allclose(got, exact, rtol=1e-11)


def test_many_x_are_looked_at_in_parts(monkeypatch):
    """Each with the draws of its own part, and never more than PAIRS at a time."""
    monkeypatch.setattr(importance, "PAIRS", 3)
    seen, model = [], truth.model()

    def encode(x):
        seen.append(len(x))
        return MODEL.encode(x)

    decode = model.decode
    monkeypatch.setattr(type(model), "decode", lambda self, z: (seen.append(-len(z)), decode(z))[1])
    value = marginal_by_importance(model, X, encode, 2, rng=0).value
    assert seen == [3, -3, -3, 1, -2]
    np.testing.assert_allclose(value, truth.log_p(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("samples", [1, 2, 100])
def test_one_sample_of_the_posterior_is_enough(samples):
    log_p = marginal_by_importance(MODEL, X, MODEL.encode, samples, rng=0)
    np.testing.assert_allclose(log_p.value, truth.log_p(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(log_p.effective, samples, rtol=1e-12)
    assert np.all(log_p.error < 1e-12) if samples > 1 else np.all(log_p.error == np.inf)


def test_a_discrete_z_is_sampled_too():
    x = np.random.default_rng(0).normal(size=(5, 2))
    log_p = marginal_by_monte_carlo(toy.Mixture(), x, 20_000, rng=0)
    assert np.all(log_p.error < 0.05)
    assert np.all(np.abs(log_p.value - marginal_by_sum(toy.Mixture(), x)) < 5.96 * log_p.error)


def test_float32_weights_are_averaged_in_float64():
    model, x = mlp_vae(BernoulliLikelihood(6)), np.ones((3, 6), np.float32)
    q = model.encode(x)
    log_w = log_weights(model, x, q, q.sample(50, rng=0)).data
    assert log_w.dtype == np.float32
    log_p = marginal_by_importance(model, x, model.encode, 50, rng=0)
    for got, exact in zip(log_p, by_hand(log_w.astype(np.float64))):
        np.testing.assert_allclose(got, exact, rtol=1e-13)
    assert marginal_by_monte_carlo(model, x, 5, rng=0).value.dtype == np.float64


def test_no_graph_is_recorded():
    model = toy.Watched(truth.model())
    marginal_by_importance(model, X, MODEL.encode, 5, rng=0)
    marginal_by_monte_carlo(model, X, 5, rng=0)
    assert len(model.graphs) == 2 and not any(model.graphs)
    log_weights(model, X, MODEL.encode(X), np.zeros((4, 2)))
    assert model.graphs[-1]


# -- the running mean --------------------------------------------------------------------------------------------------

LOG_W = np.random.default_rng(0).normal(0, 2, (60, 4))


@pytest.mark.parametrize("shift", [0.0, -2000.0, 2000.0])
@pytest.mark.parametrize("pieces", [[60], [1, 59], [59, 1], [20, 20, 20], [1] * 60])
@pytest.mark.parametrize("order", [1, -1])
def test_weights_may_come_in_pieces_of_any_size(shift, pieces, order):
    weights, log_w = Weights(4), np.sort(LOG_W, axis=0)[::order]  # the largest last, or first
    for end, n in zip(np.cumsum(pieces), pieces):
        weights.add(log_w[end - n : end] + shift)
    value, error, effective = by_hand(LOG_W)
    got = weights.estimate()
    np.testing.assert_allclose(got.value - shift, value, rtol=0, atol=1e-11)
    np.testing.assert_allclose(got.error, error, rtol=1e-11)
    np.testing.assert_allclose(got.effective, effective, rtol=1e-11)


def test_the_error_is_never_above_1_and_follows_from_the_effective_sample_size():
    weights = Weights(3)
    weights.add(np.array([[0.0, 0.0, 0.0], [-900.0, 0.0, -1.0], [-900.0, 0.0, -2.0], [-900.0, 0.0, 0.5]]))
    _, error, effective = weights.estimate()
    np.testing.assert_allclose(error**2, (4 / effective - 1) / 3, rtol=1e-12)
    np.testing.assert_allclose(error[:2], [1, 0], rtol=1e-12)  # one weight is all there is; all are equal
    np.testing.assert_allclose(effective[:2], [1, 4], rtol=1e-12)


def test_weights_of_0_are_counted_and_no_weight_above_0_is_an_estimate_of_0():
    weights = Weights(2)
    weights.add(np.full((3, 2), -np.inf))
    assert [list(a) for a in weights.estimate()] == [[-np.inf] * 2, [np.inf] * 2, [0.0] * 2]
    weights.add(np.array([[-np.inf, np.log(8.0)]]))
    value, error, effective = weights.estimate()
    assert value[0] == -np.inf and value[1] == pytest.approx(np.log(2.0), rel=1e-14)
    assert error[1] == pytest.approx(1) and effective[1] == pytest.approx(1)


def test_weights_far_below_the_largest_are_as_0():
    weights = Weights(1)
    weights.add(np.array([[0.0]]))
    weights.add(np.array([[-2000.0]]))
    assert weights.estimate() == (np.log(0.5), 1, 1)


def test_a_nan_is_not_hidden():
    weights = Weights(1)
    weights.add(np.array([[0.0], [np.nan]]))
    assert np.isnan(weights.estimate().value[0])


# -- repeated runs -----------------------------------------------------------------------------------------------------

REPEATS = 10_000


def runs(encode, samples, seed=0):
    """The estimate of log p(x) for X[0], many times over."""
    return marginal_by_importance(MODEL, np.tile(X[:1], (REPEATS, 1)), encode, samples, seed)


@pytest.mark.parametrize("encode", [prior, proposal(0.4, 0.3)], ids=["the prior", "shifted"])
def test_the_squared_error_is_the_variance_of_the_estimate(encode):
    """Equation (3), of p̂ where it is exact: E[p̂] = p(x) and E[(error · p̂)²] = Var(w)/K, with Var(w) by nodes.

    Both within 5.96 measured standard errors of 10,000 runs: a false alarm in 4 · 10⁸, each.
    """
    k = 50
    log_p = runs(encode, k)
    p, squared = np.exp(log_p.value), (log_p.error * np.exp(log_p.value)) ** 2
    first, second = moments(encode)
    for got, exact in ((p, first[0]), (squared, (second[0] - first[0] ** 2) / k)):
        noise = got.std() / np.sqrt(REPEATS)
        assert abs(got.mean() - exact) < 5.96 * noise < 0.1 * exact


def test_log_p_is_too_low_by_half_its_variance_and_varies_as_its_error_says():
    """Equations (3) and (4), of log p̂, of which the higher orders are allowed 5 %."""
    k, encode = 50, proposal(0.4, 0.3)
    log_p = runs(encode, k)
    first, second = moments(encode)
    variance = (second[0] / first[0] ** 2 - 1) / k
    off = log_p.value - np.log(first[0])
    noise = np.sqrt(variance / REPEATS)
    assert abs(off.mean() + variance / 2) < 5.96 * noise + 0.05 * variance
    assert off.mean() < -5.96 * noise  # so that an estimate without bias would be seen
    assert off.var() == pytest.approx(variance, rel=5.96 * np.sqrt(2 / REPEATS) + 0.05)
    assert np.mean(log_p.error**2) == pytest.approx(variance, rel=0.05)


# -- bad inputs --------------------------------------------------------------------------------------------------------

BAD = {
    "no samples": (lambda: marginal_by_importance(MODEL, X, MODEL.encode, 0, rng=0), ValueError, "samples is 0"),
    "half a sample": (lambda: marginal_by_monte_carlo(MODEL, X, 0.5, rng=0), TypeError, "samples is 0.5"),
    "no data": (lambda: marginal_by_monte_carlo(MODEL, X[:0], 5, rng=0), ValueError, "x has 0 rows; an estimate needs"),
    "the module np.random": (lambda: marginal_by_monte_carlo(MODEL, X, 5, rng=np.random), TypeError, "np.random"),
    "one q for all": (
        lambda: marginal_by_importance(MODEL, X, lambda x: MODEL.prior(x), 4, rng=0),
        ValueError,
        r"q is Independent\(batch_shape=\(\), .*; for 4 rows of x its batch shape must be \(4,\)",
    ),
    "q of other data": (
        lambda: log_weights(MODEL, X, MODEL.encode(X[:3]), np.zeros((3, 2))),
        ValueError,
        r"batch_shape=\(3,\).* for 4 rows",
    ),
    "z of other data": (
        lambda: log_weights(MODEL, X, MODEL.encode(X), np.zeros((5, 2))),
        ValueError,
        r"z has shape \(5, 2\); for 4 rows of x it must be \(…, 4, 2\)",
    ),
    "a number for x": (
        lambda: marginal_by_monte_carlo(MODEL, 0.5, 5, rng=0),
        ValueError,
        r"x has shape \(\); .* batch",
    ),
    "one x": (lambda: marginal_by_monte_carlo(MODEL, X[0], 5, rng=0), ValueError, r"x has shape .*; it must be \(B, "),
    "x of another width": (lambda: marginal_by_monte_carlo(MODEL, X[:, :2], 5, rng=0), ValueError, "x has shape"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
