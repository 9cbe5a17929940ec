"""The Concrete distribution: densities against the formula of the paper, quadrature, and what is known of Gumbels."""

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats

from scratchgen.autodiff import Tensor, softmax
from scratchgen.distributions import Concrete, straight_through
from tests.distributions.truth import draw, slopes

Z, N = 5.96, 100_000
TEMPERATURES = pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])


def inside(*shape: int, seed: int = 1) -> np.ndarray:
    """Points inside the simplex, along the last axis."""
    return softmax(draw((shape,), seed)[0])


# -- densities ---------------------------------------------------------------------------------------------------------


@TEMPERATURES
@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_log_prob_is_equation_10_of_the_paper(K: int, temperature: float) -> None:
    """(K − 1)! τ^{K−1} ∏ α_k x_k^{−τ−1} / (Σ α_k x_k^{−τ})^K with α = exp(l), multiplied out."""
    (logits,) = draw(((2, K),), 1)
    x, alpha = inside(4, 2, K), np.exp(logits)
    numerator = np.prod(alpha * x ** (-temperature - 1), axis=-1)
    density = factorial(K - 1) * temperature ** (K - 1) * numerator / np.sum(alpha * x**-temperature, axis=-1) ** K
    p = Concrete(logits, temperature)
    np.testing.assert_allclose(p.log_prob(x), np.log(density), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(p.log_prob_of_logits(np.log(x)), np.log(density * np.prod(x, axis=-1)), atol=1e-11)


@TEMPERATURES
def test_two_categories_are_a_logistic_variable(temperature: float) -> None:
    """The difference of two Gumbels is logistic: so log x_1/x_2 is, about (l_1 − l_2)/τ with scale 1/τ."""
    logits, x = np.array([0.4, -0.9]), inside(7, 2)
    log_ratio = np.log(x[:, 0] / x[:, 1])
    expected = scipy.stats.logistic(1.3 / temperature, 1 / temperature).logpdf(log_ratio)
    p = Concrete(logits, temperature)
    np.testing.assert_allclose(p.log_prob_of_logits(np.log(x)), expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(p.log_prob(x), expected - np.log(x).sum(axis=1), rtol=1e-11, atol=1e-12)


@TEMPERATURES
def test_moments_of_the_log_ratios(temperature: float) -> None:
    """By quadrature of (3) over the plane: total 1, means (l_k − l_K)/τ, variances π²/3τ², covariance π²/6τ².

    The entropy is −log (K−1)! − (K−1) log τ + K (γ + ψ(K)): l_k − τ y_k is −g_k, E[g] = γ, and Σ_k e^{−g_k} is a gamma
    variable, the expectation of whose logarithm is ψ(K).
    """
    logits = np.array([0.5, -0.8, 0.3])
    axis = np.linspace(-45, 45, 361) / temperature
    a, b = np.meshgrid(axis, axis, indexing="ij")
    log_p = Concrete(logits, temperature).log_prob_of_logits(np.stack([a, b, np.zeros_like(a)], axis=-1))
    weight = np.exp(log_p) * (axis[1] - axis[0]) ** 2

    def mean(f: np.ndarray) -> float:
        return float(np.sum(weight * f))

    d = (logits[:2] - logits[2]) / temperature
    gumbel = np.pi**2 / 6 / temperature**2
    entropy = -np.log(2) - 2 * np.log(temperature) + 3 * (np.euler_gamma + scipy.special.digamma(3))
    got = [mean(f) for f in (np.ones_like(a), a, b, (a - d[0]) ** 2, (b - d[1]) ** 2, (a - d[0]) * (b - d[1]), -log_p)]
    np.testing.assert_allclose(got, [1, *d, 2 * gumbel, 2 * gumbel, gumbel, entropy], rtol=0, atol=1e-9)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
def test_the_density_integrates_to_one_over_the_simplex(temperature: float) -> None:
    """Of x = (s v, s (1 − v), 1 − s) with dx_1 dx_2 = s ds dv, at nodes that are dense where an x_k goes to 0."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    c = 0.5 * (1 + nodes)
    t, dt = c**3 * (10 - 15 * c + 6 * c * c), 15 * weights * (c * (1 - c)) ** 2
    s, v = np.meshgrid(t, t, indexing="ij")
    density = np.exp(
        Concrete(np.array([0.5, -0.8, 0.3]), temperature).log_prob(np.stack([s * v, s * (1 - v), 1 - s], axis=-1))
    )
    assert abs(np.sum(density * s * np.outer(dt, dt)) - 1) < 1e-9


def test_constants_change_nothing() -> None:
    """Added to the logits, or to y."""
    logits, y = draw(((4,), (6, 4)), 1)
    p, q = Concrete(logits, 0.6), Concrete(logits + 50, 0.6)
    np.testing.assert_allclose(q.log_prob_of_logits(y - 300), p.log_prob_of_logits(y), rtol=1e-11)
    np.testing.assert_allclose(q.rsample(6, rng=0), p.rsample(6, rng=0), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_and_samples(dtype: Any) -> None:
    """y = (10⁴, 0, −10⁴): Σ_k (a_k − log Σ exp a) with a = l − τ y, whose largest is the last; finite slopes."""
    y, logits = np.array([1e4, 0, -1e4], dtype), np.array([800, 0, -800], dtype)
    value, (by_logits, by_y) = slopes(lambda a, y: Concrete(a, 0.5).log_prob_of_logits(y), logits, y)
    a = np.array([800 - 5e3, 0, 5e3 - 800])
    np.testing.assert_allclose(value, np.log(2) + 2 * np.log(0.5) + np.sum(a - a.max()), rtol=1e-6)
    assert value.dtype == by_logits.dtype == dtype
    np.testing.assert_allclose(by_logits, [1, 1, -2], atol=1e-12)  # 1 − K softmax(a)
    np.testing.assert_allclose(by_y, [-0.5, -0.5, 1], atol=1e-12)
    x = Concrete(logits, 1e-3).rsample((), noise=np.zeros(3, dtype))
    np.testing.assert_array_equal(x, [1, 0, 0])


def test_gradients_by_hand() -> None:
    """d log p/dl_k = 1 − K s_k with s = softmax(l − τ log x), and d/dx_k = (−(τ+1) + K τ s_k)/x_k."""
    (logits,) = draw(((4,),), 1)
    x, temperature = inside(4), 0.7
    _, (by_logits, by_x) = slopes(lambda a, x: Concrete(a, temperature).log_prob(x), logits, x)
    s = softmax(logits - temperature * np.log(x))
    np.testing.assert_allclose(by_logits, 1 - 4 * s, rtol=1e-12)
    np.testing.assert_allclose(by_x, (-(temperature + 1) + 4 * temperature * s) / x, rtol=1e-12)


# -- samples -----------------------------------------------------------------------------------------------------------


def test_a_reparameterised_sample_is_a_softmax_of_noisy_logits() -> None:
    """Equation (1); both samplers draw the same."""
    logits, noise = draw(((2, 3), (5, 2, 3)), 1)
    p = Concrete(logits, 0.4)
    x = p.rsample(5, noise=noise)
    e = np.exp((logits + noise) / 0.4)
    np.testing.assert_allclose(x, e / e.sum(axis=-1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(softmax(p.rsample_logits(5, noise=noise)), x, rtol=1e-14)
    drawn = np.random.default_rng(3).gumbel(size=(5, 2, 3))
    np.testing.assert_array_equal(p.sample(5, rng=3), p.rsample(5, noise=drawn))
    np.testing.assert_array_equal(p.sample(5, rng=3), p.rsample(5, rng=3))
    assert type(Concrete(Tensor(logits), 0.4).sample(5, rng=3)) is np.ndarray


def test_the_reparameterised_gradient_is_unbiased() -> None:
    """E[df(x)/dl] = E[f(x) d log p(x)/dl] for f = x_1², by quadrature over the noise and over x in turn."""
    logits, temperature = np.array([0.4, -0.9]), 0.6
    g = np.linspace(-45, 45, 4001)
    logistic = scipy.stats.logistic.pdf(g) * (g[1] - g[0])  # the noise is the difference of two Gumbels
    noise = np.stack([g, np.zeros_like(g)], axis=-1)
    _, (pathwise,) = slopes(
        lambda a: logistic * np.square(Concrete(a, temperature).rsample(len(g), noise=noise)[:, 0]), logits
    )
    y = np.stack([g / temperature, np.zeros_like(g)], axis=-1)
    p = np.exp(Concrete(logits, temperature).log_prob_of_logits(y)) * (g[1] - g[0]) / temperature
    f = softmax(y)[:, 0] ** 2
    _, (score,) = slopes(lambda a: p * f * Concrete(a, temperature).log_prob_of_logits(y), logits)
    assert abs(pathwise[0]) > 0.05
    np.testing.assert_allclose(pathwise, score, rtol=0, atol=1e-12)


@TEMPERATURES
def test_the_largest_component_has_the_probabilities_of_the_logits(temperature: float) -> None:
    """Whatever τ is; and the log-ratios have the means (l_k − l_K)/τ. An error of 0.02 would be noticed."""
    logits = np.log([0.2, 0.3, 0.1, 0.4])
    y = Concrete(logits, temperature).rsample_logits(N, rng=1)
    share = np.mean(y.argmax(axis=-1)[:, None] == np.arange(4), axis=0)
    error = np.sqrt(np.exp(logits) * (1 - np.exp(logits)) / N)
    assert 2 * Z * error.max() < 0.02
    assert np.all(np.abs(share - np.exp(logits)) < Z * error)
    z = (temperature * (y[:, :3] - y[:, 3:]) - (logits[:3] - logits[3])) / np.sqrt(np.pi**2 / 3)
    assert np.all(np.abs(z.mean(axis=0)) < Z / np.sqrt(N))
    assert np.all(np.abs(np.mean(z * z, axis=0) - 1) < Z * np.sqrt(3.2 / N))  # a logistic's kurtosis is 4.2


def test_samples_have_the_distribution_of_log_prob() -> None:
    """The average of −log p of 100,000 samples is the entropy of the log-ratios, of a known value."""
    p = Concrete(np.array([0.5, -0.8, 0.3]), 0.5)
    values = -p.log_prob_of_logits(np.log(p.sample(N, rng=2)))
    entropy = -np.log(2) - 2 * np.log(0.5) + 3 * (np.euler_gamma + scipy.special.digamma(3))
    error = values.std() / np.sqrt(N)
    assert 2 * Z * error < 0.05
    assert abs(values.mean() - entropy) < Z * error


def test_shapes_and_dtypes() -> None:
    for dtype in (np.float32, np.float64):
        for batch in ((), (2,), (2, 3), (0,)):
            p = Concrete(np.zeros((*batch, 5), dtype), np.float64(0.5))
            assert (p.batch_shape, p.event_shape, p.dtype) == (batch, (5,), dtype)
            for n in ((), (4,), (4, 6), (0,)):
                x = p.sample(n, rng=0)
                assert x.shape == (*n, *batch, 5)
                assert p.log_prob(x).shape == n + batch
                assert x.dtype == p.log_prob(x).dtype == p.rsample(n, rng=0).dtype == dtype


def test_noise_is_finite_at_its_ends() -> None:
    """−log(−log u) is infinite at u = 0 and u = 1: of a million draws the least and the largest are ordinary."""
    g = Concrete(np.zeros(2, np.float32), 1.0).draw_noise(1_000_000, np.random.default_rng(0))
    assert g.dtype == np.float32
    assert -3.7 < g.min() < -2 and 10 < g.max() < 40


# -- straight through --------------------------------------------------------------------------------------------------


def test_straight_through_has_one_hot_values_and_the_gradient_of_x() -> None:
    logits, w = draw(((5, 4), (5, 4)), 1)
    noise = np.zeros_like(logits)
    y, (slope,) = slopes(lambda a: w * straight_through(Concrete(a, 0.5).rsample((), noise=noise)), logits)
    _, (expected,) = slopes(lambda a: w * Concrete(a, 0.5).rsample((), noise=noise), logits)
    hot = np.eye(4)[logits.argmax(axis=-1)]
    np.testing.assert_array_equal(y, w * hot)
    np.testing.assert_allclose(slope, expected, rtol=1e-13)
    np.testing.assert_array_equal(straight_through(softmax(logits)), hot)


def test_float32_may_sum_to_1_as_nearly_as_it_can() -> None:
    x = np.full(3, np.float32(1 / 3)) + np.float32(1e-5)
    assert np.isfinite(Concrete(np.zeros(3, np.float32), 0.5).log_prob(x))


# -- what is refused ---------------------------------------------------------------------------------------------------

P = Concrete(np.zeros(3), 0.5)
THIRDS = np.full(3, 1 / 3)
Call = Callable[[], Any]
BAD: dict[str, tuple[Call, type[Exception], str]] = {
    "temperature 0": (lambda: Concrete(np.zeros(3), 0.0), ValueError, "temperature is 0.0; it must be above 0"),
    "temperature −1": (lambda: Concrete(np.zeros(3), -1), ValueError, "temperature is -1"),
    "temperature NaN": (lambda: Concrete(np.zeros(3), np.nan), ValueError, "temperature is nan"),
    "temperature inf": (lambda: Concrete(np.zeros(3), np.inf), ValueError, "temperature is inf"),
    "temperature array": (lambda: Concrete(np.zeros(3), np.ones(2)), TypeError, "temperature is array.*a number"),
    "temperature True": (lambda: Concrete(np.zeros(3), True), TypeError, "temperature is True"),
    "no categories": (lambda: Concrete(np.zeros((2, 0)), 1.0), ValueError, r"\(2, 0\).*at least one category"),
    "no axis": (lambda: Concrete(0.5, 1.0), ValueError, r"logits has shape \(\)"),
    "logit −inf": (lambda: Concrete(np.array([0, -np.inf]), 1.0), ValueError, r"logits has -inf at \(1,\)"),
    "integers": (lambda: Concrete(np.zeros(3, int), 1.0), TypeError, "logits is int64"),
    "x of 0": (lambda: P.log_prob([0.5, 0.5, 0.0]), ValueError, r"x has 0.0 at \(2,\).*use log_prob_of_logits"),
    "x that sums to 1.1": (lambda: P.log_prob(THIRDS + 1 / 30), ValueError, r"Σ x has 1.09.*it must be 1; did you"),
    "x that sums to 1 + 1e-6": (lambda: P.log_prob(THIRDS + 1e-6 / 3), ValueError, "Σ x has 1.000001"),
    "one-hot integers": (lambda: P.log_prob(np.array([0, 1, 0])), TypeError, "x is int64"),
    "x of another K": (lambda: P.log_prob(np.array([0.5, 0.5])), ValueError, r"x has shape \(2,\).*\(3,\)"),
    "NaN in y": (lambda: P.log_prob_of_logits([0, np.nan, 0.0]), ValueError, r"y has nan at \(1,\)"),
    "y of another dtype": (lambda: P.log_prob_of_logits(np.zeros(3, np.float32)), TypeError, "y is float32"),
    "no rng": (lambda: P.rsample(3), TypeError, "needs rng, or the noise"),
    "noise of another shape": (lambda: P.rsample(2, noise=np.zeros(3)), ValueError, r"n=2 it must be \(2, 3\)"),
    "noise that is NaN": (
        lambda: P.rsample((), noise=np.array([0, np.nan, 0])),
        ValueError,
        r"noise has nan at \(1,\)",
    ),
    "straight through integers": (
        lambda: straight_through(np.array([1, 2])),
        TypeError,
        "x is int64; it must be float",
    ),
    "straight through a mask": (lambda: straight_through(np.ma.zeros(3)), TypeError, "x is a masked array"),
    "straight through NaN": (lambda: straight_through(np.array([0.1, np.nan])), ValueError, r"x has nan at \(1,\)"),
    "straight through a number": (lambda: straight_through(0.5), ValueError, r"x has shape \(\); it must be \(…, K\)"),
    "straight through nothing": (lambda: straight_through(np.zeros((2, 0))), ValueError, "at least one category"),
    "mean": (lambda: P.mean, NotImplementedError, "average samples"),
    "variance": (lambda: P.variance, NotImplementedError, "by samples"),
    "entropy": (lambda: P.entropy(), NotImplementedError, "average −log_prob"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
