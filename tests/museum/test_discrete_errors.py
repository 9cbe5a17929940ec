"""Errors planted in what is made for discrete latents: for each there is a test in tests/latent that fails.

As in ``test_distribution_errors``: each test has to pass as things are, and its assertion has to fail with the error
planted.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import logsumexp, sigmoid, softmax
from scratchgen.distributions import Concrete, Independent, kl_divergence
from scratchgen.distributions.distribution import values
from scratchgen.latent import DiscreteVAE, Elbo, discrete_estimators, discrete_vae
from scratchgen.latent.marginal import all_values
from tests.latent import test_discrete_estimators, test_discrete_vae
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

# -- the tests ---------------------------------------------------------------------------------------------------------

relaxed = partial(test_discrete_estimators.test_a_gumbel_softmax_against_its_formula, 0.4, hard=False)
rounded = partial(test_discrete_estimators.test_a_gumbel_softmax_against_its_formula, 0.4, hard=True)
known_bias = test_discrete_estimators.test_the_bias_at_temperature_1_is_known
falling_bias = test_discrete_estimators.test_the_bias_falls_with_the_square_of_the_temperature
summed = test_discrete_estimators.test_the_gradient_by_enumeration
of_entropy = test_discrete_estimators.test_what_f_depends_on_has_its_gradient_too
several_coins = test_discrete_estimators.test_enumeration_of_several_coins
several_dice = test_discrete_estimators.test_enumeration_of_several_dice
likelihood = test_discrete_vae.test_the_likelihood_is_the_sum_over_all_codes
all_images = test_discrete_vae.test_the_probabilities_of_all_images_sum_to_one
terms = test_discrete_vae.test_both_terms_of_the_bound
gap = test_discrete_vae.test_the_gap_is_the_divergence_from_the_posterior
frequencies = test_discrete_vae.test_the_frequencies_of_samples_are_the_probabilities
corners = test_discrete_vae.test_the_relaxed_decoder_sees_the_same_one_hot_vectors
vectors = partial(test_discrete_vae.test_the_relaxed_reconstruction_against_its_formula, "Gumbel-softmax")
rounded_vectors = partial(test_discrete_vae.test_the_relaxed_reconstruction_against_its_formula, "straight-through")


def loss(estimator: str) -> Check:
    return partial(test_discrete_vae.test_the_loss_is_minus_the_bound_averaged_over_the_batch, estimator)


def estimate(estimator: str, samples: int) -> Check:
    return partial(
        test_discrete_vae.test_the_estimated_gradient_is_unbiased_in_phi_and_theta, estimator, samples=samples
    )


# -- the errors --------------------------------------------------------------------------------------------------------


def drawn(of_logits_noise_tau: Callable[[Any, Any, float], Any]) -> Plant:
    """Another relaxed vector."""

    def wrong(self: Concrete, n: Any, rng: Any = None, noise: Any = None) -> Any:
        noise = self.draw_noise(n, rng) if noise is None else noise
        return of_logits_noise_tau(self.logits, noise, self.temperature)

    return instead_of(Concrete, "rsample", wrong)


def summing(of_log_q_and_f: Callable[[Any, Any], Any]) -> Plant:
    """Another sum over all values of z."""

    def wrong(q: Any, f: Any) -> Any:
        z = all_values(q)
        each = z.reshape(len(z), *[1] * len(q.batch_shape), *q.event_shape)
        z = np.broadcast_to(each, (len(z), *q.batch_shape, *q.event_shape))
        return of_log_q_and_f(q.log_prob(z), f(z))

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(discrete_vae, "enumeration", wrong)
        patch.setattr(test_discrete_estimators, "enumeration", wrong)

    return plant


def method(name: str, wrong: Callable[..., Any]) -> Plant:
    return instead_of(DiscreteVAE, name, wrong)


def decoded(one_hot: Callable[[np.ndarray, DiscreteVAE], Any]) -> Plant:
    """Integers to other vectors."""
    return method("decode", lambda self, z: self.decode_vectors(one_hot(np.asarray(z), self)))


def elbo(of_terms: Callable[[Any, Any], tuple[Any, Any]]) -> Plant:
    right = DiscreteVAE.elbo
    return method("elbo", lambda self, x: Elbo(*of_terms(*right(self, x))))


def training(wrong: Callable[[DiscreteVAE, Any, Any], Any]) -> Plant:
    """Another loss from the model, x and the reconstruction term."""

    def of(self: DiscreteVAE, x: Any, rng: Any) -> Any:
        q = self.encode(x)
        return wrong(self, q, self.reconstruction(x, q, rng))

    return method("loss", of)


def kl(self: DiscreteVAE, q: Any) -> Any:
    return kl_divergence(q, self.prior())


def round_without_gradient(v: Any) -> Any:
    return np.eye(v.shape[-1], dtype=v.dtype)[values(v).argmax(axis=-1)] + 0.0 * v


def of_repeated(self: DiscreteVAE, x: Any, v: Any) -> Any:
    """Each x repeated in its place: it meets the codes of others."""
    each_x = np.repeat(np.asarray(x), len(v), axis=0)
    return self.decode_vectors(v.reshape(-1, *v.shape[2:])).log_prob(each_x).reshape(v.shape[:2])


PLANTS: dict[str, tuple[Plant, Check]] = {
    # -- Gumbel-softmax
    "temperature inverted": (drawn(lambda logits, g, tau: softmax((logits + g) * tau)), relaxed),
    "temperature of the noise only": (drawn(lambda logits, g, tau: softmax(logits + g / tau)), relaxed),
    "temperature of the logits only": (drawn(lambda logits, g, tau: softmax(logits / tau + g)), relaxed),
    "Gumbel noise with the wrong sign": (drawn(lambda logits, g, tau: softmax((logits - g) / tau)), relaxed),
    "no noise": (drawn(lambda logits, g, tau: softmax(logits / tau + 0 * g)), relaxed),
    "softmax before the noise": (drawn(lambda logits, g, tau: softmax((softmax(logits) + g) / tau)), relaxed),
    "softmax over the batch": (drawn(lambda logits, g, tau: softmax((logits + g) / tau, axis=-2)), relaxed),
    "a sigmoid for each category": (drawn(lambda logits, g, tau: sigmoid((logits + g) / tau)), relaxed),
    "logits without a gradient": (
        drawn(lambda logits, g, tau: softmax((logits - logits + values(logits) + g) / tau)),
        known_bias,
    ),
    "noise that is not Gumbel but its opposite": (
        drawn(lambda logits, g, tau: softmax((logits + np.log1p(np.exp(g))) / tau)),
        falling_bias,
    ),
    "never rounded": (instead_of(discrete_estimators, "straight_through", lambda v: v), rounded),
    "always rounded": (
        instead_of(
            test_discrete_estimators,
            "gumbel_softmax",
            lambda *args, hard=False, **options: discrete_estimators.gumbel_softmax(*args, hard=True, **options),
        ),
        relaxed,
    ),
    "rounded without a gradient": (
        instead_of(discrete_estimators, "straight_through", round_without_gradient),
        rounded,
    ),
    # -- enumeration
    "every value alike": (summing(lambda log_q, f: np.mean(f, axis=0) + 0 * log_q[0]), summed),
    "weights without a gradient": (summing(lambda log_q, f: np.sum(np.exp(values(log_q)) * f, axis=0)), of_entropy),
    "weights by their logarithms": (summing(lambda log_q, f: np.sum(log_q * f, axis=0)), summed),
    "f without a gradient": (summing(lambda log_q, f: np.sum(np.exp(log_q) * values(f), axis=0)), of_entropy),
    "weights of the components added": (
        instead_of(
            Independent,
            "total",
            lambda self, y: np.log(np.sum(np.exp(y), axis=tuple(range(-self.event_dims, 0)))),
        ),
        several_coins,
    ),
    "one value for all components": (
        instead_of(discrete_estimators, "all_values", lambda q: all_values(q)[:, :1] + 0 * all_values(q)),
        several_dice,
    ),
    # -- the model
    "prior forgotten": (method("log_prob", lambda self, x: logsumexp(self.log_likelihoods(x), axis=0)), all_images),
    "prior of one variable": (
        method("log_prob", lambda self, x: logsumexp(self.log_likelihoods(x), axis=0) - np.log(self.sides)),
        likelihood,
    ),
    "mean of log p(x | z) for log p(x)": (
        method("log_prob", lambda self, x: np.mean(self.log_likelihoods(x), axis=0)),
        all_images,
    ),
    "sides counted from the end": (decoded(lambda z, m: np.eye(m.sides)[::-1][z]), likelihood),
    "variables swapped": (decoded(lambda z, m: np.eye(m.sides)[z[:, ::-1]]), likelihood),
    "integers in the place of vectors": (
        decoded(lambda z, m: np.broadcast_to(z[..., None], (*z.shape, m.sides)).astype(float)),
        likelihood,
    ),
    "logits by side and variable": (
        method(
            "encode",
            lambda self, x, right=DiscreteVAE.encode: Independent(
                type(right(self, x).base)(
                    np.swapaxes(self.encoder(x).reshape(len(x), self.sides, self.variables), 1, 2)
                ),
                1,
            ),
        ),
        terms,
    ),
    "KL with the wrong sign (PyTorch-VAE#68)": (elbo(lambda r, k: (r, -k)), gap),
    "KL averaged over the variables (pytorch/examples#290)": (elbo(lambda r, k: (r, k / 2)), gap),
    "KL swapped": (instead_of(discrete_vae, "kl_divergence", lambda q, p: kl_divergence(p, q)), terms),
    "entropy for KL": (instead_of(discrete_vae, "kl_divergence", lambda q, p: q.entropy()), terms),
    "reconstruction averaged over pixels (keras#6015)": (elbo(lambda r, k: (r / 4, k)), terms),
    "codes of the mean, not drawn": (
        method(
            "sample",
            lambda self, n, rng: self.decode_vectors(np.full((n, self.variables, self.sides), 1 / self.sides)).sample(
                (), rng
            ),
        ),
        frequencies,
    ),
    "one code for all samples": (
        method(
            "sample",
            lambda self, n, rng: self.decode(np.repeat(self.prior().sample(1, rng), n, axis=0)).sample((), rng),
        ),
        frequencies,
    ),
    # -- its training
    "KL added to the bound": (
        training(lambda self, q, r: -np.mean(r + kl(self, q))),
        loss("leave one out"),
    ),
    "KL forgotten": (training(lambda self, q, r: -np.mean(r)), loss("leave one out")),
    "the bound minimised": (training(lambda self, q, r: np.mean(r - kl(self, q))), loss("enumeration")),
    "sum over the batch": (training(lambda self, q, r: np.sum(kl(self, q) - r)), loss("enumeration")),
    "one code for the whole batch": (
        instead_of(
            Independent,
            "sample",
            lambda self, n, rng, right=Independent.sample: np.broadcast_to(
                right(self, n, rng)[:, :1], right(self, n, rng).shape
            ),
        ),
        frequencies,
    ),
    "no score": (
        instead_of(discrete_vae, "leave_one_out", lambda q, f, z: np.mean(f(z), axis=0)),
        estimate("leave one out", 2),
    ),
    "a baseline that knows its own sample": (
        instead_of(
            discrete_vae,
            "leave_one_out",
            lambda q, f, z: discrete_vae.score_function(q, f, z, np.mean(values(f(z)), axis=0)),
        ),
        estimate("leave one out", 2),
    ),
    "decoder without a gradient": (
        instead_of(
            discrete_vae,
            "score_function",
            lambda q, f, z, right=discrete_vae.score_function: right(q, lambda z: values(f(z)), z),
        ),
        estimate("score function", 1),
    ),
    "each x with the vectors of others": (method("of_vectors", of_repeated), corners),
    "vectors that are always rounded": (
        instead_of(
            discrete_vae,
            "gumbel_softmax",
            lambda q, f, tau, n, rng, noise, hard: discrete_estimators.gumbel_softmax(q, f, tau, n, rng, noise, True),
        ),
        vectors,
    ),
    "vectors that are never rounded": (
        instead_of(
            discrete_vae,
            "gumbel_softmax",
            lambda q, f, tau, n, rng, noise, hard: discrete_estimators.gumbel_softmax(q, f, tau, n, rng, noise, False),
        ),
        rounded_vectors,
    ),
    "always the same temperature": (
        instead_of(
            discrete_vae,
            "gumbel_softmax",
            lambda q, f, tau, *rest: discrete_estimators.gumbel_softmax(q, f, 1.0, *rest),
        ),
        vectors,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


def test_what_is_no_error_is_not_caught() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(drawn(lambda logits, g, tau: softmax((logits + g) / tau)), relaxed)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(summing(lambda log_q, f: np.sum(np.exp(log_q) * f, axis=0)), of_entropy)
