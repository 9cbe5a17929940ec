"""Errors planted in diffusion by SDEs, as in ``test_dequantisation_errors``: each has a test that fails.

g where g² is needed has been in intro_dgm's code; a test of the exact divergence with a constant velocity, which cannot
fail, in that of flow matching.
"""

import sys
from functools import partial
from types import ModuleType

import numpy as np
import pytest

from scratchgen.diffusion import (
    SDE,
    VE,
    VP,
    DenoisingScoreMatching,
    EnergyScore,
    ExplicitScoreMatching,
    GaussianMixtureData,
    Marginals,
    ProbabilityVelocity,
    Reverse,
    ScoreModel,
    SlicedScoreMatching,
    SubVP,
    exact,
    integrators,
    likelihood,
)
from scratchgen.flows import divergence
from tests.diffusion import test_exact as of_mixtures
from tests.diffusion import test_integrators as of_steps
from tests.diffusion import test_likelihood as of_likelihoods
from tests.diffusion import test_score as of_scores
from tests.diffusion import test_sde as of_sdes
from tests.flows import test_divergence as of_divergences
from tests.museum.test_dequantisation_errors import rewritten
from tests.museum.test_distribution_errors import Check, Plant, is_caught

langevin_module = sys.modules["scratchgen.diffusion.langevin"]  # by its name one gets the function in it


def everywhere(module: ModuleType, name: str, right: str, wrong: str, *users: ModuleType) -> Plant:
    """As ``rewritten``, and in each of the modules that have imported the function by its name."""
    plant = rewritten(module, name, right, wrong)

    def planted(patch: pytest.MonkeyPatch) -> None:
        plant(patch)
        for user in users:
            patch.setattr(user, name, getattr(module, name))

    return planted


def of(test: object, *args: object, **kwargs: object) -> Check:
    return partial(test, *args, **kwargs)  # type: ignore[arg-type]


VP_, SUB, VE_ = of_sdes.SDES["VP, gentle"], of_sdes.SDES["sub-VP"], of_sdes.SDES["VE"]
moments = {
    name: of(of_sdes.test_the_marginal_solves_the_equations_of_its_moments, sde)
    for name, sde in {"VP": VP_, "sub-VP": SUB, "VE": VE_}.items()
}
mixture = of(of_sdes.test_the_densities_of_a_mixture_solve_the_equation_of_the_way_back, VP_, False)
mixture_flow = of(of_sdes.test_the_densities_of_a_mixture_solve_the_equation_of_the_way_back, VP_, True)
normal = of(of_sdes.test_the_reverse_sde_keeps_the_moments_of_normal_data, VP_)
digits = of(of_sdes.test_near_time_0_the_noise_keeps_its_digits, VP_)
rows = of(of_sdes.test_a_time_for_each_row, VP_)
by_hand = of_sdes.test_the_three_families_by_hand
prior = of(of_sdes.test_the_prior_is_near_the_last_marginal, VE_)

SDE_PLANTS: dict[str, tuple[Plant, Check]] = {
    "g in place of g², in reverse": (rewritten(Reverse, "__call__", "f - g * g * score", "f - g * score"), mixture),
    "½ g² in place of g², in reverse": (
        rewritten(Reverse, "__call__", "f - g * g * score", "f - 0.5 * g * g * score"),
        mixture,
    ),
    "no ½ in the probability flow": (
        rewritten(Reverse, "__call__", "f - 0.5 * g * g * score", "f - g * g * score"),
        mixture_flow,
    ),
    "½ g in the probability flow": (rewritten(Reverse, "__call__", "0.5 * g * g", "0.5 * g"), mixture_flow),
    "up the score with the wrong sign": (rewritten(Reverse, "__call__", "f - g * g", "f + g * g"), normal),
    "the flow with the wrong sign": (rewritten(Reverse, "__call__", "f - 0.5", "f + 0.5"), mixture_flow),
    "time that runs the wrong way: −f": (rewritten(Reverse, "__call__", "f - g * g", "-f - g * g"), normal),
    "no noise in reverse": (rewritten(Reverse, "__call__", "score, g  #", "score, 0 * g  #"), normal),
    "noise in the probability flow": (rewritten(Reverse, "__call__", "np.zeros_like(g)", "g"), mixture_flow),
    "a drift without ½": (rewritten(SDE, "__call__", "-0.5 * self.rate", "-self.rate"), moments["VP"]),
    "a drift away from 0": (rewritten(SDE, "__call__", "-0.5", "0.5"), moments["VP"]),
    "β for g, its root": (rewritten(VP, "diffusion", "np.sqrt(self.rate(t))", "self.rate(t)"), moments["VP"]),
    "B without ½": (rewritten(VP, "total", "0.5 * ", ""), moments["VP"]),
    "B as β t": (rewritten(VP, "total", "0.5 * (self.beta_max - self.beta_min) * t * t", "0.0"), by_hand),
    "a without its root": (rewritten(VP, "marginal", "-0.5 * B", "-B"), moments["VP"]),
    "a variance for s": (rewritten(VP, "marginal", "np.sqrt(-np.expm1(-B))", "-np.expm1(-B)"), moments["VP"]),
    "1 − exp": (rewritten(VP, "marginal", "-np.expm1(-B)", "1 - np.exp(-B)"), digits),
    "sub-VP: e^{−B} for e^{−2B}": (rewritten(SubVP, "diffusion", "-2 * self", "-1 * self"), moments["sub-VP"]),
    "sub-VP: the root of s": (
        rewritten(SubVP, "marginal", "-np.expm1(-B)", "np.sqrt(-np.expm1(-B))"),
        moments["sub-VP"],
    ),
    "VE: v for v − v₀": (
        rewritten(
            VE,
            "marginal",
            "np.expm1(2 * math.log(self.std_max / self.std_min) * t)",
            "np.exp(2 * math.log(self.std_max / self.std_min) * t)",
        ),
        moments["VE"],
    ),
    "VE: g as the standard deviation": (
        rewritten(VE, "diffusion", " * math.sqrt(2 * log_ratio)", ""),
        moments["VE"],
    ),
    "VE: the root of 2 forgotten": (rewritten(VE, "diffusion", "2 * log_ratio", "log_ratio"), moments["VE"]),
    "VE: a standard deviation for the variance of the prior": (
        rewritten(VE, "prior_variance", " ** 2", ""),
        prior,
    ),
    "the prior of VE is that of VP": (
        rewritten(VE, "prior_variance", "float(self.marginal(1.0)[1]) ** 2", "1.0"),
        prior,
    ),
    "x_t with the variance for s": (rewritten(SDE, "perturb", "beside(s, x)", "beside(s * s, x)"), rows),
    "x_t with a²": (rewritten(SDE, "perturb", "beside(a, x)", "beside(a * a, x)"), rows),
}

gradient = of(of_mixtures.test_the_score_is_the_gradient_of_log_prob, VP(), 0.5)
density = of(of_mixtures.test_log_prob_is_that_of_the_distribution, VP(), 0.5)
blurred = of(of_mixtures.test_p_t_is_the_data_blurred, VP())
guess = of_mixtures.test_the_best_guess_is_the_posterior_mean
least = of(of_mixtures.test_the_least_noise_loss, 0.9, 0.3)
axes = of_mixtures.test_axes_that_are_not_their_own_inverse
far = of_mixtures.test_far_away_nothing_underflows

EXACT_PLANTS: dict[str, tuple[Plant, Check]] = {
    "the score of x₀ at x_t": (
        rewritten(Marginals, "score", "self.data.score(x, *self.sde.marginal(t))", "self.data.score(x)"),
        gradient,
    ),
    "means that are not scaled": (rewritten(GaussianMixtureData, "terms", "a * means", "means"), density),
    "a in place of a²": (rewritten(GaussianMixtureData, "terms", "a * a * eigenvalues", "a * eigenvalues"), density),
    "s in place of s²": (rewritten(GaussianMixtureData, "terms", "+ s * s", "+ s"), density),
    "the same s in place of s² in the distribution too": (
        rewritten(GaussianMixtureData, "terms", "+ s * s", "+ s"),
        blurred,
    ),
    "no log-determinant": (rewritten(GaussianMixtureData, "terms", " + np.log(variances)", ""), density),
    "one dimension's 2π": (rewritten(GaussianMixtureData, "terms", "self.dims * LOG_2PI", "LOG_2PI"), density),
    "components that are equally likely": (
        rewritten(GaussianMixtureData, "terms", "np.log(self.weights)", "np.log(0 * self.weights + 0.5)"),
        density,
    ),
    "the axes transposed, there": (
        rewritten(GaussianMixtureData, "terms", "self.eigenvectors.astype", "self.eigenvectors.swapaxes(1, 2).astype"),
        axes,
    ),
    "the axes not turned back": (
        rewritten(GaussianMixtureData, "score", "np.swapaxes(self.eigenvectors, -1, -2)", "self.eigenvectors"),
        axes,
    ),
    "a score downhill": (rewritten(GaussianMixtureData, "score", "-np.sum(", "np.sum("), gradient),
    "the mean over components": (rewritten(GaussianMixtureData, "score", "np.sum(", "np.mean("), gradient),
    "densities, not their logarithms": (
        rewritten(
            GaussianMixtureData,
            "score",
            "np.exp(log_joint - logsumexp(log_joint, axis=0))",
            "np.nan_to_num(np.exp(log_joint) / np.exp(log_joint).sum(axis=0))",
        ),
        far,
    ),
    "Tweedie with s": (rewritten(GaussianMixtureData, "denoised", "np.square(s)", "s"), guess),
    "Tweedie without a": (rewritten(GaussianMixtureData, "denoised", " / beside(a, x)", ""), guess),
    "the least loss with a": (
        everywhere(exact, "least_noise_loss", "a * a * eigen", "a * eigen", of_mixtures),
        least,
    ),
    "the least loss as what is left of x₀": (
        everywhere(exact, "least_noise_loss", "signal / (", "s * s / (", of_mixtures),
        least,
    ),
    "the least loss of one dimension": (
        everywhere(exact, "least_noise_loss", "np.sum(", "np.mean(", of_mixtures),
        least,
    ),
}

one_step = of_steps.test_one_step_of_each_by_hand
orders = {
    name: of(of_steps.test_the_order_of_a_sampler, of_steps.SDES["VP"], *sampler)
    for name, sampler in of_steps.SAMPLERS.items()
}
tolerance = of(of_steps.test_rk45_keeps_its_tolerance, of_steps.SDES["VP"])
too_wide = of(of_steps.test_langevin_ends_too_wide_by_the_known_factor, 0.2)
own_time = of_steps.test_the_corrector_uses_the_score_of_its_own_time
mended = of_steps.test_corrections_mend_what_few_steps_got_wrong
limit = of_steps.test_corrections_do_not_spoil_the_limit
STEP, PC = ("euler_maruyama_step", "x + h * drift + g * abs(h) ** 0.5 * noise"), "predictor_corrector"

STEP_PLANTS: dict[str, tuple[Plant, Check]] = {
    "noise of h, not of its root": (
        rewritten(integrators, *STEP, "x + h * drift + g * abs(h) * noise"),
        orders["Euler–Maruyama"],
    ),
    "noise of g²": (rewritten(integrators, *STEP, "x + h * drift + g * g * abs(h) ** 0.5 * noise"), one_step),
    "forward in time on the way back": (
        rewritten(integrators, *STEP, "x + abs(h) * drift + g * abs(h) ** 0.5 * noise"),
        orders["Euler–Maruyama"],
    ),
    "the time after the step": (
        everywhere(integrators, "euler_maruyama", "x, t, h, next", "x, t + h, h, next", of_steps),
        one_step,
    ),
    "Heun that looks twice at the same time": (
        everywhere(integrators, "heun", "velocity(x + h * v, t + h)", "velocity(x + h * v, t)", of_steps),
        one_step,
    ),
    "Heun that looks twice at the same place": (
        everywhere(integrators, "heun", "velocity(x + h * v, t + h)", "velocity(x, t + h)", of_steps),
        one_step,
    ),
    "Heun without ½": (everywhere(integrators, "heun", "0.5 * h", "h", of_steps), one_step),
    "RK45 without a tolerance": (
        everywhere(integrators, "rk45", "rtol=tolerance,", "rtol=1e-3,", of_steps),
        tolerance,
    ),
    "Langevin with √δ": (rewritten(langevin_module, "langevin_step", "(2 * step)", "step"), too_wide),
    "Langevin with ½ δ and √(2δ)": (
        rewritten(langevin_module, "langevin_step", "step * values", "0.5 * step * values"),
        too_wide,
    ),
    "Langevin downhill": (rewritten(langevin_module, "langevin_step", "x + step", "x - step"), one_step),
    "a corrector at the time before": (
        everywhere(langevin_module, PC, "at_time(score, after)", "at_time(score, t)", of_steps),
        own_time,
    ),
    "a corrector whose steps go with s": (
        everywhere(
            langevin_module,
            PC,
            "2 * (snr * float(sde.marginal(after)[1])) ** 2",
            "2 * snr * float(sde.marginal(after)[1])",
            of_steps,
        ),
        limit,
    ),
    "a corrector that does nothing": (
        everywhere(langevin_module, PC, "range(corrections)", "range(0)", of_steps),
        mended,
    ),
}

exact_density = of(of_likelihoods.test_the_likelihood_is_the_density, VP(0.1, 3.0), of_sdes.DATA)
later = of_likelihoods.test_from_a_later_start_it_is_the_density_of_that_time
signs = of(of_likelihoods.test_all_signs_give_the_exact_divergence, VP(0.1, 8.0))
standard_error = of_likelihoods.test_the_standard_error_is_that_of_the_mean
as_a_flow = of(of_likelihoods.test_it_is_a_flow_like_any_other, 0.3)
trace = of(of_divergences.test_it_is_the_trace_of_the_jacobian, (2, 3))
LL = (likelihood, "log_likelihood")
WD = (divergence, "with_divergence")


def with_constant_velocity() -> None:
    """The test that cannot fail: the divergence of a constant is 0 whatever the formula makes of it."""
    v, exact_value = divergence.with_divergence(lambda x: 0 * x + 1.0, np.ones((2, 3)))
    assert np.all(v == 1) and np.all(exact_value == 0)


LIKELIHOOD_PLANTS: dict[str, tuple[Plant, Check]] = {
    "the integral subtracted": (
        everywhere(*LL, "[:, None] + integrals", "[:, None] - integrals", of_likelihoods),
        exact_density,
    ),
    "the drift of the reverse SDE": (
        everywhere(*LL, "probability_flow=True", "probability_flow=False", of_likelihoods),
        exact_density,
    ),
    "the divergence forgotten": (
        everywhere(*LL, "[:, None] + integrals", "[:, None] + 0 * integrals", of_likelihoods),
        exact_density,
    ),
    "the density at the data": (everywhere(*LL, "base.log_prob(z)", "base.log_prob(x)", of_likelihoods), exact_density),
    "another start": (everywhere(*LL, "[start, 1.0]", "[0.0, 1.0]", of_likelihoods), later),
    "the spread for its error": (everywhere(*LL, " / np.sqrt(K).astype(x.dtype)", "", of_likelihoods), standard_error),
    "the spread of all, not of a sample": (everywhere(*LL, "ddof=1", "ddof=0", of_likelihoods), standard_error),
    "time that is not stretched": (
        rewritten(ProbabilityVelocity, "forward", "(1 - self.start) * flow", "flow"),
        as_a_flow,
    ),
    "a clock that begins at 0": (
        rewritten(ProbabilityVelocity, "forward", "self.start + (1 - self.start) * t", "t"),
        as_a_flow,
    ),
    "no divergence": (everywhere(*WD, "sum(terms)[None]", "0 * sum(terms)[None]", of_divergences), trace),
    "all of the Jacobian": (
        everywhere(*WD, "[0][place] for", "[0].reshape(len(x), -1).sum(axis=1) for", of_divergences),
        trace,
    ),
    "the mean of the diagonal": (
        everywhere(*WD, "sum(terms)[None]", "sum(terms)[None] / len(terms)", of_divergences),
        trace,
    ),
    "a probe on one side": (everywhere(*WD, "[0] * e,", "[0],", of_divergences), trace),
    "probes that are not centred": (
        everywhere(
            divergence,
            "random_signs",
            "2.0 * generator(rng).integers(0, 2, shape) - 1",
            "1.0 * generator(rng).integers(0, 2, shape)",
            of_likelihoods,
        ),
        standard_error,
    ),
    "probes of another variance": (
        everywhere(
            divergence,
            "random_signs",
            "2.0 * generator(rng).integers(0, 2, shape) - 1",
            "2.0 * generator(rng).random(shape) - 1",
            of_likelihoods,
        ),
        standard_error,
    ),
}

same = {
    way: of(of_scores.test_each_way_is_the_distance_of_the_scores_plus_a_known_number, way, of_scores.MODELS["a score"])
    for way in of_scores.CONSTANTS
}
of_energy = of_scores.test_the_trace_is_that_of_the_jacobian_and_of_minus_the_hessian
losses = of_scores.test_the_losses_are_means_of_their_objectives_with_noise_from_rng
in_time = of_scores.test_the_score_model_by_hand
best = of(of_scores.test_the_exact_score_has_the_least_loss, 0.5)
times = of_scores.test_times_are_drawn_from_start_to_1
EXPLICIT, DENOISING, SLICED = (
    (cls, "objective") for cls in (ExplicitScoreMatching, DenoisingScoreMatching, SlicedScoreMatching)
)

SCORE_PLANTS: dict[str, tuple[Plant, Check]] = {
    "explicit: the trace with the wrong sign": (rewritten(*EXPLICIT, "+ divergence", "- divergence"), same["explicit"]),
    "explicit: half of the trace": (rewritten(*EXPLICIT, "+ divergence", "+ 0.5 * divergence"), same["explicit"]),
    "explicit: no ½": (rewritten(*EXPLICIT, "0.5 * np.sum", "np.sum"), same["explicit"]),
    "explicit: the trace without its graph": (rewritten(*EXPLICIT, "as_tensor(x)", "x"), same["explicit"]),
    "explicit: the mean over dimensions": (rewritten(*EXPLICIT, "np.sum(", "np.mean("), same["explicit"]),
    "sliced: the sum over probes": (rewritten(*SLICED, "np.mean(divergences", "np.sum(divergences"), same["sliced"]),
    "sliced: no ½": (rewritten(*SLICED, "0.5 * np.sum", "np.sum"), same["sliced"]),
    "sliced: one probe for all": (
        rewritten(SlicedScoreMatching, "draw_noise", "(self.probes, *x.shape)", "(self.probes, x.shape[1])"),
        losses,
    ),
    "denoising: towards the noise": (
        rewritten(*DENOISING, "+ noise / self.std", "- noise / self.std"),
        same["denoising"],
    ),
    "denoising: the noise itself": (rewritten(*DENOISING, "noise / self.std", "noise"), same["denoising"]),
    "denoising: ε / σ²": (rewritten(*DENOISING, "/ self.std", "/ self.std**2"), same["denoising"]),
    "denoising: the score of x₀": (rewritten(*DENOISING, "x + self.std * noise", "x"), same["denoising"]),
    "denoising: noise of variance σ": (
        rewritten(*DENOISING, "x + self.std * noise", "x + self.std**0.5 * noise"),
        same["denoising"],
    ),
    "denoising: uniform noise": (
        rewritten(
            DenoisingScoreMatching,
            "draw_noise",
            "rng.standard_normal(x.shape, x.dtype)",
            "rng.random(x.shape, x.dtype)",
        ),
        losses,
    ),
    "the gradient of the energy, uphill": (rewritten(EnergyScore, "forward", "-grad(", "grad("), of_energy),
    "in time: the score is the noise": (rewritten(ScoreModel, "forward", "-self.guess", "self.guess"), in_time),
    "in time: over s²": (rewritten(ScoreModel, "forward", "/ s", "/ (s * s)"), in_time),
    "in time: not over s": (rewritten(ScoreModel, "forward", " / s", ""), in_time),
    "in time: the mean over dimensions": (rewritten(ScoreModel, "loss", "np.sum(miss", "np.mean(miss"), in_time),
    "in time: the network is not told the time": (
        rewritten(ScoreModel, "loss", "noise=noise), t)", "noise=noise), 0 * t)"),
        best,
    ),
    "in time: x₀ for x_t": (rewritten(ScoreModel, "loss", "self.sde.perturb(x, t, noise=noise)", "x"), in_time),
    "in time: from 0": (rewritten(ScoreModel, "loss", "self.start + (1 - self.start) * ", ""), times),
    "in time: one time for all": (
        rewritten(ScoreModel, "loss", "rng.random(len(x))", "np.full(len(x), rng.random())"),
        times,
    ),
}

PLANTS = SDE_PLANTS | EXACT_PLANTS | STEP_PLANTS | LIKELIHOOD_PLANTS | SCORE_PLANTS


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    with np.errstate(all="ignore"):
        is_caught(plant, check)


def test_a_constant_velocity_catches_no_error_of_the_divergence() -> None:
    """Which is why the tests here have others."""
    for name in ("no divergence", "all of the Jacobian", "the mean of the diagonal"):
        with pytest.MonkeyPatch.context() as patch:
            LIKELIHOOD_PLANTS[name][0](patch)
            with_constant_velocity()
