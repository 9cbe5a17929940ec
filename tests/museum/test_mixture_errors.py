"""Errors planted in the Gaussian mixture and its EM: for each there is a test in tests/latent that fails.

Many of these still find clusters. As in ``test_distribution_errors``, each test has to pass as things are, and its
assertion has to fail with the error planted.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import no_grad, softmax
from scratchgen.distributions import Categorical, Independent, MultivariateNormal, Normal, scale_tril_from
from scratchgen.latent import GaussianMixture, mixture, mixture_em
from tests.latent import test_mixture, test_mixture_em
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

# -- the mixture -----------------------------------------------------------------------------------------------------

FULL, VARIANCES = test_mixture.FULL, test_mixture.VARIANCES
sum_over_z = partial(test_mixture.test_the_marginal_is_the_sum_over_components, FULL)
diagonal_sum = partial(test_mixture.test_the_marginal_is_the_sum_over_components, VARIANCES)
responsibilities = partial(test_mixture.test_responsibilities_are_the_posterior, FULL)
joints = partial(test_mixture.test_the_joint_of_prior_and_decoder_is_that_of_each_component, FULL)
mixture_moments = partial(test_mixture.test_samples_have_the_moments_of_the_mixture, FULL)


def of_joints(name: str, wrong: Callable[[Any], Any]) -> Plant:
    return instead_of(GaussianMixture, name, lambda self, x: wrong(self.log_joints(x)))


def normals(full: Callable[[Any], Any], diagonal: Callable[[Any], Any] = lambda raw: 2 * raw) -> Plant:
    """Other covariances from the raw parameters."""

    def wrong(means: Any, raw: Any) -> Any:
        if raw.ndim > means.ndim:
            return MultivariateNormal(means, full(raw))
        return Independent(Normal(means, diagonal(raw)), 1)

    return instead_of(mixture, "normals", wrong)


def sampled(z_of: Callable[..., Any], noise: float = 1.0) -> Plant:
    def wrong(self: GaussianMixture, n: int, rng: Any) -> np.ndarray:
        rng = np.random.default_rng(rng)
        z = z_of(self, n, rng)
        with no_grad():
            p = self.decode(z)
            return p.mean.data + noise * (p.sample((), rng) - p.mean.data)

    return instead_of(GaussianMixture, "sample", wrong)


MIXTURE: dict[str, tuple[Plant, Check]] = {
    "unnormalised responsibilities": (of_joints("responsibilities", np.exp), responsibilities),
    "responsibilities that sum to 1 over the rows": (
        of_joints("responsibilities", lambda joint: np.exp(joint) / np.sum(np.exp(joint), axis=0)),
        responsibilities,
    ),
    "responsibilities without p(z)": (
        instead_of(
            GaussianMixture, "responsibilities", lambda self, x: softmax(self.log_joints(x) - np.log(self.weights))
        ),
        responsibilities,
    ),
    "the largest term for the sum": (of_joints("log_prob", lambda joint: np.max(joint, axis=1)), sum_over_z),
    "the sum of logs for the log of the sum": (of_joints("log_prob", lambda joint: np.sum(joint, axis=1)), sum_over_z),
    "the mean for the sum over z": (
        of_joints("log_prob", lambda joint: np.log(np.mean(np.exp(joint), axis=1))),
        sum_over_z,
    ),
    "p(z) forgotten": (instead_of(mixture, "log_softmax", lambda logits: 0 * logits), sum_over_z),
    "logits not normalised": (instead_of(mixture, "log_softmax", lambda logits: logits + 1.0), sum_over_z),
    "a prior of equal weights": (
        instead_of(GaussianMixture, "prior", lambda self, like=None: Categorical(0 * self.logits)),
        joints,
    ),
    "the covariance for its factor": (normals(lambda raw: scale_tril_from(raw) ** 2), sum_over_z),
    "no covariances": (
        normals(lambda raw: np.exp(np.diagonal(raw, axis1=-2, axis2=-1))[..., None] * np.eye(2)),
        sum_over_z,
    ),
    "log σ taken for the log-variance": (normals(scale_tril_from, lambda raw: raw), diagonal_sum),
    "samples of equally many from each": (sampled(lambda self, n, rng: np.arange(n) % 3), mixture_moments),
    "samples are means": (sampled(lambda self, n, rng: self.prior().sample(n, rng), noise=0.0), mixture_moments),
}

# -- EM for it -------------------------------------------------------------------------------------------------------

weighted = partial(test_mixture_em.test_one_step_is_the_weighted_moments, False)
weighted_diagonal = partial(test_mixture_em.test_one_step_is_the_weighted_moments, True)
floored = test_mixture_em.test_raised_is_the_best_covariance_above_the_floor
units = test_mixture_em.test_the_fit_does_not_depend_on_units
seeding = test_mixture_em.test_kmeans_plus_plus_draws_by_the_squared_distance


def mixture_step(
    weights: Callable[..., Any] = lambda r: r.mean(axis=0),
    means: Callable[..., Any] = lambda r, x: (r / r.sum(axis=0)).T @ x,
    covariances: Callable[..., Any] = lambda r, x, new, old: scatter(r / r.sum(axis=0), x, new),
    e_step: Callable[..., Any] = lambda r: r,
) -> Plant:
    """Another EM step from the responsibilities r (N, K); the covariances from the new and the old means too."""

    def wrong(model: GaussianMixture, x: np.ndarray, floor: float = mixture_em.FLOOR) -> GaussianMixture:
        with no_grad():
            r = e_step(model.responsibilities(x).data)
        new = means(r, x)
        C = covariances(r, x, new, model.means.data)
        return mixture_em.mixture(weights(r), new, C, model.diagonal, model.dtype)

    return instead_of(test_mixture_em, "em_step", wrong)


def scatter(w: np.ndarray, x: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Σ_n w_nk (x_n − m_k)(x_n − m_k)ᵀ."""
    centred = x - means[:, None]
    return np.einsum("nk,kni,knj->kij", w, centred, centred)


def hard(r: np.ndarray) -> np.ndarray:
    return np.eye(r.shape[1])[r.argmax(axis=1)]


def root(C: np.ndarray) -> np.ndarray:
    values, Q = np.linalg.eigh(C)
    return (Q * np.sqrt(values)[:, None]) @ np.swapaxes(Q, 1, 2)


def raised_otherwise(wrong: Callable[..., Any]) -> Plant:
    """Another floor, in the module and in the test."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for owner in (mixture_em, test_mixture_em):
            patch.setattr(owner, "raised", wrong)

    return plant


def absolute(C: np.ndarray, x: np.ndarray, floor: float) -> np.ndarray:
    """A floor that is not in units of the variances of x."""
    values, Q = np.linalg.eigh(C)
    return (Q * np.maximum(values, floor)[:, None]) @ np.swapaxes(Q, 1, 2)


def seeded(distance: Callable[..., Any], choose: Callable[..., Any]) -> Plant:
    """Another k-means++: a distance from the means so far, and a choice by it."""

    def wrong(x: np.ndarray, k: int, rng: Any) -> np.ndarray:
        rng = np.random.default_rng(rng)
        chosen = [x[rng.integers(len(x))]]
        while len(chosen) < k:
            chosen.append(x[choose(rng, distance(np.abs(x - np.array(chosen).T)))])
        return np.array(chosen)

    return instead_of(test_mixture_em, "kmeans_plus_plus", wrong)


def proportional(rng: np.random.Generator, d: np.ndarray) -> int:
    return int(rng.choice(len(d), p=d / d.sum()))


MIXTURE_EM: dict[str, tuple[Plant, Check]] = {
    "the old means in the covariance": (
        mixture_step(covariances=lambda r, x, new, old: scatter(r / r.sum(axis=0), x, old)),
        weighted,
    ),
    "the second moment for the covariance": (
        mixture_step(covariances=lambda r, x, new, old: scatter(r / r.sum(axis=0), x, 0 * new)),
        weighted,
    ),
    "N for N_k": (mixture_step(covariances=lambda r, x, new, old: scatter(r / len(x), x, new)), weighted),
    "N_k − 1 for N_k": (
        mixture_step(covariances=lambda r, x, new, old: scatter(r / (r.sum(axis=0) - 1), x, new)),
        weighted,
    ),
    "responsibilities squared": (
        mixture_step(covariances=lambda r, x, new, old: scatter(r**2 / (r**2).sum(axis=0), x, new)),
        weighted,
    ),
    "the standard deviation for the variance": (
        mixture_step(covariances=lambda r, x, new, old: root(scatter(r / r.sum(axis=0), x, new))),
        weighted,
    ),
    "one covariance for all": (
        mixture_step(covariances=lambda r, x, new, old: 0 * new[:, :, None] + scatter(r / len(x), x, new).sum(axis=0)),
        weighted,
    ),
    "variances averaged over the dimensions": (
        mixture_step(
            covariances=lambda r, x, new, old: (
                np.trace(scatter(r / r.sum(axis=0), x, new), axis1=1, axis2=2)[:, None, None] * np.eye(2) / 2
            )
        ),
        weighted_diagonal,
    ),
    "means that are not normalised": (mixture_step(means=lambda r, x: r.T @ x / len(x)), weighted),
    "weights that stay equal": (mixture_step(weights=lambda r: np.full(3, 1 / 3)), weighted),
    "hard assignments: k-means": (mixture_step(e_step=hard), weighted),
    "a floor in absolute units": (raised_otherwise(absolute), floored),
    "a floor that is added": (
        raised_otherwise(lambda C, x, floor: C + floor * np.diag(np.var(x, axis=0))),
        floored,
    ),
    "a floor that is added, seen in the likelihood": (
        raised_otherwise(lambda C, x, floor: C + floor * np.diag(np.var(x, axis=0))),
        test_mixture_em.test_a_floor_that_no_component_is_at_leaves_the_optimum_alone,
    ),
    "no floor": (raised_otherwise(lambda C, x, floor: C), floored),
    "a start that depends on units": (
        instead_of(mixture_em, "standard_deviations", lambda x: np.ones(x.shape[1])),
        units,
    ),
    "k-means++ by the distance, not squared": (seeded(lambda d: d.min(axis=1), proportional), seeding),
    "k-means++ from the last mean only": (
        seeded(lambda d: d[:, -1] ** 2, proportional),
        test_mixture_em.test_the_distance_is_to_the_nearest_of_all_means_so_far,
    ),
    "the farthest row each time": (seeded(lambda d: d.min(axis=1), lambda rng, d: int(np.argmax(d))), seeding),
    "means drawn at random": (seeded(lambda d: d.min(axis=1) > 0, lambda rng, d: proportional(rng, d)), seeding),
}

KINDS = {"model": MIXTURE, "EM": MIXTURE_EM}
PLANTS = {f"{kind}: {name}": plant for kind, plants in KINDS.items() for name, plant in plants.items()}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)


def test_what_is_no_error_is_not_caught() -> None:
    """The step as it is written out here, with nothing changed."""
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(mixture_step(), weighted)
