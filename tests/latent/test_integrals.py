"""log p(x) by nodes, ``integrals``, against closed forms, and the errors that it states for itself."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import exponnorm, multivariate_normal, norm

from scratchgen.distributions import Categorical, Independent, Normal
from scratchgen.latent import BernoulliLikelihood
from scratchgen.latent.integrals import marginal_by_gauss_hermite, marginal_by_grid
from tests.latent import linear_gaussian as truth
from tests.latent import toy_models as toy
from tests.latent.test_vae import mlp_vae

RULES = [marginal_by_gauss_hermite, marginal_by_grid]
STANDARD = Independent(Normal(np.zeros(1), 0.0), 1)
ONES = np.ones((3, 6), np.float32)
SQUARES = np.array([[-0.5], [0.0], [1.0], [2.5], [6.0]])


@pytest.mark.parametrize("rule", RULES)
def test_a_linear_gaussian_model_in_the_plane(rule):
    """p(x) = N(b, WWᵀ + s²I)."""
    log_p = rule(truth.model(), truth.X, tolerance=np.inf)
    np.testing.assert_allclose(log_p.value, truth.log_p(truth.X), rtol=0, atol=1e-12)
    assert np.all(log_p.error < 1e-6)


def test_the_weights_of_the_outermost_nodes_may_underflow():
    """In the plane they are products, of 10⁻²¹¹ each."""
    log_p = marginal_by_gauss_hermite(truth.model(), truth.X, order=256)
    np.testing.assert_allclose(log_p.value, truth.log_p(truth.X), rtol=0, atol=1e-12)


def test_a_posterior_with_two_modes():
    """p(x) = ∫ N(x; z², s²) N(z; 0, 1) dz, by an adaptive integration of scipy."""
    std = np.exp(-0.5)
    by_quad = [
        quad(lambda z, x=x: norm.pdf(x, z * z, std) * norm.pdf(z), 0, 8, epsabs=1e-14, epsrel=1e-13)[0]
        for x in SQUARES[:, 0]
    ]
    log_p = marginal_by_grid(toy.Square(), SQUARES)
    np.testing.assert_allclose(log_p.value, np.log(2 * np.array(by_quad)), rtol=0, atol=1e-12)


def test_a_posterior_on_a_ring():
    """In the plane |z|² is exponential with mean 2, so p(x) is an exponential density blurred by N(0, s²)."""
    std = np.exp(-0.5)
    log_p = marginal_by_grid(toy.Square(latent=2), SQUARES)
    np.testing.assert_allclose(log_p.value, exponnorm.logpdf(SQUARES[:, 0], 2 / std, scale=std), rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("mean, logvar", [([0.7], [-1.5]), ([0.7, -3.0], [-1.5, 1.0])])
def test_the_prior_need_not_be_standard(rule, mean, logvar):
    """z ~ N(m, e^v), x = z + ε with Var ε = 1: p(x) = N(m, e^v + 1)."""
    mean, logvar = np.array(mean), np.array(logvar)
    model = toy.Shifted(Independent(Normal(mean, logvar), 1), 0.0)
    x = mean + np.array([[0.0], [0.5], [-1.0]])
    exact = multivariate_normal(mean, np.diag(np.exp(logvar) + 1)).logpdf(x)
    np.testing.assert_allclose(rule(model, x, tolerance=np.inf).value, exact, rtol=0, atol=1e-12)


def test_a_grid_takes_a_prior_that_is_not_normal():
    x, p = np.array([[-3.0], [-0.4], [2.0]]), toy.TwoBumps()
    exact = np.log(0.5 * norm.pdf(x, p.means, np.sqrt(p.variances + 0.3)).sum(axis=1))
    log_p = marginal_by_grid(toy.Shifted(p, np.log(0.3)), x)
    np.testing.assert_allclose(log_p.value, exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [2, 3, 5, 20])
def test_gauss_hermite_nodes_are_exact_to_degree_2_order_minus_1(order):
    """E[z^(2 order − 2)] = (2 order − 3)!! is exact; E[z^(2 order)] is not: it falls short by order!."""
    x, moments = np.zeros((1, 1)), np.cumprod(np.arange(1.0, 2 * order, 2))  # 1!!, 3!!, …
    inside = marginal_by_gauss_hermite(toy.Power(2 * order - 2), x, order, tolerance=np.inf).value
    beyond = marginal_by_gauss_hermite(toy.Power(2 * order), x, order, tolerance=np.inf).value
    np.testing.assert_allclose(inside, np.log(moments[-2]), rtol=0, atol=1e-12)
    short = moments[-1] - np.prod(np.arange(1.0, order + 1))
    np.testing.assert_allclose(beyond, np.log(short), rtol=0, atol=1e-12)


@pytest.mark.parametrize("ratio", [1.0, 1.2, 1.5, 2.0])
def test_the_error_of_the_trapezoid_rule(ratio):
    """Equation (3): a posterior of standard deviation s on a grid of step h = ratio · s, with a node at its mean."""
    step = 16 / 80
    variance = (step / ratio) ** 2  # of the posterior: 1/(1 + 1/s²), so
    model = toy.Shifted(STANDARD, np.log(variance / (1 - variance)))
    x = np.array([[2 * step / (1 - variance)]])  # its posterior mean is (1 − variance) x, the second node
    log_p = marginal_by_grid(model, x, nodes=81, tolerance=np.inf)
    exact = norm.logpdf(x[:, 0], 0, np.sqrt(1 / (1 - variance)))
    q = np.exp(-2 * np.pi**2 / ratio**2)
    np.testing.assert_allclose(np.expm1(log_p.value - exact), 2 * q + 2 * q**4, rtol=1e-6, atol=1e-14)
    q = np.exp(-2 * np.pi**2 / (2 * ratio) ** 2)  # of half the nodes
    half = 1 + 2 * sum(q ** (k * k) for k in range(1, 8))
    np.testing.assert_allclose(log_p.error, np.log(half) - (log_p.value - exact), rtol=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_what_is_within_the_tolerance_by_its_stated_error_is_so_by_its_true_one(rule):
    """Posteriors of all widths, wider than the step of the nodes and narrower, and some beyond the end of the grid."""
    rng, tolerance, passed = np.random.default_rng(0), 1e-6, []
    for logvar in np.linspace(-8, 3, 23):
        std = np.sqrt(1 + np.exp(logvar))
        x = rng.normal(0, 3 * std, (100, 1))
        few = {"order": 24} if rule is marginal_by_gauss_hermite else {"nodes": 61}
        log_p = rule(toy.Shifted(STANDARD, logvar), x, **few, tolerance=np.inf)
        passes = log_p.error <= tolerance
        assert np.all(np.abs(log_p.value - norm.logpdf(x[:, 0], 0, std))[passes] <= tolerance)
        passed.append(passes.mean())
    assert min(passed) == 0 and max(passed) > 0.9


@pytest.mark.parametrize("dims", [1, 2])
def test_what_is_cut_off_by_the_end_of_the_grid_is_within_the_error(dims):
    """Posteriors nearer and nearer to one end, at 8: the stated error is above the true one, or above 10 %."""
    variance = 1 / (1 + np.exp(1.0))  # of the posterior, with Var ε = 1/e
    along, others = np.linspace(0, 14, 71), np.zeros((71, dims - 1))
    model = toy.Shifted(Independent(Normal(np.zeros(dims), 0.0), 1), -1.0)
    log_p = marginal_by_grid(model, np.column_stack([others, along]), nodes=161, tolerance=np.inf)
    std = np.sqrt(1 + np.exp(-1.0))
    exact = norm.logpdf(along, 0, std) + (dims - 1) * norm.logpdf(0, 0, std)
    within = norm.logcdf(8, (1 - variance) * along, np.sqrt(variance))
    np.testing.assert_allclose(log_p.value - exact, within, rtol=0.2, atol=1e-12)
    small = log_p.error < 0.1
    assert np.all(-within[small] <= log_p.error[small] + 1e-12) and log_p.error[0] < 1e-11
    assert np.any((1e-6 < -within) & (-within < 1e-4)) and -within[~small].min() > 1e-3


@pytest.mark.parametrize(("nodes", "width"), [(3, 1.5), (5, 1.1), (9, 3.0)])
def test_a_coarse_grid_in_the_plane_is_the_product_of_two_on_the_line(nodes, width):
    """Of independent x: edges are counted half and corners a quarter, where they carry weight too."""
    x = np.array([[0.3, -1.0], [2.0, 0.5]])
    line, plane = (toy.Shifted(Independent(Normal(np.zeros(d), 0.0), 1), -1.0) for d in (1, 2))
    got = marginal_by_grid(plane, x, nodes, width, tolerance=np.inf).value
    parts = [marginal_by_grid(line, x[:, [j]], nodes, width, tolerance=np.inf).value for j in (0, 1)]
    np.testing.assert_allclose(got, parts[0] + parts[1], rtol=0, atol=1e-13)


@pytest.mark.parametrize("rule", RULES)
def test_float32_models_are_summed_in_float64(rule):
    single, double = (
        mlp_vae(BernoulliLikelihood(6), dtype=dtype) for dtype in (np.float32, np.float64)
    )  # equal weights, rounded
    log_p, exact = rule(single, ONES, tolerance=1e-3), rule(double, np.ones((3, 6)), tolerance=1e-3)
    assert log_p.value.dtype == np.float64 and log_p.value.shape == log_p.error.shape == (3,)
    np.testing.assert_allclose(log_p.value, exact.value, rtol=0, atol=1e-5)


@pytest.mark.parametrize("variance", [0.3, 1.0])
def test_gauss_hermite_converges_geometrically(variance):
    """Equation (2): x = z + ε with Var ε = s²; the error falls by 1 + 2 s² with each node, whatever x is."""
    model, x = toy.Shifted(STANDARD, np.log(variance)), np.array([[0.0], [0.7]])
    exact = norm.logpdf(x[:, 0], 0, np.sqrt(1 + variance))
    orders = np.arange(5, 25, 2)
    errors = [np.abs(marginal_by_gauss_hermite(model, x, int(n), np.inf).value - exact).max() for n in orders]
    slope = np.polyfit(orders, np.log(errors), 1)[0]
    assert slope == pytest.approx(-np.log(1 + 2 * variance), rel=0.05)


def test_the_kinks_of_relu_slow_down_both_rules():
    model = mlp_vae(BernoulliLikelihood(6), dtype=np.float64)
    a = marginal_by_gauss_hermite(model, np.ones((1, 6)), tolerance=1e-3)
    b = marginal_by_grid(model, np.ones((1, 6)), tolerance=1e-3)
    assert abs(a.value - b.value) <= a.error + b.error < 1e-3
    assert a.error > 1e-5 > b.error > 1e-9  # the grid has six times the nodes in each dimension


# -- bad inputs --------------------------------------------------------------------------------------------------------

NARROW = toy.Shifted(STANDARD, -12.0)
MODEL = mlp_vae(BernoulliLikelihood(6))
SOLID = mlp_vae(BernoulliLikelihood(6), latent=3)
BAD = {
    "three dimensions": (lambda: marginal_by_grid(SOLID, ONES), ValueError, r"z has the shape \(3,\); only"),
    "three dimensions, by nodes": (
        lambda: marginal_by_gauss_hermite(SOLID, ONES),
        ValueError,
        "In more dimensions sample z: marginal_by_importance",
    ),
    "a discrete z": (lambda: marginal_by_grid(toy.Mixture(), truth.X[:, :2]), TypeError, "discrete z: use .*_by_sum"),
    "a vector of bits": (lambda: marginal_by_grid(toy.Sigmoid(), np.ones((1, 4))), TypeError, "of a discrete z"),
    "a single integer": (
        lambda: marginal_by_grid(toy.Shifted(Categorical(np.zeros(3)), 0.0), np.zeros((1, 1))),
        TypeError,
        "discrete",
    ),
    "nodes of another prior": (
        lambda: marginal_by_gauss_hermite(toy.Shifted(toy.TwoBumps(), 0.0), np.ones((1, 1))),
        TypeError,
        "the prior is TwoBumps.*use a grid",
    ),
    "one node": (lambda: marginal_by_gauss_hermite(MODEL, ONES, order=1), ValueError, "order is 1; .* at least 2"),
    "half an order": (lambda: marginal_by_gauss_hermite(MODEL, ONES, order=2.5), TypeError, "order is 2.5"),
    "too high an order": (
        lambda: marginal_by_gauss_hermite(MODEL, ONES, order=257),
        ValueError,
        "order is 257; it must be at most 256",
    ),
    "too narrow a grid": (
        lambda: marginal_by_grid(MODEL, ONES, width=1.0),
        ValueError,
        "width is 1.0; it must be .* a",
    ),
    "even nodes": (lambda: marginal_by_grid(MODEL, ONES, nodes=100), ValueError, "nodes is 100 .* must be odd"),
    "too many nodes": (lambda: marginal_by_grid(MODEL, ONES, nodes=1001), ValueError, "at most 1,000,000 in all"),
    "one point": (lambda: marginal_by_grid(MODEL, ONES, nodes=1), ValueError, "nodes is 1; .* at least 3"),
    "a point and a half": (lambda: marginal_by_grid(MODEL, ONES, nodes=1.5), TypeError, "nodes is 1.5"),
    "no width": (lambda: marginal_by_grid(MODEL, ONES, width=0.0), ValueError, "width is 0.0; it must be .* above 1"),
    "no end": (lambda: marginal_by_grid(MODEL, ONES, width=np.inf), ValueError, "width is inf"),
    "between the nodes": (
        lambda: marginal_by_gauss_hermite(NARROW, np.array([[0.0], [1.0]])),
        ArithmeticError,
        r"the integral of x\[0\] has not converged: log p is .*; 2 of 2 x: take more nodes",
    ),
    "two modes": (
        lambda: marginal_by_gauss_hermite(toy.Square(), SQUARES),
        ArithmeticError,
        r"x\[0\] has not converged.*; 5 of 5 x",
    ),
    "between the points": (
        lambda: marginal_by_grid(NARROW, np.array([[0.01]])),
        ArithmeticError,
        r"x\[0\] has not converged",
    ),
    "beyond the end": (
        lambda: marginal_by_grid(toy.Shifted(STANDARD, -1.0), np.array([[0.0], [13.0]])),
        ArithmeticError,
        r"x\[1\] has not converged.* a share of 1 lies at the end of the grid; 1 of 2 x",
    ),
    "no density anywhere": (
        lambda: marginal_by_grid(toy.Nowhere(1), np.zeros((1, 1))),
        ArithmeticError,
        "log p is -inf, with half the nodes -inf",
    ),
    "NaN": (lambda: marginal_by_grid(NARROW, np.array([[np.nan]])), ValueError, "x has nan"),
    "one x": (lambda: marginal_by_grid(NARROW, np.zeros(1)), ValueError, r"it must be \(B, 1\); one x is x\[None\]"),
    "masked": (lambda: marginal_by_gauss_hermite(NARROW, np.ma.zeros((3, 1))), TypeError, "x is a masked array"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
