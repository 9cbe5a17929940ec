"""Errors planted in the marginal of ``scratchgen.latent``: for each there is a test in tests/latent that fails.

Most give a number that looks like log p(x), and some are even close to it. As in ``test_distribution_errors``, each
test has to pass as things are, and its assertion has to fail with the error planted.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from scratchgen.latent import importance, integrals, joint, marginal
from scratchgen.latent.importance import SampledEstimate, Weights
from scratchgen.latent.marginal import Estimate
from tests.latent import test_importance, test_integrals, test_joint, test_marginal
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

# -- the tests ---------------------------------------------------------------------------------------------------------

of_joint = test_joint.test_each_x_is_joined_with_its_own_z
of_several = test_joint.test_several_z_for_each_x_are_as_one_after_the_other
unbiased = partial(test_importance.test_the_weights_are_unbiased_for_any_q, test_importance.proposal(0.4, 0.3))
averaged = test_importance.test_monte_carlo_averages_the_likelihood_of_draws_from_the_prior
posterior = partial(test_importance.test_one_sample_of_the_posterior_is_enough, 100)
spread = partial(
    test_importance.test_the_squared_error_is_the_variance_of_the_estimate, test_importance.proposal(0.4, 0.3)
)
bias = test_importance.test_log_p_is_too_low_by_half_its_variance_and_varies_as_its_error_says
sum_of_bits = test_marginal.test_a_vector_of_bits_is_summed_over_all_its_values
mixture = test_marginal.test_a_mixture_is_the_sum_over_its_components
tiny = test_marginal.test_a_density_below_the_smallest_float_has_a_logarithm


def pieces(count: int, shift: float = 0.0, order: int = 1) -> Check:
    each = [60 // count] * count
    return partial(test_importance.test_weights_may_come_in_pieces_of_any_size, shift=shift, pieces=each, order=order)


def plane(rule: str) -> Check:
    return lambda: test_integrals.test_a_linear_gaussian_model_in_the_plane(getattr(test_integrals, rule))


def shifted(rule: str) -> Check:
    """A prior of another mean and variance in each of two dimensions."""
    return lambda: test_integrals.test_the_prior_need_not_be_standard(
        getattr(test_integrals, rule), [0.7, -3.0], [-1.5, 1.0]
    )


tolerance = partial(
    test_integrals.test_what_is_within_the_tolerance_by_its_stated_error_is_so_by_its_true_one,
    test_integrals.marginal_by_grid,
)
cut_off = partial(test_integrals.test_what_is_cut_off_by_the_end_of_the_grid_is_within_the_error, 2)
trapezoid = partial(test_integrals.test_the_error_of_the_trapezoid_rule, 1.5)

# -- the errors --------------------------------------------------------------------------------------------------------


def estimate(of_log_weights: Any) -> Plant:
    """Another estimate from all the log-weights, (K, B): the value, its error, the effective sample size."""

    def add(self: Weights, log_w: np.ndarray) -> None:
        self.seen = [*getattr(self, "seen", []), log_w]  # type: ignore[attr-defined]

    def wrong(self: Weights) -> SampledEstimate:
        return SampledEstimate(*of_log_weights(np.concatenate(self.seen)))  # type: ignore[attr-defined]

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Weights, "add", add)
        patch.setattr(Weights, "estimate", wrong)

    return plant


def right(log_w: np.ndarray) -> tuple[Any, Any, Any]:
    """Equations (2), (3) and (5) of ``importance``, in a straightforward way."""
    k, top = len(log_w), log_w.max(axis=0)
    w = np.exp(log_w - top)
    mean = w.mean(axis=0)
    return top + np.log(mean), w.std(axis=0, ddof=1) / np.sqrt(k) / mean, w.sum(axis=0) ** 2 / (w**2).sum(axis=0)


def value(wrong: Any) -> Plant:
    return estimate(lambda log_w: (wrong(log_w), *right(log_w)[1:]))


def error(wrong: Any) -> Plant:
    """Another standard error from the K weights and their mean."""
    return estimate(lambda log_w: (right(log_w)[0], wrong(np.exp(log_w)), right(log_w)[2]))


def weights(wrong: Any) -> Plant:
    """Other log-weights from log p(x | z), log p(z) and log q(z | x)."""

    def wrong_weights(model: Any, x: Any, q: Any, z: Any) -> Any:
        return wrong(joint.log_p_x_given_z(model, x, z), model.prior(z).log_prob(z), q.log_prob(z))

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(importance, "log_weights", wrong_weights)
        patch.setattr(test_importance, "log_weights", wrong_weights)

    return plant


def sums(change: Any) -> Plant:
    """Other nodes or weights for the sum (1): change(z, log ω)."""
    true = marginal.log_sums
    return instead_of(integrals, "log_sums", lambda model, x, z, log_w: true(model, x, *change(z, log_w)))


def values(change: Any) -> Plant:
    true = marginal.log_sums
    return instead_of(marginal, "log_sums", lambda model, x, z, log_w: true(model, x, *change(z, log_w)))


def by_linear_sums(model: Any, x: Any, z: Any, log_w: Any) -> Any:
    p = np.exp(model.decode(z).log_prob(np.broadcast_to(x[:, None], (len(x), len(z), *x.shape[1:]))))
    return np.log(np.exp(log_w) @ p.T)


def forgets_the_others(self: Weights, log_w: np.ndarray, add: Any = Weights.add) -> None:
    self.__init__(log_w.shape[1])  # type: ignore[misc]
    add(self, log_w)


def without_units(self: Weights, log_w: np.ndarray, add: Any = Weights.add) -> None:
    add(self, log_w)
    self.log_unit = log_w.max(axis=0)


def without_the_between(self: Weights, log_w: np.ndarray) -> None:
    self.log_unit = np.zeros(log_w.shape[1])
    w, n, old = np.exp(log_w), len(log_w), self.count
    self.squares = self.squares + ((w - w.mean(axis=0)) ** 2).sum(axis=0)
    self.mean, self.count = (self.mean * old + w.sum(axis=0)) / (old + n), old + n


def own_check_only(log_p: Any, by_half: Any, by_outer: Any, tolerance: float) -> Estimate:
    return Estimate(log_p, np.abs(log_p - by_half))


def in_turns(x: Any, shape: Any, right: Any = np.broadcast_to) -> Any:
    return np.repeat(x, shape[0], axis=0) if len(shape) > x.ndim else right(x, shape)


HALF = np.log(0.5)
PLANTS: dict[str, tuple[Plant, Check]] = {
    # -- the joint
    "prior forgotten in the joint": (instead_of(test_joint, "log_joint", joint.log_p_x_given_z), of_joint),
    "prior counted twice": (
        instead_of(test_joint, "log_joint", lambda m, x, z: joint.log_joint(m, x, z) + m.prior(z).log_prob(z)),
        of_joint,
    ),
    "x repeated one by one, z in turns": (instead_of(joint.np, "broadcast_to", in_turns), of_several),
    # -- the weights
    "log w of the wrong sign": (weights(lambda x, z, q: q - x - z), unbiased),
    "prior forgotten": (weights(lambda x, z, q: x - q), unbiased),
    "q forgotten": (weights(lambda x, z, q: x + z), unbiased),
    "q added": (weights(lambda x, z, q: x + z + q), unbiased),
    "likelihood forgotten": (weights(lambda x, z, q: z - q), unbiased),
    # -- their mean
    "mean of log w: the ELBO (PyTorch-VAE#34)": (value(lambda log_w: log_w.mean(axis=0)), averaged),
    "no log K": (value(lambda log_w: logsumexp(log_w, axis=0)), averaged),
    "log K added": (value(lambda log_w: logsumexp(log_w, axis=0) + np.log(len(log_w))), averaged),
    "log(K − 1)": (value(lambda log_w: logsumexp(log_w, axis=0) - np.log(len(log_w) - 1)), averaged),
    "wrong sign (Pythae get_nll)": (value(lambda log_w: -right(log_w)[0]), averaged),
    "largest weight": (value(lambda log_w: log_w.max(axis=0)), averaged),
    "weights averaged over the batch": (
        value(lambda log_w: logsumexp(log_w, axis=1)[: log_w.shape[1]] - np.log(log_w.shape[1])),
        averaged,
    ),
    "self-normalised weights": (value(lambda log_w: np.log((np.exp(log_w) / np.exp(log_w).sum(0)).mean(0))), averaged),
    "half the variance added to the mean of log w": (
        value(lambda log_w: log_w.mean(axis=0) + log_w.var(axis=0) / 2),
        averaged,
    ),
    "exponentials that underflow": (value(lambda log_w: np.log(np.exp(log_w).mean(axis=0))), pieces(3, -2000.0)),
    "the last piece alone": (instead_of(Weights, "add", forgets_the_others), pieces(3)),
    "the unit of the last piece": (instead_of(Weights, "add", without_units), pieces(3, order=-1)),
    "spread within the pieces, not between": (instead_of(Weights, "add", without_the_between), pieces(3)),
    # -- the standard error
    "no 1/√K": (error(lambda w: w.std(axis=0, ddof=1) / w.mean(axis=0)), spread),
    "1/K": (error(lambda w: w.std(axis=0, ddof=1) / w.mean(axis=0) / len(w)), averaged),
    "variance for the standard deviation": (
        error(lambda w: w.var(axis=0) / w.mean(axis=0) / np.sqrt(len(w))),
        averaged,
    ),
    "of p, not of log p": (error(lambda w: w.std(axis=0) / np.sqrt(len(w))), spread),
    "of the mean of log w": (error(lambda w: np.log(w).std(axis=0) / np.sqrt(len(w))), bias),
    "1/K for 1/(K − 1)": (error(lambda w: w.std(axis=0) / w.mean(axis=0) / np.sqrt(len(w))), averaged),
    "effective sample size of 1/K": (
        estimate(lambda log_w: (*right(log_w)[:2], right(log_w)[2] / len(log_w))),
        posterior,
    ),
    "effective sample size from log w": (
        estimate(lambda log_w: (*right(log_w)[:2], log_w.sum(axis=0) ** 2 / (log_w**2).sum(axis=0))),
        averaged,
    ),
    # -- the sums and integrals
    "sum over z without the prior": (values(lambda z, log_w: (z, 0 * log_w)), sum_of_bits),
    "a uniform prior": (values(lambda z, log_w: (z, 0 * log_w - np.log(len(z)))), mixture),
    "the last value of z left out": (values(lambda z, log_w: (z[:-1], log_w[:, :-1])), sum_of_bits),
    "bits of the wrong order": (values(lambda z, log_w: (z[:, ::-1], log_w)), sum_of_bits),
    "sums that underflow": (instead_of(marginal, "log_sums", by_linear_sums), tiny),
    "nodes of exp(−z²), not of N(0, 1)": (
        sums(lambda z, log_w: (z / np.sqrt(2), log_w)),
        plane("marginal_by_gauss_hermite"),
    ),
    "weights that sum to 2π": (
        sums(lambda z, log_w: (z, log_w + np.log(2 * np.pi))),
        plane("marginal_by_gauss_hermite"),
    ),
    "prior counted twice with the nodes": (
        sums(lambda z, log_w: (z, log_w - (z**2).sum(axis=1) / 2 - np.log(2 * np.pi))),
        plane("marginal_by_gauss_hermite"),
    ),
    "nodes of a standard prior": (
        instead_of(integrals, "values", lambda value: 0 * value + 1 if np.ndim(value) == 1 else value),
        shifted("marginal_by_gauss_hermite"),
    ),
    "variance for the standard deviation of the nodes": (
        instead_of(integrals.np, "sqrt", lambda value: value),
        shifted("marginal_by_gauss_hermite"),
    ),
    "h for h² in the plane": (
        sums(lambda z, log_w: (z, log_w - np.log(16 / 400))),
        plane("marginal_by_grid"),
    ),
    "the step of a standard prior": (sums(lambda z, log_w: (z, log_w - (1.0 - 1.5) / 2)), shifted("marginal_by_grid")),
    "half the nodes with the weights of all": (
        sums(lambda z, log_w: (z, log_w + np.array([[0.0], [HALF], [0.0]]))),
        trapezoid,
    ),
    "what is beyond the end is not looked at": (instead_of(integrals, "converged", own_check_only), cut_off),
    "an error that is always 0": (
        instead_of(integrals, "converged", lambda log_p, *_: Estimate(log_p, 0 * log_p)),
        tolerance,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


@pytest.mark.parametrize("check", [averaged, posterior, spread, bias, pieces(3), pieces(60)])
def test_the_right_estimate_written_otherwise_is_not_caught(check: Check) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(estimate(right), check)
