"""Errors planted in the bound and in generalised EM: for each there is a test in tests/latent that fails.

Many of these still climb, and draw a good curve: what climbs is no bound, or not the bound that was meant. As in
``test_distribution_errors``, each test has to pass as things are, and its assertion has to fail with the error planted.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import logsumexp
from scratchgen.distributions import Independent, MultivariateNormal, kl_divergence
from scratchgen.distributions.distribution import values
from scratchgen.latent import GaussianPosterior, Points, ThreeTerms, elbo, em, points, theta_steps
from scratchgen.latent.mixture_em import m_step
from tests.latent import test_elbo, test_em, test_points, test_posteriors, test_theta_steps
from tests.museum.test_distribution_errors import Check, Plant, closed_form, instead_of, is_caught

# -- the tests ---------------------------------------------------------------------------------------------------------

gap = partial(test_elbo.test_the_gap_is_the_divergence_from_the_posterior, shift=-0.3, stretch=1.1)
each_term = partial(test_elbo.test_each_of_the_three_terms_in_closed_form, shift=0.2, stretch=-0.9)
tight = test_elbo.test_at_the_posterior_every_single_point_gives_log_p
theta_gradient = partial(test_elbo.test_the_sampled_theta_gradient_is_unbiased, shift=-0.3, stretch=1.1)
discrete = test_elbo.test_a_discrete_z_by_enumeration
curved = partial(test_elbo.test_a_posterior_that_is_not_gaussian, x=[1.0, 0.0])
moments = test_points.test_normal_moments_at_the_nodes
gradients = test_points.test_which_points_carry_a_gradient
nearest = test_posteriors.test_the_nearest_of_independent_dimensions
itself = test_posteriors.test_the_full_family_has_the_posterior_itself
best_theta = partial(test_theta_steps.test_no_small_change_is_better, noise=np.array(0.2))
best_mixture = partial(test_theta_steps.test_no_small_change_of_a_mixture_is_better, covariances=np.ones((3, 2)))
recorded = partial(test_em.test_the_gap_is_the_divergence_from_the_posterior_after_each_half_step, full=True)
monotone = test_em.test_with_an_exact_phi_step_the_likelihood_never_falls
own_half = test_em.test_partial_steps_move_their_own_half
own_gradients = test_em.test_a_partial_step_is_gradient_ascent_on_its_own_gradients

# -- the errors --------------------------------------------------------------------------------------------------------


def total(of_terms: Callable[[Any, Any, Any], Any]) -> Plant:
    """The ELBO put together otherwise from E[log p(x | z)], E[log p(z)] and E[log q]."""
    return instead_of(ThreeTerms, "total", property(lambda self: of_terms(*self)))


def averaged(of_points: Callable[[Any, Any], Any]) -> Plant:
    """Another expectation from the weights and the values at the points."""
    return instead_of(Points, "mean", lambda self, f: of_points(self.weights, f))


def nodes(of_nodes: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Plant:
    right = points.gauss_hermite
    return instead_of(points, "gauss_hermite", lambda dim, order: of_nodes(*right(dim, order)))


def enumeration(weights: Callable[[Any], Any]) -> Plant:
    """Other weights of the values of a discrete z."""
    right = points.enumerated

    def wrong(q: Any) -> Points:
        return right(q)._replace(weights=weights(right(q).weights))

    def plant(patch: pytest.MonkeyPatch) -> None:
        for test in (test_elbo, test_points):
            patch.setattr(test, "enumerated", wrong)

    return plant


def interleaved(model: Any, x: Any, z: Any) -> Any:
    """log p(x | z) where each x is repeated in its place, and so meets the z of others."""
    samples, batch = z.shape[:2]
    p = model.decode(z.reshape(samples * batch, *z.shape[2:]))
    return p.log_prob(np.repeat(x, samples, axis=0)).reshape(samples, batch)


def table(of_posterior: Callable[[GaussianPosterior, np.ndarray], np.ndarray]) -> Plant:
    """Another covariance into the table, from that of the posterior: the numbers after the mean."""

    def wrong(self: GaussianPosterior, posterior: MultivariateNormal) -> None:
        mean, covariance = values(posterior.mean), values(posterior.covariance)
        rest = of_posterior(self, covariance).reshape(len(mean), -1)
        self.encoder.values.assign(np.concatenate([mean, rest], axis=1))

    return instead_of(GaussianPosterior, "move_to", wrong)


def variances(covariance: np.ndarray) -> np.ndarray:
    return np.diagonal(covariance, axis1=1, axis2=2)


def conditional(covariance: np.ndarray) -> np.ndarray:
    """1/Λ_jj"""
    return 1 / variances(np.linalg.inv(covariance))


def regression(
    bias: bool = True, spread: float = 1.0, noise: float = 1.0, q_of: Callable[..., Any] = lambda model, x, q: q
) -> Plant:
    """The θ step with parts left out: b, Cov[z] in the normal equations, Cov[z] in the noise, q."""

    def wrong(model: Any, x: Any, q: Any) -> None:
        q = q_of(model, x, q)
        mean, covariance = values(q.mean), theta_steps.covariance_of(q)
        b = x.mean(axis=0) if bias else np.zeros(x.shape[1])
        centre = mean.mean(axis=0) if bias else 0 * mean[0]
        z, y = mean - centre, x - b
        W = np.linalg.solve(spread * covariance.sum(axis=0) + z.T @ z, z.T @ y).T
        variance = np.mean((y - z @ W.T) ** 2, axis=0) + noise * np.sum(W @ covariance.mean(axis=0) * W, axis=1)
        model.W.assign(W)
        model.b.assign(b - W @ centre)
        model.logvar.assign(np.log(variance if model.logvar.ndim else variance.mean()))

    def plant(patch: pytest.MonkeyPatch) -> None:
        for test in (test_em, test_theta_steps):
            patch.setattr(test, "fit_linear_gaussian", wrong)

    return plant


def mixture_step(r_of: Callable[..., np.ndarray]) -> Plant:
    """The θ step of a mixture with other responsibilities."""

    def wrong(model: Any, x: Any, q: Any) -> None:
        model.load_state(m_step(model, x, r_of(model, x, q), floor=1e-2).state())

    return instead_of(test_theta_steps, "fit_gaussian_mixture", wrong)


def steps(zero: bool = True, sign: float = 1.0, both: bool = False) -> Plant:
    """Gradient steps that forget to zero, go down, or move the other half too."""

    def wrong(bound: Any, optimizer: Any, steps: int) -> Callable[[], None]:
        own = optimizer.parameters.values()
        everything = [*bound.model.parameters().values(), *bound.q.parameters().values()]

        def step() -> None:
            for _ in range(steps):
                if zero:
                    optimizer.zero_grad()
                (-sign * bound()).backward()
                optimizer.step()
                for t in everything if both else ():
                    if not any(t is mine for mine in own):
                        t.assign(t.data - optimizer.lr * t.grad)

        return step

    return instead_of(test_em, "gradient_steps", wrong)


def theta_first(bound: Any, phi_step: Any, theta_step: Any, rounds: int) -> Any:
    return em.alternate(bound, theta_step, phi_step, rounds)


def recording(wrong: Callable[[Any], tuple[float, float]]) -> Plant:
    def record(self: Any, step: str) -> em.Record:
        return em.Record(step, *wrong(self))

    return instead_of(em.Bound, "measure", record)


def joint_at_the_mean(bound: Any) -> float:
    """log p(x, z) at z = E_q[z], as if it were the likelihood."""
    z = values(bound.q(bound.x).mean)
    return float(np.mean(values(bound.model.decode(z).log_prob(bound.x) + bound.model.prior(z).log_prob(z))))


def log_p(bound: Any) -> float:
    return float(np.mean(values(bound.model.log_prob(bound.x))))


PLANTS: dict[str, tuple[Plant, Check]] = {
    # -- the three terms
    "log p(z) forgotten": (total(lambda x, z, q: x - q), gap),
    "entropy forgotten": (total(lambda x, z, q: x + z), gap),
    "entropy with the wrong sign": (total(lambda x, z, q: x + z + q), gap),
    "log p(z) with the wrong sign": (total(lambda x, z, q: x - z - q), tight),
    "likelihood forgotten": (total(lambda x, z, q: z - q), gap),
    "log p(z) averaged over dimensions": (total(lambda x, z, q: x + z / 2 - q), tight),
    "entropy averaged over dimensions": (total(lambda x, z, q: x + z - q / 2), each_term),
    "reconstruction averaged over pixels (pytorch/examples#234, keras#6015)": (
        total(lambda x, z, q: x / 3 + z - q),
        gap,
    ),
    # -- reconstruction − KL
    "KL with the wrong sign (PyTorch-VAE#68)": (
        instead_of(elbo.Elbo, "total", property(lambda self: self.reconstruction + self.kl)),
        gap,
    ),
    "KL swapped": (instead_of(elbo, "kl_divergence", lambda q, p: kl_divergence(p, q)), gap),
    "KL averaged over dimensions (pytorch/examples#290, PyTorch-VAE#56)": (
        closed_form(Independent, lambda q, p: np.mean(kl_divergence(q.base, p.base), axis=-1)),
        gap,
    ),
    "gap with the wrong sign": (instead_of(test_elbo, "gap", lambda *args: -elbo.gap(*args)), gap),
    "gap of the discrete z swapped": (
        instead_of(test_elbo, "gap", lambda model, x, q: kl_divergence(model.posterior(x), q)),
        discrete,
    ),
    "each x with the z of others": (instead_of(elbo, "log_p_x_given_z", interleaved), gap),
    # -- the expectation
    "sum over the samples": (averaged(lambda w, f: np.sum(f, axis=0)), gap),
    "nodes that count alike": (averaged(lambda w, f: np.mean(f, axis=0)), curved),
    "logarithm of the mean of the exponentials": (averaged(lambda w, f: logsumexp(np.log(w) + f, axis=0)), gap),
    "mean over the batch, too": (averaged(lambda w, f: np.mean(np.sum(w * f, axis=0)) + 0 * f[0]), each_term),
    "nodes of the other Hermite polynomials": (nodes(lambda eta, w: (eta / np.sqrt(2), w)), moments),
    "weights that sum to √2π": (nodes(lambda eta, w: (eta, w * np.sqrt(2 * np.pi))), moments),
    "the same node in each dimension": (nodes(lambda eta, w: (eta[:, :1] + 0 * eta, w)), moments),
    "every value of z alike": (enumeration(lambda w: 0 * w + 1 / len(w)), discrete),
    "weights without a gradient": (enumeration(lambda w: w - w + values(w)), gradients),
    "draws with a gradient": (
        instead_of(test_points, "sampled", lambda q, n, rng: points.reparameterised(q, n, rng)),
        gradients,
    ),
    "theta gradient at the mean of q": (
        instead_of(test_elbo, "reparameterised", lambda q, n, noise: points.reparameterised(q, n, noise=0 * noise)),
        theta_gradient,
    ),
    "theta gradient with z from the prior": (
        instead_of(test_elbo, "reparameterised", lambda q, n, noise: points.equally_weighted(q, noise)),
        theta_gradient,
    ),
    # -- the φ step
    "variance of z_j, not of z_j given the others": (table(lambda q, C: np.log(variances(C))), nearest),
    "log of the standard deviation": (table(lambda q, C: 0.5 * np.log(conditional(C))), nearest),
    "log of the precision": (table(lambda q, C: -np.log(conditional(C))), nearest),
    "upper factor": (table(lambda q, C: np.swapaxes(np.linalg.cholesky(C), 1, 2)), itself),
    "diagonal without its logarithm": (table(lambda q, C: np.linalg.cholesky(C)), itself),
    # -- the θ step
    "no intercept": (regression(bias=False), partial(best_theta, q=test_theta_steps.FULL)),
    "z taken for known": (regression(spread=0.0), partial(best_theta, q=test_theta_steps.FULL)),
    "noise without the uncertainty of z": (regression(noise=0.0), partial(best_theta, q=test_theta_steps.FULL)),
    "the posterior in the place of q": (
        regression(q_of=lambda model, x, q: model.posterior(x)),
        partial(best_theta, q=test_theta_steps.MEAN_FIELD),
    ),
    "the posterior of a mixture in the place of q": (
        mixture_step(lambda model, x, q: values(model.posterior(x).probabilities)),
        best_mixture,
    ),
    "a mixture's q made certain, as in k-means": (
        mixture_step(lambda model, x, q: np.eye(3)[np.argmax(values(q.logits), axis=1)]),
        best_mixture,
    ),
    # -- their alternation
    "a step in both halves": (steps(both=True), own_half),
    "gradients left from the step before": (steps(zero=False), own_gradients),
    "down the bound": (steps(sign=-1.0), own_gradients),
    "summed over the batch": (
        instead_of(em.Bound, "__call__", lambda self, right=em.Bound.__call__: right(self) * len(self.x)),
        recorded,
    ),
    "θ before φ": (instead_of(test_em, "alternate", theta_first), monotone),
    "the φ step left out": (instead_of(test_em.Setting, "phi_step", test_em.Setting.note), monotone),
    "records of a gap of the wrong sign": (
        instead_of(em.Record, "gap", property(lambda self: self.elbo - self.log_p)),
        recorded,
    ),
    "likelihood that is the bound": (recording(lambda bound: (bound().item(), bound().item())), recorded),
    "likelihood at the mean of q": (recording(lambda bound: (joint_at_the_mean(bound), bound().item())), recorded),
    "bound that is the likelihood": (recording(lambda bound: (log_p(bound), log_p(bound))), recorded),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


def test_what_is_no_error_is_not_caught() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(regression(), partial(best_theta, q=test_theta_steps.FULL))
