"""Errors planted in ``scratchgen.distributions``: for each there is a test in tests/distributions that fails.

A plant replaces a function by what it is in many a program. The test named beside it is run on the right functions,
where it has to pass, and on the wrong ones, where its assertion has to fail.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import log_softmax, sigmoid, softmax, softplus
from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal, kl, normal
from scratchgen.distributions.distribution import values
from tests.distributions import test_divergences, test_extremes, test_log_prob, test_sampling, test_shapes

Plant = Callable[[pytest.MonkeyPatch], None]
Check = Callable[[], None]
LOG_2PI = np.log(2 * np.pi)


def instead_of(owner: Any, name: str, wrong: Any) -> Plant:
    return lambda patch: patch.setattr(owner, name, wrong)


def closed_form(cls: type, wrong: Any) -> Plant:
    return lambda patch: patch.setitem(kl.CLOSED_FORMS, (cls, cls), wrong)


def gaussian_kl(wrong: Any) -> Plant:
    """A wrong KL of normals, as a function of the difference of the means in standard deviations and of d = v − v_p."""
    return instead_of(
        kl, "gaussian_kl", lambda m, v, m_p, v_p: wrong((m - m_p) * np.exp(-0.5 * v_p), v - v_p, v, v_p, m, m_p)
    )


def gaussian_log_prob(wrong: Any) -> Plant:
    return instead_of(normal, "gaussian_log_prob", wrong)


def is_caught(plant: Plant, check: Check) -> None:
    """The check passes as things are, and fails with the error planted."""
    check()
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        plant(patch)
        with pytest.raises(AssertionError):
            check()


log_q_over_p = test_divergences.test_kl_is_the_expectation_under_q_of_the_log_ratio
kl_of_normals = partial(log_q_over_p, "Normal", 1, 2)
kl_of_vectors = partial(log_q_over_p, "vectors of Normal", 1, 2)
near_the_prior = partial(test_divergences.test_kl_to_a_standard_normal_near_it, -1e-9)
never_negative = partial(test_divergences.test_kl_is_never_negative, np.float64)
densities = partial(test_log_prob.test_normal_against_scipy, 1)
moments = test_sampling.test_normal_samples_have_mean_and_variance
reparameterised = test_sampling.test_a_reparameterised_sample_is_mean_plus_std_times_noise
coins = partial(test_extremes.test_bernoulli_at_extreme_logits, np.float64)


def entropy(kind: str) -> Check:
    return partial(test_divergences.test_entropy_is_the_expectation_of_minus_log_p, kind, 1)


def totals(kind: str) -> Check:
    return partial(test_log_prob.test_probabilities_of_all_outcomes_sum_to_one, kind, 1)


def frequencies(kind: str) -> Check:
    return partial(test_sampling.test_discrete_samples_have_the_probabilities_of_log_prob, kind, 1)


def clipped(logits: Any, x: Any) -> Any:
    p = np.clip(sigmoid(logits), 1e-7, 1 - 1e-7)
    return x * np.log(p) + (1 - x) * np.log(1 - p)


def drawn(std: Callable[[Normal], Any]) -> Any:
    return lambda self, n, rng: values(self.mean) + values(std(self)) * self.draw_noise(n, rng)


def one_noise_for_all(self: Normal, n: Any, rng: Any) -> np.ndarray:
    noise = np.random.default_rng(rng).standard_normal((n, *[1] * len(self.batch_shape)))
    return np.broadcast_to(noise, (n, *self.batch_shape))


def inverse_cdf(self: Categorical, n: Any, rng: Any, compare: Any) -> np.ndarray:
    cumulative = np.cumsum(values(self.probabilities), axis=-1)
    n = (n,) if isinstance(n, int) else n
    u = (np.random.default_rng(rng) if isinstance(rng, int) else rng).random(n + self.batch_shape)
    return np.sum(compare(u[..., None], cumulative), axis=-1)


def textbook_sum(q: Categorical, p: Categorical) -> Any:
    return np.sum(softmax(q.logits) * (log_softmax(q.logits) - log_softmax(p.logits)), axis=-1)


def difference_of_softplus(q: Bernoulli, p: Bernoulli) -> Any:
    return sigmoid(q.logits) * (q.logits - p.logits) + softplus(p.logits) - softplus(q.logits)


NORMAL_KL = {
    "wrong sign (PyTorch-VAE#68)": (lambda z, d, *_: -0.5 * (z * z + np.expm1(d) - d), kl_of_normals),
    "missing −1": (lambda z, d, *_: 0.5 * (z * z + np.exp(d) - d), kl_of_normals),
    "missing ½": (lambda z, d, *_: z * z + np.expm1(d) - d, kl_of_normals),
    "mean not squared": (lambda z, d, *_: 0.5 * (z + np.expm1(d) - d), kl_of_normals),
    "logvar taken for log σ": (lambda z, d, *_: 0.5 * (z * z + np.expm1(2 * d) - 2 * d), kl_of_normals),
    "logvar taken for σ": (lambda z, d, v, *_: 0.5 * (z * z + v * v - 1 - np.log(v * v)), kl_of_normals),
    "log σ for log σ²": (lambda z, d, *_: 0.5 * (z * z + np.expm1(d) - 0.5 * d), kl_of_normals),
    "p taken for N(0, 1)": (lambda z, d, v, v_p, m, _: 0.5 * (m * m + np.expm1(v) - v), kl_of_normals),
    "variance of p forgotten": (
        lambda z, d, v, v_p, m, m_p: 0.5 * ((m - m_p) ** 2 + np.expm1(d) - d),
        kl_of_normals,
    ),
    "digits lost near the prior": (lambda z, d, *_: 0.5 * (z * z + np.exp(d) - 1 - d), near_the_prior),
}
OTHERS: dict[str, tuple[Plant, Check]] = {
    "KL swapped, of normals": (closed_form(Normal, lambda q, p: kl.kl_normal(p, q)), kl_of_normals),
    "KL swapped, of coins": (
        closed_form(Bernoulli, lambda q, p: kl.kl_bernoulli(p, q)),
        partial(log_q_over_p, "Bernoulli", 1, 2),
    ),
    "KL swapped, of dice": (
        closed_form(Categorical, lambda q, p: kl.kl_categorical(p, q)),
        partial(log_q_over_p, "Categorical", 1, 2),
    ),
    "KL averaged over dimensions (pytorch/examples#234, PyTorch-VAE#23)": (
        closed_form(Independent, lambda q, p: np.mean(kl.kl_divergence(q.base, p.base), axis=-1)),
        kl_of_vectors,
    ),
    "KL summed over the batch, too": (
        closed_form(Independent, lambda q, p: np.sum(kl.kl_divergence(q.base, p.base))),
        kl_of_vectors,
    ),
    "KL of dice negative near 0": (closed_form(Categorical, textbook_sum), never_negative),
    "KL of coins negative near 0": (closed_form(Bernoulli, difference_of_softplus), never_negative),
    "log-probability averaged over pixels (keras#6015, PyTorch-VAE#35)": (
        instead_of(Independent, "total", lambda self, y: np.mean(y, axis=-1)),
        totals("vectors of Bernoulli"),
    ),
    "logvar taken for the standard deviation in the density (PyTorch-VAE iwae.py)": (
        gaussian_log_prob(lambda x, m, v: -0.5 * (LOG_2PI + 2 * np.log(np.abs(v)) + ((x - m) / v) ** 2)),
        densities,
    ),
    "logvar taken for log σ in the density": (
        gaussian_log_prob(lambda x, m, v: -0.5 * (LOG_2PI + 2 * v + (x - m) ** 2 * np.exp(-2 * v))),
        densities,
    ),
    "log 2π forgotten": (gaussian_log_prob(lambda x, m, v: -0.5 * (v + (x - m) ** 2 * np.exp(-v))), densities),
    "squared error, no density": (gaussian_log_prob(lambda x, m, v: -0.5 * (x - m) ** 2 + 0 * v), densities),
    "0 · inf at the mean": (
        gaussian_log_prob(lambda x, m, v: -0.5 * (LOG_2PI + v + (x - m) ** 2 * np.exp(-v))),
        partial(test_extremes.test_a_normal_beyond_the_range_of_floats_is_finite_at_its_mean, -800.0, np.float64),
    ),
    "std is the log-variance": (instead_of(Normal, "std", property(lambda p: p.logvar)), reparameterised),
    "std is the variance": (instead_of(Normal, "std", property(lambda p: np.exp(p.logvar))), reparameterised),
    "samples by the variance": (instead_of(Normal, "sample", drawn(lambda p: np.exp(p.logvar))), moments),
    "samples by the log-variance": (instead_of(Normal, "sample", drawn(lambda p: p.logvar)), moments),
    "no gradient of the mean where noise is drawn": (
        instead_of(
            Normal,
            "rsample",
            lambda p, n, rng=None, noise=None: (
                values(p.mean) + p.std * p.draw_noise(n, rng) if noise is None else p.mean + p.std * noise
            ),
        ),
        test_sampling.test_noise_that_is_drawn_has_the_gradients_of_noise_that_is_given,
    ),
    "cumulative sum in float32": (
        instead_of(Categorical, "sample", lambda p, n, rng: inverse_cdf(p, n, rng, np.greater_equal)),
        test_sampling.test_a_hundred_thousand_sides_are_told_apart_in_float32,
    ),
    "one noise for the batch": (
        instead_of(Normal, "draw_noise", one_noise_for_all),
        test_sampling.test_normal_samples_are_normal_and_independent,
    ),
    "mean in the shape it was given in": (
        instead_of(normal, "parameters", lambda **given: [given["mean"], np.broadcast_to(given["logvar"], (2, 3))]),
        test_shapes.test_broadcast_parameters_are_those_of_each_element,
    ),
    "entropy without the 1": (
        instead_of(Normal, "entropy", lambda p: 0.5 * (LOG_2PI + p.logvar)),
        entropy("Normal"),
    ),
    "entropy by the log-variance": (
        instead_of(Normal, "entropy", lambda p: 0.5 * (1 + LOG_2PI) + p.logvar),
        entropy("vectors of Normal"),
    ),
    "entropy of coins with the wrong sign": (
        instead_of(Bernoulli, "entropy", lambda p: p.logits * p.mean - softplus(p.logits)),
        entropy("Bernoulli"),
    ),
    "0 log 0 in the entropy of dice": (
        instead_of(Categorical, "entropy", lambda p: -np.sum(p.probabilities * log_softmax(p.logits), axis=-1)),
        partial(test_extremes.test_categorical_entropy_at_extreme_logits, np.float64),
    ),
    "clipped at 1e-7": (instead_of(Bernoulli, "log_prob", lambda p, x: clipped(p.logits, x)), coins),
    "coins by rounding": (
        instead_of(Bernoulli, "sample", lambda p, n, rng: np.broadcast_to(np.round(p.mean), (n, *p.batch_shape))),
        frequencies("Bernoulli"),
    ),
    "coins upside down": (
        instead_of(Bernoulli, "mean", property(lambda p: sigmoid(-p.logits))),
        frequencies("vectors of Bernoulli"),
    ),
    "dice one too high": (
        instead_of(Categorical, "sample", lambda p, n, rng: 1 + inverse_cdf(p, n, rng, np.greater_equal)),
        frequencies("Categorical"),
    ),
    "impossible sides of dice": (
        instead_of(Categorical, "sample", lambda p, n, rng: inverse_cdf(p, n, rng, np.greater)),
        test_sampling.test_what_has_probability_zero_is_never_drawn,
    ),
}
PLANTS = {**{f"KL: {name}": (gaussian_kl(wrong), check) for name, (wrong, check) in NORMAL_KL.items()}, **OTHERS}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


def test_what_is_no_error_is_not_caught() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(closed_form(Normal, lambda q, p: kl.kl_normal(q, p)), kl_of_normals)
