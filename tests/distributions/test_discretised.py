"""Densities cut into grey levels: masses against other formulas and quadrature, at all scales; they sum to 1."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from scratchgen.autodiff import Tensor
from scratchgen.distributions import DiscretisedLogistic, DiscretisedNormal, Independent, kl_divergence
from scratchgen.distributions.discretised import LEAST, MOST, Discretised
from scratchgen.distributions.log1mexp import log1mexp
from tests.distributions.truth import draw, slopes

SCALES = [1e-3, 0.03, 0.3, 1.0, 3.0, 30.0, 49.0, 51.0, 1e3, 1e6]  # the series takes over at 50 levels
CLASSES = pytest.mark.parametrize("cls", [DiscretisedLogistic, DiscretisedNormal])
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
LOG_2PI = np.log(2 * np.pi)


def of_scale(cls: type, loc: Any, scale: Any, levels: int, dtype: Any = np.float64) -> Discretised:
    """By the scale itself."""
    log_scale = np.log(np.asarray(scale, np.float64)).astype(dtype)
    return cls(np.asarray(loc, dtype), log_scale if cls is DiscretisedLogistic else 2 * log_scale, levels)


def logistic_mass(c: float, h: float) -> float:
    """log (σ(c+h) − σ(c−h)) = log sinh h − log (cosh c + cosh h), which is ½ (tanh ½(c+h) − tanh ½(c−h))."""
    c = abs(c)
    return float(
        (h + np.log(-np.expm1(-2 * h))) - (np.logaddexp(c + np.log1p(np.exp(-2 * c)), h + np.log1p(np.exp(-2 * h))))
    )


def normal_mass(c: float, h: float) -> float:
    """log (Φ(c+h) − Φ(c−h)): a sum of two halves about 0, or by quadrature from the nearer end of the bin."""
    near, far = abs(c) - h, abs(c) + h
    if near <= 0:
        return float(np.log(0.5 * (scipy.special.erf(far / 2**0.5) + scipy.special.erf(-near / 2**0.5))))
    end = min(2 * h, 40 / max(near, 1))
    total, _ = scipy.integrate.quad(lambda v: np.exp(-near * v - 0.5 * v * v), 0, end, epsabs=0, epsrel=1e-13)
    return float(-0.5 * (LOG_2PI + near**2) + np.log(total))


# -- masses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
@CLASSES
def test_log_prob_at_all_scales(cls: type, scale: float) -> None:
    """(1) by other formulas, from levels near the location to those 40 scales away and more."""
    mass = logistic_mass if cls is DiscretisedLogistic else normal_mass
    tail = scipy.stats.logistic if cls is DiscretisedLogistic else scipy.stats.norm
    for loc in (-300.0, -2.0, 0.0, 1.25, 3.0, 8.5, 20.0, 1e4):
        p = of_scale(cls, loc, scale, 17)
        for x in (0, 1, 3, 9, 15, 16):
            c, h = (x - loc) / scale, 0.5 / scale
            expected = {0: tail.logcdf(c + h), 16: tail.logsf(c - h)}.get(x, mass(c, h))
            np.testing.assert_allclose(p.log_prob(x), expected, rtol=1e-12, atol=1e-12)


@CLASSES
def test_probabilities_are_differences_of_the_distribution_function(cls: type) -> None:
    """(1) as it is written, with SciPy's F, where it loses no digits."""
    p = of_scale(cls, 3.3, 2.1, 8)
    name = scipy.stats.logistic if cls is DiscretisedLogistic else scipy.stats.norm
    F = np.concatenate([[0], name(3.3, 2.1).cdf(np.arange(7) + 0.5), [1]])
    np.testing.assert_allclose(np.exp(p.log_prob(np.arange(8))), np.diff(F), rtol=1e-12)
    np.testing.assert_allclose(p.cdf(np.arange(8)), F[1:], rtol=1e-13)


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
@DTYPES
@CLASSES
def test_the_bins_sum_to_one(cls: type, dtype: Any, levels: int) -> None:
    """At scales from 1e-3 to 1e6, with the location inside, at an end, on a border of bins, and far outside."""
    loc = np.array([-300.0, -0.5, 0.0, 0.49, 1.0, levels / 2, levels - 1, levels + 40, 1e4])
    p = of_scale(cls, loc[:, None], np.array(SCALES), levels, dtype)
    log_p = p.log_prob(np.broadcast_to(np.arange(levels)[:, None, None], (levels, *p.batch_shape)))
    assert log_p.dtype == dtype and np.all(np.isfinite(log_p)) and np.all(log_p <= 0)
    total = np.exp(log_p.astype(np.float64)).sum(axis=0)
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-12 if dtype is np.float64 else 2e-5)


@CLASSES
def test_a_bin_becomes_a_density_where_it_is_narrow(cls: type) -> None:
    """At scale 1e6 the mass of an inner level is the density times the width of its bin, 1."""
    p = of_scale(cls, 5.0, 1e6, 11)
    density = scipy.stats.logistic if cls is DiscretisedLogistic else scipy.stats.norm
    np.testing.assert_allclose(p.log_prob(7), density(5.0, 1e6).logpdf(7.0), rtol=1e-13)
    np.testing.assert_allclose(np.exp(p.log_prob([0, 10])), 0.5, rtol=1e-5)  # all else is in the tails
    np.testing.assert_allclose((p.mean, p.variance, p.entropy()), (5, 25, np.log(2)), rtol=1e-4)


@CLASSES
def test_a_sharp_density_is_one_level(cls: type) -> None:
    """At scale 1e-3: log P = 0 at the nearest level, and elsewhere that of the tail beyond the nearer border."""
    p = of_scale(cls, 5.2, 1e-3, 11)
    log_p = p.log_prob(np.arange(11))
    z = (np.abs(np.arange(11) - 5.2) - 0.5) / 1e-3
    expected = -z if cls is DiscretisedLogistic else scipy.stats.norm.logsf(z)
    np.testing.assert_allclose(log_p, np.where(np.arange(11) == 5, 0, expected), rtol=1e-12, atol=1e-100)
    np.testing.assert_allclose((p.mean, p.variance, p.entropy()), (5, 0, 0), atol=1e-100)


def test_mirrored_levels_have_mirrored_probabilities() -> None:
    for cls in (DiscretisedLogistic, DiscretisedNormal):
        loc, log_scale = draw(((4,), (4,)), 1)
        x = np.broadcast_to(np.arange(9)[:, None], (9, 4))
        mirrored = cls(8 - loc, log_scale, 9).log_prob(x[::-1])
        np.testing.assert_allclose(cls(loc, log_scale, 9).log_prob(x), mirrored, rtol=1e-11, atol=1e-13)


# -- gradients ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
def test_logistic_gradients_at_all_scales(scale: float) -> None:
    """From log P = log sinh h − log (cosh c + cosh h), with dc/dm = −1/s, dc/dlog s = −c and dh/dlog s = −h."""
    loc = np.array([-2.0, 2.9, 3.0, 8.5, 20.0])
    p = (loc, np.full(5, np.log(scale)))
    _, (by_loc, by_log_scale) = slopes(lambda m, s: DiscretisedLogistic(m, s, 17).log_prob(np.full(5, 3)), *p)
    c, h = (3 - loc) / scale, 0.5 / scale
    with np.errstate(over="ignore", invalid="ignore"):
        top = np.maximum(np.abs(c), h)  # cosh and sinh over e^top
        below = np.exp(np.abs(c) - top) * (1 + np.exp(-2 * np.abs(c))) + np.exp(h - top) * (1 + np.exp(-2 * h))
        by_c = np.sign(c) * np.exp(np.abs(c) - top) * np.expm1(-2 * np.abs(c)) / below
        by_h = 1 / np.tanh(h) + np.exp(h - top) * np.expm1(-2 * h) / below
    np.testing.assert_allclose(by_loc, -by_c / scale, rtol=1e-10, atol=1e-15 / scale)
    np.testing.assert_allclose(by_log_scale, -c * by_c - h * by_h, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("scale", SCALES)
def test_normal_gradients_at_all_scales(scale: float) -> None:
    """d log P/dc = (φ(b) − φ(a))/P and d/dh = (φ(b) + φ(a))/P, with b = c + h, a = c − h and P by quadrature."""
    loc = np.array([-2.0, 2.9, 3.0, 8.5, 20.0])
    _, (by_loc, by_logvar) = slopes(
        lambda m, v: DiscretisedNormal(m, v, 17).log_prob(np.full(5, 3)), loc, np.full(5, 2 * np.log(scale))
    )
    for i, c in enumerate((3 - loc) / scale):
        h = 0.5 / scale
        log_p = normal_mass(c, h)
        nearer = np.exp(-0.5 * (LOG_2PI + (abs(c) - h) ** 2) - log_p)  # φ/P; the other one is e^{−2|c|h} times it
        by_c, by_h = np.sign(c) * nearer * np.expm1(-2 * abs(c) * h), nearer * (1 + np.exp(-2 * abs(c) * h))
        np.testing.assert_allclose(by_loc[i], -by_c / scale, rtol=1e-8)
        np.testing.assert_allclose(by_logvar[i], -0.5 * (c * by_c + h * by_h), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("x", [0, 3, 16])
@DTYPES
@CLASSES
def test_gradients_are_finite_everywhere(cls: type, dtype: Any, x: int) -> None:
    """At the first, an inner and the last level, for locations up to 1e5 and scales far outside what is held."""
    loc, s = np.meshgrid([-1e5, -300, 0, 3, 3.5, 16, 1e5], [-700.0, -30, LEAST, -7, 0, 7, 30, MOST, 700])
    y, gradients = slopes(lambda m, s: cls(m, s, 17).log_prob(np.full(m.shape, x)), loc.astype(dtype), s.astype(dtype))
    assert y.dtype == dtype and np.all(np.isfinite(y))
    for gradient in gradients:
        assert gradient.dtype == dtype and np.all(np.isfinite(gradient))


@CLASSES
def test_scales_are_held(cls: type) -> None:
    """Beyond −15 and 80 of log s the probabilities are those at the bound, and the gradient is 0."""
    factor = 1 if cls is DiscretisedLogistic else 2
    for log_scale, bound in ((-20.0, LEAST), (-700.0, LEAST), (100.0, MOST), (700.0, MOST)):
        p, held = cls(3.2, factor * log_scale, 8), cls(3.2, factor * bound, 8)
        np.testing.assert_array_equal(p.log_prob(np.arange(8)), held.log_prob(np.arange(8)))
        _, (slope,) = slopes(lambda s: cls(3.2, s, 8).log_prob(np.arange(8)), np.array(factor * log_scale))
        assert slope == 0


@CLASSES
def test_the_gradient_points_back_from_far_away(cls: type) -> None:
    """At 1,000 scales P is 0 in floating point, and its logarithm has the slope of the tail: z or 1, over the scale."""
    _, (slope,) = slopes(lambda m: cls(m, 0.0, 256).log_prob(np.array(200)), np.array(-800.0))
    np.testing.assert_allclose(slope, 1.0 if cls is DiscretisedLogistic else 999.5, rtol=1e-3)


# -- samples, batches, dtypes ------------------------------------------------------------------------------------------


@CLASSES
def test_samples_are_levels(cls: type) -> None:
    """The ends have the tails; a sharp density gives the level of its location, and a wide one the two ends."""
    x = of_scale(cls, 3.0, 2.0, 8).sample(10_000, rng=0)
    np.testing.assert_array_equal(np.unique(x), np.arange(8))
    np.testing.assert_array_equal(of_scale(cls, [2.4, 2.6, -9.0, 99.0], 1e-3, 8).sample(3, rng=0), [[2, 3, 0, 7]] * 3)
    np.testing.assert_array_equal(np.unique(of_scale(cls, 3.0, 1e9, 8).sample(1000, rng=0)), [0, 7])
    assert type(cls(3.0, 0.0, 8).sample((), rng=0)) is np.ndarray


@CLASSES
def test_samples_have_the_probabilities_in_each_of_the_batch(cls: type) -> None:
    """An error of 0.02 would be noticed; and the noise of one is not that of another."""
    n = 100_000
    p = of_scale(cls, [1.0, 5.5], [0.7, 2.0], 7)
    x = p.sample(n, rng=1)
    for level in range(7):
        probability = np.exp(p.log_prob(np.full(2, level)))
        error = np.sqrt(probability * (1 - probability) / n)
        assert 2 * 5.96 * error.max() < 0.02
        assert np.all(np.abs(np.mean(x == level, axis=0) - probability) < 5.96 * error + 5.96**2 / n)
    z = (x - p.mean) / np.sqrt(p.variance)
    assert abs(np.mean(z[:, 0] * z[:, 1])) < 5.96 / np.sqrt(n)


@CLASSES
def test_images(cls: type) -> None:
    """Grey levels as they are stored: 8-bit integers; a sum over the pixels, for a batch."""
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    loc, log_scale = (np.float32(100) + np.float32(20) * x.astype(np.float32) for x in draw(((5, 4, 3), (3,)), 1))
    base = cls(loc, 0.02 * log_scale, 256)
    p = Independent(base, 2)
    assert p.log_prob(images).shape == (5,) and p.log_prob(images).dtype == np.float32
    each = base.log_prob(images.astype(np.float32))
    np.testing.assert_array_equal(base.log_prob(images), each)
    np.testing.assert_allclose(p.log_prob(images), each.sum(axis=(1, 2)), rtol=1e-6)


@CLASSES
def test_the_same_by_a_categorical_distribution(cls: type) -> None:
    p = cls(*draw(((2, 3), (2, 3)), 1), 5)
    x = np.array([[0, 1, 4], [3, 2, 0]])
    np.testing.assert_allclose(p.categorical.log_prob(x), p.log_prob(x), rtol=1e-12)


# -- log1mexp ----------------------------------------------------------------------------------------------------------


def test_log1mexp_at_its_extremes() -> None:
    """log a for small a, −e^{−a} for large ones, and about log 2 no step; the derivative is 1/(eᵃ − 1)."""
    LN2 = np.log(2.0)
    a = np.array([1e-300, 1e-20, 1e-8, np.nextafter(LN2, 0), LN2, np.nextafter(LN2, 1), 50, 700, 1e5])
    y, (slope,) = slopes(log1mexp, a)
    expected = [np.log(1e-300), np.log(1e-20), np.log(1e-8) - 0.5e-8, -LN2, -LN2, -LN2, -np.exp(-50), -np.exp(-700), 0]
    np.testing.assert_allclose(y, expected, rtol=1e-14)
    np.testing.assert_allclose(slope, [1e300, 1e20, 1e8 - 0.5, 1, 1, 1, np.exp(-50), np.exp(-700), 0], rtol=1e-14)


@pytest.mark.parametrize("a", [3.0, 10.0, 20.0, 30.0, 36.0])
def test_log1mexp_keeps_what_little_is_taken(a) -> None:
    """−(q + q²/2 + q³/3 + …) with q = e^{−a}, which 1 − q would round."""
    q = np.exp(-a)
    np.testing.assert_allclose(log1mexp(np.float64(a)), -sum(q**k / k for k in range(40, 0, -1)), rtol=2e-15)


@pytest.mark.parametrize("s", [60.0, 1e3, 1e4, 1e5])
def test_narrow_bins_of_a_normal_in_float32(s) -> None:
    """P(x) → φ(c)/s, to a relative h²/6: a difference of two log Φ would have lost up to all of its digits."""
    x, loc = np.array([20, 100, 128, 200]), np.float32(100.25)
    log_p = DiscretisedNormal(np.full(4, loc), float(2 * np.log(s)), 256).log_prob(x)
    c = (x - np.float64(loc)) / s
    np.testing.assert_allclose(log_p, -0.5 * (np.log(2 * np.pi) + c**2) - np.log(s), rtol=0, atol=2e-5)


def test_the_scale_is_held_where_it_is_said_to_be() -> None:
    """Between e^−15 and e^80; within, log σ(−d/s) → −d/s for a narrow logistic, and P → 1/(4 s) for a wide one."""
    v = np.array([-16.0, -14.0, 79.0, 81.0])
    log_p, (slope,) = slopes(lambda v: DiscretisedLogistic(np.full(4, 3.625), v, 17).log_prob(np.full(4, 3)), v)
    d = 0.125  # from loc to the edge of the bin
    exact = [-d * np.exp(15), -d * np.exp(14), -np.log(4) - 79, -np.log(4) - 80]
    np.testing.assert_allclose(log_p, exact, rtol=1e-12)
    np.testing.assert_allclose(slope, [0, d * np.exp(14), -1, 0], rtol=1e-9)


def test_log1mexp_in_float32() -> None:
    a = np.float32([1e-30, 1e-3, 0.5, 0.7, 5, 90])
    y, (slope,) = slopes(log1mexp, a)
    assert y.dtype == slope.dtype == np.float32
    np.testing.assert_allclose(y, log1mexp(a.astype(np.float64)), rtol=1e-6)
    np.testing.assert_allclose(slope, 1 / np.expm1(a.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize(("dtype", "loc"), [(np.float32, 1e9), (np.float64, 1e30)])
def test_a_network_that_is_far_off_still_has_a_likelihood_and_a_slope(dtype, loc) -> None:
    """log P(x) → −½ d² with d from loc to the edge of the bin that is nearer: no −inf where log Φ(a) = log Φ(b)."""
    loc = np.array([loc, -loc], dtype)
    m = Tensor(loc, requires_grad=True)
    log_p = DiscretisedNormal(m, 0.0, 17).log_prob(np.array([3, 4]))
    np.sum(log_p).backward()
    assert log_p.dtype == dtype
    np.testing.assert_allclose(log_p.data, -0.5 * np.square(loc), rtol=1e-5)
    np.testing.assert_allclose(m.grad, -loc, rtol=1e-5)


# -- what is refused ---------------------------------------------------------------------------------------------------

P = DiscretisedLogistic(np.zeros(3), 0.0, 17)
SINGLE = DiscretisedNormal(np.zeros(3, np.float32), 0.0, 17)
Call = Callable[[], Any]
BAD: dict[str, tuple[Call, type[Exception], str]] = {
    "levels 1": (lambda: DiscretisedLogistic(0.0, 0.0, 1), ValueError, "levels is 1; it must be at least 2"),
    "levels 16.0": (lambda: DiscretisedNormal(0.0, 0.0, 16.0), TypeError, "levels is 16.0; it must be an int"),
    "levels True": (lambda: DiscretisedNormal(0.0, 0.0, True), TypeError, "levels is True"),
    "NaN scale": (lambda: DiscretisedLogistic(0.0, np.nan, 17), ValueError, "log_scale has nan"),
    "NaN logvar": (lambda: DiscretisedNormal(0.0, np.nan, 17), ValueError, "logvar has nan"),
    "dtypes": (lambda: DiscretisedLogistic(np.float32([0]), np.zeros(1), 17), TypeError, "loc is float32, log_scale"),
    "level L": (lambda: P.log_prob([0, 17, 3]), ValueError, r"x has 17.0 at \(1,\).*one of the 17 levels 0, 1 … 16"),
    "level −1": (lambda: P.log_prob([0, 3, -1]), ValueError, r"x has -1.0 at \(2,\)"),
    "between levels": (lambda: P.log_prob([0.5, 3, 4]), ValueError, r"x has 0.5 at \(0,\)"),
    "level NaN": (lambda: P.log_prob([np.nan, 3, 4]), ValueError, r"x has nan at \(0,\)"),
    "8 bits for 17 levels": (lambda: SINGLE.log_prob(np.array([[0, 255, 3]], np.uint8)), ValueError, "x has 255.0 at"),
    "images in [0, 1]": (lambda: SINGLE.log_prob(np.full(3, 0.25, np.float32)), ValueError, "x has 0.25"),
    "x of another dtype": (lambda: SINGLE.log_prob(np.zeros(3)), TypeError, "x is float64"),
    "x of another shape": (lambda: P.log_prob(np.zeros((3, 1))), ValueError, r"did you mean x\[:, 0\]\?"),
    "NaN from a network": (
        lambda: DiscretisedNormal(Tensor(np.array([0.0, np.nan])), 0.0, 17).sample(3, 0),
        ValueError,
        r"loc has nan at \(1,\)",
    ),
    "no gradient through levels": (lambda: P.rsample(3, 0), NotImplementedError, "DiscretisedLogistic has no repar"),
    "KL of other levels": (
        lambda: kl_divergence(P, DiscretisedNormal(np.zeros(3), 0.0, 16)),
        ValueError,
        "q has 17 levels and p 16",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
