"""Errors planted in the other toys and in the gap to their entropy, as in ``test_toy_errors``."""

from functools import partial

import numpy as np
import pytest

from tests.data import test_entropy_gap
from tests.data import test_more_toys as toys
from tests.museum.test_data_errors import Check, planted


def total(name: str) -> Check:
    return partial(toys.test_the_density_integrates_to_1, make=toys.TOYS[name])


def entropy(name: str) -> Check:
    return partial(toys.test_the_entropy_is_the_sum_of_minus_p_log_p, make=toys.TOYS[name])


def places(name: str) -> Check:
    return partial(toys.test_samples_fall_where_the_density_says, make=toys.TOYS[name])


def known(name: str) -> Check:
    return partial(
        toys.test_entropies_that_are_known, **dict(zip(("make", "expected"), toys.ENTROPIES[name], strict=True))
    )


gap, paired = (
    test_entropy_gap.test_the_gap_is_a_divergence_with_the_error_of_a_mean,
    test_entropy_gap.test_the_gap_is_paired_and_of_fresh_draws,
)

PLANTS: dict[str, tuple[str, str, str, Check]] = {
    # Gaussians.
    "variance for standard deviation": (
        "toys_gaussians",
        "self.variance**0.5",
        "self.variance",
        known("eight Gaussians"),
    ),
    "a normal in one dimension": (
        "toys_gaussians",
        "- np.log(2 * np.pi * self.std**2)",
        "- 0.5 * np.log(2 * np.pi * self.std**2)",
        total("eight Gaussians"),
    ),
    "½ forgotten": ("toys_gaussians", "(2 * self.std**2)", "(self.std**2)", total("eight Gaussians")),
    "weights not used in samples": (
        "toys_gaussians",
        ", p=self.weights",
        "",
        places("Gaussians of unequal weights"),
    ),
    "samples by the variance": (
        "toys_gaussians",
        "+ self.std * rng",
        "+ self.std**2 * rng",
        places("eight Gaussians"),
    ),
    "seven places for eight": (
        "toys_gaussians",
        "np.arange(8) / 8",
        "np.arange(8) / 7",
        toys.test_gaussians_against_scipy,
    ),
    "a grid off its centre": ("toys_gaussians", "(side - 1) / 2", "side / 2", toys.test_gaussians_against_scipy),
    # Two moons and spirals.
    "a moon that does not hang": (
        "toys_curves",
        "[1.0, 0.5] - first",
        "[1.0, 0.5] + first",
        toys.test_moons_are_the_mixture_along_two_half_circles,
    ),
    "samples of whole circles": (
        "toys_curves",
        "math.pi * rng.random",
        "2 * math.pi * rng.random",
        places("two moons"),
    ),
    "½ of each moon forgotten": ("toys_curves", "self.moons)) - math.log(2)", "self.moons))", total("two moons")),
    "labels swapped": (
        "toys_curves",
        "rng.standard_normal((*shape, 2)), k",
        "rng.standard_normal((*shape, 2)), 1 - k",
        toys.test_labels_of_moons_are_those_of_their_curves,
    ),
    "panels too long": (
        "toys_curves",
        "math.pi / (4 * self.std)",
        "math.pi / (40 * self.std)",
        partial(toys.test_the_panels_of_the_moons_are_short_enough, std=0.05),
    ),
    "spirals turned one way in both": (
        "toys_curves",
        "turned(x, -angle)",
        "turned(x, angle + 0.1)",
        toys.test_spirals_are_one_turned,
    ),
    "1/K forgotten": ("toys_curves", " - math.log(self.arms)", "", total("three spirals")),
    "a mirror for a turn": (
        "toys_curves",
        "cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos",
        "cos * x[..., 0] + sin * x[..., 1], sin * x[..., 0] - cos",
        toys.test_spirals_are_one_turned,
    ),
    # Rings.
    "a ring as a line across": ("toys_rings", " + np.log(i0e(r * self.radii / variance))", "", total("rings")),
    "I₀ with its e^v": (
        "toys_rings",
        "np.log(i0e(r * self.radii / variance))",
        "np.log(np.i0(r * self.radii / variance))",
        total("rings"),
    ),
    "the argument of I₀": (
        "toys_rings",
        "i0e(r * self.radii / variance)",
        "i0e(r * self.radii / self.std)",
        toys.test_rings_are_the_average_around_circles,
    ),
    "more on the longer ring": (
        "toys_rings",
        "self.radii[rng.integers(len(self.radii), size=shape)]",
        "rng.choice(self.radii, shape, p=self.radii / self.radii.sum())",
        places("rings"),
    ),
    # The checkerboard.
    "the whole board": (
        "toys_checkerboard",
        "len(self.corners) * self.side**2",
        "(2 * self.size) ** 2",
        total("checkerboard"),
    ),
    "half the board, if of three": (
        "toys_checkerboard",
        "len(self.corners) * self.side**2",
        "(2 * self.size) ** 2 / 2",
        total("checkerboard of three"),
    ),
    "white for black": (
        "toys_checkerboard",
        "% 2 == 0\n        inside",
        "% 2 == 1\n        inside",
        toys.test_the_checkerboard_by_hand,
    ),
    "white for black in samples": (
        "toys_checkerboard",
        "black = (i + j) % 2 == 0",
        "black = (i + j) % 2 == 1",
        places("checkerboard"),
    ),
    "a board without end": (
        "toys_checkerboard",
        "np.where(black & inside",
        "np.where(black",
        toys.test_the_checkerboard_by_hand,
    ),
    "a point for a square": (
        "toys_checkerboard",
        "rng.random((*shape, 2))",
        "rng.random((*shape, 1))",
        places("checkerboard"),
    ),
    # The banana and the pinwheel.
    "bent the other way": (
        "toys_bent",
        "return self.bend * (np",
        "return -self.bend * (np",
        toys.test_the_banana_by_hand,
    ),
    "a mean that is not 0": ("toys_bent", " - self.long_std**2)", ")", toys.test_the_banana_by_hand),
    "a determinant that is not there": (
        "toys_bent",
        "self.short_std\n        return -0.5 * (first**2 + second**2)",
        "self.short_std\n        return -2 * self.bend * x[..., 0] - 0.5 * (first**2 + second**2)",
        total("banana"),
    ),
    "entropy of one dimension": (
        "toys_bent",
        "return 1 + math.log(2 * math.pi * self",
        "return 0.5 + 0.5 * math.log(2 * math.pi * self",
        entropy("banana"),
    ),
    "straightened twice": (
        "toys_bent",
        "points_in_the_plane(x), -1)",
        "points_in_the_plane(x), 1)",
        places("pinwheel"),
    ),
    "arms of one width": (
        "toys_bent",
        "/ [self.long_std, self.short_std]",
        "/ [self.long_std, self.long_std]",
        total("pinwheel"),
    ),
    "an angle by y_1, which folds": (
        "toys_bent",
        "np.hypot(x[..., 0], x[..., 1]) / self.distance",
        "x[..., 0] / self.distance",
        toys.test_the_pinwheel_keeps_areas_and_bends_back,
    ),
    "1/K of arms forgotten": ("toys_bent", " - math.log(self.arms)", "", total("pinwheel")),
    "entropy of arms with the wrong sign": ("toys_bent", "float(entr(", "-float(entr(", entropy("pinwheel")),
    # The gap.
    "the gap with the wrong sign": (
        "entropy_gap",
        "toy.log_prob(x) - log_model",
        "log_model - toy.log_prob(x)",
        gap,
    ),
    "the error of one draw": ("entropy_gap", "d.std(ddof=1) / np.sqrt(n)", "d.std(ddof=1)", gap),
    "the error squared": ("entropy_gap", "d.std(ddof=1) / np.sqrt(n)", "d.var(ddof=1) / n", gap),
    "not paired": ("entropy_gap", "toy.log_prob(x) - log_model", "-toy.entropy() - log_model", paired),
    "the same draws in each part": (
        "entropy_gap",
        "toy.sample(min(BATCH, n - start), rng)",
        "toy.sample(min(BATCH, n - start), 1)",
        paired,
    ),
    "no alarm": (
        "entropy_gap",
        "gap.value < -ERRORS",
        "gap.value < -1 - ERRORS",
        partial(test_entropy_gap.test_better_than_the_truth_is_an_alarm, better=0.1),
    ),
    "an alarm for what is within the error": (
        "entropy_gap",
        "-ERRORS * gap.error - ROUNDING",
        "0",
        test_entropy_gap.test_the_truth_raises_no_alarm,
    ),
}


@pytest.mark.parametrize(("module", "right", "wrong", "check"), PLANTS.values(), ids=PLANTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_planted_error_is_caught(module: str, right: str, wrong: str, check: Check) -> None:
    failures = (AssertionError, pytest.fail.Exception, UserWarning)  # an alarm that fails to come, or should not
    with planted(module, right, wrong), np.errstate(all="ignore"), pytest.raises(failures):
        check()
