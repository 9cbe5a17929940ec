"""Elementwise functions where a formula alone does not decide: at kinks, at 0, far out, and in a branch not taken."""

import numpy as np
import pytest
from scipy import special

from scratchgen.autodiff import Tensor, grad


def slope(f, x):
    """f'(x) of an elementwise f, at each x."""
    return grad(lambda t: np.sum(f(t)))(np.asarray(x, np.float64))


def curvature(f, x):
    return grad(lambda t: np.sum(grad(lambda s: np.sum(f(s)))(t)))(np.asarray(x, np.float64))


# -- powers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0, 1, 2, 3, 2.0, -1, -2, np.array(3.0), np.array([3])])
def test_powers_of_negative_bases(p):
    x = np.array([-2.0, -0.5, 3.0])
    np.testing.assert_allclose(slope(lambda t: t**p, x), p * x ** (p - 1.0), rtol=1e-14)


def test_powers_at_zero():
    np.testing.assert_array_equal(slope(lambda t: t**2, [0.0]), [0.0])
    np.testing.assert_array_equal(slope(lambda t: t**1, [0.0]), [1.0])
    np.testing.assert_array_equal(slope(lambda t: t**0, [0.0]), [0.0])
    np.testing.assert_array_equal(slope(lambda t: t ** np.array([0.0, 1.0, 2.0, 3.0]), np.zeros(4)), [0, 1, 0, 0])
    np.testing.assert_array_equal(curvature(lambda t: t**3, [0.0]), [0.0])


def test_the_exponent_has_a_gradient():
    # d/dp xᵖ = xᵖ log x, with 0 at x = 0
    np.testing.assert_allclose(slope(lambda p: 2.0**p, [0.0, 3.0]), np.log(2) * np.array([1, 8]), rtol=1e-14)
    np.testing.assert_array_equal(slope(lambda p: np.zeros(2) ** p, [1.0, 2.0]), [0.0, 0.0])


def test_the_mixed_derivative_of_a_power_at_exponent_zero():
    # ∂²/∂x∂p xᵖ = xᵖ⁻¹ (1 + p log x) = 1/x at p = 0
    mixed = grad(lambda p: grad(lambda x: x**p)(Tensor(2.0)))(0.0)
    assert mixed == pytest.approx(0.5, rel=1e-14)


# -- kinks: the conventions --------------------------------------------------------------------------------------------


def test_abs_and_sign_at_zero():
    np.testing.assert_array_equal(slope(np.abs, [0.0, -2.0, 3.0]), [0, -1, 1])
    np.testing.assert_array_equal(slope(np.fabs, [0.0, -2.0, 3.0]), [0, -1, 1])
    np.testing.assert_array_equal(slope(np.sign, [0.0, -2.0]), [0, 0])


@pytest.mark.parametrize("f", [np.maximum, np.minimum])
def test_ties_are_shared(f):
    a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([1.0, 2.0], requires_grad=True)
    f(a, b).sum().backward()
    np.testing.assert_array_equal(a.grad, [0.5, 0.5])
    np.testing.assert_array_equal(b.grad, [0.5, 0.5])


def test_maximum_and_minimum_choose():
    np.testing.assert_array_equal(slope(lambda t: np.maximum(t, 1.0), [0.0, 2.0]), [0, 1])
    np.testing.assert_array_equal(slope(lambda t: np.minimum(1.0, t), [0.0, 2.0]), [1, 0])


def test_clip_passes_gradients_inside_only():
    x = [-1.0, 0.0, 0.5, 1.0, 2.0]
    np.testing.assert_array_equal(slope(lambda t: np.clip(t, 0.0, 1.0), x), [0, 0.5, 1, 0.5, 0])
    np.testing.assert_array_equal(slope(lambda t: np.clip(t, None, 1.0), x), [1, 1, 1, 0.5, 0])
    np.testing.assert_array_equal(slope(lambda t: t.clip(min=0.0), x), [0, 0.5, 1, 1, 1])


# -- extremes ----------------------------------------------------------------------------------------------------------


def test_the_branch_not_taken_leaves_no_nan():
    with np.errstate(divide="ignore", invalid="ignore"):
        safe = slope(lambda t: np.where(t > 0, np.log(np.where(t > 0, t, 1.0)), 0.0), [0.0, -1.0, 2.0])
    np.testing.assert_array_equal(safe, [0.0, 0.0, 0.5])


def test_tanh_saturates_without_nan():
    np.testing.assert_array_equal(slope(np.tanh, [-800.0, 800.0]), [0.0, 0.0])


def test_logaddexp_far_out_and_between_infinities():
    a, b = (
        Tensor([800.0, 0.0, -np.inf, -np.inf], requires_grad=True),
        Tensor([0.0, 40.0, -np.inf, 1.0], requires_grad=True),
    )
    np.logaddexp(a, b).sum().backward()
    np.testing.assert_allclose(a.grad, [1.0, np.exp(-40.0), 0.5, 0.0], rtol=1e-14)
    np.testing.assert_allclose(b.grad, [0.0, 1.0, 0.5, 1.0], rtol=1e-14, atol=1e-300)


def test_logaddexp_has_its_curvature_where_both_are_equal():
    assert curvature(lambda t: np.logaddexp(t, 0.0), 0.0) == pytest.approx(0.25, rel=1e-14)


def test_expit_keeps_small_slopes():
    np.testing.assert_allclose(slope(special.expit, [-40.0, 40.0]), [np.exp(-40.0), np.exp(-40.0)], rtol=1e-14)
    np.testing.assert_array_equal(slope(special.log_expit, [-800.0, 800.0]), [1.0, 0.0])


def test_log_ndtr_far_to_the_left():
    # (log Φ)' ≈ −x − 1/x there; Φ itself is 0 in floating point
    x = np.array([-50.0, -1e3, -1e8])
    np.testing.assert_allclose(slope(special.log_ndtr, x), -x - 1 / x, rtol=2e-6)
    assert slope(special.log_ndtr, [40.0])[0] == 0.0


def test_derivatives_of_the_gamma_function_chain():
    x = np.array([0.3, 2.5])
    np.testing.assert_allclose(slope(special.gammaln, x), special.digamma(x), rtol=1e-14)
    np.testing.assert_allclose(curvature(special.gammaln, x), special.polygamma(1, x), rtol=1e-13)
    np.testing.assert_allclose(curvature(special.digamma, x), special.polygamma(2, x), rtol=1e-13)
