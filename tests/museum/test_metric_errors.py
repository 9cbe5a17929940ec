"""Errors planted in the comparison of samples: for each there is a test in tests/metrics that fails."""

from functools import partial

import numpy as np
import pytest

from tests.metrics import test_classifier, test_kernel, test_wasserstein
from tests.museum.test_data_errors import Check, planted


def pairs() -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_kernel.test_the_estimate_is_the_sum_over_pairs(patch, 10_000)


def dealt() -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_kernel.test_every_dealing_is_the_estimate_of_its_parts(patch, 10_000)


def in_blocks() -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_kernel.test_every_dealing_is_the_estimate_of_its_parts(patch, 20)


def medians() -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_kernel.test_the_bandwidths_do_not_look_at_whose_the_points_are(patch)


uniform = partial(test_kernel.test_the_p_value_is_uniform_exactly, 2, 4)
rate = test_kernel.test_false_alarms_are_as_rare_as_stated
plans = partial(test_wasserstein.test_no_plan_is_cheaper, 3, 5)
ON_THE_SPHERE = test_wasserstein.test_directions_have_no_length_and_are_uniform_on_the_sphere

PLANTS: dict[str, tuple[str, str, str, Check]] = {
    # MMD.
    "a point with itself is a pair": (
        "kernel",
        "start + np.arange(len(k))] = 0.0",
        "start + np.arange(len(k))]",
        pairs,
    ),
    "divided by n², with the pairs of n(n − 1)": ("kernel", "xx / (n * (n - 1))", "xx / (n * n)", pairs),
    "n for m": ("kernel", "yy / (m * (m - 1))", "yy / (n * (n - 1))", pairs),
    "the mixed pairs once": ("kernel", "- 2 * xy / (n * m)", "- xy / (n * m)", pairs),
    "the sign of the mixed pairs": ("kernel", "- 2 * xy / (n * m)", "+ 2 * xy / (n * m)", pairs),
    "the half forgotten": ("kernel", "(-0.5 / h**2)", "(-1 / h**2)", pairs),
    "variance for bandwidth": ("kernel", "(-0.5 / h**2)", "(-0.5 / h)", pairs),
    "distance for its square": ("kernel", "np.exp(apart *", "np.exp(np.sqrt(np.abs(apart)) *", pairs),
    "a sum of kernels": ("kernel", " / len(bandwidths)  # (3)", "  # (3)", pairs),
    "one term of the square": ("kernel", "- 2 * points[rows] @", "- points[rows] @", pairs),
    "Σ_yy by the wrong sign": ("kernel", "everything - 2 * x_all + xx", "everything - 2 * x_all - xx", dealt),
    "Σ_yy counts the mixed pairs once": ("kernel", "everything - 2 * x_all + xx", "everything - x_all + xx", dealt),
    "blocks overwrite each other": (
        "kernel",
        "xx += (to_x",
        "xx = (to_x",
        in_blocks,
    ),
    "the median of coordinates": (
        "kernel",
        "np.median(pdist(points))",
        "np.median(np.abs(points - points.mean(axis=0)))",
        medians,
    ),
    # The p-value.
    "p without the data's own dealing": ("kernel", "(1 + as_large) / (1 + len", "as_large / (0 + len", rate),
    "the own dealing below, not above": ("kernel", "(1 + as_large) / (1 + len", "(1 + as_large) / (0 + len", uniform),
    "more, not at least as much": (
        "kernel",
        "found[1:] >= found[0] - TIE",
        "found[1:] > found[0] + TIE",
        test_kernel.test_ties_count_against_the_alarm,
    ),
    "the other tail": (
        "kernel",
        "found[1:] >= found[0]",
        "found[1:] <= found[0]",
        test_kernel.test_a_difference_is_seen_and_p_has_its_least_value,
    ),
    "two-sided": (
        "kernel",
        "found[1:] >= found[0] - TIE",
        "np.abs(found[1:]) >= np.abs(found[0]) - TIE",
        uniform,
    ),
    "all rows dealt alike": (
        "kernel",
        "rng.permuted(np.tile(own, (permutations, 1)), axis=1)",
        "np.tile(rng.permutation(own), (permutations, 1))",
        rate,
    ),
    # Wasserstein.
    "unsorted": ("wasserstein", "np.sort(x, axis=0), np.sort(y, axis=0)", "x, y", plans),
    "sorted along the wrong axis": ("wasserstein", "np.sort(x, axis=0),", "np.sort(x, axis=1),", plans),
    "places swapped": (
        "wasserstein",
        "x[places // m] - y[places // n]",
        "x[places // n % n] - y[places // m % m]",
        plans,
    ),
    "steps of one width": (
        "wasserstein",
        "widths @ np.square",
        "np.full(len(widths), 1 / len(widths)) @ np.square",
        plans,
    ),
    "the last step left out": ("wasserstein", "append=n * m)", "append=places[-1])", plans),
    "absolute, not squared": ("wasserstein", "widths @ np.square(", "widths @ np.abs(", plans),
    "the mean of distances, not of squares": (
        "wasserstein",
        "np.sqrt(squares.mean())",
        "np.sqrt(squares).mean()",
        test_wasserstein.test_a_translation,
    ),
    "directions of any length": ("wasserstein", "return thetas / lengths", "return thetas", ON_THE_SPHERE),
    "directions from a cube": (
        "wasserstein",
        "rng.standard_normal((directions",
        "rng.uniform(-1, 1, (directions",
        ON_THE_SPHERE,
    ),
    "the error of the square": (
        "wasserstein",
        "error / (2 * value)",
        "error * 1",
        test_wasserstein.test_the_error_is_the_spread_over_directions,
    ),
    "the spread, not that of the mean": (
        "wasserstein",
        "/ np.sqrt(len(squares)))",
        "/ 1)",
        test_wasserstein.test_the_error_is_the_spread_over_directions,
    ),
    # The classifier.
    "asked for what it has learnt": (
        "classifier",
        ".query(held_out,",
        ".query(learnt[: len(held_out)],",
        test_classifier.test_half_is_right_where_there_is_no_difference,
    ),
    "halves not dealt": (
        "classifier",
        "x, y = x[rng.permutation(len(x))], y[rng.permutation(len(y))]",
        "pass",
        partial(test_classifier.test_the_vote_by_hand, 3),
    ),
}


@pytest.mark.parametrize(("module", "right", "wrong", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(module: str, right: str, wrong: str, check: Check) -> None:
    with planted(module, right, wrong, "scratchgen.metrics"), np.errstate(all="ignore"), pytest.raises(AssertionError):
        check()
