"""`generator`: what stands for a source of randomness, and what does not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scratchgen.autoregressive import MADE, BinaryOutput
from scratchgen.diffusion import Schedule, q_sample
from scratchgen.distributions import Concrete, Laplace, MultivariateNormal, Normal
from scratchgen.latent import VAE, BernoulliLikelihood
from scratchgen.nn import MLP
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


NOISE, BITS = np.random.default_rng(0).random((4, 2)), np.eye(4)
MADE_OF_2 = MADE(2, BinaryOutput(), [4], rng=0, dtype=np.float64)
VAE_OF_4 = VAE(
    MLP([4, 4], rng=0, dtype=np.float64), MLP([2, 4], rng=1, dtype=np.float64), BernoulliLikelihood(4), latent=2
)
GIVEN: dict[str, Callable[..., Any]] = {
    "Normal": lambda rng: Normal(np.zeros(2), np.ones(2)).rsample(4, rng, NOISE),
    "Laplace": lambda rng: Laplace(np.zeros(2), np.ones(2)).rsample(4, rng, NOISE),
    "MultivariateNormal": lambda rng: MultivariateNormal(np.zeros(2), np.eye(2)).rsample(4, rng, NOISE),
    "Concrete": lambda rng: Concrete(np.zeros(2), 0.5).rsample(4, rng, NOISE),
    "MADE": lambda rng: MADE_OF_2.sample(4, rng, uniforms=NOISE),
    "VAE": lambda rng: VAE_OF_4.elbo(BITS, rng, NOISE).total.data,
    "DDPM": lambda rng: q_sample(Schedule([0.5, 0.5]), np.ones((4, 2)), np.full(4, 2), rng, NOISE),
}


@pytest.mark.parametrize("name", GIVEN)
def test_numbers_that_are_given_count_and_a_generator_beside_them_is_left_as_it_was(name: str) -> None:
    rng = np.random.default_rng(3)
    assert np.array_equal(GIVEN[name](rng), GIVEN[name](None))
    assert rng.bit_generator.state == np.random.default_rng(3).bit_generator.state
