"""Errors planted in the diffusion models in steps, as in ``test_distribution_errors``.

A plant is a piece of a function, and what stands in its place. What is caught by a refusal, and not by a wrong number,
is at the end.
"""

import __future__

import inspect
import textwrap
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.diffusion import (
    DDPM,
    Guided,
    LevelDDPM,
    LevelDecoder,
    PriorGap,
    Schedule,
    bound,
    ddpm,
    drawn_steps,
    forward,
    linear,
    reverse_chain,
    samplers,
    schedules,
    variances,
    weightings,
)
from scratchgen.diffusion.targets import TARGETS, V
from tests.diffusion import test_bound as of_bound
from tests.diffusion import test_ddpm as of_model
from tests.diffusion import test_forward as of_forward
from tests.diffusion import test_levels as of_levels
from tests.diffusion import test_samplers as of_samplers
from tests.diffusion import test_schedules as of_schedules
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

tight = [partial(of_bound.test_the_bound_is_log_p_where_the_way_back_is_exact, T, "x0") for T in (2, 10)]
paths = [partial(of_bound.test_every_path_gives_log_p_where_the_way_back_is_exact, 2)]
conditioning = [partial(of_forward.test_the_posterior_is_that_of_gaussian_conditioning, t) for t in (2, 3, 4)]
composed = [of_forward.test_steps_one_after_the_other_are_one_step]
excess = [of_bound.test_the_known_excess_of_beta_and_beta_tilde]
moments = [partial(of_model.test_moments_of_exact_samples, T) for T in (2, 10)]
one_step = [of_model.test_a_step_adds_its_noise_but_for_the_last]
of_variances = [of_model.test_the_variances]
landing = [partial(of_samplers.test_with_the_true_noise_ddim_is_on_q_sample_all_the_way, times=[4, 10], target="eps")]
first_order, second_order = [of_samplers.test_ddim_is_of_first_order], [of_samplers.test_heun_is_of_second_order]
ancestral_noise = [of_samplers.test_eta_1_is_ancestral_sampling_with_beta_tilde]
quiet = [of_samplers.test_ddim_without_noise_needs_none_and_forgets_nothing]
strided = [partial(of_model.test_fewer_steps_are_exact_too, [3, 4, 9, 10])]
told = [of_model.test_a_model_of_fewer_steps_knows_the_time_it_was_trained_with]
guidance = [partial(of_samplers.test_guidance_goes_on_in_the_direction_of_the_label, 3.0)]
loss_is_bound = [partial(of_model.test_the_bound_as_loss_is_the_mean_of_its_terms, variance="beta", decoder=None)]
learned = [of_model.test_a_learned_variance_leaves_the_mean_to_the_error]
simple = [partial(of_model.test_the_simple_loss_is_the_squared_error_of_the_target, target) for target in ("eps", "v")]
weights = [of_forward.test_weights_by_hand]
bayes = [partial(of_levels.test_the_levels_have_the_probabilities_of_bayes_rule, 2)]


def rewritten(owner: Any, name: str, right: str, wrong: str) -> Plant:
    """The method, or function of a module, with ``wrong`` in the place of ``right``, wherever it was imported to."""
    function = inspect.getattr_static(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times"
    namespace: dict[str, Any] = dict(function.__globals__)
    annotations = __future__.annotations.compiler_flag  # as in the file it is from
    exec(compile(source.replace(right, wrong), f"planted {name}", "exec", annotations), namespace)
    return recoded(function, namespace[name])


def recoded(function: Any, wrong: Any) -> Plant:
    """The function with the code of another, which needs no names of its own."""
    return lambda patch: patch.setattr(function, "__code__", wrong.__code__)


def levels(check: Callable[..., None], *counts: int) -> list[Check]:
    return [partial(check, count) for count in counts]


sums = levels(of_bound.test_the_probabilities_of_all_levels_sum_to_one, 2, 17, 256)
spread = levels(of_bound.test_levels_are_spread_over_minus_one_to_one, 2, 17, 256)
bins = levels(of_bound.test_the_mass_of_a_level_is_that_of_its_bin, 2, 17, 256)

BEFORE = "schedule.noise_variance[t - 1]"
PLANTS: dict[str, tuple[Plant, list[Check]]] = {
    # Schedules, and the way to noise.
    "1 − ᾱ as a difference": (
        rewritten(Schedule, "__init__", "-np.expm1(log_alphas_cumprod)", "1.0 - np.exp(log_alphas_cumprod)"),
        [partial(of_schedules.test_the_noise_variance_keeps_its_digits, 1e-14)],
    ),
    "ᾱ in float32": (
        rewritten(Schedule, "__init__", "betas.astype(np.float64)", "betas.astype(np.float32)"),
        [partial(of_schedules.test_the_noise_variance_keeps_its_digits, 1e-8)],
    ),
    "α for ᾱ": (
        rewritten(Schedule, "__init__", "np.cumsum(np.log1p(-betas))", "np.log1p(-betas)"),
        [of_schedules.test_alphas_cumprod_is_the_product_of_one_minus_beta],
    ),
    "the noise times 1 − ᾱ and not its root": (
        rewritten(forward, "q_sample", "np.sqrt(schedule.noise_variance[t])", "schedule.noise_variance[t]"),
        composed,
    ),
    "the data times ᾱ and not its root": (
        rewritten(forward, "q_sample", "np.sqrt(schedule.alphas_cumprod[t])", "schedule.alphas_cumprod[t]"),
        composed,
    ),
    "skipped steps keep their betas": (
        rewritten(
            Schedule, "part", "return Schedule(-np.expm1(np.diff(log_signal)))", "return Schedule(self.betas[times])"
        ),
        [of_schedules.test_fewer_steps_have_the_signal_of_the_same_times],
    ),
    "the distance from the prior without its logarithm": (
        rewritten(Schedule, "prior_kl", " - np.log1p(-signal)", ""),
        [of_schedules.test_the_distance_from_the_prior_is_the_kl_of_normals],
    ),
    "a large distance from the prior passes (tiny-diffusion#4)": (
        instead_of(schedules, "NEAR", 1.0),
        [lambda: warns_of_few_steps()],
    ),
    # The posterior: denoising-diffusion-pytorch#18 is the first of these.
    "ᾱ_{t−1} padded on the wrong side": (
        rewritten(forward, "posterior_coefficients", BEFORE, "np.append(schedule.noise_variance[1:], 1.0)[t]"),
        [*conditioning, *tight],
    ),
    "ᾱ_{t−1} padded on the wrong side: in the coefficient of x_0": (
        rewritten(
            forward,
            "posterior_coefficients",
            "schedule.alphas_cumprod[t - 1]",
            "np.append(schedule.alphas_cumprod[1:], 0.0)[t]",
        ),
        [*conditioning, *tight],
    ),
    "β̃ without β": (
        rewritten(forward, "posterior_coefficients", "c, d, beta * noise_before", "c, d, noise_before"),
        [*conditioning, *tight],
    ),
    "c without its root": (
        rewritten(forward, "posterior_coefficients", "np.sqrt(schedule.alphas_cumprod[t - 1])", "1.0"),
        [*conditioning, *tight],
    ),
    "α for its root": (
        rewritten(forward, "posterior_coefficients", "np.sqrt(1.0 - beta)", "(1.0 - beta)"),
        [*conditioning, *paths],
    ),
    # The variance: DDPM#18, labml#152.
    "beta for beta-tilde": (
        instead_of(reverse_chain, "LOG_VARIANCES", {"beta": variances.log_beta, "beta_tilde": variances.log_beta}),
        [*excess, *of_variances, *ancestral_noise],
    ),
    "beta-tilde for beta": (
        instead_of(
            reverse_chain, "LOG_VARIANCES", {"beta": variances.log_beta_tilde, "beta_tilde": variances.log_beta_tilde}
        ),
        [*excess, *of_variances],
    ),
    "β̃_1 is β_1": (
        rewritten(variances, "log_beta_tilde", "np.log(variance[:1])", "np.log(schedule.betas[1:2])"),
        [of_forward.test_the_two_variances_are_right_for_two_kinds_of_data],
    ),
    "what x_0's own variance adds is forgotten": (
        rewritten(variances, "log_optimal", " + np.square(c).reshape(shape) * x0_variance[1:]", " + 1e-9"),
        [*tight, *moments],
    ),
    "c for c² in it": (
        rewritten(variances, "log_optimal", "np.square(c).reshape", "c.reshape"),
        [*tight, *moments],
    ),
    "the learned share is that of β̃": (
        rewritten(DDPM, "log_variance", "least + share *", "most - share *"),
        of_variances,
    ),
    "the variance as standard deviation of a step": (
        rewritten(DDPM, "p_sample", "np.exp(0.5 * log_variance)", "np.exp(log_variance)"),
        [*one_step, *moments],
    ),
    "noise in the last step": (rewritten(DDPM, "p_sample", "(t > 1) * 1.0", "(t > 0) * 1.0"), [*one_step, *moments]),
    "no noise in the last two": (rewritten(DDPM, "p_sample", "(t > 1) * 1.0", "(t > 2) * 1.0"), [*one_step, *moments]),
    "clamping to [−1, 1] (denoising-diffusion-pytorch#65)": (
        instead_of(DDPM.__init__, "__defaults__", ("eps", "simple", "beta", None, (-1, 1), 0.1, None, None)),
        [of_model.test_clipping_is_for_who_asks_for_it],
    ),
    "ε̂ that does not fit an x̂_0 that is clipped": (
        rewritten(DDPM, "interpreted", 'TARGETS["x0"].to_eps(x0, x_t, a, b)', "target.to_eps(output, x_t, a, b)"),
        [of_model.test_clipping_is_for_who_asks_for_it],
    ),
    # The loss.
    "v with the wrong sign": (
        instead_of(V, "of", lambda self, x0, eps, a, b: b * x0 - a * eps),
        [*simple[1:], partial(of_forward.test_a_target_says_x_0_and_the_noise, "v")],
    ),
    "the mean over dimensions for the sum": (
        instead_of(ddpm, "per_example", lambda y: np.mean(y, axis=tuple(range(1, y.ndim)))),
        simple,
    ),
    "min SNR is max SNR": (rewritten(weightings, "target_weights", "np.minimum", "np.maximum"), weights),
    "weights of x_0 for those of the target": (
        rewritten(weightings, "target_weights", "wanted / own", "wanted"),
        [partial(of_model.test_weights_are_of_the_error_of_x_0_whatever_the_target, "snr")],
    ),
    "one term for all T of them": (
        rewritten(
            DDPM,
            "losses",
            "step_term(self, x, x0, x_t, t, prediction) / p",
            "step_term(self, x, x0, x_t, t, prediction)",
        ),
        loss_is_bound,
    ),
    "the bound without L_T": (rewritten(DDPM, "losses", "prior_term(self, x0) + ", ""), loss_is_bound),
    "the mean learns from the bound of the variance": (
        rewritten(DDPM, "losses", "x0=values(prediction.x0)", "x0=prediction.x0"),
        learned,
    ),
    "steps that are drawn more often count as much": (
        rewritten(
            drawn_steps, "drawn_steps", "np.where(t == 1, first, (1.0 - first) / (T - 1))", "np.full(n, 1.0 / T)"
        ),
        [partial(of_model.test_steps_drawn_more_often_count_less, 0.5)],
    ),
    "labels are never taken away": (
        rewritten(DDPM, "loss", "self.drop if self.training else 0.0", "0.0"),
        [of_model.test_labels_are_taken_away_in_training_only],
    ),
    "labels are taken away in evaluation too": (
        rewritten(DDPM, "loss", "self.drop if self.training else 0.0", "self.drop"),
        [of_model.test_labels_are_taken_away_in_training_only],
    ),
    "t from 0 to T − 1": (
        rewritten(drawn_steps, "drawn_steps", ", T - 1) + 1", ", T - 1)"),
        [of_model.test_the_steps_of_a_batch_are_spread_evenly_and_each_is_uniform],
    ),
    # The bound.
    "KL the other way round": (
        rewritten(
            bound,
            "step_term",
            "kl_divergence(q, Normal(mean[later], log_variance[later]))",
            "kl_divergence(Normal(mean[later], log_variance[later]), q)",
        ),
        excess,
    ),
    "the variance of q for its logarithm": (rewritten(bound, "step_term", "np.log(q_variance)", "q_variance"), tight),
    "rows come back in another order": (
        rewritten(bound, "step_term", "[np.argsort(np.concatenate([first, later]))]", ""),
        [of_bound.test_rows_at_all_steps_at_once],
    ),
    "the bound without its prior term": (
        instead_of(bound.Terms, "total", property(lambda self: self.steps.sum(axis=0))),
        [of_bound.test_noise_that_is_given_and_drawn, *loss_is_bound],
    ),
    "log q forgotten on a path": (rewritten(bound, "along_a_path", "log_p - log_q", "log_p"), paths),
    "a step forwards by ᾱ": (
        rewritten(bound, "along_a_path", "np.sqrt(1.0 - beta)", "np.sqrt(schedule.alphas_cumprod[t])"),
        paths,
    ),
    # Levels: score_sde_pytorch#51 hard-codes 8 bits.
    "256 levels, whatever the data": (
        rewritten(LevelDecoder, "log_prob", "half = 0.5 * (self.levels - 1)", "half = 127.5"),
        bins[:2],
    ),
    "256 levels in the scale": (
        rewritten(LevelDecoder, "to_network", "2.0 * x / (self.levels - 1)", "2.0 * x / 255"),
        spread[:2],
    ),
    "bins as wide as if there were one more": (
        rewritten(LevelDecoder, "to_network", "2.0 * x / (self.levels - 1)", "2.0 * x / self.levels"),
        spread,
    ),
    "a density for a probability": (
        instead_of(
            LevelDecoder, "log_prob", lambda self, x, m, v: -0.5 * (np.log(2 * np.pi) + v + (x - m) ** 2 / np.exp(v))
        ),
        sums,
    ),
    "the log-variance in levels without its square": (
        rewritten(LevelDecoder, "log_prob", "logvar + 2.0 * math.log(half)", "logvar + math.log(half)"),
        bins[1:],
    ),
    "the likelihood of a level by b for b²": (
        rewritten(LevelDDPM, "interpreted", "/ b[..., None]", "/ np.sqrt(b[..., None])"),
        bayes,
    ),
    "levels on the scale of the data, not of x_t": (
        rewritten(LevelDDPM, "interpreted", "a[..., None] * places", "places"),
        bayes,
    ),
    # Samplers: denoising-diffusion-pytorch#81, latent-diffusion#136, diffusers PR#2076.
    "DDIM with ᾱ_t for ᾱ_s": (
        rewritten(samplers, "ddim", "np.sqrt(signal[t - 1])", "np.sqrt(signal[t])"),
        [*landing, *first_order],
    ),
    "DDIM with 1 − ᾱ_t for 1 − ᾱ_s": (
        rewritten(samplers, "ddim", "np.sqrt(variance[t - 1] - added)", "np.sqrt(variance[t] - added)"),
        [*landing, *first_order],
    ),
    "DDIM stops at x_1": (
        rewritten(samplers, "downwards", "range(model.schedule.T, 0, -1)", "range(model.schedule.T, 1, -1)"),
        landing,
    ),
    "DDIM with η = 1 by default": (instead_of(samplers.ddim, "__defaults__", (1.0, None, None, None, None)), quiet),
    "η for η²": (
        rewritten(samplers, "ddim", "eta**2 *", "eta *"),
        [partial(of_samplers.test_the_noise_of_a_step_and_none_in_the_last, 0.3)],
    ),
    "the direction does not make room for the noise": (
        rewritten(samplers, "ddim", "variance[t - 1] - added", "variance[t - 1]"),
        [*ancestral_noise, partial(of_samplers.test_moments_of_many_ddim_steps, 1.0)],
    ),
    "Heun's second answer as it comes, not turned back": (
        rewritten(samplers, "ddim_heun", "v = beside(a[t], x) * eps - beside(b[t], x) * x0", "v = eps"),
        [*second_order, *landing],
    ),
    "Heun asks twice at the same t": (
        rewritten(samplers, "ddim_heun", "model.predict(there, t - 1, context)", "model.predict(there, t, context)"),
        second_order,
    ),
    "Heun keeps the first answer": (
        rewritten(samplers, "ddim_heun", "0.5 * (x0 + values(then.x0))", "x0"),
        second_order,
    ),
    "skipped steps use t − 1": (
        rewritten(DDPM, "part", "self.schedule.part(chosen[1:])", "Schedule(self.schedule.betas[chosen[1:]])"),
        [*strided, *landing],
    ),
    "skipped steps are told their number": (
        rewritten(DDPM, "part", "self.times[chosen]", "np.arange(len(chosen)) / self.schedule.T"),
        [*told, *strided],
    ),
    "guidance away from the label": (
        rewritten(Guided, "forward", "(with_label - without)", "(without - with_label)"),
        guidance,
    ),
    "guidance from the label's model": (
        rewritten(Guided, "forward", "return without + self.scale", "return with_label + self.scale"),
        guidance,
    ),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_error_is_caught(name: str) -> None:
    plant, checks = PLANTS[name]
    for check in checks:
        is_caught(plant, check)


def test_what_is_no_error_is_not_caught() -> None:
    same = rewritten(DDPM, "p_sample", "(t > 1) * 1.0", "1.0 * (t >= 2)")
    for check in (*one_step, *moments):
        with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
            is_caught(same, check)


def warns_of_few_steps() -> None:
    """As ``test_too_few_steps_are_warned_of``, with an assertion."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        linear(100, 1e-4, 0.02)
    assert [w.category for w in found] == [PriorGap]


def test_the_last_beta_of_a_rescaled_schedule_is_refused() -> None:
    """tiny-diffusion#4: what 1000/T does to β where nobody looks."""
    betas: Any = np.linspace(1e-4, 0.02, 10) * 1000 / 10
    assert betas[-1] == 2.0
    with pytest.raises(ValueError, match="0 < beta < 1"):
        Schedule(betas)
    with pytest.raises(ValueError, match="take T > 20"):
        linear(10)


def test_noise_of_the_last_cosine_step_does_not_grow() -> None:
    """guided-diffusion#42: 1/√ᾱ_T times an error of ε̂ is what x̂_0 is off by; of v̂, the error itself."""
    schedule = schedules.cosine(1000)
    a, b = np.sqrt(schedule.alphas_cumprod[-1]), np.sqrt(schedule.noise_variance[-1])
    x_t, error = np.array([0.3]), 1e-3
    off = {
        name: abs((target.to_x0(np.array([0.2]) + error, x_t, a, b) - target.to_x0(np.array([0.2]), x_t, a, b))[0])
        for name, target in TARGETS.items()
    }
    assert off["eps"] > 15 and off["v"] == pytest.approx(error, rel=1e-3) and off["x0"] == pytest.approx(error)
