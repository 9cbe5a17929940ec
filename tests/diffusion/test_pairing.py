"""Pairs of data and noise: the least cost against all permutations, known costs, and labels that stay."""

from itertools import permutations

import numpy as np
import pytest

from scratchgen.diffusion import FlowMatching, independent_pairing, optimal_pairing


def cost(x0, x1):
    """The mean of |x_1 − x_0|²."""
    return np.mean(np.sum((x1 - x0).reshape(len(x0), -1) ** 2, axis=1))


@pytest.mark.parametrize("shape", [(6, 2), (6, 1), (5, 2, 3), (1, 2)])
def test_no_permutation_costs_less(shape):
    x0, x1 = np.random.default_rng(0).normal(size=(2, *shape)) + np.array([1.0, 0.0]).reshape(2, *[1] * len(shape))
    order = optimal_pairing(x0, x1)
    least = min(cost(x0, x1[list(each)]) for each in permutations(range(len(x0))))
    assert cost(x0, x1[order]) == pytest.approx(least, rel=1e-12)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(x0)))  # both marginals stay
    np.testing.assert_array_equal(independent_pairing(x0, x1), np.arange(len(x0)))


def test_on_the_line_it_keeps_the_order():
    x0, x1 = np.random.default_rng(1).normal(size=(2, 200, 1))
    paired = x1[optimal_pairing(x0, x1)]
    np.testing.assert_array_equal(np.argsort(paired[:, 0]), np.argsort(x0[:, 0]))


def test_its_cost_lies_between_the_two_that_are_known():
    """(3) of ``pairing``: independent |m|² + Σ (λ + 1); optimal tends to |m|² + Σ (√λ − 1)² as the batch grows."""
    rng, m, std = np.random.default_rng(2), np.array([1.0, -0.5]), np.array([2.0, 0.5])
    most, least = m @ m + np.sum(std**2 + 1), m @ m + np.sum((std - 1) ** 2)
    means = {}
    for n, repeats in ((4, 200), (32, 40), (512, 8)):
        x0 = m + std * rng.standard_normal((repeats, n, 2))
        x1 = rng.standard_normal((repeats, n, 2))
        free = np.array([cost(*each) for each in zip(x0, x1)])
        error = free.std(ddof=1) / repeats**0.5
        assert error < 0.35 and abs(free.mean() - most) < 5.96 * error
        means[n] = np.mean([cost(a, b[optimal_pairing(a, b)]) for a, b in zip(x0, x1)])
    assert most > means[4] > means[32] > means[512] and abs(means[512] - least) < 0.4


def test_noise_is_exchanged_within_a_class_only():
    """The least cost of those permutations that keep labels; the noise of each class is what was drawn for it."""
    x0, x1 = np.random.default_rng(3).normal(size=(2, 6, 2))
    labels = np.array([1, 0, 1, -1, 0, 1])
    order = optimal_pairing(x0, x1, labels)
    np.testing.assert_array_equal(labels[order], labels)
    allowed = [list(each) for each in permutations(range(6)) if (labels[list(each)] == labels).all()]
    assert len(allowed) == 12
    assert cost(x0, x1[order]) == pytest.approx(min(cost(x0, x1[each]) for each in allowed), rel=1e-12)
    assert cost(x0, x1[order]) > cost(x0, x1[optimal_pairing(x0, x1)])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: optimal_pairing(x, x[:2]), ValueError, r"the noise has shape \(2, 2\) and x \(4, 2\)"),
        (lambda x: optimal_pairing(x, x, np.ones(4)), TypeError, "the context is float64; noise is exchanged within"),
        (lambda x: optimal_pairing(x, x, [0, 1]), ValueError, r"labels have shape \(2,\); they must be \(4,\)"),
        (lambda x: FlowMatching(abs, (2,), "sorted"), ValueError, "pairing is 'sorted'; it must be one of indep"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(np.zeros((4, 2)))
