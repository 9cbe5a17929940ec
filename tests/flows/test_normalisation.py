"""ActNorm and batch normalisation: what they start with, training against evaluation, and saving."""

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from scratchgen.autodiff import Tensor
from scratchgen.distributions import Independent, Normal
from scratchgen.flows import ActNorm, Affine, BatchNorm, Composite, Flow, Inverse, Reverse, start
from tests.flows.brute_force import plain


def standard(dims: int) -> Independent:
    return Independent(Normal(np.zeros(dims), np.zeros(dims)), 1)


def batch(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 2)) * np.array([0.1, 30.0]) + np.array([5.0, -100.0])


# -- ActNorm ---------------------------------------------------------------------------------------------------------


def test_actnorm_starts_as_the_gaussian_that_fits() -> None:
    """(1): z has mean 0 and variance 1, and the density of x is that of the normal with its mean and variance."""
    f, x = ActNorm(2, np.float64), batch(50)
    f.start(x)
    z = f(x)[0].data
    np.testing.assert_allclose([z.mean(axis=0), z.std(axis=0)], [[0, 0], [1, 1]], atol=1e-12)
    expected = stats.norm.logpdf(x, x.mean(axis=0), x.std(axis=0)).sum(axis=1)
    np.testing.assert_allclose(plain(Flow(f, standard(2)).log_prob(x)), expected, rtol=1e-12)
    assert list(f.parameters()) == ["loc", "log_scale"]


def test_actnorm_of_images_has_one_scale_for_each_channel() -> None:
    """The statistics are over examples and pixels, and log |det| counts every pixel."""
    x = batch(24).reshape(2, 3, 4, 2)
    f = ActNorm(2, np.float64)
    f.start(x)
    z, logabsdet = f(x)
    np.testing.assert_allclose(z.data.std(axis=(0, 1, 2)), 1, rtol=1e-12)
    np.testing.assert_allclose(logabsdet.data, -12 * np.log(x.std(axis=(0, 1, 2))).sum() * np.ones(2), rtol=1e-12)


def test_start_goes_through_a_composition() -> None:
    """Each is started on what those before it make of the data, also within another composition."""
    squeeze = Affine(2, np.float64)
    squeeze.log_scale.assign([3.0, -2.0])
    inner, outer = ActNorm(2, np.float64), ActNorm(2, np.float64)
    x = batch(40)
    z = start(Composite([squeeze, Composite([inner, squeeze]), Reverse(), outer]), x)
    np.testing.assert_allclose([z.mean(axis=0), z.std(axis=0)], [[0, 0], [1, 1]], atol=1e-12)
    np.testing.assert_allclose(inner.loc.data, (x * np.exp([-3.0, 2.0])).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        outer.log_scale.data, [2.0, -3.0], atol=1e-12
    )  # reversed: the 1 that inner left, squeezed


def test_nothing_is_started_where_something_would_be_left_out() -> None:
    outer, inner = ActNorm(2), ActNorm(2)
    x = np.array([[1.0, 2.0], [3.0, 7.0]], np.float32)
    with pytest.raises(ValueError, match=r"transforms\.1 is an Inverse of ActNorm"):
        start(Composite([outer, Inverse(Composite([inner]))]), x)
    assert not outer.loc.data.any() and not outer.log_scale.data.any()


def test_a_start_in_float32_keeps_its_digits() -> None:
    """10⁵ numbers near 1000 with standard deviation 0.01: sums in float32 would lose them."""
    x = (1000 + 0.01 * np.random.default_rng(0).standard_normal((100_000, 1))).astype(np.float32)
    f = ActNorm(1)
    f.start(x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(f.log_scale.data, np.log(exact.std()), rtol=1e-6)
    assert f.loc.dtype == np.float32


# -- batch normalisation ---------------------------------------------------------------------------------------------


def test_batch_norm_started_in_float32_keeps_its_digits() -> None:
    """Far from 0, what float32 sums of squares leave of the variance is little."""
    x = (1e4 + np.random.default_rng(0).standard_normal((50_000, 2))).astype(np.float32)
    f = BatchNorm(2)
    f.start(x)
    exact = x.astype(np.float64)
    np.testing.assert_array_equal(f.mean.data, exact.mean(axis=0).astype(np.float32))
    np.testing.assert_allclose(f.variance.data, exact.var(axis=0, ddof=1), rtol=1e-6)


def test_a_channel_may_be_the_same_in_all_images() -> None:
    """Its pixels differ: only a channel that is the same everywhere has no scale."""
    x = np.broadcast_to(np.arange(4.0).reshape(1, 2, 2, 1), (3, 2, 2, 1))
    f = ActNorm(1, dtype=np.float64)
    f.start(x)
    np.testing.assert_allclose(f.log_scale.data, 0.5 * np.log([1.25]), rtol=1e-14)


def test_the_running_statistics() -> None:
    """(3) by hand for two batches, with the unbiased variance."""
    f = BatchNorm(2, momentum=0.3, dtype=np.float64)
    mean, variance = np.zeros(2), np.ones(2)
    for seed in (0, 1):
        x = batch(6, seed)
        f(x)
        mean, variance = 0.7 * mean + 0.3 * x.mean(axis=0), 0.7 * variance + 0.3 * x.var(axis=0, ddof=1)
    np.testing.assert_allclose(f.mean.data, mean, rtol=1e-13)
    np.testing.assert_allclose(f.variance.data, variance, rtol=1e-13)
    assert set(f.state()) == {"log_gain", "shift", "mean", "variance"}
    assert set(f.parameters()) == {"log_gain", "shift"}


def test_training_uses_the_batch_and_evaluation_does_not() -> None:
    """(2) in both; in evaluation nothing is updated, and a row is mapped as if it were alone."""
    f, x = BatchNorm(2, dtype=np.float64), batch(6)
    f.log_gain.assign([0.5, -0.5])
    f.shift.assign([1.0, 2.0])
    z, logabsdet = f(x)
    scale = np.exp([0.5, -0.5]) / np.sqrt(x.var(axis=0) + 1e-5)
    np.testing.assert_allclose(z.data, (x - x.mean(axis=0)) * scale + [1.0, 2.0], rtol=1e-12)
    np.testing.assert_allclose(logabsdet.data, np.log(scale).sum() * np.ones(6), rtol=1e-12)
    f.eval()
    before = f.state()
    z, logabsdet = f(x)
    scale = np.exp([0.5, -0.5]) / np.sqrt(f.variance.data + 1e-5)
    np.testing.assert_allclose(z.data, (x - f.mean.data) * scale + [1.0, 2.0], rtol=1e-12)
    np.testing.assert_allclose(logabsdet.data, np.log(scale).sum() * np.ones(6), rtol=1e-12)
    np.testing.assert_array_equal(f(x[2:3])[0].data, z.data[2:3])
    for name, value in f.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_the_density_in_evaluation() -> None:
    """It is that of a Gaussian, and integrates to 1, though the last batch was another."""
    f = BatchNorm(1, dtype=np.float64)
    flow = Flow(Composite([f, Affine(1, np.float64)]), standard(1))
    for seed in range(3):
        flow.log_prob(batch(8, seed)[:, :1])
    flow.eval()
    mass, _ = integrate.quad(
        lambda x: float(np.exp(plain(flow.log_prob(np.array([[x]])))[0])), -20, 25, points=[float(f.mean.data[0])]
    )
    assert mass == pytest.approx(1, abs=1e-9)
    x, log_prob = flow.sample_and_log_prob(5, rng=0)
    np.testing.assert_allclose(plain(flow.log_prob(x)), log_prob, rtol=1e-11)
    expected = stats.norm.logpdf(x[:, 0], f.mean.data[0], np.sqrt(f.variance.data[0] + f.eps))
    np.testing.assert_allclose(log_prob, expected, rtol=1e-11)


def test_saved_and_loaded() -> None:
    """A fresh one with the state of a trained one gives the same density: the statistics are part of it."""
    f, x = BatchNorm(2, dtype=np.float64), batch(8)
    f(x)
    fresh = BatchNorm(2, dtype=np.float64)
    fresh.load_state(f.state())
    for one, other in zip(f.eval()(x), fresh.eval()(x)):
        np.testing.assert_array_equal(one.data, other.data)


def test_start_gives_the_statistics_of_all_data() -> None:
    """After it, evaluation normalises these data."""
    f, x = BatchNorm(2, dtype=np.float64), batch(50)
    z = start(Composite([f]).eval(), x)
    np.testing.assert_allclose([z.mean(axis=0), z.var(axis=0, ddof=1)], [[0, 0], [1, 1]], atol=2e-3)  # eps = 1e-5
    np.testing.assert_allclose(f.variance.data, x.var(axis=0, ddof=1), rtol=1e-13)


def test_gradients_flow_through_the_statistics() -> None:
    """Σ z is always 0, whatever the batch: no gradient is left of it but rounding."""
    f, x = BatchNorm(2, dtype=np.float64), Tensor(batch(6), requires_grad=True)
    np.sum(f(x)[0] * np.array([1.0, 2.0])).backward()
    np.testing.assert_allclose(x.grad, np.zeros((6, 2)), atol=1e-12)


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ActNorm(3).start(np.array([[1.0, 2, 5], [1, 3, 5]])), ValueError, r"columns \[0, 2\] of x have zero"),
        (lambda: start(ActNorm, np.ones((4, 2))), TypeError, "the class ActNorm is no Transform"),  # type: ignore[arg-type]
        (lambda: ActNorm(2).start(np.ones((1, 2))), ValueError, "x has 1 rows; a variance needs at least 2"),
        (lambda: ActNorm(2).start(np.ones((0, 2))), ValueError, "x has 0 rows"),
        (lambda: ActNorm(1).start(np.array([[1.0], [np.nan]])), ValueError, r"x has nan at \(1, 0\)"),
        (lambda: ActNorm(2).start(np.ones((4, 3))), ValueError, r"x has shape \(4, 3\), ActNorm wants"),
        (lambda: BatchNorm(2, dtype=np.float64)(np.ones((1, 2))), ValueError, "a variance needs at least 2"),
        (lambda: BatchNorm(2).inverse(np.ones((4, 2))), RuntimeError, r"no inverse in training.*: call eval\(\) first"),
        (lambda: BatchNorm(2)(np.ones((4, 2))), TypeError, "x is float64 but shift is float32"),
        (lambda: BatchNorm(2)(np.ones((4, 3))), ValueError, "BatchNorm wants"),
        (lambda: BatchNorm(2, momentum=0.0), ValueError, "momentum is 0.0"),
        (lambda: BatchNorm(2, momentum=1.1), ValueError, "momentum is 1.1"),
        (lambda: BatchNorm(2, eps=0.0), ValueError, "eps is 0.0"),
        (lambda: BatchNorm(0), ValueError, "dims is 0"),
        (lambda: ActNorm(0), ValueError, "dims is 0"),
        (lambda: ActNorm(2)(np.ones(2, np.float32)), ValueError, r"x\[None\] is a batch of one"),
        (lambda: ActNorm(1).inverse(np.ones((4, 2), np.float32)), ValueError, "ActNorm wants"),
        (lambda: ActNorm(1).start(np.array([[1e-200], [2e-200]])), ValueError, r"columns \[0\] of x have zero"),
        (lambda: ActNorm(1).start(np.ma.ones((4, 1))), TypeError, "x is a masked array"),
        (lambda: BatchNorm(1).start(np.ma.ones((4, 1))), TypeError, "x is a masked array"),
        (lambda: ActNorm(1).start(np.array([[1j], [2.0]])), TypeError, "x is complex128"),
        (lambda: start(ActNorm, np.ones((4, 1))), TypeError, "is no Transform"),  # type: ignore[arg-type]
        (lambda: start(Inverse(ActNorm(1)), np.ones((4, 1))), ValueError, "transform is an Inverse of ActNorm, which"),
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
