"""Errors planted in causal convolutions: for each there is a test in tests/nn/test_causal.py that fails."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from scratchgen.nn import CausalConv, causal
from tests.museum.test_distribution_errors import Check, Plant, instead_of, is_caught
from tests.nn import test_causal

shifted = causal.shifted


def with_offsets(wrong: Callable) -> Plant:
    """The layer looks at other places than it says."""
    return instead_of(causal, "shifted", lambda x, offsets: shifted(x, [wrong(o) for o in offsets]))


def masked_in_place(self: CausalConv, x: np.ndarray) -> np.ndarray:
    y = causal.linear(shifted(x, self.offsets), self.W.reshape(-1, self.W.shape[-1]), self.b)
    self.W.assign(self.W.data * (np.arange(len(self.W.data)) > 0)[:, None, None])
    return y


def zeros_times_the_future(x: np.ndarray, offsets: list) -> np.ndarray:
    """The terms of the future stay, and are multiplied by zero: right but for 0 · NaN."""
    future = shifted(x, [tuple(-step for step in o) for o in offsets])
    return shifted(x, offsets) + 0.0 * future


def poisoned(kind: str) -> Check:
    return partial(test_causal.test_the_future_may_be_nan, kind)


def summed(kind: str) -> Check:
    return partial(test_causal.test_it_is_the_sum_over_the_offsets, kind)


PLANTS: dict[str, tuple[Plant, Check]] = {
    "type B where type A is meant": (
        with_offsets(lambda o: (*o[:-1], o[-1] + 1)),
        poisoned("1-D, type A"),
    ),
    "type B where type A is meant, on a plane": (
        with_offsets(lambda o: (0, 0) if o == (0, -1) else o),
        poisoned("2-D, type A"),
    ),
    "shifted one too far": (with_offsets(lambda o: (*o[:-1], o[-1] - 1)), summed("1-D, type B")),
    "kernel flipped in time": (with_offsets(lambda o: tuple(-step for step in o)), poisoned("1-D, type B, dilated")),
    "kernel flipped within the past": (
        instead_of(causal, "shifted", lambda x, offsets: shifted(x, offsets[::-1])),
        summed("1-D, type A"),
    ),
    "rows taken for columns": (with_offsets(lambda o: o[::-1]), poisoned("2-D, type B")),
    "rows flipped": (with_offsets(lambda o: (-o[0], o[1]) if len(o) > 1 else o), poisoned("2-D, type B")),
    "columns flipped": (with_offsets(lambda o: (o[0], -o[1]) if o[0] else o), summed("2-D, type A")),
    "dilation forgotten": (
        with_offsets(lambda o: (o[0] // 2,)),
        partial(test_causal.test_the_jacobian_is_zero_exactly_where_no_offset_leads, "1-D, type A, dilated"),
    ),
    "row above to the right left out": (
        with_offsets(lambda o: (-9, 0) if len(o) > 1 and o[0] < 0 < o[1] else o),
        partial(test_causal.test_a_2d_one_is_a_convolution_with_a_masked_kernel, False),
    ),
    "the future times zero": (instead_of(causal, "shifted", zeros_times_the_future), poisoned("2-D, type A")),
    "wrapped around the edge": (
        instead_of(
            causal,
            "shifted",
            lambda x, offsets: np.concatenate(
                [np.roll(x, [-s for s in o], tuple(range(1, 1 + len(o)))) for o in offsets], axis=-1
            ),
        ),
        poisoned("1-D, type A"),
    ),
    "masked in place (pytorch-generative)": (
        instead_of(CausalConv, "forward", masked_in_place),
        test_causal.test_a_forward_pass_leaves_weights_and_input_alone,
    ),
}


@pytest.mark.parametrize(("plant", "check"), PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught(plant: Plant, check: Check) -> None:
    is_caught(plant, check)
