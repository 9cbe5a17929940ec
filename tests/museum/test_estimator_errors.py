"""Errors planted in the gradient estimators: for each there is a test in tests/latent that fails.

Most of these give the right value, and a gradient of the right shape and about the right size: training goes on, to
somewhere else or more slowly. The test named beside each is given the right estimator, with which it has to pass, and
the wrong one, with which its assertion has to fail; where it takes none, the wrong one is put in its place as in
``test_distribution_errors``.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import softmax
from scratchgen.distributions import Normal
from scratchgen.distributions.distribution import values
from scratchgen.latent import log_joint, log_weights
from scratchgen.latent.estimators import leave_one_out, pathwise, score_function
from scratchgen.latent.path_estimators import (
    doubly_reparameterised,
    importance_weighted,
    log_prob_along_path,
    path_log_weights,
    scale_gradient,
    sticking_the_landing,
)
from tests.latent import test_estimators, test_path_estimators
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

Estimator = Callable[..., Any]
CheckOf = Callable[[Estimator], None]

# -- the tests, each of an estimator -----------------------------------------------------------------------------------


def square_and_cube(samples: int) -> CheckOf:
    return lambda e: test_estimators.test_the_gradient_of_a_polynomial_is_unbiased(e, samples, order=8)


def variance(kind: str) -> CheckOf:
    _, samples, exact = test_estimators.VARIANCES[kind]
    return lambda e: test_estimators.test_the_variance_for_a_square(e, samples, exact)


def three_coins(samples: int) -> CheckOf:
    make, f = test_estimators.DISCRETE["coins"]
    return lambda e: test_estimators.test_the_gradient_of_a_discrete_expectation_is_unbiased(make, f, e, samples)


elbo = test_estimators.test_the_gradient_of_an_elbo_is_unbiased_in_phi_and_theta


def formula(name: str) -> CheckOf:
    def check(estimator: Estimator) -> None:
        estimators = {**test_path_estimators.ESTIMATORS, name: estimator}
        test_path_estimators.test_each_estimate_against_its_formula(5, estimators)

    return check


def unbiased(K: int, order: int) -> CheckOf:
    return lambda e: test_path_estimators.test_the_doubly_reparameterised_gradient_is_unbiased(K, order, e)


def value_and_theta(estimator: Estimator) -> None:
    test_path_estimators.test_value_and_theta_gradient_are_those_of_the_bound((estimator,))


# -- the score function ------------------------------------------------------------------------------------------------


def surrogate(
    of_reward_and_log_q: Callable[[Any, Any], Any], of_value: Callable[[Any], Any] = lambda f: f
) -> Estimator:
    """The mean of f, with the gradient of another function of f − b and log q, and that of f if ``of_value`` has it."""

    def wrong(q: Any, f: Any, z: Any, baseline: Any = 0.0) -> Any:
        of_z = f(z)
        y = of_reward_and_log_q(of_z - baseline, q.log_prob(z))
        return np.mean(of_value(of_z) + y - values(y), axis=0)

    return wrong


def left_out(baseline: Callable[[np.ndarray], Any]) -> Estimator:
    """Another baseline, from the values of f at all samples."""
    return lambda q, f, z: score_function(q, f, z, baseline(values(f(z))))


def path(z_of: Callable[[Any, Any, np.ndarray], Any], over: Callable[..., Any] = np.mean) -> Estimator:
    """Another z of the mean, the standard deviation and η."""

    def wrong(q: Any, f: Any, z: Any) -> Any:
        std = np.sqrt(q.variance)
        return over(f(z_of(q.mean, std, values(z - q.mean) / values(std))), axis=0)

    return wrong


with_baseline = partial(score_function, baseline=test_estimators.SQUARE[0])
SCORE: dict[str, tuple[Estimator, Estimator, CheckOf]] = {
    "the wrong sign": (score_function, surrogate(lambda r, log_q: -values(r) * log_q), square_and_cube(1)),
    "no score at all": (score_function, surrogate(lambda r, log_q: 0.0 * log_q), square_and_cube(1)),
    "∇q in the place of ∇log q": (
        score_function,
        surrogate(lambda r, log_q: values(r) * np.exp(log_q)),
        square_and_cube(1),
    ),
    "reward with a gradient": (score_function, surrogate(lambda r, log_q: r * log_q), elbo),
    "gradient of f forgotten": (score_function, surrogate(lambda r, log_q: values(r) * log_q, values), elbo),
    "gradient of f twice": (score_function, surrogate(lambda r, log_q: values(r) * log_q + r), elbo),
    "one reward for all samples": (
        score_function,
        surrogate(lambda r, log_q: np.mean(values(r), axis=0) * log_q),
        three_coins(2),
    ),
    "each score with the reward of the next": (
        score_function,
        surrogate(lambda r, log_q: np.roll(values(r), 1, axis=0) * log_q),
        three_coins(2),
    ),
    "log q of one row for all": (
        score_function,
        surrogate(lambda r, log_q: values(r) * log_q[:, :1]),
        three_coins(1),
    ),
    "sum over the samples": (
        score_function,
        lambda q, f, z: len(z) * score_function(q, f, z),
        three_coins(2),
    ),
    "baseline added": (
        with_baseline,
        lambda q, f, z: score_function(q, f, z, -test_estimators.SQUARE[0]),
        variance("with b = E[f]"),
    ),
    "baseline not used": (with_baseline, score_function, variance("with b = E[f]")),
    "baseline that divides": (
        with_baseline,
        lambda q, f, z: score_function(q, lambda z: f(z) / test_estimators.SQUARE[0], z),
        square_and_cube(1),
    ),
    "rewards made standard": (
        leave_one_out,
        lambda q, f, z: surrogate(lambda r, log_q: (r - r.mean(axis=0)) / (r.std(axis=0) + 1e-9) * log_q)(q, f, z),
        square_and_cube(2),
    ),
    "baseline that knows its own sample": (
        leave_one_out,
        left_out(lambda f: np.mean(f, axis=0, keepdims=True)),
        square_and_cube(2),
    ),
    "own sample left in, divided by K − 1": (
        leave_one_out,
        left_out(lambda f: np.sum(f, axis=0, keepdims=True) / (len(f) - 1)),
        square_and_cube(2),
    ),
    "own sample left out, divided by K": (
        leave_one_out,
        left_out(lambda f: (np.sum(f, axis=0) - f) / len(f)),
        variance("leave one out, 2 samples"),
    ),
    "the sum of the others": (
        leave_one_out,
        left_out(lambda f: np.sum(f, axis=0) - f),
        variance("leave one out, 3 samples"),
    ),
    "baseline over the batch": (
        leave_one_out,
        left_out(lambda f: (f.sum() - f) / (f.size - 1)),
        variance("leave one out, 2 samples"),
    ),
    "path summed over the samples": (
        pathwise,
        path(lambda mean, std, eta: mean + std * eta, np.sum),
        square_and_cube(2),
    ),
    "path of the variance": (pathwise, path(lambda mean, std, eta: mean + std * std * eta), square_and_cube(1)),
    "path without the spread": (
        pathwise,
        path(lambda mean, std, eta: mean + values(std) * eta),
        square_and_cube(1),
    ),
    "path without the mean": (pathwise, path(lambda mean, std, eta: values(mean) + std * eta), square_and_cube(1)),
    "path to log σ taken for that to log σ²": (
        pathwise,
        path(lambda mean, std, eta: mean + values(std) * std * std / values(std * std) * eta),
        elbo,
    ),
}


@pytest.mark.parametrize(("right", "wrong", "check"), SCORE.values(), ids=SCORE)
def test_an_error_in_the_score_or_the_path_is_caught(right: Estimator, wrong: Estimator, check: CheckOf) -> None:
    check(right)
    with pytest.raises(AssertionError):
        check(wrong)


class WithoutOneOverStd(Normal):
    """log q with the score η for η/σ."""

    def log_prob(self, x: Any) -> Any:
        right = super().log_prob(x)
        return values(right) + (right - values(right)) * values(self.std)


class WithoutNormaliser(Normal):
    """exp(−½ η²) alone: log σ has no gradient."""

    def log_prob(self, x: Any) -> Any:
        return super().log_prob(x) + 0.5 * self.logvar


class Stretched(Normal):
    """logvar taken for log σ."""

    def log_prob(self, x: Any) -> Any:
        return Normal(self.mean, 2.0 * self.logvar).log_prob(x)


@pytest.mark.parametrize("wrong", [WithoutOneOverStd, WithoutNormaliser, Stretched])
def test_a_wrong_score_of_q_is_caught(wrong: type[Normal]) -> None:
    check = partial(square_and_cube(1), score_function)
    is_caught(instead_of(test_estimators, "Normal", wrong), check)


# -- without the score -------------------------------------------------------------------------------------------------


def scaled(by: Callable[[Any], Any], along: Callable[[Any, Any], Any] = log_prob_along_path) -> Estimator:
    """The doubly reparameterised bound with another factor at each path, or another log q."""

    def wrong(model: Any, x: Any, q: Any, z: Any) -> Any:
        w = softmax(values(log_weights(model, x, q, values(z))), axis=0)[..., None]
        y = scale_gradient(z, by(w))
        return importance_weighted(log_joint(model, x, y) - along(q, y))

    return wrong


def through_weights(model: Any, x: Any, q: Any, z: Any) -> Any:
    """Σ w̃² log w with weights that are not detached, and the value of L_K."""
    log_w = path_log_weights(model, x, q, z)
    y = np.sum(softmax(log_w, axis=0) ** 2 * log_w, axis=0)
    return values(importance_weighted(log_w)) + y - values(y)


def of_both(weights: Callable[[Any], Any]) -> Estimator:
    """Σ c log w with plain numbers c for φ and θ alike, and the value of L_K."""

    def wrong(model: Any, x: Any, q: Any, z: Any) -> Any:
        log_w = path_log_weights(model, x, q, z)
        y = np.sum(weights(values(log_w)) * log_w, axis=0)
        return values(importance_weighted(log_w)) + y - values(y)

    return wrong


def total(model: Any, x: Any, q: Any, z: Any) -> Any:
    return importance_weighted(log_weights(model, x, q, z))


def density_held_fixed(model: Any, x: Any, q: Any, z: Any) -> Any:
    """log q as a plain number: its path is lost with its score."""
    return importance_weighted(log_joint(model, x, z) - values(q.log_prob(z)))


def score_added(model: Any, x: Any, q: Any, z: Any) -> Any:
    score = q.log_prob(values(z))
    return importance_weighted(log_weights(model, x, q, z) - (score - values(score)))


PATH: dict[str, tuple[Estimator, Estimator, CheckOf]] = {
    "the score left in": (sticking_the_landing, total, formula("sticking the landing")),
    "the path of log q lost with the score": (
        sticking_the_landing,
        density_held_fixed,
        formula("sticking the landing"),
    ),
    "the score subtracted twice": (sticking_the_landing, score_added, formula("sticking the landing")),
    "mean of log w (PyTorch-VAE#34)": (
        sticking_the_landing,
        lambda *args: np.mean(path_log_weights(*args), axis=0),
        value_and_theta,
    ),
    "softmax of the loss, −log w (PyTorch-VAE#34)": (
        sticking_the_landing,
        of_both(lambda log_w: softmax(-log_w, axis=0)),
        formula("sticking the landing"),
    ),
    "no log K": (
        sticking_the_landing,
        lambda *args: sticking_the_landing(*args) + np.log(len(args[-1])),
        value_and_theta,
    ),
    "weights across the batch": (
        sticking_the_landing,
        of_both(lambda log_w: softmax(log_w, axis=1)),
        value_and_theta,
    ),
    "weights not detached (PyTorch-VAE PR#53)": (doubly_reparameterised, through_weights, unbiased(2, 60)),
    "one weight only, biased": (doubly_reparameterised, sticking_the_landing, unbiased(2, 60)),
    "three weights": (doubly_reparameterised, scaled(lambda w: w * w), unbiased(2, 60)),
    "w̃ (1 − w̃), what is to be subtracted": (doubly_reparameterised, scaled(lambda w: 1 - w), unbiased(2, 60)),
    "the wrong sign": (doubly_reparameterised, scaled(lambda w: -w), unbiased(1, 6)),
    "squares that sum to 1": (
        doubly_reparameterised,
        scaled(lambda w: w / np.sum(w * w, axis=0)),
        unbiased(2, 60),
    ),
    "two weights and the score": (
        doubly_reparameterised,
        scaled(lambda w: w, along=lambda q, z: q.log_prob(z)),
        formula("DReG"),
    ),
    "squares for θ, too": (
        doubly_reparameterised,
        of_both(lambda log_w: softmax(log_w, axis=0) ** 2),
        value_and_theta,
    ),
}


@pytest.mark.parametrize(("right", "wrong", "check"), PATH.values(), ids=PATH)
def test_an_error_in_a_bound_is_caught(right: Estimator, wrong: Estimator, check: CheckOf) -> None:
    check(right)
    with pytest.raises(AssertionError):
        check(wrong)


DETACHED: dict[str, tuple[Plant, Check]] = {
    "only the mean detached": (
        instead_of(
            test_path_estimators,
            "log_prob_along_path",
            lambda q, z: type(q)(values(q.mean), q.scale_tril).log_prob(z),
        ),
        test_path_estimators.test_the_parameters_of_any_q_are_detached,
    ),
    "gradient scaled, and the value too": (
        instead_of(test_path_estimators, "scale_gradient", lambda z, by: by * z),
        test_path_estimators.test_a_gradient_can_be_scaled_by_what_broadcasts,
    ),
    "log of the sum, not of the mean": (
        instead_of(test_path_estimators, "importance_weighted", lambda w: importance_weighted(w) + np.log(len(w))),
        test_path_estimators.test_no_sample_is_one_too_many,
    ),
    "weights that underflow": (
        instead_of(test_path_estimators, "importance_weighted", lambda w: np.log(np.mean(np.exp(w), axis=0))),
        test_path_estimators.test_no_sample_is_one_too_many,
    ),
}


@pytest.mark.parametrize(("plant", "check"), DETACHED.values(), ids=DETACHED)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    with np.errstate(all="ignore"):
        is_caught(plant, check)


def test_what_is_no_error_is_not_caught() -> None:
    """The right weights, put together as the wrong ones are."""
    square_and_cube(1)(surrogate(lambda r, log_q: values(r) * log_q))
    square_and_cube(2)(left_out(lambda f: (np.sum(f, axis=0) - f) / (len(f) - 1)))
    formula("sticking the landing")(of_both(lambda log_w: softmax(log_w, axis=0)))
    formula("DReG")(scaled(lambda w: w))
