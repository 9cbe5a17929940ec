"""`generator`: what stands for a source of randomness, and what does not."""

from typing import Any

import numpy as np
import pytest

from scratchgen.random import generator


def test_a_generator_is_itself_and_an_int_its_seed() -> None:
    rng = np.random.default_rng(3)
    assert generator(rng) is rng
    expected = np.random.default_rng(5).normal(size=4)
    assert np.array_equal(generator(5).normal(size=4), expected)
    assert np.array_equal(generator(np.int64(5)).normal(size=4), expected)


@pytest.mark.parametrize(
    ("rng", "gist"),
    [
        (np.random, "the module np.random, whose state is global; pass a Generator"),
        (None, "rng is None"),
        (True, "rng is True"),
        (1.0, "rng is 1.0"),
        (np.random.RandomState(0), "RandomState"),
    ],
)
def test_anything_else_is_refused(rng: Any, gist: str) -> None:
    with pytest.raises(TypeError, match=gist):
        generator(rng)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="rng is -1; a seed must be 0 or more"):
        generator(-1)
