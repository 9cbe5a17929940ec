"""Errors planted in the continuous distributions and in divergences: for each, a test in tests/distributions fails."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.special import erf, ndtr, ndtri

from scratchgen.autodiff import softplus
from scratchgen.distributions import (
    Distribution,
    Independent,
    Laplace,
    Logistic,
    Normal,
    Uniform,
    continuous_kl,
    estimated_kl,
    inverse_transform,
    kl,
)
from scratchgen.distributions.distribution import values
from scratchgen.distributions.estimated_kl import Divergence
from scratchgen.distributions.inverse_transform import InverseTransform
from scratchgen.distributions.location_scale import LocationScale, inverse_scale
from tests.distributions import test_continuous, test_continuous_divergences, test_divergences
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

LOG_2 = np.log(2)


def of_kind(test: Any, *rest: Any) -> dict[str, Check]:
    """A test that is run for each kind of distribution."""
    return {kind: partial(test, kind, *rest) for kind in test_continuous.KINDS}


log_prob = of_kind(test_continuous.test_log_prob_against_scipy, 1)
moments = of_kind(test_continuous.test_moments_and_entropy_against_scipy, 1)
entropy = of_kind(test_divergences.test_entropy_is_the_expectation_of_minus_log_p, 1)
cdf = of_kind(test_continuous.test_cdf_against_scipy, 1)
icdf = of_kind(test_continuous.test_icdf_against_scipy, 1)
slope_of_cdf = of_kind(test_continuous.test_the_derivative_of_the_cdf_is_the_density)
samples = of_kind(test_continuous.test_samples_follow_the_cdf)
finite_samples = of_kind(test_continuous.test_the_least_and_the_largest_noise_give_finite_samples, np.float32)
both_samplers = of_kind(test_continuous.test_both_samplers_draw_the_same)
reparameterised = partial(test_continuous.test_a_reparameterised_sample_is_loc_plus_scale_times_noise, Laplace)
unbiased = partial(test_continuous.test_the_reparameterised_gradient_is_unbiased, Logistic)
at_its_location = partial(
    test_continuous.test_beyond_the_range_of_floats_it_is_finite_at_its_location, Laplace, -800.0, np.float64
)
far_left = partial(test_continuous.test_far_from_the_location, Logistic, -800.0, np.float64)
interval = partial(test_continuous.test_uniform_samples_never_leave_the_interval, np.float32)


def log_density(wrong: Any) -> Plant:
    """A wrong density of location and scale, as a function of log p₀, z, s and e^{−s}."""
    return instead_of(
        LocationScale,
        "log_prob",
        lambda p, x: wrong(
            p.standard_log_prob, (x - p.loc) * np.exp(-p.log_scale), p.log_scale, np.exp(-p.log_scale), x - p.loc
        ),
    )


def with_abs(z: Any) -> Any:
    """The distribution function of a Laplace in one formula, with a derivative of 0 at the location."""
    return 0.5 + 0.5 * np.sign(z) * (1 - np.exp(-np.abs(z)))


def one_noise_for_all(self: Any, n: Any, rng: Any) -> np.ndarray:
    noise = np.random.default_rng(rng).random((n, *[1] * len(self.batch_shape)))
    return np.broadcast_to(noise, (n, *self.batch_shape))


def of_normal_noise(self: Any, n: Any, rng: Any) -> np.ndarray:
    noise = np.random.default_rng(rng).standard_normal((n, *self.batch_shape))
    return np.clip(np.abs(noise) / 3, 1e-16, 1 - 1e-16)


DENSITIES: dict[str, tuple[Plant, Check]] = {
    "log-determinant forgotten: no −s": (log_density(lambda f, z, s, *_: f(z)), log_prob["Laplace"]),
    "log-determinant with the wrong sign": (log_density(lambda f, z, s, *_: f(z) + s), log_prob["Logistic"]),
    "log_scale taken for the scale": (
        log_density(lambda f, z, s, i, d: f(d / s) - np.log(np.abs(s))),
        log_prob["Logistic"],
    ),
    "log_scale taken for the log-variance": (
        log_density(lambda f, z, s, i, d: f(d * np.exp(-s / 2)) - s / 2),
        log_prob["Laplace"],
    ),
    "0 · inf at the location": (log_density(lambda f, z, s, i, d: f(d * i) - s), at_its_location),
    "log 2 forgotten": (
        instead_of(Laplace, "standard_log_prob", staticmethod(lambda z: -np.abs(z))),
        log_prob["Laplace"],
    ),
    "a square for |z|": (
        instead_of(Laplace, "standard_log_prob", staticmethod(lambda z: -z * z - LOG_2)),
        log_prob["Laplace"],
    ),
    "one sigmoid of two": (
        instead_of(Logistic, "standard_log_prob", staticmethod(lambda z: -softplus(-z))),
        log_prob["Logistic"],
    ),
    "softplus once": (
        instead_of(Logistic, "standard_log_prob", staticmethod(lambda z: z - softplus(z))),
        log_prob["Logistic"],
    ),
    "softplus that overflows": (
        instead_of(Logistic, "standard_log_prob", staticmethod(lambda z: -z - 2 * np.log1p(np.exp(-z)))),
        far_left,
    ),
    "variance of a Laplace is the squared scale": (instead_of(Laplace, "standard_variance", 1.0), moments["Laplace"]),
    "the scale of a logistic is its standard deviation": (
        instead_of(Logistic, "standard_variance", 1.0),
        moments["Logistic"],
    ),
    "variance by e^s": (
        instead_of(LocationScale, "variance", property(lambda p: p.standard_variance * p.scale)),
        moments["Laplace"],
    ),
    "entropy without the 1": (instead_of(Laplace, "standard_entropy", LOG_2), entropy["Laplace"]),
    "entropy with twice s": (
        instead_of(LocationScale, "entropy", lambda p: p.standard_entropy + 2 * p.log_scale),
        entropy["Logistic"],
    ),
    "a uniform density outside its interval": (
        instead_of(Uniform, "log_prob", lambda p, x: 0 * x - np.log(p.width)),
        log_prob["Uniform"],
    ),
    "the width for its logarithm": (
        instead_of(Uniform, "log_prob", lambda p, x: np.where((x < p.low) | (x > p.high), -np.inf, 0 * x - p.width)),
        log_prob["Uniform"],
    ),
    "an interval without its ends": (
        instead_of(
            Uniform,
            "log_prob",
            lambda p, x: np.where((x <= p.low) | (x >= p.high), -np.inf, 0 * x - np.log(p.width)),
        ),
        interval,
    ),
    "NaN outside the interval": (
        instead_of(
            Uniform,
            "log_prob",
            lambda p, x: np.where((x >= p.low) & (x <= p.high), 0 * x - np.log(p.width), -np.inf),
        ),
        test_continuous.test_a_NaN_of_a_network_stays_one,
    ),
    "variance w²/6": (
        instead_of(Uniform, "variance", property(lambda p: np.square(p.width) / 6)),
        moments["Uniform"],
    ),
    "entropy of an interval with the wrong sign": (
        instead_of(Uniform, "entropy", lambda p: -np.log(p.width)),
        entropy["Uniform"],
    ),
}
DRAWS: dict[str, tuple[Plant, Check]] = {
    "distribution function not held at 1": (
        instead_of(Uniform, "cdf", lambda p, x: (x - p.low) / p.width),
        cdf["Uniform"],
    ),
    "upside down": (instead_of(Logistic, "standard_cdf", staticmethod(lambda z: 1 / (1 + np.exp(z)))), cdf["Logistic"]),
    "Φ by the variance": (
        instead_of(Normal, "cdf", lambda p, x: ndtr((x - p.mean) / p.variance)),
        cdf["Normal"],
    ),
    "Φ⁻¹ by the variance": (
        instead_of(Normal, "icdf", lambda p, u: p.mean + p.variance * ndtri(u)),
        icdf["Normal"],
    ),
    "a kink in the distribution function": (
        instead_of(Laplace, "standard_cdf", staticmethod(with_abs)),
        slope_of_cdf["Laplace"],
    ),
    "cdf of a vector summed": (
        instead_of(Independent, "cdf", lambda p, x: np.sum(p.base.cdf(x), axis=-1)),
        test_continuous.test_the_cdf_of_a_vector_is_the_product,
    ),
    "no digits in the lower tail": (
        instead_of(
            Laplace,
            "standard_quantile",
            staticmethod(lambda u: -np.sign(u - 0.5) * np.log1p(-2 * np.abs(u - 0.5))),
        ),
        icdf["Laplace"],
    ),
    "quantile with the wrong sign": (
        instead_of(Logistic, "standard_quantile", staticmethod(lambda u: np.log1p(-u) - np.log(u))),
        icdf["Logistic"],
    ),
    "drawn with the wrong sign of u in one tail": (
        instead_of(Laplace, "standard_quantile", staticmethod(lambda u: np.log(2 * np.minimum(u, 1 - u)))),
        samples["Laplace"],
    ),
    "exponential of the scale forgotten": (
        instead_of(LocationScale, "scale", property(lambda p: p.log_scale)),
        samples["Laplace"],
    ),
    "one noise for the batch": (instead_of(InverseTransform, "draw_noise", one_noise_for_all), samples["Logistic"]),
    "normal noise": (instead_of(InverseTransform, "draw_noise", of_normal_noise), samples["Uniform"]),
    "sample and rsample differ": (
        instead_of(InverseTransform, "sample", lambda p, n, rng: p.quantile(1 - p.draw_noise(n, rng))),
        both_samplers["Laplace"],
    ),
    "u = 0 not held": (instead_of(inverse_transform, "held", lambda u, dtype: u), finite_samples["Logistic"]),
    "held in float64": (
        instead_of(inverse_transform, "held", lambda u, dtype: np.clip(u, 2.0**-54, 1 - 2.0**-53)),
        finite_samples["Laplace"],
    ),
    "tails cut off at 1e-6": (
        instead_of(inverse_transform, "held", lambda u, dtype: np.clip(u, 1e-6, 1 - 1e-6)),
        partial(test_continuous.test_noise_is_held_only_where_no_generator_draws, np.float64),
    ),
    "scale detached": (
        instead_of(
            LocationScale, "quantile", lambda p, u: p.loc + np.exp(values(p.log_scale)) * p.standard_quantile(u)
        ),
        reparameterised,
    ),
    "location detached": (
        instead_of(LocationScale, "quantile", lambda p, u: values(p.loc) + p.scale * p.standard_quantile(u)),
        reparameterised,
    ),
    "gradient of the scale with the wrong sign": (
        instead_of(
            LocationScale,
            "quantile",
            lambda p, u: p.loc + np.exp(2 * values(p.log_scale) - p.log_scale) * p.standard_quantile(u),
        ),
        unbiased,
    ),
    "rounded out of the interval": (instead_of(Uniform, "quantile", lambda p, u: p.low + p.width * u), interval),
}


def closed_form(q: type, p: type, wrong: Any) -> Plant:
    return lambda patch: patch.setitem(kl.CLOSED_FORMS, (q, p), wrong)


def mixed(q: str, p: str) -> Check:
    return partial(test_divergences.test_kl_of_two_classes_is_the_expectation_under_q_of_the_log_ratio, q, p)


def helper(name: str, wrong: Any) -> Plant:
    return instead_of(continuous_kl, name, wrong)


def with_moments(wrong: Any) -> Plant:
    """A wrong KL to a normal, of the distance of the means and of std, both in standard deviations of p."""
    return helper(
        "with_moments",
        lambda q, std, p: (
            0.5 * (np.log(2 * np.pi) + p.logvar + wrong((q.mean - p.mean) / p.std, std / p.std)) - q.entropy()
        ),
    )


def distance(wrong: Any) -> Plant:
    """A wrong mean absolute distance from a normal."""
    return closed_form(
        Normal,
        Laplace,
        lambda q, p: continuous_kl.with_distance(q, q.std * wrong((q.mean - p.loc) / q.std), p),
    )


def of_laplace(wrong: Any) -> Plant:
    """A wrong KL of two Laplace distributions, of d and t."""
    return closed_form(
        Laplace,
        Laplace,
        lambda q, p: wrong(q.log_scale - p.log_scale, np.abs(q.loc - p.loc) * inverse_scale(q.log_scale)),
    )


def uniform_everywhere(q: Uniform, p: Uniform) -> Any:
    return np.log(p.width / q.width)


def phi(t: Any) -> Any:
    return np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi)


kl_of_laplace = partial(test_divergences.test_kl_is_the_expectation_under_q_of_the_log_ratio, "Laplace", 1, 2)
nested = partial(test_continuous_divergences.test_kl_of_nested_intervals_is_the_expectation_of_the_log_ratio, 1)
stated = test_continuous_divergences.test_an_estimate_says_so_and_is_the_mean_of_the_log_ratios
calibrated = partial(test_continuous_divergences.test_estimates_are_unbiased_and_their_errors_right, "Normal")
gradient = test_continuous_divergences.test_the_gradient_of_an_estimate_is_that_of_the_divergence
vectors = test_continuous_divergences.test_an_estimate_of_vectors_sums_over_the_dimensions


def estimate(change: Any) -> Plant:
    """Another Divergence made of the right one."""
    right = estimated_kl.monte_carlo
    return instead_of(estimated_kl, "monte_carlo", lambda q, p, rng, n: change(right(q, p, rng, n), n))


def ratio(wrong: Any) -> Plant:
    return instead_of(estimated_kl, "log_ratio", wrong)


def at(x: Any, q: Distribution, p: Distribution) -> Any:
    return q.log_prob(x) - p.log_prob(x)


DIVERGENCES: dict[str, tuple[Plant, Check]] = {
    "p's moments for q's": (
        helper("with_moments", lambda q, std, p: Normal(q.mean, 2 * np.log(std)).entropy() - q.entropy()),
        mixed("Laplace", "Normal"),
    ),
    "cross-entropy, no divergence": (
        helper("with_moments", lambda q, std, p, right=continuous_kl.with_moments: right(q, std, p) + q.entropy()),
        mixed("Uniform", "Normal"),
    ),
    "variance of q forgotten": (with_moments(lambda z, r: z * z), mixed("Logistic", "Normal")),
    "mean of q forgotten": (with_moments(lambda z, r: r * r), mixed("Uniform", "Normal")),
    "mean not squared": (with_moments(lambda z, r: np.abs(z) + r * r), mixed("Laplace", "Normal")),
    "std not squared": (with_moments(lambda z, r: z * z + r), mixed("Logistic", "Normal")),
    "the scale of a Laplace for its std": (
        closed_form(Laplace, Normal, lambda q, p: continuous_kl.with_moments(q, q.scale, p)),
        mixed("Laplace", "Normal"),
    ),
    "half the width for the std": (
        closed_form(Uniform, Normal, lambda q, p: continuous_kl.with_moments(q, q.width / 2, p)),
        mixed("Uniform", "Normal"),
    ),
    "distance of the means for the mean distance": (distance(np.abs), mixed("Normal", "Laplace")),
    "no spread in the mean distance": (distance(lambda t: t * erf(t / np.sqrt(2))), mixed("Normal", "Laplace")),
    "one side of the spread": (
        distance(lambda t: phi(t) + t * erf(t / np.sqrt(2))),
        mixed("Normal", "Laplace"),
    ),
    "erf without √2": (distance(lambda t: 2 * phi(t) + t * erf(t)), mixed("Normal", "Laplace")),
    "Φ for 2Φ − 1": (distance(lambda t: 2 * phi(t) + t * ndtr(t)), mixed("Normal", "Laplace")),
    "one softplus of two": (
        closed_form(
            Logistic,
            Laplace,
            lambda q, p: continuous_kl.with_distance(q, q.scale * softplus((q.loc - p.loc) / q.scale), p),
        ),
        mixed("Logistic", "Laplace"),
    ),
    "half the width for the mean distance": (
        closed_form(Uniform, Laplace, lambda q, p: continuous_kl.with_distance(q, 0.25 * q.width, p)),
        mixed("Uniform", "Laplace"),
    ),
    "distance not in scales of p": (
        helper("with_distance", lambda q, distance, p: LOG_2 + p.log_scale + distance - q.entropy()),
        mixed("Normal", "Laplace"),
    ),
    "Laplace swapped": (closed_form(Laplace, Laplace, lambda q, p: continuous_kl.kl_laplace(p, q)), kl_of_laplace),
    "d with the wrong sign": (
        of_laplace(lambda d, t: np.expm1(-d) + d + np.exp(-d) * (np.expm1(-t) + t)),
        kl_of_laplace,
    ),
    "eᵈ forgotten": (of_laplace(lambda d, t: np.expm1(d) - d + np.expm1(-t) + t), kl_of_laplace),
    "t not as a distance": (
        of_laplace(lambda d, t: np.expm1(d) - d + np.exp(d) * (np.expm1(t) - t)),
        kl_of_laplace,
    ),
    "digits lost near q = p": (
        of_laplace(lambda d, t: np.exp(d) * (np.exp(-t) + t) - 1 - d),
        partial(test_continuous_divergences.test_kl_of_laplace_distributions_keeps_its_digits, 0.0, 1e-9),
    ),
    "finite where p is nothing": (closed_form(Uniform, Uniform, uniform_everywhere), nested),
    "intervals swapped": (
        closed_form(Uniform, Uniform, lambda q, p: continuous_kl.kl_uniform(p, q)),
        nested,
    ),
    "digits of nearly equal intervals lost": (
        closed_form(Uniform, Uniform, uniform_everywhere),
        partial(test_continuous_divergences.test_kl_of_intervals_keeps_its_digits, 1e-12),
    ),
    "tails overlooked": (
        closed_form(Normal, Uniform, lambda q, p: np.log(p.width) - q.entropy()),
        partial(test_continuous_divergences.test_kl_to_an_interval_is_infinite, Normal),
    ),
    "estimated with samples of p": (ratio(lambda q, p, rng, n: at(p.sample(n, rng), q, p)), calibrated),
    "estimated with the wrong sign": (ratio(lambda q, p, rng, n: at(q.sample(n, rng), p, q)), calibrated),
    "cross-entropy estimated": (ratio(lambda q, p, rng, n: -p.log_prob(q.sample(n, rng))), calibrated),
    "gradient of the samples forgotten (the naive gradient of lecture p. 5)": (
        ratio(lambda q, p, rng, n: at(q.sample(n, rng), q, p)),
        gradient,
    ),
    "error of one sample, not of the mean": (
        estimate(lambda d, n: Divergence(d.value, d.error * np.sqrt(n), d.method)),
        calibrated,
    ),
    "error by n, not by n − 1": (
        estimate(lambda d, n: Divergence(d.value, d.error * np.sqrt(1 - 1 / n), d.method)),
        stated,
    ),
    "variance for the error": (estimate(lambda d, n: Divergence(d.value, d.error**2, d.method)), calibrated),
    "an estimate that calls itself exact": (estimate(lambda d, n: Divergence(d.value, d.error, "closed form")), stated),
    "an error of 0 for an estimate": (
        estimate(lambda d, n: Divergence(d.value, np.zeros_like(d.error), d.method)),
        stated,
    ),
    "estimate averaged over dimensions": (
        ratio(lambda q, p, rng, n: np.mean(at(q.base.sample(n, rng), q.base, p.base), axis=-1)),
        vectors,
    ),
}
PLANTS = {**DENSITIES, **DRAWS, **DIVERGENCES}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
