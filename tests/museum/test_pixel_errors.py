"""Errors planted in the models of pixels: for each a test in tests/autoregressive/test_pixel*.py fails."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import sigmoid
from scratchgen.autoregressive import PixelCNN, causal_conv, inverse, model, part, pixelcnn, pixels
from scratchgen.autoregressive.causal_conv import GatedBlock
from scratchgen.autoregressive.pixelcnn import TwoStacks
from scratchgen.autoregressive.pixels import PixelModel
from scratchgen.nn import CausalConv, Dropout, LayerNorm
from tests.autoregressive import test_pixel_networks, test_pixel_sampling, test_pixels
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught

past_1d, rows_above, left_in_row = causal_conv.past_1d, pixelcnn.rows_above, pixelcnn.left_in_row
convolve, conditionals, network = CausalConv.forward, PixelModel.conditionals, PixelCNN.network


def of(test: Callable[..., None], *arguments: Any) -> dict[str, Check]:
    """The test for each kind of model."""
    return {kind: partial(test, kind, *arguments) for kind in ("sequence", "plane")}


depends = of(test_pixels.test_each_pixel_depends_on_exactly_all_before, False)
poisoned = of(test_pixels.test_the_future_may_be_nan, True)
total = of(test_pixels.test_total_probability)
mean_of_sums = of(test_pixels.test_the_loss_is_the_mean_over_images_of_the_sum_over_pixels)
equations = of(test_pixel_networks.test_the_equations)
equations_with_dropout = of(test_pixel_networks.test_the_equations_with_dropout)
frequencies = of(test_pixel_sampling.test_images_come_as_often_as_log_prob_says)
by_hand = of(test_pixel_sampling.test_pixel_by_pixel_by_hand)
blind = of(test_pixel_sampling.test_one_conditional_is_that_of_the_whole_pass_whatever_comes_later)

# -- masks ---------------------------------------------------------------------------------------------------------


def with_past(wrong: Callable[[int, bool, int], Any]) -> Plant:
    """Other offsets in CausalConvNet."""
    return instead_of(causal_conv, "past_1d", lambda k, present, dilation=1: wrong(k, present, dilation))


def masked_square(reach: int, present: bool) -> list:
    """The stack above narrowed to what one stack of masked kernels reaches: straight up and to the left."""
    return [o for o in rows_above(reach, present) if o[1] <= 0]


def residual_around_the_first(self: CausalConv, x: Any) -> Any:
    """The first layer sees the pixel itself after all: by the addition of its own input."""
    y = convolve(self, x)
    return y + x[..., : y.shape[-1]] if x.shape[-1] == 2 * test_pixels.LEVELS - 1 else y


def transposed(self: PixelCNN, code: Any, rng: Any = None) -> Any:
    """Columns for rows, in and out."""
    order = np.arange(self.dims).reshape(self.size).T.ravel()
    return network(self, code[:, np.argsort(order)], rng)[:, order]


MASKS: dict[str, tuple[Plant, Check]] = {
    "type B in the first layer": (with_past(lambda k, _, d: past_1d(k, True, d)), depends["sequence"]),
    "type B in the first layer: no distribution": (with_past(lambda k, _, d: past_1d(k, True, d)), total["sequence"]),
    "type A in every layer": (with_past(lambda k, _, d: past_1d(k, False, d)), equations["sequence"]),
    "dilation forgotten": (with_past(lambda k, present, _: past_1d(k, present)), depends["sequence"]),
    "dilation one too large": (with_past(lambda k, p, d: past_1d(k, p, d + 1 if p else 1)), equations["sequence"]),
    "type B in the first row": (
        instead_of(pixelcnn, "left_in_row", lambda reach, present: left_in_row(reach, True)),
        depends["plane"],
    ),
    "type A in every row": (
        instead_of(pixelcnn, "left_in_row", lambda reach, present: left_in_row(reach + present, False)),
        equations["plane"],
    ),
    "own row in the first of the stack above": (
        instead_of(
            pixelcnn, "rows_above", lambda reach, present: rows_above(reach, present) + [(0, 0)] * (not present)
        ),
        depends["plane"],
    ),
    "own row in the first of the stack above: NaN": (
        instead_of(
            pixelcnn, "rows_above", lambda reach, present: rows_above(reach, present) + [(0, 0)] * (not present)
        ),
        poisoned["plane"],
    ),
    "blind spot": (instead_of(pixelcnn, "rows_above", masked_square), depends["plane"]),
    "residual around the first layer": (
        instead_of(CausalConv, "forward", residual_around_the_first),
        depends["sequence"],
    ),
    "residual around the first layer: no distribution": (
        instead_of(
            PixelCNN, "network", lambda self, code, rng=None: network(self, code, rng) + code[..., : self.levels]
        ),
        total["plane"],
    ),
    "columns for rows": (instead_of(PixelCNN, "network", transposed), depends["plane"]),
    "the row below, flipped": (
        instead_of(PixelCNN, "network", lambda self, code, rng=None: network(self, code[:, ::-1], rng)[:, ::-1]),
        depends["plane"],
    ),
    "normalised over the places too": (
        instead_of(
            LayerNorm,
            "forward",
            lambda self, h: (h - h.mean(axis=(1, 2), keepdims=True)) / h.std((1, 2), keepdims=True),
        ),
        depends["sequence"],
    ),
}

# -- equations -----------------------------------------------------------------------------------------------------


def halves_swapped(y: Any) -> Any:
    width = y.shape[-1] // 2
    return np.tanh(y[..., width:]) * sigmoid(y[..., :width])


def told_too_late(self: TwoStacks, v: Any, h: Any, rng: Any = None) -> Any:
    """The horizontal stack gets what the vertical one has passed on, after the gate, not before."""
    above = self.above(v)
    both = np.concatenate([causal_conv.gated(above)] * 2, axis=-1)
    change = self.out(self.dropout(causal_conv.gated(self.left(h) + self.told(both)), rng))
    return v + self.dropout(causal_conv.gated(above), rng), h + change


def one_stack_forgets(self: TwoStacks, v: Any, h: Any, rng: Any = None) -> Any:
    """No residual connection in the vertical stack."""
    after, change = stacks(self, v, h, rng)
    return after - v, change


stacks, block = TwoStacks.forward, GatedBlock.forward

EQUATIONS: dict[str, tuple[Plant, Check]] = {
    "halves of the gate swapped": (instead_of(causal_conv, "gated", halves_swapped), equations["sequence"]),
    "halves of the gate swapped, on a plane": (instead_of(pixelcnn, "gated", halves_swapped), equations["plane"]),
    "no residual connection": (
        instead_of(GatedBlock, "forward", lambda self, h, rng=None: block(self, h, rng) - h),
        equations["sequence"],
    ),
    "no residual connection in the stack above": (
        instead_of(TwoStacks, "forward", one_stack_forgets),
        equations["plane"],
    ),
    "told after the gate": (instead_of(TwoStacks, "forward", told_too_late), equations["plane"]),
    "not normalised": (instead_of(LayerNorm, "forward", lambda self, h: h), equations["sequence"]),
    "features not divided by what is kept": (
        instead_of(
            Dropout,
            "forward",
            lambda self, h, rng=None: h * (rng.random(h.shape) >= self.rate) if self.training else h,
        ),
        equations_with_dropout["plane"],
    ),
    "the same features left out in every layer": (
        instead_of(causal_conv, "generator", lambda rng: rng),
        equations_with_dropout["sequence"],
    ),
    "the same features left out in every layer, on a plane": (
        instead_of(pixelcnn, "generator", lambda rng: rng),
        equations_with_dropout["plane"],
    ),
}

# -- levels and likelihood -----------------------------------------------------------------------------------------


def at_least(x: np.ndarray, levels: int, dtype: Any = np.float32) -> np.ndarray:
    """[k ≥ 0] in place of [k > 0]: the first is always 1, and the last level is not told apart."""
    k = np.arange(levels)
    return np.concatenate([x[..., None] == k, x[..., None] >= k[:-1]], axis=-1).astype(dtype)


def one_number(x: np.ndarray, levels: int, dtype: Any = np.float32) -> np.ndarray:
    """The level as a number in [0, 1], in all places of the code."""
    return np.repeat(x[..., None] / (levels - 1), 2 * levels - 1, axis=-1).astype(dtype)


def lowered(x: np.ndarray, levels: int, dtype: Any = np.float32) -> np.ndarray:
    """[k − 1 > −1] in place of [k > 0]: of unsigned integers 0 − 1 is the largest."""
    lower, k = x[..., None] - x.dtype.type(1), np.arange(levels)
    return np.concatenate([x[..., None] == k, lower > k[:-1] - 1], axis=-1).astype(dtype)


LIKELIHOOD: dict[str, tuple[Plant, Check]] = {
    "loss averaged over pixels": (
        instead_of(PixelModel, "loss", lambda self, x, rng=None: -np.mean(self.conditionals(x, rng=rng).log_prob(x))),
        mean_of_sums["plane"],
    ),
    "loss summed over images": (
        instead_of(PixelModel, "loss", lambda self, x, rng=None: -np.sum(self.conditionals(x, rng=rng).log_prob(x))),
        mean_of_sums["sequence"],
    ),
    "log p averaged over pixels": (
        instead_of(PixelModel, "log_prob", lambda self, x: np.mean(self.conditionals(x).log_prob(x), axis=-1)),
        total["plane"],
    ),
    "level ≥ for >": (instead_of(pixels, "level_code", at_least), mean_of_sums["sequence"]),
    "level as one number": (instead_of(pixels, "level_code", one_number), mean_of_sums["plane"]),
    "uint8 levels below 0": (
        instead_of(pixels, "level_code", lowered),
        partial(test_pixels.test_small_unsigned_integers_are_levels_too, "plane"),
    ),
}

# -- sampling ------------------------------------------------------------------------------------------------------


def instead_of_one(wrong: Callable[[PixelModel, np.ndarray, int], Any]) -> Plant:
    """Another distribution for pixel j."""
    return instead_of(PixelModel, "conditional", lambda self, x, j, context=None: wrong(self, x, j))


def all_at_once(self: PixelModel, x: np.ndarray, j: int) -> Any:
    return part(conditionals(self, np.zeros_like(x)), (slice(None), j))


SAMPLING: dict[str, tuple[Plant, Check]] = {
    "all pixels drawn from one pass": (instead_of_one(all_at_once), frequencies["sequence"]),
    "drawn by the pixel after": (
        instead_of_one(lambda self, x, j: part(conditionals(self, x), (slice(None), min(j + 1, self.dims - 1)))),
        frequencies["plane"],
    ),
    "drawn column after column": (
        instead_of(PixelModel, "order", property(lambda self: np.arange(self.dims).reshape(-1, 3).T.ravel())),
        frequencies["plane"],
    ),
    "drawn from the last pixel to the first": (
        instead_of(PixelModel, "order", property(lambda self: np.arange(self.dims)[::-1])),
        by_hand["sequence"],
    ),
    "the likeliest level, not a draw": (
        instead_of(model, "inverse", lambda p, u: np.argmax(p.logits, axis=-1)),
        by_hand["plane"],
    ),
    "the same number for all pixels": (
        instead_of(model, "uniform_numbers", lambda n, dims, rng, u: np.repeat(u[:, :1], dims, axis=1)),
        by_hand["sequence"],
    ),
    "u for 1 − u: as often, but not by the numbers given": (
        instead_of(model, "inverse", lambda p, u: inverse(p, 1 - u)),
        by_hand["sequence"],
    ),
    "later pixels have a say": (
        instead_of_one(
            lambda self, x, j: type(conditionals(self, x))(
                conditionals(self, x).logits.data[:, j] + 1e-9 * x.sum(axis=1, keepdims=True)
            )
        ),
        blind["plane"],
    ),
}


@pytest.mark.parametrize(
    ("plant", "check"),
    [pytest.param(*row, id=name) for table in (MASKS, EQUATIONS, LIKELIHOOD, SAMPLING) for name, row in table.items()],
)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
