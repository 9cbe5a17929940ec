"""Mixtures of any distributions: sums over the components by hand, quadrature and enumeration."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

from scratchgen.autodiff import Tensor, softmax
from scratchgen.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Independent,
    Mixture,
    MultivariateNormal,
    Normal,
    scale_tril_from,
)
from tests.distributions import truth
from tests.distributions.truth import draw, slopes

Z, N = 5.96, 100_000
LOG_2PI = np.log(2 * np.pi)


def components(kind: str, *batch: int) -> Distribution:
    """A batch of distributions; events are numbers, or vectors of two dimensions."""
    if kind == "Normal":
        return Normal(*draw((batch, batch), 1))
    if kind == "Categorical":
        return Categorical(*draw(((*batch, 5),), 1))
    if kind == "vectors of Bernoulli":
        return Independent(Bernoulli(*draw(((*batch, 2),), 1)), 1)
    if kind == "vectors of Normal":
        mean, logvar = draw(((*batch, 2), (*batch, 2)), 1)
        return Independent(Normal(mean, 0.5 * logvar), 1)
    mean, raw = draw(((*batch, 2), (*batch, 2, 2)), 1)
    return MultivariateNormal(mean, scale_tril_from(0.25 * raw))


KINDS = ["Normal", "Categorical", "vectors of Bernoulli", "vectors of Normal", "MultivariateNormal"]
SHAPES = [((3,), (3,)), ((4, 3), (4, 3)), ((3,), (4, 3)), ((4, 3), (3,)), ((2, 4, 3), (2, 4, 3)), ((1,), (1,))]
ALL_KINDS = pytest.mark.parametrize("kind", KINDS)
ALL_SHAPES = pytest.mark.parametrize(("logits", "batch"), SHAPES)


def mixture(kind: str, logits: tuple[int, ...] = (4, 3), batch: tuple[int, ...] = (4, 3)) -> Mixture:
    return Mixture(draw((logits,), 2)[0], components(kind, *batch))


def by_hand(p: Mixture, x: np.ndarray) -> np.ndarray:
    """w_k p_k(x) for every component, of x (*batch_shape, *event_shape): (*batch_shape, K)."""
    K = p.logits.shape[-1]
    e = np.exp(p.logits)
    w = np.broadcast_to(e / e.sum(axis=-1, keepdims=True), (*p.batch_shape, K))
    result = np.empty_like(w)
    for b in np.ndindex(p.batch_shape):
        for k in range(K):
            shared = len(p.components.batch_shape) == 1
            at = np.broadcast_to(x[b], p.components.batch_shape + p.event_shape)
            result[(*b, k)] = w[(*b, k)] * np.exp(p.components.log_prob(at)[(k,) if shared else (*b, k)])
    return result


# -- densities ---------------------------------------------------------------------------------------------------------


@ALL_SHAPES
@ALL_KINDS
def test_log_prob_and_responsibilities_by_hand(kind: str, logits: Any, batch: Any) -> None:
    """(1) and (3) without logarithms, where logits or components may be shared by the batch, for several draws."""
    p = mixture(kind, logits, batch)
    assert p.batch_shape == max(logits[:-1], batch[:-1], key=len)
    for n in ((), (5,), (2, 3), (0,)):
        x = p.sample(n, rng=0)
        assert x.shape == n + p.batch_shape + p.event_shape
        log_prob, share = p.log_prob(x), p.responsibilities(x)
        assert log_prob.shape == n + p.batch_shape and share.shape == (*n, *p.batch_shape, logits[-1])
        for i in np.ndindex(n):
            each = by_hand(p, x[i])
            np.testing.assert_allclose(np.exp(log_prob[i]), each.sum(axis=-1), rtol=1e-12)
            np.testing.assert_allclose(share[i], each / each.sum(axis=-1, keepdims=True), rtol=1e-11)


def test_log_prob_against_scipy() -> None:
    """Two normals with known weights, and two normal vectors."""
    x = np.linspace(-5, 5, 11)
    p = Mixture(np.log([0.3, 0.7]), Normal(np.array([-1.0, 2.0]), np.log([0.25, 4.0])))
    expected = 0.3 * scipy.stats.norm.pdf(x, -1, 0.5) + 0.7 * scipy.stats.norm.pdf(x, 2, 2)
    np.testing.assert_allclose(np.exp(p.log_prob(x)), expected, rtol=1e-12)
    mean, raw, at = draw(((2, 3), (2, 3, 3), (7, 3)), 3)
    L = scale_tril_from(raw)
    q = Mixture(np.log([0.3, 0.7]), MultivariateNormal(mean, L))
    first, second = (scipy.stats.multivariate_normal(mean[k], L[k] @ L[k].T).pdf(at) for k in range(2))
    np.testing.assert_allclose(np.exp(q.log_prob(at)), 0.3 * first + 0.7 * second, rtol=1e-10)


@ALL_KINDS
def test_the_total_probability_is_one_and_moments_are_those_of_the_probabilities(kind: str) -> None:
    """(4) and (5) by enumeration, or by the trapezoidal rule on a fine grid, and the total of (1)."""
    p = mixture(kind, (3,), (4, 3))
    if kind == "Categorical":
        x = np.arange(5)
    elif kind == "vectors of Bernoulli":
        x = truth.outcomes(Independent(Bernoulli(np.zeros(2)), 1))
    else:
        axis = np.linspace(-30, 30, 10_001) if kind == "Normal" else np.linspace(-18, 18, 241)
        x = axis if kind == "Normal" else np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    cell = (axis[1] - axis[0]) ** int(np.prod(p.event_shape)) if "Normal" in kind else 1.0
    x = truth.in_every_batch(x, p)
    weight = np.exp(p.log_prob(x)) * cell
    np.testing.assert_allclose(weight.sum(axis=0), 1, rtol=0, atol=1e-10)
    weight = weight.reshape(weight.shape + (1,) * len(p.event_shape))
    np.testing.assert_allclose(p.mean, np.sum(weight * x, axis=0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(p.variance, np.sum(weight * (x - p.mean) ** 2, axis=0), rtol=1e-9)


def test_the_cdf_is_the_average_of_those_of_the_components() -> None:
    """(6), of numbers and of vectors; of what has no cdf there is none of the mixture."""
    x = np.linspace(-5, 5, 11)
    p = Mixture(np.log([0.3, 0.7]), Normal(np.array([-1.0, 2.0]), np.log([0.25, 4.0])))
    expected = 0.3 * scipy.stats.norm.cdf(x, -1, 0.5) + 0.7 * scipy.stats.norm.cdf(x, 2, 2)
    np.testing.assert_allclose(p.cdf(x), expected, rtol=1e-12)
    q = mixture("vectors of Normal", (3,), (4, 3))
    at = draw(((4, 2),), 5)[0]
    each = scipy.stats.norm.cdf(at[:, None], q.components.mean, np.sqrt(q.components.variance)).prod(axis=-1)
    np.testing.assert_allclose(q.cdf(at), np.sum(q.weights * each, axis=-1), rtol=1e-11)
    with pytest.raises(NotImplementedError, match="MultivariateNormal has no cdf"):
        mixture("MultivariateNormal", (3,), (4, 3)).cdf(at)


def test_a_mixture_of_one_is_its_component() -> None:
    base = Normal(*draw(((4, 1), (4, 1)), 1))
    p, x = Mixture(np.array([7.0]), base), draw(((6, 4),), 2)[0]
    np.testing.assert_allclose(p.log_prob(x), base.log_prob(x[..., None])[..., 0], rtol=1e-14)
    np.testing.assert_array_equal(p.mean, base.mean[:, 0])
    np.testing.assert_allclose(p.variance, base.variance[:, 0], rtol=1e-15)
    np.testing.assert_array_equal(p.responsibilities(x), np.ones((6, 4, 1)))


def test_a_mixture_of_mixtures() -> None:
    """Of dice, whose probabilities are then those of one die."""
    inner = mixture("Categorical", (2, 3), (2, 3))
    p = Mixture(np.log([0.2, 0.8]), inner)
    total = [np.sum([0.2, 0.8] * np.exp(inner.log_prob(np.full(2, x)))) for x in range(5)]
    np.testing.assert_allclose(np.exp(p.log_prob(np.arange(5))), total, rtol=1e-12)


# -- extremes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_from_every_component(dtype: Any) -> None:
    """At 1,000 standard deviations all densities are 0; log p(x) and its gradients are those of the nearer one."""
    x, means = np.array([1000, -1000], dtype), np.array([-4, 4], dtype)

    def f(x: Any, means: Any) -> Any:
        return Mixture(np.log(np.array([0.5, 0.5], dtype)), Normal(means, 0.0)).log_prob(x)

    y, (by_x, by_means) = slopes(f, x, means)
    assert y.dtype == by_x.dtype == by_means.dtype == dtype
    np.testing.assert_allclose(y, np.log(0.5) - 0.5 * (LOG_2PI + 996.0**2), rtol=1e-6)
    np.testing.assert_allclose(by_x, [-996, 996], rtol=1e-6)
    np.testing.assert_allclose(by_means, [-996, 996], rtol=1e-6)
    share = Mixture(np.zeros(2, dtype), Normal(means, 0.0)).responsibilities(x)
    np.testing.assert_array_equal(share, [[0, 1], [1, 0]])


def test_a_component_of_probability_zero() -> None:
    """As if it were not there: neither drawn nor in the density, nor are the gradients of the others harmed."""
    logits, means = np.array([0.0, -np.inf, 1.0]), np.array([-2.0, 50.0, 3.0])
    without = Mixture(logits[[0, 2]], Normal(means[[0, 2]], 0.0))
    p, x = Mixture(logits, Normal(means, 0.0)), np.array([-1.0, 50.0, 2.0])
    np.testing.assert_allclose(p.log_prob(x), without.log_prob(x), rtol=1e-14)
    assert p.sample(1000, rng=0).max() < 10
    y, (by_logits, by_means) = slopes(lambda a, m: Mixture(a, Normal(m, 0.0)).log_prob(x), logits, means)
    _, expected = slopes(lambda a, m: Mixture(a, Normal(m, 0.0)).log_prob(x), logits[[0, 2]], means[[0, 2]])
    assert np.all(np.isfinite(y)) and by_logits[1] == by_means[1] == 0
    np.testing.assert_allclose(by_logits[[0, 2]], expected[0], rtol=1e-12)
    np.testing.assert_allclose(by_means[[0, 2]], expected[1], rtol=1e-12)


def test_gradients_by_hand() -> None:
    """d log p/d logits_k = p(k | x) − w_k, and d/dm_k = p(k | x) (x − m_k)/v_k: EM's averages."""
    logits, means, logvars, x = draw(((3,), (3,), (3,), (6,)), 1)
    _, (by_logits, by_means) = slopes(lambda a, m: Mixture(a, Normal(m, logvars)).log_prob(x), logits, means)
    share = Mixture(logits, Normal(means, logvars)).responsibilities(x)
    np.testing.assert_allclose(by_logits, np.sum(share - softmax(logits), axis=0), rtol=1e-12)
    np.testing.assert_allclose(by_means, np.sum(share * (x[:, None] - means) / np.exp(logvars), axis=0), rtol=1e-12)


# -- samples -----------------------------------------------------------------------------------------------------------


@ALL_KINDS
def test_samples_have_the_mean_and_the_variance(kind: str) -> None:
    """For shared logits, which each of the batch draws from anew. An error of 0.06 standard deviations would show."""
    p = mixture(kind, (3,), (2, 3))
    x = p.sample(N, rng=1)
    z = (x - p.mean) / np.sqrt(p.variance)
    assert 2 * Z / np.sqrt(N) < 0.06
    assert np.all(np.abs(z.mean(axis=0)) < Z / np.sqrt(N))
    squares = z * z
    assert np.all(np.abs(squares.mean(axis=0) - 1) < Z * squares.std(axis=0) / np.sqrt(N))
    across = z[:, 0] * z[:, 1]  # one choice for the whole batch would show
    assert np.all(np.abs(across.mean(axis=0)) < Z * across.std(axis=0) / np.sqrt(N))


def test_the_components_of_a_vector_come_from_one_component() -> None:
    """Means (10, 10) and (−10, −10): no draw is near (10, −10)."""
    p = Mixture(np.zeros(2), Independent(Normal(np.array([[10.0, 10.0], [-10.0, -10.0]]), np.zeros((2, 2))), 1))
    x = p.sample(10_000, rng=0)
    assert np.all(x[:, 0] * x[:, 1] > 0)
    share = np.mean(x[:, 0] > 0)
    assert abs(share - 0.5) < Z * 0.5 / np.sqrt(10_000)


def test_frequencies_of_a_mixture_of_dice() -> None:
    p = mixture("Categorical", (2, 3), (3,))
    x = p.sample(N, rng=3)
    for level in range(5):
        probability = np.exp(p.log_prob(np.full(2, level)))
        error = np.sqrt(probability * (1 - probability) / N)
        assert 2 * Z * error.max() < 0.02
        assert np.all(np.abs(np.mean(x == level, axis=0) - probability) < Z * error + Z**2 / N)
    assert x.dtype == int


def test_samples_carry_no_graph_and_dtypes_stay() -> None:
    for dtype in (np.float32, np.float64):
        logits, means = (Tensor(a.astype(dtype), requires_grad=True) for a in draw(((3,), (3,)), 1))
        p = Mixture(logits, Normal(means, 0.0))
        x = p.sample(4, rng=0)
        assert type(x) is np.ndarray
        for y in (x, p.mean, p.variance, p.log_prob(x), p.responsibilities(x), p.log_prob(0.5)):
            assert y.dtype == dtype


# -- what is refused ---------------------------------------------------------------------------------------------------

ONE = Normal(np.zeros(3), np.zeros(3))
P = Mixture(np.zeros(3), ONE)
Call = Callable[[], Any]
BAD: dict[str, tuple[Call, type[Exception], str]] = {
    "another number of components": (
        lambda: Mixture(np.zeros(4), ONE),
        ValueError,
        r"logits has shape \(4,\), and components have the batch shape \(3,\); they must be the same",
    ),
    "a list of components": (
        lambda: Mixture(np.zeros(3), [ONE] * 3),
        TypeError,
        "components is a list; it must be a D",
    ),
    "no axis of components": (lambda: Mixture(np.zeros(3), Normal(0.0, 0.0)), ValueError, r"batch shape \(\)"),
    "another batch": (
        lambda: Mixture(np.zeros((4, 3)), Normal(np.zeros((5, 3)), 0.0)),
        ValueError,
        r"\(4, 3\), and components have the batch shape \(5, 3\)",
    ),
    "a batch of one": (
        lambda: Mixture(np.zeros((4, 3)), Normal(np.zeros((1, 3)), 0.0)),
        ValueError,
        r"\(4, 3\), and components have the batch shape \(1, 3\)",
    ),
    "all impossible": (lambda: Mixture(np.full(3, -np.inf), ONE).log_prob(0.0), ValueError, "-inf in the row"),
    "NaN logits": (lambda: Mixture(np.array([0, np.nan, 0]), ONE), ValueError, r"logits has nan at \(1,\)"),
    "dtypes": (lambda: Mixture(np.zeros(3, np.float32), ONE), TypeError, "logits is float32, components are float64"),
    "x of another shape": (
        lambda: mixture("Normal", (3,), (4, 3)).log_prob(np.zeros(3)),
        ValueError,
        r"x has shape \(3,\); its last axes must be \(4,\)",
    ),
    "(n, 1) for (n,)": (
        lambda: mixture("Normal", (3,), (4, 3)).log_prob(np.zeros((4, 1))),
        ValueError,
        r"did you mean x\[:, 0\]\?",
    ),
    "NaN in x": (lambda: P.log_prob(np.array([0.0, np.nan])), ValueError, r"x has nan at \(1, 0\)"),
    "masked x": (lambda: P.log_prob(np.ma.masked_array([0.0], [True])), TypeError, "x is a masked array"),
    "x of another dtype": (lambda: P.log_prob(np.zeros(2, np.float32)), TypeError, "x is float32"),
    "impossible x": (
        lambda: Mixture(np.zeros(2), Categorical(np.array([[0.0, -np.inf]] * 2))).responsibilities(np.array([1])),
        ValueError,
        "-inf in the row",
    ),
    "entropy": (lambda: P.entropy(), NotImplementedError, "average −log_prob"),
    "rsample": (lambda: P.rsample(3, 0), NotImplementedError, "Mixture has no reparameterised samples"),
    "rng": (lambda: P.sample(3, np.random), TypeError, "the module np.random"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
