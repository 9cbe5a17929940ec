"""grad, vjp, jvp, jacobian, hessian, hvp against derivatives worked out by hand."""

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, grad, hessian, hvp, jacobian, jvp, no_grad, value_and_grad, vjp

A = np.random.default_rng(0).normal(size=(3, 3))
x0 = np.array([0.3, -1.2, 2.0])


def f(x):  # ∇f = exp(x) ∘ (Ax) + Aᵀ exp(x)
    return np.sum(np.exp(x) * (A @ x))


def gradient_of_f(x):
    return np.exp(x) * (A @ x) + A.T @ np.exp(x)


def hessian_of_f(x):
    return np.diag(np.exp(x) * (A @ x)) + np.exp(x)[:, None] * A + A.T * np.exp(x)


def test_grad_and_value():
    value, gradient = value_and_grad(f)(x0)
    assert type(value) is type(gradient) is np.ndarray
    assert value == pytest.approx(f(x0), rel=1e-15)
    np.testing.assert_allclose(gradient, gradient_of_f(x0), rtol=1e-13)


def test_grad_with_respect_to_several_arguments():
    da, db = grad(lambda a, b: a * b * b, (0, 1))(2.0, 3.0)
    assert (da, db) == (9.0, 12.0)
    assert grad(lambda a, b: a * b * b, 1)(2.0, 3.0) == 12.0


def test_nested_grad_of_any_order():
    derivative, expected = np.sin, [np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin]
    for order in range(4):
        derivative = grad(derivative)
        np.testing.assert_allclose(derivative(0.7), expected[order](0.7), rtol=1e-14)


def test_an_inner_grad_sees_the_outer_variable():
    # ∂/∂a [∂/∂b (a b²) at b = 3] = 6, for the inner call on a plain number too
    assert grad(lambda a: grad(lambda b: a * b * b)(3.0))(2.0) == 6.0


def test_an_inner_grad_does_not_see_other_uses_of_its_argument():
    # d/dx [ x · ∂/∂y (x y) at y = x ] = d/dx x² = 2x: the inner derivative is x, not 2x
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(5.0) == 10.0


def test_the_outer_graph_survives_an_inner_call():
    w = Tensor(2.0, requires_grad=True)
    h = w * w
    inner = grad(lambda x: h * x * x)(3.0)
    assert inner == 24.0 and w.grad is None
    h.backward()
    assert w.grad == 4.0


def test_tensors_in_tensors_out():
    x = Tensor(x0, requires_grad=True)
    slope = grad(f)(x)
    np.sum(slope * slope).backward()  # ∇ ½... of ‖∇f‖² is 2 H ∇f
    np.testing.assert_allclose(x.grad, 2 * hessian_of_f(x0) @ gradient_of_f(x0), rtol=1e-12)


def test_jacobian_hessian_and_products():
    def curve(x):
        return np.sin(A @ x)

    J = np.cos(A @ x0)[:, None] * A
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(jacobian(curve)(x0), J, rtol=1e-13)
    np.testing.assert_allclose(jvp(curve, [x0], [v])[1], J @ v, rtol=1e-13)
    np.testing.assert_allclose(vjp(curve, x0)[1](v)[0], J.T @ v, rtol=1e-13)
    np.testing.assert_allclose(hessian(f)(x0), hessian_of_f(x0), rtol=1e-12)
    np.testing.assert_allclose(hvp(f, x0, v), hessian_of_f(x0) @ v, rtol=1e-12)


def test_the_pull_back_can_be_called_again():
    _, pull_back = vjp(lambda x: x * x, x0)
    np.testing.assert_array_equal(pull_back(np.ones(3))[0], pull_back(np.ones(3))[0])


def test_jvp_of_two_arguments_and_of_a_jvp():
    y, change = jvp(lambda a, b: a * b, [2.0, 3.0], [0.1, 0.01])
    assert y == 6.0 and change == pytest.approx(0.32, rel=1e-14)
    second = jvp(lambda x: jvp(lambda t: t**3, [x], [Tensor(1.0)])[1], [2.0], [1.0])[1]
    assert second == pytest.approx(12.0, rel=1e-14)


def test_shapes_of_jacobian_and_hessian():
    x = np.random.default_rng(1).normal(size=(2, 3))
    assert jacobian(lambda x: x.T @ x)(x).shape == (3, 3, 2, 3)
    assert hessian(lambda x: np.sum(x**3))(x).shape == (2, 3, 2, 3)
    assert jacobian(lambda x: x[:0])(x0).shape == (0, 3)


def test_what_does_not_depend_on_the_input_has_gradient_zero():
    np.testing.assert_array_equal(hessian(lambda x: np.sum(2.0 * x))(x0), np.zeros((3, 3)))
    assert grad(lambda a, b: a * 2.0, 1)(Tensor(1.0), 1.0) == 0.0


def test_leaving_the_graph_is_an_error():
    with pytest.raises(TypeError, match=r"returned float64, not a Tensor.*left the graph"):
        grad(lambda x: np.sum(x.data))(x0)


def test_bad_calls():
    with pytest.raises(ValueError, match=r"returned shape \(3,\): sum it, or use jacobian"):
        grad(lambda x: x * x)(x0)
    with pytest.raises(TypeError, match="int64 is not differentiable; use float64"):
        grad(lambda x: x * x)(3)
    with pytest.raises(ValueError, match="tangent 0 has shape"):
        jvp(lambda x: x, [x0], [np.ones(2)])
    with pytest.raises(ValueError, match="argument 1 is asked for"):
        grad(lambda x: x, 1)(1.0)
    with pytest.raises(ValueError, match="cotangent has shape"):
        vjp(lambda x: x * x, x0)[1](np.ones(2))
    with pytest.raises(ValueError, match="v has shape"):
        hvp(f, x0, np.ones(2))


def test_no_grad_attribute_is_written():
    W = Tensor(A, requires_grad=True)
    x = Tensor(x0, requires_grad=True)
    for result in (grad(lambda x: np.sum(W @ x)), jacobian(lambda x: W @ x), hessian(lambda x: np.sum((W @ x) ** 2))):
        result(x)
    assert W.grad is None and x.grad is None


def test_float32_stays_float32():
    x = x0.astype(np.float32)
    results = [
        grad(lambda x: np.sum(x * x))(x),
        jacobian(np.sin)(x),
        hessian(lambda x: np.sum(x**3))(x),
        jvp(np.sin, [x], [x])[1],
    ]
    assert all(r.dtype == np.float32 for r in results)


def test_a_freed_graph_that_is_not_on_the_way_does_not_matter():
    w = Tensor(2.0, requires_grad=True)
    b = w * w
    b.backward()
    assert grad(lambda x: x * x + b * 1.0)(3.0) == 6.0


def test_derivatives_within_no_grad():
    with no_grad():
        assert grad(lambda x: x * x)(3.0) == 6.0
        assert grad(grad(lambda x: x**3))(2.0) == 12.0
        np.testing.assert_allclose(hessian(f)(x0), hessian_of_f(x0), rtol=1e-12)
        np.testing.assert_allclose(jvp(np.sin, [x0], [x0])[1], np.cos(x0) * x0, rtol=1e-14)


def test_argnums_count_from_the_end_too():
    def product(a, b):
        return np.sum(a[:, None] * b**2)

    a, b = np.array([1.0, 2.0]), np.array([1.0, -1.0, 3.0])
    np.testing.assert_allclose(grad(product, -1)(a, b), 6.0 * b, rtol=1e-15)
    np.testing.assert_allclose(hessian(product, 1)(a, b), 6.0 * np.eye(3), rtol=1e-15)
    assert hessian(product, 0)(a, b).shape == (2, 2)


def test_a_pulled_back_tensor_can_be_differentiated():
    # Jᵀw is linear in w: its derivative along u is Jᵀu
    _, pull_back = vjp(lambda x: np.sin(A @ x), x0)
    w = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    u = np.array([0.5, -1.0, 2.0])
    pull_back(w)[0].backward(u)
    np.testing.assert_allclose(w.grad, np.cos(A @ x0) * (A @ u), rtol=1e-13)


def test_results_belong_to_the_caller():
    x = x0.copy()
    for result in (value_and_grad(f)(x)[1], jacobian(np.sin)(x), vjp(lambda t: t + 0.0, x)[0]):
        result += 1.0
    np.testing.assert_array_equal(x, x0)


def test_float64_tangents_of_float32_arguments():
    x = x0.astype(np.float32)
    assert jvp(np.sin, [x], [np.ones(3)])[1].dtype == np.float32
    assert hvp(lambda t: np.sum(t**3), x, np.ones(3)).dtype == np.float32
