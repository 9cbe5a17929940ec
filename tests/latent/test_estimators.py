"""Gradients of E_q[f(z)], ``estimators``: unbiased by Gauss–Hermite nodes and by enumeration, with the variances that
the module states.

A row of the batch is one outcome of the random numbers, with its own parameters: so the gradient of a row is one
estimate, and the weighted sum over the rows is its expectation.
"""

from functools import partial

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal
from scratchgen.latent import LinearGaussian, gauss_hermite, log_weights, quadrature
from scratchgen.latent.estimators import leave_one_out, naive, pathwise, score_function
from scratchgen.latent.marginal import all_values

M, S, K = 1.3, 0.6, 2.5
LOGVAR = 2 * np.log(S)


def square(z):
    return z * z


def wave(z):
    return np.cos(K * z)


# -- a normal z, by nodes ----------------------------------------------------------------------------------------------


def of_each_row(estimator, f, eta, m=M, s=S):
    """The value of each row, and its gradient to the mean and the log-variance: three arrays (n,).

    Args:
        eta: the noise, (samples, n).
    """
    mean, logvar = (Tensor(np.full(eta.shape[1], value), requires_grad=True) for value in (m, 2 * np.log(s)))
    q = Normal(mean, logvar)
    z = q.rsample(len(eta), noise=eta)
    value = estimator(q, f, z if estimator is pathwise else z.data)
    np.sum(value).backward()
    return value.data, gradient(mean), gradient(logvar)


def gradient(leaf):
    """0 where none has come through."""
    return np.zeros_like(leaf.data) if leaf.grad is None else leaf.grad


def moments(estimator, f, order, samples=1, **parameters):
    """The expectation of the value and of both gradients, and the variance of the gradient to the mean."""
    nodes, weights = gauss_hermite(samples, order)
    value, to_mean, to_logvar = of_each_row(estimator, f, nodes.T, **parameters)
    expected = weights @ np.stack([value, to_mean, to_logvar], axis=1)
    return expected, weights @ (to_mean - expected[1]) ** 2


def expectation_of_wave(m=M, s=S, k=K):
    """E[cos kz] = cos(km) e^{−k²s²/2}, and its derivatives to m and to log s²."""
    fade = np.exp(-0.5 * (k * s) ** 2)
    return np.array([np.cos(k * m), -k * np.sin(k * m), -0.5 * (k * s) ** 2 * np.cos(k * m)]) * fade


SQUARE = np.array([M * M + S * S, 2 * M, S * S])
with_baseline = partial(score_function, baseline=SQUARE[0])
UNBIASED = {
    "score function": (score_function, 1, 8),
    "with a baseline": (with_baseline, 1, 8),
    "leave one out, 2 samples": (leave_one_out, 2, 8),
    "leave one out, 3 samples": (leave_one_out, 3, 8),
    "pathwise": (pathwise, 1, 8),
    "pathwise, 2 samples": (pathwise, 2, 8),
}


@pytest.mark.parametrize(("estimator", "samples", "order"), UNBIASED.values(), ids=UNBIASED)
def test_the_gradient_of_a_polynomial_is_unbiased(estimator, samples, order):
    """Equations (3)–(5) for f = z² and f = z³, to the mean and to the log-variance; the nodes are exact."""
    np.testing.assert_allclose(moments(estimator, square, order, samples)[0], SQUARE, rtol=1e-12)
    cube = [M**3 + 3 * M * S**2, 3 * M**2 + 3 * S**2, 3 * M * S**2]
    np.testing.assert_allclose(moments(estimator, lambda z: z * z * z, order, samples)[0], cube, rtol=1e-12)


@pytest.mark.parametrize(("estimator", "samples"), [(score_function, 1), (leave_one_out, 2), (pathwise, 1)])
def test_the_gradient_of_a_wave_is_unbiased(estimator, samples):
    """Equations (3)–(5) for f = cos kz: −k sin(km) e^{−k²s²/2}."""
    np.testing.assert_allclose(moments(estimator, wave, 40, samples)[0], expectation_of_wave(), rtol=0, atol=1e-12)


VARIANCES = {
    "score function": (score_function, 1, M**4 / S**2 + 14 * M**2 + 15 * S**2),
    "with b = E[f]": (with_baseline, 1, 8 * M**2 + 10 * S**2),
    "with the best b": (partial(score_function, baseline=M**2 + 3 * S**2), 1, 8 * M**2 + 6 * S**2),
    "leave one out, 2 samples": (leave_one_out, 2, (8 * M**2 + 10 * S**2 + (8 * M**2 + 2 * S**2)) / 2),
    "leave one out, 3 samples": (leave_one_out, 3, (8 * M**2 + 10 * S**2 + (8 * M**2 + 2 * S**2) / 2) / 3),
    "pathwise": (pathwise, 1, 4 * S**2),
    "pathwise, 3 samples": (pathwise, 3, 4 * S**2 / 3),
}


@pytest.mark.parametrize(("estimator", "samples", "exact"), VARIANCES.values(), ids=VARIANCES)
def test_the_variance_for_a_square(estimator, samples, exact):
    """The table of the module; K samples with one left out have (8m² + 10s² + (8m² + 2s²)/(K − 1))/K."""
    np.testing.assert_allclose(moments(estimator, square, 8, samples)[1], exact, rtol=1e-12)


@pytest.mark.parametrize("k", [0.5, 2.5])
def test_the_variances_for_a_wave(k):
    """½k² (1 − cos(2km) e^{−2k²s²}) − g², and (1 + cos(2km) (1 − 4k²s²) e^{−2k²s²})/(2s²) − g², g the gradient."""
    f, g, a = partial(lambda z, k: np.cos(k * z), k=k), expectation_of_wave(k=k)[1], (k * S) ** 2
    faded = np.cos(2 * k * M) * np.exp(-2 * a)
    np.testing.assert_allclose(moments(pathwise, f, 50)[1], 0.5 * k * k * (1 - faded) - g * g, rtol=1e-10)
    of_score = (1 + (1 - 4 * a) * faded) / (2 * S * S) - g * g
    np.testing.assert_allclose(moments(score_function, f, 50)[1], of_score, rtol=1e-10)


@pytest.mark.parametrize("k", [7.0, 9.0])
def test_for_a_rough_wave_the_score_function_wins(k):
    """k²/2 against 1/(2s²), for large ks."""
    f = partial(lambda z, k: np.cos(k * z), k=k)
    by_path, by_score = (moments(estimator, f, 200)[1] for estimator in (pathwise, score_function))
    np.testing.assert_allclose([by_path, by_score], [k * k / 2, 1 / (2 * S * S)], rtol=1e-4)
    assert by_score < by_path / 10


def test_each_estimate_against_its_formula():
    """(3), (4) and (5) for f = z³, with the score and the path written by hand, several samples for each row."""
    eta = np.random.default_rng(0).standard_normal((4, 5))
    z = M + S * eta
    f, slope = z**3, 3 * z**2
    score = np.stack([eta / S, 0.5 * (eta**2 - 1)])
    others = (f.sum(axis=0) - f) / 3
    for estimator, exact in (
        (score_function, score * f),
        (partial(score_function, baseline=0.7), score * (f - 0.7)),
        (leave_one_out, score * (f - others)),
        (pathwise, np.stack([slope, slope * 0.5 * S * eta])),
    ):
        value, *gradients = of_each_row(estimator, lambda z: z * z * z, eta)
        np.testing.assert_allclose(value, f.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(gradients, exact.mean(axis=1), rtol=1e-12, atol=1e-13)


def test_the_naive_gradient_is_0_where_the_true_one_is_not():
    """(2), for an f without φ: the value is right, and there is no gradient to descend."""
    mean = Tensor(np.full(3, M), requires_grad=True)
    value = naive(Normal(mean, LOGVAR), square, np.array([[0.5, -1.0, 2.0], [0.1, 1.0, 0.0]]))
    np.testing.assert_allclose(value, [(0.25 + 0.01) / 2, 1.0, 2.0])
    assert not isinstance(value, Tensor)


# -- an f that depends on φ and θ, as the ELBO does --------------------------------------------------------------------

X = np.array([[0.9, -0.8, 1.7]])


def elbo_gradients(estimator):
    """The expected gradient of the ELBO to the mean, the log-variance and W, for one x; by six nodes, exact."""
    nodes, weights = gauss_hermite(1, 6)
    model = LinearGaussian(np.array([[1.2], [-0.7], [0.4]]), np.array([0.3, -0.2, 1.0]), np.array(-0.3))
    phi = [Tensor(np.array([value]), requires_grad=True) for value in (0.6, -0.9)]
    q, x = Independent(Normal(*[np.broadcast_to(t, (6, 1)) for t in phi]), 1), np.tile(X, (6, 1))
    z = q.rsample(1, noise=nodes[None])
    value = estimator(q, lambda z: log_weights(model, x, q, z), z if estimator is pathwise else z.data)
    np.sum(value * weights).backward()
    return [*(gradient(t) for t in phi), gradient(model.W)]


def exact_elbo_gradients():
    """The same from the ELBO itself, whose expectations are functions of φ by the nodes."""
    model = LinearGaussian(np.array([[1.2], [-0.7], [0.4]]), np.array([0.3, -0.2, 1.0]), np.array(-0.3))
    phi = [Tensor(np.array([[value]]), requires_grad=True) for value in (0.6, -0.9)]
    points = quadrature(Independent(Normal(*phi), 1), order=2)
    np.sum(points.mean(log_weights(model, X, points.q, points.z))).backward()
    return [*(t.grad.ravel() for t in phi), model.W.grad]


@pytest.mark.parametrize("estimator", [score_function, pathwise, partial(score_function, baseline=-4.0)])
def test_the_gradient_of_an_elbo_is_unbiased_in_phi_and_theta(estimator):
    """(3) and (5) with an f that has φ and θ in it."""
    for got, exact in zip(elbo_gradients(estimator), exact_elbo_gradients()):
        np.testing.assert_allclose(got, exact, rtol=0, atol=1e-12)


def test_the_naive_gradient_of_an_elbo_is_right_for_theta_only():
    """(2): the gradient of lecture p. 5 to θ, while that to φ is −E[score] = 0."""
    (mean, logvar, W), exact = elbo_gradients(naive), exact_elbo_gradients()
    np.testing.assert_allclose(W, exact[2], rtol=0, atol=1e-12)
    np.testing.assert_allclose([mean, logvar], 0, atol=1e-12)
    assert min(abs(exact[0]), abs(exact[1])) > 0.1


# -- a discrete z, by enumeration --------------------------------------------------------------------------------------

LOGITS = np.array([0.4, -1.0, 0.3])
DISCRETE = {
    "die": (lambda logits: Categorical(logits), lambda z: np.array([3.0, -1.0, 0.5])[z]),
    "coins": (lambda logits: Independent(Bernoulli(logits), 1), lambda z: np.sum(z, axis=-1) ** 2 - 2.0 * z[..., 0]),
    "dice": (
        lambda logits: Independent(Categorical(logits[..., None] * np.array([0.0, 1.0])), 1),
        lambda z: np.sin(1.0 + z @ np.array([1.0, 2.0, 4.0])),
    ),
}


@pytest.mark.parametrize(
    ("estimator", "samples"),
    [(score_function, 1), (partial(score_function, baseline=2.0), 1), (score_function, 2), (leave_one_out, 2)],
)
@pytest.mark.parametrize(("make", "f"), DISCRETE.values(), ids=DISCRETE)
def test_the_gradient_of_a_discrete_expectation_is_unbiased(make, f, estimator, samples):
    """(3) and (4): every combination of samples is a row, weighted with its probability."""
    single = all_values(make(LOGITS))
    chosen = np.indices((len(single),) * samples).reshape(samples, -1)
    p = np.exp(make(LOGITS).log_prob(single))
    logits = Tensor(LOGITS, requires_grad=True)
    q = make(np.broadcast_to(logits, (chosen.shape[1], *LOGITS.shape)))
    value = estimator(q, f, single[chosen])
    np.sum(value * p[chosen].prod(axis=0)).backward()
    exact = Tensor(LOGITS, requires_grad=True)
    np.sum(np.exp(make(exact).log_prob(single)) * f(single)).backward()
    np.testing.assert_allclose(logits.grad, exact.grad, rtol=0, atol=1e-12)
    assert np.abs(exact.grad).min() > 0.01


def test_float32_stays_float32():
    logits = Tensor(LOGITS.astype(np.float32), requires_grad=True)
    q, z = Categorical(logits), np.array([0, 1, 1])
    for baseline in (1.0, np.float64(1.0), np.ones(3)):
        value = score_function(q, lambda z: np.array([3.0, -1.0, 0.5], np.float32)[z], z, baseline)
        value.backward()
        assert value.dtype == logits.grad.dtype == np.float32


# -- what is refused ---------------------------------------------------------------------------------------------------


def normals():
    return Normal(Tensor(np.zeros(3), requires_grad=True), 0.0)


BAD = {
    "naive with a gradient": (
        lambda q: naive(q, square, q.rsample(2, rng=0)),
        "a gradient passes through z, and this estimator holds it fixed: draw it by q.sample",
    ),
    "score with a gradient": (
        lambda q: score_function(q, square, q.rsample(2, rng=0)),
        "a gradient passes through z",
    ),
    "path without one": (
        lambda q: pathwise(q, square, q.sample(2, rng=0)),
        "no gradient passes through z: draw it by q.rsample, not q.sample",
    ),
    "one sample to leave out": (
        lambda q: leave_one_out(q, square, q.sample(1, rng=0)),
        "z has 1 samples; to leave one out there must be two or more",
    ),
    "no samples": (lambda q: score_function(q, square, np.zeros((0, 3))), "with at least one sample"),
    "no axis of samples": (
        lambda q: score_function(q, square, np.zeros(3)),
        r"z has shape \(3,\); it must be \(K, 3\), with at least one sample",
    ),
    "f of another shape": (
        lambda q: score_function(q, lambda z: z[..., None], q.sample(2, rng=0)),
        r"f\(z\) has shape \(2, 3, 1\); it must be \(2, 3\), a number per event",
    ),
    "a sum over the batch": (
        lambda q: pathwise(q, lambda z: np.sum(z, axis=-1), q.rsample(2, rng=0)),
        r"f\(z\) has shape \(2,\); it must be \(2, 3\)",
    ),
    "a baseline for each sample": (
        lambda q: score_function(q, square, q.sample(2, rng=0), baseline=np.zeros(2)),
        r"baseline has shape \(2,\); it must be a number, or broadcast to f\(z\), \(2, 3\)",
    ),
    "a baseline too large": (
        lambda q: score_function(q, square, q.sample(1, rng=0), baseline=np.zeros((4, 3))),
        r"baseline has shape \(4, 3\); it must be a number, or broadcast to f\(z\), \(1, 3\)",
    ),
}


NO_NUMBERS = {
    "a list of draws": (lambda q: naive(q, square, [[0.0, 1.0, 2.0]]), "z is a list; it must be an array, drawn by"),
    "masked draws": (lambda q: naive(q, square, np.ma.masked_less(np.zeros((2, 3)), 1)), "z is a masked array"),
    "masked values": (
        lambda q: naive(q, lambda z: np.ma.masked_less(z, 1), np.zeros((2, 3))),
        r"f\(z\) is a masked array",
    ),
    "no baseline": (lambda q: score_function(q, square, np.zeros((2, 3)), None), "baseline is object; .* real numbers"),
    "a complex baseline": (lambda q: score_function(q, square, np.zeros((2, 3)), 1j), "baseline is complex128"),
    "a masked baseline": (
        lambda q: score_function(q, square, np.zeros((2, 3)), np.ma.masked_less(np.zeros(3), 1)),
        "baseline is a masked array",
    ),
}


@pytest.mark.parametrize(("call", "message"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_is_no_number_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call(normals())


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_a_reward_may_be_a_count(dtype):
    """The baseline ½ would be 0 as an integer, and 0 − 1 of uint8 would be 255."""
    logits, z = Tensor(np.zeros(2, np.float32), requires_grad=True), np.array([0, 1, 1, 0])
    for estimate in (leave_one_out, partial(score_function, baseline=0.5)):
        logits.grad = None
        E = estimate(Categorical(logits), lambda z: (z == 1).astype(dtype), z)
        E.backward()
        assert E.dtype == np.float32
        b = np.array([2, 1, 1, 2]) / 3 if estimate is leave_one_out else 0.5
        wanted = np.mean(((z == 1) - b) * (z - 0.5))  # (3); d log q / d logit_1 is z − ½
        np.testing.assert_allclose(logits.grad, [-wanted, wanted], rtol=1e-6)


def test_the_value_of_f_may_be_one_number_only_where_there_is_one():
    with pytest.raises(ValueError, match=r"f\(z\) has shape \(\); it must be \(2, 3\)"):
        naive(normals(), lambda z: 0.0, np.zeros((2, 3)))


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_inputs_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(normals())
