"""What holds for every transform, in each direction on its own; a transform without samples fails here."""

import inspect
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, no_grad
from scratchgen.checks.suite import load_everything
from scratchgen.checks.transforms import SAMPLES_OF_TRANSFORMS, TransformSample, normal, transform_sample
from scratchgen.flows import Affine, Exp, Transform
from scratchgen.flows.transform import Mapped
from tests.flows.brute_force import by_differences, log_abs_det, plain

load_everything()
ROWS = 3
SAMPLES = [
    pytest.param(sample, dims, id=f"{cls.__name__} {kind}, D={dims}".replace(" ,", ","))
    for (cls, kind), sample in SAMPLES_OF_TRANSFORMS.items()
    for dims in sample.dims
]


def transforms() -> Iterator[type]:
    """The concrete transforms that the package defines."""
    for name, module in sorted(sys.modules.items()):
        for cls in vars(module).values() if name.startswith("scratchgen.flows") else ():
            if inspect.isclass(cls) and issubclass(cls, Transform) and not inspect.isabstract(cls):
                yield cls


def drawn(sample: TransformSample, dims: int) -> tuple[Transform, np.ndarray, np.ndarray, np.ndarray | None]:
    """A transform, x, z and context."""
    rng = np.random.default_rng(dims)
    shape = (ROWS, *sample.event_shape(dims))
    context = rng.standard_normal((ROWS, sample.context)) if sample.context else None
    return sample.built(rng, dims), sample.x(rng, shape), sample.z(rng, shape), context


def worst_error(sample: TransformSample, dims: int) -> float:
    """Of log |det| from the brute-force one, in either direction."""
    transform, x, z, context = drawn(sample, dims)
    errors = []
    for apply, h in ((transform.forward, x), (transform.inverse, z)):
        with no_grad():
            image, logabsdet = apply(h, context)
        assert image.shape == h.shape and np.shape(logabsdet) == (ROWS,)
        errors.append(np.abs(plain(logabsdet) - log_abs_det(apply, h, context, sample.smooth)).max())
    return float(max(errors))


def test_every_transform_has_samples() -> None:
    assert {Affine, Exp} <= set(transforms())
    assert {cls.__name__ for cls in transforms()} - {cls.__name__ for cls, _ in SAMPLES_OF_TRANSFORMS} == set()


@pytest.mark.parametrize(("sample", "dims"), SAMPLES)
def test_log_det_of_each_direction(sample: TransformSample, dims: int) -> None:
    """(1) and (2) of flows.transform: against the Jacobian by brute force, of each direction on its own."""
    assert worst_error(sample, dims) < sample.accuracy


@pytest.mark.parametrize(("sample", "dims"), SAMPLES)
def test_round_trips(sample: TransformSample, dims: int) -> None:
    """f⁻¹(f(x)) = x and f(f⁻¹(z)) = z, and the log-determinants of the two ways cancel."""
    transform, x, z, context = drawn(sample, dims)
    for there, back, h in ((transform.forward, transform.inverse, x), (transform.inverse, transform.forward, z)):
        with no_grad():
            image, first = there(h, context)
            again, second = back(image, context)
        np.testing.assert_allclose(plain(again), h, rtol=0, atol=sample.tolerance)
        np.testing.assert_allclose(plain(first) + plain(second), 0, rtol=0, atol=sample.tolerance)


@pytest.mark.parametrize(("sample", "dims"), SAMPLES)
def test_rows_do_not_meet(sample: TransformSample, dims: int) -> None:
    """Each row is mapped as if it were alone."""
    transform, x, z, context = drawn(sample, dims)
    for apply, h in ((transform.forward, x), (transform.inverse, z)):
        with no_grad():
            together = [plain(result) for result in apply(h, context)]
            alone = [plain(result) for result in apply(h[:1], None if context is None else context[:1])]
        for one, all_of_them in zip(alone, together):
            np.testing.assert_allclose(one[0], all_of_them[0], rtol=1e-11, atol=sample.tolerance * 1e-2)


@pytest.mark.parametrize(("sample", "dims"), SAMPLES)
def test_an_empty_batch(sample: TransformSample, dims: int) -> None:
    """Nothing, of the right shapes."""
    transform, x, z, context = drawn(sample, dims)
    for apply, h in ((transform.forward, x), (transform.inverse, z)):
        image, logabsdet = apply(h[:0], None if context is None else context[:0])
        assert image.shape == h[:0].shape and np.shape(logabsdet) == (0,)


@pytest.mark.parametrize(("sample", "dims"), [p for p in SAMPLES if p.values[0].x is p.values[0].z is normal])
def test_inputs_far_out(sample: TransformSample, dims: int) -> None:
    """Of what maps all numbers to all numbers, the images of inputs × 1e3 and their log-determinants are finite."""
    transform, x, z, context = drawn(sample, dims)
    for apply, h in ((transform.forward, x), (transform.inverse, z)):
        with no_grad():
            image, logabsdet = apply(1e3 * h, context)
        assert np.isfinite(plain(image)).all() and np.isfinite(plain(logabsdet)).all()


@pytest.mark.parametrize(("sample", "dims"), SAMPLES)
def test_float32_stays_float32(sample: TransformSample, dims: int) -> None:
    """In both directions, forward and backward."""
    transform, x, z, context = drawn(sample, dims)
    transform.astype(np.float32)
    row = None if context is None else context.astype(np.float32)
    for apply, h in ((transform.forward, x), (transform.inverse, z)):
        leaf = Tensor(h.astype(np.float32), requires_grad=True)
        image, logabsdet = apply(leaf, row)
        assert image.dtype == np.float32 and logabsdet.dtype == np.float32
        (np.sum(image) + np.sum(logabsdet)).backward()
        assert leaf.grad is not None and leaf.grad.dtype == np.float32


@pytest.mark.parametrize(("sample", "dims"), [p for p in SAMPLES if p.values[0].context])
def test_context_matters(sample: TransformSample, dims: int) -> None:
    """Every dimension of the image depends on the context."""
    transform, x, _, context = drawn(sample, dims)
    assert context is not None
    with no_grad():
        first, second = plain(transform(x, context)[0]), plain(transform(x, context + 1.0)[0])
    assert (first != second).reshape(ROWS, -1).any(axis=0).all()


# -- what the checks catch, and what they are made of ----------------------------------------------------------------


class WrongSign(Affine):
    """The log-determinant of the inverse given for the forward direction."""

    def forward(self, x: np.ndarray, context: None = None) -> Mapped:
        z, logabsdet = super().forward(x)
        return z, -logabsdet


class Averaged(Affine):
    """A mean over dimensions for the sum."""

    def forward(self, x: np.ndarray, context: None = None) -> Mapped:
        z, logabsdet = super().forward(x)
        return z, logabsdet / x.shape[1]


class WrongInverse(Affine):
    """An inverse with the log-determinant of the forward direction."""

    def inverse(self, z: np.ndarray, context: None = None) -> Mapped:
        x, logabsdet = super().inverse(z)
        return x, -logabsdet


@pytest.mark.parametrize("wrong", [WrongSign, Averaged, WrongInverse])
def test_a_wrong_log_det_is_noticed(wrong: type[Affine]) -> None:
    sample = TransformSample(lambda rng, dims: wrong(dims, dtype=np.float64))
    assert worst_error(sample, 2) > 1e-2


def test_brute_force_itself() -> None:
    """A matrix by differences, to rounding; and a curved map, against its derivative."""
    A = np.array([[1.0, 2.0], [0.5, -3.0]])
    np.testing.assert_allclose(by_differences(lambda x: A @ x, np.array([0.3, -1.2])), A, rtol=0, atol=1e-12)
    x = np.array([0.4, -0.7])
    np.testing.assert_allclose(by_differences(np.sin, x), np.diag(np.cos(x)), rtol=0, atol=1e-12)


def test_the_same_sample_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="Affine  is registered already"):
        transform_sample(Affine)(lambda rng, dims: Affine(dims))
