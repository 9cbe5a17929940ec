"""Errors planted in flow matching, as in ``test_dequantisation_errors``: each has a test that fails.

Most are of direction: papers and programs disagree about which end of time is data, and code put together from two of
them learns a velocity that leads nowhere.
"""

import numpy as np
import pytest

from scratchgen.diffusion import (
    ExactVelocity,
    FlowMatching,
    FlowScore,
    RectifiedVelocity,
    exact_velocity,
    pairing,
    rectified,
    runge_kutta,
)
from scratchgen.flows import ContinuousFlow, Transformed
from tests.diffusion import test_exact_velocity as of_velocities
from tests.diffusion import test_flow_matching as of_models
from tests.diffusion import test_pairing as of_pairs
from tests.museum.test_dequantisation_errors import rewritten
from tests.museum.test_distribution_errors import Check, Plant, is_caught
from tests.museum.test_sde_errors import everywhere, of

distance = of(of_models.test_the_loss_is_the_distance_to_the_velocity_plus_a_known_number, 0.3)
by_hand = of_models.test_the_losses_by_hand
drawn = of(of_models.test_what_the_loss_draws, "optimal")
labels = of_models.test_labels_are_taken_away_in_training_only
back = of_models.test_there_and_back
classes = of_models.test_samples_are_of_the_class_that_is_asked_for
likelihood = of(of_models.test_the_likelihood_is_the_density, of_velocities.NORMAL)
probes = of_models.test_by_probes_it_is_the_same_on_average
LOSSES, LOSS, SAMPLE = (FlowMatching, "losses"), (FlowMatching, "loss"), (FlowMatching, "sample")
POINT, TARGET = "(1 - now) * x + now * noise", "(noise - x)"

MODEL_PLANTS: dict[str, tuple[Plant, Check]] = {
    "time reversed: data at t = 1": (rewritten(*LOSSES, POINT, "now * x + (1 - now) * noise"), distance),
    "the target x_0 − x_1": (rewritten(*LOSSES, TARGET, "(x - noise)"), distance),
    "both reversed, and the net told the time as it was": (
        rewritten(
            *LOSSES, f"{POINT}, t, context) - {TARGET}", "now * x + (1 - now) * noise, t, context) - (x - noise)"
        ),
        distance,
    ),
    "the target x_0": (rewritten(*LOSSES, TARGET, "x"), distance),
    "the target is the noise, as in DDPM": (rewritten(*LOSSES, TARGET, "noise"), distance),
    "the point of a diffusion: √(1 − t²) x_0 + t x_1": (
        rewritten(*LOSSES, "(1 - now)", "(1 - now**2) ** 0.5"),
        distance,
    ),
    "the net told 1 − t": (rewritten(*LOSSES, ", t, context)", ", 1 - t, context)"), by_hand),
    "the net not told the time": (rewritten(*LOSSES, ", t, context)", ", 0 * t, context)"), by_hand),
    "the net not told the label": (rewritten(*LOSSES, ", t, context)", ", t)"), by_hand),
    "the mean over dimensions": (rewritten(*LOSSES, "np.sum(", "np.mean("), distance),
    "the sum over the last axis only": (
        rewritten(*LOSSES, "np.sum(miss * miss, axis=tuple(range(1, x.ndim)))", "np.sum(miss * miss, axis=-1)"),
        by_hand,
    ),
    "half the square": (rewritten(*LOSSES, "miss * miss", "0.5 * miss * miss"), distance),
    "the distance, not its square": (
        rewritten(*LOSSES, "np.sum(miss * miss, axis=tuple(range(1, x.ndim)))", "np.sum(miss * miss, axis=1) ** 0.5"),
        distance,
    ),
    "the sum over the batch": (rewritten(*LOSS, "np.mean(", "np.sum("), drawn),
    "the same noise at every call": (rewritten(*LOSS, "generator(rng), contexts", "generator(0), contexts"), drawn),
    "one noise for all rows": (
        rewritten(*LOSS, "rng.standard_normal(x.shape, x.dtype)", "0 * x + rng.standard_normal(x.shape[1:], x.dtype)"),
        drawn,
    ),
    "uniform noise": (rewritten(*LOSS, "rng.standard_normal(x.shape", "rng.random(x.shape"), drawn),
    "one time for the batch": (rewritten(*LOSS, "np.arange(len(x)) / len(x)", "np.zeros(len(x))"), drawn),
    "times of the first half": (
        rewritten(*LOSS, "% 1.0", "% 0.5"),
        drawn,
    ),
    "pairs are made, and not used": (
        rewritten(*LOSS, "noise[PAIRINGS[self.pairing](x, noise, labels)]", "noise"),
        drawn,
    ),
    "the data are permuted, their labels not": (
        rewritten(
            *LOSS,
            "noise = noise[PAIRINGS[self.pairing](x, noise, labels)]",
            "x = x[np.argsort(PAIRINGS[self.pairing](x, noise))]",
        ),
        drawn,
    ),
    "the inverse of the permutation": (
        rewritten(
            *LOSS,
            "noise[PAIRINGS[self.pairing](x, noise, labels)]",
            "noise[np.argsort(PAIRINGS[self.pairing](x, noise, labels))]",
        ),
        drawn,
    ),
    "noise exchanged between classes": (rewritten(*LOSS, "(x, noise, labels)]", "(x, noise)]"), drawn),
    "labels taken away in evaluation too": (
        rewritten(*LOSS, "self.drop if self.training else 0.0", "self.drop"),
        labels,
    ),
    "no labels taken away": (rewritten(*LOSS, "self.drop if self.training else 0.0", "0.0"), labels),
    "samples walked from 0 to 1": (rewritten(*SAMPLE, "np.linspace(1, 0,", "np.linspace(0, 1,"), back),
    "a step too few": (rewritten(*SAMPLE, "steps + 1", "steps"), back),
    "samples of other classes": (rewritten(*SAMPLE, "method, context", "method, context[::-1]"), classes),
    "the sign of the log-determinant": (
        rewritten(Transformed, "log_prob", "+ logabsdet", "- logabsdet"),
        likelihood,
    ),
    "the log-determinant forgotten": (rewritten(Transformed, "log_prob", "+ logabsdet", "+ 0 * logabsdet"), likelihood),
    "the likelihood along the way back": (
        rewritten(ContinuousFlow, "forward", "0.0, 1.0", "1.0, 0.0"),
        likelihood,
    ),
    "probes that are not used": (rewritten(FlowMatching, "flow", "steps, probes)", "steps)"), probes),
}

line = of(of_velocities.test_it_is_the_mean_of_what_passes_by, 0.5)
start = of(of_velocities.test_it_is_the_mean_of_what_passes_by, 0.0)
linear = of(of_velocities.test_the_best_linear_net_for_normal_data_is_it, 0.9)
space = of(of_velocities.test_the_density_solves_the_continuity_equation, of_velocities.SPACE, 0.5)
least = of_velocities.test_the_least_loss_over_all_times
straight = of_velocities.test_rectified_normal_data_are_straight
in_space = of_velocities.test_rectified_in_space
bent = of_velocities.test_the_flow_of_normal_data_ends_as_optimal_transport_does_but_is_bent
one_thing = of(of_velocities.test_velocity_and_score_are_one_thing, of_velocities.DATA, of_velocities.SDES["sub-VP"])
one_step = of_velocities.test_rk4_by_hand
EXACT, SCORE, LEAST = (ExactVelocity, "forward"), (FlowScore, "forward"), (exact_velocity, "least_flow_loss")
OWN, RECTIFIED, RK4 = (rectified, "own_pairs"), (RectifiedVelocity, "forward"), (runge_kutta, "rk4")
users = (of_velocities,)

EXACT_PLANTS: dict[str, tuple[Plant, Check]] = {
    "v of data at t = 1": (rewritten(*EXACT, "x, 1 - t, t)", "x, t, 1 - t)"), linear),
    "v towards the data": (rewritten(*EXACT, "return np.sum(", "return -np.sum("), start),
    "the noise with t²": (rewritten(*EXACT, "(beside(t, x) -", "(beside(t * t, x) -"), linear),
    "a² C for a C": (rewritten(*EXACT, "beside(1 - t, x)", "beside((1 - t) ** 2, x)"), linear),
    "√λ for λ": (rewritten(*EXACT, "* eigenvalues[:, None])", "* eigenvalues[:, None] ** 0.5)"), linear),
    "the mean of the noise left out": (rewritten(*EXACT, "(beside(t, x) -", "(-"), linear),
    "the mean of the data scaled by a": (
        rewritten(*EXACT, "- self.data.means[", "- beside(1 - t, x) * self.data.means["),
        linear,
    ),
    "the axes not turned back": (rewritten(*EXACT, "np.swapaxes(axes, -1, -2)", "axes"), space),
    "the mean over components": (rewritten(*EXACT, "np.sum(responsibilities", "np.mean(responsibilities"), line),
    "components weighed as at t = 0": (
        rewritten(
            *EXACT, "np.exp(log_joint - logsumexp(log_joint, axis=0))", "self.data.weights[:, None] + 0 * log_joint"
        ),
        line,
    ),
    "the least loss without π": (everywhere(*LEAST, "0.5 * math.pi", "0.5", *users), least),
    "the least loss with λ for √λ": (
        everywhere(*LEAST, "np.sum(np.sqrt(eigenvalues))", "np.sum(eigenvalues)", *users),
        least,
    ),
    "the least loss with the times reversed": (
        everywhere(*LEAST, "(1 - now) ** 2 * eigenvalues + now**2", "now**2 * eigenvalues + (1 - now) ** 2", *users),
        linear,
    ),
    "the score uphill of the velocity": (rewritten(*SCORE, "-(x + ", "-(x - "), one_thing),
    "the score without the clock": (rewritten(*SCORE, ", s / (a + s))", ", t)"), one_thing),
    "the clock s / a": (rewritten(*SCORE, ", s / (a + s))", ", np.clip(s / a, 0, 1))"), one_thing),
    "the velocity at x as it is": (rewritten(*SCORE, "x / beside(a + s, x)", "x"), one_thing),
    "the score over s alone": (rewritten(*SCORE, "s * (a + s)", "s"), one_thing),
    "the score over s²": (rewritten(*SCORE, "s * (a + s)", "s * s"), one_thing),
    "the velocity not scaled by a": (rewritten(*SCORE, "beside(a, x) * v", "v"), one_thing),
    "rectified: λ for √λ": (
        rewritten(*RECTIFIED, "np.sqrt(self.data.eigenvalues[0])", "self.data.eigenvalues[0]"),
        straight,
    ),
    "rectified: times reversed": (rewritten(*RECTIFIED, "(a * std + now)", "(now * std + a)"), straight),
    "rectified: the axes not turned back": (rewritten(*RECTIFIED, "@ axes.T", "@ axes"), in_space),
    "own pairs: fresh noise beside the samples": (
        everywhere(*OWN, "method, context), noise", "method, context), model.prior.sample(n, 1)", *users),
        straight,
    ),
    "own pairs: noise first": (
        everywhere(
            *OWN,
            "return model.follow(noise, np.linspace(1, 0, steps + 1), method, context), noise",
            "return noise, model.follow(noise, np.linspace(1, 0, steps + 1), method, context)",
            *users,
        ),
        straight,
    ),
    "own pairs: the other way": (everywhere(*OWN, "np.linspace(1, 0,", "np.linspace(0, 1,", *users), straight),
    "straightness: not over time": (
        everywhere(rectified, "straightness", "np.abs(h) * excess", "excess", *users),
        bent,
    ),
    "straightness: the mean over dimensions": (
        everywhere(
            rectified,
            "straightness",
            "np.sum(np.abs(h) * excess * excess, axis=(0, *range(2, path.ndim)))",
            "np.sum(np.abs(h) * excess * excess, axis=0).mean(axis=-1)",
            *users,
        ),
        bent,
    ),
    "straightness: the length of the path": (
        everywhere(rectified, "straightness", " - (path[-1] - path[0]) / (times[-1] - times[0])", "", *users),
        bent,
    ),
    "RK4: equal weights": (
        everywhere(*RK4, "(k1 + 2 * k2 + 2 * k3 + k4)", "1.5 * (k1 + k2 + k3 + k4)", *users),
        one_step,
    ),
    "RK4: the last slope from the half step": (everywhere(*RK4, "x + h * k3", "x + 0.5 * h * k3", *users), one_step),
    "RK4: the third slope from the first": (
        everywhere(*RK4, "0.5 * h * k2", "0.5 * h * k1", *users),
        one_step,
    ),
    "RK4: half steps at the start of the step": (
        everywhere(*RK4, "k1, t + 0.5 * h)", "k1, t)", *users),
        one_step,
    ),
}

least_cost = of(of_pairs.test_no_permutation_costs_less, (6, 2))
within = of_pairs.test_noise_is_exchanged_within_a_class_only
OPTIMAL = (pairing, "optimal_pairing")

PAIRING_PLANTS: dict[str, tuple[Plant, Check]] = {
    "the dearest pairs": (everywhere(*OPTIMAL, "maximize=True", "maximize=False", of_pairs), least_cost),
    "the permutation of the data": (
        everywhere(*OPTIMAL, ")[1]]", ")[1].argsort()]", of_pairs),
        least_cost,
    ),
    "the nearest noise, for several rows the same": (
        everywhere(*OPTIMAL, "linear_sum_assignment(inner, maximize=True)[1]", "inner.argmax(axis=1)", of_pairs),
        least_cost,
    ),
    "the first axis of an image only": (
        everywhere(
            *OPTIMAL, "x1[rows].reshape(len(rows), -1).T", "(x1[rows].reshape(len(rows), -1) * [1, 0]).T", of_pairs
        ),
        least_cost,
    ),
    "labels not looked at": (everywhere(*OPTIMAL, "labels == label", "labels == labels", of_pairs), within),
    "rows of a class counted from 0": (
        everywhere(*OPTIMAL, "= rows[linear", "= np.arange(len(rows))[linear", of_pairs),
        within,
    ),
}

PLANTS = MODEL_PLANTS | EXACT_PLANTS | PAIRING_PLANTS


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    with np.errstate(all="ignore"):
        is_caught(plant, check)
