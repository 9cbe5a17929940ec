"""Values and gradients where naive formulas overflow or lose their digits: finite, and the right limit."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import value_and_grad
from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal, kl_divergence
from tests.distributions.truth import slopes

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
LN2 = np.log(2.0)


def tolerance(dtype: Any) -> float:
    return float(16 * np.finfo(dtype).eps)


# -- Bernoulli ---------------------------------------------------------------------------------------------------------


@DTYPES
def test_bernoulli_at_extreme_logits(dtype: Any) -> None:
    """log p is not capped, as a clipped probability would cap it at 16, nor is its gradient x − σ(l)."""
    logits = np.array([-800, -40, 0, 40, 800], dtype)
    for x, values, gradients in [
        (1, [-800, -40, -LN2, -np.exp(-40), 0], [1, 1, 0.5, 0, 0]),
        (0, [0, -np.exp(-40), -LN2, -40, -800], [0, 0, -0.5, -1, -1]),
    ]:
        y, (slope,) = slopes(lambda logit, x=x: Bernoulli(logit).log_prob(np.full(5, x, dtype)), logits)
        assert y.dtype == slope.dtype == dtype
        np.testing.assert_allclose(y, values, rtol=tolerance(dtype), atol=1e-30)
        np.testing.assert_allclose(slope, gradients, rtol=tolerance(dtype), atol=tolerance(dtype))


@DTYPES
def test_bernoulli_entropy_at_extreme_logits(dtype: Any) -> None:
    """About (1 + |l|) e^{−|l|} far out, to all digits on both sides; with gradient −l σ(l) σ(−l)."""
    logits = np.array([-800, -60, -20, 0, 20, 60, 800], dtype)
    y, (slope,) = slopes(lambda logit: Bernoulli(logit).entropy(), logits)
    odds = np.exp(-np.abs(logits.astype(np.float64)))  # of the rarer outcome
    np.testing.assert_allclose(y, np.log1p(odds) + np.abs(logits) * odds / (1 + odds), rtol=tolerance(dtype))
    np.testing.assert_allclose(slope, -logits * odds / (1 + odds) ** 2, rtol=tolerance(dtype))


@DTYPES
def test_bernoulli_moments_at_extreme_logits(dtype: Any) -> None:
    p = Bernoulli(np.array([-800, -40, 0, 40, 800], dtype))
    np.testing.assert_allclose(p.mean, [0, np.exp(-40), 0.5, 1, 1], rtol=tolerance(dtype))
    np.testing.assert_allclose(p.variance, [0, np.exp(-40), 0.25, np.exp(-40), 0], rtol=tolerance(dtype))


@DTYPES
def test_bernoulli_kl_at_extreme_logits(dtype: Any) -> None:
    """From a sure coin to one that is sure of the opposite it is the difference of the log-probabilities."""
    q, p = np.array([-800, 800, 800, 0, 40], dtype), np.array([800, -800, 800, 800, 41], dtype)
    y, (by_q, by_p) = slopes(lambda a, b: kl_divergence(Bernoulli(a), Bernoulli(b)), q, p)
    expected = [800, 800, 0, 400 - LN2, np.exp(-41)]
    np.testing.assert_allclose(y, expected, rtol=tolerance(dtype))
    np.testing.assert_allclose(by_q, [0, 0, 0, -200, -np.exp(-40)], rtol=tolerance(dtype))
    np.testing.assert_allclose(by_p, [1, -1, 0, 0.5, np.exp(-40) - np.exp(-41)], rtol=tolerance(dtype))


# -- categorical -------------------------------------------------------------------------------------------------------


@DTYPES
def test_categorical_at_extreme_logits(dtype: Any) -> None:
    """±10⁴, and −inf where the label is not; the gradient is 1[k = label] − p_k."""
    logits = np.array([[1e4, -1e4, 0], [-np.inf, 3, 3], [-1e4, -1e4, -1e4]], dtype)
    y, (slope,) = slopes(lambda logit: Categorical(logit).log_prob(np.array([1, 2, 0])), logits)
    np.testing.assert_allclose(y, [-2e4, -LN2, -np.log(3)], rtol=tolerance(dtype))
    third = 1 / 3
    np.testing.assert_allclose(
        slope, [[-1, 1, 0], [0, -0.5, 0.5], [2 * third, -third, -third]], rtol=tolerance(dtype), atol=1e-30
    )
    assert Categorical(logits[1]).log_prob(np.array(0)) == -np.inf


@DTYPES
def test_categorical_entropy_at_extreme_logits(dtype: Any) -> None:
    """0 log 0 = 0, for a probability that underflows and for one that is 0; the gradient is −p_k (log p_k + H)."""
    logits = np.array([[1e4, -1e4, 0], [-np.inf, 3, 3], [-800, 0, 0]], dtype)
    y, (slope,) = slopes(lambda logit: Categorical(logit).entropy(), logits)
    np.testing.assert_allclose(y, [0, LN2, LN2], rtol=tolerance(dtype))
    np.testing.assert_allclose(slope, np.zeros((3, 3)), atol=tolerance(dtype))
    p = Categorical(logits)
    np.testing.assert_allclose(p.mean, [0, 1.5, 1.5], rtol=tolerance(dtype))
    np.testing.assert_allclose(p.variance, [0, 0.25, 0.25], rtol=tolerance(dtype))


@DTYPES
def test_categorical_kl_at_extreme_logits(dtype: Any) -> None:
    q = np.array([[800, -800, 0], [-np.inf, 0, 0], [-np.inf, 0, 0], [0, -1e4, -1e4]], dtype)
    p = np.array([[-800, 800, 0], [0, 0, 0], [-np.inf, 0, 0], [0, 0, -np.inf]], dtype)
    y, (by_q, by_p) = slopes(lambda a, b: kl_divergence(Categorical(a), Categorical(b)), q, p)
    np.testing.assert_allclose(y, [1600, np.log(1.5), 0, LN2], rtol=tolerance(dtype))
    np.testing.assert_allclose(by_q, np.zeros((4, 3)), atol=tolerance(dtype))
    third = 1 / 3
    expected = [[-1, 1, 0], [third, -third / 2, -third / 2], [0, 0, 0], [-0.5, 0.5, 0]]
    np.testing.assert_allclose(by_p, expected, rtol=tolerance(dtype), atol=tolerance(dtype))


def test_categorical_kl_is_infinite_where_only_q_is_possible() -> None:
    q, p = Categorical(np.zeros(3)), Categorical(np.array([0.0, 0.0, -np.inf]))
    assert kl_divergence(q, p) == np.inf
    assert np.isfinite(kl_divergence(p, q))


# -- normal ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("logvar", [-700.0, -30.0, 30.0, 700.0])
def test_normal_at_extreme_variances(logvar: float) -> None:
    """At the mean and one and three standard deviations from it; e^{−v} itself would be inf or 0."""
    z, std = np.array([0.0, 1.0, -3.0]), np.exp(logvar / 2)
    values, (by_x, by_mean, by_logvar) = slopes(
        lambda x, m, v: Normal(m, v).log_prob(x), std * z, np.zeros(3), np.full(3, logvar)
    )
    np.testing.assert_allclose(values, -0.5 * (np.log(2 * np.pi) + logvar + z * z), rtol=1e-13)
    np.testing.assert_allclose(by_mean, z / std, rtol=1e-13)
    np.testing.assert_allclose(by_x, -z / std, rtol=1e-13)
    np.testing.assert_allclose(by_logvar, 0.5 * (z * z - 1), rtol=1e-13)
    p = Normal(0.0, logvar)
    np.testing.assert_allclose(p.std, std, rtol=1e-14)
    np.testing.assert_allclose(p.entropy(), 0.5 * (1 + np.log(2 * np.pi) + logvar), rtol=1e-14)
    x, (by_mean, by_logvar) = slopes(lambda m, v: Normal(m, v).rsample(3, noise=z), np.array(2.0), np.array(logvar))
    np.testing.assert_allclose(x, 2 + std * z, rtol=1e-14)
    np.testing.assert_allclose((by_mean, by_logvar), (3, 0.5 * std * z.sum()), rtol=1e-13)


@DTYPES
@pytest.mark.parametrize("logvar", [-5000.0, -800.0, 800.0, 5000.0])
def test_a_normal_beyond_the_range_of_floats_is_finite_at_its_mean(logvar: float, dtype: Any) -> None:
    one = np.ones(2, dtype)
    y, gradients = slopes(lambda x, m, v: Independent(Normal(m, v), 1).log_prob(x), one, one, logvar * one)
    np.testing.assert_allclose(y, -(np.log(2 * np.pi) + logvar), rtol=1e-6)
    np.testing.assert_array_equal(gradients, [[0, 0], [0, 0], [-0.5, -0.5]])
    kl, gradients = slopes(lambda m, v: kl_divergence(Normal(m, v), Normal(m, v)), one, logvar * one)
    assert np.all(kl == 0) and all(np.all(gradient == 0) for gradient in gradients)


@pytest.mark.parametrize("logvar", [-700.0, -30.0, -1e-9, 0.0, 1e-9, 30.0, 700.0])
def test_kl_to_a_standard_normal_at_extreme_variances(logvar: float) -> None:
    """½ (m² + eᵛ − 1 − v), with derivatives m and ½ (eᵛ − 1)."""
    for mean in (0.0, 2.0):
        kl, gradient = value_and_grad(lambda v, mean=mean: kl_divergence(Normal(mean, v), Normal(0.0, 0.0)))(
            np.array(logvar)
        )
        np.testing.assert_allclose(kl, 0.5 * (mean**2 + (np.expm1(logvar) - logvar)), rtol=1e-14)
        np.testing.assert_allclose(gradient, 0.5 * np.expm1(logvar), rtol=1e-14)
