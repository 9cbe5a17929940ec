"""The gradient check itself: it passes what is right, refuses what is wrong, and says where."""

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, custom_rule, jvp, relu
from scratchgen.autodiff.checking import comparison, contract
from scratchgen.autodiff.checking.gradient_error import GradientError
from scratchgen.autodiff.checking.oracles import complex_step, extrapolated_difference, noise_of
from scratchgen.autodiff.checking.subjects import Direct, Gradient
from scratchgen.autodiff.gradcheck import check_symmetric, gradcheck

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 5))


def squares(rule: Callable[..., Any]) -> Callable[..., Any]:
    """x², with that derivative rule."""

    @custom_rule(rule)
    def square(x: Any) -> Any:
        return x * x

    return square


def refused(f: Callable[..., Any], *inputs: Any, **options: Any) -> GradientError:
    with pytest.raises(GradientError) as raised:
        gradcheck(f, *inputs, **options)
    return raised.value


# -- oracles -------------------------------------------------------------------------------------------------------

CURVES = [
    (lambda t: np.exp(0.7 + t), np.exp(0.7)),
    (lambda t: np.log(0.9 + t), 1 / 0.9),
    (lambda t: np.sin(3.0 * t + 1.0), 3 * np.cos(1.0)),
    (lambda t: (1.3 + t) ** 7, 7 * 1.3**6),
    (lambda t: 1e6 + t * t * t, 0.0),
    (lambda t: 0.0 * t, 0.0),
    (lambda t: np.array([1.0, -2.0]) * np.tanh(t), np.array([1.0, -2.0])),
    (lambda t: np.log(1e-3 + t), 1e3),  # the first steps are outside its domain
    (lambda t: np.sin(500.0 * t), 500.0),  # the first steps are longer than its period
]


@pytest.mark.parametrize(("curve", "slope"), CURVES)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_the_difference_is_as_exact_as_it_says(curve: Any, slope: Any) -> None:
    value, error = extrapolated_difference(curve)
    assert np.all(np.abs(value - slope) <= error)
    assert np.all(error <= 1e-9 * np.maximum(np.abs(slope), np.abs(curve(0.0)) + 0.1))


@pytest.mark.parametrize(("curve", "slope"), CURVES)
def test_the_complex_step_is_exact(curve: Any, slope: Any) -> None:
    np.testing.assert_allclose(complex_step(curve).value, slope, rtol=1e-14, atol=1e-30)


@pytest.mark.parametrize(
    "curve", [lambda t: np.float64(t > 0), lambda t: np.abs(t) ** 0.5 * np.sign(t), lambda t: np.log(t)]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_difference_knows_when_it_does_not_know(curve: Any) -> None:
    assert extrapolated_difference(curve).error > 1e-3


def test_noise_is_measured() -> None:
    """The rounding of numbers that cancel; and next to none for a smooth curve, however steep."""
    for size in (1e3, 1e6):
        noise = noise_of(lambda t, size=size: np.sin(np.arange(0.1, 3.0, 0.01) + t) + size - size)
        assert 0.01 * size * 2.2e-16 < np.min(noise) and np.max(noise) < size * 2.2e-16
    assert noise_of(lambda t: np.sin(500.0 * t)) < 1e-15
    np.testing.assert_array_equal(noise_of(lambda t: np.array([np.nan, 1.0])), [0.0, 0.0])


def test_noise_is_allowed_for() -> None:
    """The value has lost three digits, and with them the derivative: the estimate of its error says so."""
    x = np.linspace(0.0, 3.0, 2000)
    value, error = extrapolated_difference(lambda t: np.sin(x + t) + 1e3 - 1e3)
    assert np.all(np.abs(value - np.cos(x)) <= comparison.SAFETY * error)
    assert np.max(np.abs(value - np.cos(x))) > 1e-12 and np.max(error) < 1e-9


def test_the_complex_step_refuses_what_drops_the_imaginary_part() -> None:
    with pytest.raises(TypeError, match="not analytic"):
        complex_step(lambda t: np.abs(1.0 + t))


@pytest.mark.parametrize("seed", range(0, 1000, 100))
def test_the_estimate_holds_for_random_functions(seed: int) -> None:
    """At 1,000 random sums of sines and powers no error is above what the comparison allows for its estimate."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, 100, 4)) * 3.0
    x = rng.uniform(0.5, 2.0, (100, 1))
    value, error = extrapolated_difference(lambda t: np.sum(a * np.sin(b * (x + t)) + c * (x + t) ** b, axis=1))
    exact = np.sum(a * b * np.cos(b * x) + c * b * x ** (b - 1), axis=1)
    assert np.all(np.abs(value - exact) <= comparison.SAFETY * error)
    assert np.all(error < 1e-8 * np.max(np.abs(exact)))


# -- what it passes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("oracle", ["real", "complex"])
def test_right_functions_pass(oracle: Any) -> None:
    report = gradcheck(lambda x, y: np.sum(np.tanh(x @ y), axis=0), X, Y, oracle=oracle)
    assert report.error < (1e-15 if oracle == "complex" else 1e-12)
    assert report.entries == 6 * 6 + 6 * 15 + 2 * 4 * 4  # whole Jacobians and one row; then random directions
    assert report.float32 is not None and report.float32 < 1e-6


def test_inputs_may_be_numbers_tensors_and_used_twice() -> None:
    gradcheck(lambda x, y: x * y + np.sin(x), 0.7, Tensor(1.2))
    gradcheck(lambda x: x @ np.swapaxes(x, 0, 1), X)
    gradcheck(lambda x, y: x * 2.0, X, Y)  # one that does not matter
    gradcheck(lambda x: x * 0.0 + 3.0, X)
    gradcheck(lambda x: x, X)


def test_large_jacobians_are_projected() -> None:
    x = RNG.normal(size=(30, 20))
    (order, c), *_ = gradcheck(lambda x: np.exp(x), x, order=1).compared
    assert (order, c.full, c.entries) == (1, False, 16)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e9])
def test_the_allowed_error_goes_with_the_scale(size: float, factor: float) -> None:
    """A loss of 1e-9 or 1e9, inputs of 1e-6 or 1e6: the right rule passes, and one that is 1e-5 off does not."""
    wrong = squares(lambda g, y, x: g * (2.0 + 2e-5) * x)
    gradcheck(lambda x: factor * np.sum(np.sin(x / size) * x / size), X * size)
    assert refused(lambda x: factor * np.sum(np.sin(wrong(x / size))), X * size).operation == "square"


def test_results_of_rounding_alone_pass() -> None:
    for oracle in ("real", "complex"):
        gradcheck(lambda x: x / x - 1.0, X, oracle=oracle)
        gradcheck(lambda x: np.exp(x - np.log(np.exp(x))) - 1.0, X, oracle=oracle)


def test_the_same_seed_gives_the_same_report_and_another_seed_other_directions() -> None:
    reports = [str(gradcheck(lambda x: np.exp(x) * x, RNG.normal(size=(30, 20)) * 0 + 0.3, rng=s)) for s in (1, 1, 2)]
    assert reports[0] == reports[1] != reports[2]


def test_the_report_is_readable() -> None:
    text = str(gradcheck(lambda x, y: x @ y, X, Y))
    assert re.search(r"order 1, argument 1: whole Jacobian, 165 numbers, largest error \S+ of \S+ allowed", text)
    assert "order 2, argument 0: random directions" in text and "float32: largest error" in text


def test_float32_is_left_out_where_f_has_a_float64_array_of_its_own_and_the_report_says_so() -> None:
    report = gradcheck(lambda x: x * np.ones(3), X)
    assert report.float32 is None and "float32: not checked" in str(report)


# -- what it refuses -----------------------------------------------------------------------------------------------


def test_the_error_names_everything() -> None:
    square = squares(lambda g, y, x: g * 2.0 * x + 1e-6 * (np.arange(6).reshape(2, 3) == 4))
    error = refused(lambda y, x: np.sum(y) + np.sum(np.sin(square(x))), Y, X)
    assert (error.operation, error.order, error.argument, error.index) == ("square", 1, 1, (1, 1))
    exact = np.cos(X[1, 1] ** 2) * 2 * X[1, 1]
    assert abs(error.numeric - exact) < error.estimate < 1e-11
    assert abs(error.analytic - exact - 1e-6) < 1e-11
    for part in (
        "order 1",
        "argument 1 at index (1, 1)",
        f"{error.analytic:.15g}",
        f"{error.numeric:.15g}",
        "±",
        "square",
    ):
        assert part in str(error), part


def test_an_error_of_second_order_only() -> None:
    """Right values, but constants to the second derivative: only order 2 sees it, and names the operation."""
    square = squares(lambda g, y, x: g * 2.0 * getattr(x, "_data", x))
    gradcheck(square, X, order=1)
    error = refused(lambda x: np.cos(square(x)), X)
    assert (error.operation, error.order) == ("square", 2)


@pytest.mark.parametrize(
    "rule",
    [
        lambda g, y, x: 2.0 * x,
        lambda g, y, x: g * g * 2.0 * x,
        lambda g, y, x: np.abs(g) * 2.0 * x,
        lambda g, y, x: g * (2.0 + 1e-9) * x,
        lambda g, y, x: g * x,
        lambda g, y, x: g * 2.0 * x * np.nan,
        lambda g, y, x: np.sum(g) * 2.0 * x,
        lambda g, y, x: np.flip(g * 2.0 * x),
        lambda g, y, x: (g * 2.0 * x)[:1],
        lambda g, y, x: (g * 2.0 * x).astype(np.float32),
        lambda g, y, x: g * 2.0 * undefined(x),
    ],
)
def test_wrong_rules(rule: Any) -> None:
    assert refused(squares(rule), X).operation == "square"


@pytest.mark.parametrize(
    "rule", [lambda g, y, x: g * x, lambda g, y, x: g * 2.0001 * x, lambda g, y, x: g * x * np.nan]
)
def test_the_first_comparison_refuses(rule: Any) -> None:
    """Without the other checks around it."""
    with pytest.raises(GradientError, match="is wrong"):
        comparison.compare(Direct(squares(rule)), [X], "real", np.random.default_rng(0), 1e-6)


def undefined(x: Any) -> Any:
    raise ValueError("no value")


def test_a_rule_that_raises_is_quoted() -> None:
    error = refused(squares(lambda g, y, x: g * undefined(x)), X)
    assert "the backward pass raised ValueError: no value" in str(error)
    assert isinstance(error.__cause__, ValueError)


def test_a_rule_that_writes_to_its_inputs() -> None:
    def writes(g: Any, y: Any, x: Any) -> Any:
        x *= 2.0
        return g * x

    before = X.copy()
    assert "read-only" in str(refused(squares(writes), X))
    np.testing.assert_array_equal(X, before)


def test_a_rule_that_writes_to_the_cotangent() -> None:
    def writes(g: Any, y: Any, x: Any) -> Any:
        g *= 2.0 * x
        return g

    assert "read-only" in str(refused(squares(writes), X))


def test_a_rule_that_hands_out_its_memory() -> None:
    kept = np.zeros((2, 3))

    def same_array(g: Any, y: Any, x: Any) -> Any:
        np.copyto(kept, g * 2.0 * x)
        return kept

    assert "shares its memory" in str(refused(squares(same_array), X))


def test_a_gradient_that_stands_for_many() -> None:
    """A broadcast view: writing to one element would change all."""
    x = np.ones((2, 3))
    assert contract.owns_memory(x, [x.copy(), x[:0]])
    assert not contract.owns_memory(np.broadcast_to(1.0, (2, 3)), [])
    assert not contract.owns_memory(x[:, 0], [x])


def test_a_rule_that_draws_random_numbers() -> None:
    rng = np.random.default_rng(0)
    error = refused(squares(lambda g, y, x: g * 2.0 * x + 1e-300 * rng.normal()), X * 0)
    assert "second call" in str(error)


def test_a_function_that_draws_random_numbers() -> None:
    rng = np.random.default_rng(0)
    assert "give it the noise as an input" in str(refused(lambda x: x * rng.normal(), X))


def test_a_float32_rule_that_upcasts() -> None:
    error = refused(squares(lambda g, y, x: g * np.float64(2.0) * np.asarray(x, np.float64)), X, order=1)
    assert "float64 where the input is float32" in str(error)


def test_a_float32_gradient_that_is_too_far_off() -> None:
    """Right in float64; in float32 the difference of two squares loses its digits."""

    def cancels(g: Any, y: Any, x: Any) -> Any:
        big = 100.0 + x
        return g * (big * big - (10000.0 + x * x + 198.0 * x))

    error = refused(squares(cancels), X, order=1)
    assert "float32 gradient" in str(error) and error.argument == 0


def test_a_function_that_changes_its_input_by_a_back_door() -> None:
    x = np.ones((2, 3))

    def f(t: Any) -> Any:
        x[1] += 1.0
        return t[0] * 2.0

    assert "argument 0 was changed" in str(refused(f, x))


def engine_that_gives(output: Any, gradient: Any) -> type:
    """A subject whose pull-back gives that, whatever is asked: what a broken engine might do."""

    class Broken(Direct):
        def pull_back(self, arrays: Any) -> Any:
            return output, lambda w: [gradient]

    return Broken


@pytest.mark.parametrize("gradient", [np.zeros((3, 2)), np.zeros((2, 3), np.float32), [[0.0] * 3] * 2, np.float64(0.0)])
def test_gradients_of_another_shape_dtype_or_type(gradient: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine refuses them itself; the check does not rely on that."""
    monkeypatch.setattr(contract, "Direct", engine_that_gives(X, gradient))
    with pytest.raises(GradientError, match=r"the gradient of argument 0 is .*, the argument \(2, 3\) float64"):
        contract.keeps_contract(np.exp, [X], np.ones((2, 3)))


@pytest.mark.parametrize(("output", "gradient"), [(np.float64, np.float32), (np.float32, np.float64)])
def test_float32_that_becomes_float64(output: Any, gradient: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = engine_that_gives(np.zeros((2, 3), output), np.zeros((2, 3), gradient))
    monkeypatch.setattr(contract, "Direct", broken)
    with pytest.raises(GradientError, match="is float64 for float32 inputs"):
        contract.float32_error(np.exp, [X], np.ones((2, 3)), 1.0)


def test_leaving_the_graph() -> None:
    error = refused(lambda x: np.sum(x * x.data), X)
    assert error.argument == 0 and "something leaves the graph" in str(error)


def test_kinks_are_pointed_out() -> None:
    """At a kink the engine has one of the values in between, and the central difference the middle."""
    x = np.array([0.5, 0.0])
    error = refused(lambda x: relu(x), x, order=1)
    assert (error.operation, error.index, error.analytic) == ("relu", (1,), 0.0)
    assert "There is a kink: the slope is 0 on the left, 1 on the right" in str(error)
    error = refused(lambda x: np.abs(x), x, order=1)  # sign(0) = 0 is the middle
    assert error.index == (1,) and "cannot be judged" in str(error)
    assert "There is a kink: the slope is -1 on the left, 1 on the right" in str(error)


def test_jumps_cannot_be_judged() -> None:
    assert "cannot be judged" in str(refused(lambda x: np.where(x.data > 0.3, x, x + 1.0), np.array([0.3])))


def test_a_rule_that_is_not_linear_in_the_cotangent_but_right_for_unit_vectors() -> None:
    """A whole Jacobian of unit cotangents would pass: g³ is g for 0 and 1."""
    error = refused(squares(lambda g, y, x: g * g * g * 2.0 * x), np.array([0.7]), order=1)
    assert error.order == 1


def test_second_derivatives_are_symmetric_and_jvp_is_adjoint() -> None:
    """The identities catch what only they see: right values along the oracle's directions, by a subject that lies."""

    class Skew(Gradient):
        def pull_back(self, arrays: Any) -> Any:
            y, pull = super().pull_back(arrays)
            return y, lambda w: [g + np.array([w[1], -w[0]]) for g in pull(w)]

    class Late(Direct):
        def pull_back(self, arrays: Any) -> Any:
            return super().pull_back([x + 1e-9 for x in arrays])

    x, rng = [np.array([0.3, 0.8])], np.random.default_rng(0)
    check_symmetric(Gradient(np.exp, np.ones(2)), x, 1.0, rng)
    check_symmetric(Direct(np.exp), x, 1.0, rng)
    with pytest.raises(GradientError, match="not symmetric"):
        check_symmetric(Skew(np.exp, np.ones(2)), x, 1.0, rng)
    with pytest.raises(GradientError, match="not adjoint"):
        check_symmetric(Late(np.exp), x, 1.0, rng)


def test_the_whole_check_asks_for_the_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(f: Any, inputs: Any, tangents: Any) -> Any:
        y, change = jvp(f, inputs, tangents)
        return y, -change

    monkeypatch.setattr(sys.modules["scratchgen.autodiff.gradcheck"], "jvp", wrong)
    gradcheck(np.exp, X, order=1)
    assert "not adjoint" in str(refused(np.exp, X))


# -- what it does not take -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ([np.arange(3)], {}, "argument 0 is int64; a gradient is checked at float64"),
        ([X, X.astype(np.float32)], {}, "argument 1 is float32"),
        ([], {}, "needs an input"),
        ([X], {"order": 3}, "order 3: 1 checks the gradient"),
        ([X], {"oracle": "forward"}, "oracle is 'forward'"),
        ([X], {"rng": np.random}, "numpy.random"),
    ],
)
def test_bad_arguments(inputs: Any, options: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        gradcheck(lambda *x: x[0] * 2.0, *inputs, **options)


def test_a_function_that_returns_no_tensor() -> None:
    with pytest.raises(TypeError, match="returned float, not a Tensor"):
        gradcheck(lambda x: float(x), 1.0)
