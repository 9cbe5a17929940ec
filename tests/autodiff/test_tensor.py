"""The Tensor as a NumPy array: dispatch, dtypes, conversions, and an error for each bad input."""

import copy
import pickle
import threading

import numpy as np
import pytest

from scratchgen.autodiff import Tensor, custom_rule, detect_anomaly, gaussian_kl, linear, no_grad
from scratchgen.autodiff.modes import looking_for_anomalies, recording


def leaf(values, dtype=np.float64):
    return Tensor(np.asarray(values, dtype), requires_grad=True)


# -- dtypes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [np.arange(3), np.array([True]), 3, np.array(["a"]), np.array([1j]), np.array([None]), np.ones(2, np.float16)],
)
def test_other_dtypes_are_not_differentiable(bad):
    with pytest.raises(TypeError, match=f"{np.asarray(bad).dtype} is not differentiable; use float64"):
        Tensor(bad, requires_grad=True)


def test_ragged_lists_are_refused():
    with pytest.raises(ValueError, match="inhomogeneous"):
        Tensor([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize("scalar", [2, 2.0, np.float64(2.0), True, np.bool_(True)])
def test_scalars_never_upcast(scalar):
    x = leaf([1.0, 2.0], np.float32)
    for y in (x * scalar, scalar * x, x + scalar, x - scalar, x / scalar, x**2, np.maximum(x, scalar)):
        assert y.dtype == np.float32
        x.grad = None
        y.sum().backward()
        assert x.grad.dtype == np.float32


@pytest.mark.parametrize("other", [np.ones(2), np.arange(2), np.array(1.0)])
def test_float32_does_not_silently_become_float64(other):
    with pytest.raises(TypeError, match=f"multiply: argument 0 is float32, argument 1 is {other.dtype}.*astype"):
        leaf([1.0, 2.0], np.float32) * other


def test_a_mask_of_bools_may_meet_float32():
    x = leaf([1.0, -2.0], np.float32)
    assert (x * (x > 0)).dtype == np.float32


def test_astype_returns_the_gradient_in_the_dtype_of_its_input():
    x = leaf([1.0, 2.0], np.float32)
    (x.astype(np.float64) * np.array([3.0, 4.0])).sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [3.0, 4.0])


# -- dispatch --------------------------------------------------------------------------------------------------------


def test_plain_numpy_stays_plain():
    x, W = np.ones((2, 3)), np.ones((3, 2))
    assert type(np.tanh(x @ W)) is np.ndarray
    assert type(np.tanh(x @ Tensor(W))) is Tensor
    assert type(np.tanh(Tensor(x) @ W)) is Tensor


def test_an_array_on_the_left_records_too():
    w = leaf([1.0, 2.0])
    (np.array([3.0, 4.0]) * w - w / np.array([1.0, 2.0]) + 2.0 / w).sum().backward()
    np.testing.assert_allclose(w.grad, [3 - 1 - 2, 4 - 0.5 - 0.5], rtol=1e-15)


def test_a_list_is_an_array():
    w = leaf([1.0, 2.0])
    ([3.0, 4.0] @ w + np.dot([1.0, 1.0], w) + ([5.0, 6.0] * w).sum()).backward()
    np.testing.assert_array_equal(w.grad, [3 + 1 + 5, 4 + 1 + 6])


def test_scipy_functions_take_part():
    from scipy.special import erf

    x = leaf(0.5)
    erf(x).backward()
    assert x.grad == pytest.approx(2 / np.sqrt(np.pi) * np.exp(-0.25), rel=1e-14)


def test_comparisons_give_plain_arrays():
    x = leaf([1.0, -1.0])
    for result in (x > 0, x == x, np.less(x, 0.5), np.isnan(x), np.argmax(x), x.argmax(), np.floor(x)):
        assert not isinstance(result, Tensor)


@pytest.mark.parametrize("call", [lambda x: np.sort(x), lambda x: np.linalg.eigh(x), lambda x: np.spacing(x)])
def test_a_function_without_a_rule_is_named(call):
    with pytest.raises(TypeError, match=r"(np\.sort|np\.linalg\.eigh|spacing) has no derivative rule.*custom_rule"):
        call(leaf(np.eye(2)))


def test_the_graph_is_never_dropped_silently():
    with pytest.raises(TypeError, match=r"drop the graph: pass t\.data"):
        np.asarray(leaf([1.0]))


def test_options_that_a_rule_does_not_know_are_refused():
    x = leaf([1.0, 2.0])
    with pytest.raises(TypeError, match="sum has no derivative rule with the option where"):
        np.sum(x, where=np.array([True, False]))
    with pytest.raises(TypeError, match="has no derivative rule"):
        np.multiply.reduce(x)


def test_a_tensor_by_name():
    x = leaf([1.0, 2.0])
    np.sum(a=x).backward()
    np.clip(a=x, a_min=0.0, a_max=1.5).sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 1.0])


def test_a_tensor_by_name_after_a_positional_one_and_past_a_default():
    x, b, logvar = leaf([[1.0, 2.0]]), leaf([0.5, 0.5]), leaf([0.0, 0.0])
    linear(x, np.eye(2), b=b).sum().backward()
    np.testing.assert_array_equal(b.grad, [1.0, 1.0])
    gaussian_kl(np.zeros(2), np.zeros(2), logvar_p=logvar).sum().backward()
    np.testing.assert_array_equal(logvar.grad, [0.0, 0.0])


def test_a_gradient_where_no_rule_is():
    with pytest.raises(TypeError, match="where has no derivative rule for argument 0; pass it as an array"):
        np.where(leaf([1.0]), 1.0, 2.0)


# -- in-place changes --------------------------------------------------------------------------------------------------


def test_in_place_changes_are_refused():
    x, y = leaf([1.0, 2.0]), np.ones(2)
    with pytest.raises(TypeError, match=r"np\.where, np\.concatenate or np\.stack"):
        x[0] = 1.0
    with pytest.raises(TypeError, match="in-place"):
        y += x
    with pytest.raises(TypeError, match="out="):
        np.add(x, 1.0, out=y)
    with pytest.raises(TypeError, match="out="):
        np.sum(x, out=y)
    with pytest.raises(ValueError, match="read-only"):
        x.data[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        (x * 2.0).data[0] = 5.0
    with pytest.raises(AttributeError):
        x.data = y


def test_a_leaf_is_a_copy():
    values = np.ones(2)
    x = Tensor(values)
    values[0] = 7.0
    assert x.data[0] == 1.0


def test_augmented_assignment_makes_a_new_tensor():
    x = leaf([1.0, 2.0])
    y = x
    y += 1.0
    assert y is not x
    np.testing.assert_array_equal(x.data, [1.0, 2.0])


def test_assign_checks_its_argument():
    x = leaf([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape \(3,\), the tensor \(2,\)"):
        x.assign(np.ones(3))
    with pytest.raises(RuntimeError, match="result of multiply"):
        (x * 2.0).assign([1.0, 1.0])
    x.assign([3.0, 4.0])
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad, [6.0, 8.0])


def test_values_may_live_in_a_buffer_of_the_optimiser():
    buffer = np.zeros(5)
    x = leaf([[1.0, 2.0]])
    x.move_to(buffer[1:3].reshape(1, 2))
    y = x * x
    buffer *= 10.0
    x.touch()
    np.testing.assert_array_equal(x.data, [[10.0, 20.0]])
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()
    x.assign([[3.0, 4.0]])
    np.testing.assert_array_equal(buffer, [0, 3, 4, 0, 0])


# -- switches --------------------------------------------------------------------------------------------------------


def test_no_grad_records_nothing_and_ends():
    x = leaf(1.0)
    with no_grad():
        y = x * 2.0
        assert not y.requires_grad and y.args is None
    assert (x * 2.0).requires_grad


def test_no_grad_holds_for_its_own_thread():
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append((leaf(1.0) * 2.0).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_detach_stops_the_gradient():
    x = leaf([1.0, 2.0])
    (x * x.detach()).sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 2.0])


def test_anomaly_detection_names_the_operation_forward():
    with (
        detect_anomaly(),
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match=r"forward pass of log gave nan at \(1,\).* \(2,\)"),
    ):
        np.log(leaf([1.0, -1.0]) * 1.0)


def test_anomaly_detection_names_the_operation_backward():
    x = leaf([4.0, 0.0])
    with detect_anomaly(), np.errstate(all="ignore"):
        y = np.sqrt(x * 1.0).sum()
        with pytest.raises(FloatingPointError, match=r"backward rule of sqrt for argument 0 gave inf at \(1,\)"):
            y.backward()


# -- custom rules ------------------------------------------------------------------------------------------------------


def test_custom_rule_replaces_the_derivative():
    @custom_rule(lambda g, y, x, limit=1.0: g * (np.abs(x) < limit))  # a straight-through clip
    def hard(x, limit=1.0):
        return np.clip(x, -limit, limit)

    x = leaf([0.5, 2.0])
    hard(x, limit=1.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 0.0])
    assert type(hard(np.ones(2))) is np.ndarray


def test_a_custom_rule_of_the_wrong_dtype_is_named():
    @custom_rule(lambda g, y, x: g * np.array([2.0, 2.0]))
    def double(x):
        return x * 2

    with pytest.raises(TypeError, match="rule of double for argument 0 gave float64 where the input is float32"):
        double(leaf([1.0, 2.0], np.float32)).sum().backward()


# -- conversions -------------------------------------------------------------------------------------------------------


def test_truth_length_iteration_and_floats():
    assert bool(leaf(1.0)) and not bool(leaf([0.0]))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(leaf([1.0, 2.0]))
    assert [float(t) for t in leaf([1.0, 2.0])] == [1.0, 2.0]
    assert len(leaf([1.0, 2.0])) == 2
    assert f"{leaf(1.5):.2f}" == "1.50"
    assert leaf(1.5).item() == 1.5
    assert repr(leaf([1.0])) == "Tensor([1.], requires_grad=True)"


def test_iteration_is_differentiable():
    x = leaf([1.0, 2.0])
    a, b = x
    (a * b * b).backward()
    np.testing.assert_array_equal(x.grad, [4.0, 4.0])


def test_a_deep_copy_is_a_new_leaf():
    x = leaf([1.0, 2.0])
    y = copy.deepcopy(x)
    assert y.requires_grad and y is not x and not np.shares_memory(x.data, y.data)


def test_tensors_can_be_keys():
    a, b = leaf([1.0]), leaf([1.0])
    assert {a: 1, b: 2}[a] == 1


def test_transposes_and_shapes():
    x = leaf(np.arange(6.0).reshape(2, 3))
    assert x.T.shape == (3, 2) and x.reshape(3, 2).shape == x.reshape((3, 2)).shape == (3, 2)
    assert x.transpose(1, 0).shape == x.transpose().shape == (3, 2)
    assert x.flatten().shape == (6,) and x.size == 6 and x.ndim == 2


def test_assigning_to_a_detached_copy_leaves_the_original_alone():
    y = leaf([1.0, 2.0]) * 2.0
    d = y.detach()
    d.assign([7.0, 7.0])
    np.testing.assert_array_equal(y.data, [2.0, 4.0])


def test_two_uses_of_a_leaf_before_and_after_its_change():
    w = leaf([1.0, 2.0])
    before = w * 3.0
    w.assign([5.0, 5.0])
    with pytest.raises(RuntimeError, match="changed in place after multiply"):
        (before + w * 2.0).sum().backward()
    assert w.grad is None


@pytest.mark.parametrize("first, second", [(np.float32, np.float64), (np.float64, np.float32)])
def test_two_tensors_of_different_dtypes_are_refused_in_either_order(first, second):
    a, b = Tensor(np.ones(2, first)), Tensor(np.ones(2, second))
    with pytest.raises(TypeError, match=f"multiply: argument 0 is {a.dtype}, argument 1 is {b.dtype}"):
        a * b


def test_a_changed_leaf_that_needs_no_gradient_is_noticed_too():
    x, c = leaf(3.0), Tensor(2.0)
    y = x * c
    c.assign(5.0)
    with pytest.raises(RuntimeError, match="changed in place after multiply"):
        y.backward()


def test_a_rule_that_is_no_function_is_refused():
    with pytest.raises(TypeError, match=r"a rule is a ufunc; it must be a function: wrap it in lambda"):
        custom_rule(np.negative)(lambda x: x)


# -- slips in custom rules ---------------------------------------------------------------------------------------------


def test_a_custom_rule_without_its_arguments_is_refused_at_once():
    with pytest.raises(
        TypeError, match=r"a rule takes g, y and the arguments.*this one takes \('x',\).*@custom_rule\(rule"
    ):
        custom_rule(lambda x: x)
    with pytest.raises(TypeError, match=r"this one takes \('g', 'x'\)"):
        custom_rule(lambda g, x: g)
    with pytest.raises(TypeError, match="needs at least one rule"):
        custom_rule()


# -- arrays that are more than arrays, and scalars that are less -------------------------------------------------------


@pytest.mark.parametrize("special", [np.ma.masked_values([1.0, -999.0], -999.0), np.ma.array([1.0, 2.0])])
def test_masked_arrays_are_refused(special):
    with pytest.raises(TypeError, match="MaskedArray would lose what makes it one"):
        Tensor(special)
    with pytest.raises(TypeError, match="MaskedArray does not take part in a graph"):
        leaf([1.0, 2.0]) * special


@pytest.mark.parametrize("scalar", [np.int64(3), np.float32(3), np.float64(3), np.prod((3, 1))])
def test_scalars_of_numpy_take_the_dtype_of_the_tensor(scalar):
    for dtype in (np.float32, np.float64):
        y = leaf([1.0, 2.0], dtype) * scalar
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.data, [3.0, 6.0])


def test_a_complex_operand_is_named():
    with pytest.raises(TypeError, match="argument 0 is float32, argument 1 is complex"):
        leaf([1.0], np.float32) * 1j


# -- copies in other processes ----------------------------------------------------------------------------------------


def test_a_pickled_leaf_is_a_new_leaf_and_a_result_is_refused():
    x = leaf([1.0, 2.0])
    y = pickle.loads(pickle.dumps(x))
    (y * y).sum().backward()
    np.testing.assert_array_equal(y.grad, [2.0, 4.0])
    with pytest.raises(TypeError, match=r"result of multiply cannot be pickled.*detach"):
        pickle.dumps(x * x)


# -- seeds, signs, modes ----------------------------------------------------------------------------------------------


def test_a_seed_may_be_a_tensor_or_of_the_other_dtype():
    for seed in (Tensor([1.0, 10.0]), np.array([1.0, 10.0])):
        x = leaf([1.0, 2.0], np.float32)
        (x * x).backward(seed)
        assert x.grad.dtype == np.float32
        np.testing.assert_array_equal(x.grad, [2.0, 40.0])


def test_plus_and_minus():
    x = leaf([1.0, -2.0])
    np.testing.assert_array_equal((+x).data, [1.0, -2.0])
    np.testing.assert_array_equal((-x).data, [-1.0, 2.0])


def test_a_forward_function_cannot_write_into_a_leaf():
    @custom_rule(lambda g, y, x: g)
    def careless(x):
        x += 1.0
        return x

    with pytest.raises(ValueError, match="read-only"):
        careless(leaf([1.0]))


@pytest.mark.parametrize("mode, flag, on", [(no_grad, recording, False), (detect_anomaly, looking_for_anomalies, True)])
def test_modes_end_with_their_block_however_it_ends(mode, flag, on):
    before = flag.get()
    with pytest.raises(KeyError), mode():
        raise KeyError
    assert flag.get() == before
    with mode():
        with mode():
            pass
        assert flag.get() == on
    assert flag.get() == before


def test_create_graph_within_no_grad():
    x = leaf([1.0, 2.0])
    y = (x**3).sum()
    with no_grad():
        y.backward(create_graph=True)
    first, x.grad = x.grad, None
    first.sum().backward()
    np.testing.assert_allclose(x.grad, [6.0, 12.0], rtol=1e-15)


def test_anomalies_are_described_with_scalars_and_with_create_graph():
    with detect_anomaly(), np.errstate(all="ignore"):
        with pytest.raises(
            FloatingPointError, match=r"divide gave inf at \(0,\); the shapes of its inputs are \(1,\), \(\)"
        ):
            leaf([1.0]) / 0.0
        y = np.sqrt(leaf([0.0]) * 1.0).sum()
        with pytest.raises(FloatingPointError, match="forward pass of divide"):  # the rule's own operations
            y.backward(create_graph=True)
