"""The divergence against Jacobians written down whole, of vectors and of images."""

from itertools import product

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, jacobian
from scratchgen.flows import random_signs, with_divergence

W = np.random.default_rng(0).standard_normal((6, 6))


def field(x):
    """Every number of a row depends on every other, as a function that is not linear."""
    flat = x.reshape(len(x), -1)
    return (np.sin(flat @ W) * np.exp(0.3 * flat)).reshape(x.shape)


@pytest.mark.parametrize("event", [(6,), (2, 3), (1, 3, 2)])
def test_it_is_the_trace_of_the_jacobian(event):
    x = np.random.default_rng(1).standard_normal((3, *event))
    v, exact = with_divergence(field, x)
    np.testing.assert_array_equal(v, field(x))
    J = np.stack([jacobian(lambda row: field(row[None])[0])(row).reshape(6, 6) for row in x])
    np.testing.assert_allclose(exact, np.trace(J, axis1=1, axis2=2)[None], rtol=1e-12)
    probes = random_signs((4, *event), rng=2)
    flat = probes.reshape(4, 6)
    by_hand = np.einsum("ki,bij,kj->kb", flat, J, flat)
    np.testing.assert_allclose(with_divergence(field, x, probes)[1], by_hand, rtol=1e-12)
    each = np.stack([np.roll(probes, i, axis=0) for i in range(3)], axis=1)  # (K, B, …)
    np.testing.assert_allclose(with_divergence(field, x, each)[1][:, 0], by_hand[:, 0], rtol=1e-12)
    np.testing.assert_allclose(with_divergence(field, x, each)[1][1:, 1], by_hand[:-1, 1], rtol=1e-12)


def test_the_mean_over_all_signs_is_exact():
    x = np.random.default_rng(1).standard_normal((3, 6))
    signs = np.array(list(product([-1.0, 1.0], repeat=6)))
    np.testing.assert_allclose(
        with_divergence(field, x, signs)[1].mean(axis=0), with_divergence(field, x)[1][0], rtol=1e-12
    )


def test_it_can_be_differentiated():
    x = Tensor(np.random.default_rng(1).standard_normal((2, 6)), requires_grad=True)
    _, exact = with_divergence(lambda x: x * x * x, x)  # Σ 3 x², whose gradient is 6 x
    np.sum(exact).backward()
    np.testing.assert_allclose(x.grad, 6 * x.data, rtol=1e-12)


@pytest.mark.parametrize("shape", [(6,), (0, 6), (2, 5), (2, 4, 6)])
def test_probes_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"they must be \(K, 6\) or \(K, 3, …\)"):
        with_divergence(field, np.zeros((3, 6)), np.ones(shape))


def test_probes_that_would_be_lost_or_spoil_the_trace():
    with pytest.raises(TypeError, match="probes is a masked array"):
        with_divergence(field, np.zeros((3, 6)), np.ma.ones((1, 6)))
    with pytest.raises(ValueError, match=r"probes has nan at \(0, 0\)"):
        with_divergence(field, np.zeros((3, 6)), np.full((1, 6), np.nan))
    with pytest.raises(ValueError, match="they must be"):
        with_divergence(field, np.zeros((3, 6)), 1.0)
