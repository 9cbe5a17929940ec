"""Errors planted in the demos of the VAE. What they print and draw would look well, but a test in tests/demos fails.

A plant is a piece of a demo's source and what a slip of the hand could have made of it, as in ``test_data_errors``.
"""

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.demos import test_page02_probe, test_page07_spiral, test_page09_collapse, test_page09_factors
from tests.demos.test_page02_probe import page02
from tests.demos.test_page07_spiral import page07
from tests.demos.test_page09_collapse import page09 as collapse
from tests.demos.test_page09_factors import page09 as factors
from tests.museum.test_distribution_errors import Check, Plant, is_caught


def source(module: Any, right: str, wrong: str) -> Plant:
    """All functions of the module as they would be with ``wrong`` in the place of ``right``."""
    path = Path(module.__file__)
    text = path.read_text(encoding="utf-8")
    assert text.count(right) == 1, f"{right!r} occurs {text.count(right)} times"
    code = compile(text.replace(right, wrong), str(path), "exec")

    def plant(patch: pytest.MonkeyPatch) -> None:
        changed = {"__name__": module.__name__, "__file__": str(path)}
        exec(code, changed)
        for name, value in changed.items():
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                patch.setattr(module, name, value)

    return plant


optimum = partial(test_page09_collapse.test_a_model_with_the_optimal_parameters_is_measured_there, beta=2.0)
moments = test_page09_collapse.test_the_design_has_the_moments_of_the_data
explained = test_page09_factors.test_explained_by_hand
one_known = test_page09_factors.test_codes_that_know_one_factor_tell_that_one
turned = test_page09_factors.test_codes_that_are_turned_tell_all_but_in_no_dimension
across = test_page07_spiral.test_thickness_is_measured_across_the_spiral
gap = test_page07_spiral.test_the_gap_is_between_the_bound_and_the_exact_density_of_the_same_points
standard = test_page02_probe.test_standardised_features_have_mean_0_and_mean_square_1
axes = test_page02_probe.test_principal_axes_keep_what_has_most_variance

PLANTS: dict[str, tuple[Plant, Check]] = {
    "collapse: t for the variance t / beta": (source(collapse, "np.pi * t / beta)", "np.pi * t)"), optimum),
    "collapse: a rate in bits": (
        source(collapse, "return Point(float(rate)", "return Point(float(rate / np.log(2))"),
        optimum,
    ),
    "collapse: ½ of the rate forgotten": (source(collapse, "rate = 0.5 * np", "rate = np"), optimum),
    "collapse: t from all eigenvalues": (
        source(collapse, "EIGENVALUES[k:].sum()\n        if", "EIGENVALUES.sum()\n        if"),
        optimum,
    ),
    "collapse: rate and distortion swapped": (
        source(collapse, "reconstruction, kl = model.elbo", "kl, reconstruction = model.elbo"),
        optimum,
    ),
    "collapse: the sign of the distortion": (
        source(collapse, "-float(reconstruction", "float(reconstruction"),
        optimum,
    ),
    "collapse: points too close together": (source(collapse, "np.sqrt(n) * root.T", "root.T"), moments),
    "collapse: points of the transposed root": (source(collapse, "root.T\n", "root\n"), moments),
    "collapse: points on one side": (source(collapse, "[points, -points]", "[points, points]"), moments),
    "factors: unexplained for explained": (source(factors, "return 1 - np.mean((", "return np.mean(("), explained),
    "factors: standard deviation for variance": (source(factors, "/ np.var(factors", "/ np.std(factors"), explained),
    "factors: both factors at once": (source(factors, "np.var(factors, axis=0)", "np.var(factors)"), explained),
    "factors: swapped": (
        source(factors, "codes[half:], factors[half:]", "codes[half:], factors[half:, ::-1]"),
        one_known,
    ),
    "factors: the best factor for the best dimension": (
        source(factors, "np.max(single, axis=0)", "np.max(single, axis=1)"),
        one_known,
    ),
    "factors: all dimensions for one": (source(factors, "new[:, [j]])) for j", "new[:, [j]])) * 0 + 1 for j"), turned),
    "factors: the farthest neighbours": (
        source(factors, "argpartition(squares", "argpartition(-squares"),
        test_page09_factors.test_neighbours_are_the_nearest,
    ),
    "spiral: along for across": (source(page07, "tangents[:, ::-1] * [1.0, -1.0]", "tangents"), across),
    "spiral: a sum of standard deviations": (
        source(page07, "normals[nearest] ** 2 * std**2", "normals[nearest] ** 2 * std**4"),
        across,
    ),
    "spiral: the farthest place": (source(page07, "axis=-1).argmin(axis=1)", "axis=-1).argmax(axis=1)"), across),
    "spiral: the gap with the wrong sign": (
        source(page07, "gap = exact - bounds[-1]", "gap = bounds[-1] - exact"),
        gap,
    ),
    "spiral: the entropy with the wrong sign": (
        source(page07, "−H = {-SPIRAL.entropy():.3f}", "−H = {SPIRAL.entropy():.3f}"),
        gap,
    ),
    "probe: the test set by its own mean": (
        source(page02, "(test - centre) / size", "(test - test.mean(axis=0)) / size"),
        standard,
    ),
    "probe: a size for each column": (
        source(page02, "(train_set - centre) ** 2)", "(train_set - centre) ** 2, axis=0)"),
        standard,
    ),
    "probe: the least axes": (source(page02, "[2][:CODE].T", "[2][-CODE:].T"), axes),
    "probe: axes of data that are not centred": (source(page02, "svd(train_set - centre,", "svd(train_set,"), axes),
    "probe: labels of any classes": (
        source(page02, "return np.argsort(turn)", "return shuffled"),
        test_page02_probe.test_a_few_labels_are_a_few_of_each_class,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    with np.errstate(all="ignore"):
        is_caught(plant, check)
