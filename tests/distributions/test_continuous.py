"""Uniform, Laplace and logistic distributions, and distribution functions, against scipy.stats and each other."""

from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from scratchgen.autodiff import Tensor, sigmoid
from scratchgen.distributions import (
    Categorical,
    Distribution,
    Independent,
    Laplace,
    Logistic,
    Normal,
    Uniform,
    inverse_transform,
)
from tests.distributions import truth

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SHIFTED = pytest.mark.parametrize("cls", [Laplace, Logistic])
Z, N = 5.96, 100_000


def scipys(p: Distribution) -> Any:
    """The same distribution, as scipy.stats has it."""
    if isinstance(p, Uniform):
        return scipy.stats.uniform(p.low, p.high - p.low)
    if isinstance(p, Normal):
        return scipy.stats.norm(p.mean, np.exp(p.logvar / 2))
    family = {Laplace: scipy.stats.laplace, Logistic: scipy.stats.logistic}[type(p)]
    return family(p.loc, np.exp(p.log_scale))


KINDS = [kind for kind in truth.KINDS if kind in ("Normal", "Uniform", "Laplace", "Logistic")]
NEW = KINDS[1:]
ON_THE_LINE = pytest.mark.parametrize("kind", KINDS)


def points(p: Distribution, seed: int) -> np.ndarray:
    """x (50, *batch_shape) about p, to ten standard deviations from its mean, so on both sides of any support."""
    rng = np.random.default_rng(seed)
    return p.mean + np.sqrt(p.variance) * rng.choice([0.3, 1.0, 5.0], (50, 2, 3)) * rng.uniform(-2, 2, (50, 2, 3))


# -- densities and distribution functions ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", NEW)
def test_log_prob_against_scipy(kind: str, seed: int) -> None:
    """Equation (1) of uniform.py, and (2) of location_scale.py with (1) of laplace.py and logistic.py."""
    p = truth.make(kind, seed)
    x = points(p, seed)
    got = p.log_prob(x)
    np.testing.assert_allclose(got, scipys(p).logpdf(x), rtol=1e-12, atol=1e-12)
    assert (kind == "Uniform") == np.any(got == -np.inf)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", NEW)
def test_moments_and_entropy_against_scipy(kind: str, seed: int) -> None:
    p = truth.make(kind, seed)
    expected = scipys(p)
    np.testing.assert_allclose(p.mean, expected.mean(), rtol=1e-13)
    np.testing.assert_allclose(p.variance, expected.var(), rtol=1e-12)
    np.testing.assert_allclose(p.entropy(), expected.entropy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", [1, 2])
@ON_THE_LINE
def test_cdf_against_scipy(kind: str, seed: int) -> None:
    p = truth.make(kind, seed)
    x = points(p, seed)
    np.testing.assert_allclose(p.cdf(x), scipys(p).cdf(x), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", [1, 2])
@ON_THE_LINE
def test_icdf_against_scipy(kind: str, seed: int) -> None:
    """Far into the lower tail, too, where a form with 1 − 2 |u − ½| would have no digits left."""
    p = truth.make(kind, seed)
    u = np.random.default_rng(seed).uniform(size=(50, 2, 3)) ** np.array([1, 4, 30])
    u[:3] = np.array([0.4999, 0.5, 0.5001]).reshape(3, 1, 1)  # where two halves may meet
    np.testing.assert_allclose(p.icdf(u), scipys(p).ppf(u), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(p.icdf(1 - u), scipys(p).ppf(1 - u), rtol=1e-12, atol=1e-12)


@ON_THE_LINE
def test_the_derivative_of_the_cdf_is_the_density(kind: str) -> None:
    """dF/dx = p(x), where the density is 0, at its location, and where it jumps: there it is half."""
    p = truth.make(kind, 1)
    x = np.concatenate([points(p, 1), np.broadcast_to(p.mean, (1, 2, 3))])
    _, (slope,) = truth.slopes(p.cdf, x)
    np.testing.assert_allclose(slope, np.exp(p.log_prob(x)), rtol=1e-12, atol=1e-300)
    if isinstance(p, Uniform):
        for end in (p.low, p.high):
            np.testing.assert_allclose(truth.slopes(p.cdf, end)[1][0], 0.5 / p.width, rtol=1e-14)


@ON_THE_LINE
def test_the_derivative_of_the_icdf_is_one_over_the_density(kind: str) -> None:
    p = truth.make(kind, 1)
    u = np.concatenate([np.random.default_rng(1).uniform(size=(50, 2, 3)), np.full((1, 2, 3), 0.5)])
    x, (slope,) = truth.slopes(p.icdf, u)
    np.testing.assert_allclose(slope, np.exp(-p.log_prob(x)), rtol=1e-11)


@ON_THE_LINE
def test_the_ends_of_the_icdf_are_those_of_the_support(kind: str) -> None:
    p = truth.make(kind, 1)
    low, high = p.icdf(np.zeros((2, 3))), p.icdf(np.ones((2, 3)))
    expected = (p.low, p.high) if isinstance(p, Uniform) else (np.full((2, 3), -np.inf), np.full((2, 3), np.inf))
    np.testing.assert_array_equal((low, high), expected)


@pytest.mark.parametrize("log_scale", [-9.0, -0.7, 1.3, 9.0])
@pytest.mark.parametrize("cls", [Laplace, Logistic, Uniform])
def test_a_density_integrates_to_one(cls: Any, log_scale: float) -> None:
    """By adaptive quadrature, over 60 scales on each side of the location; over the support and beyond of a uniform."""
    scale = np.exp(log_scale)
    p = Uniform(0.7 - 0.5 * scale, 0.7 + 0.5 * scale) if cls is Uniform else cls(0.7, log_scale)

    def density(x: float) -> float:
        return float(np.exp(p.log_prob(x)))

    kinks = [0.7 + k * scale for k in (-10, -0.5, 0, 0.5, 10)]
    total, _ = scipy.integrate.quad(
        density, 0.7 - 60 * scale, 0.7 + 60 * scale, points=kinks, epsabs=1e-13, epsrel=1e-13, limit=200
    )
    assert abs(total - 1) < 1e-10


def test_the_cdf_of_a_vector_is_the_product() -> None:
    """P(X_1 ≤ x_1 and X_2 ≤ x_2 and X_3 ≤ x_3) of independent components, as the share of samples estimates it."""
    base = truth.make("Laplace", 1)
    p = Independent(base, 1)
    x = base.icdf(np.random.default_rng(2).uniform(0.5, 0.95, (2, 3)))
    got = p.cdf(x)
    assert got.shape == (2,)
    np.testing.assert_allclose(got, base.cdf(x)[:, 0] * base.cdf(x)[:, 1] * base.cdf(x)[:, 2], rtol=1e-14)
    np.testing.assert_allclose(Independent(base, 2).cdf(x), np.prod(got), rtol=1e-14)
    share = np.mean(np.all(p.sample(N, rng=0) <= x, axis=-1), axis=0)
    error = np.sqrt(got * (1 - got) / N)
    assert np.all(np.abs(share - got) < Z * error) and Z * error.max() < 0.01


# -- drawing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NEW)
def test_samples_follow_the_cdf(kind: str) -> None:
    """The Kolmogorov–Smirnov distance of 100,000 samples from F. P(√N D > 2.8) = 3e-7, and D = 0.01 is noticed."""
    p = truth.make(kind, 1)
    u = p.cdf(p.sample(N, rng=1)).reshape(N, 6)
    rank = np.arange(N)[:, None]
    distance = np.maximum((rank + 1) / N - np.sort(u, axis=0), np.sort(u, axis=0) - rank / N).max(axis=0)
    assert np.all(np.sqrt(N) * distance < 2.8) and 2.8 / np.sqrt(N) < 0.01
    correlation = np.corrcoef(u.T)[np.triu_indices(6, 1)]
    assert np.all(np.abs(correlation) < Z / np.sqrt(N)), "the components are not independent"


@pytest.mark.parametrize("kind", NEW)
def test_both_samplers_draw_the_same(kind: str) -> None:
    """And the noise is uniform, of the same Generator."""
    p = truth.make(kind, 1)
    np.testing.assert_array_equal(p.sample((4, 2), rng=3), p.rsample((4, 2), rng=3))
    noise = np.random.default_rng(3).random((4, 2, 2, 3))
    np.testing.assert_array_equal(p.sample((4, 2), rng=3), p.rsample((4, 2), noise=noise))
    np.testing.assert_array_equal(p.rsample((4, 2), noise=noise), p.icdf(noise))


@SHIFTED
def test_a_reparameterised_sample_is_loc_plus_scale_times_noise(cls: Any) -> None:
    """(3) of location_scale.py, and its derivatives 1 and eˢ ε, where another broadcasts."""
    loc, log_scale = truth.draw(((3,), (2, 1)), 1)
    u = np.random.default_rng(1).uniform(size=(5, 2, 3))
    e = scipy.stats.laplace.ppf(u) if cls is Laplace else scipy.stats.logistic.ppf(u)
    x, (by_loc, by_log_scale) = truth.slopes(lambda m, s: cls(m, s).rsample(5, noise=u), loc, log_scale)
    assert by_loc is not None and by_log_scale is not None, "no gradient"
    np.testing.assert_allclose(x, loc + np.exp(log_scale) * e, rtol=1e-12)
    np.testing.assert_allclose(by_loc, np.full(3, 10.0), rtol=1e-14)
    expected = np.sum(np.exp(log_scale) * e, axis=(0, 2), keepdims=True)[0]
    np.testing.assert_allclose(by_log_scale, expected, rtol=1e-12)


def test_a_reparameterised_uniform_sample_lies_between_its_ends() -> None:
    """x = (1 − u) low + u high, with derivatives 1 − u and u."""
    low, width = truth.draw(((3,), (2, 1)), 1)
    high, u = low + np.exp(width), np.random.default_rng(1).uniform(size=(5, 2, 3))
    x, (by_low, by_high) = truth.slopes(lambda a, b: Uniform(a, b).rsample(5, noise=u), low, high)
    np.testing.assert_allclose(x, (1 - u) * low + u * high, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(by_low, np.sum(1 - u, axis=(0, 1)), rtol=1e-14)
    np.testing.assert_allclose(by_high, np.sum(u, axis=0), rtol=1e-14)


@SHIFTED
def test_the_reparameterised_gradient_is_unbiased(cls: Any) -> None:
    """d E[x²]/dm = 2 m and d E[x²]/ds = 2 variance, by quadrature over u = σ(t), with far tails of t."""
    loc, log_scale = np.array(0.4), np.array(-0.6)
    nodes, weights = np.polynomial.legendre.leggauss(100)
    t = np.concatenate([-20 + 20 * nodes, 20 + 20 * nodes])  # two halves, for the kink of a Laplace at u = ½
    u = sigmoid(t)
    weight = 20 * np.tile(weights, 2) * u * sigmoid(-t)  # du = σ(t) σ(−t) dt
    _, (by_loc, by_log_scale) = truth.slopes(
        lambda m, s: np.sum(weight * np.square(cls(m, s).rsample(200, noise=u))), loc, log_scale
    )
    np.testing.assert_allclose(by_loc, 2 * loc, atol=1e-11)
    np.testing.assert_allclose(by_log_scale, 2 * cls(loc, log_scale).variance, rtol=1e-11)


class Always(np.random.Generator):
    """A Generator whose uniform numbers are all the same."""

    def __init__(self, u: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.u = u

    def random(self, size: Any = None, dtype: Any = np.float64) -> np.ndarray:  # type: ignore[override]
        return np.full(size, self.u, dtype)


@DTYPES
@pytest.mark.parametrize("kind", NEW)
def test_the_least_and_the_largest_noise_give_finite_samples(kind: str, dtype: Any) -> None:
    """A Generator draws u = 0 once in 2⁵³ numbers, and in float32 once in 2²⁴: noise for MNIST has three."""
    p = truth.make(kind, 1, dtype)
    largest = 1 - float(np.finfo(dtype).epsneg)
    for u in (0.0, largest):
        x = p.sample(3, Always(u))
        assert x.dtype == dtype
        assert np.all(np.isfinite(x)) and np.all(np.isfinite(p.log_prob(x)))
    x, gradients = truth.slopes(
        lambda *parameters: truth.KINDS[kind][0](*parameters).rsample(2, noise=edges(dtype)),
        *(parameter.astype(dtype) for parameter in truth.draw(truth.KINDS[kind][1], 1)),
    )
    assert np.all(np.isfinite(x)) and all(np.all(np.isfinite(gradient)) for gradient in gradients)


def edges(dtype: Any) -> np.ndarray:
    """Noise for two draws of a batch (2, 3): the ends of [0, 1]."""
    return np.broadcast_to(np.array([0, 1], dtype).reshape(2, 1, 1), (2, 2, 3))


@DTYPES
def test_noise_is_held_only_where_no_generator_draws(dtype: Any) -> None:
    dtype = np.dtype(dtype)
    step = float(np.finfo(dtype).epsneg)
    drawn = np.array([step, 2 * step, 0.5, 1 - 2 * step, 1 - step], dtype)
    np.testing.assert_array_equal(inverse_transform.held(drawn, dtype), drawn)
    ends = inverse_transform.held(np.array([0, 1], dtype), dtype)
    np.testing.assert_array_equal(ends, np.array([step / 2, 1 - step], dtype))


@DTYPES
def test_uniform_samples_never_leave_the_interval(dtype: Any) -> None:
    """Where rounding would lead out of it, log_prob would be −inf: at 30,000 intervals, of all sizes and anywhere."""
    rng, shape = np.random.default_rng(0), (3, 10_000)
    ends = rng.normal(size=(2, *shape)) * 10.0 ** rng.uniform(-9, 9, (2, *shape))
    low, high = np.sort(ends, axis=0).astype(dtype)
    p = Uniform(low, high)
    u = np.broadcast_to(np.array([0, 1, 0.7], dtype)[:, None], shape)
    assert np.all(np.isfinite(p.log_prob(p.rsample((), noise=u))))
    assert np.all(p.icdf(u)[:2] == np.stack([low[0], high[1]]))


# -- extremes ----------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("z", [-800.0, -40.0, 0.0, 40.0, 800.0])
@SHIFTED
def test_far_from_the_location(cls: Any, z: float, dtype: Any) -> None:
    """log p₀(z) = −|z| − log 2, and −|z| − 2 log(1 + e^{−|z|}), with slopes −sign z and −tanh z/2."""
    values, (slope, _, by_log_scale) = truth.slopes(
        lambda x, m, s: cls(m, s).log_prob(x), *np.array([z, 0.0, 0.0], dtype)
    )
    tail = np.log(2) if cls is Laplace else 2 * np.log1p(np.exp(-np.abs(z)))
    expected = -np.sign(z) if cls is Laplace else -np.tanh(z / 2)
    rtol = 16 * np.finfo(dtype).eps
    np.testing.assert_allclose(values, -np.abs(z) - tail, rtol=rtol)
    np.testing.assert_allclose(slope, expected, rtol=rtol)
    np.testing.assert_allclose(by_log_scale, -1 - z * expected, rtol=rtol)
    p = cls(np.array(0, dtype), np.array(0, dtype))
    half = 0.5 if cls is Laplace or z == 0 else 1.0
    cumulated = half * np.exp(-np.abs(z)) if z <= 0 else 1.0
    np.testing.assert_allclose(p.cdf(np.array(z, dtype)), cumulated, rtol=rtol)


@pytest.mark.parametrize("log_scale", [-700.0, -30.0, 30.0, 700.0])
@SHIFTED
def test_at_extreme_scales(cls: Any, log_scale: float) -> None:
    """At the location, and one and three scales from it."""
    z, scale = np.array([0.0, 1.0, -3.0]), np.exp(log_scale)
    y, (by_x, by_loc, by_log_scale) = truth.slopes(
        lambda x, m, s: cls(m, s).log_prob(x), scale * z, np.zeros(3), np.full(3, log_scale)
    )
    slope = -np.sign(z) if cls is Laplace else -np.tanh(z / 2)
    np.testing.assert_allclose(y, cls.standard_log_prob(z) - log_scale, rtol=1e-13)
    np.testing.assert_allclose(by_x, slope / scale, rtol=1e-13)
    np.testing.assert_allclose(by_loc, -slope / scale, rtol=1e-13)
    np.testing.assert_allclose(by_log_scale, -1 - z * slope, rtol=1e-13)
    p = cls(0.0, log_scale)
    np.testing.assert_allclose(p.entropy(), cls.standard_entropy + log_scale, rtol=1e-14)
    np.testing.assert_allclose(p.icdf(p.cdf(scale)), scale, rtol=1e-13)


@DTYPES
@pytest.mark.parametrize("log_scale", [-5000.0, -800.0, 800.0])
@SHIFTED
def test_beyond_the_range_of_floats_it_is_finite_at_its_location(cls: Any, log_scale: float, dtype: Any) -> None:
    one = np.ones(2, dtype)
    y, gradients = truth.slopes(lambda x, m, s: cls(m, s).log_prob(x), one, one, log_scale * one)
    np.testing.assert_allclose(y, cls.standard_log_prob(0.0) - log_scale, rtol=1e-6)
    np.testing.assert_array_equal(gradients, [[0, 0], [0, 0], [-1, -1]])


def test_the_middle_of_an_interval_near_the_largest_float() -> None:
    assert Uniform(1.2e308, 1.6e308).mean == pytest.approx(1.4e308, rel=1e-15)


def test_a_uniform_density_at_and_beyond_its_ends() -> None:
    """−log w on the closed interval, with derivatives 1/w and −1/w; −inf outside, with all derivatives 0."""
    x = np.array([1.0, 2.0, 3.0, 3.0 + 4e-16, 1.0 - 2e-16, -50.0])
    y, (by_x, by_low, by_high) = truth.slopes(lambda x, a, b: Uniform(a, b).log_prob(x), x, np.ones(6), np.full(6, 3.0))
    inside = np.array([1, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(y, np.where(inside, -np.log(2), -np.inf))
    np.testing.assert_array_equal(by_x, np.zeros(6))
    np.testing.assert_array_equal(by_low, 0.5 * inside)
    np.testing.assert_array_equal(by_high, -0.5 * inside)
    assert Uniform(-1.0, 1.0).log_prob(0.0) == -np.log(2)


# -- bad inputs --------------------------------------------------------------------------------------------------------

ZEROS, SINGLE = np.zeros(3), np.zeros(3, np.float32)
BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "ends swapped": (
        lambda: Uniform(np.array([0.0, 2.0, 0.0]), np.array([1.0, 1.5, -1.0])),
        ValueError,
        r"high is 1.5 at \(1,\), where low is 2.0; 2 of 3 values: high must be above low",
    ),
    "no width": (lambda: Uniform(1.0, 1.0), ValueError, r"high is 1.0 at \(\), where low is 1.0"),
    "too wide": (lambda: Uniform(-1e308, 1e308), ValueError, "by a finite width"),
    "infinite end": (lambda: Uniform(0.0, np.inf), ValueError, r"high has inf at \(\)"),
    "NaN end": (lambda: Uniform(np.array([0.0, np.nan]), 1.0), ValueError, r"low has nan at \(1,\)"),
    "NaN loc": (lambda: Laplace(np.array([0.0, np.nan]), 0.0), ValueError, r"loc has nan at \(1,\)"),
    "scale 0": (lambda: Logistic(ZEROS, np.full(3, -np.inf)), ValueError, r"log_scale has -inf at \(0,\); 3 of 3"),
    "integers": (lambda: Uniform(np.zeros(3, int), 1.0), TypeError, "low is int64"),
    "mixed dtypes": (lambda: Laplace(SINGLE, ZEROS), TypeError, "loc is float32, log_scale is float64"),
    "shapes": (lambda: Logistic(ZEROS, np.zeros(4)), ValueError, r"loc is \(3,\), log_scale is \(4,\)"),
    "images": (lambda: Laplace(SINGLE, 0.0).log_prob(np.zeros((1, 3), np.uint8)), TypeError, "uint8.*scale to"),
    "images, uniform": (lambda: Uniform(SINGLE, 1.0).log_prob(np.zeros((1, 3), np.uint8)), TypeError, "uint8.*scale"),
    "NaN in x": (lambda: Logistic(0.0, 0.0).log_prob(np.nan), ValueError, "x has nan"),
    "NaN in uniform x": (lambda: Uniform(0.0, 1.0).log_prob(np.nan), ValueError, "x has nan"),
    "(n, 1) for (n,)": (lambda: Laplace(ZEROS, 0.0).log_prob(np.zeros((3, 1))), ValueError, r"mean x\[:, 0\]\?"),
    "cdf of (n, 1)": (lambda: Normal(ZEROS, 0.0).cdf(np.zeros((3, 1))), ValueError, r"mean x\[:, 0\]\?"),
    "cdf of inf": (lambda: Uniform(0.0, 1.0).cdf(np.inf), ValueError, "x has inf"),
    "icdf of (n, 1)": (
        lambda: Normal(ZEROS, 0.0).icdf(np.zeros((3, 1))),
        ValueError,
        r"p has shape \(3, 1\).*did you mean p\[:, 0\]\?",
    ),
    "icdf above 1": (lambda: Laplace(0.0, 0.0).icdf(1.5), ValueError, r"p has 1.5 at \(\).*probability, from 0 to 1"),
    "icdf below 0": (lambda: Normal(0.0, 0.0).icdf(-0.1), ValueError, r"p has -0.1 at \(\).*probability"),
    "icdf of NaN": (lambda: Logistic(0.0, 0.0).icdf(np.nan), ValueError, "p has nan"),
    "icdf of float32": (lambda: Uniform(ZEROS, 1.0).icdf(SINGLE), TypeError, "p is float32"),
    "no rng": (lambda: Laplace(0.0, 0.0).rsample(3), TypeError, "needs rng, or the noise"),
    "normal noise": (
        lambda: Logistic(ZEROS, 0.0).rsample((), noise=np.array([0.5, -1.2, 0.3])),
        ValueError,
        r"noise has -1.2 at \(1,\).*uniform on \(0, 1\)",
    ),
    "noise of another shape": (lambda: Uniform(ZEROS, 1.0).rsample(2, noise=ZEROS), ValueError, r"must be \(2, 3\)"),
    "cdf of dice": (lambda: Categorical(ZEROS).cdf(0), NotImplementedError, "Categorical has no cdf here.*samples"),
    "icdf of dice": (lambda: Categorical(ZEROS).icdf(0.5), NotImplementedError, "Categorical has no icdf.*quantile"),
    "icdf of a vector": (
        lambda: Independent(Normal(ZEROS, 0.0), 1).icdf(0.5),
        NotImplementedError,
        r"many have the same cdf; .base.icdf\(p\)",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_NaN_of_a_network_stays_one() -> None:
    """The values of Tensors are not looked at; but a NaN x is not outside the interval either, where log p is −inf."""
    assert np.isnan(Uniform(0.0, 1.0).log_prob(Tensor(np.nan)).data)
