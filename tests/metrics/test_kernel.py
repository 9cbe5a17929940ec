"""MMD against double loops, closed forms of Gaussians, and the exact distribution of its p-value."""

from itertools import combinations

import numpy as np
import pytest

from scratchgen.metrics import MMDTest, kernel, median_bandwidths, mmd_squared, mmd_test

H = (0.5, 2.0)


def normal(seed, n=30, dims=2, mean=0.0):
    return np.random.default_rng(seed).normal(mean, size=(n, dims))


def k(x, y):
    """The kernel (3) of two points."""
    return np.mean([np.exp(-np.sum((x - y) ** 2) / (2 * h**2)) for h in H])


def by_hand(x, y):
    """Equation (2), pair by pair."""
    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j)
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def gaussian_overlap(h, m, cov):
    """E exp(−|d|²/(2h²)) for d ~ N(m, cov): |I + cov/h²|^{−½} exp(−½ mᵀ(h² I + cov)⁻¹ m)."""
    wide = h**2 * np.eye(len(m)) + cov
    return np.sqrt(h ** (2 * len(m)) / np.linalg.det(wide)) * np.exp(-0.5 * m @ np.linalg.solve(wide, m))


def gaussian_mmd(h, m_p, cov_p, m_q, cov_q):
    """Equation (1) of two normal distributions."""
    zero = np.zeros(len(m_p))
    own = gaussian_overlap(h, zero, 2 * cov_p) + gaussian_overlap(h, zero, 2 * cov_q)
    return own - 2 * gaussian_overlap(h, m_p - m_q, cov_p + cov_q)


def dealings_of(n, m):
    """Every way to deal n + m points, the first of which is the one at hand."""
    chosen = [list(each) for each in combinations(range(n + m), n)]
    found = np.zeros((len(chosen), n + m), bool)
    for row, each in zip(found, chosen):
        row[each] = True
    return found


@pytest.mark.parametrize("numbers", [10_000, 20])  # all at once, and in blocks of one row or two
def test_the_estimate_is_the_sum_over_pairs(monkeypatch, numbers):
    """Equation (2), of unequal numbers."""
    monkeypatch.setattr(kernel, "NUMBERS", numbers)
    x, y = normal(0, 7, 3), normal(1, 5, 3, mean=0.8)
    assert mmd_squared(x, y, H) == pytest.approx(by_hand(x, y), abs=1e-14)


@pytest.mark.parametrize("numbers", [10_000, 20])
def test_every_dealing_is_the_estimate_of_its_parts(monkeypatch, numbers):
    """Equation (5): one kernel matrix, all dealings."""
    monkeypatch.setattr(kernel, "NUMBERS", numbers)
    points, dealings = normal(0, 7), dealings_of(3, 4)
    found = kernel.statistics(points, dealings, H)
    expected = [by_hand(points[row], points[~row]) for row in dealings]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_it_is_unbiased_for_two_gaussians():
    """The mean of (2) over many small samples is (1), whose closed form is known: 12 against 8 points of the plane."""
    cov_p, cov_q, shift = np.array([[1.0, 0.6], [0.6, 1.0]]), np.diag([0.3, 2.0]), np.array([0.5, -0.4])
    truth = np.mean([gaussian_mmd(h, np.zeros(2), cov_p, shift, cov_q) for h in H])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 12, 2)) @ np.linalg.cholesky(cov_p).T
    y = shift + rng.normal(size=(2000, 8, 2)) @ np.linalg.cholesky(cov_q).T
    found = np.array([mmd_squared(a, b, H) for a, b in zip(x, y)])
    error = found.std() / np.sqrt(len(found))
    assert error < 0.05 * truth  # with the pairs of a point with itself (2) would be 0.15 more
    assert abs(found.mean() - truth) < 5.96 * error


def test_many_points_come_near_the_closed_form():
    x, y = normal(0, 3000, 1), 1.5 * normal(1, 3000, 1) + 1.0
    truth = gaussian_mmd(0.7, np.zeros(1), np.eye(1), np.ones(1), 2.25 * np.eye(1))
    assert mmd_squared(x, y, [0.7]) == pytest.approx(truth, abs=0.02) and truth > 0.1


def test_a_set_against_itself_and_far_sets():
    """Of one set (2) is −(2/n)(1 − mean k of its pairs): 0 but for what is left out. Of far points k is 0 between."""
    x = normal(0, 6)
    pairs = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    assert mmd_squared(x, x, H) == pytest.approx(-2 / 6 * (1 - pairs), abs=1e-14)
    assert mmd_squared(x, x + 1e3, H) == pytest.approx(2 * pairs, abs=1e-9)


def test_it_is_symmetric_and_moves_and_scales_with_the_data():
    x, y = normal(0, 9), normal(1, 6, mean=1.0)
    found = mmd_squared(x, y)
    assert mmd_squared(y, x) == pytest.approx(found, abs=1e-14)
    assert mmd_squared(1e3 * x + 1e6, 1e3 * y + 1e6) == pytest.approx(found, abs=1e-6)


def test_the_bandwidths_do_not_look_at_whose_the_points_are(monkeypatch):
    """The median of all distances; of many points, of some, whatever sample they are in."""
    x, y = normal(0, 8), normal(1, 5)
    points = np.concatenate([x, y])
    apart = [np.linalg.norm(a - b) for a, b in combinations(points, 2)]
    assert median_bandwidths(x, y) == pytest.approx(np.median(apart) * np.array([1, 0.5, 0.25, 0.125]), rel=1e-12)
    monkeypatch.setattr(kernel, "MOST", 6)
    dealt = np.random.default_rng(2).permutation(points)
    assert median_bandwidths(x, y) == median_bandwidths(dealt[:8], dealt[8:])


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 4)])
def test_the_p_value_is_uniform_exactly(n, m):
    """Equation (4) with all dealings: of each dealing of six points in turn, the p-values are 1/P, 2/P, …, 1.

    With n = m the two sides of a dealing can change places, and values are tied in pairs: 2/P twice, 4/P twice, ….
    """
    points, dealings = normal(0, n + m), dealings_of(n, m)
    total = len(dealings)
    found = []
    for row in dealings:
        others = np.array([each[np.argsort(~row, kind="stable")] for each in dealings if (each != row).any()])
        found.append(mmd_test(points[row], points[~row], 0, bandwidths=H, dealings=others).p)
    ties = 2 if n == m else 1
    expected = np.repeat(np.arange(ties, total + 1, ties), ties) / total
    np.testing.assert_allclose(np.sort(found), expected, rtol=1e-12)
    values = kernel.statistics(points, dealings, H)
    assert np.argmax(values) in np.flatnonzero(found == np.min(found))  # the more, the less probable; below 0, the most
    assert np.argmin(values) in np.flatnonzero(found == np.max(found))


def test_false_alarms_are_as_rare_as_stated():
    """P(p ≤ α) = α where α(1 + P) is an integer: 1,500 pairs of one distribution, P = 19, and all 20 values of p."""
    rng, trials = np.random.default_rng(0), 1500
    found = [mmd_test(*rng.exponential(size=(2, 7, 1)), rng, permutations=19).p for _ in range(trials)]
    counts = np.bincount(np.round(20 * np.array(found)).astype(int), minlength=21)
    assert counts[0] == 0
    below = np.cumsum(counts)[1:-1] / trials  # the share of p ≤ j/20, j = 1 … 19
    alpha = np.arange(1, 20) / 20
    # Two equal samples can be dealt into themselves by chance (1 in 1,716 dealings): a tie, and p a little larger.
    assert np.all(np.abs(below - alpha) < 5.96 * np.sqrt(alpha * (1 - alpha) / trials))


def test_of_many_points_the_median_is_of_all_their_range(monkeypatch):
    """And not of those that come first when they are sorted; and p is of 499 dealings."""
    x = np.linspace(0, 1, 2000)[:, None] ** 3
    monkeypatch.setattr(kernel, "MOST", 50)
    some = median_bandwidths(x[:1000], x[1000:])[0]
    monkeypatch.setattr(kernel, "MOST", 2000)
    assert some == pytest.approx(median_bandwidths(x[:1000], x[1000:])[0], rel=0.1)
    assert mmd_test(np.zeros((20, 1)), np.ones((20, 1)), 0, bandwidths=[1.0]).p == 1 / 500


def test_ties_count_against_the_alarm():
    """All dealings alike: p is 1."""
    x = np.array([[0.0], [1.0]])
    assert (
        mmd_test(x, x, 0, permutations=5, bandwidths=[1.0], dealings=np.array([[True, True, False, False]] * 5)).p == 1
    )


def test_a_difference_is_seen_and_p_has_its_least_value():
    x, y = normal(0, 100), normal(1, 80, mean=0.7)
    found = mmd_test(x, y, 0, permutations=99)
    assert found == (mmd_squared(x, y), 0.01)
    assert mmd_test(x, normal(3, 80), 0, permutations=99).p > 0.05


def test_finer_bandwidths_see_what_the_median_does_not():
    """Two clusters of points far apart, and in each a lattice for a square: the same but within the clusters."""
    rng = np.random.default_rng(0)
    places = np.where(rng.random((2, 300, 1)) < 0.5, -20.0, 20.0)
    fine = rng.uniform(-1, 1, (300, 1))
    x, y = places[0] + fine, places[1] + np.sign(rng.normal(size=(300, 1)))
    assert mmd_test(x, y, 1, permutations=99, bandwidths=median_bandwidths(x, y)[:1]).p > 0.05
    assert mmd_test(x, y, 1, permutations=99, bandwidths=[1.0, 0.5]).p == 0.01


def test_equal_arguments_give_equal_results():
    x, y = normal(0), normal(1)
    assert mmd_test(x, y, 3) == mmd_test(x, y, 3)
    assert len({mmd_test(x, y, seed).p for seed in range(5)}) > 1
    assert str(MMDTest(-0.00123, 0.25)) == "-0.0012 (p = 0.250)"


X = normal(0, 5)
DEAL = np.array([[True] * 5 + [False] * 5])
REFUSED = {
    "one axis": (lambda: mmd_squared(X[:, 0], X[:, 0]), ValueError, "they must be (n, D) and (m, D)"),
    "other D": (lambda: mmd_test(X, X[:, :1], 0), ValueError, "(5, 2) and (5, 1)"),
    "one point": (lambda: mmd_test(X, X[:1], 0), ValueError, "with at least 2 points each"),
    "inf": (lambda: mmd_squared(X / 0.0, X), ValueError, "x has"),
    "masked": (lambda: mmd_squared(X, np.ma.masked_array(X, True)), TypeError, "y is a masked array"),
    "no bandwidth": (lambda: mmd_squared(X, X, []), ValueError, "bandwidths is empty"),
    "bandwidth 0": (lambda: mmd_squared(X, X, [1.0, 0.0]), ValueError, "bandwidths[1] is 0.0; it must be above 0"),
    "bandwidth text": (lambda: mmd_squared(X, X, ["1"]), TypeError, "bandwidths[0] is '1'; it must be a number"),
    "all the same": (lambda: mmd_squared(0 * X, 0 * X), ValueError, "the median distance of two points is 0"),
    "no permutation": (lambda: mmd_test(X, X, 0, permutations=0), ValueError, "permutations is 0; it must be at least"),
    "half of one": (lambda: mmd_test(X, X, 0, permutations=0.5), TypeError, "permutations is 0.5; it must be an int"),
    "rng": (lambda: mmd_test(X, X, np.random), TypeError, "the module np.random"),
    "dealt ints": (lambda: mmd_test(X, X, 0, dealings=1 * DEAL), ValueError, "dealings are int64 of shape (1, 10)"),
    "dealt to few": (lambda: mmd_test(X, X, 0, dealings=DEAL[:, :9]), ValueError, "they must be bool, (P, 10)"),
    "dealt wrong": (lambda: mmd_test(X, X, 0, dealings=~(DEAL & False)), ValueError, "with 5 True in each row"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses(case):
    call, error, message = REFUSED[case]
    with np.errstate(all="ignore"), pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
