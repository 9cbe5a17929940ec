"""Normal vectors with a full covariance: densities, samples and divergences against SciPy and matrices by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

from scratchgen.autodiff import Tensor
from scratchgen.distributions import (
    Bernoulli,
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    kl_divergence,
    scale_tril_from,
)
from tests.distributions import truth
from tests.distributions.truth import slopes

Z, N = 5.96, 100_000
SHAPES = [((), ()), ((5,), ()), ((), (5,)), ((5,), (5,)), ((2, 1), (3,)), ((3,), (2, 1)), ((1,), (1,)), ((0,), ())]
I3 = np.eye(3)


def normal(mean: tuple[int, ...], factor: tuple[int, ...], D: int = 3, seed: int = 1) -> MultivariateNormal:
    """With the batch axes of its two parameters."""
    m, raw = truth.draw(((*mean, D), (*factor, D, D)), seed)
    return MultivariateNormal(m, scale_tril_from(raw))


def covariances(p: MultivariateNormal) -> np.ndarray:
    """L Lᵀ for each of the batch, by hand."""
    L = np.broadcast_to(p.scale_tril, (*p.batch_shape, *2 * p.event_shape))
    return np.einsum("...ik,...jk->...ij", L, L)


# -- density -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("D", [1, 2, 3, 5])
@pytest.mark.parametrize(("mean", "factor"), SHAPES)
def test_log_prob_entropy_and_moments_against_scipy(mean: Any, factor: Any, D: int) -> None:
    """Equations (3) and (4), where either parameter is shared by the batch, for any number of draws."""
    p = normal(mean, factor, D)
    C = covariances(p)
    for n in ((), (4,), (2, 3), (0,)):
        x = p.sample(n, rng=0)
        log_prob = p.log_prob(x)
        assert log_prob.shape == n + p.batch_shape
        for index in np.ndindex(log_prob.shape):
            b = index[len(n) :]
            expected = scipy.stats.multivariate_normal(p.mean[b], C[b]).logpdf(x[index])
            np.testing.assert_allclose(log_prob[index], expected, rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(p.covariance, C, rtol=1e-13, atol=1e-13)
    for b in np.ndindex(p.batch_shape):
        expected = scipy.stats.multivariate_normal(p.mean[b], C[b])
        np.testing.assert_allclose(p.entropy()[b], expected.entropy(), rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(p.variance[b], np.diagonal(C[b]), rtol=1e-13)
    assert p.scale_tril.shape in ((D, D), (*p.batch_shape, D, D))  # one for all, or one for each
    assert p.entropy().shape == p.batch_shape and p.variance.shape == p.mean.shape == (*p.batch_shape, D)


def test_the_density_integrates_to_one() -> None:
    """Over a grid of two dimensions: the trapezoidal rule is exact to rounding for so smooth a function."""
    p = MultivariateNormal(np.array([0.4, -1.1]), np.array([[0.8, 0.0], [-1.1, 0.5]]))
    axis = np.linspace(-14, 14, 401)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    assert abs(np.exp(p.log_prob(x)).sum() * (axis[1] - axis[0]) ** 2 - 1) < 1e-10


def test_gradients_of_log_prob_by_hand() -> None:
    """d/dm = C⁻¹ (x − m) = −d/dx, and with respect to the covariance ½ (C⁻¹ d dᵀ C⁻¹ − C⁻¹)."""
    mean, x, raw = truth.draw(((3,), (3,), (3, 3)), 1)
    C = scale_tril_from(raw) @ scale_tril_from(raw).T
    y, (by_mean, by_x, by_C) = slopes(
        lambda m, at, C: MultivariateNormal.from_covariance(m, C).log_prob(at), mean, x, C
    )
    w = np.linalg.solve(C, x - mean)
    np.testing.assert_allclose(y, scipy.stats.multivariate_normal(mean, C).logpdf(x), rtol=1e-11)
    np.testing.assert_allclose(by_mean, w, rtol=1e-10)
    np.testing.assert_allclose(by_x, -w, rtol=1e-10)
    np.testing.assert_allclose(by_C, 0.5 * (np.outer(w, w) - np.linalg.inv(C)), rtol=1e-9, atol=1e-9)


def test_a_diagonal_factor_makes_independent_components() -> None:
    mean, logvar, x = truth.draw(((2, 3), (2, 3), (5, 2, 3)), 1)
    p = MultivariateNormal(mean, np.exp(logvar / 2)[..., None] * I3)
    expected = Independent(Normal(mean, logvar), 1)
    np.testing.assert_allclose(p.log_prob(x), expected.log_prob(x), rtol=1e-13)
    np.testing.assert_allclose(p.entropy(), expected.entropy(), rtol=1e-13)
    np.testing.assert_allclose(p.variance, expected.variance, rtol=1e-13)
    np.testing.assert_array_equal(p.sample(7, rng=3), expected.sample(7, rng=3))


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e150])
def test_extreme_scales(scale: float) -> None:
    """Where the covariance itself, and its determinant, underflow or overflow; with gradients L⁻ᵀ η and η ηᵀ − I."""
    L, z = np.array([[1.0, 0.0], [-2.0, 0.5]]), np.array([0.3, -1.2])
    y, (by_mean, by_L) = slopes(
        lambda m, L: MultivariateNormal(m, L).log_prob(np.zeros(2)), -scale * (L @ z), scale * L
    )
    np.testing.assert_allclose(y, -np.log(2 * np.pi) - 0.5 * z @ z - np.log(0.5) - 2 * np.log(scale), rtol=1e-12)
    np.testing.assert_allclose(by_mean * scale, np.linalg.solve(L.T, z), rtol=1e-12)
    expected = np.tril(np.outer(np.linalg.solve(L.T, z), z) - np.diag(1 / np.diagonal(L)))
    np.testing.assert_allclose(by_L * scale, expected, rtol=1e-12)
    p = MultivariateNormal(np.zeros(2), scale * L)
    assert np.isfinite(p.entropy()) and kl_divergence(p, p) == 0


# -- samples -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "factor"), SHAPES)
def test_a_reparameterised_sample_is_mean_plus_factor_times_noise(mean: Any, factor: Any) -> None:
    """Equation (1), where either parameter is shared by the batch; both samplers draw the same."""
    p = normal(mean, factor)
    noise = np.random.default_rng(3).standard_normal((4, *p.batch_shape, 3))
    L = np.broadcast_to(p.scale_tril, (*p.batch_shape, 3, 3))
    np.testing.assert_allclose(
        p.rsample(4, noise=noise), p.mean + np.einsum("...ij,n...j->n...i", L, noise), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_array_equal(p.sample(4, rng=3), p.rsample(4, noise=noise))
    np.testing.assert_array_equal(p.sample(4, rng=3), p.rsample(4, rng=3))


def test_gradients_of_a_reparameterised_sample_by_hand() -> None:
    """dx_i/dm_i = 1 and dx_i/dL_ij = η_j below and on the diagonal."""
    mean, raw, noise, w = truth.draw(((3,), (3, 3), (5, 3), (5, 3)), 1)
    L = scale_tril_from(raw)
    _, (by_mean, by_L) = slopes(lambda m, L: w * MultivariateNormal(m, L).rsample(5, noise=noise), mean, L)
    np.testing.assert_allclose(by_mean, w.sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(by_L, np.tril(w.T @ noise), rtol=1e-13)


def test_the_reparameterised_gradient_is_unbiased() -> None:
    """d E[xᵀ A x]/dm = (A + Aᵀ) m and d/dL = (A + Aᵀ) L, by averaging over Gauss–Hermite nodes."""
    mean, raw, A = truth.draw(((2,), (2, 2), (2, 2)), 1)
    L = scale_tril_from(raw)
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    noise = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    weight = np.outer(weights, weights).ravel() / weights.sum() ** 2

    def f(m: Tensor, L: Tensor) -> Tensor:
        x = MultivariateNormal(m, L).rsample(len(noise), noise=noise)
        return np.sum(weight * np.sum((x @ A) * x, axis=-1))

    _, (by_mean, by_L) = slopes(f, mean, L)
    np.testing.assert_allclose(by_mean, (A + A.T) @ mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(by_L, np.tril((A + A.T) @ L), rtol=0, atol=1e-12)


def test_samples_have_the_mean_and_the_covariance() -> None:
    """Whitened by SciPy's factor of the covariance: an error of 0.04 in any of these moments would be noticed."""
    p = normal((2,), (2,), seed=2)
    x = p.sample(N, rng=2) - p.mean
    assert 2 * Z * np.sqrt(2 / N) < 0.06
    for b in range(2):
        z = np.linalg.solve(np.linalg.cholesky(covariances(p)[b]), x[:, b].T).T
        assert np.all(np.abs(z.mean(axis=0)) < Z / np.sqrt(N))
        products = z.T @ z / N - I3
        assert np.all(np.abs(products) < Z * np.sqrt((1 + I3) / N))
    both = np.mean(x[:, 0] * x[:, 1], axis=0) / np.sqrt(p.variance[0] * p.variance[1])  # one noise for each
    assert np.all(np.abs(both) < Z / np.sqrt(N))


def test_samples_carry_no_graph_and_keep_their_dtype() -> None:
    mean, raw = (x.astype(np.float32) for x in truth.draw(((2, 3), (3, 3)), 1))
    p = MultivariateNormal(Tensor(mean, requires_grad=True), Tensor(scale_tril_from(raw), requires_grad=True))
    x = p.sample(4, rng=0)
    assert type(x) is np.ndarray and x.dtype == np.float32
    assert p.rsample(4, rng=0).dtype == p.log_prob(x).dtype == p.covariance.dtype == np.float32


# -- divergences -------------------------------------------------------------------------------------------------------


def textbook(q: Distribution, C: np.ndarray, p: Distribution, C_p: np.ndarray) -> np.ndarray:
    """Equation (1) of multivariate_kl.py."""
    d = np.asarray(q.mean) - np.asarray(p.mean)
    trace = np.trace(np.linalg.inv(C_p) @ C, axis1=-2, axis2=-1)
    square = np.einsum("...i,...ij,...j->...", d, np.linalg.inv(C_p), d)
    log_dets = np.linalg.slogdet(C_p)[1] - np.linalg.slogdet(C)[1]
    return 0.5 * (trace + square - d.shape[-1] + log_dets)


PAIRS = [(a, b) for a in SHAPES[:4] for b in SHAPES[:4]]
PAIRS += [(SHAPES[4], SHAPES[5]), (SHAPES[4], SHAPES[0]), (SHAPES[0], SHAPES[4]), (SHAPES[-1], SHAPES[0])]
PAIRS += [(((2, 1), (2, 1)), ((1, 5), (1, 5))), (((2, 1), (2, 1)), ((5,), ()))]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_kl_against_the_textbook(a: Any, b: Any) -> None:
    """Equation (2) is equation (1), for batches against single ones and all pairs of two batches."""
    q, p = normal(*a, seed=1), normal(*b, seed=2)
    kl = kl_divergence(q, p)
    assert kl.shape == np.broadcast_shapes(*a, *b)
    np.testing.assert_allclose(kl, textbook(q, covariances(q), p, covariances(p)), rtol=1e-9)


@pytest.mark.parametrize(("full", "diagonal"), [((5,), (5,)), ((5,), ()), ((), (5,)), ((2, 1), (1, 3))])
def test_kl_of_full_and_diagonal_covariances(full: Any, diagonal: Any) -> None:
    """Either way round, for batches and single ones, against (1) of the two covariances."""
    p = normal(full, full, seed=1)
    q = Independent(Normal(*truth.draw(((*diagonal, 3), (*diagonal, 3)), 2)), 1)
    C = q.variance[..., None] * I3
    np.testing.assert_allclose(kl_divergence(p, q), textbook(p, covariances(p), q, C), rtol=1e-9)
    np.testing.assert_allclose(kl_divergence(q, p), textbook(q, C, p, covariances(p)), rtol=1e-9)
    same = MultivariateNormal(q.mean, np.sqrt(q.variance)[..., None] * I3)
    for kl in (kl_divergence(q, same), kl_divergence(same, q)):
        np.testing.assert_allclose(kl, 0, atol=1e-14)


def test_kl_of_full_and_diagonal_covariances_keeps_float32() -> None:
    p = MultivariateNormal(SINGLE, np.eye(3, dtype=np.float32))
    q = Independent(Normal(SINGLE, SINGLE), 1)
    assert {kl_divergence(a, b).dtype for a, b in ((p, p), (p, q), (q, p))} == {np.dtype(np.float32)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", [1e-15, 1e-12, 1e-9, 1e-6, 1e-3])
def test_kl_near_p_is_never_negative(step: float, dtype: type) -> None:
    """Where the terms of (1) cancel: for 1,000 pairs."""
    mean, raw, dm, dr = (x.astype(dtype) for x in truth.draw(((1000, 3), (1000, 3, 3), (1000, 3), (1000, 3, 3)), 1))
    q = MultivariateNormal(mean, scale_tril_from(raw))
    p = MultivariateNormal(mean + dtype(step) * dm, scale_tril_from(raw + dtype(step) * dr))
    kl = kl_divergence(q, p)
    assert kl.dtype == dtype and kl.min() >= 0


def test_kl_near_p_keeps_its_digits() -> None:
    """To second order KL = ½ ‖L⁻¹ dm‖² + ½ ‖S‖² below the diagonal + Σ S_ii², with S = L⁻¹ dL."""
    mean, raw, dm, dL = truth.draw(((3,), (3, 3), (3,), (3, 3)), 1)
    L, step = scale_tril_from(raw), 1e-7
    q, p = MultivariateNormal(mean, L), MultivariateNormal(mean + step * dm, L + step * np.tril(dL))
    S = np.linalg.solve(L, np.tril(dL))
    expected = 0.5 * np.sum(np.linalg.solve(L, dm) ** 2) + 0.5 * np.sum(np.tril(S, -1) ** 2) + np.sum(np.diag(S) ** 2)
    np.testing.assert_allclose(kl_divergence(q, p) / step**2, expected, rtol=1e-5)


# -- the factor --------------------------------------------------------------------------------------------------------


def test_a_factor_of_any_matrix() -> None:
    raw = truth.draw(((2, 3, 3),), 1)[0]
    L = scale_tril_from(raw)
    assert np.all(np.triu(L, 1) == 0)
    for i, j in np.ndindex(3, 3):
        if i >= j:
            np.testing.assert_allclose(L[:, i, j], raw[:, i, j] if i > j else np.exp(raw[:, i, i]), rtol=1e-15)


def test_the_factor_of_a_covariance() -> None:
    p = normal((2,), (2,))
    q = MultivariateNormal.from_covariance(p.mean, covariances(p))
    np.testing.assert_allclose(q.scale_tril, p.scale_tril, rtol=1e-10, atol=1e-12)
    rounded = covariances(p).astype(np.float32)
    rounded[:, 0, 1] *= 1 + 3e-7  # no more than rounding
    assert MultivariateNormal.from_covariance(p.mean.astype(np.float32), rounded).dtype == np.float32


def test_what_is_above_the_diagonal_of_a_tensor_is_not_used() -> None:
    """Neither by log_prob nor by samples, and it gets no gradient; of a plain array it is refused."""
    mean, L = np.zeros(3), scale_tril_from(truth.draw(((3, 3),), 1)[0])
    full = L + np.triu(np.ones((3, 3)), 1)
    p, expected = MultivariateNormal(mean, Tensor(full)), MultivariateNormal(mean, L)
    x = expected.sample(4, rng=0)
    np.testing.assert_array_equal(p.sample(4, rng=0), x)
    np.testing.assert_array_equal(p.log_prob(x).data, expected.log_prob(x))
    np.testing.assert_array_equal(p.covariance.data, expected.covariance)
    _, (slope,) = slopes(lambda L: MultivariateNormal(mean, L).log_prob(x), full)
    assert np.all(np.triu(slope, 1) == 0) and np.all(slope[np.tril_indices(3)] != 0)


def test_a_covariance_is_as_symmetric_as_its_own_columns_are_large() -> None:
    """Rounding is allowed for in units of std_i std_j: beside a large variance a small block may still be wrong."""
    scale = np.outer([1e8, 1.0, 1e-8], [1e8, 1.0, 1e-8])
    C = np.array([[2.0, 0.5, 0.3], [0.5, 1.0, 0.2], [0.3, 0.2, 3.0]])
    rounded = C * (1 + 1e-15 * np.triu(np.ones((3, 3)), 1)) * scale
    p = MultivariateNormal.from_covariance(np.zeros(3), rounded)
    np.testing.assert_allclose(p.covariance, C * scale, rtol=1e-14)
    wrong = np.where(np.triu(np.ones((3, 3)), 1) > 0, 0.9 * C, C) * scale
    wrong[0] = wrong[:, 0]  # right beside the large variance, wrong elsewhere
    with pytest.raises(ValueError, match=r"covariance − covarianceᵀ has .* at \(1, 2\); 2 of 9 values: it must be sym"):
        MultivariateNormal.from_covariance(np.zeros(3), wrong)


SINGLE = np.zeros(3, np.float32)
Call = Callable[[], Any]
BAD: dict[str, tuple[Call, type[Exception], str]] = {
    "number for a mean": (lambda: MultivariateNormal(0.0, I3), ValueError, r"mean has shape \(\) and scale_tril \(3,"),
    "vector for a factor": (lambda: MultivariateNormal(np.zeros(3), np.ones(3)), ValueError, r"be \(…, D\) and \(…"),
    "other D": (lambda: MultivariateNormal(np.zeros(2), I3), ValueError, r"mean has shape \(2,\).*\(3, 3\)"),
    "D = 0": (lambda: MultivariateNormal(np.zeros(0), np.zeros((0, 0))), ValueError, "D of 1 or more"),
    "batches": (
        lambda: MultivariateNormal(np.zeros((4, 3)), np.stack([I3, I3])),
        ValueError,
        r"\(4, 3\) and scale_tril \(2, 3, 3\); what stands before D does not broadcast",
    ),
    "dtypes": (lambda: MultivariateNormal(SINGLE, I3), TypeError, "mean is float32, scale_tril is float64"),
    "integers": (lambda: MultivariateNormal(np.zeros(3), np.eye(3, dtype=int)), TypeError, "scale_tril is int64"),
    "NaN": (lambda: MultivariateNormal(np.array([0, np.nan, 0]), I3), ValueError, r"mean has nan at \(1,\)"),
    "scale 0": (
        lambda: MultivariateNormal(np.zeros(3), np.diag([1.0, 0.0, 2.0])),
        ValueError,
        r"the diagonal of scale_tril has 0.0 at \(1,\); 1 of 3 values: it must be positive",
    ),
    "covariance for a factor": (
        lambda: MultivariateNormal(np.zeros(2), np.array([[2.0, 0.5], [0.5, 2.0]])),
        ValueError,
        r"scale_tril has 0.5 at \(0, 1\).*above the diagonal.*from_covariance",
    ),
    "covariance not square": (
        lambda: MultivariateNormal.from_covariance(np.zeros(2), np.ones((2, 3))),
        ValueError,
        r"covariance has shape \(2, 3\)",
    ),
    "factor of a vector": (lambda: scale_tril_from(np.zeros(6)), ValueError, r"raw has shape \(6,\); it must be \(…"),
    "factor of integers": (lambda: scale_tril_from(np.eye(3, dtype=int)), TypeError, "raw is int64"),
    "covariance not symmetric": (
        lambda: MultivariateNormal.from_covariance(np.zeros(2), np.array([[1.0, 0.5], [0.2, 1.0]])),
        ValueError,
        r"covariance − covarianceᵀ has 0.3 at \(0, 1\).*it must be symmetric",
    ),
    "covariance hardly symmetric": (
        lambda: MultivariateNormal.from_covariance(np.zeros(2), np.array([[1.0, 0.5], [0.5 + 1e-9, 1.0]])),
        ValueError,
        r"at \(0, 1\); 2 of 4 values: it must be symmetric",
    ),
    "covariance not positive definite": (
        lambda: MultivariateNormal.from_covariance(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]])),
        ValueError,
        "covariance is not positive definite: its smallest eigenvalue is -1; add to its diagonal",
    ),
    "one of a batch not positive definite": (
        lambda: MultivariateNormal.from_covariance(np.zeros(3), Tensor(np.stack([I3, -2 * I3]))),
        ValueError,
        r"covariance at \(1,\) is not positive definite: its smallest eigenvalue is -2;",
    ),
    "NaN covariance": (
        lambda: MultivariateNormal.from_covariance(np.zeros(3), Tensor(np.nan * I3)),
        ValueError,
        r"covariance has nan at \(0, 0\)",
    ),
    "x of another D": (
        lambda: MultivariateNormal(np.zeros(3), I3).log_prob(np.zeros((4, 2))),
        ValueError,
        r"x has shape \(4, 2\); its last axes must be \(3,\)",
    ),
    "NaN in x": (lambda: MultivariateNormal(np.zeros(3), I3).log_prob([0, np.nan, 0.0]), ValueError, "x has nan at"),
    "x of another dtype": (lambda: MultivariateNormal(np.zeros(3), I3).log_prob(SINGLE), TypeError, "x is float32"),
    "no rng": (lambda: MultivariateNormal(np.zeros(3), I3).rsample(3), TypeError, "needs rng, or the noise"),
    "noise of another shape": (
        lambda: MultivariateNormal(np.zeros(3), I3).rsample(2, noise=np.zeros(3)),
        ValueError,
        r"noise has shape \(3,\); with n=2 it must be \(2, 3\)",
    ),
    "KL to vectors of coins": (
        lambda: kl_divergence(MultivariateNormal(np.zeros(3), I3), Independent(Bernoulli(np.zeros(3)), 1)),
        NotImplementedError,
        r"KL\(MultivariateNormal ‖ Independent\(Bernoulli\)\); divergence",
    ),
    "KL of vectors of coins": (
        lambda: kl_divergence(Independent(Bernoulli(np.zeros(3)), 1), MultivariateNormal(np.zeros(3), I3)),
        NotImplementedError,
        r"KL\(Independent\(Bernoulli\) ‖ MultivariateNormal\); divergence",
    ),
    "KL of other events": (
        lambda: kl_divergence(normal((), (), D=2), normal((), (), D=3)),
        ValueError,
        r"q has events of shape \(2,\), p of \(3,\)",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_input_is_refused(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
