"""The rule of shapes, sample_shape + batch_shape + event_shape, and dtypes, for every distribution and method."""

from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor
from scratchgen.distributions import (
    Bernoulli,
    Categorical,
    DiscretisedLogistic,
    DiscretisedNormal,
    Distribution,
    Independent,
    Laplace,
    Logistic,
    MultivariateNormal,
    Normal,
    Uniform,
    kl_divergence,
)
from tests.distributions import truth


def normal(mean: tuple[int, ...], logvar: tuple[int, ...]) -> Normal:
    return Normal(*truth.draw((mean, logvar), 0))


def die(*shape: int) -> Categorical:
    return Categorical(np.zeros(shape))


TABLE: list[tuple[Distribution, tuple[int, ...], tuple[int, ...]]] = [  # distribution, batch shape, event shape
    (Normal(0.0, 0.0), (), ()),
    (Normal(0, -1), (), ()),
    (normal((3,), (3,)), (3,), ()),
    (normal((2, 3), (3,)), (2, 3), ()),
    (normal((3,), (2, 1)), (2, 3), ()),
    (normal((2, 1), (3,)), (2, 3), ()),
    (normal((), (5, 2, 3)), (5, 2, 3), ()),
    (normal((0, 3), (3,)), (0, 3), ()),
    (Bernoulli(0.3), (), ()),
    (Bernoulli(np.zeros((2, 3))), (2, 3), ()),
    (die(7), (), ()),
    (die(2, 7), (2,), ()),
    (die(5, 2, 7), (5, 2), ()),
    (die(0, 7), (0,), ()),
    (Uniform(0.0, 1.0), (), ()),
    (Uniform(np.zeros((2, 1)), np.ones(3)), (2, 3), ()),
    (Laplace(np.zeros(3), np.zeros((5, 1, 1))), (5, 1, 3), ()),
    (Logistic(np.zeros((0, 3)), 0.0), (0, 3), ()),
    (MultivariateNormal(np.zeros(3), np.eye(3)), (), (3,)),
    (MultivariateNormal(np.zeros((5, 2, 3)), np.eye(3)), (5, 2), (3,)),
    (MultivariateNormal(np.zeros((2, 1)), np.ones((5, 1, 1, 1))), (5, 2), (1,)),
    (MultivariateNormal(np.zeros((0, 3)), np.eye(3)), (0,), (3,)),
    (DiscretisedLogistic(3.0, 0.0, 8), (), ()),
    (DiscretisedNormal(np.zeros(3), np.zeros((2, 1)), 8), (2, 3), ()),
    (Independent(normal((3,), (3,)), 1), (), (3,)),
    (Independent(MultivariateNormal(np.zeros((5, 2, 3)), np.eye(3)), 1), (5,), (2, 3)),
    (Independent(DiscretisedLogistic(np.zeros((5, 2, 3)), 0.0, 8), 2), (5,), (2, 3)),
    (Independent(Laplace(np.zeros(3), np.zeros((2, 1))), 1), (2,), (3,)),
    (Independent(normal((3,), (2, 1)), 1), (2,), (3,)),
    (Independent(normal((5, 2, 3), (3,)), 2), (5,), (2, 3)),
    (Independent(Bernoulli(np.zeros((5, 2, 3))), 3), (), (5, 2, 3)),
    (Independent(die(5, 2, 7), 1), (5,), (2,)),
    (Independent(Independent(normal((5, 2, 3), (3,)), 1), 1), (5,), (2, 3)),
]
SAMPLE_SHAPES: list[tuple[Any, tuple[int, ...]]] = [
    ((), ()),
    (4, (4,)),
    (1, (1,)),
    (0, (0,)),
    (np.int64(4), (4,)),
    ((4, 6), (4, 6)),
    ([4, 6], (4, 6)),
]


@pytest.mark.parametrize(("p", "batch", "event"), TABLE)
def test_the_rule(p: Distribution, batch: tuple[int, ...], event: tuple[int, ...]) -> None:
    assert (p.batch_shape, p.event_shape) == (batch, event)
    assert np.shape(p.mean) == np.shape(p.variance) == batch + event
    assert np.shape(p.entropy()) == batch
    if truth.has_kl(p):
        assert np.shape(kl_divergence(p, p)) == batch
    for n, shape in SAMPLE_SHAPES:
        x = p.sample(n, rng=0)
        assert x.shape == shape + batch + event
        assert np.shape(p.log_prob(x)) == shape + batch
        if truth.is_reparameterised(p):
            assert p.rsample(n, rng=0).shape == shape + batch + event


def test_broadcast_parameters_are_those_of_each_element() -> None:
    """The mean and the log-variance in the batch shape, and so all moments: not in the shape they were given in."""
    mean, logvar = truth.draw(((3,), (2, 1)), 1)
    p = Normal(mean, logvar)
    assert np.shape(p.mean) == np.shape(p.variance) == np.shape(p.std) == (2, 3)
    for i, j in np.ndindex(2, 3):
        single = Normal(mean[j], logvar[i, 0])
        assert (p.mean[i, j], p.variance[i, j], p.std[i, j]) == (single.mean, single.variance, single.std)
        assert p.entropy()[i, j] == single.entropy()
        np.testing.assert_allclose(p.log_prob(np.ones((2, 3)))[i, j], single.log_prob(1.0), rtol=1e-15)


def test_gradients_have_the_shape_of_the_parameters() -> None:
    mean, logvar = (Tensor(x, requires_grad=True) for x in truth.draw(((3,), (2, 1)), 1))
    p = Normal(mean, logvar)
    np.sum(p.log_prob(np.ones((4, 2, 3)))).backward()  # d/dm = Σ (x − m) / eᵛ over what was repeated
    expected = 4 * np.sum((1 - mean.data) / np.exp(logvar.data), axis=0)
    np.testing.assert_allclose(mean.grad, expected, rtol=1e-13)
    assert logvar.grad.shape == (2, 1)


def test_the_log_probability_of_several_draws_is_that_of_each() -> None:
    for kind in truth.KINDS:
        p = truth.make(kind, 1)
        x = p.sample((4, 2), rng=0)
        for i, j in np.ndindex(4, 2):
            np.testing.assert_allclose(p.log_prob(x)[i, j], p.log_prob(x[i, j]), rtol=1e-15)


def test_independent_adds_up_over_its_axes() -> None:
    base = normal((5, 2, 3), (3,))
    x = base.sample(4, rng=0)
    p, q = Independent(base, 2), Independent(normal((2, 3), (2, 3)), 2)
    np.testing.assert_allclose(p.log_prob(x), base.log_prob(x).sum(axis=(2, 3)), rtol=1e-14)
    np.testing.assert_allclose(p.entropy(), base.entropy().sum(axis=(1, 2)), rtol=1e-14)
    np.testing.assert_allclose(kl_divergence(p, q), kl_divergence(base, q.base).sum(axis=(1, 2)), rtol=1e-14)


@pytest.mark.parametrize("as_tensors", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", truth.KINDS)
def test_dtypes_stay(kind: str, dtype: type, as_tensors: bool) -> None:
    maker, shapes = truth.KINDS[kind]
    parameters: list[Any] = [x.astype(dtype) for x in truth.draw(shapes, 1)]
    if as_tensors:
        parameters = [Tensor(x, requires_grad=True) for x in parameters]
    p = maker(*parameters)
    assert p.dtype == dtype
    x = p.sample(4, rng=0)
    results = [p.mean, p.variance, p.log_prob(x), p.entropy()]
    if truth.has_kl(p):
        results.append(kl_divergence(p, p))
    if truth.is_reparameterised(p):
        results += [x, p.rsample(4, rng=0), p.rsample((), noise=np.ones((2, 3), dtype))]
    for y in results:
        assert y.dtype == dtype
        if as_tensors and isinstance(y, Tensor):
            y.backward(np.ones(y.shape, dtype), retain_graph=True)
            assert all(t.grad is None or t.grad.dtype == dtype for t in parameters)


def test_numbers_take_the_dtype_that_they_meet() -> None:
    mean = np.zeros(3, np.float32)
    assert Normal(mean, -1.0).log_prob(mean).dtype == np.float32
    assert Normal(0.0, mean).log_prob(0.5 * np.ones((2, 3), np.float32)).dtype == np.float32
    assert Normal(np.float32(0), 0.0).log_prob(0.5).dtype == np.float32
    assert Normal(0.0, 0.0).log_prob([0.5, 1.0]).dtype == np.float64
    np.testing.assert_allclose(Normal(1, 0).log_prob(1), -0.5 * np.log(2 * np.pi), rtol=1e-15)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32, np.int64])
def test_binary_data_may_be_integers_or_bools(kind: type) -> None:
    logits = np.array([0.3, -1.0], np.float32)
    x = np.array([1, 0])
    for parameter in (logits, Tensor(logits, requires_grad=True)):
        y = Bernoulli(parameter).log_prob(x.astype(kind))
        assert y.dtype == np.float32
        np.testing.assert_array_equal(getattr(y, "data", y), Bernoulli(logits).log_prob(x.astype(np.float32)))


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_levels_may_be_integers_of_any_size(kind: type) -> None:
    p = Categorical(np.log([0.2, 0.3, 0.5]))
    np.testing.assert_allclose(np.exp(p.log_prob(np.array([2, 0], kind))), [0.5, 0.2], rtol=1e-14)


def test_a_distribution_prints_its_shapes() -> None:
    assert repr(normal((3,), (2, 1))) == "Normal(batch_shape=(2, 3), event_shape=())"
