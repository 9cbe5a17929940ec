"""Expectations under q by points and weights: equation (1) of ``points``, against moments in closed form."""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Bernoulli, Categorical, Independent, Normal
from scratchgen.latent import enumerated, gauss_hermite, quadrature, reparameterised, sampled

MEAN, LOGVAR = np.array([[0.5, -1.2], [0.0, 2.0], [3.0, 0.1]]), np.array([[0.0, -0.4], [1.1, 0.3], [-2.0, 0.7]])
LOGITS = np.array([[0.1, -2.0, 1.3], [0.0, 0.0, 0.7]])


def normal(mean=MEAN, logvar=LOGVAR, dtype=np.float64):
    return Independent(Normal(np.asarray(mean, dtype), np.asarray(logvar, dtype)), 1)


def test_normal_moments_at_the_nodes():
    """E z₀² z₁² and E z₀⁴ of independent normals; order 3 is exact up to the fifth power of each."""
    points, variance = quadrature(normal(), order=3), np.exp(LOGVAR)
    second = MEAN**2 + variance
    fourth = MEAN**4 + 6 * MEAN**2 * variance + 3 * variance**2
    z = points.z
    np.testing.assert_allclose(points.mean(z[..., 0] ** 2 * z[..., 1] ** 2), second.prod(axis=1), rtol=1e-12)
    np.testing.assert_allclose(points.mean(z[..., 0] ** 4), fourth[:, 0], rtol=1e-12)
    np.testing.assert_allclose(points.mean(z[..., 1]), MEAN[:, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_nodes_are_exact_up_to_degree_two_order_minus_one(dim, order):
    nodes, weights = gauss_hermite(dim, order)
    assert nodes.shape == (order**dim, dim) and weights.shape == (order**dim,)
    moments = [1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 15.0, 0.0, 105.0, 0.0]  # E η^k of N(0, 1)
    for k in range(2 * order):
        np.testing.assert_allclose(weights @ nodes**k, moments[k], rtol=1e-12, atol=1e-12)
    if dim > 1 and order > 1:  # the last two are independent
        np.testing.assert_allclose(weights @ (nodes[:, -1] ** 2 * nodes[:, -2] ** 2), 1.0, rtol=1e-12)


def test_each_value_of_a_discrete_z_has_its_probability():
    points, probabilities = enumerated(Categorical(LOGITS)), np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(points.z, [[0, 0], [1, 1], [2, 2]])
    f = np.array([[1.0, -2.0], [0.5, 4.0], [7.0, 0.3]])
    np.testing.assert_allclose(points.mean(f), np.sum(probabilities * f.T, axis=1), rtol=1e-14)


def test_samples_count_alike():
    q, noise = normal(), np.random.default_rng(0).standard_normal((7, 3, 2))
    points = reparameterised(q, 7, noise=noise)
    np.testing.assert_allclose(points.z, MEAN + np.exp(0.5 * LOGVAR) * noise, rtol=1e-14)
    np.testing.assert_allclose(points.mean(points.z[..., 0]), points.z[..., 0].mean(axis=0), rtol=1e-14)
    np.testing.assert_array_equal(reparameterised(q, 7, rng=3).z, sampled(q, 7, rng=3).z)
    assert sampled(Categorical(LOGITS), 7, rng=3).z.shape == (7, 2)


def test_which_points_carry_a_gradient():
    mean, logits = Tensor(MEAN, requires_grad=True), Tensor(LOGITS, requires_grad=True)
    q = Independent(Normal(mean, LOGVAR), 1)
    assert isinstance(sampled(q, 2, rng=0).z, np.ndarray)
    for points in (reparameterised(q, 2, rng=0), quadrature(q, 2)):
        mean.grad = None
        np.sum(points.mean(points.z[..., 0])).backward()  # d E z₀ / d mean = (1, 0)
        np.testing.assert_allclose(mean.grad, np.broadcast_to([1.0, 0.0], MEAN.shape), rtol=0, atol=1e-14)
    points, f = enumerated(Categorical(logits)), np.array([[1.0, -2.0], [0.5, 4.0], [7.0, 0.3]])
    np.sum(points.mean(f)).backward()  # d Σ p f / d logit_k = p_k (f_k − E f)
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(logits.grad, p * (f.T - np.sum(p * f.T, axis=1, keepdims=True)), rtol=1e-12)


@pytest.mark.parametrize("make", [lambda q: quadrature(q, 3), lambda q: reparameterised(q, 3, rng=0)])
def test_float32_stays_float32(make):
    points = make(normal(dtype=np.float32))
    assert points.z.dtype == points.mean(points.z[..., 0]).dtype == np.float32


BAD = {
    "no samples": (lambda: sampled(normal(), 0, rng=0), ValueError, "samples is 0; it must be at least 1"),
    "half a sample": (lambda: reparameterised(normal(), 0.5, rng=0), TypeError, "samples is 0.5; it must be an int"),
    "no noise": (lambda: reparameterised(normal(), 2), TypeError, "rsample needs rng, or the noise itself"),
    "noise of another shape": (
        lambda: reparameterised(normal(), 2, noise=np.zeros((3, 2))),
        ValueError,
        r"noise has shape \(3, 2\); with n=2 it must be \(2, 3, 2\)",
    ),
    "a discrete z": (lambda: reparameterised(Categorical(LOGITS), 2, rng=0), NotImplementedError, "no reparameterised"),
    "order 0": (lambda: quadrature(normal(), 0), ValueError, "order is 0; it must be at least 1"),
    "no dimensions": (lambda: gauss_hermite(0, 2), ValueError, "dim is 0; it must be at least 1"),
    "a q of another kind": (
        lambda: quadrature(Independent(Bernoulli(np.zeros((3, 2))), 1), 3),
        TypeError,
        "q is made of Bernoulli, and the nodes are those of Gaussians",
    ),
    "too many nodes": (
        lambda: quadrature(normal(np.zeros((3, 20)), np.zeros((3, 20))), 5),
        ValueError,
        "order 5 in 20 dimensions is 95367431640625 nodes; use samples in so many dimensions",
    ),
    "too high an order": (lambda: gauss_hermite(1, 257), ValueError, "order is 257; it must be at most 256"),
    "values of other points": (
        lambda: quadrature(normal(), 2).mean(np.zeros((3, 3))),
        ValueError,
        r"f has shape \(3, 3\), and q is Independent.*; f must be \(K, B\), and q a batch of B",
    ),
    "values for no batch": (lambda: sampled(Normal(0.0, 0.0), 5, rng=0).mean(np.zeros(5)), ValueError, "f must be"),
    "an infinite sum": (lambda: enumerated(normal()), TypeError, "q is a Independent; only .* Categorical"),
    "coins": (lambda: enumerated(Bernoulli(np.zeros(3))), TypeError, "q is a Bernoulli; only .* Categorical"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_inputs_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
