"""Errors planted in the importance-weighted bound, free bits, annealing, priors and posteriors of a VAE.

Many of these train well; what they climb is another bound, or none. As in ``test_distribution_errors``, each test has
to pass as things are, and its assertion has to fail with the error planted.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, logsumexp, softmax
from scratchgen.distributions import (
    Independent,
    Mixture,
    MultivariateNormal,
    Normal,
    kl,
    kl_divergence,
    scale_tril_from,
)
from scratchgen.distributions.distribution import values
from scratchgen.latent import (
    IWAE,
    VAE,
    ConstantVarianceLikelihood,
    Elbo,
    FreeBitsVAE,
    LinearGaussian,
    MixturePrior,
    VampPrior,
    annealing,
    diagnostics,
    free_bits,
    iwae,
    path_estimators,
    posteriors,
    rate_distortion,
)
from scratchgen.latent.importance import SampledEstimate, log_weights
from scratchgen.latent.joint import log_p_x_given_z
from scratchgen.latent.linear_vae import LinearEncoder, as_linear_gaussian
from scratchgen.latent.rate_distortion import RateDistortion
from tests.latent import test_annealing, test_free_bits, test_iwae, test_linear_vae, test_priors, test_rate_distortion
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

# -- the tests ---------------------------------------------------------------------------------------------------------

one_weight = test_iwae.test_one_weight_is_the_elbo
ladder = partial(test_iwae.test_the_bound_grows_with_k_and_stays_below_the_logarithm_of_the_mean_weight, row=0)
tight = partial(test_iwae.test_at_the_posterior_the_bound_is_log_p_for_every_noise, samples=7, dreg=False)
own_samples = partial(test_iwae.test_each_x_meets_its_own_samples, dreg=False)
loss = test_iwae.test_the_loss_is_minus_the_bound_averaged_over_the_batch
unbiased = partial(test_iwae.test_the_doubly_reparameterised_gradient_is_unbiased, samples=2, order=60)
gradient = test_iwae.test_the_expected_gradient_is_the_derivative_of_the_expected_bound
underflow = test_iwae.test_weights_below_the_smallest_float
by_hand = partial(test_free_bits.test_the_loss_by_hand, free=test_free_bits.between())
not_pulled = test_free_bits.test_a_dimension_below_its_free_bits_is_not_pulled_to_the_prior
steps = test_annealing.test_the_loss_has_the_beta_of_its_step
full = partial(test_priors.test_a_full_covariance_is_tight_where_the_dimensions_depend_on_each_other, analytic=False)
full_kl = test_priors.test_the_divergence_of_a_full_covariance_is_the_closed_form
any_q = test_priors.test_any_q_with_samples_and_a_density_will_do
mixture = test_priors.test_the_mixture_is_the_mixture
vamp = test_priors.test_the_vamp_prior_is_the_average_posterior_of_its_pseudo_inputs
trained = partial(test_priors.test_the_prior_is_trained_and_the_encoder_through_it, cls=VAE, options={})
drawn = partial(test_priors.test_samples_are_of_the_learned_prior, kind="mixture")
weighed = partial(test_priors.test_importance_weights_with_a_learned_prior_are_unbiased, kind="mixture")
rates = partial(test_rate_distortion.test_rate_and_distortion_in_closed_form, shift=0.3, stretch=-0.5)
information = partial(
    test_rate_distortion.test_the_mutual_information_is_the_integral, means=[0.0, 1.0], variances=[1.0, 0.7]
)
effective = test_rate_distortion.test_away_from_the_posterior_fewer_are
linear = test_linear_vae.test_it_is_a_linear_gaussian_model
optimum = test_linear_vae.test_at_the_optimum_the_bound_is_the_largest_likelihood
variance = test_iwae.test_one_variance_for_all_components_and_all_z


def in_a_folder(check: Callable[..., None]) -> Check:
    """A check that writes files, in a folder of its own."""

    def run() -> None:
        with TemporaryDirectory() as folder:
            check(tmp_path=Path(folder))

    return run


made_up_for = in_a_folder(test_annealing.test_an_evaluation_made_up_for_has_the_beta_it_would_have_had)
resumed = in_a_folder(partial(test_annealing.test_a_resumed_training_is_the_same_bit_for_bit, 4))

# -- the errors --------------------------------------------------------------------------------------------------------


def bound(of_weights: Callable[[Any], Any]) -> Plant:
    """Another bound from the log-weights, (K, B)."""
    return instead_of(iwae, "importance_weighted", of_weights)


def mean_weight(log_w: Any) -> Any:
    return logsumexp(log_w, axis=0) - float(np.log(len(log_w)))


def weights(of_terms: Callable[[Any, Any, Any], Any]) -> Plant:
    """Other log-weights, from log p(x | z), log p(z) and log q(z | x)."""

    def wrong(model: Any, x: Any, q: Any, z: Any) -> Any:
        return of_terms(log_p_x_given_z(model, x, z), model.prior(z).log_prob(z), q.log_prob(z))

    return instead_of(iwae, "log_weights", wrong)


def interleaved(model: Any, x: Any, q: Any, z: Any) -> Any:
    """Each x is repeated in its place, and so meets the samples of others."""
    samples, batch = z.shape[:2]
    log_p = model.decode(z.reshape(samples * batch, -1)).log_prob(np.repeat(x, samples, axis=0))
    return log_p.reshape(samples, batch) + model.prior(z).log_prob(z) - q.log_prob(z)


def weighted_by_constants(log_w: Any) -> Any:
    """Σ w̃ log w with weights that are constants: the gradient is right, the value is another."""
    return np.sum(softmax(values(log_w), axis=0) * log_w, axis=0)


def weights_with_a_gradient(log_w: Any) -> Any:
    return np.sum(softmax(log_w, axis=0) * log_w, axis=0)


def dreg(wrong: Callable[..., Any]) -> Plant:
    return instead_of(iwae, "doubly_reparameterised", wrong)


def squared_everywhere(model: Any, x: Any, q: Any, z: Any) -> Any:
    """w̃² for the gradient to θ, too."""
    log_w = path_estimators.path_log_weights(model, x, q, z)
    w = softmax(values(log_w), axis=0)
    surrogate = np.sum(w * w * log_w, axis=0)
    return surrogate - values(surrogate) + values(mean_weight(log_w))


def free(of_kl: Callable[[Any, float], Any]) -> Plant:
    """What is paid for, from the divergences (B, latent) and λ."""

    def wrong(self: FreeBitsVAE, x: Any, rng: Any) -> Any:
        q = self.encode(x)
        z = q.rsample((), rng)
        paid = of_kl(free_bits.divergences(q, self.prior(z)), self.free)
        return paid - np.mean(self.decode(z).log_prob(x))

    return instead_of(FreeBitsVAE, "loss", wrong)


def annealed(wrong: Callable[[Any, Any], Callable[[int], None]]) -> Plant:
    return instead_of(test_annealing, "annealed", wrong)


def plain_attribute(model: VAE, schedule: Any) -> Callable[[int], None]:
    """Beta as a number: not in the state, and so not in the checkpoint."""

    def on_step(step: int) -> None:
        model.beta = schedule(step)

    return on_step


def own_count(model: VAE, schedule: Any) -> Callable[[int], None]:
    """Steps counted from 0 again in each process."""
    count = iter(range(1_000_000))
    right = annealing.annealed(model, schedule)
    return lambda step: right(next(count))


def late(model: VAE, schedule: Any) -> Callable[[int], None]:
    right = annealing.annealed(model, schedule)
    return lambda step: right(max(step - 1, 0))


right_mixture = MixturePrior.forward


class Scaled:
    """A density that is not normalised."""

    def __init__(self, factor: Any, p: Any) -> None:
        self.factor, self.p = factor, p

    def log_prob(self, z: Any) -> Any:
        return self.p.log_prob(z) + np.log(self.factor)


def alike(self: MixturePrior, components: int, latent: int, rng: Any, dtype: Any = np.float32) -> None:
    self.logits = Tensor(np.zeros(components, dtype), requires_grad=True)
    self.means = Tensor(np.zeros((components, latent), dtype), requires_grad=True)
    self.logvars = Tensor(np.zeros((components, latent), dtype), requires_grad=True)


def one_of(q: Any) -> Any:
    """The first of a batch of Gaussians."""
    return MultivariateNormal(q.mean[0], q.scale_tril[0])


def with_plain_prior(model: Any, x: Any, q: Any, z: Any) -> Any:
    standard = MultivariateNormal(np.zeros(2), np.eye(2))
    return log_weights(model, x, q, z) - model.prior(z).log_prob(z) + standard.log_prob(z)


def closed_forms(wrong: Callable[[Any, Any], Any]) -> Plant:
    return lambda patch: patch.setitem(kl.CLOSED_FORMS, (MultivariateNormal, Independent), wrong)


def scaled_columns(model: VAE) -> Any:
    """The rows and columns of W exchanged, as far as its shape allows."""
    right = as_linear_gaussian(model)
    W = right.W.data
    return LinearGaussian(W.reshape(W.T.shape).T, right.b.data, right.logvar.data)


def prior(cls: type, wrong: Callable[[Any], Any]) -> Plant:
    return instead_of(cls, "forward", wrong)


def product_of_gaussians(self: MixturePrior) -> Any:
    """One Gaussian, of the average mean and variance."""
    return Independent(Normal(np.mean(self.means, axis=0), np.mean(self.logvars, axis=0)), 1)


def prior_without_gradient(self: VampPrior) -> Mixture:
    q = self.encoder(Tensor(self.pseudo_inputs.data))
    return Mixture(np.zeros(len(self.pseudo_inputs)), q)


def factor(of_matrix: Callable[[Any], Any]) -> Plant:
    return instead_of(posteriors, "scale_tril_from", of_matrix)


def diagonal_only(raw: Any) -> Any:
    """The correlation forgotten."""
    return np.exp(np.diagonal(raw, axis1=-2, axis2=-1))[..., None] * np.eye(raw.shape[-1])


def sampled_divergence(of: Callable[[Any, Any], Any]) -> Plant:
    def wrong(self: VAE, x: Any, rng: Any = None, noise: Any = None) -> Elbo:
        z, log_q = self.encode(x).rsample_and_log_prob((), rng, noise)
        return Elbo(self.decode(z).log_prob(x), of(log_q, self.prior(z).log_prob(z)))

    return instead_of(VAE, "elbo", wrong)


def from_the_standard_normal(self: VAE, n: int, rng: Any) -> np.ndarray:
    rng = np.random.default_rng(rng)
    return self.decode(rng.standard_normal((n, self.latent))).sample((), rng)


def rate(of_terms: Callable[[Any, Any], tuple[Any, Any]]) -> Plant:
    right = rate_distortion.rate_distortion

    def wrong(model: Any, x: Any, points: Any) -> RateDistortion:
        found = right(model, x, points)
        return RateDistortion(*of_terms(found.rate, found.distortion))

    return instead_of(test_rate_distortion.rate_distortion, "rate_distortion", wrong)


def told(of_ratio: Callable[[Any, Any, int], Any]) -> Plant:
    """Another information from log q(z_kn | x_n), log Σ_m q(z_kn | x_m) and N."""

    def wrong(points: Any) -> float:
        q, z = points.q, values(points.z)
        (N,) = q.batch_shape
        each = values(q.log_prob(np.broadcast_to(z[:, :, None], (*z.shape[:2], N, *q.event_shape))))
        ratio = of_ratio(values(q.log_prob(z)), logsumexp(each, axis=-1), N)
        return float(np.mean(values(points.mean(ratio))))

    return instead_of(test_rate_distortion, "mutual_information", wrong)


def effective_samples(of_estimate: Callable[[Any], Any]) -> Plant:
    right = rate_distortion.marginal_by_importance

    def wrong(*args: Any) -> SampledEstimate:
        found = right(*args)
        return found._replace(effective=of_estimate(found))

    return instead_of(rate_distortion, "marginal_by_importance", wrong)


def encoder_per_x(self: LinearEncoder, x: Any) -> Any:
    """A log-variance taken for a standard deviation."""
    mean = self.mean(x)
    return np.concatenate([mean, np.broadcast_to(np.exp(0.5 * self.logvar), mean.shape)], axis=1)


PLANTS: dict[str, tuple[Plant, Check]] = {
    # -- the bound
    "mean of log w (PyTorch-VAE#34)": (bound(lambda log_w: np.mean(log_w, axis=0)), own_samples),
    "the same, seen by the ladder": (bound(lambda log_w: np.mean(log_w, axis=0)), ladder),
    "no log K": (bound(lambda log_w: logsumexp(log_w, axis=0)), tight),
    "log of the batch for log K": (
        bound(lambda log_w: logsumexp(log_w, axis=0) - float(np.log(log_w.shape[1]))),
        own_samples,
    ),
    "averaged over the batch, not the samples": (
        bound(lambda log_w: logsumexp(log_w, axis=1)[:1] + 0 * log_w[0]),
        own_samples,
    ),
    "largest weight": (bound(lambda log_w: np.max(log_w, axis=0)), own_samples),
    "softmax of the loss (PyTorch-VAE PR#53)": (
        bound(lambda log_w: np.sum(softmax(-log_w, axis=0) * log_w, axis=0)),
        own_samples,
    ),
    "weights that are not detached (PyTorch-VAE#34)": (bound(weights_with_a_gradient), gradient),
    "value of the surrogate with detached weights": (bound(weighted_by_constants), own_samples),
    "weights without logarithms": (
        bound(lambda log_w: np.log(np.mean(np.exp(log_w), axis=0) + 1e-300)),
        underflow,
    ),
    "prior forgotten": (weights(lambda x, z, q: x - q), one_weight),
    "posterior forgotten": (weights(lambda x, z, q: x + z), one_weight),
    "weights upside down": (weights(lambda x, z, q: q - x - z), one_weight),
    "each x with the samples of others": (instead_of(iwae, "log_weights", interleaved), own_samples),
    "one sample, K times": (
        instead_of(iwae, "log_weights", lambda model, x, q, z: log_weights(model, x, q, 0 * z + z[:1])),
        own_samples,
    ),
    "loss of the wrong sign": (
        instead_of(IWAE, "loss", lambda self, x, rng: np.mean(self.bound(x, rng))),
        loss,
    ),
    "loss summed over the batch": (
        instead_of(IWAE, "loss", lambda self, x, rng: -np.sum(self.bound(x, rng))),
        loss,
    ),
    "the ELBO for the bound": (
        instead_of(IWAE, "loss", lambda self, x, rng: VAE.loss(self, x, rng)),
        loss,
    ),
    # -- its gradient
    "score term left out, and no w̃²": (dreg(path_estimators.sticking_the_landing), unbiased),
    "w̃² for the decoder, too": (dreg(squared_everywhere), unbiased),
    "no gradient through the samples": (
        instead_of(iwae, "log_weights", lambda model, x, q, z: log_weights(model, x, q, values(z))),
        gradient,
    ),
    # -- free bits
    "maximum for each x, then the average": (
        free(lambda kl, least: np.mean(np.sum(np.maximum(kl, least), axis=1))),
        by_hand,
    ),
    "maximum of the sum over dimensions": (
        free(lambda kl, least: np.maximum(np.sum(np.mean(kl, axis=0)), least)),
        by_hand,
    ),
    "averaged over dimensions": (
        free(lambda kl, least: np.mean(np.maximum(np.mean(kl, axis=0), least))),
        by_hand,
    ),
    "minimum": (free(lambda kl, least: np.sum(np.minimum(np.mean(kl, axis=0), least))), by_hand),
    "λ taken off": (free(lambda kl, least: np.sum(np.maximum(np.mean(kl, axis=0) - least, 0.0))), by_hand),
    "λ in bits": (
        free(lambda kl, least: np.sum(np.maximum(np.mean(kl, axis=0), least * np.log(2)))),
        by_hand,
    ),
    "a smooth maximum, that still pulls": (
        free(lambda kl, least: np.sum(np.logaddexp(np.mean(kl, axis=0), least))),
        not_pulled,
    ),
    "KL with the wrong sign (PyTorch-VAE#68)": (
        instead_of(free_bits, "divergences", lambda q, p: -diagnostics.divergences(q, p)),
        by_hand,
    ),
    "KL swapped": (instead_of(free_bits, "divergences", lambda q, p: kl_divergence(p.base, q.base)), by_hand),
    # -- beta
    "beta that is not saved": (annealed(plain_attribute), made_up_for),
    "steps that are counted anew": (annealed(own_count), resumed),
    "beta of the step before": (annealed(late), steps),
    "beta on the reconstruction": (
        instead_of(
            VAE,
            "loss",
            lambda self, x, rng: np.mean(self.elbo(x, rng).kl - self.beta * self.elbo(x, rng).reconstruction),
        ),
        test_annealing.test_the_weight_is_that_of_the_divergence,
    ),
    "a cycle that goes down slowly": (
        instead_of(
            test_annealing,
            "cyclical",
            lambda beta, period, rising: lambda step: beta * (1 - abs(2 * (step % period) / period - 1)),
        ),
        test_annealing.test_a_cycle,
    ),
    # -- the posterior
    "correlation of q forgotten": (factor(diagonal_only), full),
    "upper factor": (factor(lambda raw: np.swapaxes(scale_tril_from(raw), 1, 2)), full),
    "covariance taken for its factor": (
        factor(lambda raw: scale_tril_from(raw) @ np.swapaxes(scale_tril_from(raw), 1, 2)),
        full,
    ),
    "divergence of a full covariance by its diagonal": (
        closed_forms(lambda q, p: kl_divergence(Independent(Normal(q.mean, np.log(q.variance)), 1), p)),
        full_kl,
    ),
    "sampled divergence with the wrong sign": (sampled_divergence(lambda log_q, log_p: log_p - log_q), any_q),
    "sampled divergence without the prior": (sampled_divergence(lambda log_q, log_p: log_q), any_q),
    # -- the prior
    "one Gaussian for a mixture": (prior(MixturePrior, product_of_gaussians), mixture),
    "weights that are not normalised": (
        prior(MixturePrior, lambda self: Scaled(np.exp(-1.0), right_mixture(self))),
        mixture,
    ),
    "components alike": (
        prior(MixturePrior, lambda self: Mixture(0 * self.logits, right_mixture(self).components)),
        mixture,
    ),
    "log-variance taken for log σ in the components": (
        prior(MixturePrior, lambda self: Mixture(self.logits, Independent(Normal(self.means, 2 * self.logvars), 1))),
        mixture,
    ),
    "the first pseudo-input only": (prior(VampPrior, lambda self: one_of(self.encoder(self.pseudo_inputs))), vamp),
    "pseudo-inputs without a gradient": (prior(VampPrior, prior_without_gradient), trained),
    "samples of N(0, I)": (instead_of(VAE, "sample", from_the_standard_normal), drawn),
    "N(0, I) in the weights": (
        instead_of(test_priors, "log_weights", with_plain_prior),
        weighed,
    ),
    "means that are alike at first": (
        instead_of(MixturePrior, "__init__", alike),
        test_priors.test_the_means_of_a_mixture_differ_at_first,
    ),
    # -- diagnostics
    "rate and distortion exchanged": (rate(lambda r, d: (d, r)), rates),
    "distortion with the wrong sign": (rate(lambda r, d: (r, -d)), rates),
    "rate by dimension": (rate(lambda r, d: (r / 2, d)), rates),
    "no log N": (told(lambda own, total, N: own - total), information),
    "the others only in the aggregate": (
        told(lambda own, total, N: own - np.log((np.exp(total) - np.exp(own)) / (N - 1))),
        information,
    ),
    "information with the wrong sign": (told(lambda own, total, N: total - np.log(N) - own), information),
    "effective share, not number": (effective_samples(lambda found: found.effective / 50), effective),
    "K for the effective samples": (effective_samples(lambda found: 0 * found.effective + 50), effective),
    "collapse unnoticed (WorldModels#12)": (
        instead_of(test_rate_distortion, "mutual_information", lambda points: np.log(len(points.z[0]))),
        test_rate_distortion.test_codes_far_apart_tell_which_and_codes_alike_tell_nothing,
    ),
    # -- the linear VAE
    "s for s²": (
        instead_of(ConstantVarianceLikelihood, "logvar", property(lambda self: 0.5 * self.raw)),
        variance,
    ),
    "learned variance goes to 0 (sigma-vae-pytorch#10)": (
        instead_of(ConstantVarianceLikelihood, "logvar", property(lambda self: self.raw)),
        test_iwae.test_the_variance_stays_above_its_bound_on_data_without_noise,
    ),
    "W not transposed": (
        instead_of(test_linear_vae, "as_linear_gaussian", scaled_columns),
        linear,
    ),
    "standard deviation from the encoder": (instead_of(LinearEncoder, "forward", encoder_per_x), optimum),
    "s² not trained": (
        instead_of(ConstantVarianceLikelihood, "logvar", property(lambda self: 0.0 * self.raw)),
        test_linear_vae.test_training_finds_the_closed_form,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


def test_what_is_no_error_is_not_caught() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(bound(mean_weight), own_samples)
