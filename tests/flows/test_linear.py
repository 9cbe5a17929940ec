"""Linear transforms and permutations: against NumPy's determinant and inverse, and known densities."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from scratchgen.distributions import Independent, Normal
from scratchgen.flows import Flow, FullLinear, InvertibleConv, LULinear, Orthogonal, Permutation, Triangular
from tests.flows.brute_force import plain

DIMS = 4


def moved(f: Any, seed: int = 1) -> Any:
    """With parameters that are not those it starts with."""
    rng = np.random.default_rng(seed)
    for t in f.parameters().values():
        t.assign(t.data + 0.4 * rng.standard_normal(t.shape))
    return f


def matrix_of(f: Any, dims: int = DIMS) -> np.ndarray:
    """W of z = x W: the images of the unit vectors."""
    return plain(f(np.eye(dims))[0])


def linear_maps() -> dict[str, Any]:
    return {
        "full": moved(FullLinear(DIMS, 0, np.float64)),
        "triangular": moved(Triangular(DIMS, np.float64)),
        "LU": moved(LULinear(DIMS, 0, np.float64)),
        "orthogonal": moved(Orthogonal(DIMS, 0, dtype=np.float64)),
        "permutation": Permutation([2, 0, 3, 1], np.float64),
    }


@pytest.mark.parametrize("name", linear_maps())
def test_the_determinant_and_the_inverse_of_the_matrix(name: str) -> None:
    """(1) to (3): log |det W| by NumPy, the same for each row, its negative backwards, where z W⁻¹ is x."""
    f = linear_maps()[name]
    W, z = matrix_of(f), np.random.default_rng(2).standard_normal((3, DIMS))
    expected = np.full(3, np.linalg.slogdet(W)[1])
    np.testing.assert_allclose(plain(f(z)[1]), expected, rtol=1e-12, atol=1e-13)
    x, logabsdet = f.inverse(z)
    np.testing.assert_allclose(plain(x), z @ np.linalg.inv(W), rtol=1e-11)
    np.testing.assert_allclose(plain(logabsdet), -expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", linear_maps())
def test_the_density_is_that_of_a_gaussian(name: str) -> None:
    """x = z W⁻¹ of a standard normal z has the covariance (W Wᵀ)⁻¹."""
    f, x = linear_maps()[name], np.random.default_rng(3).standard_normal((5, DIMS))
    W = matrix_of(f)
    flow = Flow(f, Independent(Normal(np.zeros(DIMS), np.zeros(DIMS)), 1))
    expected = stats.multivariate_normal(np.zeros(DIMS), np.linalg.inv(W @ W.T)).logpdf(x)
    np.testing.assert_allclose(plain(flow.log_prob(x)), expected, rtol=1e-11)


@pytest.mark.parametrize("make", [FullLinear, LULinear, Orthogonal])
@pytest.mark.parametrize("dims", [1, 2, 5])
def test_they_start_as_rotations(make: Any, dims: int) -> None:
    """WᵀW = 1, and another seed gives another one; in float32 as well."""
    W = matrix_of(make(dims, 0, dtype=np.float64), dims)
    np.testing.assert_allclose(W.T @ W, np.eye(dims), atol=1e-13)
    assert dims == 1 or np.abs(W - matrix_of(make(dims, 1, dtype=np.float64), dims)).max() > 0.1
    assert make(dims, 0)(np.eye(dims, dtype=np.float32))[0].dtype == np.float32


def test_triangular_is_autoregressive() -> None:
    """z_j depends on x_1 … x_j, its own slope is e^a; it starts as the identity."""
    np.testing.assert_array_equal(matrix_of(Triangular(DIMS, np.float64)), np.eye(DIMS))
    f = linear_maps()["triangular"]
    W = matrix_of(f)
    np.testing.assert_array_equal(np.tril(W, -1), 0)
    np.testing.assert_allclose(np.diagonal(W), np.exp(np.diagonal(f.entries.data)), rtol=1e-14)


def test_every_entry_of_the_factors_is_used() -> None:
    """LULinear has D² numbers, and the gradient of W to each of them is not 0."""
    f, x = linear_maps()["LU"], np.random.default_rng(0).standard_normal((6, DIMS))
    z, logabsdet = f(x)
    (np.sum(z * x[::-1]) + np.sum(logabsdet)).backward()
    assert f.count_parameters() == DIMS * DIMS and np.all(np.abs(f.factors.grad) > 1e-3)


@pytest.mark.parametrize(
    ("f", "trained"),
    [
        (FullLinear(3, 0), {"W": (3, 3)}),
        (Triangular(3), {"entries": (3, 3)}),
        (LULinear(3, 0), {"factors": (3, 3)}),
        (Orthogonal(3, 0, reflections=2), {"V": (3, 2)}),
        (InvertibleConv(3, 0), {"linear.factors": (3, 3)}),
        (Permutation([1, 0]), {}),
    ],
)
def test_what_is_trained(f: Any, trained: dict[str, tuple[int, ...]]) -> None:
    assert {name: t.shape for name, t in f.parameters().items()} == trained
    assert all(t.dtype == np.float32 for t in f.tensors().values())


def test_reflections_one_by_one() -> None:
    """(2) and (3) of householder: x H_1 H_2 H_3, each by (1), of determinant −1."""
    f = Orthogonal(DIMS, 0, reflections=3, dtype=np.float64)
    Q = np.eye(DIMS)
    for v in f.V.data.T:
        Q = Q @ (np.eye(DIMS) - 2 * np.outer(v, v) / (v @ v))
    np.testing.assert_allclose(matrix_of(f), Q, atol=1e-14)
    assert np.linalg.det(Q) == pytest.approx(-1)
    f.V = f.V.data * np.array([1e3, 1e-3, 1.0])  # lengths do not matter
    np.testing.assert_allclose(matrix_of(f), Q, atol=1e-13)


def test_a_convolution_counts_every_pixel() -> None:
    """H · W times log |det| of the channels' matrix, which acts at each pixel alone."""
    f, x = moved(InvertibleConv(3, 0, dtype=np.float64)), np.random.default_rng(0).standard_normal((2, 4, 5, 3))
    W = f.linear.matrix().data
    z, logabsdet = f(x)
    np.testing.assert_allclose(logabsdet.data, 20 * np.linalg.slogdet(W)[1] * np.ones(2), rtol=1e-12)
    np.testing.assert_allclose(z.data[1, 3, 2], x[1, 3, 2] @ W, rtol=1e-12)


def test_the_order_of_a_permutation_is_part_of_its_state() -> None:
    """Loaded into another one, it permutes as the first; dimension o_j becomes dimension j."""
    first, second = Permutation.random(6, 0), Permutation.random(6, 1)
    x = np.arange(6, dtype=np.float32)[None]
    assert not np.array_equal(first(x)[0], second(x)[0])
    second.load_state(first.state())
    np.testing.assert_array_equal(first(x)[0], second(x)[0])
    np.testing.assert_array_equal(second(x)[0], first.order.data[None])
    assert first.parameters() == {}


SINGULAR = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])


def full(W: np.ndarray, dtype: Any = np.float64) -> FullLinear:
    f = FullLinear(len(W), 0, dtype)
    f.W.assign(W)
    return f


def steep() -> LULinear:
    f = LULinear(2, 0, np.float64)
    f.factors.assign(np.diag([-800.0, 0.0]))
    return f


def test_a_nearly_singular_map_is_refused_by_the_digits_it_has() -> None:
    """A condition number of 1e8 is fine in float64, and beyond float32."""
    W = np.diag([1.0, 1e-8])
    np.testing.assert_allclose(plain(full(W).inverse(np.ones((1, 2)))[0]), [[1.0, 1e8]])
    with pytest.raises(ValueError, match=r"condition number is 1e\+08, and from 8.4e\+06 on"):
        full(W, np.float32)(np.ones((1, 2), np.float32))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: full(SINGULAR)(np.ones((1, 3))), r"W is singular: its condition number is [1-9]\.?\d*e\+1[67]"),
        (
            lambda: full(SINGULAR).inverse(np.ones((1, 3))),
            r"W is singular: its condition number is [1-9]\.?\d*e\+1[67]",
        ),
        (lambda: full(np.full((2, 2), np.nan))(np.ones((1, 2))), "condition number is nan"),
        (lambda: steep().inverse(np.ones((1, 2))), "condition number is inf"),
        (lambda: FullLinear(0, 0), "dims is 0"),
        (lambda: LULinear(0, 0), "dims is 0"),
        (lambda: Triangular(0), "dims is 0"),
        (lambda: Orthogonal(2, 0, reflections=0), "reflections is 0"),
        (lambda: Permutation([0, 2, 2]), r"no permutation of 0 … 2: missing \[1\], repeated \[2\]"),
        (lambda: Permutation([]), "dims is 0"),
        (lambda: Permutation([1, 0])(np.ones((4, 3))), r"x has shape \(4, 3\), Permutation wants"),
        (lambda: LULinear(2, 0)(np.ones((4, 3))), r"x has shape \(4, 3\); it must be \(B, 2\)"),
        (lambda: LULinear(2, 0)(np.ones((4, 5, 2))), r"x has shape \(4, 5, 2\); it must be \(B, 2\)"),
        (lambda: FullLinear(2, 0).inverse(np.ones((4, 5, 2))), r"it must be \(B, 2\)"),
        (lambda: Orthogonal(2, 0)(np.ones((4, 5, 2))), r"it must be \(B, 2\)"),
        (lambda: Triangular(3)(np.ones(3)), r"x has shape \(3,\); .* one x is x\[None\]"),
        (lambda: InvertibleConv(2, 0)(np.ones((4, 2))), r"images are \(B, H, W, 2\)"),
        (lambda: InvertibleConv(2, 0)(np.ones((1, 4, 4, 3))), r"InvertibleConv wants \(batch, …, 2\)"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_reflection_without_direction_is_refused() -> None:
    f = Orthogonal(3, 0, dtype=np.float64)
    f.V.assign(f.V.data * np.array([1.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match=r"columns \[1, 2\] of V are 0"):
        f(np.ones((1, 3)))
