"""Divergences of continuous distributions near q = p, far from it and at their limits; and where they are estimated."""

from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Independent,
    Laplace,
    Logistic,
    Normal,
    Uniform,
    divergence,
    kl_divergence,
)
from tests.distributions import truth

Z = 5.96


def standard(seed: int, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(truth.draw((shape, shape), seed))  # type: ignore[return-value]


# -- closed forms ------------------------------------------------------------------------------------------------------


def nested(seed: int) -> tuple[Uniform, Uniform]:
    """q within p."""
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.normal(size=(4, 2, 3)), axis=0)
    return Uniform(ends[1], ends[2]), Uniform(ends[0], ends[3])


@pytest.mark.parametrize("seed", [1, 2])
def test_kl_of_nested_intervals_is_the_expectation_of_the_log_ratio(seed: int) -> None:
    """Equation (7) of continuous_kl.py; the other way round there is x with q(x) > 0 and p(x) = 0."""
    q, p = nested(seed)
    expected = truth.expectation(q, lambda x: q.log_prob(x) - p.log_prob(x))
    np.testing.assert_allclose(kl_divergence(q, p), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(kl_divergence(p, q), np.full((2, 3), np.inf))


def test_kl_of_intervals_that_touch_overlap_or_miss() -> None:
    p = Uniform(0.0, 4.0)
    for low, high, expected in [
        (0.0, 4.0, 0.0),
        (0.0, 1.0, np.log(4)),
        (3.0, 4.0, np.log(4)),
        (1.0, 3.0, np.log(2)),
        (-1e-16, 1.0, np.inf),
        (1.0, 5.0, np.inf),
        (-9.0, -5.0, np.inf),
        (-1.0, 5.0, np.inf),
    ]:
        got, gradients = truth.slopes(lambda a, b: kl_divergence(Uniform(a, b), p), np.array(low), np.array(high))
        np.testing.assert_allclose(got, expected, rtol=1e-15)
        slope = 1 / (high - low) if np.isfinite(expected) else 0.0
        np.testing.assert_allclose(gradients, [slope, -slope], rtol=1e-14)


@pytest.mark.parametrize("step", [1e-12, 1e-8, 1e-3, 1.0])
def test_kl_of_intervals_keeps_its_digits(step: float) -> None:
    """log(1 + 3 step/w), which log(w_p/w) is only to 1e-16; in the numbers that the floats are, by exact arithmetic."""
    q, p = Uniform(0.1, 0.4), Uniform(0.1 - step, 0.4 + 2 * step)
    with localcontext() as context:
        context.prec = 100
        low, high, low_p, high_p = (Decimal(float(x)) for x in (q.low, q.high, p.low, p.high))
        expected = float(((high_p - low_p) / (high - low)).ln())
    np.testing.assert_allclose(kl_divergence(q, p), expected, rtol=1e-14)


@pytest.mark.parametrize("cls", [Normal, Laplace, Logistic])
def test_kl_to_an_interval_is_infinite(cls: Any) -> None:
    """Even from a q that is all but inside, of which no sample would tell."""
    q, p = cls(np.zeros((2, 1), np.float32), -9.0), Uniform(np.full(3, -1.0, np.float32), 1.0)
    kl = kl_divergence(q, p)
    assert kl.shape == (2, 3) and kl.dtype == np.float32 and np.all(kl == np.inf)
    assert np.all(np.abs(q.sample(10_000, rng=0)) < 1)


def exact_kl_of_laplace(q: Laplace, p: Laplace) -> float:
    """−d − 1 + eᵈ (e^{−t} + t) to 100 decimals, as a textbook has it."""
    with localcontext() as context:
        context.prec = 100
        m, s, m_p, s_p = (Decimal(float(x)) for x in (q.loc, q.log_scale, p.loc, p.log_scale))
        d, t = s - s_p, abs(m - m_p) * (-s).exp()
        return float(-d - 1 + d.exp() * ((-t).exp() + t))


@pytest.mark.parametrize("step", [1e-9, 1e-6, 1e-3, 1.0, 30.0])
@pytest.mark.parametrize("log_scale", [-300.0, -7.0, 0.0, 7.0, 300.0])
def test_kl_of_laplace_distributions_keeps_its_digits(log_scale: float, step: float) -> None:
    """What is left is the error of the parameters themselves: ε relative to the step."""
    scale = np.exp(log_scale)
    for dm, ds in [(step, 0.0), (0.0, step), (0.0, -step), (step, -step)]:
        q, p = Laplace(0.0, log_scale), Laplace(dm * scale, log_scale + ds)
        rtol = 1e-15 * (10 + 10 * max(1.0, abs(log_scale)) / step)
        np.testing.assert_allclose(kl_divergence(q, p), exact_kl_of_laplace(q, p), rtol=rtol)


def test_kl_to_a_laplace_too_narrow_for_a_float_is_infinite() -> None:
    """Equation (6) for eᵈ above the largest float: infinite also where the locations are equal, not ∞ · 0."""
    with np.errstate(over="ignore"):
        for loc in (0.0, 1.0):
            assert kl_divergence(Laplace(loc, 0.0), Laplace(0.0, -800.0)) == np.inf
    np.testing.assert_allclose(kl_divergence(Laplace(0.0, 0.0), Laplace(0.0, -700.0)), np.exp(700.0), rtol=1e-12)


@pytest.mark.parametrize("log_scale", [-300.0, 300.0])
@pytest.mark.parametrize(("kind_q", "kind_p"), truth.MIXED_ON_THE_LINE)
def test_kl_at_extreme_scales(kind_q: str, kind_p: str, log_scale: float) -> None:
    """Stretching both by one factor changes no divergence."""

    def stretched(kind: str, loc: float, log_scale: float) -> Distribution:
        if kind == "Uniform":
            return Uniform(loc - np.exp(log_scale), loc + np.exp(log_scale))
        return truth.KINDS[kind][0](loc, 2 * log_scale if kind == "Normal" else log_scale)

    q, p = stretched(kind_q, 0.0, 0.3), stretched(kind_p, 1.5, -0.4)
    far_q, far_p = stretched(kind_q, 0.0, 0.3 + log_scale), stretched(kind_p, 1.5 * np.exp(log_scale), -0.4 + log_scale)
    np.testing.assert_allclose(kl_divergence(far_q, far_p), kl_divergence(q, p), rtol=1e-12)


@pytest.mark.parametrize("far", [-1e6, 1e6])
@pytest.mark.parametrize("cls", [Normal, Logistic, Laplace])
def test_kl_to_a_distant_laplace_is_the_distance(cls: Any, far: float) -> None:
    """Equations (3), (4) and (6): A → |Δ|, and KL → −H(q) + log 2 + |Δ|."""
    q, p = cls(far, 0.5), Laplace(0.0, 0.0)
    np.testing.assert_allclose(kl_divergence(q, p), np.log(2) + 1e6 - q.entropy(), rtol=1e-15)


def test_kl_of_vectors_of_two_classes_adds_up() -> None:
    (m, s), (m_p, v_p) = standard(1, 2, 3), standard(2, 2, 3)
    q, p = Independent(Laplace(m, s), 1), Independent(Normal(m_p, v_p), 1)
    np.testing.assert_allclose(kl_divergence(q, p), kl_divergence(q.base, p.base).sum(axis=1), rtol=1e-14)


# -- estimates ---------------------------------------------------------------------------------------------------------


def test_an_exact_divergence_says_so() -> None:
    q, p = truth.make("Laplace", 1), truth.make("Normal", 2)
    value, error, method = divergence(q, p, rng=0)
    np.testing.assert_array_equal(value, kl_divergence(q, p))
    np.testing.assert_array_equal(error, np.zeros((2, 3)))
    assert method == "closed form"


def test_an_estimate_says_so_and_is_the_mean_of_the_log_ratios() -> None:
    """Equations (1) and (2) of estimated_kl.py, at the samples that the same seed draws."""
    q, p = truth.make("Normal", 1), truth.make("Logistic", 2)
    value, error, method = divergence(q, p, rng=3, samples=50)
    x = q.sample(50, rng=3)
    ratio = q.log_prob(x) - p.log_prob(x)
    np.testing.assert_allclose(value, ratio.sum(axis=0) / 50, rtol=1e-13)
    np.testing.assert_allclose(error, np.sqrt(np.sum((ratio - value) ** 2, axis=0) / 49 / 50), rtol=1e-12)
    assert method == "Monte Carlo, 50 samples"
    assert divergence(q, p, rng=3, samples=2).method == "Monte Carlo, 2 samples"


@pytest.mark.parametrize("kind", ["Normal", "Laplace", "Logistic", "Uniform"])
def test_estimates_are_unbiased_and_their_errors_right(kind: str) -> None:
    """At 10,000 samples each is within 5.96 of its errors, below 0.05 nats; and of 1,000 estimates the z-scores vary
    as they should, so neither is the error too small.
    """
    q, p = truth.make(kind, 1), truth.make("Logistic", 2)
    expected = truth.expectation(q, lambda x: q.log_prob(x) - p.log_prob(x), beside=p)
    value, error, _ = divergence(q, p, rng=0, samples=10_000)
    assert np.all(np.abs(value - expected) < Z * error) and np.all(error < 0.05 * np.maximum(expected, 1))
    parameters = (x[0, 0] * np.ones(1000) for x in truth.draw(truth.KINDS[kind][1], 1))
    many, other = truth.KINDS[kind][0](*parameters), Logistic(p.loc[0, 0] * np.ones(1000), p.log_scale[0, 0])
    value, error, _ = divergence(many, other, rng=1, samples=400)
    z = (value - expected[0, 0]) / error
    assert abs(z.mean()) < Z / np.sqrt(1000)
    assert abs(np.mean(z * z) - 1) < Z * np.sqrt(2 / 1000) * 1.5  # a factor for the tails of z, and for 1/n


def test_an_estimate_of_vectors_sums_over_the_dimensions() -> None:
    q, p = (Independent(truth.make(kind, seed), 1) for kind, seed in (("Normal", 1), ("Logistic", 2)))
    expected = truth.expectation(q.base, lambda x: q.base.log_prob(x) - p.base.log_prob(x), beside=p.base).sum(axis=1)
    value, error, method = divergence(q, p, rng=0, samples=20_000)
    assert value.shape == error.shape == (2,) and method == "Monte Carlo, 20000 samples"
    assert np.all(np.abs(value - expected) < Z * error) and np.all(error < 0.02 * expected)


def test_an_estimate_at_q_equal_to_p_is_exactly_zero() -> None:
    q = truth.make("Logistic", 1)
    value, error, _ = divergence(q, truth.make("Logistic", 1), rng=0, samples=20)
    assert np.all(value == 0) and np.all(error == 0)


def test_the_gradient_of_an_estimate_is_that_of_the_divergence() -> None:
    """Through samples and density of q, and through p: against differences of the quadrature, within its own error."""
    m, s = np.array(0.3), np.array(-0.4)
    m_p, s_p = np.array(-0.2), np.array(0.5)

    def exact(m: float, s: float, m_p: float, s_p: float) -> float:
        q, p = Normal(m, s), Logistic(m_p, s_p)
        return float(truth.expectation(q, lambda x: q.log_prob(x) - p.log_prob(x), beside=p))

    h, at = 1e-5, np.array([m, s, m_p, s_p])
    expected = [(exact(*(at + h * e)) - exact(*(at - h * e))) / (2 * h) for e in np.eye(4)]
    n = 4000
    many = [np.full(n, x) for x in at]
    _, gradients = truth.slopes(
        lambda m, s, m_p, s_p: divergence(Normal(m, s), Logistic(m_p, s_p), rng=0, samples=25).value, *many
    )
    for got, gradient in zip(gradients, expected):
        error = got.std() / np.sqrt(n)
        assert abs(got.mean() - gradient) < Z * error and Z * error < 0.02


def test_a_discrete_q_is_estimated_but_not_differentiated(monkeypatch: pytest.MonkeyPatch) -> None:
    from scratchgen.distributions import kl

    logits, logits_p = truth.draw(((5,), (5,)), 1)
    expected = kl_divergence(Categorical(logits), Categorical(logits_p))
    monkeypatch.delitem(kl.CLOSED_FORMS, (Categorical, Categorical))
    q, p = Categorical(logits), Categorical(logits_p)
    value, error, _ = divergence(q, p, rng=0, samples=20_000)
    assert abs(value - expected) < Z * error < 0.1
    leaf = Tensor(logits, requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"Categorical has no reparameterised samples.*no_grad\(\)"):
        divergence(Categorical(leaf), p, rng=0)
    with no_grad():
        np.testing.assert_array_equal(divergence(Categorical(leaf), p, rng=0, samples=20_000).value.data, value)
    y = divergence(q, Categorical(Tensor(logits_p, requires_grad=True)), rng=0).value  # by p it is differentiable
    assert y.requires_grad


@pytest.mark.parametrize(
    ("q_shape", "p_shape"), [((), ()), ((3,), ()), ((2, 3), (3,)), ((), (2, 3)), ((3,), (2, 3)), ((2, 1), (3,))]
)
@pytest.mark.parametrize("as_vectors", [False, True])
def test_batches_broadcast(q_shape: Any, p_shape: Any, as_vectors: bool) -> None:
    event = (2,) if as_vectors else ()
    q: Distribution = Normal(*standard(1, *q_shape, *event))
    p: Distribution = Logistic(*standard(2, *p_shape, *event))
    if as_vectors:
        q, p = Independent(q, 1), Independent(p, 1)
    value, error, _ = divergence(q, p, rng=0, samples=40)
    shape = np.broadcast_shapes(q_shape, p_shape)
    assert np.shape(value) == np.shape(error) == shape
    x = q.sample(40, rng=0)
    for index in np.ndindex(shape):  # each element by itself, with its own q and p
        mine = tuple(i if n > 1 else 0 for i, n in zip(index[len(shape) - len(q_shape) :], q_shape))
        at = x[(slice(None), *mine)]
        q_one = single(q, mine)
        p_one = single(p, index[len(shape) - len(p_shape) :])
        np.testing.assert_allclose(value[index], np.mean(q_one.log_prob(at) - p_one.log_prob(at)), rtol=1e-12)


def single(p: Distribution, index: tuple[int, ...]) -> Distribution:
    """One element of a batch."""
    if isinstance(p, Independent):
        return Independent(single(p.base, index), 1)
    if isinstance(p, Normal):
        return Normal(p.mean[index], p.logvar[index])
    return Logistic(p.loc[index], p.log_scale[index])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_estimates_keep_the_dtype(dtype: Any) -> None:
    value, error, _ = divergence(truth.make("Normal", 1, dtype), truth.make("Logistic", 2, dtype), rng=0, samples=9)
    assert value.dtype == error.dtype == dtype


def test_a_sample_where_p_is_nothing_makes_an_estimate_infinite() -> None:
    class Interval(Uniform):
        """Without a closed form."""

    value, error, method = divergence(Normal(np.zeros(2), np.array([0.0, -40.0])), Interval(-np.ones(2), 1.0), rng=0)
    assert method.startswith("Monte Carlo") and value[0] == np.inf and error[0] == 0
    assert np.isfinite(value[1]) and error[1] > 0  # and none, an estimate that is wrong: the warning of the module


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "no samples": (
        lambda: divergence(Normal(0.0, 0.0), Logistic(0.0, 0.0), 0, samples=0),
        ValueError,
        "samples is 0; it must be at least 2",
    ),
    "one sample": (lambda: divergence(Normal(0.0, 0.0), Normal(0.0, 0.0), 0, samples=1), ValueError, "samples is 1"),
    "samples that are no number": (
        lambda: divergence(Normal(0.0, 0.0), Normal(0.0, 0.0), 0, samples=10.0),  # type: ignore[arg-type]
        TypeError,
        "samples is 10.0; it must be an int",
    ),
    "numbers for q": (lambda: divergence(np.zeros(2), Normal(0.0, 0.0), 0), TypeError, "q is a ndarray; it must be a"),
    "no rng": (
        lambda: divergence(Normal(0.0, 0.0), Logistic(0.0, 0.0), None),  # type: ignore[arg-type]
        TypeError,
        "rng",
    ),
    "dtypes": (
        lambda: divergence(Normal(np.float32(0), 0.0), Logistic(0.0, 0.0), 0),
        TypeError,
        "q is float32 and p float64",
    ),
    "batches": (
        lambda: divergence(Normal(np.zeros(3), 0.0), Logistic(np.zeros((3, 1)), 0.0), 0),
        ValueError,
        r"would give \(3, 3\)",
    ),
    "p that would be repeated": (
        lambda: divergence(Normal(np.zeros((2, 3)), 0.0), Logistic(np.zeros((2, 1)), 0.0), 0),
        ValueError,
        r"p has the batch shape \(2, 1\), and with that of q \(2, 3\); an estimate needs.*np.broadcast_to",
    ),
    "events": (
        lambda: divergence(Independent(Normal(np.zeros(3), 0.0), 1), Logistic(np.zeros(3), 0.0), 0),
        ValueError,
        r"q has events of shape \(3,\), p of \(\)",
    ),
    "another support": (
        lambda: divergence(Normal(0.0, 0.0), Bernoulli(0.0), 0),
        ValueError,
        "Bernoulli data must lie in",
    ),
    "no closed form": (
        lambda: kl_divergence(Logistic(0.0, 0.0), Logistic(0.0, 0.0)),
        NotImplementedError,
        r"no closed form of KL\(Logistic ‖ Logistic\); divergence\(q, p, rng\) estimates it",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
