"""Errors planted in the models of pixels: for each a test in tests/autoregressive/test_pixels.py fails."""

from functools import partial

import numpy as np
import pytest

from scratchgen.autoregressive import causal_conv, pixelcnn
from scratchgen.autoregressive.pixels import PixelModel
from tests.autoregressive import test_pixels
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

past_1d, rows_above, row_before = causal_conv.past_1d, pixelcnn.rows_above, pixelcnn.row_before
depends = {
    kind: partial(test_pixels.test_each_pixel_depends_on_exactly_all_before, kind, False)
    for kind in ("sequence", "plane")
}
total = {kind: partial(test_pixels.test_total_probability, kind) for kind in ("sequence", "plane")}


def type_b_first(kernel: int, present: bool, dilation: int = 1) -> list:
    return past_1d(kernel, True, dilation)


def masked_square(reach: int, present: bool) -> list:
    """The stack above narrowed to what one stack of masked kernels reaches: straight up and to the left."""
    return [o for o in rows_above(reach, present) if o[1] <= 0]


PLANTS: dict[str, tuple[Plant, Check]] = {
    "type B in the first layer": (instead_of(causal_conv, "past_1d", type_b_first), depends["sequence"]),
    "type B in the first layer: no distribution": (instead_of(causal_conv, "past_1d", type_b_first), total["sequence"]),
    "type B in the first row": (
        instead_of(pixelcnn, "row_before", lambda reach, present: row_before(reach, True)),
        depends["plane"],
    ),
    "own row in the first of the stack above": (
        instead_of(
            pixelcnn, "rows_above", lambda reach, present: rows_above(reach, present) + [(0, 0)] * (not present)
        ),
        depends["plane"],
    ),
    "blind spot": (instead_of(pixelcnn, "rows_above", masked_square), depends["plane"]),
    "loss averaged over pixels": (
        instead_of(PixelModel, "loss", lambda self, x, rng=None: -np.mean(self.conditionals(x, rng=rng).log_prob(x))),
        partial(test_pixels.test_the_loss_is_the_mean_over_images_of_the_sum_over_pixels, "plane"),
    ),
    "log p averaged over pixels": (
        instead_of(PixelModel, "log_prob", lambda self, x: np.mean(self.conditionals(x).log_prob(x), axis=-1)),
        total["plane"],
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
