"""The activations beyond the gradient check's samples: limits, kinks, digits, dtypes.

Equation numbers are those of ``scratchgen.autodiff.activations``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import erfc

from scratchgen.autodiff import Tensor, grad
from scratchgen.autodiff.activations import (
    gelu,
    gelu_tanh,
    leaky_relu,
    log_sigmoid,
    relu,
    sigmoid,
    silu,
    softplus,
    softplus_tail,
)

ALL = [relu, leaky_relu, sigmoid, softplus, log_sigmoid, silu, gelu, gelu_tanh]
LN2 = np.log(2.0)
TINY = np.exp(-40.0)


def derivative(f: Callable[..., Any], x: Any, order: int = 1) -> np.ndarray:
    """f', or f'', at each element of x."""
    if order == 2:
        return derivative(lambda t: derivative(f, t), x)
    return grad(lambda t: np.sum(f(t)))(x)


# At −800, −40, 0, 40 and 800: the values, the first and the second derivatives.
EXTREMES = {
    relu: ([0, 0, 0, 40, 800], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]),
    leaky_relu: ([-8, -0.4, 0, 40, 800], [0.01, 0.01, 0.01, 1, 1], [0, 0, 0, 0, 0]),
    sigmoid: ([0, TINY, 0.5, 1, 1], [0, TINY, 0.25, TINY, 0], [0, TINY, 0, -TINY, 0]),
    softplus: ([0, TINY, LN2, 40, 800], [0, TINY, 0.5, 1, 1], [0, TINY, 0.25, TINY, 0]),
    log_sigmoid: ([-800, -40, -LN2, -TINY, 0], [1, 1, 0.5, TINY, 0], [0, -TINY, -0.25, -TINY, 0]),
    silu: ([0, -40 * TINY, 0, 40, 800], [0, -39 * TINY, 0.5, 1, 1], [0, -38 * TINY, 0.5, -38 * TINY, 0]),
    gelu: ([0, 0, 0, 40, 800], [0, 0, 0.5, 1, 1], [0, 0, 2 / np.sqrt(2 * np.pi), 0, 0]),
    gelu_tanh: ([0, 0, 0, 40, 800], [0, 0, 0.5, 1, 1], [0, 0, 2 / np.sqrt(2 * np.pi), 0, 0]),
}
# Near 1 a term of the size of TINY is lost in the rounding of the other: silu'(40) is 1 − 39 TINY.
ABSOLUTE = {silu: 1e-17, gelu: 1e-300, gelu_tanh: 1e-300}


@pytest.mark.parametrize("f", ALL)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_limits_and_kinks(f: Callable[..., Any], order: int) -> None:
    x = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
    got = f(x) if order == 0 else derivative(f, x, order)
    np.testing.assert_allclose(got, EXTREMES[f][order], rtol=1e-14, atol=ABSOLUTE.get(f, 0.0))


@pytest.mark.parametrize("f", ALL)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_limits_in_float32(f: Callable[..., Any], order: int) -> None:
    x = np.array([-800.0, -40.0, 0.0, 40.0, 800.0], np.float32)
    got = f(x) if order == 0 else derivative(f, x, order)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, EXTREMES[f][order], rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("f", ALL)
def test_negative_zero_is_zero(f: Callable[..., Any]) -> None:
    x = np.array([-0.0])
    assert f(x) == f(-x)
    assert derivative(f, x) == derivative(f, -x)


@pytest.mark.parametrize("f", ALL)
def test_an_array_a_number_and_a_tensor_give_the_same(f: Callable[..., Any]) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    t = f(Tensor(x, requires_grad=True))
    assert type(f(x)) is np.ndarray
    assert (t.data == f(x)).all()
    assert (t.op.name, len(t.parents), t.parents[0][1].op) == (f.__name__, 1, None)  # one node
    np.testing.assert_allclose([[f(v) for v in row] for row in x.tolist()], f(x), rtol=1e-15)


@pytest.mark.parametrize(("dtype", "ulps"), [(np.float32, 6), (np.float64, 3)])
def test_the_tail_of_softplus_has_all_its_digits(dtype: Any, ulps: int) -> None:
    """log(1 + e^{−|x|}) without log1p; NumPy's float32 log alone may be 4 ulp off, and exp 3."""
    x = np.concatenate([np.linspace(0, 60, 20_001), np.logspace(-8, 0, 10_001)]).astype(dtype)
    e = np.exp(-x)  # its rounding is exp's affair
    reference = np.log1p(e.astype(np.float64))
    np.testing.assert_array_less(abs(softplus_tail(x) - reference), ulps * np.spacing(reference.astype(dtype)))


def test_softplus_is_logaddexp_of_zero() -> None:
    x = np.linspace(-750, 750, 30_001)
    np.testing.assert_allclose(softplus(x), np.logaddexp(0.0, x), rtol=2e-15)


def test_identities_of_the_logistic_family() -> None:
    """σ(x) + σ(−x) = 1; log σ(x) = −softplus(−x); softplus(x) − softplus(−x) = x."""
    x = np.linspace(-30, 30, 601)
    np.testing.assert_allclose(sigmoid(x) + sigmoid(-x), 1.0, rtol=1e-15)
    np.testing.assert_allclose(log_sigmoid(x), -softplus(-x), rtol=1e-15)
    np.testing.assert_allclose(np.exp(log_sigmoid(x)), sigmoid(x), rtol=1e-14)
    np.testing.assert_allclose(softplus(x) - softplus(-x), x, rtol=1e-15, atol=1e-15)


def test_gelu_keeps_its_digits_in_the_tail() -> None:
    """x Φ(x) with Φ(x) = ½ erfc(−x/√2); the form ½ (1 + erf) would be 0 from −8.3 on."""
    x = np.linspace(-30, 5, 71)
    np.testing.assert_allclose(gelu(x), x * erfc(-x / np.sqrt(2)) / 2, rtol=2e-13)


def test_gelu_tanh_is_near_gelu() -> None:
    x = np.linspace(-6, 6, 12_001)
    error = abs(gelu_tanh(x) - gelu(x)).max()
    assert 4e-4 < error < 5e-4
    u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    np.testing.assert_allclose(gelu_tanh(x), 0.5 * x * (1 + np.tanh(u)), rtol=1e-9, atol=1e-15)


def test_the_slope_of_leaky_relu() -> None:
    x = np.array([-2.0, 0.0, 3.0])
    for f in (lambda t: leaky_relu(t, 0.2), lambda t: leaky_relu(t, slope=0.2)):
        assert derivative(f, x).tolist() == [0.2, 0.2, 1.0]


@pytest.mark.parametrize("slope", [0.0, 1.0, -0.1, np.nan])
def test_a_slope_that_is_none_is_refused(slope: float) -> None:
    with pytest.raises(ValueError, match=f"slope is {slope}; it must be between 0 and 1"):
        leaky_relu(np.ones(2), slope)


def test_nan_stays_nan() -> None:
    assert all(np.isnan(f(np.array([np.nan, 1.0]))).tolist() == [True, False] for f in ALL)
