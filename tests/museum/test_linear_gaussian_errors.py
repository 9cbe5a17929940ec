"""Errors planted in the linear-Gaussian model and its fits: for each there is a test in tests/latent that fails.

A model whose log p(x) is the truth that others are measured by had better be right. As in ``test_distribution_errors``,
each test has to pass as things are, and its assertion has to fail with the error planted.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import no_grad
from scratchgen.distributions import Independent, MultivariateNormal, Normal
from scratchgen.latent import LinearGaussian, ppca
from tests.latent import test_linear_gaussian, test_ppca
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

LOGVAR = test_linear_gaussian.LOGVAR
marginal = partial(test_linear_gaussian.test_the_marginal, LOGVAR)
posterior = partial(test_linear_gaussian.test_the_posterior, LOGVAR)
joint = partial(test_linear_gaussian.test_the_joint_is_the_marginal_times_the_posterior_for_every_z, LOGVAR)
moments = partial(test_linear_gaussian.test_samples_have_the_moments_of_the_marginal, LOGVAR)
closed_form = partial(test_ppca.test_the_closed_form_has_the_likelihood_that_it_says, 2)
stationary = partial(test_ppca.test_the_gradient_is_zero_at_the_closed_form, 2)
highest = test_ppca.test_no_start_leads_to_a_higher_likelihood_than_the_closed_form
variance_kept = test_ppca.test_the_fit_keeps_the_variance_of_the_data
one_step = partial(test_ppca.test_one_step_is_the_regression_of_x_on_z, True)
step_of_ppca = partial(test_ppca.test_one_step_is_the_regression_of_x_on_z, False)
never_falls = partial(test_ppca.test_the_likelihood_never_falls, True)

# -- the linear-Gaussian model ---------------------------------------------------------------------------------------


def log_prob(of_terms: Callable[..., Any]) -> Plant:
    """Another log p(x) from log p(x | z) as a function of z, the posterior mean m, and log det P."""

    def wrong(self: LinearGaussian, x: Any) -> Any:
        m = self.posterior_mean(x)
        log_det = np.linalg.slogdet(self.precision())[1]
        return of_terms(lambda z: self.decode(z).log_prob(x), m, log_det)

    return instead_of(LinearGaussian, "log_prob", wrong)


def square(m: Any) -> Any:
    return np.sum(m * m, axis=-1)


def posterior_of(scale: Callable[[Any], Any]) -> Plant:
    return instead_of(
        LinearGaussian, "posterior", lambda self, x: MultivariateNormal(self.posterior_mean(x), scale(self.precision()))
    )


def method(name: str, wrong: Any) -> Plant:
    return instead_of(LinearGaussian, name, wrong)


def decoded(change: Callable[[Any], Any]) -> Plant:
    def wrong(self: LinearGaussian, z: Any) -> Independent:
        return Independent(Normal(z @ self.W.T + self.b, change(self.logvar)), 1)

    return method("decode", wrong)


def drawn(z_of: Callable[..., Any], noise_of: Callable[[Any], Any]) -> Plant:
    def wrong(self: LinearGaussian, n: int, rng: Any) -> np.ndarray:
        rng = np.random.default_rng(rng)
        z = z_of(rng.standard_normal((n, self.latent)))
        return z @ self.W.data.T + self.b.data + noise_of(self.logvar.data) * rng.standard_normal((n, len(self.b)))

    return method("sample", wrong)


def without_identity(self: LinearGaussian) -> Any:
    return self.scaled().T @ self.W


LINEAR_GAUSSIAN: dict[str, tuple[Plant, Check]] = {
    "log det forgotten": (log_prob(lambda of, m, log_det: of(m) - 0.5 * square(m)), marginal),
    "log det not halved": (log_prob(lambda of, m, log_det: of(m) - 0.5 * square(m) - log_det), marginal),
    "log det with the wrong sign": (log_prob(lambda of, m, log_det: of(m) - 0.5 * square(m) + 0.5 * log_det), marginal),
    "log p(x | m) taken for log p(x)": (log_prob(lambda of, m, log_det: of(m)), marginal),
    "the prior of m forgotten": (log_prob(lambda of, m, log_det: of(m) - 0.5 * log_det), marginal),
    "taken at z = 0, not at m": (log_prob(lambda of, m, log_det: of(0 * m) - 0.5 * log_det), marginal),
    "averaged over the dimensions": (
        log_prob(lambda of, m, log_det: (of(m) - 0.5 * square(m) - 0.5 * log_det) / test_linear_gaussian.D),
        marginal,
    ),
    "P without I": (method("precision", without_identity), marginal),
    "Ψ for Ψ⁻¹": (method("scaled", lambda self: np.exp(self.logvar)[..., None] * self.W), marginal),
    "log Ψ for Ψ": (method("scaled", lambda self: self.W / self.logvar[..., None]), marginal),
    "standard deviations for Ψ": (method("scaled", lambda self: np.exp(-0.5 * self.logvar)[..., None] * self.W), joint),
    "C with standard deviations": (
        method("covariance", lambda self: self.W @ self.W.T + np.exp(0.5 * self.logvar) * np.eye(5)),
        marginal,
    ),
    "log-variance taken for log σ": (decoded(lambda logvar: 2 * logvar), marginal),
    "all noise alike": (decoded(lambda logvar: np.mean(logvar)), marginal),
    "b not subtracted": (
        method("posterior_mean", lambda self, x: x @ np.linalg.solve(self.precision(), self.scaled().T).T),
        posterior,
    ),
    "a regression without shrinkage": (
        method("posterior_mean", lambda self, x: (x - self.b) @ np.linalg.pinv(self.W.data).T + 0 * self.W[0]),
        posterior,
    ),
    "P for its inverse": (posterior_of(np.linalg.cholesky), posterior),
    "the covariance for its factor": (posterior_of(np.linalg.inv), posterior),
    "the transposed factor": (posterior_of(lambda P: np.linalg.inv(np.linalg.cholesky(P))), posterior),
    "a posterior that is too narrow": (posterior_of(lambda P: 0.9 * np.linalg.cholesky(np.linalg.inv(P))), joint),
    "samples without noise": (drawn(lambda z: z, lambda logvar: 0.0), moments),
    "samples with the variance for the standard deviation": (drawn(lambda z: z, np.exp), moments),
    "samples with one z for all": (drawn(lambda z: 0 * z + z[:1], lambda logvar: np.exp(0.5 * logvar)), moments),
}

# -- its fits --------------------------------------------------------------------------------------------------------


def spectrum(change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], ddof: int = 0) -> Plant:
    """Other eigenvalues and eigenvectors, largest first."""

    def wrong(x: np.ndarray, latent: int) -> tuple[np.ndarray, np.ndarray]:
        eigenvalues, vectors = np.linalg.eigh(np.cov(x, rowvar=False, ddof=ddof))
        return change(eigenvalues[::-1], vectors[:, ::-1])

    return instead_of(ppca, "spectrum", wrong)


def fit(W_of: Callable[..., Any], noise_of: Callable[..., Any]) -> Plant:
    """Another closed form, from the eigenvalues, the eigenvectors and M."""

    def wrong(x: np.ndarray, latent: int) -> LinearGaussian:
        eigenvalues, U = ppca.spectrum(x, latent)
        noise = noise_of(eigenvalues, latent)
        return LinearGaussian(W_of(eigenvalues[:latent], U[:, :latent], noise), x.mean(axis=0), np.log(noise))

    return instead_of(test_ppca, "fit_ppca", wrong)


def right_W(eigenvalues: Any, U: Any, noise: Any) -> Any:
    return U * np.sqrt(np.maximum(eigenvalues - noise, 0))


def left_out(eigenvalues: np.ndarray, latent: int) -> Any:
    return np.mean(eigenvalues[latent:])


def best(of: Callable[..., float]) -> Plant:
    def wrong(x: np.ndarray, latent: int) -> float:
        eigenvalues = ppca.spectrum(x, latent)[0]
        noise, D = np.mean(eigenvalues[latent:]), len(eigenvalues)
        return -0.5 * (D * np.log(2 * np.pi) + of(np.log(eigenvalues[:latent]).sum(), np.log(noise), D, latent))

    return instead_of(test_ppca, "best_log_likelihood", wrong)


def em(
    moment: Callable[..., Any] = lambda N, m, C: N * C + m.T @ m,
    noise: Callable[..., Any] = lambda r, W, old, C: np.mean(r**2, axis=0) + np.sum(W @ C * W, axis=1),
    tied: Callable[..., Any] = np.mean,
    b: Callable[..., Any] = lambda x, model: x.mean(axis=0),
) -> Plant:
    """Another EM step: Σ E[z zᵀ], the noise from the residuals r, its mean over the columns, b."""

    def wrong(model: LinearGaussian, x: np.ndarray) -> LinearGaussian:
        mean = b(x, model)
        with no_grad():
            m = LinearGaussian(model.W.data, mean, model.logvar.data).posterior_mean(x).data
            C = np.linalg.inv(model.precision().data)
        W = np.linalg.solve(moment(len(x), m, C), m.T @ (x - mean)).T
        variance = noise(x - mean - m @ W.T, W, model.W.data, C)
        return LinearGaussian(W, mean, np.log(variance if model.logvar.ndim else tied(variance)))

    return instead_of(test_ppca, "em_step", wrong)


FITS: dict[str, tuple[Plant, Check]] = {
    "divided by N − 1": (spectrum(lambda values, U: (values, U), ddof=1), stationary),
    "the smallest eigenvalues": (spectrum(lambda values, U: (values[::-1], U[:, ::-1])), highest),
    "rows for columns of U": (spectrum(lambda values, U: (values, U.T)), stationary),
    "noise not subtracted": (fit(lambda values, U, noise: U * np.sqrt(values), left_out), variance_kept),
    "no square root": (fit(lambda values, U, noise: U * (values - noise), left_out), stationary),
    "plain PCA: W = U": (fit(lambda values, U, noise: U, left_out), stationary),
    "noise summed over the dimensions": (fit(right_W, lambda values, M: np.sum(values[M:])), closed_form),
    "noise averaged over all D": (fit(right_W, lambda values, M: np.sum(values[M:]) / len(values)), closed_form),
    "noise of all eigenvalues": (fit(right_W, lambda values, M: np.mean(values)), closed_form),
    "one eigenvalue too many left out": (fit(right_W, lambda values, M: np.mean(values[M - 1 :])), closed_form),
    "likelihood without its trace": (best(lambda s, noise, D, M: s + (D - M) * noise), closed_form),
    "likelihood with one s²": (best(lambda s, noise, D, M: s + noise + D), closed_form),
    "likelihood with D of s²": (best(lambda s, noise, D, M: s + D * noise + D), closed_form),
    "certain z: no covariance in Σ E[z zᵀ]": (em(moment=lambda N, m, C: m.T @ m), one_step),
    "the covariance once, not N times": (em(moment=lambda N, m, C: C + m.T @ m), one_step),
    "certain z: no covariance in the noise": (em(noise=lambda r, W, old, C: np.mean(r**2, axis=0)), one_step),
    "the old W in the noise": (
        em(noise=lambda r, W, old, C: np.mean(r**2, axis=0) + np.sum(old @ C * old, axis=1)),
        one_step,
    ),
    "noise summed over the rows": (em(noise=lambda r, W, old, C: np.sum(r**2, axis=0)), never_falls),
    "the noise's standard deviation": (
        em(noise=lambda r, W, old, C: np.sqrt(np.mean(r**2, axis=0) + np.sum(W @ C * W, axis=1))),
        never_falls,
    ),
    "N − 1 in the noise": (
        em(noise=lambda r, W, old, C: np.sum(r**2, axis=0) / (len(r) - 1) + np.sum(W @ C * W, axis=1)),
        one_step,
    ),
    "one s² by the sum over columns": (em(tied=np.sum), step_of_ppca),
    "b never fitted": (em(b=lambda x, model: model.b.data), one_step),
}

KINDS = {"model": LINEAR_GAUSSIAN, "fit": FITS}
PLANTS = {f"{kind}: {name}": plant for kind, plants in KINDS.items() for name, plant in plants.items()}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


RIGHT = {"EM": (em(), one_step), "EM, one s²": (em(), step_of_ppca), "closed form": (fit(right_W, left_out), highest)}


@pytest.mark.parametrize(("plant", "check"), RIGHT.values(), ids=RIGHT)
def test_what_is_no_error_is_not_caught(plant: Plant, check: Check) -> None:
    """The steps as they are written out here, with nothing changed."""
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(plant, check)
