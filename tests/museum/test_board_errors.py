"""Errors planted in the leaderboard: for each there is a test in tests/demos that fails."""

from functools import partial

import numpy as np
import pytest

from demos.board import contest, points
from tests.demos import test_leaderboard as board
from tests.demos.recorder import Recorder
from tests.museum.test_data_errors import Check, planted

least = board.test_what_cells_cost_a_normal_distribution
bins = board.test_noise_in_the_bins_turns_a_density_into_a_probability
dice = board.test_the_mixture_of_dice_finds_two_patterns
nan = board.test_nan_is_an_alarm_and_no_likelihood_is_none
chance = partial(board.test_chance_is_no_alarm_and_more_than_chance_is, Recorder())
truth = partial(board.test_the_truth_is_the_first_row_and_perfect, Recorder())


def cells() -> None:
    with pytest.MonkeyPatch.context() as patch:
        board.test_a_transformer_of_cells_is_a_density(patch)


PLANTS: dict[str, tuple[str, str, str, Check]] = {
    "any error excuses": ("contest", ">= -ERRORS * self", ">= -100 * ERRORS * self", chance),
    "no error excuses": ("contest", ">= -ERRORS * self.nats.gap_error - ROUNDING", ">= 0", chance),
    "an alarm for what is above the entropy": ("contest", "not self.nats.gap >=", "self.nats.gap >=", chance),
    "NaN is no alarm": (
        "contest",
        "not self.nats.gap >= -ERRORS * self.nats.gap_error - ROUNDING",
        "self.nats.gap < -ERRORS * self.nats.gap_error - ROUNDING",
        nan,
    ),
    "the sign of the gap": (
        "contest",
        "data.entropy + gap.value, gap.error, gap.value",
        "data.entropy - gap.value, gap.error, -gap.value",
        chance,
    ),
    "the gap for the nats": ("contest", "Nats(data.entropy + gap.value,", "Nats(gap.value,", truth),
    "the area of a cell by one side": ("points", "- 2 * np.log(self.width)", "- np.log(self.width)", cells),
    "samples in the corners of cells": ("points", "+ rng.random((n, 2)))", "- 0.5 * rng.random((n, 2)))", cells),
    "mass outside the cells": (
        "points",
        "values(self.symbols.log_prob(self.cells(z))) - 2 * np.log(self.width), -np.inf",
        "values(self.symbols.log_prob(self.cells(z))) - 2 * np.log(self.width), 0.0",
        cells,
    ),
    "weights of the interval [−1, 1]": ("points", "p, weights / 2, weights / 2", "p, weights, weights / 2", least),
    "cells on the scale of the model": ("points", "2 * np.log(data.std * width)", "2 * np.log(width)", least),
    "bins of another number of levels": (
        "images",
        "DIMS * np.log(2 / LEVELS)",
        "DIMS * np.log(2 / (LEVELS - 1))",
        bins,
    ),
    "the volume of one bin": ("images", "DIMS * np.log(2 / LEVELS)", "np.log(2 / LEVELS)", bins),
    "noise on half of the bin": ("images", "(x + rng.random(x.shape))", "(x + 0.5 * rng.random(x.shape))", bins),
    "noise around the level": ("images", "(x + rng.random(x.shape))", "(x - 0.5 + rng.random(x.shape))", bins),
    "levels rounded up": ("images", "np.floor((values(v) + 1)", "np.ceil((values(v) + 1)", bins),
    "log p of the whole batch": (
        "images",
        "np.logaddexp.reduce(joint, axis=1, keepdims=True)",
        "np.logaddexp.reduce(joint, axis=0, keepdims=True)",
        dice,
    ),
    "a die has 17 free numbers": ("images", "log_p[..., 1:].size", "log_p.size", dice),
}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "PERMUTATIONS", 19)
    monkeypatch.setattr(points, "N", 1000)


@pytest.mark.parametrize(("module", "right", "wrong", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(module: str, right: str, wrong: str, check: Check) -> None:
    caught = pytest.raises((AssertionError, pytest.fail.Exception, contest.BetterThanTheTruth))
    with planted(module, right, wrong, "demos.board"), np.errstate(all="ignore"), caught:
        check()
