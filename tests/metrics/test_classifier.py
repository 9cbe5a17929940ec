"""The classifier two-sample test, on samples for which the best classifier is known."""

import numpy as np
import pytest
from scipy.special import ndtr

from scratchgen.metrics import TwoSampleAccuracy, classifier_two_sample

N = 4000


def normal(seed, mean=0.0, n=N, dims=2):
    return np.random.default_rng(seed).normal(mean, size=(n, dims))


def test_half_is_right_where_there_is_no_difference():
    """Over many pairs of samples: the mean within its error, and the spread as equation (2) says."""
    found = [classifier_two_sample(normal(2 * i, n=400), normal(2 * i + 1, n=400), i) for i in range(100)]
    accuracies = np.array([each.value for each in found])
    assert abs(accuracies.mean() - 0.5) < 4 * found[0].error / 10
    assert accuracies.std() == pytest.approx(0.025, rel=0.3)  # √(¼ / 400)
    assert found[0].error == pytest.approx(0.025, rel=0.01)


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_a_shift_is_seen_nearly_as_well_as_can_be(shift):
    """The best classifier of N(0, I) and N(m, I) cuts half-way, and is right with Φ(|m|/2): equation (1)."""
    best = ndtr(shift / 2)
    found = classifier_two_sample(normal(0), normal(1, [shift, 0.0]), 2)
    assert best - 0.03 < found.value < best + 4 * found.error


def test_overlapping_intervals():
    """U(0, 1) and U(¼, 5/4): TV is ¼, so 5/8 is the best."""
    u = np.random.default_rng(0).random((2, 20_000, 1))
    found = classifier_two_sample(u[0], u[1] + 0.25, 1, neighbours=101)
    assert found.value == pytest.approx(0.625, abs=4 * found.error + 0.005)


def test_what_moments_do_not_see():
    """Signs against N(0, 1): the same mean and variance. One nearest point is enough."""
    signs = np.sign(normal(0, dims=1))
    assert classifier_two_sample(signs, normal(1, dims=1), 2).value > 0.99


def test_it_is_symmetric_and_told_apart_is_always_right():
    x, y = normal(0, n=7), normal(1, mean=100.0, n=7)
    for one, other in ((x, y), (y, x)):
        assert classifier_two_sample(one, other, 0, neighbours=3) == (1.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_vote_by_hand(seed):
    """Every distance, a count of the k least, on the halves that the generator deals out; an odd N among them."""
    x, y = normal(0, n=31), normal(1, mean=0.7, n=31)
    rng = np.random.default_rng(seed)
    x_dealt, y_dealt = x[rng.permutation(31)], y[rng.permutation(31)]
    right = 0
    for held_out, is_y in ((x_dealt[15:], False), (y_dealt[15:], True)):
        for point in held_out:
            distances = [(np.linalg.norm(point - each), False) for each in x_dealt[:15]]
            distances += [(np.linalg.norm(point - each), True) for each in y_dealt[:15]]
            right += (sum(of_y for _, of_y in sorted(distances)[:5]) >= 3) == is_y
    found = classifier_two_sample(x, y, seed, neighbours=5)
    assert found.value == right / 32
    assert found.error == pytest.approx(np.sqrt(found.value * (1 - found.value) / 32), rel=1e-12)


def test_equal_arguments_give_equal_results():
    x, y = normal(0, n=50), normal(1, n=50)
    assert classifier_two_sample(x, y, 3) == classifier_two_sample(x, y, 3)
    assert len({classifier_two_sample(x, y, seed).value for seed in range(10)}) > 1


def test_it_prints_its_error():
    assert str(TwoSampleAccuracy(0.50312, 0.0049)) == "0.503 ± 0.005"


X = normal(0, n=20)
REFUSED = {
    "one axis": (lambda: classifier_two_sample(X[:, 0], X[:, 0], 0), ValueError, "both must be (N, D)"),
    "other N": (lambda: classifier_two_sample(X, X[:10], 0), ValueError, "(20, 2) and (10, 2); both must be (N, D)"),
    "none": (lambda: classifier_two_sample(X[:0], X[:0], 0), ValueError, "(0, 2)"),
    "nan": (lambda: classifier_two_sample(X, X * np.nan, 0), ValueError, "y has nan at (0, 0)"),
    "masked": (lambda: classifier_two_sample(np.ma.masked_array(X, True), X, 0), TypeError, "x is a masked array"),
    "even": (lambda: classifier_two_sample(X, X, 0, 4), ValueError, "neighbours is 4; it must be odd"),
    "too many": (lambda: classifier_two_sample(X, X, 0, 21), ValueError, "at most the 20 points to learn from"),
    "no int": (lambda: classifier_two_sample(X, X, 0, 3.0), TypeError, "neighbours is 3.0; it must be an int"),
    "none near": (lambda: classifier_two_sample(X, X, 0, -1), ValueError, "neighbours is -1; it must be at least 1"),
    "rng": (lambda: classifier_two_sample(X, X, np.random, 3), TypeError, "the module np.random"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses(case):
    call, error, message = REFUSED[case]
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
