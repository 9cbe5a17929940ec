"""The change of variables, against densities that are known, and what the interface refuses."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Distribution, Independent, Normal
from scratchgen.flows import Affine, Composite, Exp, Flow, Inverse, Reverse, Transformed
from scratchgen.nn import Module


def standard(dims: int) -> Independent:
    return Independent(Normal(np.zeros(dims), np.zeros(dims)), 1)


def affine(loc: list[float], scale: list[float]) -> Affine:
    f = Affine(len(loc), dtype=np.float64)
    f.loc, f.log_scale = np.array(loc), np.log(scale)
    return f


def test_a_gaussian() -> None:
    """(2): an affine map of a standard normal has that mean and standard deviation."""
    flow, x = Flow(affine([1.0, -2.0], [0.5, 3.0]), standard(2)), np.array([[0.3, 0.7], [2.0, -4.0]])
    np.testing.assert_allclose(
        flow.log_prob(x).data, stats.norm.logpdf(x, [1.0, -2.0], [0.5, 3.0]).sum(axis=1), rtol=1e-13
    )
    assert float(flow.loss(x, 0).data) == pytest.approx(-float(np.mean(flow.log_prob(x).data)), rel=1e-14)


def test_a_log_normal_distribution() -> None:
    """(2), where the map is curved: scipy's log-normal."""
    f = Composite([Inverse(Exp()), affine([0.5], [0.7])])
    x = np.array([[0.2], [1.0], [3.5]])
    expected = stats.lognorm.logpdf(x[:, 0], s=0.7, scale=np.exp(0.5))
    np.testing.assert_allclose(Flow(f, standard(1)).log_prob(x).data, expected, rtol=1e-12)


def test_a_composition_is_applied_from_the_data_on() -> None:
    """f_1 is next to the data: (x − 1) is reversed, then halved."""
    f = Composite([affine([1.0, 0.0], [1.0, 1.0]), Reverse(), affine([0.0, 0.0], [2.0, 1.0])])
    z, logabsdet = f(np.array([[5.0, 3.0]]))
    np.testing.assert_allclose(z.data, [[1.5, 4.0]])
    np.testing.assert_allclose(logabsdet.data, [-np.log(2)])


def test_samples_and_their_density() -> None:
    """(1) and (3): x of known noise, and log p(x) without a forward pass equal to that with one."""
    f = affine([1.0, -2.0], [0.5, 3.0])
    p = Transformed(standard(2), f)
    noise = np.array([[[0.0, 1.0]], [[2.0, -1.0]]])
    x, log_prob = p.rsample_and_log_prob((2, 1), noise=noise)
    np.testing.assert_allclose(x.data, [[[1.0, 1.0]], [[2.0, -5.0]]])
    np.testing.assert_allclose(log_prob.data, p.log_prob(x.data).data, rtol=1e-14)
    assert log_prob.shape == (2, 1)
    np.testing.assert_array_equal(p.rsample((2, 1), noise=noise).data, x.data)
    x, log_prob = Flow(f, standard(2)).sample_and_log_prob(5, rng=0)
    np.testing.assert_allclose(log_prob, p.log_prob(x).data, rtol=1e-13)
    np.testing.assert_array_equal(x, Flow(f, standard(2)).sample(5, rng=0))
    np.testing.assert_array_equal(x, p.sample(5, rng=0))


def test_gradients_reach_the_base() -> None:
    class Learned(Module):
        def __init__(self) -> None:
            self.mean = Tensor(np.zeros(2), requires_grad=True)

        def forward(self) -> Distribution:
            return Independent(Normal(self.mean, np.zeros(2)), 1)

    flow = Flow(Reverse(), Learned())
    flow.loss(np.array([[3.0, 5.0]]), 0).backward()
    np.testing.assert_allclose(flow.base.mean.grad, [-5.0, -3.0])
    assert list(flow.parameters()) == ["base.mean"]


class Shift(Affine):
    """z = x − context."""

    def forward(self, x: Any, context: Any = None) -> Any:
        return x - context, np.zeros(len(x), x.dtype)

    def inverse(self, z: Any, context: Any = None) -> Any:
        return z + context, np.zeros(len(z), z.dtype)


def test_context() -> None:
    """A row of the context for each row of x, for each draw, and within a batch of distributions."""
    context, flow = np.array([[1.0, 2.0], [10.0, 20.0]]), Flow(Shift(2), standard(2))
    expected = stats.norm.logpdf(np.zeros(2) - context).sum(axis=1)
    np.testing.assert_allclose(flow.log_prob(np.zeros((2, 2)), context), expected, rtol=1e-13)
    assert float(flow.loss(np.zeros((2, 2)), context, 0)) == pytest.approx(-expected.mean(), rel=1e-13)
    x, log_prob = flow.sample_and_log_prob(2, rng=0, context=context)
    np.testing.assert_allclose(x, context + flow.sample(2, rng=0, context=np.zeros((2, 2))))
    np.testing.assert_allclose(flow.log_prob(x, context), log_prob, rtol=1e-13)
    p = flow(context)
    assert p.batch_shape == (2,) and p.sample((3, 4), rng=0).shape == (3, 4, 2, 2)
    np.testing.assert_allclose(p.log_prob(np.zeros((3, 2, 2))), np.tile(expected, (3, 1)), rtol=1e-13)
    batch = Transformed(Independent(Normal(context, np.zeros((2, 2))), 1), Shift(2), context)
    np.testing.assert_allclose(batch.log_prob(2 * context), stats.norm.logpdf(np.zeros(2)).sum() * np.ones(2))


def test_an_image_is_an_event_too() -> None:
    base = Independent(Normal(np.zeros((2, 2, 3)), np.zeros((2, 2, 3))), 3)
    x = np.random.default_rng(0).standard_normal((5, 2, 2, 3))
    flow = Flow(Reverse(), base)
    np.testing.assert_allclose(flow.log_prob(x), base.log_prob(x), rtol=1e-13)
    assert flow.sample(4, rng=0).shape == (4, 2, 2, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Composite([]), ValueError, "give at least one"),
        (lambda: Reverse()([[1.0, 2.0]]), TypeError, "x is a list; pass an array: np.asarray"),  # type: ignore[arg-type]
        (lambda: Composite([Reverse()]).inverse([[1.0]]), TypeError, "x is a list"),  # type: ignore[arg-type]
        (lambda: affine([0.0], [1.0]).inverse([[1.0]]), TypeError, "x is a list"),  # type: ignore[arg-type]
        (lambda: Composite([Reverse]), TypeError, "give objects such as Reverse"),  # type: ignore[list-item]
        (lambda: Composite(Reverse()), TypeError, "one Reverse; give a list"),  # type: ignore[arg-type]
        (lambda: Inverse(Exp), TypeError, "the class Exp is no Transform"),  # type: ignore[arg-type]
        (lambda: Flow(Reverse(), 3), TypeError, "base is a int"),  # type: ignore[arg-type]
        (lambda: Transformed(Normal(0.0, 0.0), Reverse()), ValueError, "Independent"),
        (lambda: Flow(Reverse(), standard(2)).log_prob(np.zeros((4, 3))), ValueError, r"event shape \(2,\)"),
        (
            lambda: Flow(Reverse(), standard(2)).log_prob(np.array([[0.0, np.nan]])),
            ValueError,
            r"nan at \(0, 1\); 1 of 2",
        ),
        (lambda: Flow(Affine(2), standard(2)).loss(np.array([[np.inf, 0.0]]), 0), ValueError, r"x has inf at \(0, 0\)"),
        (lambda: Flow(Reverse(), standard(2)).log_prob(np.zeros((4, 2), int)), TypeError, "x is int64"),
        (lambda: Flow(Reverse(), standard(2)).log_prob(np.zeros((4, 2), np.float32)), TypeError, "x is float32"),
        (lambda: Flow(Reverse(), standard(2)).log_prob(np.ma.zeros((4, 2))), TypeError, "x is a masked array"),
        (lambda: Flow(Reverse(), standard(2)).loss(np.zeros((0, 2)), 0), ValueError, "x has 0 rows"),
        (lambda: Flow(Shift(2), standard(2)).sample(3, 0, np.zeros((2, 2))), ValueError, "2 rows; it must have n=3"),
        (
            lambda: Flow(Shift(2), standard(2)).log_prob(np.zeros((3, 2)), np.zeros((2, 2))),
            ValueError,
            "a row for each of",
        ),
        (
            lambda: Flow(Shift(2), standard(2)).log_prob(np.zeros((3, 2)), np.zeros((3, 2), np.float32)),
            TypeError,
            "context is float32",
        ),
        (
            lambda: Flow(Shift(2), standard(2)).log_prob(np.zeros((3, 2)), np.full((3, 2), np.nan)),
            ValueError,
            r"context has nan at \(0, 0\)",
        ),
        (lambda: Flow(Reverse(), standard(2)).sample((3, 2), 0), TypeError, r"n is \(3, 2\)"),  # type: ignore[arg-type]
        (lambda: Flow(Affine(3), standard(2)).log_prob(np.zeros((4, 2))), ValueError, r"Affine wants \(batch, …, 3\)"),
        (lambda: Flow(Affine(3), standard(2)).sample(4, 0), ValueError, r"Affine wants \(batch, …, 3\)"),
        (lambda: Flow(Reverse(), standard(2)).sample(-1, 0), ValueError, "n is -1"),
        (lambda: Transformed(standard(2), Reverse()).mean, NotImplementedError, "average samples"),
        (lambda: Transformed(standard(2), Reverse()).variance, NotImplementedError, "samples"),
        (lambda: Transformed(standard(2), Reverse()).entropy(), NotImplementedError, "closed form"),
        (lambda: Exp().inverse(np.array([[1.0, -1.0]])), ValueError, r"z has -1.0 at \(0, 1\)"),
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
