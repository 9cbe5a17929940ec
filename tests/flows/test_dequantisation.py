"""Dequantisation, on discrete sources whose probabilities are known, with 2, 17 and 256 levels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta, chi2

from scratchgen.data.quadrature import gauss_legendre
from scratchgen.distributions import Distribution, Independent, Normal, Uniform
from scratchgen.flows import Dequantised, dequantisation
from scratchgen.nn import Module
from scratchgen.random import generator

DIMS = 2
each_count = pytest.mark.parametrize("levels", [2, 17, 256])


class OnTheCube(Distribution):
    """Independent dimensions in [0, 1], each with this density; everything else is not needed."""

    batch_shape, mean, variance = (), None, None

    def __init__(self, log_density: Callable[[np.ndarray], np.ndarray], dims: int = DIMS, dtype: Any = np.float64):
        self.log_density, self.event_shape, self.dtype = log_density, (dims,), np.dtype(dtype)

    def log_prob(self, x: Any) -> Any:
        return self.log_density(x).sum(axis=-1)

    def sample(self, n: Any, rng: Any) -> np.ndarray:
        raise NotImplementedError

    def entropy(self) -> Any:
        raise NotImplementedError


class Of(Module):
    """A Module that gives a distribution."""

    def __init__(self, p: Any) -> None:
        self.p = p

    def forward(self, *context: Any) -> Any:
        return self.p(*context) if context else self.p


def source(levels: int) -> np.ndarray:
    """P of each level, none of them rare; the dimensions are independent and alike."""
    p = np.random.default_rng(levels).uniform(0.5, 1.5, levels)
    return p / p.sum()


def cubes(p: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The density that is flat in each bin, and has its probability there."""
    return lambda v: np.log(len(p) * p[np.floor(len(p) * v).astype(int)])


def half_cubes(p: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Nearly all that a bin has is in its lower half."""
    return lambda v: cubes(p)(v) + np.log(np.where(len(p) * v % 1 < 0.5, 1.98, 0.02))


def draws(p: np.ndarray, n: int) -> np.ndarray:
    return np.random.default_rng(3).choice(len(p), (n, DIMS), p=p)


def entropy(p: np.ndarray) -> float:
    return -float(DIMS * (p * np.log(p)).sum())


@each_count
def test_the_bound_is_tight_for_a_wall_of_cubes(levels: int) -> None:
    """(2) with q = 1, for every u: log P(x), and on average minus the entropy."""
    p = source(levels)
    model, x = Dequantised(Of(OnTheCube(cubes(p))), levels), draws(p, 500)
    u = np.random.default_rng(0).uniform(0.001, 0.999, x.shape)
    np.testing.assert_allclose(model.bound(x, noise=u), np.log(p[x]).sum(axis=1), rtol=1e-12)
    every = np.stack(np.meshgrid(np.arange(levels), np.arange(levels)), axis=-1).reshape(-1, DIMS)
    bound = model.bound(every, rng=1)
    assert (np.exp(bound) * bound).sum() == pytest.approx(-entropy(p), rel=1e-12)


@each_count
def test_the_bound_never_beats_the_entropy(levels: int) -> None:
    """(2) with q = 1, for the density most tempting to noise on half the bin: lower by ½ log(1/(1.98 · 0.02))."""
    p = source(levels)
    model, x = Dequantised(Of(OnTheCube(half_cubes(p))), levels), draws(p, 5000)
    lost = np.log(p[x]).sum(axis=1) - model.bound(x, rng=4)
    error = lost.std() / np.sqrt(len(x))
    assert error < 0.05
    assert abs(lost.mean() + DIMS * 0.5 * np.log(1.98 * 0.02)) < 5.96 * error
    assert -model.bound(x, rng=4).mean() > entropy(p) + 1


@each_count
def test_noise_is_uniform_on_the_whole_bin(levels: int) -> None:
    """And x + u is divided by the number of levels: what the density is asked for, caught."""
    seen: list[np.ndarray] = []

    def catch(v: np.ndarray) -> np.ndarray:
        seen.append(v)
        return np.zeros_like(v)

    x = draws(source(levels), 5000)
    assert Dequantised(Of(OnTheCube(catch)), levels).bound(x, rng=0) == pytest.approx(-DIMS * np.log(levels))
    u = seen[0] * levels - x
    assert abs(np.corrcoef(u.T)[0, 1]) < 5.96 / np.sqrt(len(x))
    u = np.sort(u.ravel())
    assert np.abs(u - (np.arange(u.size) + 0.5) / u.size).max() < 3.2 / np.sqrt(u.size)  # Kolmogorov: 2 exp(−2 · 3.2²)
    assert -1e-9 < u[0] < 0.01 and 0.99 < u[-1] < 1 + 1e-9


@each_count
def test_probabilities_sum_to_1(levels: int) -> None:
    """(1), the integral over u by nodes, summed over all x: the volume of a bin is L^{−D}."""
    model = Dequantised(Of(OnTheCube(beta(2, 3).logpdf, dims=1)), levels)
    t, w = gauss_legendre(0.0, 1.0, panels=1)
    x, u = np.repeat(np.arange(levels), len(t))[:, None], np.tile(t, levels)[:, None]
    p = (np.exp(model.bound(x, noise=u)).reshape(levels, -1) * w).sum(axis=1)
    edges = np.arange(levels + 1) / levels
    np.testing.assert_allclose(p, np.diff(beta(2, 3).cdf(edges)), rtol=1e-11)
    assert p.sum() == pytest.approx(1.0, rel=1e-12)


class Within(OnTheCube):
    """q(u | x) ∝ x + u in each dimension: exactly what p(v) = 2v has in the bin."""

    def __init__(self, context: np.ndarray, levels: int) -> None:
        super().__init__(lambda u: u)
        self.x = (context + 1) * (levels - 1) / 2
        self.batch_shape = (len(context),)

    def rsample(self, n: Any, rng: Any = None, noise: Any = None) -> Any:
        r = generator(rng).random(self.x.shape) if noise is None else noise
        return np.sqrt(self.x**2 + 2 * r * (self.x + 0.5)) - self.x

    def log_prob(self, u: Any) -> Any:
        return np.log((self.x + u) / (self.x + 0.5)).sum(axis=-1)


@each_count
def test_variational_noise_makes_the_bound_tight(levels: int) -> None:
    """(2) at q ∝ p within the bin: log P(x) = Σ_j log (2 x_j + 1) / L² for every draw of u."""
    density, x = Of(OnTheCube(lambda v: np.log(2 * v))), draws(source(levels), 200)
    exact = np.log((2 * x + 1) / levels**2).sum(axis=1)
    model = Dequantised(density, levels, noise=Of(lambda context: Within(context, levels)))
    np.testing.assert_allclose(model.bound(x, rng=0), exact, rtol=1e-10)
    np.testing.assert_allclose(model.bound(x, noise=np.full(x.shape, 0.3)), exact, rtol=1e-10)
    np.testing.assert_allclose(model.log_prob(x, rng=0, samples=3), exact, rtol=1e-10)
    uniform = Dequantised(density, levels).bound(np.repeat(x, 50, axis=0), rng=0).reshape(-1, 50).mean(axis=1)
    assert (exact - uniform).mean() > 0  # what uniform noise loses


@each_count
def test_many_draws_approach_the_probability(levels: int) -> None:
    """(3): the logarithm of the mean of weights, which for p(v) = 2v is near log P(x) with 1000 of them."""
    model, x = Dequantised(Of(OnTheCube(lambda v: np.log(2 * v))), levels), draws(source(levels), 20)
    rng = np.random.default_rng(5)
    log_w = np.stack([model.bound(x, rng) for _ in range(7)])
    np.testing.assert_allclose(model.log_prob(x, 5, samples=7), np.log(np.exp(log_w).mean(axis=0)), rtol=1e-12)
    exact = np.log((2 * x + 1) / levels**2).sum(axis=1)
    np.testing.assert_allclose(model.log_prob(x, 6, samples=1000), exact, rtol=0, atol=0.15)


def test_the_ends_of_the_bin_belong_to_it() -> None:
    """A sigmoid in float32 reaches 1, and uniform noise 0."""
    for u in (0.0, 1.0):
        assert np.isfinite(FLAT.bound(X, noise=np.full((3, DIMS), u))).all()


def test_the_loss_is_minus_the_mean_of_the_bound() -> None:
    p = source(17)
    model, x = Dequantised(Of(OnTheCube(half_cubes(p))), 17), draws(p, 9)
    assert model.loss(x, 2) == pytest.approx(-model.bound(x, 2).mean(), rel=1e-14)


def test_samples_are_bins() -> None:
    """Counts of a uniform density over half the cube; and what is outside the cube goes to the nearest bin."""

    def box(low: float, high: float) -> Of:
        return Of(Independent(Uniform(np.full(DIMS, low), np.full(DIMS, high)), 1))

    x = Dequantised(box(0.25, 0.75), levels=8).sample(20_000, rng=0)
    assert x.dtype == np.int64 and x.shape == (20_000, DIMS)
    counts = np.bincount(8 * x[:, 0] + x[:, 1], minlength=64).reshape(8, 8)
    assert counts[2:6, 2:6].sum() == 20_000
    assert ((counts[2:6, 2:6] - 1250) ** 2 / 1250).sum() < chi2.isf(2.5e-9, 15)
    assert set(Dequantised(box(-0.5, 0.0), levels=8).sample(10, rng=0).ravel()) == {0}
    assert set(Dequantised(box(1.0, 1.5), levels=8).sample(10, rng=0).ravel()) == {7}


def test_float32_stays_float32() -> None:
    p = source(17).astype(np.float32)
    model, x = Dequantised(Of(OnTheCube(cubes(p), dtype=np.float32)), 17), draws(source(17), 5).astype(np.uint8)
    assert model.bound(x, rng=0).dtype == np.float32 and model.log_prob(x, rng=0, samples=2).dtype == np.float32


@each_count
def test_bits_per_dimension(levels: int) -> None:
    """(4) and (5): log₂ L for a uniform distribution; the same from nats of x, of x + u, and of (x + u) / L."""
    assert dequantisation.bits_per_dim(5 * np.log(levels), 5) == pytest.approx(np.log2(levels), rel=1e-14)
    assert dequantisation.bits_per_dim(0.0, 5, levels) == pytest.approx(np.log2(levels), rel=1e-14)
    p = source(levels)
    model, x = Dequantised(Of(OnTheCube(half_cubes(p))), levels), draws(p, 100)
    u = np.random.default_rng(0).random(x.shape)
    scaled = -OnTheCube(half_cubes(p)).log_prob((x + u) / levels)
    np.testing.assert_allclose(
        dequantisation.bits_per_dim(scaled, DIMS, levels), dequantisation.bits_per_dim(-model.bound(x, noise=u), DIMS)
    )


def normals(context: np.ndarray) -> Independent:
    """Noise of all sizes."""
    return Independent(Normal(context, np.zeros_like(context)), 1)


FLAT = Dequantised(Of(OnTheCube(np.zeros_like)), 17)
X = np.zeros((3, DIMS), int)
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "one level": (lambda: Dequantised(FLAT.density, 1), ValueError, "levels is 1; it must be at least 2"),
    "half a level": (lambda: Dequantised(FLAT.density, 2.5), TypeError, "levels is 2.5"),  # type: ignore[arg-type]
    "grey values": (lambda: FLAT.bound(np.zeros((3, DIMS)), rng=0), TypeError, "x is float64; levels are integers"),
    "a level too high": (lambda: FLAT.bound(X + np.array([0, 17]), 0), ValueError, r"x has 17 at \(0, 1\).*0 to 16"),
    "a level below 0": (lambda: FLAT.bound(X - 1, rng=0), ValueError, r"x has -1 at \(0, 0\)"),
    "images for vectors": (lambda: FLAT.bound(np.zeros((3, 1, 2), int), rng=0), ValueError, r"wants \(B, 2\)"),
    "one x": (lambda: FLAT.bound(np.zeros(2, int), rng=0), ValueError, r"x has shape \(2,\)"),
    "masked": (lambda: FLAT.bound(np.ma.masked_equal(X, 1), rng=0), TypeError, "masked"),
    "no rng": (lambda: FLAT.bound(X), TypeError, "bound needs rng, or the noise itself"),
    "learned noise beyond the bin": (
        lambda: Dequantised(FLAT.density, 17, noise=Of(normals)).bound(X, rng=0),
        ValueError,
        r"u has .* begin its flow with Logit\(\)",
    ),
    "noise of another shape": (lambda: FLAT.bound(X, noise=np.zeros((3, 1))), ValueError, "noise has shape"),
    "noise outside the bin": (lambda: FLAT.bound(X, noise=np.full((3, 2), 1.5)), ValueError, "from 0 to 1"),
    "no rows": (lambda: FLAT.loss(X[:0], 0), ValueError, "x has 0 rows"),
    "no samples": (lambda: FLAT.log_prob(X, 0, samples=0), ValueError, "samples is 0; it must be at least 1"),
    "a function for the density": (lambda: Dequantised(np.exp, 17), TypeError, "density is a ufunc"),  # type: ignore[arg-type]
    "a number for the noise": (lambda: Dequantised(FLAT.density, 17, noise=0.5), TypeError, "noise is a float"),  # type: ignore[arg-type]
    "no density": (lambda: Dequantised(Of(3), 17).bound(X, rng=0), TypeError, "what density gives is a int"),
    "no dimensions": (lambda: dequantisation.bits_per_dim(1.0, 0), ValueError, "dims is 0"),
    "levels as a float": (lambda: dequantisation.bits_per_dim(1.0, 2, 256.0), TypeError, "levels is 256.0"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
