"""Errors planted in the distributions that are made of others or have dependent components, as in
``test_distribution_errors``: full covariances, Concrete samples, mixtures, and densities cut into grey levels.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from scratchgen.autodiff import log_softmax, logsumexp, sigmoid, softmax, solve_triangular
from scratchgen.distributions import (
    Concrete,
    DiscretisedLogistic,
    DiscretisedNormal,
    Mixture,
    MultivariateNormal,
    concrete,
    discretised_normal,
    kl,
    mixture,
    multivariate_kl,
    multivariate_normal,
)
from scratchgen.distributions.cholesky import on_vectors
from scratchgen.distributions.discretised import Discretised
from scratchgen.distributions.distribution import values
from tests.distributions import (
    test_concrete,
    test_discretised,
    test_divergences,
    test_mixture,
    test_multivariate_normal,
)
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

# -- full covariances --------------------------------------------------------------------------------------------------

densities: Check = partial(test_multivariate_normal.test_log_prob_entropy_and_moments_against_scipy, (5,), (5,), 3)
by_noise: Check = partial(
    test_multivariate_normal.test_a_reparameterised_sample_is_mean_plus_factor_times_noise, (5,), (5,)
)
moments: Check = test_multivariate_normal.test_samples_have_the_mean_and_the_covariance
slopes_of_samples: Check = test_multivariate_normal.test_gradients_of_a_reparameterised_sample_by_hand
expected_ratio: Check = partial(
    test_divergences.test_kl_is_the_expectation_under_q_of_the_log_ratio, "MultivariateNormal", 1, 2
)
near: Check = partial(test_multivariate_normal.test_kl_near_p_is_never_negative, 1e-9, np.float64)
full_and_diagonal: Check = partial(test_multivariate_normal.test_kl_of_full_and_diagonal_covariances, (5,), (5,))


def drawn(change: Any) -> Plant:
    """Samples of both kinds by another matrix than the factor L."""

    def rsample(p: MultivariateNormal, n: Any, rng: Any = None, noise: Any = None) -> Any:
        noise = p.draw_noise(n, rng) if noise is None else noise
        return p.mean + on_vectors(np.matmul, change(p.scale_tril), noise)

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(MultivariateNormal, "rsample", rsample)
        patch.setattr(MultivariateNormal, "sample", lambda p, n, rng: values(rsample(p, n, rng)))

    return plant


def transposed(L: Any) -> Any:
    return np.swapaxes(L, -1, -2)


def kl_by(total: Any) -> Plant:
    return instead_of(multivariate_kl, "total", total)


def below(A: Any) -> Any:
    return np.sum(np.square(np.tril(A, -1)), axis=(-2, -1))


def square(z: Any) -> Any:
    return np.sum(np.square(z), axis=-1)


def variances(v: Any, v_p: Any) -> Any:
    return 0.5 * np.sum(np.expm1(v - v_p) - (v - v_p), axis=-1)


def textbook(q: MultivariateNormal, p: MultivariateNormal) -> Any:
    """½ (tr + ‖z‖² − D + log dets), whose terms cancel for q near p."""
    A = np.linalg.solve(p.scale_tril, q.scale_tril)
    log_dets = 2 * np.sum(p.log_diagonal - q.log_diagonal, axis=-1)
    return 0.5 * (np.sum(A * A, axis=(-2, -1)) + square(p.whiten(q.mean - p.mean)) - q.event_shape[0] + log_dets)


def squared_scales(p: Any) -> Any:
    """Something like a Normal whose std is its variance."""
    return type("Wrong", (), {"mean": p.mean, "std": p.variance, "logvar": p.logvar})


FULL: dict[str, tuple[Plant, Check]] = {
    "covariance taken for its factor": (
        instead_of(MultivariateNormal, "whiten", lambda p, d: on_vectors(np.linalg.solve, p.covariance, d)),
        densities,
    ),
    "factor transposed in the density": (
        instead_of(
            MultivariateNormal,
            "whiten",
            lambda p, d: on_vectors(lambda L, b: solve_triangular(L, b, transpose=True), p.scale_tril, d),
        ),
        densities,
    ),
    "factor multiplied, not divided by": (
        instead_of(MultivariateNormal, "whiten", lambda p, d: on_vectors(np.matmul, p.scale_tril, d)),
        densities,
    ),
    "log det of the covariance where that of its root is meant": (
        instead_of(
            MultivariateNormal,
            "log_diagonal",
            property(lambda p: 2 * np.log(np.diagonal(p.scale_tril, axis1=-2, axis2=-1))),
        ),
        densities,
    ),
    "log det forgotten": (
        instead_of(MultivariateNormal, "log_diagonal", property(lambda p: np.zeros(p.event_shape))),
        densities,
    ),
    "log 2π forgotten": (instead_of(multivariate_normal, "LOG_2PI", 0.0), densities),
    "variance of the diagonal of L alone": (
        instead_of(
            MultivariateNormal,
            "variance",
            property(lambda p: np.square(np.diagonal(p.scale_tril, axis1=-2, axis2=-1))),
        ),
        densities,
    ),
    "covariance Lᵀ L": (
        instead_of(MultivariateNormal, "covariance", property(lambda p: transposed(p.scale_tril) @ p.scale_tril)),
        densities,
    ),
    "samples by the transposed factor": (drawn(transposed), by_noise),
    "samples by the transposed factor, by their moments": (drawn(transposed), moments),
    "samples by the covariance": (drawn(lambda L: L @ transposed(L)), moments),
    "samples by the diagonal": (drawn(lambda L: L * np.eye(L.shape[-1])), moments),
    "no gradient of the factor": (drawn(lambda L: values(L) + 0 * L), slopes_of_samples),
    "one noise for the batch": (
        instead_of(
            MultivariateNormal,
            "draw_noise",
            lambda p, n, rng: np.broadcast_to(
                np.random.default_rng(rng).standard_normal((n, 1, *p.event_shape)), (n, *p.batch_shape, *p.event_shape)
            ),
        ),
        moments,
    ),
    "what is above the diagonal of a Tensor used": (
        instead_of(multivariate_normal, "Tensor", ()),
        test_multivariate_normal.test_what_is_above_the_diagonal_of_a_tensor_is_not_used,
    ),
    "factor without the exponential": (
        instead_of(test_multivariate_normal, "scale_tril_from", np.tril),
        test_multivariate_normal.test_a_factor_of_any_matrix,
    ),
    "KL swapped": (
        lambda patch: patch.setitem(
            kl.CLOSED_FORMS,
            (MultivariateNormal, MultivariateNormal),
            lambda q, p: multivariate_kl.kl_multivariate(p, q),
        ),
        expected_ratio,
    ),
    "KL without the trace below the diagonal": (
        kl_by(lambda z, A, v, v_p: 0.5 * square(z) + variances(v, v_p)),
        expected_ratio,
    ),
    "KL with the trace above the diagonal": (
        kl_by(lambda z, A, v, v_p: 0.5 * (square(z) + below(transposed(A))) + variances(v, v_p)),
        expected_ratio,
    ),
    "KL without ½": (kl_by(lambda z, A, v, v_p: square(z) + below(A) + variances(v, v_p)), expected_ratio),
    "KL with the log det of the other sign": (
        kl_by(lambda z, A, v, v_p: 0.5 * (square(z) + below(A) + np.sum(np.expm1(v - v_p) + v - v_p, axis=-1))),
        expected_ratio,
    ),
    "KL averaged over dimensions": (
        kl_by(lambda z, A, v, v_p: (0.5 * (square(z) + below(A)) + variances(v, v_p)) / z.shape[-1]),
        expected_ratio,
    ),
    "KL negative near 0": (
        lambda patch: patch.setitem(kl.CLOSED_FORMS, (MultivariateNormal, MultivariateNormal), textbook),
        near,
    ),
    "the diagonal of independent components not a root": (
        instead_of(multivariate_kl, "normal_components", lambda p, what: squared_scales(p.base)),
        full_and_diagonal,
    ),
}


# -- Concrete ----------------------------------------------------------------------------------------------------------

equation_10: Check = partial(test_concrete.test_log_prob_is_equation_10_of_the_paper, 3, 0.3)
logistic_pair: Check = partial(test_concrete.test_two_categories_are_a_logistic_variable, 0.3)
quadrature: Check = partial(test_concrete.test_moments_of_the_log_ratios, 2.5)
softmax_of_noise: Check = test_concrete.test_a_reparameterised_sample_is_a_softmax_of_noisy_logits
largest: Check = partial(test_concrete.test_the_largest_component_has_the_probabilities_of_the_logits, 0.3)
one_hot: Check = test_concrete.test_straight_through_has_one_hot_values_and_the_gradient_of_x


def density_of_logits(wrong: Any) -> Plant:
    """A wrong (3) of concrete.py, as a function of a = l − τ y, of K and of τ."""
    return instead_of(
        Concrete,
        "log_prob_of_logits",
        lambda p, y: wrong(p.logits - p.temperature * y, p.event_shape[0], p.temperature),
    )


def noisy_logits(wrong: Any) -> Plant:
    return instead_of(
        Concrete,
        "rsample_logits",
        lambda p, n, rng=None, noise=None: wrong(p, p.draw_noise(n, rng) if noise is None else noise),
    )


def noise_by(draw: Any) -> Plant:
    return instead_of(
        Concrete,
        "draw_noise",
        lambda p, n, rng: draw(np.random.default_rng(rng), (n, *p.batch_shape, *p.event_shape)),
    )


CONCRETE: dict[str, tuple[Plant, Check]] = {
    "(K − 1)! forgotten": (
        density_of_logits(lambda a, K, t: (K - 1) * np.log(t) + np.sum(log_softmax(a), axis=-1)),
        equation_10,
    ),
    "K! for (K − 1)!": (instead_of(concrete, "lgamma", lambda K: np.log(float(np.prod(range(1, K + 1))))), equation_10),
    "τ to the power K": (
        density_of_logits(lambda a, K, t: np.log(2.0) + K * np.log(t) + np.sum(log_softmax(a), axis=-1)),
        quadrature,
    ),
    "log of the sum counted once, not K times": (
        density_of_logits(
            lambda a, K, t: np.log(2.0) + (K - 1) * np.log(t) + np.sum(a, axis=-1) - logsumexp(a, axis=-1)
        ),
        equation_10,
    ),
    "a categorical cross-entropy in place of the density": (
        instead_of(Concrete, "log_prob", lambda p, x: np.sum(x * log_softmax(p.logits), axis=-1)),
        equation_10,
    ),
    "change of variables forgotten": (
        instead_of(Concrete, "log_prob", lambda p, x: p.log_prob_of_logits(np.log(x))),
        equation_10,
    ),
    "change of variables with the wrong sign": (
        instead_of(Concrete, "log_prob", lambda p, x: p.log_prob_of_logits(np.log(x)) + np.sum(np.log(x), axis=-1)),
        logistic_pair,
    ),
    "temperature multiplied": (noisy_logits(lambda p, g: (p.logits + g) * p.temperature), softmax_of_noise),
    "temperature on the logits alone": (noisy_logits(lambda p, g: p.logits / p.temperature + g), softmax_of_noise),
    "probabilities for logits": (noisy_logits(lambda p, g: (softmax(p.logits) + g) / p.temperature), largest),
    "normal noise": (noise_by(lambda rng, shape: rng.standard_normal(shape)), largest),
    "Gumbel noise of the least, not the largest": (noise_by(lambda rng, shape: -rng.gumbel(size=shape)), largest),
    "one logarithm forgotten": (noise_by(lambda rng, shape: -np.log1p(-rng.random(shape))), largest),
    "one-hot without a gradient": (
        instead_of(test_concrete, "straight_through", lambda x: 0 * x + concrete.straight_through(values(x))),
        one_hot,
    ),
    "one-hot and x": (
        instead_of(test_concrete, "straight_through", lambda x: x + concrete.straight_through(values(x))),
        one_hot,
    ),
}

# -- mixtures ----------------------------------------------------------------------------------------------------------

mixed: Check = partial(test_mixture.test_log_prob_and_responsibilities_by_hand, "vectors of Normal", (4, 3), (4, 3))
totals: Check = partial(
    test_mixture.test_the_total_probability_is_one_and_moments_are_those_of_the_probabilities, "Categorical"
)
far: Check = partial(test_mixture.test_far_from_every_component, np.float64)
spread: Check = partial(test_mixture.test_samples_have_the_mean_and_the_variance, "Normal")


def choose(p: Mixture, n: Any, rng: Any, k_shape: Any) -> np.ndarray:
    """Samples of a mixture of numbers, with choices of the shape ``k_shape(shape)``."""
    rng = np.random.default_rng(rng)
    shape = (n, *p.batch_shape)
    of_each = p.components.sample(n, rng)
    k = np.broadcast_to(p.choice.sample(k_shape(shape), rng), shape)
    return np.take_along_axis(of_each, k[..., None], -1)[..., 0]


def each_component_chooses(p: Mixture, n: Any, rng: Any) -> np.ndarray:
    rng = np.random.default_rng(rng)
    of_each = p.components.sample(n, rng)
    k = p.choice.sample((n, *p.event_shape), rng)
    return np.take_along_axis(of_each, k[:, None], 1)[:, 0]


MIXED: dict[str, tuple[Plant, Check]] = {
    "logits taken for log-weights": (instead_of(mixture, "log_softmax", lambda logits: logits), mixed),
    "weights forgotten": (instead_of(mixture, "log_softmax", lambda logits: 0 * logits), totals),
    "average of the log-probabilities (Jensen)": (
        instead_of(Mixture, "log_prob", lambda p, x: p.average(p.components.log_prob(p.for_each_component(x)))),
        totals,
    ),
    "the largest component for all": (instead_of(mixture, "logsumexp", lambda a, axis: np.max(a, axis=axis)), totals),
    "log Σ exp as it is written": (
        instead_of(mixture, "logsumexp", lambda a, axis: np.log(np.sum(np.exp(a), axis=axis))),
        far,
    ),
    "responsibilities without the weights": (
        instead_of(Mixture, "responsibilities", lambda p, x: softmax(p.components.log_prob(p.for_each_component(x)))),
        mixed,
    ),
    "responsibilities over the batch": (
        instead_of(Mixture, "responsibilities", lambda p, x: softmax(p.log_joint(x), axis=-2)),
        mixed,
    ),
    "variance within the components alone": (
        instead_of(Mixture, "variance", property(lambda p: p.average(p.components.variance))),
        totals,
    ),
    "variance between the components alone": (
        instead_of(
            Mixture,
            "variance",
            property(lambda p: p.average(np.square(p.components.mean - np.expand_dims(p.mean, p.axis)))),
        ),
        totals,
    ),
    "mean of the components, not weighted": (
        instead_of(Mixture, "mean", property(lambda p: np.mean(p.components.mean, axis=p.axis))),
        totals,
    ),
    "one choice for the batch": (
        instead_of(Mixture, "sample", lambda p, n, rng: choose(p, n, rng, lambda shape: (shape[0], 1))),
        spread,
    ),
    "samples averaged over the components": (
        instead_of(Mixture, "sample", lambda p, n, rng: p.average(p.components.sample(n, rng))),
        spread,
    ),
    "each component of a vector from another component": (
        instead_of(Mixture, "sample", each_component_chooses),
        test_mixture.test_the_components_of_a_vector_come_from_one_component,
    ),
    "cdf without weights": (
        instead_of(Mixture, "cdf", lambda p, x: np.mean(p.components.cdf(p.for_each_component(x)), axis=-1)),
        test_mixture.test_the_cdf_is_the_average_of_those_of_the_components,
    ),
}

# -- densities cut into levels -----------------------------------------------------------------------------------------


def sums(cls: type, levels: int) -> Check:
    return partial(test_discretised.test_the_bins_sum_to_one, cls, np.float64, levels)


def masses(cls: type, scale: float) -> Check:
    return partial(test_discretised.test_log_prob_at_all_scales, cls, scale)


def difference(F: Any, least: float = 0.0) -> Any:
    """log (F(c + h) − F(c − h)) as it is written, or clipped from below."""
    return lambda p, c, h: np.log(np.maximum(F(c + h) - F(c - h), least))


def log_prob_with(first: Any, last: Any) -> Plant:
    """Other levels than 0 and L − 1 with the tails."""

    def log_prob(p: Discretised, x: Any) -> Any:
        x, c, h = p.bins(x)
        edges = np.where(first(p, x), p.log_cdf(c + h), p.log_cdf(h - c))
        return np.where(first(p, x) | last(p, x), edges, p.log_bin(c, h))

    return instead_of(Discretised, "log_prob", log_prob)


def bins_of(width: float) -> Plant:
    def bins(p: Discretised, x: Any) -> tuple[Any, Any, Any]:
        x = np.asarray(x, p.dtype)
        inverse_scale = np.exp(-p.log_scale)
        return x, (x - p.loc) * inverse_scale, 0.5 * width * inverse_scale

    return instead_of(Discretised, "bins", bins)


def tanh_cdf(z: Any) -> Any:
    return 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


def rounded(change: Any) -> Plant:
    return instead_of(
        Discretised,
        "sample",
        lambda p, n, rng: change(p, values(p.loc) + np.exp(values(p.log_scale)) * p.draw_noise(n, rng)),
    )


frequencies: Check = partial(
    test_discretised.test_samples_have_the_probabilities_in_each_of_the_batch, DiscretisedNormal
)
CUT: dict[str, tuple[Plant, Check]] = {
    "tails lost": (log_prob_with(lambda p, x: x < 0, lambda p, x: x < 0), sums(DiscretisedLogistic, 17)),
    "tails of both ends to the first level": (
        log_prob_with(lambda p, x: x == 0, lambda p, x: x < 0),
        sums(DiscretisedNormal, 17),
    ),
    "8 bits hard-coded (score_sde_pytorch#51)": (
        log_prob_with(lambda p, x: x == 0, lambda p, x: x == 255),
        sums(DiscretisedLogistic, 17),
    ),
    "half the bin (intro_dgm)": (bins_of(0.5), sums(DiscretisedLogistic, 17)),
    "bins of L for L − 1": (bins_of(16 / 17), sums(DiscretisedNormal, 17)),
    "density for a mass": (
        instead_of(DiscretisedLogistic, "log_bin", lambda p, c, h: np.log(sigmoid(c) * sigmoid(-c) * 2 * h)),
        sums(DiscretisedLogistic, 17),
    ),
    "tanh for Φ": (
        instead_of(DiscretisedNormal, "log_bin", difference(tanh_cdf)),
        masses(DiscretisedNormal, 1.0),
    ),
    "clipped at 1e-12": (
        instead_of(DiscretisedNormal, "log_bin", difference(ndtr, 1e-12)),
        masses(DiscretisedNormal, 1.0),
    ),
    "difference of Φ in the upper tail": (
        instead_of(DiscretisedNormal, "log_bin", difference(ndtr)),
        masses(DiscretisedNormal, 0.3),
    ),
    "difference of σ": (
        instead_of(DiscretisedLogistic, "log_bin", difference(sigmoid)),
        masses(DiscretisedLogistic, 0.03),
    ),
    "no series for narrow bins": (
        instead_of(DiscretisedNormal, "log_bin", DiscretisedNormal.log_difference),
        masses(DiscretisedNormal, 1e6),
    ),
    "series of one term": (
        instead_of(
            discretised_normal,
            "log_series",
            lambda c, h: -0.5 * (np.log(2 * np.pi) + c * c) + np.log(2 * h) + np.log1p((c * c - 1) * h * h / 6),
        ),
        masses(DiscretisedNormal, 51.0),
    ),
    "log(1 − e^{−a}) as it is written": (
        instead_of(test_discretised, "log1mexp", lambda a: np.log(1 - np.exp(-a))),
        test_discretised.test_log1mexp_at_its_extremes,
    ),
    "logvar taken for the log of the standard deviation": (
        instead_of(DiscretisedNormal, "__init__", Discretised.__init__),
        masses(DiscretisedNormal, 3.0),
    ),
    "location in [0, 1]": (
        instead_of(
            Discretised, "bins", lambda p, x: (x, (x - 16 * p.loc) * np.exp(-p.log_scale), 0.5 * np.exp(-p.log_scale))
        ),
        masses(DiscretisedLogistic, 3.0),
    ),
    "mean of the density for that of the levels": (
        instead_of(Discretised, "mean", property(lambda p: p.loc)),
        partial(test_discretised.test_a_sharp_density_is_one_level, DiscretisedLogistic),
    ),
    "samples rounded down": (rounded(lambda p, z: np.clip(np.floor(z), 0, p.levels - 1)), frequencies),
    "samples not clipped": (rounded(lambda p, z: np.floor(z + 0.5)), frequencies),
    "samples wrapped around": (rounded(lambda p, z: np.floor(z + 0.5) % p.levels), frequencies),
    "samples dequantised": (rounded(lambda p, z: np.clip(z, 0, p.levels - 1)), frequencies),
}

PLANTS = {
    **{f"full covariance: {name}": plant for name, plant in FULL.items()},
    **{f"Concrete: {name}": plant for name, plant in CONCRETE.items()},
    **{f"mixture: {name}": plant for name, plant in MIXED.items()},
    **{f"levels: {name}": plant for name, plant in CUT.items()},
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


def test_what_is_no_error_is_not_caught() -> None:
    """The plants that build a function anew, with the right one."""
    for plant, check in [
        (drawn(lambda L: L), moments),
        (kl_by(lambda z, A, v, v_p: 0.5 * (square(z) + below(A)) + variances(v, v_p)), expected_ratio),
        (noisy_logits(lambda p, g: (p.logits + g) / p.temperature), largest),
        (log_prob_with(lambda p, x: x == 0, lambda p, x: x == p.levels - 1), sums(DiscretisedNormal, 17)),
        (rounded(lambda p, z: np.clip(np.floor(z + 0.5), 0, p.levels - 1)), frequencies),
    ]:
        with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
            is_caught(plant, check)
