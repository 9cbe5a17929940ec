"""Elementwise transforms: values that are known, extremes of each direction, and what is refused."""

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import Affine, Composite, Exp, Flow, Inverse, LeakyReLU, Logit, Sigmoid, Softplus, Tanh, Transform

FAR = np.array([[-1e3], [-40.0], [-20.0], [-0.0], [20.0], [40.0], [1e3]])


def density(transform: Transform, x: np.ndarray) -> np.ndarray:
    """That of f⁻¹(z) for a standard normal z, in one dimension."""
    return np.exp(Flow(transform, Independent(Normal(np.zeros(1), np.zeros(1)), 1)).log_prob(x[:, None]))


def test_densities_that_are_known() -> None:
    """Of a normal z, e^z is log-normal, and σ(z) has Johnson's S_B distribution."""
    x = np.array([0.1, 0.5, 0.97])
    np.testing.assert_allclose(density(Inverse(Exp()), x), stats.lognorm.pdf(x, 1), rtol=1e-12)
    np.testing.assert_allclose(density(Logit(), x), stats.johnsonsb.pdf(x, 0, 1), rtol=1e-12)


@pytest.mark.parametrize(
    ("transform", "low", "high"),
    [
        (Inverse(Softplus()), 0, 12),
        (Logit(margin=0.1), -0.125, 1.125),
        (Inverse(Tanh()), -1, 1),
        (Inverse(Sigmoid(0.2)), -1 / 3, 4 / 3),
        (LeakyReLU(0.2), -50, 10),
    ],
)
def test_densities_integrate_to_1(transform: Transform, low: float, high: float) -> None:
    """Over the range of x; the kink of the leaky relu is given to the quadrature."""
    kink = [0.0] if low < 0 < high else None
    mass, _ = integrate.quad(lambda x: density(transform, np.array([x]))[0], low, high, points=kink, epsabs=1e-9)
    assert mass == pytest.approx(1.0, abs=1e-8)


def test_logit_is_the_inverse_of_the_sigmoid() -> None:
    """Each way, with a margin and without; the logit of 0.9 is log 9, its slope 1 / (0.9 · 0.1)."""
    z, logabsdet = Logit()(np.array([[0.9]]))
    np.testing.assert_allclose([z[0, 0], logabsdet[0]], [np.log(9), -np.log(0.09)], rtol=1e-14)
    for margin in (0.0, 0.05):
        x = np.array([[0.2, 0.7]])
        z, logabsdet = Logit(margin)(x)
        again, back = Sigmoid(margin)(z)
        np.testing.assert_allclose(again, x, rtol=1e-14)
        np.testing.assert_allclose(back, -logabsdet, rtol=1e-14)
        assert np.all(np.sign(z) == np.sign(x - 0.5))


def test_a_margin_takes_in_0_and_1() -> None:
    """logit of m and 1 − m there; all of [0, 1] is reached."""
    z, _ = Logit(margin=0.05)(np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(z, [[np.log(0.05 / 0.95), np.log(0.95 / 0.05)]], rtol=1e-14)


@pytest.mark.parametrize(
    ("transform", "image", "log_slope", "gradient"),
    [
        (Softplus(), [0, 4.248354e-18, 2.0611536e-9, np.log(2), 20 + 2.0611536e-9, 40, 1e3],
         [-1e3, -40, -20 - 2.0611536e-9, -np.log(2), -2.0611536e-9, -4.248354e-18, 0],
         [1, 1, 1 - 2.0611536e-9, 0.5, 2.0611536e-9, 4.248354e-18, 0]),
        (Sigmoid(), [0, 4.248354e-18, 2.0611536e-9, 0.5, 1 - 2.0611536e-9, 1, 1],
         [-1e3, -40, -20 - 2 * 2.0611536e-9, -2 * np.log(2), -20 - 2 * 2.0611536e-9, -40, -1e3],
         [1, 1, 1 - 2 * 2.0611536e-9, 0, -1 + 2 * 2.0611536e-9, -1, -1]),
        (Tanh(), [-1, -1, -1, 0, 1, 1, 1],
         [2 * np.log(2) - 2e3, 2 * np.log(2) - 80, 2 * np.log(2) - 40, 0, 2 * np.log(2) - 40, 2 * np.log(2) - 80,
          2 * np.log(2) - 2e3],
         [2, 2, 2, 0, -2, -2, -2]),
        (LeakyReLU(0.5), [-500, -20, -10, 0, 20, 40, 1e3], [np.log(0.5)] * 4 + [0] * 3, [0] * 7),
    ],
)  # fmt: skip
def test_far_out(transform: Transform, image: list[float], log_slope: list[float], gradient: list[float]) -> None:
    """z, log f′ and the gradient of log f′ at ± 1000, 40, 20, 0: the right limits, and finite."""
    x = Tensor(FAR, requires_grad=True)
    z, logabsdet = transform(x)
    np.sum(logabsdet).backward() if isinstance(logabsdet, Tensor) else None
    values = logabsdet.data if isinstance(logabsdet, Tensor) else logabsdet
    np.testing.assert_allclose(z.data[:, 0], image, rtol=1e-7)
    np.testing.assert_allclose(values, log_slope, rtol=1e-7, atol=1e-15)
    np.testing.assert_allclose(0 * FAR if x.grad is None else x.grad, np.reshape(gradient, (7, 1)), rtol=1e-7, atol=0)
    float32, logabsdet = transform(FAR.astype(np.float32))
    np.testing.assert_allclose(float32[:, 0], image, rtol=1e-5)
    np.testing.assert_allclose(logabsdet, log_slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("transform", "z"),
    [
        (Softplus(), [1e-300, 1e-20, 1e-8, 1.0, 40.0, 1e3]),
        (Sigmoid(), [1e-300, 1e-20, 0.5 - 1e-10, 0.5, 1 - 1e-16]),
        (Sigmoid(0.1), [-0.12499, 0.0, 1.0, 1.12499]),
        (Tanh(), [-1 + 1e-16, -1e-20, 0.0, 1e-20, 1 - 1e-16]),
        (LeakyReLU(0.5), [-1e3, -1e-300, 0.0, 1e3]),
    ],
)
def test_the_way_back_from_far_out(transform: Transform, z: list[float]) -> None:
    """Finite x, log-determinants and gradients, up to the ends of the domain; and z again from x."""
    leaf = Tensor(np.array(z)[:, None], requires_grad=True)
    x, logabsdet = transform.inverse(leaf)
    (np.sum(x) + np.sum(logabsdet)).backward()
    assert np.isfinite(x.data).all() and np.isfinite(np.asarray(leaf.grad)).all()
    again, back = transform(x.data)
    np.testing.assert_allclose(again[:, 0], z, rtol=1e-13, atol=1e-15 * getattr(transform, "margin", 0.0))
    forward = logabsdet.data if isinstance(logabsdet, Tensor) else logabsdet
    np.testing.assert_allclose(forward, -back, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Softplus().inverse(np.array([[1.0, 0.0]])), r"z has 0.0 at \(0, 1\); 1 of 2 values: .* above 0"),
        (lambda: Softplus().inverse(np.array([[np.nan]])), r"z has nan"),
        (lambda: Logit()(np.array([[0.5], [1.0]])), r"the logit has 1.0 at \(1, 0\).* between 0 and 1; .* a margin"),
        (lambda: Logit(0.1)(np.array([[1.2]])), r"the logit has 1.2 at .* between -0.125 and 1.125$"),
        (lambda: Sigmoid().inverse(np.array([[-0.1]])), r"the logit has -0.1"),
        (lambda: Tanh().inverse(np.array([[1.0]])), r"z has 1.0 at \(0, 0\).* between -1 and 1"),
        (lambda: Tanh().inverse(np.array([[-1.0]])), r"z has -1.0 at \(0, 0\)"),
        (lambda: Sigmoid().inverse(np.array([[0.0]])), r"the logit has 0.0"),
        (lambda: Sigmoid(0.5), "margin is 0.5"),
        (lambda: Logit(-0.1), "margin is -0.1"),
        (lambda: LeakyReLU(1.0), "slope is 1.0"),
        (lambda: LeakyReLU(0.0), "slope is 0.0"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_affine_of_large_inputs() -> None:
    """Inputs × 1e3 stay finite, and a scale above 1 is reached by plain parameters."""
    f = Affine(1, dtype=np.float64)
    f.log_scale.assign([-3.0])
    z, logabsdet = f(np.array([[1e3]]))
    np.testing.assert_allclose([z.data[0, 0], logabsdet.data[0]], [1e3 * np.exp(3), 3.0])


def test_the_gradient_does_not_see_points_cross_a_kink() -> None:
    """x ~ N(0, 1), z = max(x − b, s (x − b)): the slope of E[log p] to b is that of autodiff and log s · φ(b)."""
    x, step = np.linspace(-9, 9, 1_800_001, retstep=True)
    weight, s = stats.norm.pdf(x) * step, 0.2

    def mean_log_prob(b: float) -> float:
        z = np.maximum(x - b, s * (x - b))
        return float(weight @ (-0.5 * z * z + np.log(s) * (x < b)))

    f, b = Affine(1, dtype=np.float64), 0.3
    f.loc.assign([b])
    flow = Flow(Composite([f, LeakyReLU(s)]), Independent(Normal(np.zeros(1), np.zeros(1)), 1))
    every = slice(None, None, 100)
    np.sum(flow.log_prob(x[every, None]) * (100 * weight[every])).backward()
    true = (mean_log_prob(b + 0.01) - mean_log_prob(b - 0.01)) / 0.02
    assert true - float(np.asarray(f.loc.grad)[0]) == pytest.approx(np.log(s) * stats.norm.pdf(b), abs=1e-4)
