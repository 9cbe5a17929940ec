"""The closed form of probabilistic PCA, equations (2) and (3) of ``ppca``, and EM, (4) and (5)."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from scratchgen.autodiff import no_grad
from scratchgen.latent import LinearGaussian, fit_factor_analysis, fit_ppca, principal_angles
from scratchgen.latent.exact_em import climb
from scratchgen.latent.ppca import best_log_likelihood, em_step, random_start

N, D, M = 400, 6, 2
RNG = np.random.default_rng(1)
TRUE = LinearGaussian(RNG.normal(size=(D, M)), RNG.normal(size=D), np.log(RNG.uniform(0.3, 1.5, D)))
X = TRUE.sample(N, rng=1)
S = np.cov(X, rowvar=False, bias=True)


def starting(diagonal):
    """Parameters that are far from any optimum, the mean b among them."""
    rng = np.random.default_rng(5)
    logvar = rng.normal(size=D) if diagonal else np.array(0.3)
    return LinearGaussian(rng.normal(size=(D, M)), rng.normal(size=D), logvar)


def minimised(model):
    """The least loss on X that L-BFGS finds by the gradients of ``loss``."""
    parameters = model.parameters()
    ends = np.cumsum([t.size for t in parameters.values()])

    def loss(flat):
        for t, part in zip(parameters.values(), np.split(flat, ends[:-1])):
            t.assign(part.reshape(t.shape))
        model.zero_grad()
        value = model.loss(X)
        value.backward()
        return float(value.data), np.concatenate([t.grad.ravel() for t in parameters.values()])

    start = np.concatenate([t.data.ravel() for t in parameters.values()])
    return minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9})


# -- the closed form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latent", [1, 2, 3, 5])
def test_the_closed_form_has_the_likelihood_that_it_says(latent):
    model = fit_ppca(X, latent)
    exact = multivariate_normal(model.b.data, model.covariance().data).logpdf(X).mean()
    assert best_log_likelihood(X, latent) == pytest.approx(exact, rel=1e-12)
    assert model.log_prob(X).data.mean() == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("latent", [1, 2, 3])
def test_the_gradient_is_zero_at_the_closed_form(latent):
    model = fit_ppca(X, latent)
    model.loss(X).backward()
    for t in model.parameters().values():
        np.testing.assert_allclose(t.grad, 0, atol=1e-12)


def test_no_start_leads_to_a_higher_likelihood_than_the_closed_form():
    """The gradient is 0 at other planes of eigenvectors too, but those are saddles (appendix A of the paper)."""
    assert minimised(starting(diagonal=False)).fun == pytest.approx(-best_log_likelihood(X, M), abs=1e-9)


def test_the_fit_keeps_the_variance_of_the_data():
    """tr C = tr S, and C has the largest eigenvalues of S and s² beside them."""
    model = fit_ppca(X, M)
    kept = np.sort(np.linalg.eigvalsh(model.covariance().data))
    eigenvalues = np.linalg.eigvalsh(S)
    left_out = np.full(D - M, eigenvalues[: D - M].mean())
    np.testing.assert_allclose(kept, np.r_[left_out, eigenvalues[D - M :]], rtol=1e-12)
    np.testing.assert_allclose(model.b.data, X.mean(axis=0), rtol=1e-13)


def test_with_all_dimensions_but_one_it_is_the_normal_distribution_of_the_data():
    np.testing.assert_allclose(fit_ppca(X, D - 1).covariance().data, S, atol=1e-12)


def test_a_constant_column_does_no_harm_to_probabilistic_pca():
    x = np.concatenate([X, np.full((N, 1), 7.0)], axis=1)
    model = fit_ppca(x, M)
    assert model.log_prob(x).data.mean() == pytest.approx(best_log_likelihood(x, M), rel=1e-12)


def test_the_plane_is_found_from_many_data():
    """And only the plane: the fitted W differs from the true one by a rotation of the latent axes."""
    W = RNG.normal(size=(D, M))
    fit = fit_ppca(LinearGaussian(W, np.zeros(D), np.log(0.1)).sample(100_000, rng=2), M)
    assert np.degrees(principal_angles(fit.W.data, W)[0]) < 0.5
    assert np.exp(fit.logvar.data) == pytest.approx(0.1, rel=5.96 * np.sqrt(2 / (100_000 * (D - M))))
    assert np.abs(fit.W.data - W).max() > 0.1


# -- EM --------------------------------------------------------------------------------------------------------------

both = pytest.mark.parametrize("diagonal", [False, True], ids=["probabilistic PCA", "factor analysis"])


@both
def test_one_step_is_the_regression_of_x_on_z(diagonal):
    """(4) and (5) as expectations under the posterior, which are exact sums over Gauss–Hermite nodes."""
    model = starting(diagonal)
    centred = X - X.mean(axis=0)
    C = model.covariance().data
    gain = model.W.data.T @ np.linalg.inv(C)
    m, root = centred @ gain.T, np.linalg.cholesky(np.eye(M) - gain @ model.W.data)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, M)
    weights = np.outer(weights, weights).ravel() / (2 * np.pi)
    z = m[:, None] + grid @ root.T  # (N, nodes, M)
    ends = np.einsum("q,nd,nqm->dm", weights, centred, z)
    W = ends @ np.linalg.inv(np.einsum("q,nqm,nqk->mk", weights, z, z))
    noise = np.einsum("q,nqd->d", weights, (centred[:, None] - z @ W.T) ** 2) / N
    step = em_step(model, X)
    np.testing.assert_allclose(step.W.data, W, atol=1e-12)
    np.testing.assert_allclose(np.exp(step.logvar.data), noise if diagonal else noise.mean(), rtol=1e-12)
    np.testing.assert_allclose(step.b.data, X.mean(axis=0), rtol=1e-13)


@both
def test_the_likelihood_never_falls(diagonal):
    climbed = climb(em_step, starting(diagonal), X, steps=100).log_likelihoods
    assert np.diff(climbed).min() > -1e-13 * abs(climbed[0])
    assert climbed[-1] - climbed[0] > 1


def test_em_reaches_the_closed_form():
    found = climb(em_step, random_start(X, M, rng=0), X, steps=3000)
    assert found.log_likelihoods[-1] == pytest.approx(best_log_likelihood(X, M), abs=1e-11)
    assert np.degrees(principal_angles(found.model.W.data, fit_ppca(X, M).W.data)[0]) < 1e-3
    assert len(found.log_likelihoods) < 3000  # it ended by itself


def test_factor_analysis_reaches_the_optimum_of_the_gradient():
    found = fit_factor_analysis(X, M, rng=0, steps=5000, tolerance=1e-13)
    assert found.log_likelihoods[-1] == pytest.approx(-minimised(starting(diagonal=True)).fun, abs=1e-6)
    assert found.log_likelihoods[-1] > best_log_likelihood(X, M) + 0.01  # it has D − 1 parameters more


def test_factor_analysis_does_not_depend_on_units_and_probabilistic_pca_does():
    units = np.array([1.0, 10.0, 0.1, 3.0, 100.0, 0.5])
    model = fit_factor_analysis(X, M, rng=0).model
    scaled = fit_factor_analysis(X * units, M, rng=0).model
    np.testing.assert_allclose(scaled.covariance().data / np.outer(units, units), model.covariance().data, rtol=1e-6)
    angle = principal_angles(fit_ppca(X * units, M).W.data / units[:, None], fit_ppca(X, M).W.data)[0]
    assert np.degrees(angle) > 10


@both
def test_the_start_is_as_wide_as_the_data(diagonal):
    """b and Ψ of the data, and w_j of mean square Var(x_j) / M: χ² with M × 500 degrees of freedom."""
    starts = [random_start(X, M, rng=seed, diagonal=diagonal) for seed in range(500)]
    variance = X.var(axis=0)
    np.testing.assert_allclose(starts[0].b.data, X.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(np.exp(starts[0].logvar.data), variance if diagonal else variance.mean(), rtol=1e-12)
    ratio = np.mean([np.sum(model.W.data**2, axis=1) for model in starts], axis=0) / variance
    assert np.all(np.abs(ratio - 1) < 5.96 * np.sqrt(2 / (500 * M)))


def test_the_model_that_a_step_starts_from_stays_as_it_is():
    model = starting(diagonal=True)
    before = model.state()
    em_step(model, X)
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_float32_stays_float32():
    x = X.astype(np.float32)
    models = fit_ppca(x, M), em_step(random_start(x, M, rng=0, diagonal=True), x)
    with no_grad():
        assert {m.log_prob(x).dtype for m in models} == {np.dtype(np.float32)}


def test_principal_angles():
    A = np.eye(4)[:, :2]
    turned = np.stack([np.cos(0.3) * A[:, 0] + np.sin(0.3) * np.eye(4)[2], A[:, 1]], axis=1)
    np.testing.assert_allclose(principal_angles(A, turned @ [[1.0, 2.0], [0.0, -3.0]]), [0.3, 0.0], atol=1e-12)


# -- what is refused -------------------------------------------------------------------------------------------------

ON_A_PLANE = RNG.normal(size=(N, 2)) @ RNG.normal(size=(2, D))
CONSTANT = np.where(np.arange(D) % 3 == 0, 1.0, X)
NAN = np.where(np.arange(N * D).reshape(N, D) == 8, np.nan, X)
BAD = {
    "as many dimensions as columns": (lambda f: f(X, 6), ValueError, "latent is 6; it must be less than the 6 columns"),
    "no dimension": (lambda f: f(X, 0), ValueError, "latent is 0; it must be at least 1"),
    "two and no int": (lambda f: f(X, 2.0), TypeError, "latent is 2.0"),
    "too few rows": (lambda f: f(X[:3], 2), ValueError, "x has 3 rows; latent=2 with some noise .* at least 4"),
    "data in a plane": (lambda f: f(ON_A_PLANE, 2), ValueError, "x lies in a plane of 2 dimensions or fewer"),
    "data in a plane, in float32": (lambda f: f(ON_A_PLANE.astype(np.float32), 2), ValueError, "lies in a plane"),
    "data in a plane far from 0, in float32": (
        lambda f: f((ON_A_PLANE + 15 * ON_A_PLANE.std()).astype(np.float32), 2),  # rounded to 1e-7 of 15
        ValueError,
        "lies in a plane",
    ),
    "one point": (lambda f: f(np.ones((9, 3)), 1), ValueError, "lies in a plane|zero variance"),
    "NaN": (lambda f: f(NAN, 2), ValueError, r"x has nan at \(1, 2\); 1 of 2400 values"),
    "one axis": (lambda f: f(X[:, 0], 2), ValueError, r"x has shape \(400,\); it must be \(N, D\)"),
    "integers": (lambda f: f((9 * X).astype(int), 2), TypeError, "x is int64"),
}
FITS = {
    "closed form": fit_ppca,
    "its likelihood": best_log_likelihood,
    "factor analysis": lambda x, latent: fit_factor_analysis(x, latent, rng=0),
}


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_data_are_refused(call, error, message, fit):
    with pytest.raises(error, match=message):
        call(fit)


def test_columns_of_very_different_units_are_no_plane_for_factor_analysis():
    units = np.array([1e9, 1e3, 1.0, 1.0, 1e-3, 1e-9])
    found = fit_factor_analysis(X * units, 2, rng=0, steps=20)
    np.testing.assert_allclose(found.model.W.data, fit_factor_analysis(X, 2, 0, 20).model.W.data * units[:, None], 1e-6)


def test_the_mean_of_many_data_is_not_summed_in_float32():
    x = (np.tile(X, (100, 1)) + 1000).astype(np.float32)
    np.testing.assert_array_equal(fit_ppca(x, 2).b.data, np.mean(x.astype(np.float64), axis=0).astype(np.float32))


def test_a_climb_ends_after_its_steps_or_when_it_falls():
    taken = []

    def step(model, x):
        taken.append(model)
        return em_step(model, x)

    found = climb(step, starting(True), X, steps=3, tolerance=-np.inf)
    assert len(taken) == 3 and len(found.log_likelihoods) == 4
    top = fit_ppca(X, 2)
    fallen = climb(lambda model, x: LinearGaussian(2 * model.W.data, model.b.data, model.logvar.data), top, X, steps=9)
    assert len(fallen.log_likelihoods) == 2 and fallen.log_likelihoods[1] < fallen.log_likelihoods[0] - 0.01


def test_a_constant_column_is_refused_by_factor_analysis():
    with pytest.raises(ValueError, match=r"columns \[0, 3\] of x have zero variance.*leave them out"):
        fit_factor_analysis(CONSTANT, 1, rng=0)


def test_bad_arguments_of_em_are_refused():
    with pytest.raises(ValueError, match="steps is 0"):
        climb(em_step, TRUE, X, steps=0)
    with pytest.raises(ValueError, match="x has 0 rows"):
        em_step(TRUE, X[:0])
    with pytest.raises(
        ValueError, match="the noise that fits x best is 0, and the likelihood infinite: take more rows"
    ):
        em_step(TRUE, X[:1])
    with pytest.raises(ValueError, match=r"it must be \(B, 6\)"):
        em_step(TRUE, X[:, :2])
