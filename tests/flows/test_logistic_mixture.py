"""The distribution function of a mixture of logistics as a map: against SciPy, in both tails, and its search."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from scratchgen.autodiff import Tensor
from scratchgen.autodiff.gradcheck import gradcheck
from scratchgen.flows import LogisticMixtureMap, logistic_mixture
from scratchgen.flows.scalar_maps import bounded

K = 3
G = LogisticMixtureMap(K)


def theta_of(n: int, seed: int = 0, spread: float = 1.5) -> np.ndarray:
    return spread * np.random.default_rng(seed).standard_normal((n, G.numbers))


def test_against_scipy() -> None:
    """(1) to (4): the logit of the distribution function, and F′/(F (1 − F)) e^{−a} for the slope."""
    theta, x = theta_of(100), 2 * np.random.default_rng(1).standard_normal(100)
    w = np.exp(theta[:, :K]) / np.exp(theta[:, :K]).sum(axis=1, keepdims=True)
    each = stats.logistic(theta[:, K : 2 * K], np.exp(5 * np.tanh(theta[:, 2 * K : 3 * K] / 5)))
    F, density = (w * each.cdf(x[:, None])).sum(axis=1), (w * each.pdf(x[:, None])).sum(axis=1)
    b, a = theta[:, 3 * K], 3 * np.tanh(theta[:, 3 * K + 1] / 3)
    z, log_slope = G.forward(x, theta)
    np.testing.assert_allclose(z, (np.log(F / (1 - F)) - b) * np.exp(-a), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(log_slope, np.log(density / (F * (1 - F))) - a, rtol=0, atol=1e-9)


def test_one_component_is_affine() -> None:
    """(2) with K = 1: y = (x − m) e^{−s}, as far out as one likes."""
    x = np.array([-1e6, -30.0, 0.0, 3.0, 1e6])
    theta = np.tile([0.7, 1.0, 0.5, 0.0, 0.0], (5, 1))
    s = float(bounded(np.array(0.5), 5.0))
    z, log_slope = LogisticMixtureMap(1).forward(x, theta)
    np.testing.assert_allclose(z, (x - 1.0) * np.exp(-s), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(log_slope, -s, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tails(dtype: Any) -> None:
    """Far from all components y is the line of the widest, lowered by its weight; the inverse comes back."""
    theta = np.array([[0.0, 0.0, 0.0, -2.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0]], dtype)
    w, s = 1 / 3, float(bounded(np.array(1.0), 5.0))
    for x in (-1e4, 1e4):
        y, log_slope = G.forward(np.array([x], dtype), theta)
        expected = x * np.exp(-s) + np.sign(x) * -np.log(w)
        assert y[0] == pytest.approx(expected, rel=1e-6 if dtype == np.float32 else 1e-12)
        assert log_slope[0] == pytest.approx(-s, abs=1e-2 if dtype == np.float32 else 1e-10)
        again, back = G.inverse(y, theta)
        assert again[0] == pytest.approx(x, rel=1e-5 if dtype == np.float32 else 1e-12)
        assert again.dtype == back.dtype == dtype


def test_the_bracket_holds_the_root() -> None:
    """(5), without the margin, at wild parameters."""
    theta, x = theta_of(2000, spread=4.0), 10 * np.random.default_rng(1).standard_normal(2000)
    y, _ = G.logit_of_cdf(x, theta)
    _, m, s = G.mixture(theta)
    alone = m + np.exp(s) * y[:, None]
    margin = 1e-9 * (1 + np.abs(alone)).max(axis=1)
    assert np.all(alone.min(axis=1) <= x + margin) and np.all(x <= alone.max(axis=1) + margin)
    low, high = G.bracket(y, theta)
    assert np.all(low < x) and np.all(x < high)


def test_the_search_at_wild_parameters() -> None:
    """Narrow components far apart: between them F is flat, and Newton alone would fly off."""
    theta = theta_of(2000, spread=5.0)
    theta[:, 3 * K :] = 0
    x = 10 * np.random.default_rng(1).standard_normal(2000)
    y, log_slope = G.forward(x, theta)
    again, back = G.inverse(y, theta)
    np.testing.assert_allclose((again - x) * np.minimum(1, np.exp(log_slope)), 0, rtol=0, atol=1e-10)
    y_again, _ = G.forward(again, theta)
    np.testing.assert_allclose(y_again, y, rtol=1e-10, atol=1e-9)
    assert np.isfinite(back).all()


def test_gradients_of_the_inverse() -> None:
    """By z and θ, through the implicit function theorem, to the second order."""
    theta, z = theta_of(3, spread=0.7), np.array([-1.0, 0.2, 1.5])

    def both(z: Tensor, theta: Tensor) -> Any:
        x, log_slope = G.inverse(z, theta)
        return np.sum(x * np.array([1.0, -0.7, 0.4])) + np.sum(log_slope * np.array([0.3, 1.0, -0.8]))

    gradcheck(both, z, theta)


def test_a_search_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    theta = theta_of(3)
    with pytest.raises(ValueError, match="nan at"):
        G.inverse(np.array([0.0, np.nan, 1.0]), theta)
    monkeypatch.setattr(LogisticMixtureMap, "bracket", lambda self, y, theta: (y + 1e3, y + 2e3))
    with pytest.raises(ValueError, match="not between"):
        G.inverse(np.zeros(3), theta)
    monkeypatch.undo()
    monkeypatch.setattr(logistic_mixture, "log_sigmoid", np.sign)
    with pytest.raises((ArithmeticError, ValueError), match=r"f\(x\)"):
        G.inverse(np.full(3, 0.1), theta)


@pytest.mark.parametrize("components", [0, -1, 2.0])
def test_what_is_refused(components: Any) -> None:
    with pytest.raises(ValueError, match="components is"):
        LogisticMixtureMap(components)
    with pytest.raises(ValueError, match="most is"):
        LogisticMixtureMap(2, most=0.0)
