"""Errors planted in ``scratchgen.latent``: for each there is a test in tests/latent that fails.

Many of these train well and draw good pictures: what they report is no bound on log p(x). The model of
linear_gaussian.py tells, of which log p(x) and the posterior are known. As in ``test_distribution_errors``, each test
has to pass as things are, and its assertion has to fail with the error planted.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import logsumexp, no_grad, relu
from scratchgen.distributions import Bernoulli, Independent, Normal, kl, kl_divergence
from scratchgen.latent import (
    VAE,
    Autoencoder,
    CategoricalLikelihood,
    ConvDecoder,
    Elbo,
    GaussianLikelihood,
    diagnostics,
    vae,
)
from tests.latent import test_diagnostics, test_likelihoods, test_networks, test_vae
from tests.museum.test_distribution_errors import Check, Plant, closed_form, instead_of, is_caught

# -- the tests ---------------------------------------------------------------------------------------------------------


def gap(analytic: bool) -> Check:
    """log p(x) − ELBO = KL(q ‖ posterior), exactly, for a q that is not the posterior."""
    return partial(
        test_vae.test_the_gap_is_the_divergence_from_the_posterior, analytic=analytic, shift=-0.3, stretch=1.1
    )


analytic, sampled = gap(True), gap(False)
tight = test_vae.test_the_sampled_bound_is_exact_at_the_posterior_for_every_noise
gradient = test_vae.test_the_reparameterised_gradient_is_the_gradient_of_the_expectation
loss = test_vae.test_the_loss_is_minus_the_elbo_averaged_over_the_batch
beta = test_vae.test_beta_weighs_the_divergence_only
weights = test_vae.test_the_importance_weighted_bound_averages_weights_not_their_logarithms
evidence = test_vae.test_many_importance_weights_approach_the_evidence
one_weight = test_vae.test_one_importance_weight_is_enough_at_the_posterior
moments = test_vae.test_samples_have_the_moments_of_the_marginal

# -- the errors --------------------------------------------------------------------------------------------------------


def elbo(of_z: Callable[..., Any]) -> Plant:
    """The ELBO at another z: of_z(model, q, noise)."""

    def wrong(self: VAE, x: Any, rng: Any = None, noise: Any = None) -> Elbo:
        q = self.encode(x)
        if noise is None:
            noise = q.base.draw_noise((), rng)
        z = of_z(self, q, noise)
        p = self.prior(z)
        kl = kl_divergence(q, p) if self.analytic_kl else q.log_prob(z) - p.log_prob(z)
        return Elbo(self.decode(z).log_prob(x), kl)

    return instead_of(VAE, "elbo", wrong)


def terms(of_terms: Callable[[Any, Any], Any]) -> Plant:
    """The ELBO put together otherwise from reconstruction and KL."""
    return instead_of(Elbo, "total", property(lambda self: of_terms(self.reconstruction, self.kl)))


def importance(of_weights: Callable[..., Any]) -> Plant:
    """Another bound from log p(x | z), log p(z) and log q(z | x) of each sample, (K, B)."""

    def wrong(self: VAE, x: Any, rng: Any, samples: int = 100) -> np.ndarray:
        rng, each = np.random.default_rng(rng), []
        with no_grad():
            q = self.encode(x)
            for _ in range(samples):
                z = q.rsample((), rng)
                each.append((self.decode(z).log_prob(x).data, self.prior(z).log_prob(z).data, q.log_prob(z).data))
        return of_weights(*(np.array(one) for one in zip(*each)))

    return instead_of(VAE, "log_prob", wrong)


def mean_weight(log_w: np.ndarray) -> np.ndarray:
    return logsumexp(log_w, axis=0) - np.log(len(log_w))


def encoded(change: Callable[[Any, Any], tuple[Any, Any]]) -> Plant:
    """Another posterior from the two halves of the encoder's output."""
    right = VAE.encode

    def wrong(self: VAE, x: Any) -> Independent:
        q = right(self, x).base
        return Independent(Normal(*change(q.mean, q.logvar)), 1)

    return instead_of(VAE, "encode", wrong)


def prior(logvar: float) -> Plant:
    def wrong(self: VAE, like: Any) -> Independent:
        return Independent(Normal(np.zeros(self.latent), np.full(self.latent, logvar)), 1)

    return instead_of(VAE, "prior", wrong)


def sample(z_of: Callable[[np.ndarray], np.ndarray], mean: bool = False, same_seed: bool = False) -> Plant:
    def wrong(self: VAE, n: int, rng: Any) -> np.ndarray:
        seed, rng = rng, np.random.default_rng(rng)
        with no_grad():
            p = self.decode(z_of(rng.standard_normal((n, self.latent))))
            return p.mean.data if mean else p.sample((), seed if same_seed else rng)

    return instead_of(VAE, "sample", wrong)


def reconstruct(z_of: Callable[[Any], Any]) -> Plant:
    def wrong(self: VAE, x: Any) -> np.ndarray:
        return self.decode(z_of(self.encode(x))).mean.data

    return instead_of(VAE, "reconstruct", wrong)


class Grey(Bernoulli):
    """A Bernoulli "likelihood" of grey levels."""

    def log_prob(self, x: Any) -> Any:
        return super().log_prob(np.asarray(x) / (test_likelihoods.LEVELS - 1))


def detached(z: Any) -> np.ndarray:
    return z.data


def loss_of(of_terms: Callable[..., Any]) -> Plant:
    return instead_of(VAE, "loss", lambda self, x, rng: of_terms(*self.elbo(x, rng), self.beta))


PLANTS: dict[str, tuple[Plant, Check]] = {
    # -- the two terms
    "KL with the wrong sign (PyTorch-VAE#68)": (terms(lambda r, kl: r + kl), analytic),
    "sampled KL with the wrong sign": (terms(lambda r, kl: r + kl), sampled),
    "KL swapped": (closed_form(Independent, lambda q, p: q.total(kl.kl_normal(p.base, q.base))), analytic),
    "KL averaged over dimensions (pytorch/examples#290, PyTorch-VAE#56)": (
        closed_form(Independent, lambda q, p: np.mean(kl_divergence(q.base, p.base), axis=-1)),
        analytic,
    ),
    "KL averaged over the batch and dimensions": (
        closed_form(Independent, lambda q, p: np.mean(kl_divergence(q.base, p.base))),
        analytic,
    ),
    "KL without its −1": (
        instead_of(vae, "kl_divergence", lambda q, p: kl_divergence(q, p) + 0.5 * q.event_shape[0]),
        analytic,
    ),
    "reconstruction averaged over pixels (pytorch/examples#234, keras#6015)": (
        terms(lambda r, kl: r / 3 - kl),
        sampled,
    ),
    "log-variance taken for the standard deviation (PyTorch-VAE iwae.py)": (
        encoded(lambda mean, logvar: (mean, 2 * np.log(np.abs(logvar)))),
        tight,
    ),
    "log-variance taken for log σ (deepchem PR#4888)": (encoded(lambda mean, logvar: (mean, 2 * logvar)), tight),
    "std is the variance": (instead_of(Normal, "std", property(lambda p: np.exp(p.logvar))), analytic),
    # -- the posterior and the prior
    "mean and log-variance exchanged": (encoded(lambda mean, logvar: (logvar, mean)), tight),
    "one posterior for all x": (encoded(lambda m, v: (0 * m + np.mean(m, axis=0), v)), tight),
    "a posterior of variance 1": (encoded(lambda mean, logvar: (mean, 0 * logvar)), tight),
    "prior of another variance": (prior(np.log(2.0)), analytic),
    "test ELBO that decodes the mean (pytorch/examples#419)": (elbo(lambda model, q, noise: q.mean), analytic),
    "the same with all of it sampled": (elbo(lambda model, q, noise: q.mean), sampled),
    "z from the prior, not the posterior": (elbo(lambda model, q, noise: noise), analytic),
    "noise not scaled": (elbo(lambda model, q, noise: q.mean + noise), sampled),
    "no gradient through the sample": (
        elbo(lambda model, q, noise: detached(q.rsample((), noise=noise))),
        gradient,
    ),
    "no gradient through the standard deviation": (
        elbo(lambda model, q, noise: q.mean + detached(q.base.std) * noise),
        gradient,
    ),
    # -- the loss
    "loss summed over the batch": (loss_of(lambda r, kl, beta: -np.sum(r - beta * kl)), loss),
    "loss with the wrong sign": (loss_of(lambda r, kl, beta: np.mean(r - beta * kl)), loss),
    "beta on the wrong term": (loss_of(lambda r, kl, beta: np.mean(kl - beta * r)), beta),
    "beta ignored": (loss_of(lambda r, kl, beta: np.mean(kl - r)), beta),
    # -- importance weights
    "mean of log w (PyTorch-VAE#34)": (importance(lambda x, z, q: np.mean(x + z - q, axis=0)), weights),
    "no log K": (importance(lambda x, z, q: logsumexp(x + z - q, axis=0)), weights),
    "largest weight": (importance(lambda x, z, q: np.max(x + z - q, axis=0)), weights),
    "wrong sign (Pythae get_nll)": (importance(lambda x, z, q: -mean_weight(x + z - q)), weights),
    "weights by the inverse": (importance(lambda x, z, q: -mean_weight(q - x - z)), evidence),
    "softmax of the loss (PyTorch-VAE PR#53)": (
        importance(lambda x, z, q: np.sum((x + z - q) * np.exp(q - x - z - logsumexp(q - x - z, axis=0)), axis=0)),
        evidence,
    ),
    "prior forgotten": (importance(lambda x, z, q: mean_weight(x - q)), one_weight),
    "posterior forgotten": (importance(lambda x, z, q: mean_weight(x + z)), one_weight),
    "averaged over the batch": (importance(lambda x, z, q: mean_weight((x + z - q).T)[: x.shape[1]]), one_weight),
    # -- the likelihood, samples, diagnostics
    "Bernoulli likelihood of grey pixels (pytorch/examples#460, pyro#529)": (
        instead_of(CategoricalLikelihood, "components", lambda self, parameters: Grey(parameters[..., 0])),
        test_likelihoods.test_grey_levels_sum_to_one,
    ),
    "log σ for log σ² in the decoder": (
        instead_of(GaussianLikelihood, "components", lambda self, y: Normal(y[..., 0], 2 * y[..., 1])),
        analytic,
    ),
    "learned variance goes to 0 (sigma-vae-pytorch#10)": (
        instead_of(GaussianLikelihood, "components", lambda self, y: Normal(y[..., 0], y[..., 1])),
        test_vae.test_the_variance_of_a_gaussian_decoder_is_bounded_below,
    ),
    "samples are means of p(x | z)": (sample(lambda z: z, mean=True), moments),
    "samples of a prior with half the variance": (sample(lambda z: z * np.sqrt(0.5)), moments),
    "the seed itself for z and for x": (
        sample(lambda z: z, same_seed=True),
        test_vae.test_z_and_x_are_drawn_one_after_the_other_from_one_generator,
    ),
    "a reconstruction of a sample": (
        reconstruct(lambda q: q.sample((), 0)),
        test_vae.test_the_reconstruction_is_decoded_from_the_posterior_mean,
    ),
    "a reconstruction of the prior's mean": (
        reconstruct(lambda q: 0 * q.mean),
        test_vae.test_the_reconstruction_is_decoded_from_the_posterior_mean,
    ),
    "levels from 0 to 1 into the network": (
        instead_of(
            CategoricalLikelihood, "to_network", lambda self, x, dtype: np.asarray(x, dtype) / (self.numbers - 1)
        ),
        partial(test_likelihoods.test_a_network_sees_levels_from_minus_one_to_one, np.float64),
    ),
    "levels divided by their number": (
        instead_of(
            CategoricalLikelihood, "to_network", lambda self, x, dtype: np.asarray(x, dtype) * 2 / self.numbers - 1
        ),
        partial(test_likelihoods.test_a_network_sees_levels_from_minus_one_to_one, np.float64),
    ),
    "levels as they are into an autoencoder": (
        instead_of(Autoencoder, "encode", lambda self, x: self.encoder(np.asarray(x, self.dtype))),
        test_vae.test_an_autoencoder_spreads_levels_as_the_likelihood_says,
    ),
    "active by its standard deviation": (
        instead_of(diagnostics.np, "var", np.std),
        test_diagnostics.test_a_unit_is_active_if_the_variance_of_its_mean_is_above_a_hundredth,
    ),
    "relu on the logits of a decoder": (
        instead_of(ConvDecoder, "forward", lambda self, z, right=ConvDecoder.forward: relu(right(self, z))),
        test_networks.test_the_decoder_is_a_linear_layer_and_two_transposed_convolutions,
    ),
    "collapsed units called active (WorldModels#12)": (
        instead_of(test_diagnostics, "active_units", lambda model, x: np.ones(2, bool)),
        test_diagnostics.test_a_collapsed_dimension_costs_nothing_and_is_not_active,
    ),
    "active by its divergence": (
        instead_of(test_diagnostics, "active_units", lambda model, x: diagnostics.kl_per_dimension(model, x) > 0.01),
        test_diagnostics.test_a_constant_mean_is_not_active_however_far_from_the_prior,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
