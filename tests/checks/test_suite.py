"""The samples of the suite: the draws keep what they promise, and the runner makes of them what it says."""

import numpy as np
import pytest

from scratchgen.autodiff.operations import OPERATIONS
from scratchgen.checks.sample import (
    GAP,
    Sample,
    apart,
    away,
    invertible,
    positive,
    positive_definite,
    signed,
    triangular,
    uniform,
)
from scratchgen.checks.suite import all_samples, backwards, check, layouts, load_everything, spread

SEEDS = range(50)

load_everything()
NAMES = list(OPERATIONS)  # now, before the docstrings' examples enter operations of their own


def drawn(draw, seed):
    return draw(np.random.default_rng(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_values_lie_where_they_should(seed):
    x = drawn(signed(200), seed)
    assert np.min(np.abs(x)) >= 0.3 and np.max(np.abs(x)) <= 1.7 and x.min() < 0 < x.max()
    assert drawn(positive(200), seed).min() >= 0.4
    x = drawn(uniform(-0.8, 0.5, 200), seed)
    assert -0.8 <= x.min() < x.max() <= 0.5
    x = drawn(away(200, kinks=(-1.0, 0.5)), seed)
    assert np.min(np.abs(x + 1.0)) >= GAP and np.min(np.abs(x - 0.5)) >= GAP


@pytest.mark.parametrize("seed", SEEDS)
def test_values_of_several_inputs_stay_apart(seed):
    x = [drawn(apart(3, 5, place=place), seed + 100 * place).ravel() for place in (0, 1, 2)]
    assert np.diff(np.sort(np.concatenate([*x, [0.0]]))).min() > GAP
    assert {tuple(np.argsort(drawn(apart(7), s))) for s in (seed, seed + 1, seed + 2)} != {tuple(range(7))}


@pytest.mark.parametrize("seed", SEEDS)
def test_matrices_are_what_they_are_called(seed):
    for sign in (1, -1):
        A = drawn(invertible(2, 3, 3, determinant=sign), seed)
        assert np.all(np.sign(np.linalg.det(A)) == sign) and np.linalg.cond(A).max() < 10
    A = drawn(positive_definite(2, 3, 3), seed)
    np.testing.assert_allclose(A, np.swapaxes(A, 1, 2), atol=1e-15)
    assert np.linalg.eigvalsh(A).min() > 0.39
    for lower, zero in ((True, np.triu), (False, np.tril)):
        A = drawn(triangular(4, 4, lower=lower), seed)
        assert not np.any(zero(A, 1 if lower else -1)) and np.abs(np.diag(A)).min() > 0.7
    assert drawn(invertible(0, 0), seed).shape == drawn(positive_definite(0, 0), seed).shape == (0, 0)


def test_a_seed_gives_the_same_inputs_and_another_seed_others():
    sample = Sample("add", "primes", np.add, signed(2, 3), signed(2, 3))
    (a, b), (c, d), (e, _) = sample.inputs(0), sample.inputs(0), sample.inputs(1)
    assert np.array_equal(a, c) and np.array_equal(b, d) and not np.array_equal(a, b) and not np.array_equal(a, e)


def test_layouts_hold_the_same_values():
    sample = Sample("add", "primes", np.add, signed(2, 3, 5), signed())
    (x, number), laid = sample.inputs(0), {s.kind: s.inputs(0) for s in layouts(sample)}
    assert list(laid) == ["non-contiguous", "negative strides"]
    for y, again in laid.values():
        assert np.array_equal(x, y) and number == again
    assert not laid["non-contiguous"][0].flags.forc and max(laid["negative strides"][0].strides) < 0
    assert spread(np.zeros((0, 3))).shape == backwards(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("kind", ["non-contiguous", "negative strides"])
def test_every_operation_is_checked_on_every_layout(kind):
    assert set(NAMES) - {sample.operation for sample in all_samples() if sample.kind == kind} == set()


def test_a_sample_that_does_not_take_float32_is_refused():
    with pytest.raises(TypeError, match=r"Sample\(exp, constant\) could not be checked in float32"):
        check(Sample("exp", "constant", lambda x: np.exp(x) * np.ones(3), signed(2, 3)))
