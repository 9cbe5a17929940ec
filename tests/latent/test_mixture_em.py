"""EM for the Gaussian mixture, equations (1)–(5) of ``mixture_em``, and the same optimum by gradient."""

from functools import partial

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from scratchgen.latent import GaussianMixture, fit_mixture
from scratchgen.latent.exact_em import climb
from scratchgen.latent.mixture_em import FLOOR, collapse_of, em_step, kmeans_plus_plus, m_step, raised, start

K, D, N = 3, 2, 300
TRUE = GaussianMixture.of(
    [0.5, 0.3, 0.2],
    [[0.0, 0.0], [3.0, 2.0], [-3.0, 2.0]],
    [[[1.0, 0.6], [0.6, 0.8]], [[0.5, -0.2], [-0.2, 0.4]], [[0.3, 0.0], [0.0, 1.2]]],
)
X = TRUE.sample(N, rng=0)
both = pytest.mark.parametrize("diagonal", [False, True], ids=["full", "diagonal"])


def rough(diagonal=False):
    """A model far from any optimum."""
    covariances = np.array([[[2.0, 0.3], [0.3, 1.0]]] * 3)
    if diagonal:
        covariances = np.diagonal(covariances, axis1=1, axis2=2)
    return GaussianMixture.of([0.2, 0.5, 0.3], [[1.0, 0.5], [2.0, 0.0], [-1.0, 3.0]], covariances)


def moments_by_hand(r, k):
    """Mean and covariance of the rows, weighted by r_nk, with np.cov and its weights."""
    return np.average(X, axis=0, weights=r[:, k]), np.cov(X, rowvar=False, aweights=r[:, k], ddof=0)


@both
def test_one_step_is_the_weighted_moments(diagonal):
    model = rough(diagonal)
    covariances = model.covariances().data
    weights = [0.2, 0.5, 0.3]
    joints = [w * multivariate_normal(m, C).pdf(X) for w, m, C in zip(weights, model.means.data, covariances)]
    r = np.stack(joints, axis=1)
    r /= r.sum(axis=1, keepdims=True)
    step = em_step(model, X)
    np.testing.assert_allclose(step.weights.data, r.mean(axis=0), rtol=1e-12)
    for k in range(K):
        mean, covariance = moments_by_hand(r, k)
        np.testing.assert_allclose(step.means.data[k], mean, atol=1e-12)
        expected = np.diag(np.diag(covariance)) if diagonal else covariance
        np.testing.assert_allclose(step.covariances().data[k], expected, atol=1e-12)


@both
def test_the_likelihood_never_falls(diagonal):
    path = climb(em_step, rough(diagonal), X, steps=200).log_likelihoods
    assert np.diff(path).min() > -1e-13 * abs(path[0])
    assert path[-1] - path[0] > 0.2


def test_the_likelihood_never_falls_where_components_are_held_up_by_the_floor():
    """Two of five rows are one point, and their component is at the floor: the M-step (4) is still exact."""
    x = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 1.0], [4.0, -1.0], [5.0, 0.3]])
    for floor in (1e-6, 0.1):
        model = start(x, 2, rng=0, floor=floor)
        path = climb(partial(em_step, floor=floor), model, x, steps=60).log_likelihoods
        assert np.diff(path).min() > -1e-11
        assert path[-1] > path[0]


def gradients(model, x):
    model.zero_grad()
    loss = model.loss(x)
    loss.backward()
    return float(loss.data), np.concatenate([t.grad.ravel() for t in model.parameters().values()])


@both
def test_em_and_gradient_reach_the_same_optimum(diagonal):
    """From the same start, L-BFGS on ``loss`` and EM; where EM ends the gradient is 0."""
    found = fit_mixture(X, K, rng=0, diagonal=diagonal, steps=3000, tolerance=1e-15)
    assert np.abs(gradients(found.model, X)[1]).max() < 1e-6
    model = start(X, K, rng=0, diagonal=diagonal)
    parameters = model.parameters()
    ends = np.cumsum([t.size for t in parameters.values()])[:-1]

    def loss(flat):
        for t, part in zip(parameters.values(), np.split(flat, ends)):
            t.assign(part.reshape(t.shape))
        return gradients(model, X)

    flat = np.concatenate([t.data.ravel() for t in parameters.values()])
    result = minimize(loss, flat, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-8, "maxiter": 1000})
    assert -result.fun == pytest.approx(found.log_likelihoods[-1], abs=1e-9)
    loss(result.x)
    np.testing.assert_allclose(model.means.data, found.model.means.data, atol=1e-4)
    np.testing.assert_allclose(model.covariances().data, found.model.covariances().data, atol=1e-4)


def test_it_finds_what_the_data_were_drawn_from():
    """At least as likely as the truth, by about half a nat for each of its 17 free parameters, over N rows (Wilks)."""
    found = fit_mixture(X, K, rng=0)
    gain = N * (found.log_likelihoods[-1] - TRUE.log_prob(X).data.mean())
    assert 0 < gain < 30
    order = np.argsort(-found.model.weights.data)
    np.testing.assert_allclose(found.model.means.data[order], TRUE.means.data, atol=0.3)


def test_a_mixture_is_more_expressive_than_one_normal_distribution():
    one = fit_mixture(X, 1, rng=0)
    exact = multivariate_normal(X.mean(axis=0), np.cov(X, rowvar=False, ddof=0)).logpdf(X).mean()
    assert one.log_likelihoods[1] == pytest.approx(exact, rel=1e-12)  # a single step is enough
    assert fit_mixture(X, K, rng=0).log_likelihoods[-1] > exact + 0.3


def test_the_fit_does_not_depend_on_units():
    units = np.array([1000.0, 0.01])
    found, scaled = fit_mixture(X, K, rng=0), fit_mixture(X * units, K, rng=0)
    np.testing.assert_allclose(scaled.log_likelihoods, found.log_likelihoods - np.log(units).sum(), rtol=1e-9)


# -- the floor, and collapse -----------------------------------------------------------------------------------------


def test_raised_is_the_best_covariance_above_the_floor():
    """(4), against the best of many covariances above the floor, by −½ (log det C + tr C⁻¹ S)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)) * [1.0, 10.0, 0.1]
    V = np.diag(np.var(x, axis=0))
    factor = np.sqrt(V) @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    S = factor @ np.diag([1e-4, 0.02, 1.5]) @ factor.T
    C = raised(S[None], x, floor=0.05)[0]

    def score(C):
        return -0.5 * (np.linalg.slogdet(C)[1] + np.trace(np.linalg.solve(C, S)))

    def above(C):
        return np.linalg.eigvalsh(C / np.sqrt(np.outer(np.diag(V), np.diag(V)))).min() > 0.05 - 1e-9

    assert above(C)
    best = score(C)
    tried = 0
    for _ in range(2000):
        A = np.eye(3) + 0.05 * rng.normal(size=(3, 3))
        A = np.sqrt(V) @ A @ np.sqrt(np.linalg.inv(V))
        other = A @ C @ A.T
        if above(other):
            tried += 1
            assert score(other) < best + 1e-12
    assert tried > 20


def test_the_floor_is_for_the_variances_of_a_diagonal_model():
    """Along the diagonal of the plane these data are narrow, but in each column they are not."""
    x = X[:, :1] + 0.01 * X
    with pytest.warns(RuntimeWarning, match="variance in some direction"):
        fit_mixture(x, 1, rng=0, floor=0.1)
    variances = np.diag(fit_mixture(x, 1, rng=0, diagonal=True, floor=0.1).model.covariances().data[0])
    np.testing.assert_allclose(variances, x.var(axis=0), rtol=1e-12)


def test_a_floor_that_no_component_is_at_leaves_the_optimum_alone():
    model = fit_mixture(X, K, rng=0, tolerance=1e-14).model
    path = climb(partial(em_step, floor=0.01), model, X, steps=3, tolerance=-1.0).log_likelihoods
    assert np.diff(path).min() > -1e-13


def test_covariances_above_the_floor_are_left_alone():
    C = TRUE.covariances().data
    np.testing.assert_allclose(raised(C, X, FLOOR), C, rtol=1e-13, atol=1e-15)


def test_a_collapsing_component_is_held_up_and_named():
    """Two equal rows far away: without the floor the likelihood is infinite."""
    x = np.concatenate([X, [[30.0, 30.0], [30.0, 30.0]]])
    message = r"component \d collapsed: it answers for 2.0 of 302 rows.*another rng, fewer components"
    with pytest.warns(RuntimeWarning, match=message):
        found = fit_mixture(x, 2, rng=0)
    assert np.all(np.isfinite(found.log_likelihoods))
    std = x.std(axis=0)
    least = np.linalg.eigvalsh(found.model.covariances().data / np.outer(std, std)).min()
    assert least == pytest.approx(FLOOR, rel=1e-6)


def test_a_component_at_the_floor_is_named_in_whatever_direction():
    """Its smallest eigenvalue is the floor but for rounding, on either side of it."""
    std = X.std(axis=0)
    for angle in np.linspace(0, np.pi, 25):
        c, s = np.cos(angle), np.sin(angle)
        thin = np.array([[c, -s], [s, c]]) @ np.diag([1.0, 0.0]) @ np.array([[c, s], [-s, c]]) * np.outer(std, std)
        held = raised(np.stack([np.diag(std**2), thin]), X, FLOOR)
        model = GaussianMixture.of([0.5, 0.5], [[0.0, 0.0], [1.0, 1.0]], held)
        assert collapse_of(model, X).startswith("component 1 collapsed")
    above = GaussianMixture.of([0.5, 0.5], np.zeros((2, 2)), 1.1 * FLOOR * np.stack([np.diag(std**2)] * 2))
    assert collapse_of(above, X) == ""


def test_a_component_that_answers_for_less_than_a_row_has_a_mean_and_for_none_is_named():
    r = np.where(np.arange(N)[:, None] < 2, [[1 - 0.15, 0.15]], [[1.0, 0.0]])  # 0.3 rows
    model = GaussianMixture.of([0.5, 0.5], [[0.0, 1.0], [900.0, 900.0]], [np.eye(2), np.eye(2)])
    np.testing.assert_allclose(m_step(model, X, r).means.data[1], X[:2].mean(axis=0), rtol=1e-12)
    assert collapse_of(model, X).startswith("component 1 collapsed: it answers for 0.0 of 300 rows")


def test_a_component_that_answers_for_no_row_stays_where_it_is():
    """Its responsibilities underflow to 0: 0 / 0 in (2)."""
    model = GaussianMixture.of([0.5, 0.5], [[0.0, 1.0], [900.0, 900.0]], [np.eye(2), np.eye(2)])
    step = em_step(model, X)
    np.testing.assert_array_equal(step.means.data[1], [900.0, 900.0])
    np.testing.assert_allclose(step.covariances().data[1], np.eye(2), atol=1e-14)
    assert step.weights.data[1] < 1e-300 and np.isfinite(step.loss(X).data)


@pytest.mark.parametrize("seed", range(5))
def test_more_components_than_the_data_ask_for_do_no_harm(seed):
    """Nothing becomes NaN, and the likelihood does not fall."""
    path = climb(em_step, start(X[:20], 8, rng=seed), X[:20], steps=200).log_likelihoods
    assert np.all(np.isfinite(path)) and np.diff(path).min() > -1e-9


# -- the start -------------------------------------------------------------------------------------------------------


def test_kmeans_plus_plus_draws_by_the_squared_distance():
    """(5) from the points 0, 1 and 3: the probabilities of the second mean, given the first."""
    x, draws = np.array([[0.0], [1.0], [3.0]]), 2000
    pairs = np.array([kmeans_plus_plus(x, 2, rng=seed)[:, 0] for seed in range(draws)])
    exact = {(0, 1): 1 / 10, (0, 3): 9 / 10, (1, 0): 1 / 5, (1, 3): 4 / 5, (3, 0): 9 / 13, (3, 1): 4 / 13}
    for (first, second), p in exact.items():
        p = p / 3
        share = np.mean((pairs[:, 0] == first) & (pairs[:, 1] == second))
        error = np.sqrt(p * (1 - p) / draws)
        assert abs(share - p) < 5.96 * error < 0.07


def test_the_distance_is_to_the_nearest_of_all_means_so_far():
    """0 and 10 twice each, and 11: once 0 and 10 are chosen, all others are 0 or 1 away, so the third is 11."""
    x = np.array([[0.0], [0.0], [10.0], [10.0], [11.0]])
    for seed in range(20):
        assert sorted(kmeans_plus_plus(x, 3, rng=seed)[:, 0]) == [0, 10, 11]


@both
def test_the_start(diagonal):
    model = start(X, 4, rng=0, diagonal=diagonal)
    assert model.diagonal == diagonal
    np.testing.assert_allclose(model.weights.data, 0.25)
    centres, std = model.means.data, X.std(axis=0)
    assert all(np.any(np.all(np.isclose(X, centre), axis=1)) for centre in centres)
    nearest = np.min(np.sum(((X[:, None] - centres) / std) ** 2, axis=2), axis=1)
    np.testing.assert_allclose(model.covariances().data[2], np.diag(std**2) * nearest.mean() / 2, rtol=1e-12)


@both
def test_a_start_with_a_mean_on_every_row_is_at_the_floor(diagonal):
    model = start(X[:4], 4, rng=0, diagonal=diagonal, floor=0.01)
    np.testing.assert_allclose(model.covariances().data[1], 0.01 * np.diag(X[:4].var(axis=0)), rtol=1e-12)


def test_float32_stays_float32():
    found = fit_mixture(X.astype(np.float32), K, rng=0, steps=20)
    assert found.model.dtype == np.float32


NAN = np.where(np.arange(2 * N).reshape(N, 2) == 5, np.nan, X)
BAD = {
    "no component": (lambda: fit_mixture(X, 0, rng=0), ValueError, "components is 0; it must be at least 1"),
    "two and no int": (lambda: fit_mixture(X, 2.0, rng=0), TypeError, "components is 2.0"),
    "numbers in one axis": (lambda: fit_mixture(X[:, 0], 2, rng=0), ValueError, r"\(300,\); it .* \(N, D\): x\[:, No"),
    "one row": (lambda: fit_mixture(X[:1], 1, rng=0), ValueError, "x has 1 rows; a variance needs at least 2"),
    "NaN": (lambda: fit_mixture(NAN, 2, rng=0), ValueError, r"x has nan at \(2, 1\); 1 of 600"),
    "integers": (lambda: fit_mixture((9 * X).astype(int), 2, rng=0), TypeError, "x is int64"),
    "a constant column": (lambda: fit_mixture(X * [0, 1], 2, rng=0), ValueError, r"columns \[0\] of x have zero var"),
    "too few different rows": (
        lambda: fit_mixture(np.repeat(X[:2], 5, axis=0), 3, rng=0),
        ValueError,
        "x has 2 different rows; 3 components need at least 3",
    ),
    "no floor": (lambda: em_step(TRUE, X, floor=0.0), ValueError, "floor is 0.0; it must be above 0"),
    "an infinite floor": (
        lambda: em_step(TRUE, X, floor=np.inf),
        ValueError,
        "floor is inf; it must be above 0 and fin",
    ),
    "r of another mixture": (
        lambda: m_step(TRUE, X, np.ones((N, K + 1))),
        ValueError,
        r"r has shape \(300, .*components",
    ),
    "an empty batch": (lambda: em_step(TRUE, X[:0]), ValueError, "x has 0 rows"),
    "no rng": (lambda: fit_mixture(X, 2, rng=None), TypeError, "rng is None"),
    "no steps": (lambda: fit_mixture(X, 2, rng=0, steps=0), ValueError, "steps is 0"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
