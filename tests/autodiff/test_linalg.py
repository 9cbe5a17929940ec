"""The conventions, extremes and errors of linear algebra; its derivatives proper are checked by the samples."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, grad, hessian
from scratchgen.autodiff.einsum import spelled_out
from scratchgen.autodiff.linalg import solve_triangular


def gradients(f: Callable[..., Any], *arrays: Any, g: Any = None) -> list[np.ndarray]:
    """dL/dx for each array, with L = ⟨g, f(…)⟩; g is random if left out."""
    leaves = [Tensor(x, requires_grad=True) for x in arrays]
    y = f(*leaves)
    y.backward(np.random.default_rng(0).normal(size=y.shape) if g is None else g)
    return [leaf.grad for leaf in leaves]


def matrices(*shape: int) -> np.ndarray:
    """Well-conditioned matrices with determinants of both signs."""
    return np.random.default_rng(0).normal(size=shape) + 3.0 * np.diag([1.0, -1.0, 1.0, -1.0])[: shape[-2], : shape[-1]]


# -- products ---------------------------------------------------------------------------------------------------------


def test_matmul_of_matrices_is_the_formula_of_every_lecture() -> None:
    x, W = matrices(2, 3), matrices(3, 4)
    g = np.random.default_rng(1).normal(size=(2, 4))
    dx, dW = gradients(np.matmul, x, W, g=g)
    assert np.array_equal(dx, g @ W.T) and np.array_equal(dW, x.T @ g)


LETTERS = {
    ((3,), (3,)): "i,i->",
    ((2, 3), (3,)): "ij,j->i",
    ((3,), (3, 2)): "i,ij->j",
    ((5, 2, 3), (3,)): "bij,j->bi",
    ((3,), (5, 3, 2)): "i,bij->bj",
    ((2, 3), (5, 3, 2)): "ij,bjk->bik",
    ((5, 2, 3), (3, 2)): "bij,jk->bik",
    ((7, 5, 2, 3), (5, 3, 2)): "abij,bjk->abik",
}


@pytest.mark.parametrize(("shapes", "subscripts"), LETTERS.items())
def test_matmul_and_einsum_agree(shapes: Any, subscripts: str) -> None:
    """Two rules that have nothing in common give the same gradients."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes]
    for one, other in zip(
        gradients(np.matmul, *arrays), gradients(lambda a, b: np.einsum(subscripts, a, b), *arrays), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


@pytest.mark.parametrize("f", [np.matmul, np.dot])
def test_shapes_that_do_not_fit_raise_as_in_numpy(f: Any) -> None:
    with pytest.raises(ValueError, match="mismatch"):
        f(Tensor(np.ones((2, 3))), np.ones((2, 3)))


def test_dot_of_numbers_vectors_and_matrices() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert np.dot(x, x).item() == 5.0
    assert np.dot(2.0, x).data.tolist() == [2.0, 4.0]
    assert np.dot(np.ones((3, 2)), x).shape == (3,)
    with pytest.raises(TypeError, match=r"np\.matmul or np\.einsum"):
        np.dot(np.ones((2, 2, 2)), x)


# -- einsum -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subscripts", "shapes", "terms", "output"),
    [
        ("ij,jk->ik", [(2, 3), (3, 5)], ["ij", "jk"], "ik"),
        ("ba", [(2, 3)], ["ba"], "ab"),
        ("ij,jk", [(2, 3), (3, 5)], ["ij", "jk"], "ik"),
        ("ii", [(3, 3)], ["ii"], ""),
        ("...", [(2, 3)], ["ab"], "ab"),
        ("a...,...->...a", [(2, 3, 5), (5,)], ["abc", "c"], "bca"),
        ("...i,i", [(2, 3), (3,)], ["ai", "i"], "a"),
    ],
)
def test_subscripts_are_spelled_out(subscripts: str, shapes: Any, terms: list[str], output: str) -> None:
    arrays = [np.random.default_rng(0).normal(size=shape) for shape in shapes]
    assert spelled_out(subscripts, arrays) == (terms, output)
    assert np.array_equal(np.einsum(",".join(terms) + "->" + output, *arrays), np.einsum(subscripts, *arrays))


def test_einsum_with_a_path() -> None:
    a, b, c = np.ones((2, 3)), np.ones((3, 5)), np.ones((5, 2))
    f = lambda a, b, c: np.einsum("ij,jk,kl->il", a, b, c, optimize=["einsum_path", (1, 2), (0, 1)])  # noqa: E731
    for one, other in zip(gradients(f, a, b, c), gradients(lambda a, b, c: a @ b @ c, a, b, c), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_einsum_refuses_lists_of_numbers() -> None:
    with pytest.raises(TypeError, match="a string of subscripts first"):
        np.einsum(Tensor(np.ones((2, 3))), [0, 1], [1, 0])


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "ijk->i", "ij->iz"])
def test_einsum_leaves_wrong_subscripts_to_numpy(subscripts: str) -> None:
    with pytest.raises(ValueError, match=r"einstein sum|operand"):
        np.einsum(subscripts, Tensor(np.ones((2, 3))))


def test_einsum_refuses_options_without_a_rule() -> None:
    with pytest.raises(TypeError, match="dtype"):
        np.einsum("ij->i", Tensor(np.ones((2, 3))), dtype=np.float64)


# -- norms ------------------------------------------------------------------------------------------------------------


def test_norm_at_zero_has_gradient_zero_to_any_order() -> None:
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    (dx,) = gradients(lambda x: np.linalg.norm(x, axis=1), x, g=np.ones(2))
    np.testing.assert_allclose(dx, [[0.0, 0.0], [0.6, 0.8]], rtol=1e-15)
    assert not hessian(np.linalg.norm)(np.zeros(2)).any()


def test_norm_has_the_hessian_of_a_cone() -> None:
    """H = (I − u uᵀ) / ‖x‖ with u = x / ‖x‖."""
    u = np.array([0.6, 0.8])
    np.testing.assert_allclose(hessian(np.linalg.norm)(5 * u), (np.eye(2) - np.outer(u, u)) / 5, rtol=0, atol=1e-16)


@pytest.mark.parametrize("small", [1e-150, 1e150])
def test_norm_of_small_and_large_vectors(small: float) -> None:
    np.testing.assert_allclose(gradients(np.linalg.norm, [3 * small, 4 * small], g=1.0)[0], [0.6, 0.8], rtol=1e-15)


@pytest.mark.parametrize("call", [lambda x: np.linalg.norm(x, 1), lambda x: np.linalg.norm(x, ord=np.inf)])
def test_other_norms_are_refused(call: Any) -> None:
    with pytest.raises(TypeError, match="no derivative rule with"):
        call(Tensor([1.0, 2.0]))


# -- determinants, inverses, systems ---------------------------------------------------------------------------------


def test_slogdet_is_that_of_numpy() -> None:
    A = matrices(2, 3, 3)
    A[0, [0, 1]] = A[0, [1, 0]]  # another sign
    result, expected = np.linalg.slogdet(Tensor(A, requires_grad=True)), np.linalg.slogdet(A)
    assert type(result) is type(expected)
    assert isinstance(result.sign, np.ndarray) and isinstance(result.logabsdet, Tensor)
    assert np.array_equal(result.sign, expected.sign) and set(expected.sign) == {1.0, -1.0}
    assert np.array_equal(result.logabsdet.data, expected.logabsdet)
    result.logabsdet.backward(np.ones(2))


def test_logabsdet_has_the_transposed_inverse_as_its_gradient() -> None:
    A = matrices(3, 3)
    (dA,) = gradients(lambda A: np.linalg.slogdet(A).logabsdet, A, g=1.0)
    np.testing.assert_allclose(dA, np.linalg.inv(A).T, rtol=1e-14)


def test_det_is_the_exponential_of_logabsdet() -> None:
    A = matrices(3, 3)
    by_log = grad(lambda A: np.linalg.slogdet(A)[0] * np.exp(np.linalg.slogdet(A)[1]))
    np.testing.assert_allclose(grad(np.linalg.det)(A), by_log(A), rtol=1e-13)


@pytest.mark.parametrize("f", [np.linalg.det, np.linalg.inv, lambda A: np.linalg.slogdet(A)[1]])
def test_a_singular_matrix_is_refused(f: Any) -> None:
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        gradients(f, np.ones((2, 2)), g=1.0)


def test_solve_takes_one_axis_as_a_vector_and_more_as_matrices() -> None:
    """A stack of matrices with a stack of vectors of the same shape: since NumPy 2 the second is one matrix."""
    A, b = matrices(3, 3, 3), np.random.default_rng(1).normal(size=(3, 3))
    for f in (np.linalg.solve, lambda A, b: np.linalg.inv(A) @ b):
        assert [g.shape for g in gradients(f, A, b)] == [A.shape, b.shape]
    for one, other in zip(
        gradients(np.linalg.solve, A, b), gradients(lambda A, b: np.linalg.inv(A) @ b, A, b), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("count", [2, 7])  # fewer matrices than rows are solved one by one, more all at once
@pytest.mark.parametrize("shape", [(4,), (4, 2), (3, 1, 4, 3)])
def test_solve_triangular_is_solve_of_the_triangle(lower: bool, transpose: bool, count: int, shape: Any) -> None:
    """Values and gradients; what stands in the other triangle does not matter."""
    a, b = matrices(count, 4, 4), np.random.default_rng(1).normal(size=shape)

    def by_solve(a: Any, b: Any) -> Any:
        triangle = np.tril(a) if lower else np.triu(a)
        return np.linalg.solve(np.swapaxes(triangle, -1, -2) if transpose else triangle, b)

    def by_substitution(a: Any, b: Any) -> Any:
        return solve_triangular(a, b, lower, transpose)

    np.testing.assert_allclose(by_substitution(a, b), by_solve(a, b), rtol=0, atol=1e-13)
    for one, other in zip(gradients(by_substitution, a, b), gradients(by_solve, a, b), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


def test_solve_triangular_refuses_a_zero_on_the_diagonal() -> None:
    singular = np.diag([1.0, 0.0])
    for a in (singular, np.stack([*[np.eye(2)] * 4, singular])):
        with pytest.raises(np.linalg.LinAlgError, match="singular"):
            solve_triangular(Tensor(a), np.ones(2))


def test_cholesky_gives_each_of_two_equal_entries_half_of_the_gradient() -> None:
    """A step along a symmetric direction S changes L = ⟨g, chol A⟩ by ⟨dL/dA, S⟩, and dL/dA is symmetric."""
    rng = np.random.default_rng(0)
    A, S, g = matrices(3, 3), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    A, S, h = A @ A.T, S + S.T, 1e-5
    (dA,) = gradients(np.linalg.cholesky, A, g=g)
    np.testing.assert_allclose(dA, dA.T, rtol=0, atol=0)
    change = np.sum(g * (np.linalg.cholesky(A + h * S) - np.linalg.cholesky(A - h * S))) / (2 * h)
    np.testing.assert_allclose(np.sum(dA * S), change, rtol=1e-8)


def test_half_the_logdet_is_that_of_the_cholesky_factor() -> None:
    """½ log det A = Σ log L_ii, to second order along symmetric directions."""
    A = matrices(3, 3)
    A = A @ A.T

    def by_cholesky(A: Any) -> Any:
        return np.sum(np.log(np.diagonal(np.linalg.cholesky(0.5 * (A + A.T)))))

    def by_slogdet(A: Any) -> Any:
        return 0.5 * np.linalg.slogdet(0.5 * (A + A.T))[1]

    np.testing.assert_allclose(grad(by_cholesky)(A), grad(by_slogdet)(A), rtol=0, atol=1e-14)
    np.testing.assert_allclose(hessian(by_cholesky)(A), hessian(by_slogdet)(A), rtol=0, atol=1e-14)


def test_cholesky_refuses_the_upper_factor() -> None:
    with pytest.raises(TypeError, match="upper"):
        np.linalg.cholesky(Tensor(np.eye(2)), upper=True)


@pytest.mark.parametrize(
    "f",
    [
        np.linalg.inv,
        np.linalg.det,
        np.linalg.norm,
        np.trace,
        lambda A: np.linalg.slogdet(A)[1],
        lambda A: np.linalg.cholesky(A @ A.T),
        lambda A: np.linalg.solve(A, A.T),
        lambda A: solve_triangular(A, A.T),
        lambda A: solve_triangular(A, A[0], lower=False, transpose=True),
        lambda A: np.einsum("ii,jk->", A, A),
        lambda A: np.outer(A, A[0]),
        lambda A: A @ A[0] @ A,
    ],
)
def test_float32_stays_float32(f: Any) -> None:
    """To second order."""
    A = Tensor(matrices(3, 3).astype(np.float32), requires_grad=True)
    y = np.sum(f(A))
    y.backward(create_graph=True)
    first, A.grad = A.grad, None
    assert y.dtype == first.dtype == np.float32
    if first.requires_grad:
        (first * first).sum().backward()
        assert A.grad.dtype == np.float32
