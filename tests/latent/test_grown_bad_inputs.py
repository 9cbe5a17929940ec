"""Bad inputs of what a VAE may have besides: what came, what was expected, what to do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scratchgen.distributions import Categorical, Independent, Normal
from scratchgen.latent import (
    IWAE,
    VAE,
    BernoulliLikelihood,
    ConstantVarianceLikelihood,
    FreeBitsVAE,
    GaussianPosterior,
    MixturePrior,
    VampPrior,
    annealed,
    cyclical,
    linear_vae,
    log_joint,
    sampled,
)
from scratchgen.latent.diagnostics import active_units, kl_per_dimension
from scratchgen.latent.linear_vae import as_linear_gaussian
from scratchgen.latent.rate_distortion import effective_sample_size, mutual_information, rate_distortion
from scratchgen.nn import MLP, Module
from tests.latent.test_vae import mlp_vae

BITS = BernoulliLikelihood(6)
PLAIN = mlp_vae(BITS)
PARTS = (PLAIN.encoder, PLAIN.decoder, BITS)
X = np.ones((3, 6), np.float32)
FULL = GaussianPosterior(MLP([6, 6], rng=0), latent=2, full=True)


class Fixed(Module):
    """An encoder that gives the same whatever x is."""

    def __init__(self, output: Any) -> None:
        self.output, self.inner = output, MLP([1, 1], rng=0)

    def forward(self, x: Any) -> Any:
        return self.output


def normals(*shape: int) -> Independent:
    return Independent(Normal(np.zeros(shape, np.float32), np.zeros(shape, np.float32)), 1)


def encoded(output: Any) -> VAE:
    return VAE(Fixed(output), PLAIN.decoder, BITS, latent=2)


def with_prior(prior: Module) -> VAE:
    return VAE(*PARTS, latent=2, learned_prior=prior)


def step(schedule: Callable[[int], float]) -> None:
    annealed(mlp_vae(BITS), schedule)(1)


Call = Callable[[], Any]
BAD: dict[str, tuple[Call, type[Exception], str]] = {
    "no samples": (lambda: IWAE(*PARTS, latent=2, samples=0), ValueError, "samples is 0; it must be at least 1"),
    "half a sample": (lambda: IWAE(*PARTS, latent=2, samples=0.5), TypeError, "samples is 0.5; it must be an int"),
    "no dimension of z": (lambda: IWAE(*PARTS, latent=0, samples=5), ValueError, "latent is 0"),
    "no dimension of free z": (lambda: FreeBitsVAE(*PARTS, latent=0, free=1.0), ValueError, "latent is 0"),
    "an empty batch": (lambda: IWAE(*PARTS, latent=2, samples=5).loss(X[:0], 0), ValueError, "x has 0 rows"),
    "an empty free batch": (lambda: FreeBitsVAE(*PARTS, latent=2, free=1.0).loss(X[:0], 0), ValueError, "0 rows"),
    "an empty batch of marginals": (lambda: PLAIN.log_prob(X[:0], rng=0), ValueError, "x has 0 rows"),
    "neither rng nor noise": (lambda: IWAE(*PARTS, latent=2, samples=5).bound(X), TypeError, "needs rng, or the noise"),
    "noise of one sample": (
        lambda: IWAE(*PARTS, latent=2, samples=5).bound(X, noise=np.zeros((3, 2), np.float32)),
        ValueError,
        r"noise has shape \(3, 2\); with n=5 it must be \(5, 3, 2\)",
    ),
    "negative bits": (lambda: FreeBitsVAE(*PARTS, latent=2, free=-1.0), ValueError, "free is -1.0; .* 0 or more"),
    "NaN bits": (lambda: FreeBitsVAE(*PARTS, latent=2, free=float("nan")), ValueError, "free is nan"),
    "free bits of a full covariance": (
        lambda: FreeBitsVAE(FULL, PLAIN.decoder, BITS, latent=2, free=1.0).loss(X, 0),
        TypeError,
        "q is MultivariateNormal.*independent dimensions",
    ),
    "divergences of a full covariance": (
        lambda: kl_per_dimension(VAE(FULL, PLAIN.decoder, BITS, latent=2), X),
        TypeError,
        "q is MultivariateNormal.*independent dimensions",
    ),
    "divergences from a mixture": (
        lambda: kl_per_dimension(with_prior(MixturePrior(3, 2, rng=0)), X),
        TypeError,
        "the prior Mixture.*independent dimensions",
    ),
    "negative beta": (lambda: step(lambda t: -1.0), ValueError, "schedule gives beta -1.0 for step 0"),
    "beta that becomes negative": (lambda: step(lambda t: 0.5 - t), ValueError, "beta -0.5 for step 1; .* 0 or more"),
    "NaN beta": (lambda: step(lambda t: float("nan")), ValueError, "beta nan"),
    "beta of importance weights": (
        lambda: annealed(IWAE(*PARTS, latent=2, samples=5), lambda t: 1.0),
        TypeError,
        "model is of class IWAE, whose loss has no beta",
    ),
    "beta of free bits": (
        lambda: annealed(FreeBitsVAE(*PARTS, latent=2, free=1.0), lambda t: 1.0),
        TypeError,
        "model is of class FreeBitsVAE",
    ),
    "beta of a network": (lambda: annealed(PLAIN.encoder, lambda t: 1.0), TypeError, "model is of class MLP"),
    "a cycle of negative beta": (lambda: cyclical(-1.0, period=10), ValueError, "beta is -1.0"),
    "a cycle of no steps": (lambda: cyclical(1.0, period=0), ValueError, "period is 0"),
    "a cycle that never rises": (lambda: cyclical(1.0, period=10, rising=0.0), ValueError, "rising is 0.0"),
    "a cycle that rises too long": (lambda: cyclical(1.0, period=10, rising=1.5), ValueError, "rising is 1.5"),
    "a posterior of other z": (
        lambda: encoded(normals(3, 4)).elbo(X, rng=0),
        ValueError,
        r"the encoder gives Independent.*\(4,\)\); here batch_shape must be \(3,\) and event_shape \(2,\)",
    ),
    "a posterior of other x": (lambda: encoded(normals(5, 2)).encode(X), ValueError, r"must be \(3,\)"),
    "a posterior of numbers": (
        lambda: encoded(Normal(np.zeros((3, 2), np.float32), np.float32(0))).encode(X),
        ValueError,
        r"batch_shape=\(3, 2\)",
    ),
    "a posterior without a reparameterisation": (
        lambda: encoded(Independent(Categorical(np.zeros((3, 2, 4), np.float32)), 1)).elbo(X, rng=0),
        NotImplementedError,
        "no reparameterised samples",
    ),
    "a prior of other z": (
        lambda: with_prior(MixturePrior(5, 3, rng=0)).elbo(X, rng=0),
        ValueError,
        r"the learned prior gives Mixture.*event_shape=\(3,\)\); here .* event_shape \(2,\)",
    ),
    "samples of a prior of other z": (
        lambda: with_prior(MixturePrior(5, 3, rng=0)).sample(2, rng=0),
        ValueError,
        "the learned prior gives",
    ),
    "a batch of priors": (lambda: with_prior(Fixed2(normals(5, 2))).elbo(X, rng=0), ValueError, r"must be \(\)"),
    "no components": (lambda: MixturePrior(0, 2, rng=0), ValueError, "components is 0"),
    "components of no z": (lambda: MixturePrior(3, 0, rng=0), ValueError, "latent is 0"),
    "no pseudo-inputs": (lambda: VampPrior(FULL, X[:0]), ValueError, r"pseudo_inputs has shape \(0, 6\)"),
    "one pseudo-input": (lambda: VampPrior(FULL, X[0]), ValueError, r"\(6,\); it must be \(K, …\)"),
    "integer pseudo-inputs": (lambda: VampPrior(FULL, np.ones((3, 6), int)), TypeError, "pseudo_inputs is int64"),
    "pseudo-inputs of a network": (
        lambda: VampPrior(PLAIN.encoder, X)(),
        TypeError,
        "the encoder gives a Tensor; .* GaussianPosterior",
    ),
    "a linear VAE of no x": (lambda: linear_vae(0, 2, rng=0), ValueError, "dim is 0"),
    "a linear VAE of no z": (lambda: linear_vae(5, 0, rng=0), ValueError, "latent is 0"),
    "a VAE that is not linear": (lambda: as_linear_gaussian(PLAIN), TypeError, "the decoder is a MLP and .* Bernoulli"),
    "no variance": (lambda: ConstantVarianceLikelihood(3, 0.0), ValueError, "variance is 0.0; .* above exp.*0.00248"),
    "a variance at its bound": (lambda: ConstantVarianceLikelihood(3, 0.5, least=0.0), ValueError, "variance is 0.5"),
    "NaN variance": (lambda: ConstantVarianceLikelihood(3, float("nan")), ValueError, "variance is nan"),
    "a linear VAE of no noise": (lambda: linear_vae(5, 2, rng=0, fixed=0.0), ValueError, "variance is 0.0"),
    "one variance of nothing": (lambda: ConstantVarianceLikelihood(0), ValueError, r"event_shape\[0\] is 0"),
    "two numbers for one mean": (
        lambda: ConstantVarianceLikelihood(3)(np.zeros((5, 6), np.float32)),
        ValueError,
        "gives 6 numbers for one x, ConstantVarianceLikelihood .* wants 3",
    ),
    "rate of nothing": (
        lambda: rate_distortion(PLAIN, X[:0], sampled(PLAIN.encode(X[:0]), 2, rng=0)),
        ValueError,
        "x has 0 rows",
    ),
    "rate of other x": (
        lambda: rate_distortion(PLAIN, X[:2], sampled(PLAIN.encode(X), 2, rng=0)),
        ValueError,
        "for 2 rows of x",
    ),
    "information of nothing": (
        lambda: mutual_information(sampled(PLAIN.encode(X[:0]), 2, rng=0)),
        ValueError,
        "0 rows",
    ),
    "infinite bits": (lambda: FreeBitsVAE(*PARTS, latent=2, free=np.inf), ValueError, "free is inf; .* and finite"),
    "bits that are no number": (lambda: FreeBitsVAE(*PARTS, latent=2, free="1"), TypeError, "free is '1'; .* a number"),
    "infinite beta": (lambda: step(lambda t: np.inf), ValueError, "schedule gives beta inf"),
    "a cycle of infinite beta": (lambda: cyclical(np.inf, period=10), ValueError, "beta is inf"),
    "a cycle of no number": (lambda: cyclical("1", period=10), TypeError, "beta is '1'; it must be a number"),
    "NaN pseudo-inputs": (lambda: VampPrior(FULL, X * np.nan), ValueError, r"pseudo_inputs has nan at \(0, 0\)"),
    "a learned prior is not linear": (
        lambda: as_linear_gaussian(VAE(*linear_parts(), 2, learned_prior=MixturePrior(3, 2, rng=0))),
        TypeError,
        r"the prior is a MixturePrior; that of \(1\) is N\(0, I\)",
    ),
    "a bound that is no number": (lambda: ConstantVarianceLikelihood(3, least=-np.inf), ValueError, "least is -inf"),
    "a variance that is no number": (lambda: ConstantVarianceLikelihood(3, "1"), TypeError, "variance is '1'"),
    "information of one posterior": (
        lambda: mutual_information(sampled(Independent(Normal(np.zeros(2), 0.0), 1), 2, rng=0)),
        ValueError,
        r"q is Independent.*; its batch_shape must be \(N,\)",
    ),
    "masked x": (lambda: PLAIN.log_prob(np.ma.masked_equal(X, 1), rng=0), TypeError, "x is a masked array"),
    "masked x of a joint": (
        lambda: log_joint(PLAIN, np.ma.masked_equal(X, 1), np.zeros((3, 2), np.float32)),
        TypeError,
        "x is a masked array",
    ),
    "no effective samples": (lambda: effective_sample_size(PLAIN, X, 0, rng=0), ValueError, "samples is 0"),
}


def linear_parts() -> tuple[Module, Module, ConstantVarianceLikelihood]:
    model = linear_vae(6, 2, rng=0)
    return model.encoder, model.decoder, model.likelihood


class Fixed2(Fixed):
    """A prior that is given."""

    def forward(self) -> Any:
        return self.output


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_an_unusable_beta_leaves_the_model_as_it_is() -> None:
    model = mlp_vae(BITS, beta=0.5)
    with pytest.raises(ValueError, match=r"beta -1\.0"):
        annealed(model, lambda step: -1.0)
    assert model.beta == 0.5


def test_units_are_active_or_not_with_any_posterior_and_prior() -> None:
    model = VAE(FULL, PLAIN.decoder, BITS, latent=2, learned_prior=MixturePrior(3, 2, rng=0))
    np.testing.assert_array_equal(active_units(model, X), [False, False])  # all x alike
